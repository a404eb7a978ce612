//! The program as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

mod builds;
mod cache;
mod checks;
mod disk;
mod doctor;
mod ended;
mod farm;
mod hostile;
mod limits;
mod made;
mod mirror;
mod offline;
mod own;
mod rebuild;
mod refusals;
mod roots;
mod run;
mod streams;
#[path = "../../../archive/tests/support/mod.rs"]
mod support;
mod trees;
mod twins;
mod user;
