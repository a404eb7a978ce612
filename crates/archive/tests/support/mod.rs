//! A mirror on this machine: the recorded archive, copied so that it may be tampered with, and a server that can
//! misbehave. Shared by the tests of `archmill-archive` and of the program.

#![allow(dead_code, unreachable_pub, reason = "each test binary that includes this uses its own part")]

pub mod recorded;
pub mod server;

pub use recorded::Recorded;
pub use server::{Fault, Server};
