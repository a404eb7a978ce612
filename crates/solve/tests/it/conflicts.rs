//! Packages that exclude each other.

use archmill_deb::Relations;
use archmill_solve::{Base, Request, Versions, solve};

use crate::world::{installs, names, outcome, request, universe};

fn with_conflicts(build_depends: &str, conflicts: &str) -> Request {
    Request { conflicts: Relations::parse(conflicts).unwrap(), ..request(build_depends) }
}

#[test]
fn conflicting_packages_are_not_installed_together() {
    let universe = universe("a 1; Conflicts: b\nb\nc 1; Breaks: b");
    assert!(installs(&universe, "a, b").starts_with("! these cannot all hold"));
    assert!(installs(&universe, "b, c").starts_with("! these cannot all hold"));
    assert_eq!(installs(&universe, "a, c"), "a c");
}

#[test]
fn a_versioned_conflict_is_about_these_versions_only() {
    let universe = universe("a 1; Breaks: b (<< 2)\nb 2\nc 1; Breaks: b (<< 3)");
    assert_eq!(installs(&universe, "a, b"), "a b");
    assert!(installs(&universe, "c, b").starts_with('!'));
}

#[test]
fn an_older_version_avoids_a_conflict_where_that_is_allowed() {
    let universe = universe("a 1; Breaks: b (>= 2)\nb 1\nb 2");
    assert!(installs(&universe, "a, b").starts_with('!'));
    let any = Request { versions: Versions::Any, ..request("a, b") };
    assert_eq!(solve(&universe, &any).unwrap().get("b").unwrap().version, "1");
}

#[test]
fn a_conflict_with_a_provided_name_excludes_other_providers_but_not_the_package_itself() {
    let universe =
        universe("a 1; Provides: mta; Conflicts: mta\nb 1; Provides: mta; Conflicts: mta\nc 1; Depends: mta");
    assert_eq!(installs(&universe, "a"), "a");
    assert_eq!(installs(&universe, "a, c"), "a c");
    assert!(installs(&universe, "a, b").starts_with('!'));
}

#[test]
fn a_package_may_conflict_with_its_own_name() {
    let universe = universe("a 2; Conflicts: a, a (<< 2)");
    assert_eq!(installs(&universe, "a"), "a");
}

#[test]
fn a_versioned_conflict_does_not_hit_an_unversioned_provides() {
    let universe = universe("a 1; Provides: x\nb 1; Conflicts: x (<< 9)\nc 1; Provides: x (= 3)");
    assert_eq!(installs(&universe, "a, b"), "a b");
    assert!(installs(&universe, "b, c").starts_with('!'));
}

#[test]
fn a_conflict_of_what_is_needed_anyway_decides_alternatives() {
    let universe = universe("a 1; Conflicts: b\nd 1; Depends: b | c\nb\nc");
    assert_eq!(installs(&universe, "a, d"), "a c d");
}

#[test]
fn search_finds_a_way_where_the_first_choice_was_wrong() {
    // `b` is chosen for `d` before `a` is seen to conflict with it.
    let universe = universe("d 1; Depends: b | c\nb\nc\ne 1; Depends: a\na 1; Conflicts: b");
    assert_eq!(installs(&universe, "d, e"), "a c d e");
}

#[test]
fn a_conflict_declared_by_the_package_chosen_first_is_seen_too() {
    let universe = universe("d 1; Depends: b | c\nb 1; Conflicts: a\nc\na");
    assert_eq!(installs(&universe, "d, a"), "a c d");
}

#[test]
fn search_pulls_in_nothing_that_is_not_needed() {
    let universe = universe(
        "d 1; Depends: b | c\nb 1; Depends: x, y\nx\ny 1; Conflicts: a\nc 1; Depends: z | w\nz\nw\na 1; Depends: q\nq",
    );
    assert_eq!(installs(&universe, "d, a"), "a c d q z");
}

#[test]
fn build_conflicts_keep_packages_out() {
    let universe = universe("a 1; Depends: b | c\nb\nc");
    assert_eq!(outcome(&solve(&universe, &with_conflicts("a", "b"))), "a c");
    assert!(solve(&universe, &with_conflicts("a", "b, c")).is_err());
    assert_eq!(outcome(&solve(&universe, &with_conflicts("a", "b (<< 1)"))), "a b");
}

#[test]
fn build_conflicts_remove_from_the_base_what_nothing_essential_needs() {
    let universe = universe("e 1; Essential: yes\nt 1; Depends: x | y\nx\ny\na");
    let base = Base { essential: true, packages: vec!["t".to_owned()], ..Base::default() };
    let request = Request { base, ..with_conflicts("a", "x") };
    let set = solve(&universe, &request).unwrap();
    assert_eq!(names(&set), "a e t y");
    assert_eq!(set.removed_from_base.iter().map(|package| package.name.as_str()).collect::<Vec<_>>(), ["x"]);
    let names: Vec<_> = set.base().map(|package| package.name.as_str()).collect();
    assert_eq!(names, ["e", "t"]);
}

#[test]
fn essential_packages_are_kept() {
    let universe = universe("e 1; Essential: yes\na 1; Conflicts: e");
    let base = Base { essential: true, ..Base::default() };
    let result = solve(&universe, &Request { base, ..request("a") });
    assert_eq!(
        outcome(&result),
        "! these cannot all hold: the base set has e (Essential: yes); src build-depends on a; \
         a 1 conflicts with e, which means e 1"
    );
}
