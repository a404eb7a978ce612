//! Makespan, machine hours, and what CPU time went into.

use archmill_plan::Moment;
use archmill_plan::ladder::Rung;
use archmill_store::{BuildRow, EndKind, PackageRow};
use serde::{Deserialize, Serialize};

use crate::Memory;
use crate::share::Outcome;

/// Time and machines of all rebuilds of a farm together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// Time in which a rebuild ran.
    pub makespan_ms: u64,
    /// Rebuilds, interrupted ones included.
    pub runs: usize,
    /// Most slots that there were.
    pub slots: u32,
    /// Processors of the host, in the last run that noted them.
    pub processors: Option<u32>,
    /// Slots that were in use, times how long.
    pub slot_ms: u64,
    /// CPU time of builds that made what there is.
    pub cpu_built_ms: u64,
    /// CPU time of builds that failed for a fault of their packages, on whatever mode.
    pub cpu_failed_ms: u64,
    /// CPU time of builds that came to nothing, or were superseded by a later build of the same version.
    pub cpu_lost_ms: u64,
    /// CPU time of builds that count (built or failed) over processors and makespan.
    pub use_of_processors: Option<f64>,
    /// The build at the end that had the machine for itself.
    pub pole: Option<Pole>,
    /// Every build that ended, in milliseconds since the first began.
    pub spans: Vec<Span>,
}

/// A single build at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pole {
    /// Its source package.
    pub source: String,
    /// Its architecture.
    pub target: String,
    /// How long nothing else ran.
    pub alone_ms: u64,
}

/// When a build ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its number.
    pub number: i64,
    /// Its mode.
    pub mode: Rung,
    /// Its slots.
    pub slots: u32,
    /// Its start.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn time(memory: &Memory, now: Moment) -> Time {
    let ended: Vec<(&BuildRow, Moment)> =
        memory.builds.iter().filter_map(|build| Some((build, build.end.as_ref()?.at))).collect();
    let begin = memory.runs.first().map_or(Moment(0), |run| run.started);
    // A run that was killed was at work until its last build ended, or the one after it began.
    let run_end = |place: usize| {
        let run = memory.runs.get(place)?;
        let last = ended.iter().filter(|(build, _)| build.new.run == run.id).map(|(_, at)| *at).max();
        let is_last = place + 1 == memory.runs.len();
        let is_running =
            is_last && memory.builds.iter().any(|build| build.new.run == run.id && build.end.is_none());
        Some(run.ended.or(is_running.then_some(now)).or(last).unwrap_or(run.started))
    };
    let makespan_ms = union(
        (0..memory.runs.len())
            .filter_map(|place| Some((memory.runs.get(place)?.started.0, run_end(place)?.0))),
    );
    let mut spans = Vec::new();
    let mut time = Time {
        makespan_ms,
        runs: memory.runs.len(),
        slots: memory.runs.iter().filter_map(|run| run.slots).max().unwrap_or(0),
        processors: memory.runs.iter().rev().find_map(|run| run.processors),
        slot_ms: 0,
        cpu_built_ms: 0,
        cpu_failed_ms: 0,
        cpu_lost_ms: 0,
        use_of_processors: None,
        pole: pole(memory, &ended),
        spans: Vec::new(),
    };
    for (place, (build, at)) in ended.iter().enumerate() {
        let span = Span {
            number: build.id.0,
            mode: build.new.rung,
            slots: build.new.width,
            from_ms: build.new.started.since(begin).as_millis().try_into().unwrap_or(u64::MAX),
            to_ms: at.since(begin).as_millis().try_into().unwrap_or(u64::MAX),
        };
        time.slot_ms += (span.to_ms - span.from_ms.min(span.to_ms)) * u64::from(span.slots);
        spans.push(span);
        let Some(end) = &build.end else { continue };
        let cpu = end.cpu.map_or(0, |cpu| u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX));
        let is_superseded = || {
            let later = ended.iter().skip(place + 1).map(|(later, _)| later);
            later.into_iter().any(|later| {
                later.new.package == build.new.package
                    && later.new.version == build.new.version
                    && later.end.as_ref().is_some_and(|end| end.kind == EndKind::Built)
            })
        };
        match end.kind {
            EndKind::Built if !is_superseded() => time.cpu_built_ms += cpu,
            EndKind::Failed | EndKind::Unresolvable => time.cpu_failed_ms += cpu,
            _ => time.cpu_lost_ms += cpu,
        }
    }
    time.spans = spans;
    time.use_of_processors = time.processors.filter(|_| makespan_ms > 0).map(|processors| {
        (time.cpu_built_ms + time.cpu_failed_ms) as f64 / (f64::from(processors) * makespan_ms as f64)
    });
    time
}

/// The length of intervals together, what they have in common once.
fn union(intervals: impl Iterator<Item = (u64, u64)>) -> u64 {
    let mut intervals: Vec<_> = intervals.collect();
    intervals.sort_unstable();
    let (mut length, mut reached) = (0, 0);
    for (from, to) in intervals {
        length += to.saturating_sub(from.max(reached));
        reached = reached.max(to);
    }
    length
}

/// None while there is something left to do.
fn pole(memory: &Memory, ended: &[(&BuildRow, Moment)]) -> Option<Pole> {
    let is_open = |row: &PackageRow| Outcome::of(row.state, false) == Outcome::Open;
    if memory.packages.iter().any(is_open) {
        return None;
    }
    let (last, end) = ended.iter().max_by_key(|(_, at)| *at)?;
    let others = ended.iter().filter(|(build, _)| build.id != last.id).map(|(_, at)| *at).max();
    let alone = end.since(others.unwrap_or_default().max(last.new.started));
    let package = memory.packages.iter().find(|package| package.id == last.new.package)?;
    Some(Pole {
        source: package.planned.source.clone(),
        target: package.planned.target.clone(),
        alone_ms: u64::try_from(alone.as_millis()).unwrap_or(u64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_overlap_count_once() {
        assert_eq!(union([(5, 9), (0, 6), (20, 21), (21, 21)].into_iter()), 10);
        assert_eq!(union([].into_iter()), 0);
    }
}
