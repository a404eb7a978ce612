//! A world like the one that a farm has seen.

use std::collections::BTreeMap;
use std::time::Duration;

use super::truth::{Trouble, growth, middle_growth};
use super::{Truth, World};
use crate::graph::Graph;
use crate::ids::JobId;
use crate::ladder::{Mode, Rung};
use crate::predict::{Penalties, Traits, median};

/// What became of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenEnd {
    /// It was built.
    Built,
    /// It failed.
    Failed,
    /// It came to nothing for no fault of the package.
    Transient,
}

/// A build of a farm's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Source package.
    pub source: String,
    /// What it was built for.
    pub target: String,
    /// Size of its source, if known.
    pub traits: Option<Traits>,
    /// How it was run.
    pub rung: Rung,
    /// How long it took, as if it had had one slot.
    pub took: Duration,
    /// What became of it.
    pub end: SeenEnd,
}

/// What a farm's records say about builds that are yet to come.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Builds that were looked at.
    pub builds: usize,
    /// Sources of which one was built.
    pub sources: usize,
    /// What modes cost.
    pub penalties: Penalties,
    /// What a source takes natively in the median, over that which its size lets expect: logarithm of seconds.
    offset: f64,
    /// Standard deviation of that.
    pub unexplained: f64,
    /// Of builds.
    transient: f64,
    /// Of sources for a target.
    troubles: BTreeMap<Trouble, f64>,
    of_job: BTreeMap<(String, String), (Option<Duration>, Trouble)>,
}

/// Fewer pairs than this say nothing about a mode.
const FEWEST: usize = 3;

impl Fit {
    /// Builds are in the order in which they were started; `fallback` has what they do not tell.
    ///
    /// `None` if no build succeeded.
    pub fn new(seen: &[Seen], fallback: &World) -> Option<Self> {
        let built =
            || seen.iter().filter(|build| build.end == SeenEnd::Built && build.rung.mode != Mode::Imported);
        let penalties = penalties(built(), fallback.penalties);
        let mut natively: BTreeMap<&str, (Vec<f64>, Option<Traits>)> = BTreeMap::new();
        for build in built() {
            let (took, traits) = natively.entry(&build.source).or_default();
            took.push(seconds(penalties.revert(build.took, build.rung)).ln());
            *traits = traits.or(build.traits);
        }
        let residuals =
            natively.values_mut().filter_map(|(took, traits)| Some(median(took)? - growth((*traits)?)));
        let mut residuals: Vec<f64> = residuals.collect();
        let offset = median(&mut residuals)?;
        let mut deviations: Vec<f64> = residuals.iter().map(|residual| (residual - offset).abs()).collect();
        // Of a normal distribution the median deviation is 0.6745 spreads.
        let unexplained = median(&mut deviations)? / 0.6745;
        let sources = natively.len();
        let of_job = of_job(seen, &penalties);
        let part = |count: usize, of: usize| ratio(count, of);
        let kinds = [Trouble::Fails, Trouble::NeedsPatience, Trouble::NeedsOtherQemu, Trouble::NeedsNative];
        let troubles = kinds.map(|kind| {
            (kind, part(of_job.values().filter(|(_, trouble)| *trouble == kind).count(), of_job.len()))
        });
        let transient = seen.iter().filter(|build| build.end == SeenEnd::Transient).count();
        Some(Self {
            builds: seen.len(),
            sources,
            penalties,
            offset,
            unexplained,
            transient: part(transient, seen.len()),
            troubles: troubles.into_iter().collect(),
            of_job,
        })
    }

    /// The world for a graph.
    pub fn world(&self, graph: &Graph, fallback: &World) -> World {
        let of = |trouble| self.troubles.get(&trouble).copied().unwrap_or_default();
        World {
            median: Duration::from_secs_f64((self.offset + middle_growth(graph)).clamp(0.0, 14.0).exp()),
            unexplained: self.unexplained,
            penalties: self.penalties,
            chances: super::Chances {
                fails: of(Trouble::Fails),
                needs_patience: of(Trouble::NeedsPatience),
                needs_other_qemu: of(Trouble::NeedsOtherQemu),
                needs_native: of(Trouble::NeedsNative),
                transient: self.transient,
            },
            ..*fallback
        }
    }

    /// A world of such a graph: what was built is as it was, all else is drawn.
    pub fn truth(&self, graph: &Graph, fallback: &World) -> Truth {
        let mut truth = Truth::new(self.world(graph, fallback), graph);
        for (id, job) in graph.jobs().filter(|(_, job)| !job.source.is_empty()) {
            let key = (job.source.to_string(), graph.target(job.target).to_string());
            if let Some((native, trouble)) = self.of_job.get(&key) {
                truth.set(id, *native, *trouble);
            }
        }
        truth
    }

    /// Which jobs of a graph were built before.
    pub fn known<'g>(&'g self, graph: &'g Graph) -> impl Iterator<Item = JobId> + 'g {
        graph.jobs().filter_map(|(id, job)| {
            let key = (job.source.to_string(), graph.target(job.target).to_string());
            self.of_job.contains_key(&key).then_some(id)
        })
    }
}

