//! Reading signed apt archives, and writing one: what is trusted is what a known key has signed, down to each file's hash.
//!
//! [`Suite`] and [`Mirror`] say which repositories a build uses, [`Archives::open`] verifies one and puts its indices on
//! disk, [`fetch_all`] gets package files into a folder where each is kept under its hash. [`Publisher`] writes.
#![forbid(unsafe_code)]

mod error;
mod fetch;
mod index;
mod keyring;
mod pool;
mod progress;
mod publish;
mod release;
mod repo;
mod suites;

pub use error::ArchiveError;
pub use fetch::{Conditional, Expected, FetchError, Fetcher, Patience};
pub use index::{Archives, Index, OpenedSuite};
pub use keyring::{Keyring, KeyringError};
pub use pool::{PoolFile, fetch_all};
pub use progress::{NoProgress, Progress};
pub use publish::{
    Compress, PoolError, Publisher, SigningError, SigningKey, SuiteNames, Unit, stanza as package_stanza,
};
pub use release::parse_date;
pub use repo::{
    RepoError, RepoSpec, SignedBy, parse as parse_repositories, parse_line as parse_repository_line,
};
pub use suites::{Mirror, NoMirror, Suite, UnknownSuite, repositories_for};
