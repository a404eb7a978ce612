//! Where builds run: an engine starts a command somewhere, watches it and ends it. It does not know what is built or why.
//!
//! There is one engine yet, [`local`]: child processes of this host.
#![forbid(unsafe_code)]

pub mod local;

use std::ffi::OsString;
use std::path::PathBuf;

/// A command to be run in a folder of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The folder; made if it is not there.
    pub folder: PathBuf,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It was another process's child, which does not learn that.
    Unknown,
}

/// A command cannot be started or watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} in {}: {error}", folder.display())]
pub struct EngineError {
    what: &'static str,
    folder: PathBuf,
    #[source]
    error: std::io::Error,
}
