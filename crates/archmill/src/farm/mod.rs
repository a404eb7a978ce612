//! The `[farm]` part of farm.toml, and what the planner makes of it.

mod archive;
mod config;
mod machines;

pub(crate) use archive::{Archive, open};
pub(crate) use config::{ComponentConfig, FarmConfig, MachineConfig, ModelConfig};
pub(crate) use machines::{machines, slots};
