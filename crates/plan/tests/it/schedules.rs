//! Properties of whole schedules, under random events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use archmill_plan::graph::{Graph, Parts};
use archmill_plan::ladder::{Advice, Mode};
use archmill_plan::predict::Predictor;
use archmill_plan::scheduler::{
    Action, Build, BuildId, Code, End, Event, Failure, Farm, MachineId, Policy, Scheduler, Settings, State,
};
use archmill_plan::{JobId, JobKind, Moment};
use proptest::prelude::*;
use rustc_hash::FxHashMap;

use crate::farm::{arm, target, x86};
use crate::world::{any_parts, id};

/// Something that happens next, chosen at random.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Built { changed: bool },
    Failed(Advice),
    Transient,
    UpToDate,
    InputsChanged(usize),
    SourceChanged(usize),
    Hold(usize),
    Release(usize),
    Prioritise(usize),
    GiveBack(usize),
    Slots(u32),
    Reprioritise,
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let job = 0usize..40;
    prop_oneof![
        6 => any::<bool>().prop_map(|changed| Happening::Built { changed }),
        2 => prop_oneof![
            Just(Advice::Stop),
            Just(Advice::Patience),
            Just(Advice::Beyond),
            Just(Advice::Try(Mode::Emulated)),
            Just(Advice::Try(Mode::OtherQemu)),
        ].prop_map(Happening::Failed),
        1 => Just(Happening::Transient),
        1 => Just(Happening::UpToDate),
        1 => job.clone().prop_map(Happening::InputsChanged),
        1 => job.clone().prop_map(Happening::SourceChanged),
        1 => job.clone().prop_map(Happening::Hold),
        1 => job.clone().prop_map(Happening::Release),
        1 => job.clone().prop_map(Happening::Prioritise),
        1 => job.prop_map(Happening::GiveBack),
        1 => (0u32..4).prop_map(Happening::Slots),
        1 => Just(Happening::Reprioritise),
    ]
}

fn any_farm() -> impl Strategy<Value = (Parts, Policy)> {
    let policy = prop_oneof![Just(Policy::NativeOnly), Just(Policy::Hybrid), Just(Policy::X86Only)];
    (any_parts(), proptest::collection::vec(any::<bool>(), 40), policy).prop_map(
        |(mut parts, foreign, policy)| {
            parts.targets.push("arm64".parse().unwrap());
            for (job, foreign) in parts.jobs.iter_mut().zip(foreign) {
                job.target = target(usize::from(foreign));
            }
            (parts, policy)
        },
    )
}

/// Drives a scheduler and checks what must always hold.
struct Checked {
    policy: Policy,
    scheduler: Scheduler,
    now: Moment,
    building: BTreeMap<BuildId, (JobId, Build)>,
    publishing: BTreeSet<BuildId>,
    log: Vec<Vec<Action>>,
}

impl Checked {
    fn new(parts: Parts, policy: Policy) -> Self {
        let scheduler = Scheduler::new(Farm {
            graph: Graph::new(parts),
            machines: vec![x86(2), arm(1)],
            settings: Settings { policy, max_width: 2, ..Settings::default() },
            policies: FxHashMap::default(),
            predictor: Predictor::default(),
            known: Vec::new(),
            shares: None,
        });
        let (building, publishing, log) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        Self { policy, scheduler, now: Moment::default(), building, publishing, log }
    }

    fn send(&mut self, event: Event) {
        if let Event::Ended(build, _) = &event {
            self.building.remove(build);
        }
        if let Event::Published { build, .. } = &event {
            self.publishing.remove(build);
        }
        let actions = self.scheduler.handle(self.now, event);
        for action in &actions {
            match action {
                Action::Start(job, build) => self.check_start(*job, build),
                Action::Publish(_, build) => assert!(self.publishing.insert(*build)),
                Action::Cancel(build) => assert!(self.building.contains_key(build)),
                Action::Moved(job, _) => {
                    assert_ne!(self.scheduler.graph().job(*job).kind, JobKind::BaseSet);
                }
                Action::WakeAt(moment) => assert!(*moment > self.now),
            }
        }
        self.log.push(actions);
        self.check_slots();
    }

    fn check_start(&mut self, job: JobId, build: &Build) {
        let graph = self.scheduler.graph();
        let waits = graph.needs(job).iter().find(|on| !self.scheduler.state(**on).is_final());
        assert_eq!(waits, None, "{} was started before what it needs", graph.describe(job));
        assert!(self.building.values().all(|(other, _)| *other != job), "a job runs twice at once");
        self.building.insert(build.id, (job, *build));
    }

