//! Which state a job is in, and what follows from a change of it.

use std::cmp::Reverse;

use super::entry::{Rest, Settling};
use super::event::{Action, Standing};
use super::lanes::{Ready, Route};
use super::state::{Blocked, State};
use super::{Policy, Scheduler};
use crate::ids::{JobId, TargetId};
use crate::job::JobKind;
use crate::ladder::{Ladder, Mode, Rung};
use crate::moment::{Moment, millis};
use crate::rebuild::Strategy;

impl Scheduler {
    /// Finds the place of each job that may have another now, until none is left.
    pub(super) fn place_all(&mut self, now: Moment) {
        while let Some(job) = self.unplaced.pop() {
            let entry = &self.entries[job.index()];
            if entry.state.build().is_some() {
                continue;
            }
            let state = self.due_state(now, job);
            self.enter_or_import(now, job, state);
        }
    }

    /// Puts a job into a state; an import needs no slot, so it starts at once.
    pub(super) fn enter_or_import(&mut self, now: Moment, job: JobId, state: State) {
        match self.next_rung(job).filter(|rung| rung.mode == Mode::Imported) {
            Some(rung) if state == State::Scheduled => self.start(now, job, None, rung, 0),
            _ => self.enter(now, job, state),
        }
    }

    /// The state of a job that is not being built, from all that is known of it.
    pub(super) fn due_state(&self, now: Moment, job: JobId) -> State {
        let entry = &self.entries[job.index()];
        match &entry.standing {
            Standing::Normal => {}
            Standing::Excluded(why) => return State::Excluded(why.clone()),
            Standing::Broken(why) => return State::Broken(why.clone()),
            Standing::Disabled(why) => return State::Disabled(why.clone()),
        }
        if let Some(why) = &entry.held {
            return State::Locked(why.clone());
        }
        if let Some(rest) = &entry.rest {
            return rest.clone().into();
        }
        if entry.open > 0 {
            return State::Blocked(Blocked::Needs);
        }
        if let Some(settling) = entry.settling.filter(|settling| settling.until > now) {
            return State::Blocked(Blocked::Settling { until: settling.until });
        }
        if let Some(retry) = entry.retry.as_ref().filter(|retry| retry.until > now) {
            let (failures, why) = (retry.failures, retry.why.clone());
            return State::Blocked(Blocked::Backoff { until: retry.until, failures, why });
        }
        if self.graph.job(job).kind == JobKind::BaseSet {
            return State::Succeeded;
        }
        match self.route(job) {
            None => State::Disabled(self.no_machine(job).into()),
            Some(Route::Emulated) => self.twin_to_wait_for(now, job).map_or(State::Scheduled, State::Blocked),
            Some(_) => State::Scheduled,
        }
    }

    /// Puts a job into a state, with all that follows.
    pub(super) fn enter(&mut self, now: Moment, job: JobId, state: State) {
        let entry = &mut self.entries[job.index()];
        if entry.state == state {
            return;
        }
        let was = std::mem::replace(&mut entry.state, state.clone());
        entry.stamp += 1;
        self.leave_lane(job);
        match &state {
            State::Scheduled => self.enter_lane(job),
            State::Blocked(
                Blocked::Twin { until, .. } | Blocked::Backoff { until, .. } | Blocked::Settling { until },
            ) => self.timers.set(*until, job),
            _ => {}
        }
        if was.is_final() != state.is_final() {
            self.settled(job, state.is_final());
        }
        if self.graph.job(job).kind != JobKind::BaseSet {
            self.actions.push(Action::Moved(job, state));
        } else if state == State::Succeeded {
            self.base_set_reached(now, job);
        }
    }

    /// A base set is built when its packages are; it changed if one of them did.
    fn base_set_reached(&mut self, now: Moment, job: JobId) {
        let entry = &mut self.entries[job.index()];
        entry.rest = Some(Rest::Succeeded);
        entry.settling = None;
        if std::mem::take(&mut entry.again) {
            self.results_changed(now, job);
        }
    }

    /// Tells the jobs that need this one that there is nothing, or something, to wait for.
    fn settled(&mut self, job: JobId, settled: bool) {
        let work = millis(self.usual(job));
        if settled {
            self.left -= work;
        } else {
            self.left += work;
        }
        for &dependent in self.graph.needed_by(job) {
            let open = &mut self.entries[dependent.index()].open;
            let before = *open;
            *open = if settled { before - 1 } else { before + 1 };
            if before == 0 || *open == 0 {
                self.unplaced.push(dependent);
            }
        }
        if settled {
            for &foreign in self.graph.wanted_by(job) {
                if matches!(self.entries[foreign.index()].state, State::Blocked(Blocked::Twin { .. })) {
                    self.unplaced.push(foreign);
                }
            }
        }
    }

    /// What needs a job has to be built again, as its results are others.
    pub(super) fn results_changed(&mut self, now: Moment, job: JobId) {
        if self.settings.strategy == Strategy::Local {
            return;
        }
        for place in 0..self.graph.needed_by(job).len() {
            let dependent = self.graph.needed_by(job)[place];
            self.make_due(now, dependent);
        }
    }

