//! The order in which modes are tried for a package.
//!
//! The ladder is not climbed blindly: the class of a failure says which mode may help, and one that no mode helps ends
//! the matter. What worked is remembered, and the next build of the package starts there.

mod climb;
mod memory;
mod mode;

pub use climb::{Advice, Ladder};
pub use memory::Worked;
pub use mode::{Mode, ParseError, Rung};
