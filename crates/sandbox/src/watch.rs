//! The limits that the caller watches: time and output.

use std::time::{Duration, Instant};

use crate::sandbox::Canceller;
use crate::spec::{LimitKind, Limits, Status};

/// How long a sandbox may take to end a command that was told to end; then all of it is ended.
const GRACE: Duration = Duration::from_secs(20);

/// How often the kernel is asked.
const ASK: Duration = Duration::from_millis(200);

/// Of one command.
pub(crate) struct Watch {
    limits: Limits,
    pub(crate) began: Instant,
    last_output: Instant,
    logged: u64,
    asked: Instant,
    /// Why it was told to end, and when.
    reached: Option<(Status, Instant)>,
}

impl Watch {
    /// From now on.
    pub(crate) fn new(limits: Limits) -> Self {
        let began = Instant::now();
        Self { limits, began, last_output: began, logged: 0, asked: began, reached: None }
    }

    /// So much output came. Gives how much of it is within the limit.
    pub(crate) fn output(&mut self, count: usize) -> usize {
        self.last_output = Instant::now();
        let room = self.limits.log.map_or(u64::MAX, |limit| limit.saturating_sub(self.logged));
        self.logged += count as u64;
        usize::try_from(room).unwrap_or(usize::MAX).min(count)
    }

    /// Why it was told to end.
    pub(crate) fn reached(&self) -> Option<Status> {
        self.reached.map(|(status, _)| status)
    }

    /// Whether the caller wants an end; then that is why it ended.
    pub(crate) fn cancelled(&mut self, canceller: &Canceller) -> bool {
        if canceller.is_cancelled() {
            self.reached.get_or_insert((Status::Cancelled, Instant::now()));
        }
        canceller.is_cancelled()
    }

    /// Whether it was told to end and does not.
    pub(crate) fn hangs(&self) -> bool {
        self.reached.is_some_and(|(_, when)| when.elapsed() > GRACE)
    }

    /// Whether the command must be ended now; true once. `held` tells which limit the kernel held, if any; it is asked a
    /// few times a second.
    pub(crate) fn due(
        &mut self,
        canceller: &Canceller,
        held: &mut dyn FnMut(&Limits) -> Option<LimitKind>,
    ) -> bool {
        if self.reached.is_some() {
            return false;
        }
        let over =
            |limit: Option<Duration>, since: Instant| limit.is_some_and(|limit| since.elapsed() > limit);
        let mut by_kernel = None;
        if self.asked.elapsed() > ASK {
            self.asked = Instant::now();
            by_kernel = held(&self.limits);
        }
        let status = if canceller.is_cancelled() {
            Status::Cancelled
        } else if over(self.limits.total, self.began) {
            Status::Limit(LimitKind::Total)
        } else if over(self.limits.silence, self.last_output) {
            Status::Limit(LimitKind::Silence)
        } else if self.limits.log.is_some_and(|limit| self.logged > limit) {
            Status::Limit(LimitKind::Log)
        } else if let Some(kind) = by_kernel {
            Status::Limit(kind)
        } else {
            return false;
        };
        self.reached = Some((status, Instant::now()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_output_is_passed_on_than_the_limit_allows() {
        let mut watch = Watch::new(Limits { log: Some(10), ..Limits::default() });
        assert_eq!([watch.output(8), watch.output(8), watch.output(8)], [8, 2, 0]);
        let due = watch.due(&Canceller::default(), &mut |_| None);
        assert!(due && watch.reached() == Some(Status::Limit(LimitKind::Log)));
        assert_eq!(Watch::new(Limits::default()).output(8), 8);
    }
}
