//! When a rebuild will be done.

use std::time::Duration;

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
    pub(crate) fn forecast(&self, scheduler: &Scheduler) -> Option<Forecast> {
        let slots: u32 =
            (0..=u8::MAX).map_while(|place| scheduler.slots(MachineId(place))).map(|(slots, _)| slots).sum();
        let open = || scheduler.graph().jobs().filter(|(job, _)| !scheduler.state(*job).is_final());
        let count = open().count();
        if slots == 0 || count == 0 {
            return None;
        }
        let left = scheduler.left().as_secs_f64() / f64::from(slots);
        let longest = open().map(|(job, _)| scheduler.paths().to_end[job.index()]).max();
        Some(self.judge(left.max(longest.unwrap_or_default().as_secs_f64()), count))
    }

    #[allow(clippy::cast_precision_loss)]
    fn judge(&self, left: f64, open: usize) -> Forecast {
        let of = |seconds: f64| Duration::from_secs_f64(seconds.min(1e9));
        if self.errors.len() < FEWEST {
            return Forecast { left: of(left), bounds: None };
        }
        let count = self.errors.len() as f64;
        let mean = self.errors.iter().sum::<f64>() / count;
        let spread =
            (self.errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
        // What all builds have in common was seen on those that are done; the rest evens out over those that are not.
        let doubt = BOUND * spread * (1.0 / count + 1.0 / open as f64).sqrt();
        let at = |sign: f64| of(left * (mean + sign * doubt).exp());
        Forecast { left: at(0.0), bounds: Some((at(-1.0), at(1.0))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(errors: &[f64], open: usize) -> Forecast {
        Outlook { errors: errors.to_vec() }.judge(100.0, open)
    }

    #[test]
    fn what_was_predicted_too_short_makes_what_is_to_come_longer() {
        assert_eq!(after(&[0.7, 0.7], 5), Forecast { left: Duration::from_secs(100), bounds: None });
        let twice = after(&[2f64.ln(); 4], 5);
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
        assert!(width(after(&errors, 1)) > width(after(&errors, 50)));
        assert!(width(after(&errors[..4], 50)) > width(after(&errors, 50)));
    }
}
