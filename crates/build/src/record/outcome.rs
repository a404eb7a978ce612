//! How a build went.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::classify::{Class, Phase};

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether it succeeded.
    pub status: Status,
    /// Why it failed; `None` for a success.
    #[serde(default)]
    pub class: Option<Class>,
    /// The phase in which it failed.
    #[serde(default)]
    pub phase: Option<Phase>,
    /// That phase in the words of the log (`Fail-Stage`).
    #[serde(default)]
    pub fail_stage: Option<String>,
    /// Exit status of dpkg-buildpackage, if it ran and exited.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// Signal that ended dpkg-buildpackage, if one did.
    #[serde(default)]
    pub signal: Option<i32>,
    /// The failure in one sentence.
    #[serde(default)]
    pub message: Option<String>,
    /// The lines of the log that tell why.
    #[serde(default)]
    pub relevant_lines: Vec<String>,
}

impl Outcome {
    /// A success.
    pub fn success() -> Self {
        Self {
            status: Status::Successful,
            class: None,
            phase: None,
            fail_stage: None,
            exit_code: Some(0),
            signal: None,
            message: None,
            relevant_lines: Vec::new(),
        }
    }

    /// A failure of `class` in `phase`, told in one sentence.
    pub fn failure(phase: Phase, class: Class, message: impl Into<String>) -> Self {
        let status = if class == Class::Cancelled { Status::Cancelled } else { Status::Failed };
        Self {
            status,
            class: Some(class),
            phase: Some(phase),
            fail_stage: Some(phase.fail_stage().to_owned()),
            exit_code: None,
            signal: None,
            message: Some(message.into()),
            relevant_lines: Vec::new(),
        }
    }
}

/// Whether a build succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It did.
    Successful,
    /// It did not.
    Failed,
    /// The user ended it.
    Cancelled,
}

impl Status {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a phase took. Phases follow each other: each begins when the one before it has ended. Hooks are no phase, and what
/// is downloaded later than it is planned (twins) counts for the phase that needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseUse {
    /// The phase.
    pub phase: Phase,
    /// When it began.
    pub started: Timestamp,
    /// Time that passed, milliseconds.
    pub wall_ms: u64,
    /// CPU time in user mode, of archmill and everything it ran, milliseconds.
    pub cpu_user_ms: u64,
    /// CPU time in the kernel, milliseconds.
    pub cpu_system_ms: u64,
    /// What was found in the cache and need not be done, such as `root`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reused: Vec<String>,
}

/// What a build took as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Most memory that all processes of the build held at one time, bytes.
    #[serde(default)]
    pub peak_memory_bytes: u64,
    /// Disk space of all that the build wrote and left, bytes.
    #[serde(default)]
    pub disk_bytes: u64,
    /// Downloaded, bytes.
    #[serde(default)]
    pub downloaded_bytes: u64,
    /// Length of the log, bytes.
    #[serde(default)]
    pub log_bytes: u64,
    /// CPU time by program, the largest first.
    #[serde(default)]
    pub executables: Vec<ExecutableUse>,
    /// Programs that have a twin and were emulated all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
}

/// A program that was started emulated though it has a twin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Choice {
    /// Its path.
    pub path: String,
    /// What spoke against the twin: an argument, or the name of a variable.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// What all processes of one program took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutableUse {
    /// Path of the program inside the root.
    pub path: String,
    /// Processes that ran it.
    pub count: u64,
    /// CPU time, user and system, milliseconds.
    pub cpu_ms: u64,
    /// Whether the CPU itself ran it.
    #[serde(default)]
    pub native: bool,
}

/// A file that the build left.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Artifact {
    /// Name, without folder.
    pub name: String,
    /// Size, bytes.
    pub size_bytes: u64,
    /// SHA-256.
    pub sha256: String,
}
