//! What caller and supervisor say to each other.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::{Command, ExecutableUsage, LimitKind};

/// To the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Run this with the three descriptors that come along. `terminal`: the first is to be its controlling terminal.
    Run { command: Command, terminal: bool },
    /// End all processes of the running command.
    Kill,
    /// Open a file for reading; answered with its descriptor.
    Read(PathBuf),
    /// Make or replace a file; answered with its descriptor.
    Write { path: PathBuf, mode: u32, uid: u32, gid: u32 },
    /// Make a folder and those above it; only the last gets mode and owner.
    MakeFolder { path: PathBuf, mode: u32, uid: u32, gid: u32 },
    /// Names in a folder.
    List(PathBuf),
    /// Remove a file, or a folder with all that is in it.
    Remove(PathBuf),
}

/// From the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Done; the descriptor asked for comes along.
    Done,
    /// Names in a folder.
    Names(Vec<String>),
    /// It did not work.
    Failed { what: String, not_found: bool },
    /// The command ended.
    Ended(Ended),
}

/// How, and what it used.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// As waitpid(2) gives it.
    pub(crate) wait_status: i32,
    /// A limit that the supervisor saw reached.
    pub(crate) limit: Option<LimitKind>,
    pub(crate) cpu_user: Duration,
    pub(crate) cpu_system: Duration,
    pub(crate) peak_memory: u64,
    pub(crate) disk: u64,
    pub(crate) executables: Vec<ExecutableUsage>,
}
