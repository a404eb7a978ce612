//! Predictions from builds that were made.

use std::time::Duration;

use rustc_hash::FxHashMap;

use super::model::median;
use super::{Model, Penalties, Sample, Traits};
use crate::ids::TargetId;
use crate::ladder::{Mode, Rung};

/// How many builds of a source for a target are kept: enough that one that hung is outvoted.
const KEPT: usize = 5;

/// How many sources must have been built both here and elsewhere before that tells how the machines differ.
const TELLING: usize = 3;

/// Predicts durations; is told of each build.
#[derive(Clone, Debug, Default)]
pub struct Predictor {
    builds: FxHashMap<Box<str>, Vec<Build>>,
    /// Native builds on other machines.
    elsewhere: FxHashMap<Box<str>, Vec<Build>>,
    /// How many times as long builds take here as elsewhere, once that can be told.
    pace: Option<f64>,
    model: Model,
    penalties: Penalties,
}

#[derive(Clone, Copy, Debug)]
struct Build {
    target: TargetId,
    rung: Rung,
    took: Duration,
    traits: Traits,
}

impl Predictor {
    /// With these penalties, and nothing built yet.
    pub fn new(penalties: Penalties) -> Self {
        Self { penalties, ..Self::default() }
    }

    /// The penalties.
    pub fn penalties(&self) -> &Penalties {
        &self.penalties
    }

    /// Takes in a build that succeeded; of a failed one the duration says little, and of one that took no time nothing.
    pub fn learn(&mut self, source: &str, traits: Traits, target: TargetId, rung: Rung, took: Duration) {
        if took.is_zero() {
            return;
        }
        if !self.builds.contains_key(source) {
            self.builds.insert(source.into(), Vec::new());
        }
        let Some(builds) = self.builds.get_mut(source) else { return };
        let alike = |build: &Build| (build.target, build.rung) == (target, rung);
        if builds.iter().filter(|build| alike(build)).count() >= KEPT
            && let Some(oldest) = builds.iter().position(alike)
        {
            builds.remove(oldest);
        }
        builds.push(Build { target, rung, took, traits });
    }

    /// Takes in what a build took natively on another machine. It counts only for sources of which none was built here.
    pub fn learn_elsewhere(&mut self, source: &str, traits: Traits, target: TargetId, took: Duration) {
        let build = Build { target, rung: Mode::Native.rung(), took, traits };
        self.elsewhere.entry(source.into()).or_default().push(build);
    }

    /// Fits the model anew to all that is known. Takes time that grows with the number of sources.
    pub fn fit(&mut self) {
        let pace = self.measure_pace();
        let only_elsewhere = self.elsewhere.iter().filter(|(name, _)| !self.builds.contains_key(*name));
        let here = self.builds.iter().map(|(name, builds)| (name, builds, 1.0));
        let mut sources: Vec<_> =
            here.chain(only_elsewhere.map(|(name, builds)| (name, builds, pace.unwrap_or(1.0)))).collect();
        // Sums of floating-point numbers depend on their order.
        sources.sort_unstable_by_key(|(name, ..)| *name);
        let samples: Vec<Sample> = sources
            .into_iter()
            .flat_map(|(_, builds, pace)| builds.iter().map(move |build| (build, pace)))
            .map(|(build, pace)| Sample {
                traits: build.traits,
                native: self.penalties.revert(build.took, build.rung).mul_f64(pace),
            })
            .collect();
        self.pace = pace;
        self.model = Model::fit(&samples);
    }

    /// The median over the sources that were built both here and elsewhere.
    fn measure_pace(&self) -> Option<f64> {
        let native = |builds: &[Build]| {
            let mut took: Vec<f64> = builds
                .iter()
                .map(|build| self.penalties.revert(build.took, build.rung).as_secs_f64())
                .filter(|seconds| *seconds > 0.0)
                .collect();
            median(&mut took)
        };
        let both = self
            .elsewhere
            .iter()
            .filter_map(|(name, builds)| Some(native(self.builds.get(name)?)? / native(builds)?));
        let mut ratios: Vec<f64> = both.collect();
        (ratios.len() >= TELLING).then(|| median(&mut ratios)).flatten()
    }

    /// What a build takes on a rung.
    pub fn predict(&self, source: &str, traits: Traits, target: TargetId, rung: Rung) -> Duration {
        let modelled = || self.penalties.apply(self.model.native(traits), rung);
        self.remember(source, target, rung).unwrap_or_else(modelled)
    }

