//! What a solution is measured by: roots that must be satisfied and packages that must stay away.

use crate::ids::{ArchId, PackageId};
use crate::relations::{Deps, Group, Negative};
use crate::universe::Universe;

/// Why a group must be satisfied although no package asks for it.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The base, because a package is essential, required or named.
    Base { field: &'static str, relation: String },
    /// A relation of the request, asked for as if by a package of `arch`.
    Wanted { by: String, verb: String, relation: String, arch: ArchId },
}

#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) origin: Origin,
    pub(crate) group: Group,
}

/// A refusal of the request.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) by: String,
    pub(crate) relation: String,
    pub(crate) negative: Negative,
}

/// Roots and refusals of one problem.
#[derive(Clone, Copy)]
pub(crate) struct Goal<'g> {
    pub(crate) base: &'g [Root],
    pub(crate) wanted: &'g [Root],
    pub(crate) refusals: &'g [Refusal],
}

impl<'g> Goal<'g> {
    pub(crate) fn roots(self) -> impl Iterator<Item = &'g Root> {
        self.base.iter().chain(self.wanted)
    }
}

/// A set of packages with quick look-up.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackageSet {
    words: Vec<u64>,
}

impl PackageSet {
    pub(crate) fn new(universe: &Universe, packages: impl IntoIterator<Item = PackageId>) -> Self {
        let mut set = Self { words: vec![0; universe.len().div_ceil(64)] };
        for package in packages {
            set.insert(package);
        }
        set
    }

    pub(crate) fn insert(&mut self, package: PackageId) -> bool {
        let word = &mut self.words[package.index() / 64];
        let bit = 1 << (package.index() % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    pub(crate) fn contains(&self, package: PackageId) -> bool {
        self.words[package.index() / 64] & (1 << (package.index() % 64)) != 0
    }
}

/// Whether a set satisfies every relation of its packages and of the goal.
pub(crate) fn is_solution(universe: &Universe, goal: Goal<'_>, packages: &[PackageId]) -> bool {
    let set = PackageSet::new(universe, packages.iter().copied());
    goal.roots().all(|root| satisfied(&set, &root.group))
        && goal.refusals.iter().all(|refusal| kept(&set, &refusal.negative))
        && packages.iter().all(|&package| is_consistent(&set, universe.deps(package)))
}

fn is_consistent(set: &PackageSet, deps: &Deps) -> bool {
    deps.groups.iter().all(|group| satisfied(set, group))
        && deps.negatives.iter().all(|negative| kept(set, negative))
}

pub(crate) fn satisfied(set: &PackageSet, group: &Group) -> bool {
    group.targets().any(|target| set.contains(target))
}

fn kept(set: &PackageSet, negative: &Negative) -> bool {
    !negative.targets.iter().any(|&target| set.contains(target))
}
