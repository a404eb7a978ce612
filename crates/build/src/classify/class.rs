//! The words for where and why a build failed.

use std::fmt;

use archmill_sandbox::LimitKind;
use serde::{Deserialize, Serialize};

/// A step of a build, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The host is made ready: cache, namespaces, emulator.
    Host,
    /// Package indexes are fetched and verified.
    Indexes,
    /// The source package is fetched and checked.
    FetchSource,
    /// Build dependencies are resolved to a set of packages.
    Resolve,
    /// Binary packages are fetched.
    FetchPackages,
    /// The build root is made.
    Root,
    /// The source is unpacked in the root.
    Unpack,
    /// dpkg-buildpackage runs.
    Build,
    /// What was built is collected and checked.
    Artifacts,
    /// A command of the user's runs: before, between or after these.
    Hook,
}

impl Phase {
    /// The word of sbuild's log for a build that fails here (`Fail-Stage`), which log readers look up.
    pub const fn fail_stage(self) -> &'static str {
        match self {
            Self::Host => "init",
            Self::Indexes => "apt-get-update",
            Self::FetchSource => "fetch-src",
            Self::Resolve | Self::FetchPackages => "install-deps",
            Self::Root => "create-session",
            Self::Unpack => "unpack",
            Self::Build => "build",
            Self::Artifacts => "post-build",
            Self::Hook => "run-hooks",
        }
    }

    /// The phase in words, for messages: "while ...".
    pub const fn doing(self) -> &'static str {
        match self {
            Self::Host => "making the host ready",
            Self::Indexes => "fetching package indexes",
            Self::FetchSource => "fetching the source package",
            Self::Resolve => "resolving build dependencies",
            Self::FetchPackages => "fetching build dependencies",
            Self::Root => "making the build root",
            Self::Unpack => "unpacking the source",
            Self::Build => "building",
            Self::Artifacts => "checking what was built",
            Self::Hook => "running a hook",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.doing())
    }
}

/// A limit that ended a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// Time from start to end.
    Time,
    /// Time without output.
    Silence,
    /// Memory of all processes together.
    Memory,
    /// Number of processes.
    Processes,
    /// Disk space.
    Disk,
    /// Length of the log.
    Log,
}

impl From<LimitKind> for Limit {
    fn from(kind: LimitKind) -> Self {
        match kind {
            LimitKind::Total => Self::Time,
            LimitKind::Silence => Self::Silence,
            LimitKind::Memory => Self::Memory,
            LimitKind::Processes => Self::Processes,
            LimitKind::Disk => Self::Disk,
            LimitKind::Log => Self::Log,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "time",
            Self::Silence => "silence",
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Disk => "disk",
            Self::Log => "log",
        })
    }
}

/// Why a build failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// What was asked for does not exist, or cannot be: nothing was tried.
    Request,
    /// Build dependencies cannot be satisfied in this suite now (Debian's dep-wait).
    Dependencies,
    /// A file could not be had, or was not what the archive says it is.
    Fetch,
    /// The build root could not be made.
    Root,
    /// The package does not build.
    Build,
    /// The package builds, its tests fail.
    Tests,
    /// A command that the user gave with `--hook` failed.
    Hook,
    /// Twins left traces in what was built.
    Acceleration,
    /// A limit ended the build.
    Limit(Limit),
    /// The host lacks something, such as user namespaces or disk space.
    Host,
    /// The user ended it.
    Cancelled,
}

impl Class {
    /// The class without its detail, one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Hook => "hook",
            Self::Dependencies => "dependencies",
            Self::Fetch => "fetch",
            Self::Root => "root",
            Self::Build => "build",
            Self::Tests => "tests",
            Self::Acceleration => "acceleration",
            Self::Limit(_) => "limit",
            Self::Host => "host",
            Self::Cancelled => "cancelled",
        }
    }

    /// sbuild's word for the outcome (`Status` in the log). What is no fault of the package is given
    /// back for another try, as Debian's build machines do.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Request => "skipped",
            Self::Hook => "failed",
            Self::Build | Self::Tests | Self::Limit(_) => "attempted",
            Self::Dependencies => "dep-wait",
            Self::Fetch | Self::Root | Self::Acceleration | Self::Host | Self::Cancelled => "given-back",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(limit) => write!(f, "limit ({limit})"),
            _ => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_come_in_the_order_of_a_build() {
        assert!(
            Phase::Host < Phase::FetchSource && Phase::Root < Phase::Build && Phase::Build < Phase::Artifacts
        );
    }

    #[test]
    fn a_class_is_stored_as_one_word_and_a_limit_names_itself() {
        let json = |class| serde_json::to_string(&class).unwrap();
        assert_eq!(json(Class::Tests), r#""tests""#);
        assert_eq!(json(Class::Limit(Limit::Silence)), r#"{"limit":"silence"}"#);
        assert_eq!(Class::Limit(Limit::Silence).to_string(), "limit (silence)");
        assert_eq!(serde_json::to_string(&Phase::FetchSource).unwrap(), r#""fetch-source""#);
    }
}
