//! Architectures, who executes what, and which QEMU emulates it.
//!
//! All decisions are pure: [`architecture`] is a table, [`cpu`] says whether this machine executes a target's
//! programs, [`binfmt`] composes what the kernel is told, [`qemu`] chooses an emulator and its CPU model, [`preset`]
//! writes that model into a copy of the emulator. Only [`probe`] reads the host. The measurements behind the choices
//! are in `docs/qemu.md`.
#![forbid(unsafe_code)]

pub mod architecture;
pub mod binfmt;
pub mod cpu;
pub mod elf;
pub mod preset;
pub mod probe;
pub mod qemu;

pub use architecture::{ARCHITECTURES, Architecture, UnknownArchitecture, find, parse};
pub use binfmt::{BinfmtError, Registration, registration};
pub use cpu::{Execution, HostCpu, HostFacts, Personality, execution};
pub use preset::{PresetError, with_cpu_model};
pub use qemu::{Candidate, Emulator, QemuVersion, choose_qemu, cpu_model};
