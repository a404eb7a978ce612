//! Farms whose builds are made up: shell commands that leave the records which builds would leave.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

mod cut;
mod made;
mod requests;
