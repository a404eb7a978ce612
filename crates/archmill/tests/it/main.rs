//! The program as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

mod builds;
mod doctor;
mod refusals;
mod run;
