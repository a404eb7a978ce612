//! Build graphs and schedules of archives small enough to be understood at a glance, and of random ones.
#![allow(clippy::unwrap_used)]

mod archive;
mod farm;
mod graphs;
mod schedules;
mod scheduling;
mod simulations;
mod world;
