//! `archmill report`

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::Context as _;
use archmill_build::classify::ExitCode;
use archmill_farm::{build_folder, log_of};
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
    let mut report = runtime.block_on(of(&folder))?;
    if report.packages.is_empty() {
        return Err(Mistake(format!("the farm in {} has no packages yet", folder.display())).into());
    }
    if let Some(other) = &args.against {
        let other = if other.is_dir() { runtime.block_on(of(other))? } else { read(other)? };
        report.against = Some(Comparison::new(&report, &other));
    }
    if let Some(out) = &args.html {
        write(&report, &folder, out)
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
async fn of(folder: &Path) -> anyhow::Result<Report> {
    let store = Store::open(folder).await?;
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
fn write(report: &Report, farm: &Path, out: &Path) -> anyhow::Result<()> {
    let logs_folder = out.join("logs");
    std::fs::create_dir_all(&logs_folder)?;
    let mut logs = HashMap::new();
    for package in &report.packages {
        let Some(build) = package.failure().filter(|_| package.outcome.has_failed()) else { continue };
        let folder = build_folder(farm, BuildId(build.number));
        let log = log_of(&folder).unwrap_or_else(|| folder.join("output"));
        let name = format!("{}.txt", build.number);
        // One that was removed has no link, and is no reason to have no report.
        if let Ok(content) = end_of(&log) {
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

fn end_of(log: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    let mut content = Vec::new();
    if length > LOG {
        content.extend_from_slice(format!("[the first {} bytes are left out]\n", length - LOG).as_bytes());
        file.seek(SeekFrom::Start(length - LOG))?;
    }
    file.take(LOG).read_to_end(&mut content)?;
    Ok(content)
}
