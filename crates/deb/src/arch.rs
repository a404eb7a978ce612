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

/// What an architecture is made of: name, ABI, libc, operating system, CPU. From dpkg's `tupletable`,
/// Linux and the Hurd of today; a name that is not here is `linux` on a CPU of its own name.
const TUPLES: &[(&str, [&str; 4])] = &[
    ("arm", ["base", "gnu", "linux", "arm"]),
    ("armel", ["eabi", "gnu", "linux", "arm"]),
    ("armhf", ["eabihf", "gnu", "linux", "arm"]),
    ("x32", ["x32", "gnu", "linux", "amd64"]),
    ("arm64ilp32", ["ilp32", "gnu", "linux", "arm64"]),
    ("mipsn32el", ["abin32", "gnu", "linux", "mips64el"]),
    ("mips64el", ["abi64", "gnu", "linux", "mips64el"]),
    ("powerpcspe", ["spe", "gnu", "linux", "powerpc"]),
    ("musl-linux-amd64", ["base", "musl", "linux", "amd64"]),
    ("musl-linux-arm64", ["base", "musl", "linux", "arm64"]),
    ("hurd-i386", ["base", "gnu", "hurd", "i386"]),
    ("hurd-amd64", ["base", "gnu", "hurd", "amd64"]),
    ("kfreebsd-amd64", ["base", "gnu", "kfreebsd", "amd64"]),
    ("kfreebsd-i386", ["base", "gnu", "kfreebsd", "i386"]),
];

impl Arch {
    /// Packages for every architecture.
    pub const ALL: Self = Self(Cow::Borrowed("all"));
    /// The usual one of x86-64 machines.
    pub const AMD64: Self = Self(Cow::Borrowed("amd64"));

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `wildcard` (a name, `any`, `linux-any`, `any-arm64`, `musl-any-any`, ...) covers this architecture.
    pub fn matches(&self, wildcard: &str) -> bool {
        if wildcard == self.as_str() || wildcard == "any" {
            return wildcard == self.as_str() || !matches!(self.as_str(), "all" | "source");
        }
        if !wildcard.split('-').any(|part| part == "any") || matches!(self.as_str(), "all" | "source") {
            return false;
        }
        let parts: Vec<&str> = wildcard.split('-').collect();
        let pattern = match parts.as_slice() {
            [os, cpu] => ["any", "any", *os, *cpu],
            [libc, os, cpu] => ["any", *libc, *os, *cpu],
            [abi, libc, os, cpu] => [*abi, *libc, *os, *cpu],
            _ => return false,
        };
        let tuple = self.tuple();
        pattern.iter().zip(tuple).all(|(wanted, has)| *wanted == "any" || *wanted == has)
    }

    fn tuple(&self) -> [&str; 4] {
        let known = TUPLES.iter().find(|(name, _)| *name == self.as_str());
        known.map_or(["base", "gnu", "linux", self.as_str()], |(_, tuple)| *tuple)
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
