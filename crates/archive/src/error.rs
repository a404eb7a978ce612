//! Why a suite cannot be used.

use std::io;
use std::path::PathBuf;

use crate::fetch::FetchError;
use crate::keyring::KeyringError;

/// Why a suite cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Something of it is not to be had.
    #[error("suite {suite} of {uri}: {source}")]
    Fetch {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// What happened.
        source: FetchError,
    },
    /// No good signature.
    #[error(
        "suite {suite} of {uri} cannot be trusted: {source}. Give the right keys with --keyring or signed-by=FILE; to accept it all the same, say [trusted=yes] in its line or --allow-unsigned"
    )]
    Signature {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// What is wrong.
        source: KeyringError,
    },
    /// Past its date.
    #[error(
        "suite {suite} of {uri} has expired: it was valid until {until}. The mirror is no longer updated, or somebody holds back updates. To accept it all the same, say [check-valid-until=no] in its line or --no-check-valid-until"
    )]
    Expired {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// Its Valid-Until.
        until: String,
    },
    /// From the future.
    #[error("suite {suite} of {uri} is dated {date}, which is in the future; check this host's clock")]
    Future {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// Its Date.
        date: String,
    },
    /// Its Release file is not one.
    #[error("suite {suite} of {uri} has an unusable Release file: {problem}")]
    Release {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// What is wrong.
        problem: String,
    },
    /// A component that it has not.
    #[error("suite {suite} of {uri} has no component {component}; it has {}", has.join(", "))]
    NoComponent {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// Component.
        component: String,
        /// Those that there are.
        has: Vec<String>,
    },
    /// A keyring that cannot be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Local files.
    #[error("cannot use {}: {source}", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}
