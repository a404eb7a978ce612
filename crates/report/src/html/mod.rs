//! The report as one page that needs nothing else: no scripts, no fonts, no network.

mod colour;
mod plot;

use std::collections::HashMap;

use archmill_plan::ladder::Rung;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::package::{Baseline, Package};
use crate::share::Outcome;
use crate::text::{WORST, duration};
use crate::{Change, Comparison, Report};
use plot::Row;

const STYLE: &str = include_str!("style.css");

/// The page. `logs` has links to logs by the number of the build.
pub fn page<S: std::hash::BuildHasher>(report: &Report, logs: &HashMap<i64, String, S>) -> String {
    let link = |number: i64| logs.get(&number).map(String::as_str);
    let title = format!("Rebuild of {}", report.suites.join(", "));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p.made { "Made " (report.made) " by archmill. All numbers: " a href="report.json" { "report.json" } ", "
                    a href="packages.csv" { "packages.csv" } "."
                    @if report.running > 0 { " " (report.running) " builds ran then; they count for nothing here, so the end of the plots is not the whole." } }
                (verdict(report))
                (outcomes(report))
                @if let Some(comparison) = &report.against { (changes(comparison)) }
                (failures(report, &link))
                (modes(report))
                (penalties(report))
                (machines(report))
                (left_out(report))
            }
        }
    };
    page.into_string()
}

/// What a release team reads first.
fn verdict(report: &Report) -> Markup {
    let count =
        |outcome: Outcome| report.packages.iter().filter(|package| package.outcome == outcome).count();
    let all = report.packages.len() - count(Outcome::Left);
    let built = count(Outcome::Built);
    let failed = count(Outcome::Failed) + count(Outcome::Unbuildable);
    let tile = |value: String, what: &str| html! { div.tile { b { (value) } span { (what) } } };
    html! {
        div.tiles {
            (tile(format!("{built} of {all}"), "packages built here"))
            (tile(count(Outcome::Imported).to_string(), "imported from upstream"))
            (tile(failed.to_string(), "failed or not buildable"))
            @if count(Outcome::Open) > 0 { (tile(count(Outcome::Open).to_string(), "not done yet")) }
            @if let Some(comparison) = &report.against {
                (tile(comparison.regressions.len().to_string(), "regressions"))
                (tile(comparison.repairs.len().to_string(), "repairs"))
            }
            (tile(duration(report.time.makespan_ms), "makespan"))
        }
    }
}

fn outcomes(report: &Report) -> Markup {
    let row = |cell: &crate::Cell| {
        let part = |outcome: &Outcome| {
            let count = *cell.outcomes.get(outcome)?;
            Some((outcome.words().to_owned(), colour::outcome(*outcome), count))
        };
        Row {
            label: format!("{} {}", cell.target, cell.component),
            parts: Outcome::ALL.iter().filter_map(part).collect(),
        }
    };
    let order: Vec<String> = Outcome::ALL.iter().map(|outcome| outcome.words().to_owned()).collect();
    html! {
        h2 { "What came of it" }
        (plot::stacked(&report.cells.iter().map(row).collect::<Vec<_>>(), &order, "packages"))
    }
}

fn changes(comparison: &Comparison) -> Markup {
    let table = |changes: &[Change]| {
        html! {
            table {
                tr { th { "package" } th { "architecture" } th { "version then" } th { "version now" } th { "class" } th { "why" } }
                @for change in changes {
                    tr {
                        td { (change.source) } td { (change.target) } td { (change.versions.0) } td { (change.versions.1) }
                        td { (change.classes.1.as_ref().or(change.classes.0.as_ref()).map_or("", String::as_str)) }
                        td.why { (change.reason) }
                    }
                }
            }
        }
    };
    html! {
        h2 { "Against the rebuild reported " (comparison.other) }
        h3 { "Regressions: " (comparison.regressions.len()) }
        @if !comparison.regressions.is_empty() { (table(&comparison.regressions)) }
        h3 { "Repairs: " (comparison.repairs.len()) }
        @if !comparison.repairs.is_empty() { (table(&comparison.repairs)) }
        @if !comparison.other_reasons.is_empty() {
            h3 { "Failed in both, for another reason: " (comparison.other_reasons.len()) }
            (table(&comparison.other_reasons))
        }
        @if !comparison.added.is_empty() { p { "Only in this one: " (comparison.added.join(", ")) "." } }
        @if !comparison.removed.is_empty() { p { "Only in the other: " (comparison.removed.join(", ")) "." } }
    }
}

fn failures<'l>(report: &Report, link: &impl Fn(i64) -> Option<&'l str>) -> Markup {
    let targets: Vec<&str> = distinct_targets(&report.packages);
    let row = |class: &crate::Class| {
        let part = |target: &&str| {
            Some(((*target).to_owned(), colour::target(&targets, target), *class.targets.get(*target)?))
        };
        Row { label: class.class.clone(), parts: targets.iter().filter_map(part).collect() }
    };
    let order: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
    let failed: Vec<&Package> = report
        .packages
        .iter()
        .filter(|package| matches!(package.outcome, Outcome::Failed | Outcome::Unbuildable))
        .collect();
    html! {
        h2 { "Failures" }
        @if failed.is_empty() { p { "None." } } @else {
            (plot::stacked(&report.classes.iter().map(row).collect::<Vec<_>>(), &order, "packages"))
            table {
                tr { th { "package" } th { "version" } th { "architecture" } th { "class" } th { "tried in" } th { "why" } th { "log" } }
                @for package in &failed {
                    tr {
                        td { (package.source) } td { (package.version) } td { (package.target) }
                        td { (package.class.as_deref().unwrap_or("")) }
                        td { (tried(package)) }
                        td.why { (package.reason) }
                        td { @if let Some((number, href)) = package.failure().and_then(|build| Some((build.number, link(build.number)?))) {
                            a href=(href) { "#" (number) }
                        } }
                    }
                }
            }
        }
    }
}

