//! `archmill status`

use std::collections::BTreeMap;
use std::fmt::Write as _;

use archmill_build::classify::ExitCode;
use archmill_farm::Forecast;
use archmill_plan::Moment;
use archmill_plan::scheduler::Code;
use archmill_store::{BuildRow, KeptFile, PackageRow, RunForecast, RunRow, Runs, Store};
use serde_json::{Value, json};

use crate::cli::StatusArgs;
use crate::farm::{left, now, time};
use crate::setup::Mistake;

/// Tells what is known of the farm, or of one of its packages.
pub(crate) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let folder = args.state.folder(&args.places.config()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(&folder).await?;
        let packages = store.packages(args.source.as_deref()).await?;
        let runs = store.runs()? == Runs::Yes;
        match &args.source {
            Some(source) if packages.is_empty() => {
                Err(Mistake(format!("the farm in {} has no {source}", folder.display())).into())
            }
            Some(_) => one(&store, &packages, args.json).await,
            None => all(&store, &packages, runs, args.json).await,
        }
    })
}

async fn all(store: &Store, packages: &[PackageRow], runs: bool, json: bool) -> anyhow::Result<ExitCode> {
    let run = store.all_runs().await?.pop().filter(|run| runs && run.ended.is_none());
    if json {
        let packages: Vec<Value> = packages.iter().map(as_json).collect();
        let forecast =
            run.as_ref().and_then(|run| Some(forecast_as_json(&run.suite, run.forecast.as_ref()?)));
        let status = json!({ "running": runs, "forecast": forecast, "packages": packages });
        answer!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(ExitCode::Success);
    }
    answer!("{}", running_in_words(runs, run.as_ref()));
    let mut counts: BTreeMap<(&str, &str), BTreeMap<Code, usize>> = BTreeMap::new();
    for row in packages {
        let of = counts.entry((&row.suite, &row.planned.target)).or_default();
        *of.entry(row.state).or_default() += 1;
    }
    for ((suite, target), codes) in &counts {
        let codes: Vec<String> =
            codes.iter().map(|(code, count)| format!("{} {count}", code.name())).collect();
        answer!("{suite} {target}: {}", codes.join(", "));
    }
    let quiet = [Code::Succeeded, Code::Scheduled, Code::Blocked];
    for row in packages.iter().filter(|row| !quiet.contains(&row.state)) {
        let state = match row.state {
            Code::Building => format!("building for {}", time(now().since(row.since))),
            state => state.name().to_owned(),
        };
        answer!("{} {}: {state}: {}", row.planned.source, row.planned.target, row.reason);
    }
    Ok(ExitCode::Success)
}

/// Counted from now: builds went on since it was predicted. The suites of a farm are rebuilt in turn.
fn running_in_words(runs: bool, run: Option<&RunRow>) -> String {
    let Some(run) = run.filter(|_| runs) else {
        return if runs { "a rebuild is running" } else { "no rebuild is running" }.to_owned();
    };
    let running = format!("a rebuild of {} is running", run.suite);
    let Some(RunForecast { end, bounds, .. }) = run.forecast else { return running };
    let until = |moment: Moment| moment.since(now());
    let bounds = bounds.map(|(earliest, latest)| (until(earliest), until(latest)));
    format!("{running}, {}", left(&Forecast { left: until(end), bounds }))
}

fn forecast_as_json(suite: &str, forecast: &RunForecast) -> Value {
    json!({
        "suite": suite,
        "as_of": date(forecast.at),
        "end": date(forecast.end),
        "earliest_end": forecast.bounds.map(|(earliest, _)| date(earliest)),
        "latest_end": forecast.bounds.map(|(_, latest)| date(latest)),
    })
}

async fn one(store: &Store, packages: &[PackageRow], json: bool) -> anyhow::Result<ExitCode> {
    let mut values = Vec::new();
    for row in packages {
        let builds = store.builds_of(row.id).await?;
        if json {
            let mut value = as_json(row);
            let mut all = Vec::new();
            for build in &builds {
                all.push(build_as_json(build, &store.files_of(build.id).await?));
            }
            value["builds"] = all.into();
            values.push(value);
            continue;
        }
        answer!(
            "{} {} {} ({}): {} since {}: {}",
            row.planned.source,
            row.planned.version,
            row.planned.target,
            row.suite,
            row.state.name(),
            date(row.since),
            row.reason
        );
        for build in &builds {
            answer!("  {}", build_in_words(build));
        }
    }
    if json {
        answer!("{}", serde_json::to_string_pretty(&values)?);
    }
    Ok(ExitCode::Success)
}

fn build_in_words(build: &BuildRow) -> String {
    let mut text = format!(
        "#{} {} {} on {}, {}",
        build.id.0,
        build.new.version,
        build.new.rung,
        build.new.machine,
        date(build.new.started)
    );
    match &build.end {
        None => {
            let _ = write!(text, ": running, predicted to take {}", time(build.new.expected));
        }
        Some(end) => {
            let _ = write!(text, ": {}", end.kind.name());
            if let (Some(wall), Some(cpu)) = (end.wall, end.cpu) {
                let _ = write!(text, " in {}, {} of CPU time", time(wall), time(cpu));
            }
            if let Some(class) = &end.class {
                let _ = write!(text, " ({class})");
            }
            if let Some(message) = &end.message {
                let _ = write!(text, ": {message}");
            }
        }
    }
    text
}

fn as_json(row: &PackageRow) -> Value {
    json!({
        "suite": row.suite,
        "component": row.planned.component,
        "source": row.planned.source,
        "version": row.planned.version,
        "target": row.planned.target,
        "state": row.state.name(),
        "reason": row.reason,
        "class": row.class,
        "since": date(row.since),
        "mode": row.worked.as_ref().map(|worked| worked.rung),
        "held": row.held,
        "prioritised": row.prioritised,
    })
}

fn build_as_json(build: &BuildRow, files: &[KeptFile]) -> Value {
    let end = build.end.as_ref();
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    json!({
        "number": build.id.0,
        "version": build.new.version,
        "mode": build.new.rung,
        "machine": build.new.machine,
        "slots": build.new.width,
        "started": date(build.new.started),
        "ended": end.map(|end| date(end.at)),
        "result": end.map(|end| end.kind.name()),
        "class": end.and_then(|end| end.class.as_deref()),
        "message": end.and_then(|end| end.message.as_deref()),
        "wall_ms": end.and_then(|end| end.wall).map(millis),
        "cpu_ms": end.and_then(|end| end.cpu).map(millis),
        "peak_memory_bytes": end.and_then(|end| end.peak_memory_bytes),
        "files": files.iter().map(file_as_json).collect::<Vec<_>>(),
    })
}

fn file_as_json(file: &KeptFile) -> Value {
    json!({ "name": file.name, "sha256": file.blob.sha256, "size_bytes": file.blob.size_bytes })
}

/// RFC 3339, in UTC.
fn date(moment: Moment) -> String {
    let seconds = i64::try_from(moment.0 / 1000).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "?".to_owned(), |time| time.to_string())
}
