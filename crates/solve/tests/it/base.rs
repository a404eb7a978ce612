//! The base set and what comes on top.

use archmill_solve::{Base, Request, Solver, solve};

use crate::world::{names, outcome, request, universe};

const ROOT: &str = "
    apt 2; Depends: libc
    bash 5; Essential: yes; Pre-Depends: libc; Depends: base-files
    base-files 13; Essential: yes; Depends: awk
    build-essential 12; Depends: gcc
    gawk 1; Provides: awk; Priority: optional
    gcc 14; Depends: libc
    init 1; Essential: yes; Depends: usrmerge | usr-is-merged
    libc 2
    login 4; Priority: required
    mawk 1; Provides: awk; Priority: required
    perl-modules 5
    tool 1; Depends: libtool
    libtool 1; Depends: libc
    usr-is-merged 1
    usrmerge 1; Depends: perl-modules
";

#[test]
fn the_base_of_a_build_machine_is_essential_required_build_essential_and_apt() {
    let universe = universe(ROOT);
    let base = Solver::new(&universe).base(&Base::buildd()).unwrap();
    assert_eq!(names(&base), "apt base-files bash build-essential gcc init libc login mawk usr-is-merged");
    assert!(base.packages.iter().all(|package| package.base));
}

#[test]
fn a_preference_that_no_essential_package_names_brings_nothing_in() {
    let universe = universe(&ROOT.replace("; Depends: usrmerge | usr-is-merged", ""));
    let base = Solver::new(&universe).base(&Base::buildd()).unwrap();
    assert!(!names(&base).contains("usr-is-merged"), "{}", names(&base));
}

#[test]
fn without_a_preference_the_first_alternative_is_taken_for_the_base_too() {
    let universe = universe(ROOT);
    let base = Base { essential: true, ..Base::default() };
    let set = Solver::new(&universe).base(&base).unwrap();
    assert_eq!(names(&set), "base-files bash init libc mawk perl-modules usrmerge");
}

#[test]
fn packages_of_priority_required_are_added_when_asked_for() {
    let universe = universe(ROOT);
    let base = Base { required: true, ..Base::default() };
    assert_eq!(names(&Solver::new(&universe).base(&base).unwrap()), "login mawk");
}

#[test]
fn a_set_is_split_into_base_and_rest() {
    let universe = universe(ROOT);
    let set = solve(&universe, &Request { base: Base::buildd(), ..request("tool, gcc") }).unwrap();
    let rest: Vec<_> = set.rest().map(|package| package.name.as_str()).collect();
    assert_eq!(rest, ["libtool", "tool"]);
    assert_eq!(set.base().count(), 10);
}

#[test]
fn each_package_of_the_base_says_why_it_is_there() {
    let universe = universe(ROOT);
    let base = Solver::new(&universe).base(&Base { required: false, ..Base::buildd() }).unwrap();
    let why = |name: &str| {
        let by = &base.get(name).unwrap().installed_by;
        format!("{}: {}: {}", by.by, by.field, by.relation)
    };
    assert_eq!(why("bash"), "base: Essential: bash (Essential: yes)");
    assert_eq!(why("mawk"), "base-files 13: Depends: awk");
    assert_eq!(why("gcc"), "build-essential 12: Depends: gcc");
    assert_eq!(why("apt"), "base: base: apt");
    let base = Solver::new(&universe).base(&Base::buildd()).unwrap();
    let by = &base.get("login").unwrap().installed_by;
    assert_eq!(format!("{}: {}: {}", by.by, by.field, by.relation), "base: Priority: login");
}

#[test]
fn a_missing_base_package_is_an_error_that_names_it() {
    let universe = universe("apt 1");
    let result = Solver::new(&universe).base(&Base::buildd());
    assert_eq!(outcome(&result), "! the base set has build-essential, which no package is or provides");
}
