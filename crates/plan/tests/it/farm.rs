//! A farm that is driven by hand.

use std::time::Duration;

use archmill_deb::Arch;
use archmill_plan::graph::{Graph, Parts};
use archmill_plan::ladder::Advice;
use archmill_plan::predict::Predictor;
use archmill_plan::scheduler::{
    Action, Build, BuildId, Code, End, Event, Failure, Farm, Known, MachineKind, Policy, Scheduler, Settings,
};
use archmill_plan::{JobId, Moment, TargetId};
use rustc_hash::FxHashMap;

use crate::world::{id, parts};

pub(crate) fn target(index: usize) -> TargetId {
    TargetId::new(index).unwrap()
}

/// Machines for amd64 that emulate arm64.
pub(crate) fn x86(slots: u32) -> MachineKind {
    MachineKind {
        name: "x86_64".to_owned(),
        is_x86: true,
        slots,
        native: vec![target(0)],
        emulated: vec![target(1)],
    }
}

/// Machines for arm64.
pub(crate) fn arm(slots: u32) -> MachineKind {
    MachineKind {
        name: "aarch64".to_owned(),
        is_x86: false,
        slots,
        native: vec![target(1)],
        emulated: Vec::new(),
    }
}

/// Jobs that need each other as told, those named in `foreign` for arm64.
pub(crate) fn two_targets(needs: &[&[usize]], foreign: &[usize]) -> Parts {
    let mut parts = parts(needs.iter().map(|list| list.to_vec()).collect());
    parts.targets.push("arm64".parse::<Arch>().unwrap());
    for &job in foreign {
        parts.jobs[job].target = target(1);
    }
    parts
}

/// A scheduler, its clock, and what it asked for.
pub(crate) struct Driver {
    pub(crate) scheduler: Scheduler,
    pub(crate) now: Moment,
    pub(crate) started: Vec<(JobId, Build)>,
    pub(crate) cancelled: Vec<BuildId>,
}

impl Driver {
    pub(crate) fn new(parts: Parts, machines: Vec<MachineKind>) -> Self {
        Self::with(parts, machines, Policy::Hybrid, Vec::new())
    }

    pub(crate) fn with(
        parts: Parts,
        machines: Vec<MachineKind>,
        policy: Policy,
        known: Vec<(JobId, Known)>,
    ) -> Self {
        let scheduler = Scheduler::new(Farm {
            graph: Graph::new(parts),
            machines,
            settings: Settings { policy, ..Settings::default() },
            policies: FxHashMap::default(),
            predictor: Predictor::default(),
            known,
            shares: None,
        });
        let mut driver =
            Self { scheduler, now: Moment::default(), started: Vec::new(), cancelled: Vec::new() };
        driver.send(Event::Tick);
        driver
    }

    /// Sends an event; publishes what was built, as changed.
    pub(crate) fn send(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.scheduler.handle(self.now, event) {
                match action {
                    Action::Start(job, build) => self.started.push((job, build)),
                    Action::Cancel(build) => self.cancelled.push(build),
                    Action::Publish(_, build) => events.push(Event::Published { build, changed: true }),
                    Action::Moved(..) | Action::WakeAt(_) => {}
                }
            }
        }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.send(Event::Tick);
    }

    pub(crate) fn end(&mut self, job: usize, end: End) {
        let build = self.scheduler.state(id(job)).build().expect("it is built").id;
        self.send(Event::Ended(build, end));
    }

    pub(crate) fn built(&mut self, job: usize) {
        self.end(job, End::Built { took: Duration::from_mins(1) });
    }

    pub(crate) fn failed(&mut self, job: usize, advice: Advice) {
        let failure = Failure { class: "test".into(), why: "it failed".into() };
        self.end(job, End::Failed(failure, advice));
    }

    pub(crate) fn code(&self, job: usize) -> Code {
        self.scheduler.state(id(job)).code()
    }

    pub(crate) fn codes(&self) -> Vec<Code> {
        self.scheduler.graph().jobs().map(|(job, _)| self.scheduler.state(job).code()).collect()
    }

    pub(crate) fn reason(&self, job: usize) -> String {
        self.scheduler.reason(self.now, id(job))
    }

    /// The mode of the build that runs of a job.
    pub(crate) fn mode(&self, job: usize) -> String {
        self.scheduler.state(id(job)).build().map(|build| build.rung.to_string()).unwrap_or_default()
    }
}
