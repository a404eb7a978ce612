//! What was asked for.

use std::num::{NonZeroU32, NonZeroUsize};

use serde::{Deserialize, Serialize};

use crate::command::BuildType;

/// What was asked for, with all defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The source as the user named it: a package name, a path or URL of a .dsc, a path of a tree.
    pub source: String,
    /// Suite.
    pub suite: String,
    /// Debian architecture that packages are built for.
    pub arch: String,
    /// How the target's programs run: `native`, `emulated`, ...
    pub mode: String,
    /// Which packages are built.
    pub build_type: BuildType,
    /// Build profiles in force.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// Words of `DEB_BUILD_OPTIONS` beside `parallel=`.
    #[serde(default)]
    pub options: Vec<String>,
    /// Parallel jobs.
    pub jobs: NonZeroUsize,
    /// Limits that were set.
    #[serde(default)]
    pub limits: LimitSettings,
    /// Hook commands as phase and command.
    #[serde(default)]
    pub hooks: Vec<(String, String)>,
    /// Environment variables of the build that the user set, as name and value.
    #[serde(default)]
    pub environment: Vec<(String, String)>,
    /// The rebuild without a change of source that it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binnmu: Option<BinNmu>,
    /// So many times as long as usual the package's tests might take, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<NonZeroU32>,
}

/// A rebuild without a change of source (a binNMU): an entry on top of debian/changelog gives the packages another version. Its
/// date is that of the entry below, so that nothing else about them depends on when they are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinNmu {
    /// The number in `+bN`.
    pub number: u32,
    /// Why: one sentence.
    pub reason: String,
    /// `Name <address>`.
    pub maintainer: String,
}

/// The limits of a build; what is absent was not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitSettings {
    /// Time from start to end, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// Time without output, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u64>,
    /// Memory of all processes together, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// Disk space, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// Length of the log, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u64>,
}
