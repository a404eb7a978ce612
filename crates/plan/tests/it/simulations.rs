//! Whole rebuilds, simulated.

use std::time::Duration;

use archmill_deb::Arch;
use archmill_plan::TargetId;
use archmill_plan::graph::Graph;
use archmill_plan::ladder::{Ladder, Mode};
use archmill_plan::predict::Predictor;
use archmill_plan::scheduler::{Code, Farm, MachineKind, Policy, Settings};
use archmill_plan::simulate::{
    Bounds, Chances, MadeUp, MadeUpComponent, Outcome, Simulation, Truth, World, lower_bounds,
};
use rustc_hash::FxHashMap;

fn arch(name: &str) -> Arch {
    name.parse().unwrap()
}

/// The archive of the concept document: Apertis v2021dev3.
fn apertis(self_hosted: bool) -> Graph {
    let both = ["amd64", "armhf", "arm64"].map(arch);
    let component = |name: &str, sources, architectures: &[Arch]| MadeUpComponent {
        name: name.to_owned(),
        sources,
        architectures: architectures.to_vec(),
    };
    let made_up = MadeUp {
        seed: 1,
        components: vec![
            component("development", 3237, &both),
            component("target", 465, &both),
            component("sdk", 419, &both[..1]),
        ],
        self_hosted,
    };
    Graph::new(made_up.parts().unwrap())
}

fn ids(numbers: &[usize]) -> Vec<TargetId> {
    numbers.iter().map(|&number| TargetId::new(number).unwrap()).collect()
}

fn kind(name: &str, slots: u32, native: &[usize], emulated: &[usize]) -> MachineKind {
    let is_x86 = name.starts_with("x86_64");
    MachineKind { name: name.to_owned(), is_x86, slots, native: ids(native), emulated: ids(emulated) }
}

fn simulate(graph: Graph, machines: Vec<MachineKind>, settings: Settings, world: World) -> (Outcome, Bounds) {
    let truth = Truth::new(world, &graph);
    let bounds = lower_bounds(&graph, &machines, &settings, &truth);
    let farm = Farm {
        graph,
        machines,
        settings,
        policies: FxHashMap::default(),
        predictor: Predictor::new(world.penalties),
        known: Vec::new(),
        shares: None,
    };
    (Simulation::new(farm, truth).run(), bounds)
}

fn emulated_only() -> Settings {
    let ladder = Ladder::emulated().only(|rung| rung.mode != Mode::Accelerated);
    Settings { policy: Policy::X86Only, ladder, ..Settings::default() }
}

fn days(time: Duration) -> f64 {
    time.as_secs_f64() / 86_400.0
}

fn over(outcome: &Outcome, bounds: &Bounds) -> f64 {
    outcome.makespan.as_secs_f64() / bounds.largest().as_secs_f64()
}

#[test]
fn the_archive_of_the_concept_document_has_its_number_of_builds() {
    let graph = apertis(true);
    let base_sets = 3;
    assert_eq!(graph.len() - base_sets, 11_525);
    assert_eq!(graph.cycles().components.len(), 0);
}

#[test]
fn the_fleet_of_the_concept_document_takes_about_a_week_emulated() {
    // Fifteen instances for each architecture.
    let machines = vec![
        kind("x86_64-amd64", 15, &[0, 1], &[]),
        kind("x86_64-armhf", 15, &[], &[2]),
        kind("x86_64-arm64", 15, &[], &[3]),
    ];
    let (outcome, _) = simulate(apertis(false), machines, emulated_only(), World::default());
    assert!((5.0..9.0).contains(&days(outcome.makespan)), "{} days", days(outcome.makespan));
}

#[test]
fn schedules_are_within_five_percent_of_the_lower_bound() {
    for self_hosted in [false, true] {
        for settings in [emulated_only(), Settings { policy: Policy::X86Only, ..Settings::default() }] {
            let machines = vec![kind("x86_64", 45, &[0, 1], &[2, 3])];
            let (outcome, bounds) = simulate(apertis(self_hosted), machines, settings, World::default());
            let over = over(&outcome, &bounds);
            assert!(
                (1.0..1.05).contains(&over),
                "{over}, self-hosted: {self_hosted}, {outcome:#?} {bounds:?}"
            );
        }
    }
}

#[test]
fn a_hybrid_farm_is_faster_than_either_of_its_parts() {
    let makespan = |policy| {
        let machines = vec![kind("x86_64", 30, &[0, 1], &[2, 3]), kind("aarch64", 15, &[2, 3], &[])];
        let settings = Settings { policy, ..Settings::default() };
        let (outcome, bounds) = simulate(apertis(true), machines, settings, World::default());
        assert!(over(&outcome, &bounds) < 1.05, "{policy}: {}", over(&outcome, &bounds));
        outcome.makespan
    };
    let [native, hybrid, x86] = Policy::ALL.map(makespan);
    assert!(hybrid < native && hybrid < x86, "{native:?} {hybrid:?} {x86:?}");
}

#[test]
fn trouble_is_met_by_the_modes_that_help() {
    let chances = Chances {
        fails: 0.02,
        needs_patience: 0.05,
        needs_other_qemu: 0.02,
        needs_native: 0.02,
        transient: 0.02,
    };
    let machines = vec![kind("x86_64", 45, &[0, 1], &[2, 3])];
    let settings = Settings { policy: Policy::X86Only, ..Settings::default() };
    let (outcome, _) = simulate(apertis(true), machines, settings, World { chances, ..World::default() });
    let count = |code| outcome.states.iter().find(|(of, _)| *of == code).unwrap().1;
    assert_eq!(count(Code::Succeeded) + count(Code::Failed), 11_525);
    assert!((100..400).contains(&count(Code::Failed)), "only what fails in every mode: {outcome:?}");
    let modes: Vec<String> = outcome.modes.iter().map(|(rung, _)| rung.to_string()).collect();
    assert_eq!(modes, ["native", "accelerated", "accelerated+patience", "other-qemu", "imported"]);
    assert!(outcome.transient > 100);
}

#[test]
fn a_simulation_is_always_the_same() {
    let run = || {
        let machines = vec![kind("x86_64", 45, &[0, 1], &[2, 3])];
        simulate(apertis(true), machines, emulated_only(), World::default()).0
    };
    assert_eq!(run(), run());
}
