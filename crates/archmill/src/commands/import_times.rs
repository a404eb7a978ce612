//! `archmill import-times`

use std::path::Path;

use anyhow::Context as _;
use archmill_archive::{Conditional, FetchError, Fetcher};
use archmill_build::classify::ExitCode;
use archmill_emulate::{Architecture, Execution, HostCpu};
use archmill_report::{JobHistory, TimesError, job_history, native_times};
use archmill_store::Store;

use crate::cli::ImportTimesArgs;
use crate::setup::{self, Mistake};

/// Most of a job history that is read; a thousand jobs have 300 kB.
const LARGEST: u64 = 512 << 20;
/// OBS gives twenty jobs unless it is asked for more.
const JOBS: u32 = 10_000_000;

/// Takes in times of native builds.
pub(crate) fn run(args: &ImportTimesArgs) -> anyhow::Result<ExitCode> {
    let (read, origin) = match (&args.obs, &args.file) {
        (Some(url), _) => (from_obs(url, args.arch.as_deref())?, url.clone()),
        (None, Some(file)) => (from_file(file, args.arch.as_deref())?, file.display().to_string()),
        // The command line is refused before.
        (None, None) => return Err(Mistake("say which file to read".to_owned()).into()),
    };
    let JobHistory { times, emulated } = read;
    let folder = args.state.folder(&args.places.config()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::make(&folder).await?;
        store.learn_native_times(&times, &origin).await.context("nothing was taken in")
    })?;
    answer!("{} times of native builds, for the farm in {}", times.len(), folder.display());
    if emulated > 0 {
        answer!("left out: {emulated} jobs of workers that emulated (by their hostarch)");
    }
    Ok(ExitCode::Success)
}

fn debian(name: &str) -> anyhow::Result<&'static str> {
    match name {
        "all" => Ok("all"),
        _ => Ok(setup::architecture(Some(name))?.debian),
    }
}

fn from_file(file: &Path, arch: Option<&str>) -> anyhow::Result<JobHistory> {
    let bad = |error: &dyn std::fmt::Display| Mistake(format!("{}: {error}", file.display()));
    let text = std::fs::read(file).map_err(|error| bad(&error))?;
    if text.trim_ascii_start().starts_with(b"<") {
        let arch =
            arch.with_context(|| bad(&"a _jobhistory does not say its architecture; give it with --arch"))?;
        let target = setup::architecture(Some(arch))?;
        return Ok(history(&text, target).map_err(|error| bad(&error))?);
    }
    if arch.is_some() {
        return Err(bad(&"it names architectures itself; --arch is for a _jobhistory").into());
    }
    let named =
        |name: &str| debian(name).map(str::to_owned).map_err(|error| format!("{:#}", error.root_cause()));
    let times = native_times(&text, &named).map_err(|error| bad(&error))?;
    Ok(JobHistory { times, emulated: 0 })
}

fn from_obs(url: &str, arch: Option<&str>) -> anyhow::Result<JobHistory> {
    if !["http://", "https://", "file://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(Mistake(format!(
            "--obs {url}: it is no address; what is needed is http://SERVER/build/PROJECT/REPOSITORY/ARCHITECTURE"
        ))
        .into());
    }
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix("/_jobhistory").unwrap_or(url);
    let last = url.rsplit('/').next().unwrap_or(url);
    let target =
        setup::named_by(if arch.is_some() { "--arch" } else { "--obs" }, Some(arch.unwrap_or(last)))?;
    let address = format!("{url}/_jobhistory?code=succeeded&code=unchanged&limit={JOBS}");
    let got = Fetcher::new().document(&address, None, LARGEST).map_err(|error| refused(url, &error))?;
    let Conditional::New { content, .. } = got else {
        anyhow::bail!("{address}: the server answers nothing")
    };
    Ok(history(&content, target).map_err(|error| Mistake(format!("--obs {url}: {error}")))?)
}

/// Its errors speak of mirrors.
fn refused(url: &str, error: &FetchError) -> Mistake {
    let form = ".../build/PROJECT/REPOSITORY/ARCHITECTURE";
    Mistake(match error {
        FetchError::NotFound { .. } => {
            format!(
                "--obs {url}: OBS has no such project, repository or architecture (404); what is needed is {form}"
            )
        }
        FetchError::Status { status: status @ (401 | 403), .. } => format!(
            "--obs {url}: OBS wants a login ({status}); fetch the history with 'osc api \"/build/PROJECT/REPOSITORY/ARCHITECTURE/_jobhistory?code=succeeded&limit={JOBS}\"' and give its file with --arch"
        ),
        FetchError::Status { status, .. } => {
            format!("--obs {url}: OBS answers {status}; what is needed is {form}")
        }
        FetchError::Transport { reason, .. } => {
            format!("--obs {url}: {reason}; is its address right, and is the server up?")
        }
        error => format!("--obs {url}: {error}"),
    })
}

fn history(text: &[u8], target: &Architecture) -> Result<JobHistory, TimesError> {
    let native = |host: &str| {
        // Whether a 64-bit ARM worker executes 32-bit code is not told; where it does not, none is sent there.
        let cpu = HostCpu { machine: host.to_owned(), aarch32: true };
        matches!(cpu.execution(target), Execution::Native { .. })
    };
    job_history(&String::from_utf8_lossy(text), target.debian, &native)
}
