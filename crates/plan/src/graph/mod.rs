//! Which job needs the packages of which others.
//!
//! A need is taken from the install set that the solver chose for the build, runtime dependencies of build dependencies
//! included: what is in the build root was built by some job. Cycles are found and broken (see [`cycles`]), so that a
//! [`Graph`] is always free of them and has an order in which everything can be built.

mod adjacency;
mod archive;
pub mod cycles;
mod feedback;
mod inputs;
mod paths;
mod topology;

pub use adjacency::Adjacency;
pub use archive::{Component, GraphError, Model, Planned, Planner};
pub use inputs::Settings as InputSettings;
pub use paths::{Paths, longest_paths};
pub use topology::{Graph, Parts};
