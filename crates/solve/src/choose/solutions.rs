//! Which packages could satisfy a relation, the best first.

use archmill_deb::MultiArch;

use super::Chooser;
use crate::ids::PackageId;
use crate::rank;
use crate::relations::Group;

impl Chooser<'_> {
    /// Usable packages that satisfy a group: what was installed before, then the rest by alternative.
    pub(super) fn solutions(&self, group: &Group) -> Vec<PackageId> {
        let mut found = Vec::new();
        for alternative in &group.alternatives {
            let mut targets: Vec<_> =
                alternative.targets.iter().copied().filter(|&t| self.slots.is_usable(t)).collect();
            targets.sort_by(|&a, &b| {
                let standing = self.standing_of(a).cmp(&self.standing_of(b));
                standing.then_with(|| rank::compare(self.universe, alternative.name, a, b))
            });
            found.append(&mut targets);
        }
        // Stable: the order within each kind stays.
        found.sort_by_key(|&target| !self.slots.had_one(self.universe.row(target).slot));
        found.dedup();
        found.retain(|&target| !self.slots.is_ruled_out(target));
        found
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

    /// Sorts fixed packages before others, then Multi-Arch: same ones that are installed for another
    /// architecture, then installed ones.
    fn standing_of(&self, target: PackageId) -> (bool, bool, bool) {
        let slot = self.universe.row(target).slot;
        let is_same = self.universe.row(target).multi_arch == MultiArch::Same;
        let has_sibling = is_same && self.slots.has_sibling(target);
        (!self.slots.is_fixed(slot), !has_sibling, !self.slots.had_one(slot))
    }
}
