//! The loop of a simulation.

use std::collections::BTreeMap;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::outcome::{Gauge, MachineUse, ModeUse, Outcome};
use super::queue::Queue;
use super::truth::Truth;
use crate::ids::JobId;
use crate::ladder::Rung;
use crate::moment::Moment;
use crate::scheduler::{Action, Build, BuildId, End, Event, Farm, Scheduler};

/// Gives an event to the scheduler; whoever runs a simulation may look at a clock before and after.
pub type Handle<'h> = dyn FnMut(&mut Scheduler, Moment, Event) -> Vec<Action> + 'h;

/// A farm, and what builds take in it.
#[derive(Debug)]
pub struct Simulation {
    scheduler: Scheduler,
    truth: Truth,
    queue: Queue,
    now: Moment,
    last_end: Moment,
    machines: Vec<MachineUse>,
    modes: BTreeMap<Rung, ModeUse>,
    running: FxHashMap<BuildId, (JobId, Build)>,
    gauge: Gauge,
    builds: u64,
    transient: u64,
    events: u64,
    /// Builds when the scheduler last took in what it learnt.
    learnt_at: u64,
}

/// The scheduler takes in what it learnt after so many builds, and again when there are a quarter more. That takes time in
/// proportion to the graph; done at fixed intervals, all of it would grow with the square of the archive.
const LEARN_FIRST: u64 = 50;

impl Simulation {
    /// A simulation of a farm that has not begun.
    pub fn new(farm: Farm, truth: Truth) -> Self {
        let machines: Vec<MachineUse> = farm
            .machines
            .iter()
            .map(|kind| MachineUse { name: kind.name.clone(), slots: kind.slots, busy: Duration::ZERO })
            .collect();
        Self {
            gauge: Gauge::new(machines.iter().map(|machine| machine.slots).sum()),
            scheduler: Scheduler::new(farm),
            truth,
            queue: Queue::default(),
            now: Moment::default(),
            last_end: Moment::default(),
            machines,
            modes: BTreeMap::new(),
            running: FxHashMap::default(),
            builds: 0,
            transient: 0,
            events: 0,
            learnt_at: 0,
        }
    }

    /// Runs it to the end.
    pub fn run(self) -> Outcome {
        self.run_with(&mut Scheduler::handle)
    }

    /// Runs it to the end, each event through `handle`.
    pub fn run_with(mut self, handle: &mut Handle<'_>) -> Outcome {
        self.queue.push(self.now, Event::Tick);
        while let Some((moment, event)) = self.queue.pop() {
            self.now = moment;
            if let Event::Ended(build, end) = &event {
                self.end(*build, end);
            }
            self.events += 1;
            for action in handle(&mut self.scheduler, moment, event) {
                self.follow(&action);
            }
        }
        self.outcome()
    }

    fn follow(&mut self, action: &Action) {
        match *action {
            Action::Start(job, build) => self.start(job, build),
            Action::Publish(_, build) => self.queue.push(self.now, Event::Published { build, changed: true }),
            Action::WakeAt(moment) => self.queue.push(moment, Event::Tick),
            // Nobody in a simulation asks for that, and nothing is written down.
            Action::Cancel(_) | Action::Moved(..) => {}
        }
    }

    fn start(&mut self, job: JobId, build: Build) {
        self.builds += 1;
        self.gauge.take(build.width);
        let (took, end) = self.truth.end(job, build.id, build.rung, build.width);
        self.running.insert(build.id, (job, build));
        self.queue.push(self.now + took, Event::Ended(build.id, end));
    }

    fn end(&mut self, id: BuildId, end: &End) {
        let Some((_, build)) = self.running.remove(&id) else { return };
        let took = self.now.since(build.since);
        if let Some(machine) = build.machine {
            self.machines[usize::from(machine.0)].busy += took * build.width;
        }
        self.gauge.give(self.now, build.width);
        let mode = self.modes.entry(build.rung).or_default();
        mode.builds += 1;
        mode.time += took;
        self.last_end = self.now;
        self.transient += u64::from(matches!(end, End::Transient(_)));
        if self.builds - self.learnt_at >= LEARN_FIRST + self.learnt_at / 4 {
            self.learnt_at = self.builds;
            self.queue.push(self.now, Event::Reprioritise);
        }
    }

    fn outcome(self) -> Outcome {
        let start = Moment::default();
        Outcome {
            makespan: self.last_end.since(start),
            full_until: self.gauge.full_until.since(start),
            machines: self.machines,
            modes: self.modes.into_iter().collect(),
            states: self.scheduler.counts(),
            builds: self.builds,
            transient: self.transient,
            events: self.events,
        }
    }
}
