//! Which packages of a source are built.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which packages of a source are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildType {
    /// Packages for the architecture (`dpkg-buildpackage -B`).
    Any,
    /// Packages for all architectures (`-A`).
    All,
    /// Both kinds of binary package (`-b`); the source package is the one that was given.
    Full,
    /// The source package alone (`-S`).
    Source,
}

/// A word that is no build type.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown build type {0:?}; use any, all, full or source")]
pub struct UnknownBuildType(String);

impl FromStr for BuildType {
    type Err = UnknownBuildType;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "any" => Ok(Self::Any),
            "all" => Ok(Self::All),
            "full" | "binary" => Ok(Self::Full),
            "source" => Ok(Self::Source),
            _ => Err(UnknownBuildType(word.to_owned())),
        }
    }
}

impl fmt::Display for BuildType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::All => "all",
            Self::Full => "full",
            Self::Source => "source",
        })
    }
}

impl BuildType {
    /// The option of dpkg-buildpackage.
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Any => "-B",
            Self::All => "-A",
            Self::Full => "-b",
            Self::Source => "-S",
        }
    }

    /// The word of `dpkg-buildpackage --build=`, as sbuild writes it to the log's `Build Type`.
    pub const fn dpkg_name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
            Self::Full => "binary",
            Self::Source => "source",
        }
    }

    /// Whether packages for the architecture are built (and `Build-Depends-Arch` counts).
    pub const fn builds_any(self) -> bool {
        matches!(self, Self::Any | Self::Full)
    }

    /// Whether packages for all architectures are built (and `Build-Depends-Indep` counts).
    pub const fn builds_all(self) -> bool {
        matches!(self, Self::All | Self::Full)
    }

    /// The suffix of .changes and .buildinfo: `source`, `all` or the architecture.
    pub fn changes_arch(self, arch: &str) -> &str {
        match self {
            Self::Any | Self::Full => arch,
            Self::All => "all",
            Self::Source => "source",
        }
    }

    /// What to build when the user did not say.
    ///
    /// Packages for all architectures are built once, on the architecture where Debian builds them
    /// (amd64, or the one that the source's `Build-Indep-Architecture` names); everywhere else only
    /// those for the architecture. A source that has nothing but one kind is built for that kind.
    pub fn by_default(arch: &str, indep_arch: Option<&str>, has_any: bool, has_all: bool) -> Self {
        let builds_indep = arch == indep_arch.unwrap_or("amd64");
        match (has_any, has_all) {
            (false, true) => Self::All,
            (true, true) if builds_indep => Self::Full,
            _ => Self::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arch_all_packages_are_built_once() {
        let by_default = |arch, indep| BuildType::by_default(arch, indep, true, true);
        assert_eq!(by_default("amd64", None), BuildType::Full);
        assert_eq!(by_default("arm64", None), BuildType::Any);
        assert_eq!(by_default("amd64", Some("arm64")), BuildType::Any);
        assert_eq!(by_default("arm64", Some("arm64")), BuildType::Full);
    }

    #[test]
    fn a_source_of_one_kind_is_built_for_that_kind() {
        assert_eq!(BuildType::by_default("amd64", None, true, false), BuildType::Any);
        assert_eq!(BuildType::by_default("amd64", None, false, true), BuildType::All);
        assert_eq!(BuildType::by_default("arm64", None, false, true), BuildType::All);
    }

    #[test]
    fn words_round_trip() {
        for word in ["any", "all", "full", "source"] {
            assert_eq!(word.parse::<BuildType>().unwrap().to_string(), word);
        }
        assert!("some".parse::<BuildType>().unwrap_err().to_string().contains("use any"));
    }

    #[test]
    fn the_changes_file_is_named_after_what_was_built() {
        assert_eq!(BuildType::Full.changes_arch("arm64"), "arm64");
        assert_eq!(BuildType::All.changes_arch("arm64"), "all");
        assert_eq!(BuildType::Source.changes_arch("arm64"), "source");
    }
}
