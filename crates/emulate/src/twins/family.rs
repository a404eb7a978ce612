//! Rules for twins: files in TOML, see `rules/README.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::table::Architecture;

/// A file of rules.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Name.
    pub family: String,
    /// Why these may be replaced.
    #[serde(default)]
    pub about: String,
    /// When the emulated program runs, whichever of these rules its twin is of; empty once read, when each rule has it.
    #[serde(default)]
    unless: Vec<Unless>,
    /// Rules.
    #[serde(default)]
    pub twin: Vec<Given>,
}

/// A rule for a package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools, reason = "keys of a file")]
pub struct Given {
    /// Package in the root. Always there once read.
    pub package: String,
    /// Packages in the root for which the rule is the same; empty once read, when there is a rule for each.
    packages: Vec<String>,
    /// Package for this machine.
    pub twin: Option<String>,
    /// Files of the twin.
    pub programs: Vec<String>,
    /// But not these.
    pub except: Vec<String>,
    /// Nor these, where the target has 32 bits.
    pub except_for_32_bits: Vec<String>,
    /// Only where pointers have the size of this machine's.
    pub same_word_size: bool,
    /// Only where the C library's functions of floating point round as the target's.
    pub same_rounding: bool,
    /// For programs that the other rule for the package leaves out; both are used.
    pub beside: bool,
    /// Only for targets of so many bits.
    pub target_bits: Option<u8>,
    /// The twin is of another source and names that of the package in Built-Using.
    pub cross: bool,
    /// Packages of the root that depend on a name that begins like this need a twin too.
    pub modules: Option<String>,
    /// Where the root has one of these, it needs a twin too.
    pub with: Vec<String>,
    /// Where the root has one of these and there is a twin of it, that is brought too.
    pub with_if_there: Vec<String>,
    /// Further files of the twin.
    pub data: Vec<String>,
    /// Folders with libraries of the twin's own.
    pub folders: Vec<String>,
    /// Files of the target in place of the twin's.
    pub from_target: Vec<String>,
    /// Beginnings of paths: of the twin, and of the program that it replaces.
    pub moved: Vec<(String, String)>,
    /// Links that the twin needs in the root.
    pub links: BTreeMap<String, String>,
    /// Packages that would find these links: with one of them in the root there is no twin.
    pub links_found_by: Vec<String>,
    /// Variables for the twin alone.
    pub environment: BTreeMap<String, String>,
    /// When the emulated program runs.
    pub unless: Vec<Unless>,
    /// The emulated program runs unless the first argument begins like one of these.
    pub only: Vec<String>,
    /// The same, where this machine rounds otherwise than the target.
    pub only_if_rounding_differs: Vec<String>,
    /// The same, where it rounds as the target does.
    pub only_if_rounding_agrees: Vec<String>,
    /// The same: behind these options, scripts and `-c`, but for tests, where it rounds as the target does.
    pub scripts_if_rounding_agrees: Option<String>,
    /// Arguments that are replaced; an asterisk stands for the name of a folder that the root's packages or the twins have
    /// there. Where there is no file to replace one with, the emulated program runs.
    pub arguments: BTreeMap<String, String>,
    /// Arguments that the twin gets besides, unless one begins like a word of the second of each pair.
    pub append: Vec<(String, String)>,
    /// The twin is only tried: where it fails, the emulated program runs.
    pub tried: bool,
    /// The twin is a compiler that loads procedural macros, which are the target's: see the crate `archmill-macros`.
    pub macros: bool,
    /// The twin is a Python, which loads extension modules of this machine in place of the target's: its site-packages folder
    /// for what does that, below the prefix.
    pub extensions: Option<String>,
    /// Programs that read and print numbers of C's long double: they get the target's.
    pub long_double: Vec<String>,
    /// Programs that leave it to the C library how their obstacks are: they get the target's.
    pub obstack: Vec<String>,
    /// Files below the prefix, and functions in them that take a char for a number, which has no sign on the target.
    pub unsigned_chars: Vec<(String, Functions)>,
    /// Links below the prefix, and what they point to.
    pub prefix_links: BTreeMap<String, String>,
    /// Files below the prefix, a string in them, and what it becomes.
    pub strings: Vec<(String, String, String)>,
    /// Programs that are replaced only where a file below the prefix, which is another twin's, is there.
    pub needs: BTreeMap<String, String>,
}