    /// No slot has two builds; none is idle while something that fits is ready.
    fn check_slots(&self) {
        for place in 0..2u8 {
            let machine = MachineId(place);
            let (slots, used) = self.scheduler.slots(machine).unwrap();
            let here = self.building.values().filter(|(_, build)| build.machine == Some(machine));
            assert_eq!(here.map(|(_, build)| build.width).sum::<u32>(), used);
            let ready = |(job, of): (JobId, &archmill_plan::Job)| {
                let fits = of.target == target(usize::from(place));
                fits && *self.scheduler.state(job) == State::Scheduled
            };
            let is_used = place == 0 || self.policy != Policy::X86Only;
            if is_used && used < slots {
                let idle = self.scheduler.graph().jobs().find(|job| ready(*job)).map(|(job, _)| job);
                let waits_for_other = |job: JobId| {
                    self.log.iter().flatten().any(|action| {
                    matches!(action, Action::Start(other, build) if *other == job && build.rung.mode != Mode::Native)
                })
                };
                assert!(idle.is_none_or(waits_for_other), "{idle:?} waits beside an idle slot");
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        let job = |number: usize| id(number % self.scheduler.graph().len());
        let is_base = |job: JobId| self.scheduler.graph().job(job).kind == JobKind::BaseSet;
        let event = match happening {
            Happening::InputsChanged(number) => Event::InputsChanged(vec![job(number)]),
            Happening::SourceChanged(number) => {
                Event::SourceChanged { job: job(number), version: "2".into() }
            }
            Happening::Hold(number) => Event::Hold(job(number), "held".into()),
            Happening::Release(number) => Event::Release(job(number)),
            Happening::Prioritise(number) => Event::Prioritise(job(number)),
            Happening::GiveBack(number) => Event::GiveBack(job(number)),
            Happening::Slots(slots) => Event::Slots(MachineId(0), slots),
            Happening::Reprioritise => Event::Reprioritise,
            _ => return self.end_one(happening),
        };
        let of_base = match &event {
            Event::InputsChanged(jobs) => is_base(jobs[0]),
            Event::SourceChanged { job, .. } | Event::Hold(job, _) => is_base(*job),
            _ => false,
        };
        if !of_base {
            self.send(event);
        }
    }

    /// The oldest build ends.
    fn end_one(&mut self, happening: Happening) {
        self.now = self.now + Duration::from_secs(30);
        let Some((&build, _)) = self.building.first_key_value() else { return self.send(Event::Tick) };
        let took = Duration::from_secs(30);
        let (end, changed) = match happening {
            Happening::Failed(advice) => {
                let failure = Failure { class: "test".into(), why: "it failed".into() };
                (End::Failed(failure, advice), false)
            }
            Happening::Transient => (End::Transient("the mirror".into()), false),
            Happening::UpToDate => (End::UpToDate, false),
            Happening::Built { changed } => (End::Built { took }, changed),
            _ => (End::Built { took }, true),
        };
        self.send(Event::Ended(build, end));
        if let Some(&build) = self.publishing.first() {
            self.send(Event::Published { build, changed });
        }
    }

    /// From now on everything builds.
    fn finish(&mut self) {
        self.send(Event::Slots(MachineId(0), 2));
        for _ in 0..10_000 {
            if self.scheduler.is_done() && self.building.is_empty() {
                return;
            }
            self.now = self.now + Duration::from_mins(10);
            self.end_one(Happening::Built { changed: false });
        }
        panic!("{:?}", self.scheduler.counts());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_rules_hold_and_everything_comes_to_an_end(
        (parts, policy) in any_farm(),
        happenings in proptest::collection::vec(any_happening(), 0..120),
    ) {
        let mut checked = Checked::new(parts, policy);
        checked.send(Event::Tick);
        for happening in happenings {
            checked.happen(happening);
        }
        checked.finish();
        for (job, _) in checked.scheduler.graph().jobs() {
            let state = checked.scheduler.state(job);
            prop_assert!(!matches!(state.code(), Code::Blocked | Code::Scheduled), "{:?}", state);
            prop_assert!(!checked.scheduler.reason(checked.now, job).is_empty());
        }
    }

    #[test]
    fn the_same_events_give_the_same_actions(
        (parts, policy) in any_farm(),
        happenings in proptest::collection::vec(any_happening(), 0..60),
    ) {
        let run = || {
            let mut checked = Checked::new(parts.clone(), policy);
            checked.send(Event::Tick);
            for &happening in &happenings {
                checked.happen(happening);
            }
            checked.finish();
            checked.log
        };
        prop_assert_eq!(run(), run());
    }
}
