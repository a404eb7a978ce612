//! Why a file is not to be had.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::TRIES;
use super::pace::SLOWEST;

/// Why a file is not here.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The mirror has it not.
    #[error(
        "{url} is not on the mirror (404); it may be incomplete: try another with --mirror, or --security-mirror for security suites"
    )]
    NotFound {
        /// Where it was looked for.
        url: String,
    },
    /// The mirror answers with an error.
    #[error("{url}: the mirror answers {status}; try again later, or another mirror with --mirror")]
    Status {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// No connection, or it broke off.
    #[error(
        "cannot fetch {url}: {reason}; is its address right, and is the network up? If so, try again later, or another mirror with --mirror"
    )]
    Transport {
        /// Where.
        url: String,
        /// What happened.
        reason: String,
    },
    /// Fewer bytes than promised, every time.
    #[error(
        "{url} broke off after {got} of {wanted} bytes, {TRIES} times; the mirror or something on the way to it is broken"
    )]
    Truncated {
        /// Where.
        url: String,
        /// Bytes that came.
        got: u64,
        /// Bytes that there should be.
        wanted: u64,
    },
    /// A mirror that sends next to nothing.
    #[error("{url} comes at less than {SLOWEST} bytes in {} seconds; try another mirror with --mirror", window.as_secs())]
    TooSlow {
        /// Where.
        url: String,
        /// How long was waited.
        window: Duration,
    },
    /// Not the file that the index promised.
    #[error(
        "{url} is not what the archive's index says it is: {what}; the mirror is out of step with itself (try again in an hour, or do without that suite with --without-suite) or somebody changes what it sends"
    )]
    Mismatch {
        /// Where.
        url: String,
        /// Size or hash, wanted and got.
        what: String,
    },
    /// The user ended it.
    #[error("cancelled")]
    Cancelled,
    /// The disk is full.
    #[error("cannot write {}: No space left on device; make room, or choose another folder with --cache", path.display())]
    DiskFull {
        /// The file being written.
        path: PathBuf,
    },
    /// Any other trouble with local files.
    #[error("cannot write {}: {source}", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

impl FetchError {
    /// Whether another try may help.
    pub(super) fn passing(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status >= 500 || *status == 429 || *status == 408,
            Self::Transport { .. } | Self::Truncated { .. } => true,
            _ => false,
        }
    }

    /// Whether the mirror does not have it.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

pub(super) fn local_error(url: &str, error: &io::Error) -> FetchError {
    match error.kind() {
        io::ErrorKind::NotFound => FetchError::NotFound { url: url.to_owned() },
        _ => transport(url, &error.to_string()),
    }
}

pub(super) fn local_file_error(path: &Path, source: io::Error) -> FetchError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            FetchError::DiskFull { path: path.to_owned() }
        }
        _ => FetchError::Local { path: path.to_owned(), source },
    }
}

pub(super) fn transport(url: &str, reason: &str) -> FetchError {
    FetchError::Transport { url: url.to_owned(), reason: reason.to_owned() }
}

pub(super) fn status_error(url: &str, status: u16) -> FetchError {
    match status {
        404 | 410 => FetchError::NotFound { url: url.to_owned() },
        status => FetchError::Status { url: url.to_owned(), status },
    }
}