    /// Something that goes into a job changed. One that waits for its first build gains nothing from waiting longer.
    pub(super) fn make_due(&mut self, now: Moment, job: JobId) {
        let settle = self.settings.settle;
        let is_base = self.graph.job(job).kind == JobKind::BaseSet;
        let entry = &mut self.entries[job.index()];
        if is_base || entry.state.build().is_some() {
            entry.again = true;
        }
        if entry.state.build().is_some() {
            return;
        }
        let since = match entry.settling {
            Some(settling) if entry.is_due() => settling.since,
            _ if entry.is_due() => return,
            _ => now,
        };
        entry.rest = None;
        entry.start_over();
        entry.settling = Some(Settling { since, until: (now + settle.quiet).min(since + settle.longest) });
        self.unplaced.push(job);
    }

    /// Queues a job that is scheduled.
    pub(super) fn enter_lane(&mut self, job: JobId) {
        let Some(route) = self.route(job) else { return };
        let entry = &self.entries[job.index()];
        let to_end = millis(self.paths.to_end[job.index()]);
        let ready = Ready { prioritised: entry.prioritised, to_end, job: Reverse(job), stamp: entry.stamp };
        let work = millis(self.usual(job));
        self.entries[job.index()].queued = Some((route, work));
        self.lanes.push(self.group(job), route, ready, work);
    }

    pub(super) fn leave_lane(&mut self, job: JobId) {
        if let Some((route, work)) = self.entries[job.index()].queued.take() {
            self.lanes.leave(self.group(job), route, work);
        }
    }

    /// The policy of a job.
    pub(super) fn policy(&self, job: JobId) -> Policy {
        self.policies.get(&job).copied().unwrap_or(self.settings.policy)
    }

    /// Whether a machine of the farm may run a job natively, and whether one may emulate it.
    fn places(&self, job: JobId) -> (bool, bool) {
        let (target, policy) = (self.graph.job(job).target, self.policy(job));
        let kinds = || self.machines.iter().map(|machine| &machine.kind);
        let native = |target: TargetId| {
            kinds().any(|kind| kind.native.contains(&target) && (policy != Policy::X86Only || kind.is_x86))
        };
        // A toolchain that is built under emulation would take longer than all that it is for.
        let emulates = policy != Policy::NativeOnly && self.graph.job(job).kind == JobKind::Package;
        (native(target), emulates && kinds().any(|kind| kind.emulated.contains(&target)))
    }

    /// The rungs that a job may climb.
    pub(super) fn ladder(&self, job: JobId) -> Ladder {
        let emulated = &self.settings.ladder;
        // Nobody publishes toolchains.
        let imports =
            self.graph.job(job).kind == JobKind::Package && emulated.rungs().contains(&Mode::Imported.rung());
        let kept = |rung: Rung| imports || rung.mode != Mode::Imported;
        let started_native =
            self.entries[job.index()].tried.first().is_some_and(|rung| rung.mode == Mode::Native);
        match self.places(job) {
            (false, false) => Ladder::new([]),
            (true, false) => Ladder::native().only(kept),
            (false, true) => emulated.clone(),
            (true, true) if started_native => Ladder::native().only(kept),
            (true, true) => {
                let native = Ladder::native().only(kept);
                let rungs = emulated.rungs().iter().filter(|rung| rung.mode != Mode::Imported);
                Ladder::new(rungs.chain(native.rungs()).copied())
            }
        }
    }

    /// The rung on which a job starts.
    pub(super) fn first_rung(&self, job: JobId) -> Option<Rung> {
        let worked = self.entries[job.index()].worked.as_ref();
        let worked = worked.and_then(|worked| worked.start(&self.graph.job(job).version));
        if worked.is_none() && self.places(job).0 {
            return Some(Mode::Native.rung());
        }
        self.ladder(job).start(worked)
    }

    /// The rung that comes next, if that does not depend on the machine.
    pub(super) fn next_rung(&self, job: JobId) -> Option<Rung> {
        let entry = &self.entries[job.index()];
        entry.next.or_else(|| {
            let worked = entry.worked.as_ref()?.start(&self.graph.job(job).version)?;
            Some(worked).filter(|worked| self.ladder(job).rungs().contains(worked))
        })
    }

    /// Where a job may run; `None` if nowhere.
    pub(super) fn route(&self, job: JobId) -> Option<Route> {
        let (native, emulated) = self.places(job);
        match self.next_rung(job).map(|rung| rung.mode) {
            Some(Mode::Native) => native.then_some(Route::Native),
            Some(Mode::Accelerated | Mode::Emulated | Mode::OtherQemu) => emulated.then_some(Route::Emulated),
            // An import runs nowhere.
            Some(Mode::Imported) => Some(Route::Either),
            None => match (native, emulated) {
                (true, true) => Some(Route::Either),
                (true, false) => Some(Route::Native),
                (false, true) => Some(Route::Emulated),
                (false, false) => None,
            },
        }
    }

    fn no_machine(&self, job: JobId) -> String {
        let target = self.graph.target(self.graph.job(job).target);
        format!("no machine of the farm may build for {target} under the policy {}", self.policy(job))
    }
}
