//! What modes cost over native builds.

use std::collections::BTreeMap;

use archmill_plan::ladder::Rung;
use serde::{Deserialize, Serialize};

use crate::package::{Baseline, Package, Penalty};

/// Penalties of one mode for one architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Penalties {
    /// Architecture.
    pub target: String,
    /// Mode.
    pub mode: Rung,
    /// What they are told against.
    pub baseline: Baseline,
    /// All of them together.
    pub distribution: Distribution,
    /// Packages and their penalties, the worst first.
    pub packages: Vec<(String, f64)>,
}

/// A distribution of factors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many.
    pub count: usize,
    /// The least.
    pub least: f64,
    /// A quarter is at most this.
    pub lower_quartile: f64,
    /// Half is at most this.
    pub median: f64,
    /// Three quarters are at most this.
    pub upper_quartile: f64,
    /// The most.
    pub most: f64,
    /// The geometric mean.
    pub mean: f64,
}

impl Distribution {
    /// Of some factors, unless there are none.
    #[allow(clippy::cast_precision_loss)]
    pub fn of(factors: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = factors.iter().copied().filter(|factor| *factor > 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let count = sorted.len();
        let mean = (sorted.iter().map(|factor| factor.ln()).sum::<f64>() / count as f64).exp();
        let at = |share: f64| quantile(&sorted, share);
        Some(Self {
            count,
            least,
            lower_quartile: at(0.25),
            median: at(0.5),
            upper_quartile: at(0.75),
            most,
            mean,
        })
    }
}

/// Of sorted values, between the two nearest.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len().saturating_sub(1)) as f64;
    let of = |place: f64| sorted.get(place as usize).copied().unwrap_or_default();
    let (low, high) = (of(place.floor()), of(place.ceil()));
    low + (high - low) * place.fract()
}

pub(crate) fn penalties(packages: &[Package]) -> Vec<Penalties> {
    let mut groups: BTreeMap<_, Vec<(&Package, Penalty)>> = BTreeMap::new();
    for package in packages {
        let Some(penalty) = package.penalty else { continue };
        let key = (&*package.target, penalty.mode.to_string(), penalty.baseline);
        groups.entry(key).or_default().push((package, penalty));
    }
    groups.into_values().filter_map(|group| of_group(&group)).collect()
}

fn of_group(group: &[(&Package, Penalty)]) -> Option<Penalties> {
    let (first, penalty) = group.first()?;
    let mut packages: Vec<(String, f64)> =
        group.iter().map(|(package, penalty)| (package.source.clone(), penalty.times)).collect();
    packages.sort_by(|one, other| other.1.total_cmp(&one.1));
    let factors: Vec<f64> = packages.iter().map(|(_, times)| *times).collect();
    Some(Penalties {
        target: first.target.clone(),
        mode: penalty.mode,
        baseline: penalty.baseline,
        distribution: Distribution::of(&factors)?,
        packages,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, clippy::unwrap_used)]

    use super::*;

    #[test]
    fn quartiles_are_between_the_nearest_values() {
        let distribution = Distribution::of(&[4.0, 1.0, 2.0, 8.0]).unwrap();
        assert_eq!(distribution.median, 3.0);
        assert_eq!(distribution.lower_quartile, 1.75);
        assert_eq!((distribution.least, distribution.most), (1.0, 8.0));
        assert!((distribution.mean - 64.0_f64.powf(0.25)).abs() < 1e-9);
        assert_eq!(Distribution::of(&[5.0]).unwrap().upper_quartile, 5.0);
        assert_eq!(Distribution::of(&[]), None);
    }
}
