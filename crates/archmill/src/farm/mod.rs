//! The `[farm]` part of farm.toml, and what the planner makes of it.

mod archive;
mod config;
mod display;
mod machines;
mod task;

pub(crate) use archive::{Archive, Depth, open};
pub(crate) use config::{ComponentConfig, FarmConfig, MachineConfig, ModelConfig};
pub(crate) use display::{Display, time};
pub(crate) use machines::{machines, slots};
pub(crate) use task::Tasks;
