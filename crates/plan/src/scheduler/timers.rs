//! When to look at a job again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::ids::JobId;
use crate::moment::Moment;

/// Moments at which jobs are to be placed again; one that no longer matters does no harm.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Moment, JobId)>>,
    /// The moment that was last asked for.
    asked: Option<Moment>,
}

impl Timers {
    pub(super) fn set(&mut self, moment: Moment, job: JobId) {
        self.heap.push(Reverse((moment, job)));
    }

    /// Jobs whose moment has come.
    pub(super) fn due(&mut self, now: Moment) -> Vec<JobId> {
        let mut due = Vec::new();
        while let Some(Reverse((_, job))) = self.heap.peek().filter(|Reverse((moment, _))| *moment <= now) {
            due.push(*job);
            self.heap.pop();
        }
        if !due.is_empty() {
            self.asked = None;
        }
        due
    }

    /// The next moment, if it is not the one that was asked for already.
    pub(super) fn news(&mut self) -> Option<Moment> {
        let Reverse((moment, _)) = self.heap.peek()?;
        let is_news = self.asked.is_none_or(|asked| *moment < asked);
        is_news.then(|| *self.asked.insert(*moment))
    }
}
