//! From indices to graphs.

use std::fmt::Write as _;

use archmill_deb::Arch;
use archmill_plan::JobKind;
use archmill_plan::graph::{Component, Graph, Model, Planned, Planner};
use archmill_solve::{IndexText, Sources, Universe};

const SOURCES: &str = "\
Package: gcc
Version: 1
Architecture: any
Build-Depends: libc-dev

Package: libc
Version: 1
Architecture: any
Build-Depends: docs

Package: tool
Version: 1
Architecture: any all
Build-Depends: libc-dev
Build-Depends-Indep: docs

Package: docs
Version: 1
Architecture: all
Build-Depends-Indep: tool

Package: lost
Version: 1
Architecture: amd64
Build-Depends: nowhere
";

fn packages(arch: &str) -> String {
    let mut text = String::new();
    let all = "all";
    for (name, source, of, more) in [
        ("build-essential", "gcc", arch, "Depends: gcc, libc-dev\n"),
        ("docs", "docs", all, ""),
        ("gcc", "gcc", arch, ""),
        ("libc-dev", "libc", arch, ""),
        ("tool", "tool", arch, "Depends: tool-data\n"),
        ("tool-data", "tool", all, ""),
    ] {
        writeln!(text, "Package: {name}\nSource: {source}\nVersion: 1\nArchitecture: {of}\n{more}").unwrap();
    }
    text
}

fn planned(model: Model) -> Planned {
    let sources = Sources::new(vec![IndexText::new(SOURCES, "test")]);
    let arches: [Arch; 2] = [Arch::AMD64, "arm64".parse().unwrap()];
    let component = Component { name: "main", sources: &sources, only: None, architectures: &arches };
    let mut planner = Planner::new(model, &[component]).unwrap();
    for target in planner.targets() {
        let of = if target == Arch::ALL { Arch::AMD64 } else { target.clone() };
        let universe = Universe::new(vec![IndexText::new(packages(of.as_str()), "test")], &of, &[]);
        planner.solve(&target, &universe).unwrap();
    }
    planner.want_twins(&Arch::AMD64, &["gcc".to_owned()]);
    let gcc = sources.find("gcc").unwrap();
    planner.add_toolchain(&Arch::AMD64, &"arm64".parse().unwrap(), &gcc, "1").unwrap();
    planner.finish()
}

fn needs(graph: &Graph, what: &str) -> Vec<String> {
    let (job, _) = graph.jobs().find(|(job, _)| graph.describe(*job) == what).unwrap();
    graph.needs(job).iter().map(|on| graph.describe(*on)).collect()
}

#[test]
fn a_source_is_a_job_for_each_architecture_and_one_for_all() {
    let graph = planned(Model::SelfHosted).graph;
    let packages = graph.jobs().filter(|(_, job)| job.kind == JobKind::Package);
    let names: Vec<String> = packages.map(|(job, _)| graph.describe(job)).collect();
    assert_eq!(
        names,
        [
            "docs for all",
            "tool for all",
            "gcc for amd64",
            "libc for amd64",
            "lost for amd64",
            "tool for amd64",
            "gcc for arm64",
            "libc for arm64",
            "tool for arm64",
        ]
    );
}

#[test]
fn needs_are_those_of_the_install_set_and_what_all_share_is_one() {
    let graph = planned(Model::SelfHosted).graph;
    assert_eq!(needs(&graph, "the base set of arm64"), ["gcc for arm64", "libc for arm64"]);
    // libc-dev is in the base set.
    assert_eq!(needs(&graph, "tool for arm64"), ["the base set of arm64"]);
    assert_eq!(needs(&graph, "libc for arm64"), ["docs for all"]);
}

#[test]
fn what_the_base_set_needs_does_not_wait_for_it() {
    let graph = planned(Model::SelfHosted).graph;
    // libc needs docs, which need tool with its data, which need libc; amd64 is where packages for all are built.
    for job in ["libc for amd64", "docs for all", "tool for amd64", "tool for all", "gcc for amd64"] {
        assert!(!needs(&graph, job).iter().any(|on| on.starts_with("the base set")), "{job}");
    }
}

#[test]
fn against_upstream_no_job_needs_another() {
    let planned = planned(Model::AgainstUpstream);
    assert_eq!(planned.graph.edges(), 0);
    assert_eq!(planned.unresolvable.len(), 1, "what cannot be resolved is told in either model");
}

#[test]
fn what_cannot_be_resolved_is_told_with_the_reason() {
    let planned = planned(Model::SelfHosted);
    let [(job, why)] = &planned.unresolvable[..] else { panic!("{:?}", planned.unresolvable) };
    assert_eq!(planned.graph.describe(*job), "lost for amd64");
    assert!(why.contains("build-depends on nowhere"), "{why}");
}

#[test]
fn builds_for_other_architectures_want_twins_of_their_tools_and_a_compiler() {
    let graph = planned(Model::SelfHosted).graph;
    let wants = |what: &str| {
        let (job, _) = graph.jobs().find(|(job, _)| graph.describe(*job) == what).unwrap();
        graph.wants(job).iter().map(|on| graph.describe(*on)).collect::<Vec<_>>()
    };
    let toolchain = "the toolchain gcc for arm64".to_owned();
    // gcc is in the base set that all are built in.
    assert_eq!(wants("gcc for arm64"), ["gcc for amd64".to_owned(), toolchain.clone()]);
    assert_eq!(wants("tool for arm64"), ["gcc for amd64".to_owned(), toolchain.clone()]);
    assert_eq!(wants("gcc for amd64"), [""; 0]);
    assert_eq!(needs(&graph, &toolchain), ["the base set of amd64"]);
}
