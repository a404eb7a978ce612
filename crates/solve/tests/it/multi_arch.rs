//! Several architectures in one universe.

use archmill_solve::{InstallSet, Request, Universe, solve};

use crate::world::{arch, request, universe_for};

fn world(lines: &str) -> Universe {
    universe_for(&["amd64", "arm64"], &[(lines, 500)])
}

/// What is installed for a package built for arm64 on amd64.
fn cross(universe: &Universe, build_depends: &str) -> String {
    let request = Request { arch: Some(arch("arm64")), ..request(build_depends) };
    match solve(universe, &request) {
        Ok(set) => with_arch(&set),
        Err(reason) => format!("! {reason}"),
    }
}

fn with_arch(set: &InstallSet) -> String {
    let names: Vec<_> =
        set.packages.iter().map(|package| format!("{}:{}", package.name, package.arch)).collect();
    names.join(" ")
}

#[test]
fn an_unqualified_relation_means_the_architecture_of_whoever_has_it() {
    let universe = world("a 1 amd64; Depends: b\na 1 arm64; Depends: b\nb 1 amd64\nb 1 arm64");
    assert_eq!(cross(&universe, "a"), "a:arm64 b:arm64");
}

#[test]
fn a_package_of_another_architecture_serves_only_if_it_is_foreign() {
    let universe = world("tool 1 amd64; Multi-Arch: foreign\nlib 1 amd64\nsame 1 amd64; Multi-Arch: same");
    assert_eq!(cross(&universe, "tool"), "tool:amd64");
    assert!(cross(&universe, "lib").starts_with('!'));
    assert!(cross(&universe, "same").starts_with('!'));
}

#[test]
fn of_a_foreign_package_for_both_architectures_the_native_one_is_taken() {
    let universe = world("tool 1 amd64; Multi-Arch: foreign\ntool 1 arm64; Multi-Arch: foreign");
    assert_eq!(cross(&universe, "tool"), "tool:amd64");
}

#[test]
fn what_a_foreign_package_provides_serves_every_architecture() {
    let universe = world("tool 1 amd64; Multi-Arch: foreign; Provides: virtual");
    assert_eq!(cross(&universe, "virtual"), "tool:amd64");
}

#[test]
fn any_takes_allowed_packages_and_no_others() {
    let universe =
        world("python3 3 amd64; Multi-Arch: allowed\nlib 1 amd64\ntool 1 amd64; Multi-Arch: foreign");
    assert_eq!(cross(&universe, "python3:any"), "python3:amd64");
    assert!(cross(&universe, "python3").starts_with('!'));
    assert!(cross(&universe, "lib:any").starts_with('!'));
    assert!(cross(&universe, "tool:any").starts_with('!'));
}

#[test]
fn native_means_the_architecture_of_the_build() {
    let universe = world("a 1 amd64\na 1 arm64");
    assert_eq!(cross(&universe, "a:native"), "a:amd64");
}

#[test]
fn an_architecture_can_be_named() {
    let universe = world("a 1 amd64\na 1 arm64\nb 1 amd64; Depends: a:arm64");
    assert_eq!(cross(&universe, "a:amd64"), "a:amd64");
    assert_eq!(cross(&universe, "b:amd64"), "a:arm64 b:amd64");
    assert!(cross(&universe, "a:riscv64").starts_with('!'));
}

#[test]
fn a_package_for_all_counts_as_native() {
    let universe = world("data 1 all; Depends: b\nb 1 amd64\nb 1 arm64\nshared 1 all; Multi-Arch: foreign");
    assert!(cross(&universe, "data").starts_with('!'));
    assert_eq!(cross(&universe, "data:native"), "b:amd64 data:all");
    assert_eq!(cross(&universe, "shared"), "shared:all");
}

#[test]
fn same_packages_stand_side_by_side_in_one_version() {
    let universe = world("a 1 amd64; Multi-Arch: same\na 1 arm64; Multi-Arch: same");
    assert_eq!(cross(&universe, "a, a:native"), "a:amd64 a:arm64");
    let universe = world("a 1 amd64; Multi-Arch: same\na 2 arm64; Multi-Arch: same");
    assert!(cross(&universe, "a, a:native").starts_with('!'));
}

#[test]
fn other_packages_are_installed_for_one_architecture_at_a_time() {
    let universe = world("a 1 amd64\na 1 arm64");
    assert!(cross(&universe, "a, a:native").starts_with("! these cannot all hold"));
}

#[test]
fn a_conflict_without_architecture_is_about_all() {
    let universe = world("a 1 amd64; Conflicts: b\nb 1 arm64\nc 1 amd64; Conflicts: b:amd64");
    assert!(cross(&universe, "a:native, b").starts_with('!'));
    assert_eq!(cross(&universe, "c:native, b"), "b:arm64 c:amd64");
}

#[test]
fn a_same_package_may_conflict_with_its_own_name() {
    let universe =
        world("a 1 amd64; Multi-Arch: same; Conflicts: a\na 1 arm64; Multi-Arch: same; Conflicts: a");
    assert_eq!(cross(&universe, "a, a:native"), "a:amd64 a:arm64");
}

#[test]
fn a_provides_may_name_an_architecture() {
    let universe = world("multi 1 amd64; Provides: lib:arm64 (= 2)");
    assert_eq!(cross(&universe, "lib (>= 1)"), "multi:amd64");
    assert!(cross(&universe, "lib:native").starts_with('!'));
}

#[test]
fn packages_of_unknown_architectures_are_left_out() {
    assert_eq!(world("a 1 riscv64\nb 1 arm64").len(), 1);
}

#[test]
fn a_host_architecture_outside_the_universe_is_refused() {
    let request = Request { arch: Some(arch("riscv64")), ..request("a") };
    let error = solve(&world("a 1 amd64"), &request).unwrap_err();
    assert!(error.to_string().contains("riscv64"), "{error}");
}
