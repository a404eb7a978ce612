//! Decides what to build next, where and how.
//!
//! [`Scheduler::handle`] takes one event and tells what is to be done. It reads no clock and does nothing itself; whoever
//! drives it does, and reports. The same events at the same moments give the same actions, so a farm's state is that of its events
//! played again, and a simulation runs the very code that a farm does.
//!
//! docs/scheduling.md tells the rules.

mod control;
mod dispatch;
mod end;
mod entry;
mod event;
mod lanes;
mod machine;
mod placing;
mod reason;
mod settings;
mod state;
mod timers;
mod twins;
mod view;

use std::time::Duration;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

pub use event::{Action, BuildId, End, Event, Standing};
pub use machine::{MachineId, MachineKind, Policy};
pub use settings::{Backoff, Settings, Settle};
pub use state::{Blocked, Build, Code, Failure, State};

use crate::graph::{Graph, Paths, longest_paths};
use crate::ids::{JobId, TargetId};
use crate::job::JobKind;
use crate::ladder::{Advice, Rung, Worked};
use crate::moment::{Moment, millis};
use crate::predict::Predictor;
use entry::{Entry, Rest};
use lanes::{Group, Lanes};
use timers::Timers;

/// What a farm is to build, and what is known before the first event.
#[derive(Clone, Debug)]
pub struct Farm {
    /// The jobs.
    pub graph: Graph,
    /// The machines.
    pub machines: Vec<MachineKind>,
    /// Settings of all packages.
    pub settings: Settings,
    /// Where builds of single jobs run, other than the settings say.
    pub policies: FxHashMap<JobId, Policy>,
    /// Durations.
    pub predictor: Predictor,
    /// What is already known of jobs; all others are to be built.
    pub known: Vec<(JobId, Known)>,
    /// Shares of components, by their ids, in place of those by the work that there is.
    pub shares: Option<Vec<f64>>,
}

/// What is known of a job before the first event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// It was built, from what would go into it now.
    Built,
    /// It was built on this rung, from something else.
    Worked(Worked),
    /// It failed, with what would go into it now.
    Failed(Failure),
    /// Its build dependencies cannot be installed.
    Unresolvable(Box<str>),
    /// What the farm means to do with it.
    Standing(Standing),
    /// Rungs were tried since it became due, and failed; the next is tried now.
    Climbed {
        /// The rungs, and what the class of each failure said.
        tries: Vec<(Rung, Advice)>,
        /// The last of these failures, which stands if no rung is left.
        failure: Failure,
    },
    /// A build of it runs, of an earlier run of whoever drives the scheduler. It is started first of all, and takes the slots
    /// that it has.
    Underway(Underway),
}

/// A build that runs already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Underway {
    /// Where.
    pub machine: MachineId,
    /// How.
    pub rung: Rung,
    /// Slots that it has.
    pub width: u32,
}

/// The scheduler.
#[derive(Clone, Debug)]
pub struct Scheduler {
    graph: Graph,
    machines: Vec<Machine>,
    settings: Settings,
    policies: FxHashMap<JobId, Policy>,
    predictor: Predictor,
    /// What each job is predicted to take, in the best mode that it may have.
    usual: Vec<Duration>,
    paths: Paths,
    /// What jobs that are not in a final state take together, milliseconds.
    left: u64,
    entries: Vec<Entry>,
    lanes: Lanes,
    timers: Timers,
    running: FxHashMap<BuildId, JobId>,
    next_build: u64,
    /// Builds to be started with the first event.
    underway: Vec<(JobId, Underway)>,
    /// When the first event came.
    began: Option<Moment>,
    /// Jobs whose place has to be found again.
    unplaced: Vec<JobId>,
    actions: Vec<Action>,
}

#[derive(Clone, Debug)]
struct Machine {
    kind: MachineKind,
    used: u32,
}

impl Scheduler {
    /// A scheduler that waits for its first event.
    pub fn new(farm: Farm) -> Self {
        let Farm { graph, machines, settings, policies, predictor, known, shares } = farm;
        let open = |job| u32::try_from(graph.needs(job).len()).unwrap_or(u32::MAX);
        let entries = graph.jobs().map(|(job, _)| Entry::new(open(job))).collect();
        let machines = machines.into_iter().map(|kind| Machine { kind, used: 0 }).collect();
        let jobs: Vec<JobId> = graph.jobs().map(|(job, _)| job).collect();
        let mut scheduler = Self {
            usual: Vec::new(),
            paths: Paths { to_end: Vec::new(), earliest_end: Vec::new() },
            left: 0,
            lanes: Lanes::new(Vec::new()),
            timers: Timers::default(),
            running: FxHashMap::default(),
            next_build: 0,
            underway: Vec::new(),
            began: None,
            unplaced: jobs,
            actions: Vec::new(),
            graph,
            machines,
            settings,
            policies,
            predictor,
            entries,
        };
        for (job, known) in known {
            scheduler.take_in(job, known);
        }
        scheduler.predict_all();
        scheduler.lanes = Lanes::new(scheduler.shares(shares.as_deref()));
        scheduler
    }