/// What the last build of each source for each target took natively, and what was the trouble with it.
fn of_job(seen: &[Seen], penalties: &Penalties) -> BTreeMap<(String, String), (Option<Duration>, Trouble)> {
    let mut of_job: BTreeMap<(String, String), (Option<Duration>, Trouble)> = BTreeMap::new();
    for build in seen.iter().filter(|build| build.end != SeenEnd::Transient) {
        let key = (build.source.clone(), build.target.clone());
        let entry = of_job.entry(key).or_insert((None, Trouble::None));
        if build.end == SeenEnd::Failed {
            entry.1 = Trouble::Fails;
            continue;
        }
        entry.1 = match build.rung {
            Rung { mode: Mode::Imported, .. } => Trouble::Fails,
            Rung { patient: true, .. } => Trouble::NeedsPatience,
            Rung { mode: Mode::OtherQemu, .. } => Trouble::NeedsOtherQemu,
            _ => Trouble::None,
        };
        if build.rung.mode != Mode::Imported {
            entry.0 = Some(penalties.revert(build.took, build.rung));
        }
    }
    of_job
}

/// Geometric means over sources that were built natively as well.
fn penalties<'s>(built: impl Iterator<Item = &'s Seen>, fallback: Penalties) -> Penalties {
    let mut by_source: BTreeMap<&str, BTreeMap<Rung, Vec<f64>>> = BTreeMap::new();
    for build in built {
        let of = by_source.entry(&build.source).or_default();
        of.entry(build.rung).or_default().push(seconds(build.took).ln());
    }
    let mut ratio = |rung: Rung, over: Rung| {
        let of = by_source.values_mut().filter_map(|builds| {
            let base = median(builds.get_mut(&over)?)?;
            Some(median(builds.get_mut(&rung)?)? - base)
        });
        let logs: Vec<f64> = of.collect();
        let count = u32::try_from(logs.len()).unwrap_or(u32::MAX);
        (logs.len() >= FEWEST).then(|| (logs.iter().sum::<f64>() / f64::from(count)).exp())
    };
    let native = Mode::Native.rung();
    Penalties {
        accelerated: ratio(Mode::Accelerated.rung(), native).unwrap_or(fallback.accelerated),
        emulated: ratio(Mode::Emulated.rung(), native).unwrap_or(fallback.emulated),
        other_qemu: ratio(Mode::OtherQemu.rung(), native).unwrap_or(fallback.other_qemu),
        patience: fallback.patience,
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64().max(0.1)
}

#[allow(clippy::cast_precision_loss, reason = "there are no 2^52 builds")]
fn ratio(count: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(source: &str, target: &str, rung: Rung, seconds: u64, end: SeenEnd) -> Seen {
        let traits = Some(Traits { source_bytes: 1 << 20, installs: 0 });
        let took = Duration::from_secs(seconds);
        Seen { source: source.to_owned(), target: target.to_owned(), traits, rung, took, end }
    }

    #[test]
    fn what_modes_cost_is_told_by_sources_that_were_built_in_both() {
        let mut builds = Vec::new();
        for (number, factor) in [1, 2, 4].into_iter().enumerate() {
            let source = format!("p{number}");
            builds.push(seen(&source, "amd64", Mode::Native.rung(), 100, SeenEnd::Built));
            builds.push(seen(&source, "arm64", Mode::Accelerated.rung(), 100 * factor, SeenEnd::Built));
        }
        let fit = Fit::new(&builds, &World::default()).unwrap();
        assert!((fit.penalties.accelerated - 2.0).abs() < 1e-9, "the geometric mean: {:?}", fit.penalties);
        assert_eq!(
            fit.penalties.emulated.to_bits(),
            Penalties::default().emulated.to_bits(),
            "nothing tells"
        );
        assert_eq!((fit.builds, fit.sources), (6, 3));
    }

    #[test]
    fn what_was_the_trouble_is_told_by_the_last_build() {
        let patient = Mode::Accelerated.patient();
        let fit = Fit::new(
            &[
                seen("a", "amd64", Mode::Native.rung(), 10, SeenEnd::Built),
                seen("a", "arm64", Mode::Accelerated.rung(), 10, SeenEnd::Failed),
                seen("a", "arm64", patient, 30, SeenEnd::Built),
                seen("b", "amd64", Mode::Native.rung(), 10, SeenEnd::Failed),
                seen("b", "amd64", Mode::Native.rung(), 10, SeenEnd::Transient),
            ],
            &World::default(),
        )
        .unwrap();
        let of = |source: &str, target: &str| fit.of_job[&(source.to_owned(), target.to_owned())].1;
        assert_eq!(
            [of("a", "amd64"), of("a", "arm64"), of("b", "amd64")],
            [Trouble::None, Trouble::NeedsPatience, Trouble::Fails]
        );
        assert!((fit.transient - 0.2).abs() < 1e-9);
        assert!((fit.troubles[&Trouble::Fails] - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn where_nothing_was_built_there_is_nothing_to_tell() {
        let failed = seen("a", "amd64", Mode::Native.rung(), 10, SeenEnd::Failed);
        assert_eq!(Fit::new(&[failed], &World::default()), None);
    }
}
