//! Architecture names and wildcards (dpkg-architecture(1), Debian Policy 11.1).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Debian architecture name, or one of the words that stand in its place (`all`, `any`, `source`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arch(Cow<'static, str>);

/// Not an architecture name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an architecture name: only lower-case letters, digits and hyphens may be in one")]
pub struct ArchError(String);

/// CPUs of dpkg's `cputable` (those of bookworm and trixie).
const CPUS: &[&str] = &[
    "alpha",
    "amd64",
    "arc",
    "arm",
    "arm64",
    "armeb",
    "avr32",
    "hppa",
    "i386",
    "ia64",
    "loong64",
    "m32r",
    "m68k",
    "mips",
    "mips64",
    "mips64el",
    "mips64r6",
    "mips64r6el",
    "mipsel",
    "mipsr6",
    "mipsr6el",
    "nios2",
    "or1k",
    "powerpc",
    "powerpcel",
    "ppc64",
    "ppc64el",
    "riscv64",
    "s390",
    "s390x",
    "sh3",
    "sh3eb",
    "sh4",
    "sh4eb",
    "sparc",
    "sparc64",
    "tilegx",
];

/// Names that do not say what they are made of: ABI, libc, operating system, CPU (dpkg's `tupletable`).
const IRREGULAR: &[(&str, [&str; 4])] = &[
    ("armel", ["eabi", "gnu", "linux", "arm"]),
    ("armhf", ["eabihf", "gnu", "linux", "arm"]),
    ("arm64ilp32", ["ilp32", "gnu", "linux", "arm64"]),
    ("x32", ["x32", "gnu", "linux", "amd64"]),
    ("mipsn32", ["abin32", "gnu", "linux", "mips64"]),
    ("mipsn32el", ["abin32", "gnu", "linux", "mips64el"]),
    ("mipsn32r6", ["abin32", "gnu", "linux", "mips64r6"]),
    ("mipsn32r6el", ["abin32", "gnu", "linux", "mips64r6el"]),
    ("mips64", ["abi64", "gnu", "linux", "mips64"]),
    ("mips64el", ["abi64", "gnu", "linux", "mips64el"]),
    ("mips64r6", ["abi64", "gnu", "linux", "mips64r6"]),
    ("mips64r6el", ["abi64", "gnu", "linux", "mips64r6el"]),
    ("powerpcspe", ["spe", "gnu", "linux", "powerpc"]),
    ("musl-linux-armhf", ["eabihf", "musl", "linux", "arm"]),
    ("uclibc-linux-armel", ["eabi", "uclibc", "linux", "arm"]),
    ("uclinux-armel", ["eabi", "uclibc", "uclinux", "arm"]),
    ("kfreebsd-armhf", ["eabihf", "gnu", "kfreebsd", "arm"]),
    ("mint-m68k", ["base", "tos", "mint", "m68k"]),
];

/// What stands before a CPU in all other names (dpkg's `tupletable`): ABI, libc, operating system.
const SYSTEMS: &[(&str, [&str; 3])] = &[
    ("", ["base", "gnu", "linux"]),
    ("musl-linux-", ["base", "musl", "linux"]),
    ("uclibc-linux-", ["base", "uclibc", "linux"]),
    ("hurd-", ["base", "gnu", "hurd"]),
    ("kfreebsd-", ["base", "gnu", "kfreebsd"]),
    ("knetbsd-", ["base", "gnu", "knetbsd"]),
    ("kopensolaris-", ["base", "gnu", "kopensolaris"]),
    ("dragonflybsd-", ["base", "bsd", "dragonflybsd"]),
    ("freebsd-", ["base", "bsd", "freebsd"]),
    ("openbsd-", ["base", "bsd", "openbsd"]),
    ("netbsd-", ["base", "bsd", "netbsd"]),
    ("darwin-", ["base", "bsd", "darwin"]),
    ("aix-", ["base", "sysv", "aix"]),
    ("solaris-", ["base", "sysv", "solaris"]),
    ("uclinux-", ["base", "uclibc", "uclinux"]),
];

/// ABI, libc, operating system and CPU of a name that dpkg knows.
fn tuple(name: &str) -> Option<[&'static str; 4]> {
    let name = name.strip_prefix("linux-").unwrap_or(name);
    if let Some((_, tuple)) = IRREGULAR.iter().find(|(irregular, _)| *irregular == name) {
        return Some(*tuple);
    }
    SYSTEMS.iter().find_map(|(prefix, [abi, libc, os])| {
        let cpu = name.strip_prefix(prefix)?;
        CPUS.iter().find(|known| **known == cpu).map(|cpu| [*abi, *libc, *os, *cpu])
    })
}

impl Arch {
    /// Packages for every architecture.
    pub const ALL: Self = Self(Cow::Borrowed("all"));
    /// The usual one of x86-64 machines.
    pub const AMD64: Self = Self(Cow::Borrowed("amd64"));

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether dpkg knows an architecture of this name (`all`, `any` and `source` are none).
    pub fn is_known(&self) -> bool {
        tuple(self.as_str()).is_some()
    }