    /// Takes one event in, at a moment not before that of the last.
    pub fn handle(&mut self, now: Moment, event: Event) -> Vec<Action> {
        self.began.get_or_insert(now);
        for (job, underway) in std::mem::take(&mut self.underway) {
            self.start(now, job, Some(underway.machine), underway.rung, underway.width);
        }
        self.unplaced.extend(self.timers.due(now));
        match event {
            Event::Tick => {}
            Event::Ended(build, end) => self.ended(now, build, end),
            Event::Published { build, changed } => self.published(now, build, changed),
            Event::SourceChanged { job, version } => self.source_changed(now, job, version),
            Event::InputsChanged(jobs) => jobs.into_iter().for_each(|job| self.make_due(now, job)),
            Event::Declared(job, standing) => self.declare(job, standing),
            Event::Hold(job, why) => self.hold(job, why),
            Event::Release(job) => self.release(job),
            Event::Prioritise(job) => self.prioritise(job),
            Event::GiveBack(job) => self.give_back(job),
            Event::Slots(machine, slots) => self.set_slots(machine, slots),
            Event::Reprioritise => self.reprioritise(),
        }
        self.place_all(now);
        self.dispatch(now);
        if let Some(moment) = self.timers.news() {
            self.actions.push(Action::WakeAt(moment));
        }
        std::mem::take(&mut self.actions)
    }

    fn take_in(&mut self, job: JobId, known: Known) {
        let entry = &mut self.entries[job.index()];
        let rest = match known {
            Known::Worked(worked) => {
                entry.worked = Some(worked);
                return;
            }
            Known::Standing(standing) => {
                entry.standing = standing;
                return;
            }
            Known::Climbed { tries, failure } => {
                entry.tried = tries.iter().map(|(rung, _)| *rung).collect();
                self.climb_on(job, tries.last().map(|(_, advice)| *advice));
                if self.entries[job.index()].next.is_some() {
                    return;
                }
                Rest::Failed(failure)
            }
            Known::Underway(underway) => {
                self.underway.push((job, underway));
                return;
            }
            Known::Built => Rest::Succeeded,
            Known::Failed(failure) => Rest::Failed(failure),
            Known::Unresolvable(why) => Rest::Unresolvable(why),
        };
        let entry = &mut self.entries[job.index()];
        entry.rest = Some(rest.clone());
        entry.state = rest.into();
        for place in 0..self.graph.needed_by(job).len() {
            let dependent = self.graph.needed_by(job)[place];
            self.entries[dependent.index()].open -= 1;
        }
    }

    /// Predicts anew what each job takes, and what follows from that.
    fn predict_all(&mut self) {
        let graph = &self.graph;
        let usual = graph.jobs().map(|(job, of)| {
            let rung = self.first_rung(job).filter(|_| of.kind != JobKind::BaseSet);
            rung.map_or(Duration::ZERO, |rung| self.expected(job, rung))
        });
        let usual: Vec<Duration> = usual.collect();
        self.paths = longest_paths(graph, |job| usual[job.index()]);
        let is_left = |(entry, _): &(&Entry, &Duration)| !entry.state.is_final();
        self.left = self.entries.iter().zip(&usual).filter(is_left).map(|(_, usual)| millis(*usual)).sum();
        self.usual = usual;
    }

    /// What a job is predicted to take in the best mode that it may have.
    fn usual(&self, job: JobId) -> Duration {
        self.usual[job.index()]
    }

    fn reprioritise(&mut self) {
        self.predictor.fit();
        self.predict_all();
        let paths = &self.paths;
        self.lanes.reorder(|job| millis(paths.to_end[job.index()]));
    }

    /// A group's share: that of its component, spread over targets by the work that there is.
    fn shares(&self, of_components: Option<&[f64]>) -> Vec<f64> {
        let components = self.graph.components().len().max(1);
        let mut work = vec![0.0; components * self.graph.targets().len()];
        for (job, _) in self.graph.jobs() {
            work[self.group(job)] += self.usual(job).as_secs_f64();
        }
        if let Some(shares) = of_components {
            let mut totals = vec![0.0; components];
            for (group, work) in work.iter().enumerate() {
                totals[group % components] += work;
            }
            for (group, work) in work.iter_mut().enumerate() {
                let component = group % components;
                let share = shares.get(component).copied().unwrap_or(1.0);
                *work *= share / f64::max(totals[component], 1.0);
            }
        }
        work.into_iter().map(|work| f64::max(work, 1e-9)).collect()
    }

    fn group(&self, job: JobId) -> Group {
        self.group_of(self.graph.job(job).target, self.graph.job(job).component.index())
    }

    fn group_of(&self, target: TargetId, component: usize) -> Group {
        target.index() * self.graph.components().len().max(1) + component
    }
}