    /// What a build takes on a rung by those of the same source that were made; `None` if there is none.
    pub fn remember(&self, source: &str, target: TargetId, rung: Rung) -> Option<Duration> {
        let on_rung =
            |build: &Build| self.penalties.apply(self.penalties.revert(build.took, build.rung), rung);
        let here = |fits: &dyn Fn(&Build) -> bool| middle(self.builds.get(source)?, fits, &on_rung);
        let elsewhere = |fits: &dyn Fn(&Build) -> bool| {
            let pace = self.pace.unwrap_or(1.0);
            middle(self.elsewhere.get(source)?, fits, &on_rung).map(|took| took.mul_f64(pace))
        };
        here(&|build| build.target == target && build.rung == rung)
            .or_else(|| here(&|build| build.target == target))
            .or_else(|| here(&|_| true))
            .or_else(|| elsewhere(&|build| build.target == target))
            .or_else(|| elsewhere(&|_| true))
    }
}

/// What the middle one of those builds that fit took, as `took` counts.
fn middle(
    builds: &[Build],
    fits: &dyn Fn(&Build) -> bool,
    took: &dyn Fn(&Build) -> Duration,
) -> Option<Duration> {
    let mut took: Vec<Duration> = builds.iter().filter(|build| fits(build)).map(took).collect();
    let middle = took.len() / 2;
    (!took.is_empty()).then(|| *took.select_nth_unstable(middle).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Traits = Traits { source_bytes: 100 << 10, installs: 5 };

    fn target(index: usize) -> TargetId {
        TargetId::new(index).unwrap()
    }

    #[test]
    fn the_same_build_counts_more_than_others_of_the_source() {
        let mut predictor = Predictor::default();
        let seconds = Duration::from_secs;
        predictor.learn("dash", SMALL, target(0), Mode::Native.rung(), seconds(20));
        let emulated = |predictor: &Predictor| {
            predictor.predict("dash", SMALL, target(1), Mode::Emulated.rung()).as_secs()
        };
        assert_eq!(emulated(&predictor), 90, "4.5 times the native build for the other target");
        predictor.learn("dash", SMALL, target(1), Mode::Emulated.rung(), seconds(300));
        assert_eq!(emulated(&predictor), 300);
    }

    #[test]
    fn one_build_that_hung_is_outvoted() {
        let mut predictor = Predictor::default();
        for seconds in [20, 86_400, 22, 21] {
            let took = Duration::from_secs(seconds);
            predictor.learn("dash", SMALL, target(0), Mode::Native.rung(), took);
        }
        let predicted = predictor.predict("dash", SMALL, target(0), Mode::Native.rung());
        assert!(predicted.as_secs() <= 22, "{predicted:?}");
    }

    #[test]
    fn times_from_elsewhere_count_until_it_is_built_here() {
        let mut predictor = Predictor::default();
        let seconds = Duration::from_secs;
        for (number, took) in [(1, 100), (2, 1000), (3, 40), (4, 500)] {
            predictor.learn_elsewhere(&format!("p{number}"), SMALL, target(1), seconds(took));
        }
        predictor.fit();
        let native = |predictor: &Predictor, source: &str, of: usize| {
            predictor.predict(source, SMALL, target(of), Mode::Native.rung()).as_secs()
        };
        assert_eq!(native(&predictor, "p4", 1), 500);
        assert_eq!(native(&predictor, "p4", 0), 500, "another target's is nearer than the model");
        // Three were built here as well, in half of the time.
        for (number, took) in [(1, 50), (2, 500), (3, 20)] {
            predictor.learn(&format!("p{number}"), SMALL, target(1), Mode::Native.rung(), seconds(took));
        }
        predictor.fit();
        assert_eq!(native(&predictor, "p2", 1), 500);
        assert_eq!(native(&predictor, "p4", 1), 250);
    }

    #[test]
    fn what_was_never_built_is_predicted_from_what_was() {
        let mut predictor = Predictor::default();
        for number in 1..50u64 {
            let traits = Traits { source_bytes: number << 20, installs: 20 };
            let took = Duration::from_secs(number * 60);
            predictor.learn(&format!("p{number}"), traits, target(0), Mode::Native.rung(), took);
        }
        predictor.fit();
        let traits = Traits { source_bytes: 25 << 20, installs: 20 };
        let predicted = predictor.predict("new", traits, target(0), Mode::Native.rung()).as_secs();
        assert!((1200..1800).contains(&predicted), "{predicted}");
    }
}
