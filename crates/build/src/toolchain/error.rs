//! Why there is no toolchain.

use std::path::PathBuf;

use crate::job::JobError;

/// A toolchain that was not made.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// As with any job: downloads, the root, the sandbox.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A source that is no gcc.
    #[error("{0} is no compiler that can be made here; say gcc-12 or another gcc-N from 12 on")]
    Source(String),
    /// This machine's own architecture.
    #[error("{0} is what this machine runs: the compiler of the archive needs no twin")]
    Native(String),
    /// The suite has no such compiler.
    #[error(
        "there is no {package} for {arch} in {suite}{}; it says how the compiler was configured",
        version.as_ref().map(|version| format!(" from {source_package} {version}")).unwrap_or_default()
    )]
    NoHeaders {
        /// The package with the headers for plugins.
        package: String,
        /// The source package.
        source_package: String,
        /// Its version, if one was asked for.
        version: Option<String>,
        /// Target.
        arch: String,
        /// Suite.
        suite: String,
    },
    /// The package is not what it should be.
    #[error("{package} does not say how the compiler was configured: {problem}")]
    Headers {
        /// The package.
        package: String,
        /// What is wrong with it.
        problem: String,
    },
    /// What configure found is not what it found on the target.
    #[error(
        "the compiler would not be the target's: {} (the root's binutils or libraries are not those that the target's compiler was built with)",
        differences.join("; ")
    )]
    Different {
        /// Each difference, in words.
        differences: Vec<String>,
    },
    /// What the build left is not what it should be.
    #[error("the compiler was built, and its results cannot be used: {0}")]
    Results(String),
    /// A file or folder of the cache.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
}
