//! How long a mirror is waited for.

use std::time::{Duration, Instant};

use super::error::FetchError;

/// A mirror must send this much in each window of [`Patience`], or it is left.
pub(super) const SLOWEST: u64 = 1024;

/// How long a mirror is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// In each window some bytes must come.
    pub window: Duration,
    /// Before the second try; three times as long before each further one.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { window: Duration::from_secs(30), pause: Duration::from_millis(300) }
    }
}

/// Tells a mirror that sends next to nothing from one that is merely slow.
pub(super) struct Pace {
    window: Duration,
    since: Instant,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, since: Instant::now(), bytes: 0 }
    }

    pub(super) fn check(&mut self, url: &str, count: usize) -> Result<(), FetchError> {
        self.bytes += count as u64;
        if self.since.elapsed() <= self.window {
            return Ok(());
        }
        if self.bytes < SLOWEST {
            return Err(FetchError::TooSlow { url: url.to_owned(), window: self.window });
        }
        *self = Self::new(self.window);
        Ok(())
    }
}
