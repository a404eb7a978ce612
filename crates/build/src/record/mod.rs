//! The build record: everything that is known of one finished build, as JSON.
//!
//! A record names every input with its exact version and hash, so that `archmill replay` can build the
//! same again, and every result with its hash, so that the two can be compared. Fields are only ever
//! added within a format version; readers ignore what they do not know. A change of meaning raises
//! [`FORMAT_VERSION`], and a reader refuses a version above its own.
//!
//! Units are in the names: `_ms` milliseconds, `_bytes` bytes. Times are RFC 3339 in UTC. Hashes are
//! SHA-256 in lowercase hexadecimal.

pub mod inputs;
pub mod outcome;
pub mod request;
pub mod store;

pub use inputs::{Emulator, EmulatorDeb, Host, Inputs, PackageInput, Repository, SourceFile, SourceInput};
pub use outcome::{Artifact, Choice, ExecutableUse, Outcome, PhaseUse, Resources, Status};
pub use request::{BinNmu, LimitSettings, Request};
pub use store::{FILE, RecordError, parse, read, write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the format that this program writes.
pub const FORMAT_VERSION: u32 = 1;

/// Everything that is known of one finished build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildRecord {
    /// Version of the format, [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Version of archmill that built.
    pub archmill_version: String,
    /// When the build began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// What was asked for.
    pub request: Request,
    /// What took part.
    pub inputs: Inputs,
    /// What each phase took, in the order in which they ran.
    #[serde(default)]
    pub phases: Vec<PhaseUse>,
    /// What the build took as a whole.
    #[serde(default)]
    pub resources: Resources,
    /// How it ended.
    pub outcome: Outcome,
    /// The files that it left, sorted by name.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
    /// What did not stop the build but may matter, one sentence each.
    #[serde(default)]
    pub warnings: Vec<String>,
}

#[cfg(test)]
mod tests;
