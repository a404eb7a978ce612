//! From a request to results: each stage takes what the one before made.
//!
//! [`Session`] (cache, ids, fetcher) -> [`Source`] -> [`Plan`] (install set, emulator) -> [`Root`] (layers) ->
//! [`build`] (sandbox, dpkg-buildpackage, results, record).

mod accelerate;
mod cached;
mod draft;
mod emulator;
mod error;
mod failure;
mod fallback;
mod finish;
pub(crate) mod host_packages;
mod import;
mod interactive;
mod kept;
mod patience;
mod pinned;
mod plan;
mod roots;
mod run;
mod session;
mod source;
mod traces;
mod universe;
mod unpack;
mod unpacked;

pub use accelerate::{Laid, twin_rules};
pub use draft::{Draft, Phases};
pub use emulator::Chosen;
pub use error::JobError;
pub use fallback::suspected;
pub use finish::{Finished, Progress};
pub use import::import;
pub use interactive::interactive;
pub use kept::Kept;
pub use pinned::plan_of_record;
pub use plan::{Mode, Plan, check, plan};
pub use roots::{Root, make_root};
pub use run::{BUILD_USER, Hooks, build, build_environment, open_sandbox};
pub use session::{FRESH, Request, Session, Setup, default_cache};
pub use source::Source;
pub use universe::universe;
pub use unpack::unpack_source;
