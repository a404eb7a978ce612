//! Whether a foreign build waits for the twin of a tool, or goes emulated.

use std::time::Duration;

use super::Scheduler;
use super::state::{Blocked, State};
use crate::ids::JobId;
use crate::job::JobKind;
use crate::ladder::{Mode, Rung};
use crate::moment::Moment;

/// Predictions change while time goes by; looking more often would gain nothing.
const PATIENCE: Duration = Duration::from_mins(1);

impl Scheduler {
    /// The twin that a job should wait for: the last of those that it wants, if waiting for it and building accelerated
    /// is predicted to be done sooner than building emulated now.
    pub(super) fn twin_to_wait_for(&self, now: Moment, job: JobId) -> Option<Blocked> {
        let start = self.next_rung(job).or_else(|| self.ladder(job).start(None))?;
        if start.mode != Mode::Accelerated {
            return None;
        }
        let emulated = Rung { mode: Mode::Emulated, patient: start.patient };
        let unsettled = self.missing_twins(job).map(|tool| (self.predicted_end(now, tool), tool));
        let (end, tool) = unsettled.max()?;
        let is_on_ladder = self.ladder(job).rungs().contains(&emulated);
        let is_sooner = end + self.expected(job, start) <= now + self.expected(job, emulated);
        (is_sooner || !is_on_ladder).then(|| Blocked::Twin { tool, until: end.max(now + PATIENCE) })
    }

    /// The rung as it can be had now: emulated in place of accelerated while a twin is being built. Without its toolchain a
    /// build has its other twins.
    pub(super) fn without_missing_twins(&self, job: JobId, rung: Rung) -> Rung {
        let emulated = Rung { mode: Mode::Emulated, patient: rung.patient };
        let is_package = |tool: JobId| self.graph.job(tool).kind == JobKind::Package;
        if rung.mode == Mode::Accelerated
            && self.missing_twins(job).any(is_package)
            && self.ladder(job).rungs().contains(&emulated)
        {
            return emulated;
        }
        rung
    }

    pub(super) fn missing_twins(&self, job: JobId) -> impl Iterator<Item = JobId> {
        self.graph.wants(job).iter().copied().filter(|tool| !self.entries[tool.index()].state.is_final())
    }

    /// When a job will be done, by what is known now. One that waits is predicted from the longest path that leads to it, as
    /// if there were a slot for each.
    fn predicted_end(&self, now: Moment, job: JobId) -> Moment {
        match &self.entries[job.index()].state {
            State::Building(build) => now.max(build.since + build.expected),
            State::Finished(_) => now,
            State::Scheduled => now + self.usual(job),
            _ => {
                let planned = self.began.unwrap_or(now) + self.paths.earliest_end[job.index()];
                planned.max(now + self.usual(job))
            }
        }
    }
}