fn modes(report: &Report) -> Markup {
    let row = |modes: &crate::Modes| {
        let part = |(mode, count): &(Rung, usize)| (mode.to_string(), colour::mode(*mode), *count);
        Row { label: modes.target.clone(), parts: modes.modes.iter().map(part).collect() }
    };
    let mut order: Vec<Rung> =
        report.modes.iter().flat_map(|modes| modes.modes.iter().map(|(mode, _)| *mode)).collect();
    order.sort_unstable();
    let order: Vec<String> = order.iter().map(ToString::to_string).collect();
    html! {
        h2 { "Modes that were needed" }
        (plot::stacked(&report.modes.iter().map(row).collect::<Vec<_>>(), &order, "packages built"))
        @if !report.mitigations.is_empty() {
            table {
                tr { th { "after other modes failed" } th.number { "repaired" } th.number { "failed too" } th.number { "CPU time spent" } th { "packages" } }
                @for mitigation in &report.mitigations {
                    tr {
                        td { (mitigation.mode) } td.number { (mitigation.repaired.len()) } td.number { (mitigation.in_vain) }
                        td.number { (duration(mitigation.cpu_ms)) } td.why { (mitigation.repaired.join(", ")) }
                    }
                }
            }
        }
    }
}

fn penalties(report: &Report) -> Markup {
    let mut worst: Vec<(&str, &str, Rung, f64, Baseline)> = report
        .penalties
        .iter()
        .flat_map(|of| {
            of.packages.iter().map(move |(name, times)| (&**name, &*of.target, of.mode, *times, of.baseline))
        })
        .collect();
    worst.sort_by(|one, other| other.3.total_cmp(&one.3));
    html! {
        h2 { "What emulation costs" }
        @if report.penalties.is_empty() {
            p { "No package was built both natively and otherwise, and no native times were imported (archmill import-times)." }
        } @else {
            (plot::penalties(&report.penalties))
            table {
                tr { th { "architecture" } th { "mode" } th.number { "packages" } th.number { "least" } th.number { "median" } th.number { "geometric mean" } th.number { "most" } th { "beside" } }
                @for of in &report.penalties {
                    tr {
                        td { (of.target) } td { (of.mode) } td.number { (of.distribution.count) }
                        td.number { (times(of.distribution.least)) } td.number { (times(of.distribution.median)) }
                        td.number { (times(of.distribution.mean)) } td.number { (times(of.distribution.most)) }
                        td { (of.baseline.words()) }
                    }
                }
            }
            h3 { "The worst " (worst.len().min(WORST)) }
            table {
                tr { th { "package" } th { "architecture" } th { "mode" } th.number { "times native" } th { "beside" } }
                @for (name, target, mode, factor, baseline) in worst.iter().take(WORST) {
                    tr { td { (name) } td { (target) } td { (mode) } td.number { (times(*factor)) } td { (baseline.words()) } }
                }
            }
        }
    }
}

fn machines(report: &Report) -> Markup {
    let time = &report.time;
    html! {
        h2 { "Time and machines" }
        (plot::timeline(&time.spans, time.slots))
        table {
            tr { th { "makespan" } td.number { (duration(time.makespan_ms)) } td { (time.runs) " run(s)" } }
            tr { th { "slots in use, together" } td.number { (duration(time.slot_ms)) } td { "of at most " (time.slots) " at a time" } }
            tr { th { "CPU time for what was built" } td.number { (duration(time.cpu_built_ms)) } td {} }
            tr { th { "CPU time for what failed" } td.number { (duration(time.cpu_failed_ms)) } td {} }
            tr { th { "CPU time for nothing" } td.number { (duration(time.cpu_lost_ms)) } td { "mirror, host, killed, or built again" } }
            @if let Some((share, processors)) = time.use_of_processors.zip(time.processors) {
                tr { th { "processors in use" } td.number { (format!("{:.0} %", share * 100.0)) }
                    td { "CPU time of what was built or failed, over makespan times " (processors) " processors" } }
            }
            @if let Some(pole) = &time.pole {
                tr { th { "long pole" } td.number { (duration(pole.alone_ms)) } td { (pole.source) " " (pole.target) " ran alone at the end" } }
            }
        }
    }
}

/// What a reader must know that is in no other number.
fn left_out(report: &Report) -> Markup {
    let left: Vec<&Package> =
        report.packages.iter().filter(|package| package.outcome == Outcome::Left).collect();
    html! {
        @if !report.nocheck.is_empty() {
            h2 { "Built without their tests" }
            p { (report.nocheck.join(", ")) }
        }
        @if !left.is_empty() {
            h2 { "Left alone" }
            table {
                tr { th { "package" } th { "architecture" } th { "state" } th { "why" } }
                @for package in left {
                    tr { td { (package.source) } td { (package.target) } td { (package.state) } td.why { (package.reason) } }
                }
            }
        }
    }
}

/// Modes in which the last version was tried.
fn tried(package: &Package) -> String {
    let mut modes: Vec<String> = Vec::new();
    for build in package.builds.iter().filter(|build| build.version == package.version) {
        let mode = build.mode.to_string();
        if !modes.contains(&mode) {
            modes.push(mode);
        }
    }
    modes.join(", ")
}

fn distinct_targets(packages: &[Package]) -> Vec<&str> {
    let targets: std::collections::BTreeSet<&str> = packages.iter().map(|package| &*package.target).collect();
    targets.into_iter().collect()
}

fn times(factor: f64) -> String {
    if factor < 10.0 { format!("{factor:.2}") } else { format!("{factor:.1}") }
}
