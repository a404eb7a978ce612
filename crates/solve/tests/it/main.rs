//! The solver on archives small enough to be understood at a glance.
#![allow(clippy::unwrap_used)]

mod alternatives;
mod base;
mod cache;
mod check;
mod conflicts;
mod explanations;
mod irreducible;
mod load;
mod multi_arch;
mod order;
mod properties;
mod update;
mod verdicts;
mod versions;
mod world;
