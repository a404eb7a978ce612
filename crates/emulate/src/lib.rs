//! Architectures, who executes what, and QEMU's user-mode emulators for the rest.
//!
//! Tables and decisions; nothing here runs a build. The only I/O is a look at this machine ([`HostCpu::probe`]).
#![forbid(unsafe_code)]

mod binfmt;
mod execution;
mod qemu;
mod table;
pub mod twins;

pub use binfmt::{BinfmtError, FLAGS, binfmt_line, binfmt_name};
pub use execution::{Execution, HostCpu};
pub use qemu::{Candidate, Program, address_space, candidates, cpu_model};
pub use table::{Architecture, Endian, TABLE, UnknownArchitecture, find};
