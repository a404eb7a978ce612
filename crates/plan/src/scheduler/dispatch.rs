//! Gives free slots to jobs that are ready.

use std::cmp::Ordering;
use std::time::Duration;

use super::event::{Action, BuildId};
use super::lanes::{Group, Ready, Route};
use super::machine::MachineId;
use super::state::{Build, State};
use super::{Machine, Scheduler};
use crate::ids::{JobId, TargetId};
use crate::job::JobKind;
use crate::ladder::{Mode, Rung};
use crate::moment::{Moment, millis};

/// A job is urgent if its longest remaining path is more than one part in so many of what the farm has to do yet: predictions
/// are wrong by a factor of two and more, and a path that is begun too late is the end of all.
const URGENT: u64 = 4;

/// What a toolchain takes where none of its kind was made: gcc-12's took that in one slot. Only a part of the source is
/// built, so its size does not tell.
const TOOLCHAIN: Duration = Duration::from_mins(20);

/// A job that a machine could take next.
#[derive(Clone, Copy)]
struct Candidate {
    ready: Ready,
    group: Group,
    rung: Rung,
    /// Whether a machine that executes its target could take it as well.
    is_lent: bool,
    /// Whether a twin that it wants is still being made, without which it takes several times as long.
    lacks_twin: bool,
}

impl Scheduler {
    /// Starts what can be started. Machines that emulate nothing come first, as they have no other choice.
    pub(super) fn dispatch(&mut self, now: Moment) {
        for emulating in [false, true] {
            for place in 0..self.machines.len() {
                if self.machines[place].kind.emulated.is_empty() != emulating {
                    self.fill(now, place);
                }
            }
        }
    }

    fn fill(&mut self, now: Moment, place: usize) {
        while self.machines[place].free() > 0 {
            let Some(candidate) = self.best(place) else { return };
            let job = candidate.ready.job.0;
            // The twin may have come near since the job became ready.
            let near = if candidate.lacks_twin { self.twin_to_wait_for(now, job) } else { None };
            if let Some(twin) = near {
                self.enter(now, job, State::Blocked(twin));
                continue;
            }
            let width = self.width(place, job, candidate.rung);
            let machine = u8::try_from(place).ok().map(MachineId);
            let work = millis(self.expected(job, candidate.rung)) * u64::from(width);
            self.lanes.charge(candidate.group, work);
            self.start(now, job, machine, candidate.rung, width);
        }
    }

    /// What a machine should take next: what a person asked for, else the first job of the group whose turn it is.
    fn best(&mut self, place: usize) -> Option<Candidate> {
        let horizon = self.horizon();
        let mut best: Option<Candidate> = None;
        for target in 0..self.graph.targets().len() {
            for component in 0..self.graph.components().len() {
                let Some(candidate) = self.best_of(place, target, component) else { continue };
                let is_better = best.is_none_or(|best| self.comes_before(&candidate, &best, horizon));
                if is_better {
                    best = Some(candidate);
                }
            }
        }
        best
    }

