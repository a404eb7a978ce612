//! What a build's end means: its class, its exit code, and the lines that tell why.

pub mod class;
pub mod decide;
pub mod exit;
pub mod relevant;

pub use class::{Class, Limit, Phase};
pub use decide::{End, classify};
pub use exit::ExitCode;
pub use relevant::relevant_lines;
