//! `archmill replay`

use archmill_build::classify::ExitCode;

use crate::cli::ReplayArgs;

pub(crate) fn run(_: &ReplayArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("replay")
}
