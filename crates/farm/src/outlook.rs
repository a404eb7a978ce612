//! When a rebuild will be done.

use std::time::Duration;

use archmill_plan::Moment;
use archmill_plan::scheduler::{Build, MachineId, Scheduler};

/// Bounds hold four times out of five: so many standard deviations of a normal distribution.
const BOUND: f64 = 1.28;
/// After fewer builds there is nothing to tell bounds by.
const FEWEST: usize = 3;

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// How long it will take.
    pub left: Duration,
    /// The least and the most, four times out of five, if what is to come is as well predicted as what was.
    pub bounds: Option<(Duration, Duration)>,
}

/// How well durations were predicted so far.
#[derive(Debug, Default)]
pub(crate) struct Outlook {
    /// Logarithms of what builds took over what they were predicted to take.
    errors: Vec<f64>,
}

impl Outlook {
    /// A build that succeeded.
    pub(crate) fn learn(&mut self, build: &Build, wall: Duration) {
        let took = wall.as_secs_f64().max(1.0);
        self.errors.push((took / build.expected.as_secs_f64().max(1.0)).ln());
    }

    /// `None` if nothing is left, or there are no slots to do it in.
    pub(crate) fn forecast(&self, scheduler: &Scheduler, now: Moment) -> Option<Forecast> {
        let slots: u32 =
            (0..=u8::MAX).map_while(|place| scheduler.slots(MachineId(place))).map(|(slots, _)| slots).sum();
        let mut works: Vec<f64> = Vec::new();
        let mut longest = 0.0_f64;
        let mut errors = self.errors.clone();
        for (job, _) in scheduler.graph().jobs().filter(|(job, _)| !scheduler.state(*job).is_final()) {
            let predicted = scheduler.predicted(job).as_secs_f64();
            let work = match scheduler.state(job).build() {
                None => predicted,
                Some(build) => {
                    let took = now.since(build.since).as_secs_f64();
                    if took > build.expected.as_secs_f64() {
                        // It is not known yet how wrong that was, and so much it is.
                        errors.push((took / build.expected.as_secs_f64().max(1.0)).ln());
                    }
                    yet_to_come(predicted.max(build.expected.as_secs_f64()), took)
                }
            };
            longest = longest.max(scheduler.paths().to_end[job.index()].as_secs_f64() - predicted + work);
            works.push(work);
        }
        if slots == 0 || works.is_empty() {
            return None;
        }
        let spread_out = works.iter().sum::<f64>() / f64::from(slots);
        // What ends last, and is not spread out over slots, is one build after the other.
        let independent = if longest > spread_out { 1.0 } else { effective(&works) };
        Some(judge(&errors, spread_out.max(longest), independent))
    }
}

/// What a build has still to do that was predicted to take `expected` and has taken `took` seconds. The longer one is late, the
/// longer it will be: half as long again as it took.
fn yet_to_come(expected: f64, took: f64) -> f64 {
    (expected - took).max(if took > expected { took / 2.0 } else { 0.0 })
}

/// How many equal builds would even out as much as these.
fn effective(works: &[f64]) -> f64 {
    let (sum, squares) =
        works.iter().fold((0.0, 0.0), |(sum, squares), work| (sum + work, squares + work * work));
    if squares > 0.0 { (sum * sum / squares).max(1.0) } else { 1.0 }
}

#[allow(clippy::cast_precision_loss)]
fn judge(errors: &[f64], left: f64, independent: f64) -> Forecast {
    let of = |seconds: f64| Duration::from_secs_f64(seconds.clamp(0.0, 1e9));
    if errors.len() < FEWEST {
        return Forecast { left: of(left), bounds: None };
    }
    let count = errors.len() as f64;
    let mean = errors.iter().sum::<f64>() / count;
    let spread = (errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
    // What all builds have in common was seen on those that are done; the rest evens out over those that are not.
    let doubt = BOUND * spread * (1.0 / count + 1.0 / independent).sqrt();
    let at = |sign: f64| of(left * (mean + sign * doubt).exp());
    Forecast { left: at(0.0), bounds: Some((at(-1.0), at(1.0))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(errors: &[f64], independent: f64) -> Forecast {
        judge(errors, 100.0, independent)
    }

    #[test]
    fn a_late_build_will_be_later_still() {
        let about = |expected: f64, took: f64, left: f64| (yet_to_come(expected, took) - left).abs() < 1e-9;
        assert!(about(30.0, 0.0, 30.0));
        assert!(about(30.0, 29.0, 1.0));
        assert!(about(30.0, 300.0, 150.0));
    }

    #[test]
    fn one_long_build_among_short_ones_does_not_even_out() {
        assert!((effective(&[5.0; 8]) - 8.0).abs() < 1e-9);
        assert!(effective(&[1000.0, 1.0, 1.0, 1.0]) < 1.1);
        assert!((effective(&[0.0]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_predicted_too_short_makes_what_is_to_come_longer() {
        assert_eq!(after(&[0.7, 0.7], 5.0), Forecast { left: Duration::from_secs(100), bounds: None });
        let twice = after(&[2f64.ln(); 4], 5.0);
        assert_eq!(twice.left.as_millis().div_ceil(1000), 200);
        assert_eq!(twice.bounds, Some((twice.left, twice.left)), "all were wrong in the same way");
    }

    #[test]
    fn bounds_come_closer_the_more_is_known_and_the_more_there_is_to_do() {
        let width = |forecast: Forecast| {
            let (least, most) = forecast.bounds.unwrap();
            assert!(least < forecast.left && forecast.left < most);
            most.saturating_sub(least)
        };
        let errors = [-0.5, 0.5, -0.5, 0.5, -0.5, 0.5, -0.5, 0.5];
        assert!(width(after(&errors, 1.0)) > width(after(&errors, 50.0)));
        assert!(width(after(&errors[..4], 50.0)) > width(after(&errors, 50.0)));
    }
}
