//! Points in time.

use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time, in milliseconds from a beginning that whoever drives the scheduler chooses (a farm: the Unix epoch).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment(pub u64);

impl TryFrom<i64> for Moment {
    type Error = std::num::TryFromIntError;

    /// As databases have it.
    fn try_from(milliseconds: i64) -> Result<Self, Self::Error> {
        u64::try_from(milliseconds).map(Self)
    }
}

impl Moment {
    /// Time since an earlier moment; none where that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(millis(time)))
    }
}

/// Whole milliseconds; a time that is too long for them counts as the longest.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
