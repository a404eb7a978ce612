//! What is in a root, and what there is for this machine.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A package of the build root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it is of the target's architecture, and not of all.
    pub of_target: bool,
    /// Source package.
    pub source: String,
    /// Version of the source package.
    pub source_version: String,
    /// Its Pre-Depends and Depends, as written.
    pub depends: String,
}

/// A package for this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Architecture: this machine's, or the 32-bit one that it executes too.
    #[serde(default)]
    pub arch: String,
    /// Source package.
    pub source: String,
    /// Version of the source package.
    pub source_version: String,
    /// Its Pre-Depends and Depends, as written.
    #[serde(skip)]
    pub depends: String,
    /// Its Built-Using, as written.
    #[serde(skip)]
    pub built_using: String,
    /// Path in the archive.
    pub filename: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Number of the index that it is from.
    pub index: usize,
    /// Where it is unpacked, if it was made here and is in no archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

/// The packages for this machine.
pub trait Offers {
    /// All versions of a package that are for this architecture, the one that would be installed first.
    fn versions(&self, name: &str) -> Vec<Offer>;

    /// A compiler that was made here of this very source, for the target.
    fn toolchain(&self, source: &str, version: &str, target: &str) -> Option<Offer> {
        let _ = (source, version, target);
        None
    }
}
