//! The `[farm]` part of farm.toml, and what the planner makes of it.

mod archive;
mod check;
mod config;
mod display;
mod machines;
pub(crate) mod own;
pub(crate) mod records;
mod task;

pub(crate) use archive::{Archive, Depth, archive_of, open};
pub(crate) use config::{ComponentConfig, FarmConfig, MachineConfig, ModelConfig};
pub(crate) use display::{Display, left, now, time};
pub(crate) use machines::{machines, slots};
pub(crate) use task::Tasks;
