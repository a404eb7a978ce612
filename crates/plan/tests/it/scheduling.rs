//! What the scheduler does, case by case.

use std::time::Duration;

use archmill_plan::graph::Adjacency;
use archmill_plan::ladder::{Advice, Mode};
use archmill_plan::scheduler::{Code, End, Event, Failure, Known, Policy, Standing, State};

use crate::farm::{Driver, arm, two_targets, x86};
use crate::world::id;

const MINUTES: fn(u64) -> Duration = Duration::from_mins;

#[test]
fn a_job_waits_for_what_it_needs_and_says_so() {
    let mut farm = Driver::new(two_targets(&[&[], &[0]], &[]), vec![x86(2)]);
    assert_eq!(farm.codes(), [Code::Building, Code::Blocked]);
    assert_eq!(farm.reason(1), "it waits for p0 for amd64 (building)");
    assert!(
        farm.reason(0).starts_with("it is built on x86_64 in the mode native, which is predicted to take")
    );
    farm.built(0);
    assert_eq!(farm.codes(), [Code::Succeeded, Code::Building]);
    farm.built(1);
    assert!(farm.scheduler.is_done());
    assert_eq!(farm.reason(1), "1 was built in the mode native");
}

#[test]
fn the_longest_remaining_path_comes_first() {
    // 3 needs 2, which needs 1; nothing needs 0.
    let farm = Driver::new(two_targets(&[&[], &[], &[1], &[2]], &[]), vec![x86(1)]);
    assert_eq!(farm.codes(), [Code::Scheduled, Code::Building, Code::Blocked, Code::Blocked]);
    assert!(farm.reason(0).contains("it waits for a slot"), "{}", farm.reason(0));
}

#[test]
fn what_needs_a_failed_package_takes_the_seed() {
    let mut farm = Driver::new(two_targets(&[&[], &[0]], &[]), vec![x86(1)]);
    farm.failed(0, Advice::Stop);
    assert_eq!(farm.codes(), [Code::Failed, Code::Building]);
    assert!(farm.reason(0).contains("it failed (test); it is tried again when"), "{}", farm.reason(0));
}

#[test]
fn a_failed_package_is_tried_again_when_something_changes_or_when_given_back() {
    let mut farm = Driver::new(two_targets(&[&[]], &[]), vec![x86(1)]);
    farm.failed(0, Advice::Stop);
    farm.wait(MINUTES(6000));
    assert_eq!(farm.code(0), Code::Failed);
    farm.send(Event::GiveBack(id(0)));
    assert_eq!(farm.code(0), Code::Building);
    farm.failed(0, Advice::Stop);
    farm.send(Event::InputsChanged(vec![id(0)]));
    assert_eq!(farm.code(0), Code::Blocked);
    farm.wait(MINUTES(5));
    assert_eq!(farm.code(0), Code::Building);
}

#[test]
fn many_changes_make_one_rebuild() {
    let known = vec![(id(0), Known::Built)];
    let mut farm = Driver::with(two_targets(&[&[]], &[]), vec![x86(1)], Policy::Hybrid, known);
    for _ in 0..100 {
        farm.send(Event::InputsChanged(vec![id(0)]));
        farm.wait(MINUTES(1));
    }
    // Each change puts the build off, but by no more than an hour from the first one.
    assert_eq!(farm.started.len(), 1);
    assert!(farm.started[0].1.since.0 <= 60 * 60_000, "{:?}", farm.started);
}

#[test]
fn unchanged_results_trigger_nothing_and_changed_ones_do() {
    let known = vec![(id(0), Known::Built), (id(1), Known::Built)];
    let rebuild = |changed: bool| {
        let parts = two_targets(&[&[], &[0]], &[]);
        let mut farm = Driver::with(parts, vec![x86(1)], Policy::Hybrid, known.clone());
        farm.send(Event::InputsChanged(vec![id(0)]));
        farm.wait(MINUTES(5));
        let build = farm.scheduler.state(id(0)).build().unwrap().id;
        let took = MINUTES(1);
        farm.scheduler.handle(farm.now, Event::Ended(build, End::Built { took }));
        assert_eq!(farm.code(0), Code::Finished);
        farm.scheduler.handle(farm.now, Event::Published { build, changed });
        farm.codes()
    };
    assert_eq!(rebuild(false), [Code::Succeeded, Code::Succeeded]);
    assert_eq!(rebuild(true), [Code::Succeeded, Code::Blocked]);
}

