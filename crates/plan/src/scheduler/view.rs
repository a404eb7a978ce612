//! What can be asked of a scheduler.

use std::time::Duration;

use super::{Build, Code, MachineId, MachineKind, Scheduler, State};
use crate::graph::{Graph, Paths};
use crate::ids::JobId;
use crate::job::JobKind;
use crate::predict::Predictor;

impl Scheduler {
    /// The jobs.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The state of a job.
    pub fn state(&self, job: JobId) -> &State {
        &self.entries[job.index()].state
    }

    /// How many jobs are in each state, base sets left out; in the order of [`Code::ALL`].
    pub fn counts(&self) -> [(Code, usize); 11] {
        let mut counts = Code::ALL.map(|code| (code, 0));
        for (job, _) in self.graph.jobs().filter(|(_, job)| job.kind != JobKind::BaseSet) {
            counts[self.state(job).code() as usize].1 += 1;
        }
        counts
    }

    /// Whether nothing more happens by itself.
    pub fn is_done(&self) -> bool {
        self.entries.iter().all(|entry| entry.state.is_final())
    }

    /// Builds that run or whose results are taken in, in the order in which they were started.
    pub fn running(&self) -> Vec<(JobId, &Build)> {
        let mut running: Vec<_> =
            self.running.values().filter_map(|&job| Some((job, self.state(job).build()?))).collect();
        running.sort_unstable_by_key(|(_, build)| build.id);
        running
    }

    /// Slots of a kind of machine, and how many of them are used.
    pub fn slots(&self, machine: MachineId) -> Option<(u32, u32)> {
        self.machines.get(usize::from(machine.0)).map(|machine| (machine.kind.slots, machine.used))
    }

    /// A kind of machine.
    pub fn machine(&self, machine: MachineId) -> Option<&MachineKind> {
        self.machines.get(usize::from(machine.0)).map(|machine| &machine.kind)
    }

    /// What is left to do, as if there were one slot, by the predictions of now; what runs counts as if it had just begun.
    pub fn left(&self) -> Duration {
        Duration::from_millis(self.left)
    }

    /// What a job is predicted to take, by the predictions of now, in the best mode that it may have.
    pub fn predicted(&self, job: JobId) -> Duration {
        self.usual[job.index()]
    }

    /// Longest paths, by the predictions of now.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Durations that were learnt.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }
}
