//! `archmill report`

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use archmill_build::classify::ExitCode;
use archmill_farm::BuildFile;
use archmill_plan::Moment;
use archmill_report::{Comparison, FORMAT, Memory, Report, csv, page, text};
use archmill_store::{BuildId, Store};

use crate::cli::ReportArgs;
use crate::setup::Mistake;

/// The end of a log has the reason of a failure; so much of it goes with a page.
const LOG: u64 = 2 << 20;

/// Tells what came of a rebuild.
pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let folder = args.state.folder(&args.places.config()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = runtime.block_on(Store::read(&folder))?;
    let mut report = runtime.block_on(of(&store))?;
    if report.packages.is_empty() {
        return Err(Mistake(format!("the farm in {} has no packages yet", folder.display())).into());
    }
    if let Some(other) = &args.against {
        let other = if other.is_dir() {
            let of = runtime.block_on(async { of(&Store::read(other).await?).await })?;
            Report { made: other.display().to_string(), ..of }
        } else {
            read(other)?
        };
        report.against = Some(Comparison::new(&report, &other));
    }
    if let Some(out) = &args.html {
        runtime
            .block_on(write(&report, &store, out))
            .with_context(|| format!("cannot write the report to {}", out.display()))?;
        remark!("the report is in {}", out.join("index.html").display());
    }
    if args.json {
        answer!("{}", serde_json::to_string_pretty(&report)?);
    } else if args.csv {
        crate::say::note(std::io::stdout().write_all(&csv(&report)?));
    } else if args.html.is_none() {
        answer!("{}", text(&report).trim_end());
    }
    Ok(ExitCode::Success)
}

/// The report of a farm.
async fn of(store: &Store) -> anyhow::Result<Report> {
    let memory = Memory {
        packages: store.packages(None).await?,
        builds: store.all_builds().await?,
        runs: store.all_runs().await?,
        native: store.native_times().await?,
    };
    let now = Moment(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0));
    Ok(Report::new(&memory, now))
}

/// A report that was kept.
fn read(file: &Path) -> anyhow::Result<Report> {
    let bytes = std::fs::read(file).map_err(|error| Mistake(format!("{}: {error}", file.display())))?;
    let report: Report = serde_json::from_slice(&bytes).map_err(|error| {
        Mistake(format!("{} is no report of archmill report --json: {error}", file.display()))
    })?;
    if report.format != FORMAT {
        return Err(Mistake(format!(
            "{} is a report of format {}; this archmill reads {FORMAT}: make it again with the same archmill",
            file.display(),
            report.format
        ))
        .into());
    }
    Ok(report)
}

/// The page and what goes with it.
async fn write(report: &Report, store: &Store, out: &Path) -> anyhow::Result<()> {
    let logs_folder = out.join("logs");
    std::fs::create_dir_all(&logs_folder)?;
    let mut logs = HashMap::new();
    for package in &report.packages {
        let Some(build) = package.failure().filter(|_| package.outcome.has_failed()) else { continue };
        let name = format!("{}.txt", build.number);
        // One that was removed has no link, and is no reason to have no report.
        if let Some(content) = end_of_log(store, BuildId(build.number)).await? {
            put(&logs_folder.join(&name), &content)?;
            logs.insert(build.number, format!("logs/{name}"));
        }
    }
    put(&out.join("packages.csv"), &csv(report)?)?;
    put(&out.join("report.json"), serde_json::to_string_pretty(report)?.as_bytes())?;
    put(&out.join("index.html"), page(report, &logs).as_bytes())
}

/// Replaces a file as a whole, so that a reader never sees half of one.
fn put(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, content)?;
    std::fs::rename(&beside, path)?;
    Ok(())
}

async fn end_of_log(store: &Store, build: BuildId) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(log) = BuildFile::log(store, build).await? else { return Ok(None) };
    let before = log.size().saturating_sub(LOG);
    let mut content = Vec::new();
    if before > 0 {
        content.extend_from_slice(format!("[the first {before} bytes are left out]\n").as_bytes());
    }
    match log.copy(store, before, &mut content).await {
        Ok(_) => Ok(Some(content)),
        Err(error) => {
            remark!("warning: the log of build {}: {error}", build.0);
            Ok(None)
        }
    }
}
