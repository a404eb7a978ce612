//! What took part in a build.

use archmill_emulate::twins::AccelerationPlan;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What took part in a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// The source package; `None` when the build failed before it was known.
    pub source: Option<SourceInput>,
    /// The repositories that packages came from; [`PackageInput::repository`] counts from 0.
    #[serde(default)]
    pub repositories: Vec<Repository>,
    /// Every binary package of the build root, sorted by name and architecture.
    #[serde(default)]
    pub packages: Vec<PackageInput>,
    /// What executed the target's programs, when that was not the CPU.
    #[serde(default)]
    pub emulator: Option<Emulator>,
    /// Which twins were used and which were refused, if accelerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceleration: Option<AccelerationPlan>,
    /// The machine.
    pub host: Host,
}

/// The source package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInput {
    /// Name.
    pub package: String,
    /// Version, with epoch.
    pub version: String,
    /// The .dsc; `None` for a source tree.
    #[serde(default)]
    pub dsc: Option<SourceFile>,
    /// Hash of a source tree: SHA-256 over a line for each of its files and links, in the order of their paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree_sha256: Option<String>,
    /// The files that the .dsc names.
    #[serde(default)]
    pub files: Vec<SourceFile>,
    /// The repository that it came from, as an index into [`Inputs::repositories`]; `None` for local files.
    #[serde(default)]
    pub repository: Option<usize>,
    /// Folder in the repository, such as `pool/main/d/dash`.
    #[serde(default)]
    pub directory: Option<String>,
}

/// A file of the source package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Name, without folder.
    pub name: String,
    /// Size, bytes.
    pub size_bytes: u64,
    /// SHA-256.
    pub sha256: String,
}

/// A repository, at the state in which it was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// URI of the archive.
    pub uri: String,
    /// Suite.
    pub suite: String,
    /// SHA-256 of its InRelease; `None` for packages given as files.
    #[serde(default)]
    pub inrelease_sha256: Option<String>,
    /// `Date` of its InRelease.
    #[serde(default)]
    pub date: Option<Timestamp>,
}

impl Repository {
    /// A suite as it was opened.
    pub fn of(suite: &archmill_archive::OpenedSuite) -> Self {
        Self {
            uri: suite.spec.uri.clone(),
            suite: suite.spec.suite.clone(),
            inrelease_sha256: Some(suite.release_sha256.clone()),
            date: suite.release.date.as_deref().and_then(archmill_archive::parse_date),
        }
    }
}

/// A binary package of the build root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageInput {
    /// Name.
    pub name: String,
    /// Version, with epoch.
    pub version: String,
    /// Architecture.
    pub arch: String,
    /// SHA-256 of the .deb.
    pub sha256: String,
    /// Size of the .deb, bytes.
    pub size_bytes: u64,
    /// Path in the repository (`Filename`).
    pub path: String,
    /// The repository, as an index into [`Inputs::repositories`].
    pub repository: usize,
    /// Whether it belongs to the base set, which every root has.
    pub base: bool,
}

/// The emulator of the target's programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulator {
    /// Debian package that it came from.
    pub package: String,
    /// Version of that package.
    pub version: String,
    /// Suite of that package.
    pub suite: String,
    /// SHA-256 of the program.
    pub sha256: String,
    /// CPU that it emulates; `None` for its default.
    #[serde(default)]
    pub cpu_model: Option<String>,
    /// Address space that its programs have, in bytes (hexadecimal, with 0x); `None` for what QEMU takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_space: Option<String>,
    /// Flags of its binfmt entry, such as `FPC`.
    pub binfmt_flags: String,
    /// The .deb that it is out of.
    pub deb: EmulatorDeb,
}

/// Where an emulator's package is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmulatorDeb {
    /// URI of the archive.
    pub uri: String,
    /// Path in the archive.
    pub path: String,
    /// SHA-256 of the .deb.
    pub sha256: String,
    /// Size of the .deb, bytes.
    pub size_bytes: u64,
    /// The program's path in the package.
    pub program: String,
}

/// The machine that built.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Kernel release, such as `6.12.57+deb13-amd64`.
    pub kernel: String,
    /// Debian architecture.
    pub arch: String,
    /// CPU, as it names itself.
    pub cpu_model: String,
    /// Processors that the build could use.
    pub processors: u32,
    /// Memory, bytes.
    #[serde(default)]
    pub memory_bytes: u64,
    /// How CPU time and memory were accounted and limited: `cgroup-v2`, `cgroup-v1` or `supervisor`.
    pub accounting: String,
}
