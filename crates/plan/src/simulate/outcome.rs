//! What a simulation found.

use std::time::Duration;

use crate::ladder::Rung;
use crate::moment::Moment;
use crate::scheduler::Code;

/// A simulated rebuild.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// From the first event to the end of the last build.
    pub makespan: Duration,
    /// The last moment at which every slot of the farm was used: what comes after is waiting for the long pole.
    pub full_until: Duration,
    /// By kind of machine.
    pub machines: Vec<MachineUse>,
    /// Builds by rung, in the order of rungs.
    pub modes: Vec<(Rung, ModeUse)>,
    /// Jobs by state.
    pub states: [(Code, usize); 11],
    /// Builds that were started, imports among them.
    pub builds: u64,
    /// Builds that came to nothing for no fault of the package.
    pub transient: u64,
    /// Events that the scheduler took in.
    pub events: u64,
}

/// How much a kind of machine was used.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineUse {
    /// Its name.
    pub name: String,
    /// Its slots.
    pub slots: u32,
    /// Time of all slots together in which they had a build.
    pub busy: Duration,
}

/// How often a mode was used, and how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModeUse {
    /// Builds.
    pub builds: u64,
    /// Their time together.
    pub time: Duration,
}

impl MachineUse {
    /// Part of the slots' time in which they had a build, from 0 to 1.
    pub fn utilisation(&self, makespan: Duration) -> f64 {
        let there = makespan.as_secs_f64() * f64::from(self.slots);
        if there > 0.0 { self.busy.as_secs_f64() / there } else { 0.0 }
    }
}

/// Follows how many slots are used.
#[derive(Debug)]
pub(super) struct Gauge {
    slots: u32,
    used: u32,
    pub(super) full_until: Moment,
}

impl Gauge {
    pub(super) fn new(slots: u32) -> Self {
        Self { slots, used: 0, full_until: Moment::default() }
    }

    pub(super) fn take(&mut self, width: u32) {
        self.used += width;
    }

    pub(super) fn give(&mut self, now: Moment, width: u32) {
        if self.used >= self.slots {
            self.full_until = now;
        }
        self.used -= width;
    }
}
