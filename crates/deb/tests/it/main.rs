//! Real files of Debian, and properties that hold for any input.
// Clippy's exception for tests does not see functions that tests call.
#![allow(clippy::unwrap_used)]

mod properties;
mod real_files;
