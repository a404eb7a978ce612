//! Whether a package has to be built again, and under which version.

mod binnmu;
mod fingerprint;
mod inputs;

pub use binnmu::next_version;
pub use fingerprint::{DebContents, Fingerprint};
pub use inputs::{Dependency, InputHash, Inputs, Strategy};
