//! The loop that drives a farm: what happens goes to the scheduler, what that decides is written down, and then done.
//!
//! Nothing here decides what is built next ([`archmill_plan`]), how it is kept ([`archmill_store`]) or where it runs
//! ([`archmill_engine`]). *Invariant*: a decision is committed before it is carried out, and a build's end is what its record
//! says. So whatever is killed, and whenever: a build that has a record is never repeated, one that still runs is adopted, and
//! one that is gone is started again.
#![forbid(unsafe_code)]

mod drive;
mod files;
mod gc;
mod jobs;
mod known;
mod outlook;
mod owners;
mod results;
mod rules;
mod verdict;
mod watch;

pub use drive::{Again, MakeTask, Order, Rebuild, Stop, Summary, drive, replay};
pub use files::BuildFile;
pub use gc::{Archive, Freed, Keep, Remove, gc};
pub use jobs::JobInputs;
pub use outlook::Forecast;
pub use owners::Owners;
pub use results::fill;
pub use rules::{FailureRules, RulesError};
pub use verdict::{Verdict, judge};
pub use watch::Watch;

use std::path::{Path, PathBuf};

/// A farm cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FarmError {
    /// Its memory.
    #[error(transparent)]
    Store(#[from] archmill_store::StoreError),
    /// Where builds run.
    #[error(transparent)]
    Engine(#[from] archmill_engine::EngineError),
    /// What it need not keep.
    #[error("cannot remove what is in {}: {error}", path.display())]
    Remove {
        /// Where.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// What builds left.
    #[error(transparent)]
    Blobs(#[from] archmill_store::BlobError),
    /// Its archive.
    #[error("cannot write the archive in {}: {error}", folder.display())]
    Archive {
        /// Where it is.
        folder: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
}

/// The folder of a build.
pub fn build_folder(farm: &Path, build: archmill_store::BuildId) -> PathBuf {
    farm.join("builds").join(build.0.to_string())
}

/// Where a build leaves its results, in its folder.
pub const RESULTS: &str = "out";

/// What names of logs end in.
pub(crate) const LOG_ENDING: &str = "build";

/// The log of a build that runs, once it has begun; in the folder of its results.
pub fn log_of(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder.join(RESULTS)).ok()?;
    let mut logs = entries.filter_map(|entry| Some(entry.ok()?.path()));
    logs.find(|path| path.extension().is_some_and(|extension| extension == LOG_ENDING))
}
