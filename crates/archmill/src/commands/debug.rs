//! `archmill debug`

use archmill_build::classify::ExitCode;

use crate::cli::DebugArgs;

pub(crate) fn run(_: &DebugArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("debug")
}
