//! What is said when there is no solution.

use archmill_solve::{Base, Outcome, Request, Subject, Versions, solve};

use crate::world::{installs, request, universe, universe_for};

#[test]
fn a_version_that_is_too_old_is_named_with_its_origin() {
    let universe = universe("foo 1.9");
    assert_eq!(
        installs(&universe, "foo (>= 2)"),
        "! src build-depends on foo (>= 2), but only foo 1.9 is in suite"
    );
}

#[test]
fn an_unknown_name_comes_with_similar_ones() {
    let universe = universe("libfoo-dev 1\nunrelated 1");
    assert_eq!(
        installs(&universe, "libfo-dev"),
        "! src build-depends on libfo-dev, which no package is or provides (similar names: libfoo-dev)"
    );
}

#[test]
fn whoever_has_a_relation_is_no_similar_name() {
    let universe = universe("libfoo-java 1; Depends: libfoo-jni");
    assert_eq!(
        installs(&universe, "libfoo-java"),
        "! src build-depends on libfoo-java; libfoo-java 1 depends on libfoo-jni, which no package is or provides"
    );
}

#[test]
fn the_chain_from_the_source_package_to_the_cause_is_told() {
    let universe = universe("a 1; Depends: b (>= 1)\nb 1.5; Pre-Depends: c (>= 3)\nc 2\nx 1; Depends: c");
    assert_eq!(
        installs(&universe, "x, a"),
        "! src build-depends on a; a 1 depends on b (>= 1); b 1.5 pre-depends on c (>= 3), but only c 2 is in suite"
    );
}

#[test]
fn every_alternative_is_accounted_for() {
    let universe = universe("a 1; Depends: b | c\nb 1; Depends: gone\nc 1; Depends: lost");
    assert_eq!(
        installs(&universe, "a"),
        "! src build-depends on a; a 1 depends on b | c (which is b or c); b 1 depends on gone, which no package \
         is or provides; c 1 depends on lost, which no package is or provides"
    );
}

#[test]
fn the_shortest_way_to_a_cause_is_taken() {
    let universe = universe("a 1; Depends: b, d\nb 1; Depends: c\nc 1; Depends: gone\nd 1; Depends: lost");
    assert_eq!(
        installs(&universe, "a"),
        "! src build-depends on a; a 1 depends on d; d 1 depends on lost, which no package is or provides"
    );
}

#[test]
fn a_provider_is_named_where_the_relation_does_not() {
    let universe = universe("m 1; Provides: v; Depends: gone");
    assert_eq!(
        installs(&universe, "v"),
        "! src build-depends on v (which is m); m 1 depends on gone, which no package is or provides"
    );
}

#[test]
fn contradicting_relations_are_reduced_to_those_that_matter() {
    let universe = universe(
        "a 1; Depends: b, n1\nb 1; Depends: x (>= 2), n2\nc 1; Depends: d\nd 1; Breaks: x (<< 5)\nx 3\nn1\nn2 1; Depends: n1",
    );
    assert_eq!(
        installs(&universe, "n2, a, c"),
        "! these cannot all hold: src build-depends on a; a 1 depends on b; b 1 depends on x (>= 2); \
         src build-depends on c; c 1 depends on d; d 1 breaks x (<< 5), which means x 3"
    );
}

#[test]
fn two_versions_of_one_package_contradict_each_other() {
    let universe = universe("x 1\nx 2\na 1; Depends: x (= 1)");
    let request = Request { versions: Versions::Any, ..request("a, x (= 2)") };
    assert_eq!(
        solve(&universe, &request).unwrap_err().to_string(),
        "these cannot all hold: src build-depends on a; a 1 depends on x (= 1); src build-depends on x (= 2)"
    );
}

#[test]
fn what_is_missing_for_another_version_of_what_is_there_already_does_not_matter() {
    let universe = universe("x 1; Depends: y\ny 1; Depends: x (= 2)\nx 2; Depends: gone");
    let request = Request { versions: Versions::Any, ..request("x (= 1)") };
    assert_eq!(
        solve(&universe, &request).unwrap_err().to_string(),
        "these cannot all hold: src build-depends on x (= 1); x 1 depends on y; y 1 depends on x (= 2)"
    );
}

#[test]
fn a_build_conflict_is_part_of_an_explanation() {
    let universe = universe("a 1; Depends: b\nb");
    let conflicts = archmill_deb::Relations::parse("b").unwrap();
    let error = solve(&universe, &Request { conflicts, ..request("a") }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "these cannot all hold: src build-depends on a; a 1 depends on b; src build-conflicts with b, which means b 1"
    );
}

#[test]
fn what_needs_a_package_that_could_not_be_read_says_so() {
    let universe = universe("a 1; Depends: b (>= \nb");
    let said = installs(&universe, "a");
    assert!(
        said.starts_with(
            "! src build-depends on a, but that could not be read: suite, line 4: a: field Depends: cannot read the relation \"b (>=\""
        ),
        "{said}"
    );
    assert_eq!(installs(&universe, "b"), "b");
}

#[test]
fn reasons_are_a_value_as_well() {
    let universe = universe("a 1; Depends: b (>= 2)\nb 1");
    let error = solve(&universe, &Request { base: Base::default(), ..request("a") }).unwrap_err();
    assert_eq!(error.reasons[0].by, Subject::Request("src".to_owned()));
    assert_eq!(error.reasons[1].relation, "b (>= 2)");
    let Outcome::Missing { available, .. } = &error.reasons[1].outcome else { panic!("{error:?}") };
    assert_eq!((available[0].name.as_str(), available[0].version.as_str()), ("b", "1"));
    let stored = serde_json::to_value(&error).unwrap();
    assert_eq!(stored["reasons"][1]["by"]["package"]["name"], "a");
    assert_eq!(serde_json::from_value::<archmill_solve::Unsatisfiable>(stored).unwrap(), error);
}

#[test]
fn another_architecture_than_that_of_the_root_is_named() {
    let universe = universe_for(
        &["amd64", "arm64"],
        &[(
            "tool 1 amd64\nlib 1 amd64; Breaks: old\nlib 1 arm64\nuser 1 amd64; Depends: lib\nold 1 arm64",
            500,
        )],
    );
    let request = |build_depends| Request { arch: Some("arm64".parse().unwrap()), ..request(build_depends) };
    let said = |build_depends| solve(&universe, &request(build_depends)).unwrap_err().to_string();
    assert_eq!(
        said("tool"),
        "src build-depends on tool, but only tool 1 is in suite, for amd64 and not for arm64"
    );
    assert_eq!(
        said("lib, user:native"),
        "these cannot all hold: src build-depends on lib; lib:arm64 1 cannot be installed together with lib of another \
         architecture or version, which means lib 1; src build-depends on user:native; user 1 depends on lib"
    );
}
