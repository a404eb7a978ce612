//! Unpacking and configuring in stages.

use archmill_solve::{InstallSet, Order, Universe, solve};

use crate::world::{request, universe};

fn set(universe: &Universe, wanted: &str) -> InstallSet {
    solve(universe, &request(wanted)).unwrap()
}

fn names(set: &InstallSet, positions: &[usize]) -> String {
    positions.iter().map(|&at| set.packages[at].name.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_package_is_configured_after_what_it_depends_on() {
    let universe = universe("a 1; Depends: b, c\nb 1; Depends: c\nc 1; Depends: d\nd");
    let set = set(&universe, "a");
    assert_eq!(names(&set, &Order::new(&universe, &set).configure_order()), "d c b a");
}

#[test]
fn within_a_cycle_pre_depends_still_hold() {
    let universe = universe("a 1; Pre-Depends: b\nb 1; Depends: c\nc 1; Depends: a");
    let set = set(&universe, "a");
    let order = names(&set, &Order::new(&universe, &set).configure_order());
    assert!(order.find('b') < order.find('a'), "{order}");
}

#[test]
fn the_pre_depends_closure_takes_what_pre_dependencies_need_in_turn() {
    let universe = universe("a 1; Pre-Depends: b; Depends: e\nb 1; Depends: c\nc 1; Pre-Depends: d\nd\ne");
    let set = set(&universe, "a");
    let order = Order::new(&universe, &set);
    assert_eq!(names(&set, &order.pre_depends_closure(0)), "b c d");
}
