//! What a farm may choose.

use std::time::Duration;

use super::Policy;
use crate::ladder::Ladder;
use crate::rebuild::Strategy;

/// Settings of a scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where builds run.
    pub policy: Policy,
    /// Modes of emulated builds, in order.
    pub ladder: Ladder,
    /// What makes the packages that need another be built again.
    pub strategy: Strategy,
    /// Retries of what failed for no fault of the package.
    pub retry: Backoff,
    /// How long a package whose inputs change is left alone, so that many changes make one rebuild.
    pub settle: Settle,
    /// Most slots that one build is given.
    pub max_width: u32,
    /// Builds that are predicted to be shorter than this are never given more than one slot.
    pub wide_from: Duration,
}

/// Doubling delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Before the first retry.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

/// A quiet period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settle {
    /// So long nothing must have changed.
    pub quiet: Duration,
    /// But no longer than this after the first change.
    pub longest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            ladder: Ladder::emulated(),
            strategy: Strategy::default(),
            retry: Backoff { first: Duration::from_mins(1), longest: Duration::from_hours(1) },
            settle: Settle { quiet: Duration::from_mins(5), longest: Duration::from_hours(1) },
            max_width: 1,
            wide_from: Duration::from_mins(10),
        }
    }
}

impl Backoff {
    /// The delay before retry number `retry`, counted from 1.
    pub fn delay(&self, retry: u32) -> Duration {
        let factor = 1u32.checked_shl(retry.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let delay = |retry| Settings::default().retry.delay(retry).as_secs();
        assert_eq!([1, 2, 3, 7, 8, 40].map(delay), [60, 120, 240, 3600, 3600, 3600]);
    }
}
