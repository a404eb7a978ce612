//! What configure found out about assembler, linker and libraries, compared with what it found on the target.
//!
//! gcc's auto-host.h has it, and the package for plugins has the target's. It decides which directives and sections the
//! compiler writes, so a compiler that was configured with another binutils can write something else.

use std::collections::BTreeMap;

/// A macro of auto-host.h: its value, or `None` if it is mentioned and not defined.
type Macros<'a> = BTreeMap<&'a str, Option<&'a str>>;

fn macros(text: &str) -> Macros<'_> {
    text.lines().filter_map(macro_of).collect()
}

fn macro_of(line: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = line.strip_prefix("#define ") {
        let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
        return Some((name, Some(value.trim())));
    }
    Some((line.strip_prefix("/* #undef ")?.strip_suffix(" */")?, None))
}

/// Whether a macro tells of the machine that the compiler runs on, where a difference is right.
fn of_the_host(name: &str) -> bool {
    name.starts_with("SIZEOF_")
        || name.starts_with("HAVE_DECL_")
        || (name.starts_with("HAVE_") && name.ends_with("_H"))
        || ["INT64_T_IS_LONG", "_FILE_OFFSET_BITS", "_LARGE_FILES", "_TIME_BITS"].contains(&name)
}

/// Where two auto-host.h differ in what shapes the compiler's output, in words.
pub(super) fn differences(native: &str, ours: &str) -> Vec<String> {
    let (native, ours) = (macros(native), macros(ours));
    let mut names: Vec<&str> = native.keys().chain(ours.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    let say = |macros: &Macros<'_>, name: &str| match macros.get(name).copied().flatten() {
        Some("") => "defined".to_owned(),
        Some(value) => value.to_owned(),
        None => "undefined".to_owned(),
    };
    names
        .into_iter()
        .filter(|name| !of_the_host(name))
        .map(|name| (name, say(&native, name), say(&ours, name)))
        .filter(|(_, native, ours)| native != ours)
        .map(|(name, native, ours)| format!("{name} is {native} on the target and {ours} here"))
        .collect()
}

/// Where two configargs.h differ but for the arguments: thread model and defaults of `-march` and the like.
pub(super) fn defaults_differ(native: &str, ours: &str) -> Vec<String> {
    let defaults = |text: &str| {
        let rest = text.split_once("static const char thread_model[]").map_or("", |(_, rest)| rest);
        rest.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (native, ours) = (defaults(native), defaults(ours));
    if native == ours {
        Vec::new()
    } else {
        vec![format!("defaults are {native} on the target and {ours} here")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NATIVE: &str = "/* Define if so. */\n#ifndef USED_FOR_TARGET\n#define HAVE_AS_TLS 1\n#endif\n\
                          /* #undef HAVE_LD_PIE */\n#define SIZEOF_LONG 4\n#define PREFIX \"/a b\"\n#define EMPTY \n";

    #[test]
    fn what_tells_of_the_machine_may_differ() {
        let ours = NATIVE.replace("SIZEOF_LONG 4", "SIZEOF_LONG 8");
        assert!(differences(NATIVE, &ours).is_empty());
    }

    #[test]
    fn what_shapes_output_may_not() {
        let ours = NATIVE
            .replace("#define HAVE_AS_TLS 1", "/* #undef HAVE_AS_TLS */")
            .replace("/* #undef HAVE_LD_PIE */", "#define HAVE_LD_PIE 1")
            .replace("/a b", "/c d")
            .replace("#define EMPTY \n", "");
        assert_eq!(
            differences(NATIVE, &ours),
            [
                "EMPTY is defined on the target and undefined here",
                "HAVE_AS_TLS is 1 on the target and undefined here",
                "HAVE_LD_PIE is undefined on the target and 1 here",
                "PREFIX is \"/a b\" on the target and \"/c d\" here",
            ]
        );
        // Not mentioned at all is as good as not defined.
        assert!(differences(NATIVE, &NATIVE.replace("/* #undef HAVE_LD_PIE */\n", "")).is_empty());
    }

    #[test]
    fn defaults_are_compared_whatever_the_arguments_are() {
        let text = |arguments: &str, arch: &str| {
            format!(
                "static const char configuration_arguments[] = \"{arguments}\";\nstatic const char thread_model[] = \"posix\";\n{{ \"arch\", \"{arch}\" }}\n"
            )
        };
        assert!(defaults_differ(&text("a", "armv7-a+fp"), &text("b", "armv7-a+fp")).is_empty());
        assert_eq!(defaults_differ(&text("a", "armv7-a+fp"), &text("a", "armv5te")).len(), 1);
    }
}
