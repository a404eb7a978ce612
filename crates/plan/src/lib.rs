//! What to build next: the build graph of an archive and, on top of it, decisions.
//!
//! Everything here is a pure function of its inputs. There is no clock (moments come in from outside), no I/O and no
//! randomness, so the same inputs give the same decisions, in a farm, in a simulation and in a test.
#![forbid(unsafe_code)]

pub mod graph;
mod ids;
mod job;
pub mod ladder;
mod moment;
pub mod predict;
pub mod rebuild;
pub mod scheduler;
pub mod simulate;

pub use ids::{ComponentId, JobId, TargetId};
pub use job::{Job, JobKind, TOOLCHAIN};
pub use moment::Moment;
