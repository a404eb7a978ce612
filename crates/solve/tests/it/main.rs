//! The solver on archives small enough to be understood at a glance.
#![allow(clippy::unwrap_used)]

mod alternatives;
mod base;
mod conflicts;
mod explanations;
mod load;
mod multi_arch;
mod order;
mod properties;
mod versions;
mod world;