#[test]
fn transient_failures_are_retried_ever_later_and_do_not_count() {
    let mut farm = Driver::new(two_targets(&[&[]], &[0]), vec![x86(1)]);
    for (retry, minutes) in [1, 2, 4].into_iter().enumerate() {
        assert_eq!(farm.mode(0), "accelerated", "the ladder is not climbed");
        farm.end(0, End::Transient("the mirror does not answer".into()));
        assert_eq!(farm.code(0), Code::Blocked);
        let words = format!("try {} in {} s, after a failure that is not", retry + 2, minutes * 60);
        assert!(farm.reason(0).starts_with(&words), "{}", farm.reason(0));
        farm.wait(MINUTES(minutes));
    }
    assert_eq!(farm.code(0), Code::Building);
}

#[test]
fn the_ladder_is_climbed_as_the_failure_says() {
    let mut farm = Driver::new(two_targets(&[&[]], &[0]), vec![x86(1)]);
    let mut modes = vec![farm.mode(0)];
    for advice in [Advice::Patience, Advice::Try(Mode::OtherQemu), Advice::Beyond] {
        farm.failed(0, advice);
        modes.push(farm.mode(0));
    }
    assert_eq!(modes, ["accelerated", "accelerated+patience", "other-qemu+patience", "imported"]);
    assert_eq!(farm.reason(0), "the upstream archive's package is taken in its place");
    farm.built(0);
    assert_eq!(farm.reason(0), "1 was built in the mode imported");
}

#[test]
fn what_worked_is_where_the_next_build_starts() {
    let mut farm = Driver::new(two_targets(&[&[]], &[0]), vec![x86(1)]);
    farm.failed(0, Advice::Try(Mode::Emulated));
    farm.built(0);
    farm.send(Event::SourceChanged { job: id(0), version: "2".into() });
    farm.wait(MINUTES(5));
    assert_eq!(farm.mode(0), "emulated");
}

#[test]
fn in_a_hybrid_farm_what_fails_emulated_goes_to_a_native_machine() {
    let mut farm = Driver::new(two_targets(&[&[], &[]], &[0, 1]), vec![x86(1), arm(1)]);
    let emulated = usize::from(farm.mode(1) == "accelerated");
    assert_eq!(farm.mode(1 - emulated), "native", "either machine has one");
    farm.built(1 - emulated);
    farm.failed(emulated, Advice::Beyond);
    assert_eq!(farm.mode(emulated), "native");
}

#[test]
fn policies_say_where_builds_run() {
    let modes = |policy| {
        let parts = two_targets(&[&[], &[]], &[0, 1]);
        let farm = Driver::with(parts, vec![x86(2), arm(1)], policy, Vec::new());
        let mut modes: Vec<_> = farm.started.iter().map(|(_, build)| build.rung.to_string()).collect();
        modes.sort();
        modes
    };
    assert_eq!(modes(Policy::NativeOnly), ["native"]);
    assert_eq!(modes(Policy::Hybrid), ["accelerated", "native"]);
    assert_eq!(modes(Policy::X86Only), ["accelerated", "accelerated"]);
}

#[test]
fn a_target_that_no_machine_may_build_is_disabled_with_the_reason() {
    let parts = two_targets(&[&[]], &[0]);
    let farm = Driver::with(parts, vec![x86(1)], Policy::NativeOnly, Vec::new());
    assert_eq!(farm.code(0), Code::Disabled);
    assert!(
        farm.reason(0).contains("no machine of the farm may build for arm64 under the policy native-only")
    );
}

#[test]
fn a_held_job_is_ended_and_waits_until_it_is_released() {
    let mut farm = Driver::new(two_targets(&[&[]], &[]), vec![x86(1)]);
    farm.send(Event::Hold(id(0), "the release team asked".into()));
    assert_eq!((farm.code(0), farm.cancelled.len()), (Code::Building, 1));
    farm.end(0, End::Cancelled);
    assert_eq!(farm.reason(0), "it is held: the release team asked");
    farm.send(Event::Release(id(0)));
    assert_eq!(farm.code(0), Code::Building);
}

#[test]
fn what_a_person_asks_for_comes_first_with_all_it_waits_for() {
    // 1 is long; 3 needs 2, which needs 0 too.
    let mut farm = Driver::new(two_targets(&[&[], &[0], &[0], &[2], &[1], &[4]], &[]), vec![x86(1)]);
    farm.send(Event::Prioritise(id(3)));
    farm.built(0);
    assert_eq!(farm.code(2), Code::Building, "1 has the longer path, but 3 needs 2");
}

