//! What people ask for.

use super::Scheduler;
use super::event::{Action, Standing};
use super::machine::MachineId;
use super::state::State;
use crate::ids::JobId;
use crate::moment::Moment;

impl Scheduler {
    pub(super) fn hold(&mut self, job: JobId, why: Box<str>) {
        self.entries[job.index()].held = Some(why);
        self.cancel(job);
        self.unplaced.push(job);
    }

    pub(super) fn release(&mut self, job: JobId) {
        self.entries[job.index()].held = None;
        self.unplaced.push(job);
    }

    pub(super) fn declare(&mut self, job: JobId, standing: Standing) {
        if standing != Standing::Normal {
            self.cancel(job);
        }
        self.entries[job.index()].standing = standing;
        self.unplaced.push(job);
    }

    pub(super) fn source_changed(&mut self, now: Moment, job: JobId, version: Box<str>) {
        self.graph.set_version(job, version);
        self.cancel(job);
        self.make_due(now, job);
    }

    /// Tries again at once what has no result, or did not get one; what succeeded stays.
    pub(super) fn give_back(&mut self, job: JobId) {
        let entry = &mut self.entries[job.index()];
        if entry.state.build().is_some() || entry.state == State::Succeeded {
            return;
        }
        entry.rest = None;
        entry.settling = None;
        entry.worked = None;
        entry.start_over();
        self.unplaced.push(job);
    }

    /// Puts a job and all that it waits for before everything else.
    pub(super) fn prioritise(&mut self, job: JobId) {
        let mut open = vec![job];
        while let Some(job) = open.pop() {
            let entry = &mut self.entries[job.index()];
            if entry.prioritised || entry.state.is_final() {
                continue;
            }
            entry.prioritised = true;
            if entry.state == State::Scheduled {
                entry.stamp += 1;
                self.leave_lane(job);
                self.enter_lane(job);
            }
            open.extend(self.graph.needs(job));
        }
    }

    pub(super) fn set_slots(&mut self, machine: MachineId, slots: u32) {
        if let Some(machine) = self.machines.get_mut(usize::from(machine.0)) {
            machine.kind.slots = slots;
        }
    }

    fn cancel(&mut self, job: JobId) {
        if let State::Building(build) = &self.entries[job.index()].state {
            self.actions.push(Action::Cancel(build.id));
        }
    }
}
