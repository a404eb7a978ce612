//! `archmill import-times`

use anyhow::Context as _;
use archmill_build::classify::ExitCode;
use archmill_report::native_times;
use archmill_store::Store;

use crate::cli::ImportTimesArgs;
use crate::setup::{self, Mistake};

/// Takes in times of native builds.
pub(crate) fn run(args: &ImportTimesArgs) -> anyhow::Result<ExitCode> {
    let file = &args.file;
    let text = std::fs::read(file).map_err(|error| Mistake(format!("{}: {error}", file.display())))?;
    let architecture = |name: &str| match name {
        "all" => Ok("all".to_owned()),
        _ => setup::architecture(Some(name))
            .map(|found| found.debian.to_owned())
            .map_err(|error| error.to_string()),
    };
    let times = native_times(&text, &architecture)
        .map_err(|error| Mistake(format!("{}: {error}", file.display())))?;
    let folder = args.state.folder(&args.places.config()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::make(&folder).await?;
        store.learn_native_times(&times, &file.display().to_string()).await.context("nothing was taken in")
    })?;
    answer!("{} times of native builds, for the farm in {}", times.len(), folder.display());
    Ok(ExitCode::Success)
}