    /// What a person asked for comes first; then what no other machine can do; of that what will not be cheaper later; of that
    /// what the end of all depends on, that with the longest path first; all else in turns.
    fn comes_before(&self, one: &Candidate, other: &Candidate, horizon: u64) -> bool {
        let urgency = |of: &Candidate| {
            let is_urgent = of.ready.to_end >= horizon / URGENT;
            (of.ready.prioritised, !of.is_lent, !of.lacks_twin, is_urgent.then_some(of.ready.to_end))
        };
        match urgency(one).cmp(&urgency(other)) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => self.lanes.pass(one.group) < self.lanes.pass(other.group),
        }
    }

    /// How long the farm has to do yet if its slots are never idle, milliseconds.
    fn horizon(&self) -> u64 {
        let slots: u64 = self.machines.iter().map(|machine| u64::from(machine.kind.slots)).sum();
        self.left / slots.max(1)
    }

    /// The first job of a group among those that a machine may take.
    fn best_of(&mut self, place: usize, target: usize, component: usize) -> Option<Candidate> {
        let id = TargetId::new(target)?;
        let kind = &self.machines[place].kind;
        let (native, emulated) = (kind.native.contains(&id), kind.emulated.contains(&id));
        let group = self.group_of(id, component);
        let mut best: Option<Candidate> = None;
        for route in Route::ALL {
            let may = match route {
                Route::Native => native,
                Route::Emulated => emulated,
                Route::Either => native || emulated,
            };
            if !may {
                continue;
            }
            let entries = &self.entries;
            let is_current = |ready: &Ready| {
                let entry = &entries[ready.job.0.index()];
                entry.stamp == ready.stamp && entry.state == State::Scheduled
            };
            let Some(ready) = self.lanes.peek(group, route, is_current) else { continue };
            let job = ready.job.0;
            let Some(rung) = self.rung_on(job, native) else { continue };
            let is_lent = route == Route::Either && !native;
            if is_lent && !self.is_sooner_here(job, rung, group) {
                continue;
            }
            if best.is_none_or(|best| ready > best.ready) {
                let lacks_twin = rung.mode.is_emulating() && self.missing_twins(job).next().is_some();
                best = Some(Candidate { ready, group, rung, is_lent, lacks_twin });
            }
        }
        best
    }

    /// How a job is run next on a machine that executes its target, or does not.
    fn rung_on(&self, job: JobId, native: bool) -> Option<Rung> {
        if let Some(rung) = self.next_rung(job) {
            return Some(self.without_missing_twins(job, rung));
        }
        if native {
            return Some(Mode::Native.rung());
        }
        let ladder = self.ladder(job).only(|rung| rung.mode.is_emulating());
        ladder.start(None).map(|rung| self.without_missing_twins(job, rung))
    }

    /// Whether a job that may run natively as well is predicted to be done sooner emulated, by what there is to do for the
    /// native machines.
    fn is_sooner_here(&self, job: JobId, rung: Rung, group: Group) -> bool {
        let target = self.graph.job(job).target;
        let slots: u32 = self
            .machines
            .iter()
            .filter(|machine| machine.kind.native.contains(&target))
            .map(|machine| machine.kind.slots)
            .sum();
        if slots == 0 {
            return true;
        }
        let components = self.graph.components().len();
        let queued: u64 = (group / components * components..)
            .take(components)
            .flat_map(|group| [Route::Native, Route::Either].map(|route| self.lanes.lane(group, route).work))
            .sum();
        let wait = Duration::from_millis(queued / u64::from(slots));
        self.expected(job, rung) <= wait + self.expected(job, Mode::Native.rung())
    }

    /// How many slots a build gets: one where there are many, more where slots would be idle and it is predicted to be long.
    fn width(&self, place: usize, job: JobId, rung: Rung) -> u32 {
        let free = self.machines[place].free();
        if rung.patient || self.settings.max_width <= 1 || self.expected(job, rung) < self.settings.wide_from
        {
            return 1;
        }
        let waiting = u32::try_from(self.waiting_for(place)).unwrap_or(u32::MAX);
        (free / waiting.max(1)).clamp(1, self.settings.max_width)
    }

    /// How many jobs a machine could take.
    fn waiting_for(&self, place: usize) -> usize {
        let kind = &self.machines[place].kind;
        let of = |target: TargetId, routes: &[Route]| -> usize {
            let components = 0..self.graph.components().len();
            let groups = components.map(|component| self.group_of(target, component));
            groups
                .flat_map(|group| routes.iter().map(move |&route| (group, route)))
                .map(|(group, route)| self.lanes.lane(group, route).ready)
                .sum()
        };
        let native: usize =
            kind.native.iter().map(|&target| of(target, &[Route::Native, Route::Either])).sum();
        let emulated: usize =
            kind.emulated.iter().map(|&target| of(target, &[Route::Emulated, Route::Either])).sum();
        native + emulated
    }

    /// What a build is predicted to take in one slot.
    pub(super) fn expected(&self, job: JobId, rung: Rung) -> Duration {
        let of = self.graph.job(job);
        let is_toolchain = matches!(of.kind, JobKind::Toolchain { .. });
        if is_toolchain && self.predictor.remember(&of.source, of.target, rung).is_none() {
            return TOOLCHAIN;
        }
        self.predictor.predict(&of.source, of.traits, of.target, rung)
    }

    /// Starts a build, or an import.
    pub(super) fn start(
        &mut self,
        now: Moment,
        job: JobId,
        machine: Option<MachineId>,
        rung: Rung,
        width: u32,
    ) {
        if let Some(machine) = machine {
            self.machines[usize::from(machine.0)].used += width;
        }
        let id = BuildId(self.next_build);
        self.next_build += 1;
        self.running.insert(id, job);
        let expected = self.expected(job, rung);
        let build = Build { id, machine, rung, width, since: now, expected };
        let entry = &mut self.entries[job.index()];
        entry.settling = None;
        entry.tried.push(rung);
        self.actions.push(Action::Start(job, build));
        self.enter(now, job, State::Building(build));
    }
}

impl Machine {
    fn free(&self) -> u32 {
        self.kind.slots.saturating_sub(self.used)
    }
}