/// Functions of a program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Functions {
    /// Those that compute with this constant.
    Constant(u32),
    /// The one that the program exports by this name.
    Name(String),
}

impl std::fmt::Display for Functions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Constant(constant) => write!(formatter, "functions with {constant:#x} in them"),
            Self::Name(name) => write!(formatter, "function {name}"),
        }
    }
}

/// Something that speaks against a twin when a program starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Unless {
    /// An argument is this.
    pub argument: Option<String>,
    /// An argument begins like this.
    pub argument_starts: Option<String>,
    /// With `argument_starts`, `argument_has` or `variable` alone: and no argument is one of these words.
    pub without: Option<String>,
    /// An argument ends like this.
    pub argument_ends: Option<String>,
    /// An argument has this in it.
    pub argument_has: Option<String>,
    /// The path that it was started by begins with none of these words.
    pub started_outside: Option<String>,
    /// A variable is set and not empty.
    pub variable: Option<String>,
    /// Of these programs only.
    pub at: Option<String>,
    /// For targets of so many bits only.
    pub target_bits: Option<u8>,
    /// With `variable`: its value has this in it.
    pub has: Option<String>,
    /// With `variable`: it is not set, or to what is none of these words.
    pub is_not: Option<String>,
    /// With `variable`: a folder of the list in it has a file named like one of these words. Words that begin with a slash come
    /// first: folders that are left out.
    pub folders_have: Option<String>,
}

/// Rules that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rules for twins, {file}: {reason}")]
pub struct FamilyError {
    file: String,
    reason: String,
}

const BUILTIN: &[(&str, &str)] = &[
    ("shells.toml", include_str!("../../rules/shells.toml")),
    ("core.toml", include_str!("../../rules/core.toml")),
    ("generators.toml", include_str!("../../rules/generators.toml")),
    ("llvm.toml", include_str!("../../rules/llvm.toml")),
    ("make.toml", include_str!("../../rules/make.toml")),
    ("cmake.toml", include_str!("../../rules/cmake.toml")),
    ("dpkg.toml", include_str!("../../rules/dpkg.toml")),
    ("binutils.toml", include_str!("../../rules/binutils.toml")),
    ("gcc.toml", include_str!("../../rules/gcc.toml")),
    ("go.toml", include_str!("../../rules/go.toml")),
    ("rust.toml", include_str!("../../rules/rust.toml")),
    ("python.toml", include_str!("../../rules/python.toml")),
    ("perl.toml", include_str!("../../rules/perl.toml")),
];

/// The rules that come with archmill.
pub fn builtin() -> Result<Vec<Family>, FamilyError> {
    BUILTIN.iter().map(|(file, text)| parse(file, text)).collect()
}

/// Reads a file of rules; `file` is for messages.
pub fn parse(file: &str, text: &str) -> Result<Family, FamilyError> {
    let failed = |reason: String| FamilyError { file: file.to_owned(), reason };
    let mut family: Family = toml::from_str(text).map_err(|error| failed(error.to_string()))?;
    let mut each = Vec::new();
    for given in std::mem::take(&mut family.twin) {
        each.extend(given.for_each_package().map_err(|reason| failed(reason.to_owned()))?);
    }
    for given in &mut each {
        given.unless.extend(family.unless.iter().cloned());
    }
    family.unless.clear();
    family.twin = each;
    for given in &family.twin {
        let strings = given.strings.iter().map(|(file, ..)| file);
        let files: Vec<String> =
            strings.chain(given.unsigned_chars.iter().map(|(file, _)| file)).cloned().collect();
        let needs: Vec<String> =
            given.needs.iter().flat_map(|(program, file)| [program.clone(), file.clone()]).collect();
        let patterns = [
            &files,
            &needs,
            &given.programs,
            &given.except,
            &given.except_for_32_bits,
            &given.data,
            &given.folders,
            &given.from_target,
            &given.long_double,
            &given.obstack,
        ];
        for pattern in patterns.into_iter().flatten() {
            if pattern.starts_with('/') {
                return Err(failed(format!(
                    "{}: {pattern:?} begins with a slash; leave it out",
                    given.package
                )));
            }
            glob::Pattern::new(pattern)
                .map_err(|error| failed(format!("{}: {pattern:?}: {error}", given.package)))?;
        }
        if given.unless.iter().any(|unless| unless.count() != 1) {
            return Err(failed(format!("{}: each entry of unless has one condition", given.package)));
        }
        if let Some(reason) = given.unless.iter().find_map(Unless::misplaced) {
            return Err(failed(format!("{}: in an entry of unless {reason}", given.package)));
        }
    }
    Ok(family)
}

