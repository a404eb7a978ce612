//! One file per subcommand.

pub(crate) mod acceleration;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod debug;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod replay;
pub(crate) mod shell;
pub(crate) mod simulate;
pub(crate) mod toolchain;
pub(crate) mod verify;
