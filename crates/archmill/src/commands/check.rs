//! `archmill check`

use std::io::{BufWriter, Write as _};

use archmill_build::classify::ExitCode;
use archmill_solve::{Checker, LoadProblem, SourceStanza, Unsatisfiable, Verdict};
use serde::Serialize;

use crate::cli::CheckArgs;
use crate::indices::{self, Indices};
use crate::say;

/// Everything that `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'i> {
    build_architecture: &'i str,
    host_architecture: &'i str,
    profiles: &'i [String],
    packages: usize,
    sources: Count,
    verdicts: Vec<Answer<'i>>,
    problems: Vec<&'i LoadProblem>,
}

/// How many source packages have which verdict.
#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Count {
    installable: usize,
    not_installable: usize,
    other_architecture: usize,
}

#[derive(Serialize)]
struct Answer<'i> {
    source: &'i str,
    version: &'i str,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Unsatisfiable>,
}

/// Checks the source packages and prints what cannot be built, or all verdicts as JSON.
pub(crate) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let indices = indices::open(&args.archive, &args.solve)?;
    if !args.json {
        indices.warn();
    }
    let wanted = wanted(args, &indices)?;
    let mut checker = Checker::new(&indices.universe, indices.rules.clone())
        .map_err(|why| anyhow::anyhow!("the base of a build root cannot be installed: {why}"))?;
    let mut count = Count::default();
    let mut verdicts = Vec::with_capacity(wanted.len());
    for source in &wanted {
        let verdict = checker.check(source);
        let explained = args.explain && verdict == Verdict::NotInstallable;
        let why = if explained { checker.explain(source) } else { None };
        *match verdict {
            Verdict::Installable => &mut count.installable,
            Verdict::NotInstallable => &mut count.not_installable,
            Verdict::OtherArchitecture => &mut count.other_architecture,
        } += 1;
        verdicts.push(Answer { source: source.name, version: source.version, verdict, why });
    }
    let problems = indices.problems().collect();
    let report = Report {
        build_architecture: indices.universe.native().as_str(),
        host_architecture: indices.host().as_str(),
        profiles: &indices.rules.profiles,
        packages: indices.universe.len(),
        sources: count,
        verdicts,
        problems,
    };
    say::note(print(&report, args.json));
    if !args.json {
        tell(&report);
    }
    Ok(if count.not_installable == 0 { ExitCode::Success } else { ExitCode::Dependencies })
}

fn wanted<'i>(args: &CheckArgs, indices: &'i Indices) -> anyhow::Result<Vec<SourceStanza<'i>>> {
    if args.names.is_empty() {
        let sources = &indices.sources;
        return Ok(if args.every_version { sources.all().collect() } else { sources.current().collect() });
    }
    args.names.iter().map(|name| indices.source(name)).collect()
}

fn print(report: &Report<'_>, json: bool) -> std::io::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    if json {
        serde_json::to_writer(&mut out, report)?;
        writeln!(out)?;
        return out.flush();
    }
    for answer in &report.verdicts {
        match (&answer.why, answer.verdict) {
            (_, Verdict::Installable | Verdict::OtherArchitecture) => {}
            (None, Verdict::NotInstallable) => writeln!(out, "{} {}", answer.source, answer.version)?,
            (Some(why), Verdict::NotInstallable) => {
                writeln!(out, "{} {}: {why}", answer.source, answer.version)?;
            }
        }
    }
    out.flush()
}

/// The sums, for people.
fn tell(report: &Report<'_>) {
    let Count { installable, not_installable, other_architecture } = report.sources;
    let cross = if report.build_architecture == report.host_architecture {
        String::new()
    } else {
        format!(" on {}", report.build_architecture)
    };
    remark!(
        "{} source packages for {}{cross}: the build dependencies of {installable} can be installed, those of \
         {not_installable} cannot; {other_architecture} more are for other architectures",
        installable + not_installable,
        report.host_architecture,
    );
}
