//! Versions, priorities, provided names.

use archmill_deb::Relations;
use archmill_solve::{Request, Versions, solve};

use crate::world::{arch, installs, names, outcome, request, universe, universe_for};

#[test]
fn dependencies_are_followed_and_recommends_are_not() {
    let universe = universe("a 1; Depends: b, c (>= 1)\nb\nc 1; Recommends: d; Suggests: d\nd\ne");
    assert_eq!(installs(&universe, "a"), "a b c");
}

#[test]
fn pre_depends_count_as_depends() {
    let universe = universe("a 1; Pre-Depends: b\nb 1; Depends: c\nc");
    assert_eq!(installs(&universe, "a"), "a b c");
}

#[test]
fn packages_that_depend_on_each_other_are_found() {
    let universe = universe("a 1; Depends: b\nb 1; Depends: a");
    assert_eq!(installs(&universe, "a"), "a b");
}

#[test]
fn the_newest_version_is_taken() {
    let universe = universe("a 1.9\na 1.10\na 1.10~rc1");
    let set = solve(&universe, &request("a")).unwrap();
    assert_eq!(set.packages[0].version, "1.10");
}

#[test]
fn the_index_with_the_higher_priority_wins_over_a_newer_version() {
    let universe = universe_for(&["arm64"], &[("a 2", 500), ("a 1", 600)]);
    let set = solve(&universe, &request("a")).unwrap();
    assert_eq!((set.packages[0].version.as_str(), set.packages[0].index), ("1", 1));
}

#[test]
fn among_indices_of_one_priority_the_newest_version_wins() {
    let universe = universe_for(&["arm64"], &[("a 1", 500), ("a 2", 500)]);
    assert_eq!(solve(&universe, &request("a")).unwrap().packages[0].version, "2");
}

#[test]
fn nothing_is_taken_from_an_index_of_negative_priority() {
    let universe = universe_for(&["arm64"], &[("a 1", -1)]);
    assert!(solve(&universe, &request("a")).is_err());
    let any = Request { versions: Versions::Any, ..request("a") };
    assert!(solve(&universe, &any).is_err());
}

#[test]
fn only_the_candidate_is_taken_unless_any_version_is_allowed() {
    let universe = universe("a 1\na 2");
    assert!(solve(&universe, &request("a (<< 2)")).is_err());
    let any = Request { versions: Versions::Any, ..request("a (<< 2)") };
    assert_eq!(solve(&universe, &any).unwrap().packages[0].version, "1");
}

#[test]
fn every_operator_compares_as_policy_says() {
    let universe = universe("a 2.0-1");
    for relation in ["a (>= 2.0-1)", "a (<= 2.0-1)", "a (= 2.0-1)", "a (>> 2.0~)", "a (<< 2.0-1+b1)"] {
        assert_eq!(installs(&universe, relation), "a", "{relation}");
    }
    for relation in ["a (>> 2.0-1)", "a (<< 2.0-1)", "a (= 2.0)", "a (>= 1:1)"] {
        assert!(installs(&universe, relation).starts_with('!'), "{relation}");
    }
}

#[test]
fn a_provided_name_satisfies_a_relation_without_version() {
    let universe = universe("a 1; Depends: virtual\nb 1; Provides: virtual");
    assert_eq!(installs(&universe, "a"), "a b");
}

#[test]
fn a_versioned_relation_needs_a_versioned_provides() {
    let plain = universe("b 3; Provides: virtual");
    assert!(installs(&plain, "virtual (>= 1)").starts_with('!'));
    let versioned = universe("b 3; Provides: virtual (= 1.5)");
    assert_eq!(installs(&versioned, "virtual (>= 1)"), "b");
    assert!(installs(&versioned, "virtual (>= 2)").starts_with('!'));
}

#[test]
fn a_provides_with_another_operator_provides_nothing() {
    let universe = universe("b 3; Provides: virtual (>= 1)");
    assert!(installs(&universe, "virtual").starts_with('!'));
}

#[test]
fn the_same_package_in_two_indices_comes_from_the_first() {
    let universe = universe_for(&["arm64"], &[("a 1; Filename: first", 500), ("a 1; Filename: second", 500)]);
    assert_eq!(universe.len(), 1);
    assert_eq!(universe.candidate("a", &arch("arm64")).unwrap().field("filename"), Some("first"));
}

#[test]
fn what_the_index_says_of_a_package_is_handed_on() {
    let universe = universe(
        "a 1 all; Source: s (1.0-1); Filename: pool/a.deb; Size: 12; SHA256: ff; Essential: yes\nb 1; Depends: a",
    );
    let set = solve(&universe, &request("b")).unwrap();
    let a = set.get("a").unwrap();
    assert_eq!((a.source.as_str(), a.source_version.as_str()), ("s", "1.0-1"));
    assert_eq!((a.filename.as_str(), a.size, a.sha256.as_str()), ("pool/a.deb", 12, "ff"));
    assert_eq!((a.arch.as_str(), a.essential, a.base), ("all", true, false));
    assert_eq!((a.installed_by.by.as_str(), a.installed_by.relation.as_str()), ("b 1", "a"));
    let b = set.get("b").unwrap();
    assert_eq!((b.installed_by.by.as_str(), b.installed_by.field.as_str()), ("src", "build-depends on"));
}

#[test]
fn an_empty_request_installs_nothing() {
    let universe = universe("a");
    let request = Request { wanted: Vec::new(), conflicts: Relations(Vec::new()), ..request("") };
    assert_eq!(names(&solve(&universe, &request).unwrap()), "");
}

#[test]
fn an_install_set_survives_being_stored() {
    let universe = universe("a 1; Depends: b\nb");
    let set = solve(&universe, &request("a")).unwrap();
    let stored = serde_json::to_string(&set).unwrap();
    let read: archmill_solve::InstallSet = serde_json::from_str(&stored).unwrap();
    assert_eq!(outcome(&Ok(read)), "a b");
}
