//! The report of a rebuild: from what a farm remembers to numbers, a table, and a page with plots.
//!
//! [`Report::new`] computes; the rest only writes down what it found. No I/O: whoever calls reads the store and writes the
//! files. *Invariant*: the JSON is the whole report, so a page or a comparison can be made of one that was kept.
#![forbid(unsafe_code)]

mod compare;
mod html;
mod mitigation;
mod package;
mod penalty;
mod share;
mod table;
mod text;
mod time;
mod times;

pub use compare::{Change, Comparison};
pub use html::page;
pub use mitigation::Mitigation;
pub use package::{Baseline, Built, Package, Penalty};
pub use penalty::{Distribution, Penalties};
pub use share::{Cell, Class, Modes, Outcome};
pub use table::csv;
pub use text::text;
pub use time::{Pole, Span, Time};
pub use times::{JobHistory, TimesError, job_history, native_times};

use archmill_plan::Moment;
use archmill_store::{BuildRow, NativeTime, PackageRow, RunRow};
use serde::{Deserialize, Serialize};

/// The version of the format.
pub const FORMAT: u32 = 1;

/// What a farm remembers.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The packages of the last plan.
    pub packages: Vec<PackageRow>,
    /// All builds.
    pub builds: Vec<BuildRow>,
    /// All rebuilds.
    pub runs: Vec<RunRow>,
    /// Times of native builds elsewhere.
    pub native: Vec<NativeTime>,
}

/// What came of a rebuild.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`]
    pub format: u32,
    /// When it was made; RFC 3339.
    pub made: String,
    /// What was rebuilt.
    pub suites: Vec<String>,
    /// Builds that run, and count for nothing yet.
    #[serde(default)]
    pub running: usize,
    /// Outcomes by architecture and component.
    pub cells: Vec<Cell>,
    /// Failures by class, the most frequent first.
    pub classes: Vec<Class>,
    /// Modes in which packages were built, by architecture.
    pub modes: Vec<Modes>,
    /// What each mode but the first made possible, and what it cost.
    pub mitigations: Vec<Mitigation>,
    /// What modes cost over native builds, by architecture and mode.
    pub penalties: Vec<Penalties>,
    /// Time and machines.
    pub time: Time,
    /// What changed from another rebuild, if it was compared with one.
    pub against: Option<Comparison>,
    /// Packages that were built without their tests.
    pub nocheck: Vec<String>,
    /// Every package.
    pub packages: Vec<Package>,
}

impl Report {
    /// The report of all that was built until now.
    pub fn new(memory: &Memory, now: Moment) -> Self {
        let packages = package::packages(memory);
        Self {
            format: FORMAT,
            made: date(now),
            suites: distinct(memory.packages.iter().map(|row| row.suite.clone())),
            running: memory.builds.iter().filter(|build| build.end.is_none()).count(),
            cells: share::cells(&packages),
            classes: share::classes(&packages),
            modes: share::modes(&packages),
            mitigations: mitigation::mitigations(&packages),
            penalties: penalty::penalties(&packages),
            time: time::time(memory, now),
            against: None,
            nocheck: distinct(
                packages.iter().filter(|package| package.nocheck).map(|package| package.source.clone()),
            ),
            packages,
        }
    }
}

fn distinct(values: impl Iterator<Item = String>) -> Vec<String> {
    values.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn date(moment: Moment) -> String {
    let millis = i64::try_from(moment.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| String::new(), |at| format!("{at:.0}"))
}
