//! `archmill import-times`

use std::path::Path;

use anyhow::Context as _;
use archmill_archive::{Conditional, Fetcher};
use archmill_build::classify::ExitCode;
use archmill_report::{job_history, native_times};
use archmill_store::{NativeTime, Store};

use crate::cli::ImportTimesArgs;
use crate::setup::{self, Mistake, WrongOption};

/// Most of a job history that is read; a thousand jobs have 300 kB.
const LARGEST: u64 = 512 << 20;
/// OBS gives twenty jobs unless it is asked for more.
const JOBS: u32 = 10_000_000;

/// Takes in times of native builds.
pub(crate) fn run(args: &ImportTimesArgs) -> anyhow::Result<ExitCode> {
    let (times, origin) = match (&args.obs, &args.file) {
        (Some(url), _) => (from_obs(url, args.arch.as_deref())?, url.clone()),
        (None, Some(file)) => (from_file(file, args.arch.as_deref())?, file.display().to_string()),
        // The command line is refused before.
        (None, None) => return Err(Mistake("say which file to read".to_owned()).into()),
    };
    let folder = args.state.folder(&args.places.config()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::make(&folder).await?;
        store.learn_native_times(&times, &origin).await.context("nothing was taken in")
    })?;
    answer!("{} times of native builds, for the farm in {}", times.len(), folder.display());
    Ok(ExitCode::Success)
}

fn architecture(name: &str) -> anyhow::Result<String> {
    match name {
        "all" => Ok("all".to_owned()),
        _ => Ok(setup::architecture(Some(name))?.debian.to_owned()),
    }
}

fn from_file(file: &Path, arch: Option<&str>) -> anyhow::Result<Vec<NativeTime>> {
    let bad = |error: &dyn std::fmt::Display| Mistake(format!("{}: {error}", file.display()));
    let text = std::fs::read(file).map_err(|error| bad(&error))?;
    if text.trim_ascii_start().starts_with(b"<") {
        let arch =
            arch.with_context(|| bad(&"a _jobhistory does not say its architecture; give it with --arch"))?;
        let text = String::from_utf8_lossy(&text);
        return Ok(job_history(&text, &architecture(arch)?).map_err(|error| bad(&error))?);
    }
    let named = |name: &str| architecture(name).map_err(|error| format!("{:#}", error.root_cause()));
    Ok(native_times(&text, &named).map_err(|error| bad(&error))?)
}

fn from_obs(url: &str, arch: Option<&str>) -> anyhow::Result<Vec<NativeTime>> {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix("/_jobhistory").unwrap_or(url);
    let last = url.rsplit('/').next().unwrap_or(url);
    let arch = architecture(arch.unwrap_or(last)).context(WrongOption("--obs"))?;
    let address = format!("{url}/_jobhistory?code=succeeded&code=unchanged&limit={JOBS}");
    let got = Fetcher::new().document(&address, None, LARGEST)?;
    let Conditional::New { content, .. } = got else {
        anyhow::bail!("{address}: the server answers nothing")
    };
    let text = String::from_utf8_lossy(&content);
    Ok(job_history(&text, &arch).map_err(|error| Mistake(format!("--obs {url}: {error}")))?)
}
