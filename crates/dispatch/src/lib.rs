//! Twins in place of emulated programs, chosen as each program starts.
//!
//! The kernel hands every program of a foreign architecture to QEMU (binfmt_misc). [`combine`] puts a small piece of
//! code before QEMU's own, which looks the program up in a table ([`Table`]): where it has a *twin*, the same program
//! for this machine, that is mapped and entered in place of QEMU. So no file of a root is replaced: whatever reads,
//! copies, renames, upgrades or removes a program deals with the target's own file, and a program that is not the very
//! one in the table (path, size and modification time) is emulated.
//!
//! The code is in `program/`, compiled apart by `build.rs`. It is the reason for this being a crate: it has no standard
//! library, and is, with the libraries of `archmill-macros`, `archmill-longdouble` and `archmill-obstack`, the one place besides the sandbox
//! with `unsafe` or assembler.
#![forbid(unsafe_code)]

mod combine;
mod format;
mod table;

pub use combine::{CombineError, combine};
pub use table::{Entry, Rule, Table};

/// Where the twins are, inside a root.
pub const PREFIX: &str = "/dev/.twins";
/// Where the table is, inside a root.
pub const TABLE: &str = path(format::TABLE_PATH);
/// A folder for notes of the code that chooses.
pub const NOTES: &str = "/dev/.twins.log";
/// The file in [`NOTES`] that has a line for each time that a rule was against a twin: program, tab, what in the rule met.
pub const CHOICES: &str = path(format::CHOICES_PATH);
/// The file in [`NOTES`] that has a line for each twin that could neither do what it was to do nor leave it to the emulated
/// program. What was built then is not to be trusted.
pub const FAILED: &str = path(format::FAILED_PATH);
/// The variable with which a twin starts the emulated program in its own place: why, for [`CHOICES`].
pub const EMULATE: &str = path(format::EMULATE);

/// The code that [`combine`] adds.
pub fn code() -> &'static [u8] {
    combine::CODE
}

/// A path that is written with the zero that the code wants at its end.
const fn path(with_zero: &'static [u8]) -> &'static str {
    match std::str::from_utf8(with_zero.split_at(with_zero.len() - 1).0) {
        Ok(path) => path,
        Err(_) => panic!("paths are ASCII"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_the_code_opens_are_in_the_folders_that_are_mounted() {
        assert_eq!(TABLE, format!("{PREFIX}/table"));
        assert_eq!(CHOICES, format!("{NOTES}/choices"));
        assert_eq!(FAILED, format!("{NOTES}/failed"));
    }
}
