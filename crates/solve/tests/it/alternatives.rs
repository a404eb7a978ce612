//! Which of several packages is taken.

use archmill_solve::{Alternatives, Base, Request, solve};

use crate::world::{installs, names, outcome, request, universe};

fn first(build_depends: &str) -> Request {
    Request { alternatives: Alternatives::First, ..request(build_depends) }
}

#[test]
fn the_first_alternative_that_can_be_installed_is_taken() {
    let universe = universe("a 1; Depends: missing | broken | b | c\nbroken 1; Depends: missing\nb\nc");
    assert_eq!(installs(&universe, "a"), "a b");
    assert_eq!(installs(&universe, "missing | c | b"), "c");
}

#[test]
fn of_a_build_dependency_only_the_first_alternative_counts_as_on_build_machines() {
    let universe = universe("b\nc");
    assert_eq!(outcome(&solve(&universe, &first("b | c"))), "b");
    assert!(solve(&universe, &first("missing | c")).is_err());
}

#[test]
fn alternatives_of_one_name_count_as_one() {
    let universe = universe("b 1\nc");
    assert_eq!(outcome(&solve(&universe, &first("b (>= 2) | b (<< 2)"))), "b");
    assert!(solve(&universe, &first("b (>= 2) | c | b (<< 2)")).is_err());
}

#[test]
fn alternatives_of_binary_packages_always_count() {
    let universe = universe("a 1; Depends: missing | c\nc");
    assert_eq!(outcome(&solve(&universe, &first("a"))), "a c");
}

#[test]
fn what_is_chosen_already_satisfies_a_later_alternative() {
    let universe = universe("a 1; Depends: b | c\nb\nc");
    assert_eq!(installs(&universe, "c, a"), "a c");
}

#[test]
fn choices_are_made_in_the_order_of_the_relations() {
    // As apt: when `a` is looked at, nothing says yet that `c` is wanted as well.
    let universe = universe("a 1; Depends: b | c\nb\nc");
    assert_eq!(installs(&universe, "a, c"), "a b c");
}

#[test]
fn what_is_in_the_base_satisfies_an_alternative() {
    let universe = universe("a 1; Depends: b | c\nb\nc");
    let base = Base { packages: vec!["c".to_owned()], ..Base::default() };
    let set = solve(&universe, &Request { base, ..request("a") }).unwrap();
    assert_eq!(names(&set), "a c");
}

#[test]
fn the_package_of_the_name_is_preferred_to_one_that_provides_it() {
    let universe = universe("a 1; Provides: z; Priority: required\nz 1; Priority: optional");
    assert_eq!(installs(&universe, "z"), "z");
}

#[test]
fn of_providers_the_one_with_the_higher_priority_field_is_taken() {
    let universe = universe(
        "a 1; Provides: awk; Priority: optional\nm 1; Provides: awk; Priority: required\nz 1; Provides: awk; Priority: optional",
    );
    assert_eq!(installs(&universe, "awk"), "m");
}

#[test]
fn of_providers_that_are_equal_the_one_mentioned_last_is_taken_as_apt_does() {
    let universe = universe("a 1; Provides: v\nb 1; Provides: v\nc 1; Provides: v");
    assert_eq!(installs(&universe, "v"), "c");
    let mentioned = universe_with_mention();
    assert_eq!(installs(&mentioned, "v"), "b");
}

/// `c` is met before `b`, in a relation of `a`.
fn universe_with_mention() -> archmill_solve::Universe {
    universe("a 1; Provides: v; Suggests: c\nb 1; Provides: v\nc 1; Provides: v")
}

#[test]
fn an_essential_provider_is_preferred() {
    let universe = universe("a 1; Provides: v; Essential: yes\nb 1; Provides: v; Priority: required");
    assert_eq!(installs(&universe, "v"), "a");
}

#[test]
fn a_choice_that_failed_leaves_nothing_behind() {
    // `b` brings `helper` before it turns out that it conflicts with `d`.
    let universe = universe(
        "a 1; Depends: b | c\nb 1; Depends: helper, deep\nhelper\ndeep 1; Depends: gone | late\nlate 1; Depends: gone\nc",
    );
    assert_eq!(installs(&universe, "a"), "a c");
}

#[test]
fn what_was_asked_for_is_kept_although_another_package_would_do_as_well() {
    let universe = universe("new 1; Provides: old\nold 1; Depends: new");
    assert_eq!(installs(&universe, "old"), "new old");
}

#[test]
fn a_name_with_an_architecture_is_no_preference_for_the_package_of_that_name() {
    // As apt: `rustc:native` may be any of these, and the one met last is taken.
    let universe = universe("rustc 1\nrustc-web 2; Provides: rustc (= 2)");
    assert_eq!(installs(&universe, "rustc"), "rustc");
    assert_eq!(installs(&universe, "rustc:native"), "rustc-web");
}

#[test]
fn in_a_native_build_on_build_machines_native_means_nothing() {
    let universe = universe("rustc 1\nrustc-web 2; Provides: rustc (= 2)");
    assert_eq!(outcome(&solve(&universe, &first("rustc:native"))), "rustc");
}
