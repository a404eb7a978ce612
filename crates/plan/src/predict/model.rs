//! Duration from size and dependencies.

use std::time::Duration;

/// What is known of a source before it is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Size of the source package's files, bytes.
    pub source_bytes: u64,
    /// Packages that are installed for its build on top of the base set.
    pub installs: u32,
}

/// A build that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Of a source like this.
    pub traits: Traits,
    /// What it took, or would have taken, natively.
    pub native: Duration,
}

/// `ln(seconds) = a + b ln(KiB of source) + c ln(1 + packages installed)`.
///
/// Durations of builds spread over five orders of magnitude, and their logarithms about normally.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    coefficients: [f64; 3],
    spread: f64,
}

/// As builds of DESIGN's table went natively: a small package 20 s, most of it configure and debhelper, lua5.4 112 s.
const PRIOR: [f64; 3] = [-0.7, 0.55, 0.15];
/// How many builds the prior counts for.
const PRIOR_WEIGHT: f64 = 3.0;
/// Residuals above so many spreads count less (Huber's tuning constant for 95 % efficiency).
const HUBER: f64 = 1.345;
const ROUNDS: usize = 20;

impl Default for Model {
    fn default() -> Self {
        Self { coefficients: PRIOR, spread: 1.0 }
    }
}

// Sizes and times of builds are far below where f64 would lose a millisecond.
#[allow(clippy::cast_precision_loss)]
fn row(traits: Traits) -> [f64; 3] {
    [1.0, (traits.source_bytes as f64 / 1024.0).max(1.0).ln(), (1.0 + f64::from(traits.installs)).ln()]
}

fn dot(one: &[f64; 3], other: &[f64; 3]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

impl Model {
    /// Fits by iteratively reweighted least squares with Huber's weights, drawn to the prior where there is little to
    /// go by.
    pub fn fit(samples: &[Sample]) -> Self {
        let rows: Vec<([f64; 3], f64)> = samples
            .iter()
            .map(|sample| (row(sample.traits), sample.native.as_secs_f64().max(0.1).ln()))
            .collect();
        let mut model = Self::default();
        for _ in 0..ROUNDS {
            let limit = HUBER * model.spread;
            let weight = |residual: f64| if residual.abs() <= limit { 1.0 } else { limit / residual.abs() };
            let (mut left, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
            for at in 0..3 {
                left[at][at] = PRIOR_WEIGHT;
                right[at] = PRIOR_WEIGHT * PRIOR[at];
            }
            for (row, seconds) in &rows {
                let weight = weight(seconds - dot(row, &model.coefficients));
                for at in 0..3 {
                    right[at] += weight * row[at] * seconds;
                    for other in 0..3 {
                        left[at][other] += weight * row[at] * row[other];
                    }
                }
            }
            let coefficients = solve(left, right);
            let mut residuals: Vec<f64> =
                rows.iter().map(|(row, seconds)| (seconds - dot(row, &coefficients)).abs()).collect();
            // Of a normal distribution the median deviation is 0.6745 spreads.
            let spread = median(&mut residuals).map_or(1.0, |deviation| (deviation / 0.6745).max(0.05));
            model = Self { coefficients, spread };
        }
        model
    }

    /// What a build of such a source takes natively: the median.
    pub fn native(&self, traits: Traits) -> Duration {
        Duration::from_secs_f64(dot(&row(traits), &self.coefficients).clamp(0.0, 14.0).exp())
    }

    /// The standard deviation of the logarithm: two thirds of builds are within a factor of `exp(spread)`.
    pub fn spread(&self) -> f64 {
        self.spread
    }
}

/// Cramer's rule; the prior on the diagonal keeps the determinant above zero.
fn solve(left: [[f64; 3]; 3], right: [f64; 3]) -> [f64; 3] {
    let determinant = |m: &[[f64; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    let whole = determinant(&left);
    std::array::from_fn(|column| {
        let mut replaced = left;
        for at in 0..3 {
            replaced[at][column] = right[at];
        }
        determinant(&replaced) / whole
    })
}

/// The middle one; of two in the middle the greater.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(kib: u64, seconds: f64) -> Sample {
        let traits = Traits { source_bytes: kib * 1024, installs: 10 };
        Sample { traits, native: Duration::from_secs_f64(seconds) }
    }

    #[test]
    fn a_law_is_found_in_spite_of_builds_that_hung() {
        let mut samples: Vec<Sample> =
            (1..200u32).map(|n| sample(u64::from(n) * 100, 3.0 * (f64::from(n) * 100.0).sqrt())).collect();
        for hung in samples.iter_mut().step_by(10) {
            hung.native = Duration::from_hours(24);
        }
        let predicted = Model::fit(&samples).native(samples[99].traits).as_secs_f64();
        assert!((270.0..330.0).contains(&predicted), "{predicted}");
    }

    #[test]
    fn without_builds_the_prior_is_what_is_known() {
        let model = Model::fit(&[]);
        let hello = model.native(Traits { source_bytes: 740 << 10, installs: 0 }).as_secs_f64();
        assert!((15.0..60.0).contains(&hello), "{hello}");
    }
}
