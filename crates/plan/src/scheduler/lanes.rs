//! Jobs that are ready, ordered by what unblocks most, and shared out fairly.
//!
//! Each pair of target and component is a *group*; machines serve groups by stride scheduling (Waldspurger and Weihl,
//! 1995): each has a pass that goes up by the predicted time of what it was given over its share, and the group with the smallest
//! pass comes next. Shares are in proportion to the work of a group unless the farm says otherwise, so that all end at
//! about the same time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::ids::JobId;

/// Where jobs of a lane may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Route {
    /// On a CPU that executes the target's programs.
    Native,
    /// Under QEMU.
    Emulated,
    /// On either.
    Either,
}

impl Route {
    pub(super) const ALL: [Self; 3] = [Self::Native, Self::Emulated, Self::Either];
}

/// Place of a group.
pub(super) type Group = usize;

/// A job that waits for a slot. The greatest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ready {
    pub(super) prioritised: bool,
    /// Longest remaining path, milliseconds.
    pub(super) to_end: u64,
    pub(super) job: Reverse<JobId>,
    /// The stamp of the job's entry; another one there means that this is out of date.
    pub(super) stamp: u32,
}

/// Jobs of a group that may run in the same places.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    heap: BinaryHeap<Ready>,
    /// Jobs that are really ready, and what they take together, milliseconds.
    pub(super) ready: usize,
    pub(super) work: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Lanes {
    /// By group and route.
    of: Vec<Lane>,
    passes: Vec<f64>,
    shares: Vec<f64>,
    /// The pass of the group that was served last: where groups join that had nothing to do.
    now: f64,
}

impl Lanes {
    /// With a share for each group.
    pub(super) fn new(shares: Vec<f64>) -> Self {
        let of = vec![Lane::default(); shares.len() * Route::ALL.len()];
        Self { of, passes: vec![0.0; shares.len()], shares, now: 0.0 }
    }

    pub(super) fn lane(&self, group: Group, route: Route) -> &Lane {
        &self.of[group * Route::ALL.len() + route as usize]
    }

    fn lane_mut(&mut self, group: Group, route: Route) -> &mut Lane {
        &mut self.of[group * Route::ALL.len() + route as usize]
    }

    pub(super) fn pass(&self, group: Group) -> f64 {
        self.passes[group]
    }

    pub(super) fn push(&mut self, group: Group, route: Route, ready: Ready, work: u64) {
        if Route::ALL.iter().all(|&route| self.lane(group, route).ready == 0) {
            self.passes[group] = self.passes[group].max(self.now);
        }
        let lane = self.lane_mut(group, route);
        lane.heap.push(ready);
        lane.ready += 1;
        lane.work += work;
    }

    /// A job is not ready any more; what is queued of it goes when it comes up.
    pub(super) fn leave(&mut self, group: Group, route: Route, work: u64) {
        let lane = self.lane_mut(group, route);
        lane.ready -= 1;
        lane.work -= work;
    }

    /// The first job of a lane that is not out of date.
    pub(super) fn peek(
        &mut self,
        group: Group,
        route: Route,
        is_current: impl Fn(&Ready) -> bool,
    ) -> Option<Ready> {
        let lane = self.lane_mut(group, route);
        if lane.ready == 0 {
            lane.heap.clear();
        }
        while let Some(top) = lane.heap.peek() {
            if is_current(top) {
                return Some(*top);
            }
            lane.heap.pop();
        }
        None
    }

    /// Puts work onto a group's account.
    // Milliseconds of all builds of an archive are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn charge(&mut self, group: Group, work: u64) {
        self.now = self.now.max(self.passes[group]);
        self.passes[group] += work as f64 / self.shares[group];
    }

    /// Gives all jobs that are ready a new place.
    pub(super) fn reorder(&mut self, to_end: impl Fn(JobId) -> u64) {
        for lane in &mut self.of {
            let ready = std::mem::take(&mut lane.heap).into_iter();
            lane.heap = ready.map(|ready| Ready { to_end: to_end(ready.job.0), ..ready }).collect();
        }
    }
}