impl Given {
    /// Whether the twin, or which programs have it, depends on how floating point is rounded.
    pub fn heeds_rounding(&self) -> bool {
        self.same_rounding
            || self.scripts_if_rounding_agrees.is_some()
            || !(self.only_if_rounding_agrees.is_empty() && self.only_if_rounding_differs.is_empty())
    }

    /// One rule for each package that it names.
    fn for_each_package(mut self) -> Result<Vec<Self>, &'static str> {
        let mut packages = std::mem::take(&mut self.packages);
        if !self.package.is_empty() {
            if !packages.is_empty() {
                return Err("a [[twin]] has package or packages, not both");
            }
            packages.push(std::mem::take(&mut self.package));
        }
        if packages.is_empty() || packages.iter().any(String::is_empty) {
            return Err("a [[twin]] names no package");
        }
        Ok(packages.into_iter().map(|package| Self { package, ..self.clone() }).collect())
    }
}

impl Unless {
    fn count(&self) -> usize {
        let all = [
            &self.argument,
            &self.argument_starts,
            &self.argument_ends,
            &self.argument_has,
            &self.started_outside,
            &self.variable,
        ];
        all.into_iter().flatten().count()
    }

    /// Why what narrows a condition would do nothing.
    fn misplaced(&self) -> Option<&'static str> {
        let may_have = [&self.argument_starts, &self.argument_has, &self.variable];
        if self.without.is_some() && may_have.into_iter().flatten().next().is_none() {
            return Some("`without` goes with argument_starts, argument_has or variable");
        }
        let narrowed = [&self.has, &self.is_not, &self.folders_have].into_iter().flatten().count();
        if narrowed > 0 && self.without.is_some() {
            return Some("`without` goes with none of `has`, `is_not` and `folders_have`");
        }
        if narrowed > 1 {
            return Some("there is one of `has`, `is_not` and `folders_have`");
        }
        (narrowed > 0 && self.variable.is_none())
            .then_some("`has`, `is_not` and `folders_have` go with variable")
    }
}

/// What stands for the target in rules.
#[derive(Debug, Clone)]
pub(super) struct Words {
    arch: Architecture,
    digits: String,
    /// The package in the root, without the triplet at its end.
    package: String,
}

impl Words {
    pub(super) fn new(arch: &Architecture) -> Self {
        Self { arch: *arch, digits: String::new(), package: String::new() }
    }

    pub(super) fn bits(&self) -> u8 {
        self.arch.bits
    }

    pub(super) fn fill(&self, text: &str) -> String {
        let triplet = self.arch.triplet;
        let (cpu, system) = triplet.split_once('-').unwrap_or((triplet, ""));
        text.replace("{triplet}", triplet)
            .replace("{debian}", self.arch.debian)
            .replace("{cpu}", cpu)
            .replace("{system}", system)
            .replace("{go}", self.arch.go)
            .replace("{rust}", self.arch.rust)
            .replace("{prefix}", "/dev/.twins")
            .replace("{package}", &self.package)
            .replace('#', &self.digits)
            .replace("{hash}", "#")
    }

    /// What a pattern means.
    pub(super) fn pattern(&self, text: &str) -> Pattern {
        Pattern(Self { digits: "#".to_owned(), ..self.clone() }.fill(text))
    }

