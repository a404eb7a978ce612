//! Why each package of a solution is there.

use std::collections::VecDeque;

use crate::goal::{PackageSet, Root};
use crate::ids::PackageId;
use crate::rank;
use crate::relations::Group;
use crate::universe::Universe;

/// The relation that asked for a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A root, by its number.
    Root(usize),
    /// A group of a package.
    By(PackageId, usize),
}

/// Which members of a group count as asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// One per group: the first there is.
    First,
    /// All that satisfy it, as apt counts when it looks for packages nobody needs.
    Every,
}

/// Walks from the roots through satisfied relations; gives the packages reached, nearest first.
///
/// Packages that are there before count as reached and are not given again.
pub(crate) fn trace<'g>(
    universe: &Universe,
    roots: impl Iterator<Item = &'g Root>,
    packages: &[PackageId],
    before: &[PackageId],
    strictness: Strictness,
) -> Vec<(PackageId, Asked)> {
    let set = PackageSet::new(universe, packages.iter().copied());
    let before: Vec<_> = before.iter().copied().filter(|&package| set.contains(package)).collect();
    let seen = PackageSet::new(universe, before.iter().copied());
    let mut walk = Walk { universe, set, seen, reached: Vec::new(), queue: VecDeque::new() };
    let roots: Vec<_> = roots.enumerate().collect();
    for &(number, root) in &roots {
        walk.first(&root.group, Asked::Root(number));
    }
    walk.run(Walk::first);
    walk.queue.extend(&before);
    walk.run(Walk::first);
    if strictness == Strictness::Every {
        for &(number, root) in &roots {
            walk.every(&root.group, Asked::Root(number));
        }
        walk.queue.extend(walk.reached.iter().map(|&(package, _)| package));
        walk.queue.extend(&before);
        walk.run(Walk::every);
    }
    walk.reached
}

struct Walk<'u> {
    universe: &'u Universe,
    set: PackageSet,
    seen: PackageSet,
    reached: Vec<(PackageId, Asked)>,
    queue: VecDeque<PackageId>,
}

impl Walk<'_> {
    fn run(&mut self, reach: fn(&mut Self, &Group, Asked)) {
        while let Some(package) = self.queue.pop_front() {
            for (number, group) in self.universe.deps(package).groups.iter().enumerate() {
                reach(self, group, Asked::By(package, number));
            }
        }
    }

    fn first(&mut self, group: &Group, asked: Asked) {
        let chosen = group.targets().find(|&target| self.seen.contains(target));
        if chosen.is_none()
            && let Some(target) = self.best(group)
        {
            self.reach(target, asked);
        }
    }

    fn best(&self, group: &Group) -> Option<PackageId> {
        group.alternatives.iter().find_map(|alternative| {
            let there = alternative.targets.iter().copied().filter(|&target| self.set.contains(target));
            there.min_by_key(|&target| rank::merit(self.universe, alternative.name, target))
        })
    }

    fn every(&mut self, group: &Group, asked: Asked) {
        for target in group.targets() {
            if self.set.contains(target) {
                self.reach(target, asked);
            }
        }
    }

    fn reach(&mut self, target: PackageId, asked: Asked) {
        if self.seen.insert(target) {
            self.reached.push((target, asked));
            self.queue.push_back(target);
        }
    }
}
