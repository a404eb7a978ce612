//! The report in a terminal.

use std::fmt::Write as _;

use crate::Report;
use crate::share::Outcome;

/// So many of the worst are named.
pub(crate) const WORST: usize = 20;

/// A summary.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out, "{}: {} packages", report.suites.join(", "), report.packages.len())?;
    if report.running > 0 {
        writeln!(out, "  {} builds run, and count for nothing yet", report.running)?;
    }
    for cell in &report.cells {
        let outcomes: Vec<String> = Outcome::ALL
            .iter()
            .filter_map(|outcome| Some(format!("{} {}", outcome.words(), cell.outcomes.get(outcome)?)))
            .collect();
        writeln!(out, "  {} {}: {}", cell.target, cell.component, outcomes.join(", "))?;
    }
    if !report.classes.is_empty() {
        writeln!(out, "failures:")?;
    }
    for class in &report.classes {
        let targets: Vec<String> =
            class.targets.iter().map(|(target, count)| format!("{target} {count}")).collect();
        writeln!(out, "  {}: {} ({})", class.class, class.total(), targets.join(", "))?;
    }
    for modes in &report.modes {
        let of: Vec<String> = modes.modes.iter().map(|(mode, count)| format!("{mode} {count}")).collect();
        writeln!(out, "built for {} in modes: {}", modes.target, of.join(", "))?;
    }
    for mitigation in &report.mitigations {
        writeln!(
            out,
            "{} repaired {} packages that had failed in another mode, failed for {} and took {} of CPU time",
            mitigation.mode,
            mitigation.repaired.len(),
            mitigation.in_vain,
            duration(mitigation.cpu_ms)
        )?;
    }
    for penalties in &report.penalties {
        let of = penalties.distribution;
        writeln!(
            out,
            "{} {} takes {:.1} times as long as native ({}): {:.1} to {:.1}, half of {} packages at most {:.1}",
            penalties.target,
            penalties.mode,
            of.mean,
            penalties.baseline.words(),
            of.least,
            of.most,
            of.count,
            of.median
        )?;
    }
    let emulated = report.packages.iter().filter_map(|package| package.success());
    let emulated = emulated.filter(|build| build.compiler_emulated).count();
    if emulated > 0 {
        writeln!(
            out,
            "{emulated} of the accelerated builds had their compiler emulated, as its toolchain was not made yet; they count for no penalty"
        )?;
    }
    let time = &report.time;
    writeln!(
        out,
        "{} in {} run(s), {} of slots in use; CPU time: {} for what was built, {} for what failed, {} for nothing",
        duration(time.makespan_ms),
        time.runs,
        duration(time.slot_ms),
        duration(time.cpu_built_ms),
        duration(time.cpu_failed_ms),
        duration(time.cpu_lost_ms)
    )?;
    if let Some((share, processors)) = time.use_of_processors.zip(time.processors) {
        writeln!(out, "builds that count used {:.0} % of {processors} processors", share * 100.0)?;
    }
    if let Some(pole) = &time.pole {
        writeln!(out, "{} {} ran alone for the last {}", pole.source, pole.target, duration(pole.alone_ms))?;
    }
    if !report.nocheck.is_empty() {
        writeln!(out, "without their tests: {}", report.nocheck.join(", "))?;
    }
    let Some(comparison) = &report.against else { return Ok(()) };
    writeln!(
        out,
        "against the report of {}: {} regressions, {} repairs, {} packages gone",
        comparison.other,
        comparison.regressions.len(),
        comparison.repairs.len(),
        comparison.removed.len()
    )?;
    for change in &comparison.regressions {
        writeln!(
            out,
            "  {} {} ({} to {}) is not built any more: {}",
            change.source, change.target, change.versions.0, change.versions.1, change.reason
        )?;
    }
    for change in &comparison.repairs {
        writeln!(out, "  {} {} is built again", change.source, change.target)?;
    }
    Ok(())
}

/// Seconds, minutes or hours, whichever says enough.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5999 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}
