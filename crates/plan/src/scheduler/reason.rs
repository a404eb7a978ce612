//! Why a job is in its state, in words.

use super::state::{Blocked, Build, State};
use super::{MachineId, Scheduler};
use crate::ids::JobId;
use crate::moment::Moment;

/// So many jobs are named; of more the number is told.
const NAMED: usize = 3;

impl Scheduler {
    /// The reason for a job's state in one sentence without a full stop.
    pub fn reason(&self, now: Moment, job: JobId) -> String {
        self.reason_of(now, job, self.state(job))
    }

    /// The reason for a state that a job has, or had a moment ago.
    pub fn reason_of(&self, now: Moment, job: JobId, state: &State) -> String {
        match state {
            State::Unresolvable(why) => format!("its build dependencies cannot be installed: {why}"),
            State::Blocked(blocked) => self.waits_for(now, job, blocked),
            State::Scheduled => self.waits_for_slot(job),
            State::Building(build) => self.runs(build),
            State::Finished(_) => "it is built, and its results are being taken in".to_owned(),
            State::Succeeded => match &self.entries[job.index()].worked {
                Some(worked) => format!("{} was built in the mode {}", worked.version, worked.rung),
                None => "it was built before, and nothing that goes into it has changed".to_owned(),
            },
            State::Failed(failure) => format!(
                "{} ({}); it is tried again when something that goes into it changes, or when it is given back",
                failure.why, failure.class
            ),
            State::Excluded(why) => format!("it is not built for this target: {why}"),
            State::Broken(why) => format!("its source cannot be used: {why}"),
            State::Disabled(why) => format!("building it is switched off: {why}"),
            State::Locked(why) => format!("it is held: {why}"),
        }
    }

    fn waits_for(&self, now: Moment, job: JobId, blocked: &Blocked) -> String {
        let seconds = |until: &Moment| until.since(now).as_secs();
        match blocked {
            Blocked::Needs => {
                let open = self.graph().needs(job).iter().filter(|on| !self.state(**on).is_final());
                let open: Vec<JobId> = open.copied().collect();
                let named = open
                    .iter()
                    .take(NAMED)
                    .map(|&on| format!("{} ({})", self.graph().describe(on), self.state(on).code().name()));
                let more = open.len().saturating_sub(NAMED);
                let more = (more > 0).then(|| format!("{more} more"));
                format!("it waits for {}", named.chain(more).collect::<Vec<_>>().join(", "))
            }
            Blocked::Twin { tool, .. } => format!(
                "it waits for {}, whose twin makes it sooner done than building emulated now",
                self.graph().describe(*tool)
            ),
            Blocked::Backoff { until, failures, why } => {
                format!(
                    "try {} in {} s, after a failure that is not the package's: {why}",
                    failures + 1,
                    seconds(until)
                )
            }
            Blocked::Settling { until } => {
                format!("its inputs changed; unless they change again, it is built in {} s", seconds(until))
            }
        }
    }

    fn waits_for_slot(&self, job: JobId) -> String {
        let longest = self.paths().to_end[job.index()].as_secs();
        let first = if self.entries[job.index()].prioritised { ", and goes before others" } else { "" };
        format!("it waits for a slot{first}; with all that waits for it, it is {longest} s from the end")
    }

    /// Nothing that depends on the moment: reasons are written down when a state begins.
    fn runs(&self, build: &Build) -> String {
        match build.machine {
            None => "the upstream archive's package is taken in its place".to_owned(),
            Some(machine) => format!(
                "it is built on {} in the mode {}, which is predicted to take {} s",
                self.machine_name(machine),
                build.rung,
                build.expected.as_secs()
            ),
        }
    }

    fn machine_name(&self, machine: MachineId) -> &str {
        &self.machines[usize::from(machine.0)].kind.name
    }
}