    /// The words of a rule for a package, with the digits that `#` stands for in its pattern.
    pub(super) fn of(&self, name: &str, digits: &str) -> Self {
        let package = name.strip_suffix(self.arch.triplet).and_then(|name| name.strip_suffix('-'));
        Self { arch: self.arch, digits: digits.to_owned(), package: package.unwrap_or(name).to_owned() }
    }
}

/// Which packages a rule is for. Made once, as it is held against all packages of a root.
pub(super) struct Pattern(String);

impl Pattern {
    /// Whether it means a package of this name; then the digits that `#` stands for.
    pub(super) fn digits<'n>(&self, name: &'n str) -> Option<&'n str> {
        let Some((before, behind)) = self.0.split_once('#') else {
            return (self.0 == name).then_some("");
        };
        let digits = name.strip_prefix(before)?.strip_suffix(behind)?;
        let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        numeric.then_some(digits)
    }

    pub(super) fn means(&self, name: &str) -> bool {
        self.digits(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::find;

    #[test]
    fn what_comes_with_archmill_can_be_read() {
        assert!(builtin().unwrap().len() > 5);
    }

    #[test]
    fn a_rule_for_many_packages_is_one_for_each() {
        let text = "family = \"x\"\n[[twin]]\npackages = [\"p\", \"q\"]\ntwin = \"{package}-cross\"\nprograms = [\"usr/bin/*\"]\n";
        let family = parse("own.toml", text).unwrap();
        let packages: Vec<_> = family.twin.iter().map(|given| given.package.as_str()).collect();
        assert_eq!(packages, ["p", "q"]);
        assert!(family.twin.iter().all(|given| given.programs == ["usr/bin/*"]));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("family = 1", "invalid type"),
            ("family = \"x\"\n[[twin]]\n", "names no package"),
            ("family = \"x\"\n[[twin]]\npackages = [\"\"]\n", "names no package"),
            ("family = \"x\"\n[[twin]]\npackage = \"p\"\npackages = [\"q\"]\n", "not both"),
            ("family = \"x\"\n[[twin]]\npackage = \"p\"\nprogramms = []\n", "programms"),
            (
                "family = \"x\"\n[[twin]]\npackage = \"p\"\nprograms = [\"/usr/bin/p\"]\n",
                "begins with a slash",
            ),
            ("family = \"x\"\n[[twin]]\npackage = \"p\"\nunless = [{}]\n", "one condition"),
            (
                "family = \"x\"\n[[twin]]\npackage = \"p\"\nunless = [{ argument = \"a\", without = \"b\" }]\n",
                "`without` goes with",
            ),
            (
                "family = \"x\"\n[[twin]]\npackage = \"p\"\nunless = [{ argument = \"a\", has = \"b\" }]\n",
                "go with variable",
            ),
            (
                "family = \"x\"\nunless = [{ variable = \"A\", has = \"b\", is_not = \"c\" }]\n[[twin]]\npackage = \"p\"\n",
                "there is one of",
            ),
        ] {
            let message = parse("own.toml", text).unwrap_err().to_string();
            assert!(message.contains("own.toml") && message.contains(part), "{message}");
        }
    }

    #[test]
    fn digits_stand_for_a_version() {
        let words = Words::new(find("arm64").unwrap());
        let of = |pattern: &str, name: &str| {
            words.pattern(pattern).digits(name).map(|digits| words.of(name, digits))
        };
        let with = of("gcc-#-{triplet}", "gcc-14-aarch64-linux-gnu").unwrap();
        assert_eq!(with.fill("cpp-#-{triplet}"), "cpp-14-aarch64-linux-gnu");
        assert!(of("gcc-#", "gcc-14-base").is_none());
        assert_eq!(with.fill("{package}-{triplet}"), "gcc-14-aarch64-linux-gnu");
        assert_eq!(of("gcc-#", "gcc-14").unwrap().fill("{package}-{triplet}"), "gcc-14-aarch64-linux-gnu");
        assert_eq!(words.fill("{cpu}-unknown-{system}"), "aarch64-unknown-linux-gnu");
    }
}
