//! Predictions from builds that were made.

use std::time::Duration;

use rustc_hash::FxHashMap;

use super::{Model, Penalties, Sample, Traits};
use crate::ids::TargetId;
use crate::ladder::Rung;

/// How many builds of a source for a target are kept: enough that one that hung is outvoted.
const KEPT: usize = 5;

/// Predicts durations; is told of each build.
#[derive(Clone, Debug, Default)]
pub struct Predictor {
    builds: FxHashMap<Box<str>, Vec<Build>>,
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

    /// Takes in a build that succeeded; of a failed one the duration says little.
    pub fn learn(&mut self, source: &str, traits: Traits, target: TargetId, rung: Rung, took: Duration) {
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

    /// Fits the model anew to all that is known. Takes time that grows with the number of sources.
    pub fn fit(&mut self) {
        let mut names: Vec<&Box<str>> = self.builds.keys().collect();
        // Sums of floating-point numbers depend on their order.
        names.sort_unstable();
        let samples: Vec<Sample> = names
            .into_iter()
            .flat_map(|name| &self.builds[name])
            .map(|build| Sample {
                traits: build.traits,
                native: self.penalties.revert(build.took, build.rung),
            })
            .collect();
        self.model = Model::fit(&samples);
    }

    /// What a build takes on a rung.
    pub fn predict(&self, source: &str, traits: Traits, target: TargetId, rung: Rung) -> Duration {
        let builds = self.builds.get(source).map(Vec::as_slice).unwrap_or_default();
        let of = |fits: &dyn Fn(&Build) -> bool| {
            let mut took: Vec<Duration> = builds
                .iter()
                .filter(|build| fits(build))
                .map(|build| self.penalties.apply(self.penalties.revert(build.took, build.rung), rung))
                .collect();
            let middle = took.len() / 2;
            (!took.is_empty()).then(|| *took.select_nth_unstable(middle).1)
        };
        of(&|build| build.target == target && build.rung == rung)
            .or_else(|| of(&|build| build.target == target))
            .or_else(|| of(&|_| true))
            .unwrap_or_else(|| self.penalties.apply(self.model.native(traits), rung))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::Mode;

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
