//! Compilers for this machine that do what a foreign architecture's own compiler does, byte for byte: built from the
//! archive's source of the very same version where the archive's cross compiler is of another.
//!
//! [`Target`] (what the target's compiler says of itself) -> [`Inputs`] (all that goes in, and the key made of it) ->
//! [`make`] (root, build, results) -> [`Toolchain`] in the cache, which [`find`] finds. See docs/toolchain.md.

mod arguments;
mod description;
mod error;
mod inputs;
mod lacking;
mod macros;
mod make;
mod results;
mod run;
mod target;

pub use description::{Description, FILE, FORMAT, Library, ProgramFile, Toolchain, find, list};
pub use error::ToolchainError;
pub use inputs::{Headers, InputPackage, Inputs, recipe_sha256};
pub use lacking::{lacking, tools_ahead};
pub use make::{Made, Order, make};
pub use target::Target;
