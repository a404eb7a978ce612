//! One file per subcommand.

pub(crate) mod acceleration;
pub(crate) mod build;
pub(crate) mod cache;
pub(crate) mod check;
pub(crate) mod debug;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod gc;
mod import;
pub(crate) mod import_times;
pub(crate) mod log;
pub(crate) mod rebuild;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod requests;
pub(crate) mod results;
pub(crate) mod shell;
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod toolchain;
pub(crate) mod verify;
mod which;

use archmill_build::classify::ExitCode;
use archmill_sandbox::Status;

/// How a subcommand ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself.
    Code(ExitCode),
    /// As the command of the user's did that it ran.
    Status(u8),
}

impl End {
    /// The end of a command of the user's, as a shell tells it.
    pub(crate) fn of(status: Status) -> Self {
        match status {
            Status::Exited(0) => Self::Code(ExitCode::Success),
            Status::Exited(code) => Self::Status(u8::try_from(code).unwrap_or(1)),
            Status::Signaled(signal) => {
                Self::Status(128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)))
            }
            Status::Limit(_) => Self::Code(ExitCode::Limit),
            Status::Cancelled => Self::Code(ExitCode::Cancelled),
        }
    }
}

impl From<ExitCode> for End {
    fn from(code: ExitCode) -> Self {
        Self::Code(code)
    }
}

impl From<End> for std::process::ExitCode {
    fn from(end: End) -> Self {
        match end {
            End::Code(code) => code.into(),
            End::Status(status) => status.into(),
        }
    }
}
