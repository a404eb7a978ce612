//! How long a build will take, before it is started.
//!
//! What is known best comes first: builds of the same source for the same target in the same mode; builds of that source for
//! other targets or in other modes, converted by what these cost on the whole; and where nobody ever built it, a model
//! of its size and of how much it needs. All of it is in terms of medians or fitted to be robust: one build that hung
//! for a day does not move it.

mod history;
mod model;
mod penalty;

pub use history::Predictor;
pub use model::{Model, Sample, Traits};
pub use penalty::Penalties;

pub(crate) use model::median;
