//! One build, from a source package to checked packages, a log and a build record.
#![forbid(unsafe_code)]

pub mod artifacts;
pub mod cache;
pub mod classify;
pub mod command;
pub mod job;
pub mod log;
pub mod record;
pub mod report;
pub mod root;
pub mod toolchain;
