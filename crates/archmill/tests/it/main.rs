//! The program as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

mod builds;
mod checks;
mod refusals;
mod run;
