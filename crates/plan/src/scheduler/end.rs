//! What the end of a build leads to.

use super::Scheduler;
use super::entry::{Rest, Retry};
use super::event::{Action, BuildId, End};
use super::state::{Build, Failure, State};
use crate::ids::JobId;
use crate::job::JobKind;
use crate::ladder::{Advice, Worked};
use crate::moment::Moment;

impl Scheduler {
    pub(super) fn ended(&mut self, now: Moment, id: BuildId, end: End) {
        // Finished builds have ended already.
        let Some(&job) = self.running.get(&id) else { return };
        let State::Building(build) = self.entries[job.index()].state else { return };
        if let Some(machine) = build.machine {
            self.machines[usize::from(machine.0)].used -= build.width;
        }
        if let End::Built { took } = end {
            let of = self.graph.job(job);
            self.predictor.learn(&of.source, of.traits, of.target, build.rung, took);
            self.actions.push(Action::Publish(job, id));
            self.enter(now, job, State::Finished(build));
            return;
        }
        self.running.remove(&id);
        match end {
            // Told apart above.
            End::Built { .. } => {}
            End::UpToDate => self.rest(now, job, Rest::Succeeded),
            End::Failed(failure, advice) => self.failed(now, job, failure, advice),
            End::Unresolvable(why) => self.rest(now, job, Rest::Unresolvable(why)),
            End::Transient(why) => self.transient(now, job, why),
            End::Cancelled => self.try_again(now, job),
        }
    }

    pub(super) fn published(&mut self, now: Moment, id: BuildId, changed: bool) {
        let Some(&job) = self.running.get(&id) else { return };
        let State::Finished(Build { rung, .. }) = self.entries[job.index()].state else { return };
        self.running.remove(&id);
        let version = self.graph.job(job).version.clone();
        self.entries[job.index()].worked = Some(Worked { rung, version });
        self.rest(now, job, Rest::Succeeded);
        // A toolchain is in no build root; who wants it takes it as it is.
        if changed && self.graph.job(job).kind == JobKind::Package {
            self.results_changed(now, job);
        }
    }

    /// A build is over for good, unless something changed meanwhile.
    fn rest(&mut self, now: Moment, job: JobId, rest: Rest) {
        let entry = &mut self.entries[job.index()];
        entry.start_over();
        entry.rest = Some(rest);
        entry.prioritised = false;
        let again = std::mem::take(&mut entry.again);
        let state = self.due_state(now, job);
        self.enter(now, job, state);
        if again {
            self.make_due(now, job);
        }
    }

    fn failed(&mut self, now: Moment, job: JobId, failure: Failure, advice: Advice) {
        self.climb_on(job, Some(advice));
        let entry = &self.entries[job.index()];
        if entry.again {
            self.try_again(now, job);
        } else if entry.next.is_some() {
            self.enter_anew(now, job);
        } else {
            self.rest(now, job, Rest::Failed(failure));
        }
    }

    /// The rung after those that were tried.
    pub(super) fn climb_on(&mut self, job: JobId, advice: Option<Advice>) {
        let next = advice.and_then(|advice| self.ladder(job).next(&self.entries[job.index()].tried, advice));
        self.entries[job.index()].next = next;
    }

    /// The same rung, later.
    fn transient(&mut self, now: Moment, job: JobId, why: Box<str>) {
        let entry = &mut self.entries[job.index()];
        let failures = entry.retry.as_ref().map_or(0, |retry| retry.failures) + 1;
        let until = now + self.settings.retry.delay(failures);
        entry.tried.pop();
        entry.retry = Some(Retry { failures, until, why });
        self.enter_anew(now, job);
    }

    /// From the start of the ladder: what is built now is another thing.
    fn try_again(&mut self, now: Moment, job: JobId) {
        let entry = &mut self.entries[job.index()];
        entry.again = false;
        entry.start_over();
        self.enter_anew(now, job);
    }

    /// A build is over and another one is due.
    fn enter_anew(&mut self, now: Moment, job: JobId) {
        let state = self.due_state(now, job);
        self.enter_or_import(now, job, state);
    }
}
