//! The arguments of configure: those that the target's compiler had, and what follows from them.

/// What a compiler was configured with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arguments {
    words: Vec<String>,
}

/// Arguments that say how the compiler itself is compiled and not what it does. A cross compiler cannot bootstrap.
const OF_THE_BUILD: [&str; 5] = [
    "--enable-bootstrap",
    "--disable-bootstrap",
    "--with-build-config",
    "--enable-link-serialization",
    "--disable-link-serialization",
];

impl Arguments {
    /// Takes them from configargs.h: a line of shell, in a C string.
    pub(super) fn of_header(text: &str) -> Result<Self, String> {
        let start = "configuration_arguments[] = \"";
        let (_, rest) = text.split_once(start).ok_or("configargs.h has no configuration_arguments")?;
        let line = c_string(rest).ok_or("configargs.h has a string without an end")?;
        // The first word is configure itself.
        let words = shell_words(&line).ok_or("its arguments have a quote without an end")?;
        let words = words.into_iter().skip(1).filter(|word| word != "-v").collect();
        let arguments = Self { words };
        for wanted in ["target", "prefix", "libexecdir"] {
            arguments.value(wanted).ok_or_else(|| format!("its arguments have no --{wanted}"))?;
        }
        match arguments.value("prefix") {
            Some("/usr") => Ok(arguments),
            _ => Err("it was not configured with --prefix=/usr".to_owned()),
        }
    }

    /// The value of `--name=value`.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let found = self
            .words
            .iter()
            .rev()
            .find_map(|word| word.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('='));
        found.filter(|value| !value.is_empty())
    }

    /// The arguments with which the same compiler is configured to run on `host`.
    pub(super) fn for_host(&self, host: &str) -> Vec<String> {
        let name = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
        let kept = self.words.iter().filter(|word| !OF_THE_BUILD.contains(&name(word).as_str()));
        kept.map(|word| match name(word).as_str() {
            option @ ("--build" | "--host") => format!("{option}={host}"),
            _ => word.clone(),
        })
        .collect()
    }
}

/// The content of a C string literal, from after its first quote.
fn c_string(text: &str) -> Option<String> {
    let mut content = String::new();
    let mut letters = text.chars();
    loop {
        match letters.next()? {
            '"' => return Some(content),
            '\\' => content.push(letters.next()?),
            '\n' => return None,
            letter => content.push(letter),
        }
    }
}

/// Splits a line as a shell does; there are no variables or patterns in it.
fn shell_words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        end if end == letter => break,
                        '\\' if letter == '"' => word.push(letters.next()?),
                        inside => word.push(inside),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next()?),
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From gcc-12-plugin-dev 12.2.0-14+deb12u1 for arm64, shortened.
    const BOOKWORM: &str = r#"/* Generated automatically. */
static const char configuration_arguments[] = "../src/configure -v --with-pkgversion='Debian 12.2.0-14+deb12u1' --enable-languages=c,ada,c++,go,d,fortran,objc,obj-c++,m2 --prefix=/usr --program-suffix=-12 --program-prefix=aarch64-linux-gnu- --libexecdir=/usr/lib --libdir=/usr/lib --build=aarch64-linux-gnu --host=aarch64-linux-gnu --target=aarch64-linux-gnu";
static const char thread_model[] = "posix";
"#;

    /// From gcc-14-plugin-dev 14.2.0-19 for armhf, shortened.
    const TRIXIE: &str = r#"static const char configuration_arguments[] = "../src/configure -v --prefix=/usr --libexecdir=/usr/libexec --enable-bootstrap --with-arch=armv7-a+fp --build=arm-linux-gnueabihf --host=arm-linux-gnueabihf --target=arm-linux-gnueabihf --with-build-config=bootstrap-lto-lean --enable-link-serialization=2";"#;

    #[test]
    fn only_where_it_runs_is_changed() {
        let arguments = Arguments::of_header(BOOKWORM).unwrap();
        assert_eq!(
            arguments.for_host("x86_64-linux-gnu"),
            [
                "--with-pkgversion=Debian 12.2.0-14+deb12u1",
                "--enable-languages=c,ada,c++,go,d,fortran,objc,obj-c++,m2",
                "--prefix=/usr",
                "--program-suffix=-12",
                "--program-prefix=aarch64-linux-gnu-",
                "--libexecdir=/usr/lib",
                "--libdir=/usr/lib",
                "--build=x86_64-linux-gnu",
                "--host=x86_64-linux-gnu",
                "--target=aarch64-linux-gnu",
            ]
        );
        assert_eq!(arguments.value("libexecdir"), Some("/usr/lib"));
        assert_eq!(arguments.value("program"), None);
    }

    #[test]
    fn how_the_compiler_itself_was_compiled_is_left_out() {
        assert_eq!(
            Arguments::of_header(TRIXIE).unwrap().for_host("h"),
            [
                "--prefix=/usr",
                "--libexecdir=/usr/libexec",
                "--with-arch=armv7-a+fp",
                "--build=h",
                "--host=h",
                "--target=arm-linux-gnueabihf",
            ]
        );
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(shell_words(r#"a 'b c'd  "e \" f" g\ h ''"#).unwrap(), ["a", "b cd", "e \" f", "g h", ""]);
        assert_eq!(shell_words("a 'b"), None);
        assert_eq!(c_string(r#"a \"b\" c"; more"#).unwrap(), "a \"b\" c");
        assert_eq!(c_string("never ends"), None);
    }

    #[test]
    fn a_header_of_another_kind_is_refused() {
        assert!(Arguments::of_header("int a;").unwrap_err().contains("no configuration_arguments"));
        let text = r#"configuration_arguments[] = "../configure --prefix=/opt --libexecdir=/l --target=t";"#;
        assert!(Arguments::of_header(text).unwrap_err().contains("--prefix=/usr"));
    }
}
