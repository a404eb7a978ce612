//! Twins: which programs of a build root are run as their equals for this machine.
//!
//! [`plan`] decides, from what is known of packages and rules alone.

mod family;
mod offers;
mod plan;

pub use family::{Family, FamilyError, Functions, Given, Unless, builtin, parse};
pub use offers::{Installed, Offer, Offers};
pub use plan::{AccelerationPlan, CompilerSource, Condition, Guard, Host, Refusal, Twin, plan};
