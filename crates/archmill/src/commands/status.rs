//! `archmill status`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use archmill_build::classify::ExitCode;
use archmill_farm::Forecast;
use archmill_plan::Moment;
use archmill_plan::scheduler::Code;
use archmill_store::{BuildRow, KeptFile, PackageRow, RequestRow, RunForecast, RunRow, Runs, Store};
use serde_json::{Value, json};

use crate::cli::StatusArgs;
use crate::farm::{left, time};
use crate::setup::{self, Mistake};

/// Tells what is known of the farm, or of some of its packages.
pub(crate) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let folder = args.state.folder(&args.places.config()?);
    let target = setup::target(args.arch.as_deref())?;
    let is_meant = |row: &PackageRow| {
        target.is_none_or(|target| row.planned.target == target)
            && args.suite.as_ref().is_none_or(|suite| *suite == row.suite)
            && (!args.failed || NOT_BUILT.contains(&row.state))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::read(&folder).await?;
        let now = Now::of(&store).await?;
        let mut of_sources = Vec::new();
        for source in &args.sources {
            let rows = store.packages(Some(source)).await?;
            if rows.is_empty() {
                return Err(Mistake(now.unknown(source, &folder)).into());
            }
            of_sources.extend(rows.into_iter().filter(is_meant));
        }
        if !args.sources.is_empty() {
            return some(&store, &now, &of_sources, args.json).await;
        }
        let packages: Vec<PackageRow> = store.packages(None).await?.into_iter().filter(is_meant).collect();
        all(&now, &packages, args.json)
    })
}

/// What came to no results.
const NOT_BUILT: [Code; 3] = [Code::Failed, Code::Unresolvable, Code::Broken];

/// What goes on in the farm.
struct Now {
    runs: bool,
    /// The rebuild that runs.
    run: Option<RunRow>,
    requests: Vec<RequestRow>,
}

impl Now {
    async fn of(store: &Store) -> anyhow::Result<Self> {
        let runs = store.runs()? == Runs::Yes;
        let run = store.all_runs().await?.pop().filter(|run| runs && run.ended.is_none());
        Ok(Self { runs, run, requests: store.requests().await? })
    }

    fn unknown(&self, source: &str, folder: &Path) -> String {
        let later = self.run.as_ref().map(|run| run.later.join(" and ")).filter(|later| !later.is_empty());
        let later = later.map(|later| format!(" yet; {later} will be planned later in this rebuild"));
        format!("the farm in {} has no {source}{}", folder.display(), later.unwrap_or_default())
    }

    /// What was asked for a package and nobody has taken up.
    fn asked_names(&self, row: &PackageRow) -> Vec<&'static str> {
        let of = |request: &&RequestRow| {
            request.source == row.planned.source
                && request.target.as_ref().is_none_or(|target| *target == row.planned.target)
        };
        self.requests.iter().filter(of).map(|request| request.kind.name()).collect()
    }

    fn asked(&self, row: &PackageRow) -> Option<String> {
        let names = self.asked_names(row);
        (!names.is_empty()).then(|| format!("asked for and not taken up yet: {}", names.join(", ")))
    }

    /// The reason for a state; one that speaks of what goes on was true when something went on.
    fn reason(&self, row: &PackageRow) -> String {
        let reason = one_line(&row.reason);
        let moves = matches!(row.state, Code::Scheduled | Code::Blocked | Code::Building | Code::Finished);
        let reason = if moves && !self.runs {
            format!("no rebuild is running; when the last one ended: {reason}")
        } else {
            reason
        };
        self.asked(row).map_or(reason.clone(), |asked| format!("{reason} ({asked})"))
    }
}

fn all(now: &Now, packages: &[PackageRow], json: bool) -> anyhow::Result<ExitCode> {
    if json {
        let packages: Vec<Value> = packages.iter().map(|row| as_json(row, now)).collect();
        let forecast = now.run.as_ref().and_then(|run| Some(forecast_as_json(run, run.forecast.as_ref()?)));
        let status = json!({ "running": now.runs, "forecast": forecast, "packages": packages });
        answer!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(ExitCode::Success);
    }
    answer!("{}", running_in_words(now));
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
    let several = packages.iter().any(|row| row.suite != packages[0].suite);
    let quiet = [Code::Succeeded, Code::Scheduled, Code::Blocked];
    for row in packages.iter().filter(|row| !quiet.contains(&row.state) || now.asked(row).is_some()) {
        let state = match row.state {
            Code::Building if now.runs => {
                format!("building for {}", time(crate::farm::now().since(row.since)))
            }
            state => state.name().to_owned(),
        };
        let suite = if several { format!(" ({})", row.suite) } else { String::new() };
        answer!("{} {}{suite}: {state}: {}", row.planned.source, row.planned.target, now.reason(row));
    }
    Ok(ExitCode::Success)
}

/// Counted from now: builds went on since it was predicted. The suites of a farm are rebuilt in turn.
fn running_in_words(now: &Now) -> String {
    let Some(run) = &now.run else {
        return if now.runs { "a rebuild is running" } else { "no rebuild is running" }.to_owned();
    };
    let later = match run.later.as_slice() {
        [] => String::new(),
        later => format!("; then {}", later.join(", ")),
    };
    let running = format!("a rebuild of {} is running", run.suite);
    let Some(RunForecast { end, bounds, .. }) = run.forecast else { return running + &later };
    let until = |moment: Moment| moment.since(crate::farm::now());
    let bounds = bounds.map(|(earliest, latest)| (until(earliest), until(latest)));
    format!("{running}, {}{later}", left(&Forecast { left: until(end), bounds }))
}

fn forecast_as_json(run: &RunRow, forecast: &RunForecast) -> Value {
    json!({
        "suite": run.suite,
        "later": run.later,
        "as_of": date(forecast.at),
        "end": date(forecast.end),
        "earliest_end": forecast.bounds.map(|(earliest, _)| date(earliest)),
        "latest_end": forecast.bounds.map(|(_, latest)| date(latest)),
    })
}

/// A message of a build may be anything.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn some(store: &Store, now: &Now, packages: &[PackageRow], json: bool) -> anyhow::Result<ExitCode> {
    let mut values = Vec::new();
    for row in packages {
        let builds = store.builds_of(row.id).await?;
        if json {
            let mut value = as_json(row, now);
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
            now.reason(row)
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
        "#{} {} {}{} on {}, {}",
        build.id.0,
        build.new.version,
        build.new.rung,
        if build.end.as_ref().is_some_and(|end| end.compiler_emulated) {
            " but for its compiler"
        } else {
            ""
        },
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
                let _ = write!(text, ": {}", one_line(message));
            }
        }
    }
    text
}

fn as_json(row: &PackageRow, now: &Now) -> Value {
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
        "asked": now.asked_names(row),
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
        "predicted_ms": millis(build.new.expected),
        "ended": end.map(|end| date(end.at)),
        "result": end.map(|end| end.kind.name()),
        "class": end.and_then(|end| end.class.as_deref()),
        "message": end.and_then(|end| end.message.as_deref()),
        "wall_ms": end.and_then(|end| end.wall).map(millis),
        "cpu_ms": end.and_then(|end| end.cpu).map(millis),
        "build_cpu_ms": end.and_then(|end| end.build_cpu).map(millis),
        "compiler_emulated": end.is_some_and(|end| end.compiler_emulated),
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
