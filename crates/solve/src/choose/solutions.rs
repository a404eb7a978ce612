//! Which packages could satisfy a relation, the best first.

use std::cmp::Ordering;

use archmill_deb::MultiArch;

use super::Chooser;
use crate::ids::PackageId;
use crate::rank;
use crate::relations::{Alternative, Group};

/// A package that satisfies a group. Those of one tie stand together, in no order yet: most ties are
/// never looked at, and resolving them is dear.
#[derive(Clone, Copy)]
pub(super) struct Solution {
    pub(super) package: PackageId,
    tie: usize,
}

impl Chooser<'_> {
    /// Usable packages that satisfy a group: what was installed before, then the rest by alternative.
    pub(super) fn solutions(&self, group: &Group) -> Vec<Solution> {
        let mut found: Vec<Solution> = Vec::new();
        for alternative in &group.alternatives {
            let usable = alternative.targets.iter().copied().filter(|&target| self.slots.is_usable(target));
            let mut targets: Vec<PackageId> =
                usable.filter(|&target| !self.slots.is_ruled_out(target)).collect();
            targets.sort_by(|&a, &b| self.compare(alternative, a, b));
            for tied in targets.chunk_by(|&a, &b| self.compare(alternative, a, b) == Ordering::Equal) {
                let tie = found.len();
                found.extend(tied.iter().map(|&package| Solution { package, tie }));
            }
        }
        // Stable: the order within each kind stays.
        found.sort_by_key(|solution| !self.slots.had_one(self.universe.row(solution.package).slot));
        let mut seen = Vec::new();
        found.retain(|solution| {
            let new = !seen.contains(&solution.package);
            seen.push(solution.package);
            new
        });
        found
    }

    /// Puts the tie that starts at a position in order; within one that is in order, does nothing.
    pub(super) fn resolve_tie(&self, solutions: &mut [Solution], at: usize) {
        let tie = solutions[at].tie;
        if at > 0 && solutions[at - 1].tie == tie {
            return;
        }
        let tied = solutions[at..].iter().take_while(|solution| solution.tie == tie).count();
        if tied > 1 {
            solutions[at..at + tied].sort_by(|a, b| rank::by_mention(self.universe, a.package, b.package));
        }
    }

    /// The same with what is installed although it is not usable any more, in no order of merit.
    pub(super) fn solutions_with_installed(&self, group: &Group) -> Vec<PackageId> {
        let mut found: Vec<_> = group
            .targets()
            .filter(|&target| self.slots.is_usable(target) || self.slots.is_current(target))
            .filter(|&target| !self.slots.is_ruled_out(target))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn compare(&self, alternative: &Alternative, a: PackageId, b: PackageId) -> Ordering {
        let key = |target| {
            (self.standing_of(target), rank::merit(self.universe, alternative.preferred_name(), target))
        };
        key(a).cmp(&key(b))
    }

    /// Sorts fixed packages before others, then Multi-Arch: same ones that are installed for another
    /// architecture, then installed ones.
    fn standing_of(&self, target: PackageId) -> (bool, bool, bool) {
        let slot = self.universe.row(target).slot;
        let is_same = self.universe.row(target).multi_arch == MultiArch::Same;
        let has_sibling = is_same && self.slots.has_sibling(target);
        (!self.slots.is_fixed(slot), !has_sibling, !self.slots.had_one(slot))
    }
}