#[test]
fn a_foreign_build_waits_for_a_twin_that_is_nearly_there_and_not_for_one_that_is_not() {
    let with_tool = |bytes: u64| {
        let mut parts = two_targets(&[&[], &[]], &[1]);
        parts.wants = Adjacency::from_lists([vec![], vec![id(0)]]);
        parts.jobs[0].traits.source_bytes = bytes;
        Driver::new(parts, vec![x86(2)])
    };
    let mut near = with_tool(100 << 10);
    assert_eq!(near.code(1), Code::Blocked);
    assert!(near.reason(1).contains("it waits for p0 for amd64, whose twin"), "{}", near.reason(1));
    near.built(0);
    assert_eq!(near.mode(1), "accelerated");
    let far = with_tool(4 << 30);
    assert_eq!(far.mode(1), "emulated");
}

#[test]
fn what_will_be_cheaper_with_its_twin_comes_after_what_will_not() {
    let mut parts = two_targets(&[&[], &[], &[]], &[1]);
    parts.wants = Adjacency::from_lists([vec![], vec![id(0)], vec![]]);
    parts.jobs[0].traits.source_bytes = 4 << 30;
    // Its path is the longer one.
    parts.jobs[1].traits.source_bytes = 4 << 20;
    let mut farm = Driver::new(parts, vec![x86(2)]);
    assert_eq!(farm.codes(), [Code::Building, Code::Scheduled, Code::Building]);
    farm.built(2);
    assert_eq!(farm.mode(1), "emulated", "a slot would be idle, and the twin is far");
}

#[test]
fn standings_have_their_states_and_reasons() {
    let mut farm = Driver::new(two_targets(&[&[], &[], &[], &[]], &[]), vec![x86(1)]);
    farm.send(Event::Declared(id(1), Standing::Excluded("not for amd64".into())));
    farm.send(Event::Declared(id(2), Standing::Broken("no orig.tar".into())));
    farm.send(Event::Declared(id(3), Standing::Disabled("in farm.toml".into())));
    farm.end(0, End::Unresolvable("nowhere is missing".into()));
    assert_eq!(farm.codes(), [Code::Unresolvable, Code::Excluded, Code::Broken, Code::Disabled]);
    assert_eq!(farm.reason(0), "its build dependencies cannot be installed: nowhere is missing");
    farm.send(Event::Declared(id(1), Standing::Normal));
    assert_eq!(farm.code(1), Code::Building);
}

#[test]
fn a_base_set_that_changed_makes_what_it_is_in_due() {
    let mut parts = two_targets(&[&[], &[0], &[1]], &[]);
    parts.jobs[1].kind = archmill_plan::JobKind::BaseSet;
    let known = vec![(id(0), Known::Built), (id(2), Known::Built)];
    let mut farm = Driver::with(parts, vec![x86(1)], Policy::Hybrid, known);
    assert!(farm.scheduler.is_done(), "nothing changed, so nothing is due");
    farm.send(Event::InputsChanged(vec![id(0)]));
    farm.wait(MINUTES(5));
    farm.built(0);
    farm.wait(MINUTES(5));
    farm.wait(MINUTES(5));
    assert_eq!(farm.code(2), Code::Building);
}

#[test]
fn known_failures_are_not_repeated() {
    let failure = Failure { class: "x".into(), why: "y".into() };
    let known = vec![(id(0), Known::Failed(failure.clone()))];
    let farm = Driver::with(two_targets(&[&[], &[0]], &[]), vec![x86(1)], Policy::Hybrid, known);
    assert_eq!(farm.scheduler.state(id(0)), &State::Failed(failure));
    assert_eq!(farm.code(1), Code::Building);
}

#[test]
fn builds_are_wide_where_slots_would_be_idle() {
    use archmill_plan::graph::Graph;
    use archmill_plan::predict::Predictor;
    use archmill_plan::scheduler::{Action, Farm, Scheduler, Settings};
    let widths = |jobs: usize| {
        let mut parts = two_targets(&vec![&[][..]; jobs], &[]);
        for job in &mut parts.jobs {
            job.traits.source_bytes = 1 << 30;
        }
        let mut scheduler = Scheduler::new(Farm {
            graph: Graph::new(parts),
            machines: vec![x86(8)],
            settings: Settings { max_width: 4, ..Settings::default() },
            policies: rustc_hash::FxHashMap::default(),
            predictor: Predictor::default(),
            known: Vec::new(),
            shares: None,
        });
        let actions = scheduler.handle(archmill_plan::Moment::default(), Event::Tick);
        let width = |action: &Action| match action {
            Action::Start(_, build) => Some(build.width),
            _ => None,
        };
        actions.iter().filter_map(width).collect::<Vec<_>>()
    };
    assert_eq!(widths(1), [4]);
    assert_eq!(widths(3), [2, 3, 3]);
    assert_eq!(widths(20), [1; 8]);
}