    /// Whether `wildcard` (a name, `any`, `linux-any`, `any-arm64`, `musl-any-any`, ...) covers this
    /// architecture, as dpkg-architecture(1) decides with `-i`. `all` and `source` are covered by nothing
    /// but their own names, also not by `any`: that is what an `Architecture` field means by it.
    pub fn matches(&self, wildcard: &str) -> bool {
        let name = self.as_str();
        if wildcard == name {
            return true;
        }
        if wildcard == "any" {
            return !matches!(name, "all" | "source");
        }
        let Some(tuple) = tuple(name) else { return false };
        let parts: Vec<&str> = wildcard.splitn(4, '-').collect();
        let pattern = match parts.as_slice() {
            parts if !parts.contains(&"any") => return self::tuple(wildcard) == Some(tuple),
            [os, cpu] => ["any", "any", *os, *cpu],
            [libc, os, cpu] => ["any", *libc, *os, *cpu],
            [abi, libc, os, cpu] => [*abi, *libc, *os, *cpu],
            _ => return false,
        };
        pattern.iter().zip(tuple).all(|(wanted, has)| *wanted == "any" || *wanted == has)
    }
}

impl FromStr for Arch {
    type Err = ArchError;

    fn from_str(name: &str) -> Result<Self, ArchError> {
        Self::try_from(name.to_owned())
    }
}

impl TryFrom<String> for Arch {
    type Error = ArchError;

    fn try_from(name: String) -> Result<Self, ArchError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if starts && name.bytes().all(allowed) { Ok(Self(Cow::Owned(name))) } else { Err(ArchError(name)) }
    }
}

impl From<Arch> for String {
    fn from(arch: Arch) -> Self {
        arch.0.into_owned()
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arch(name: &str) -> Arch {
        name.parse().unwrap()
    }

    #[test]
    fn a_name_matches_itself_and_any() {
        for name in ["amd64", "arm64", "armhf", "riscv64", "hurd-i386", "something-new"] {
            assert!(arch(name).matches(name), "{name}");
            assert!(arch(name).matches("any"), "{name}");
        }
        assert!(!arch("amd64").matches("i386"));
    }

    #[test]
    fn wildcards_match_as_in_dpkg() {
        let yes = [
            ("amd64", "linux-any"),
            ("amd64", "any-amd64"),
            ("x32", "any-amd64"),
            ("armhf", "any-arm"),
            ("armel", "any-arm"),
            ("armel", "linux-any"),
            ("hurd-i386", "any-i386"),
            ("hurd-i386", "hurd-any"),
            ("hurd-amd64", "gnu-any-any"),
            ("kfreebsd-amd64", "any-amd64"),
            ("musl-linux-arm64", "musl-any-any"),
            ("musl-linux-arm64", "linux-any"),
            ("mips64el", "abi64-any-any-any"),
            ("ppc64el", "any-any-ppc64el"),
            ("arm64", "linux-arm64"),
            ("amd64", "any-any"),
        ];
        let no = [
            ("amd64", "hurd-any"),
            ("hurd-i386", "linux-any"),
            ("armhf", "any-armhf"),
            ("armhf", "any-arm64"),
            ("arm64", "musl-any-any"),
            ("amd64", "any-i386"),
            ("amd64", "linux-i386"),
            ("amd64", ""),
            ("amd64", "any-"),
            ("amd64", "any-any-any-any-any"),
            ("something-new", "linux-any"),
        ];
        for (name, wildcard) in yes {
            assert!(arch(name).matches(wildcard), "{name} is in {wildcard}");
        }
        for (name, wildcard) in no {
            assert!(!arch(name).matches(wildcard), "{name} is not in {wildcard}");
        }
    }

    #[test]
    fn all_and_source_are_in_no_wildcard() {
        for name in ["all", "source"] {
            assert!(arch(name).matches(name));
            assert!(!arch(name).matches("any"), "{name}");
            assert!(!arch(name).matches("linux-any"), "{name}");
            assert!(!arch(name).matches("any-any"), "{name}");
            assert!(!arch(name).is_known());
        }
    }

    #[test]
    fn the_ports_of_debian_are_known() {
        for name in
            ["amd64", "i386", "arm64", "armhf", "armel", "riscv64", "ppc64el", "s390x", "loong64", "x32"]
        {
            assert!(arch(name).is_known(), "{name}");
        }
        assert!(!arch("aarch64").is_known());
    }

    #[test]
    fn names_with_other_characters_are_refused() {
        for name in ["", "-arm", "ARM64", "arm 64", "arm_64", "../arm64", "arm64\n", "ärm"] {
            assert!(name.parse::<Arch>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn json_is_a_plain_text() {
        assert_eq!(serde_json::to_string(&Arch::ALL).unwrap(), r#""all""#);
        assert_eq!(serde_json::from_str::<Arch>(r#""arm64""#).unwrap(), arch("arm64"));
        assert!(serde_json::from_str::<Arch>(r#""../x""#).is_err());
    }
}
