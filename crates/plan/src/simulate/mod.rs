//! A farm without machines: the scheduler of a real one, a virtual clock, and builds that only take time.
//!
//! How long builds take and which of them fail is drawn at the start ([`Truth`]); the scheduler learns of it as it does on a
//! farm, by builds that end. A simulation of the same farm with the same seed is always the same.

mod bounds;
mod draw;
mod fit;
mod made_up;
mod outcome;
mod queue;
mod run;
mod truth;

pub use bounds::{Bounds, lower_bounds};
pub use fit::{Fit, Seen, SeenEnd};
pub use made_up::{MadeUp, MadeUpComponent};
pub use outcome::{MachineUse, ModeUse, Outcome};
pub use run::{Handle, Simulation};
pub use truth::{Chances, Truth, World};
