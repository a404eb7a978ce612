//! What a change makes of packages that may be taken: which went, which came, and which came in the place of which.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{SlotKey, Verdicts};
use crate::graph::{Effects, GONE};
use crate::ids::PackageId;
use crate::update::Renumbered;

/// Packages that can be taken no more, and packages that can be taken now.
#[derive(Default)]
pub(super) struct Turnover {
    /// By old numbers.
    pub(super) gone: Vec<u32>,
    /// By new numbers.
    pub(super) come: Vec<u32>,
    /// What came in the place of what went: old and new number.
    pub(super) pairs: Vec<Pair>,
}

pub(super) struct Pair {
    pub(super) old: u32,
    pub(super) new: u32,
    /// What the old one asked for, as numbers of groups.
    pub(super) groups: FxHashSet<u32>,
    /// What the old one refused, by new numbers.
    pub(super) refused: FxHashSet<u32>,
}

impl Verdicts {
    pub(super) fn turnover(
        &self,
        renumbered: &Renumbered,
        removed: &FxHashMap<u32, SlotKey>,
        before: &[bool],
    ) -> Turnover {
        let mut turnover = Turnover::default();
        let mut old_of = vec![GONE; self.universe.len()];
        for (old, new) in (0..).zip(&renumbered.new_of) {
            match new {
                Some(new) => old_of[new.index()] = old,
                None if before[old as usize] => turnover.gone.push(old),
                None => {}
            }
        }
        for &slot in &renumbered.slots {
            for package in self.universe.packages_in(slot) {
                let old = old_of[package.index()];
                let was = old != GONE && before[old as usize];
                match (was, self.usable[package.index()]) {
                    (false, true) => turnover.come.push(package.0),
                    (true, false) => turnover.gone.push(old),
                    _ => {}
                }
            }
        }
        self.pair(renumbered, removed, &mut turnover);
        turnover
    }

    /// Finds what came in the place of what went: the only one of the slot.
    fn pair(&self, renumbered: &Renumbered, removed: &FxHashMap<u32, SlotKey>, turnover: &mut Turnover) {
        let key = |package: PackageId| (self.universe.name_of(package), self.universe.arch_of(package));
        let old_key = |old: u32| match renumbered.new_of[old as usize] {
            Some(new) => Some(key(new)),
            None => removed.get(&old).copied(),
        };
        let mut slots: FxHashMap<SlotKey, (Vec<u32>, Vec<u32>)> = FxHashMap::default();
        for &new in &turnover.come {
            slots.entry(key(PackageId(new))).or_default().1.push(new);
        }
        for &old in &turnover.gone {
            if let Some(slot) = old_key(old).and_then(|key| slots.get_mut(&key)) {
                slot.0.push(old);
            }
        }
        for slot in slots.into_values() {
            if let ([old], [new]) = (&slot.0[..], &slot.1[..]) {
                let (groups, refused) = (FxHashSet::default(), FxHashSet::default());
                turnover.pairs.push(Pair { old: *old, new: *new, groups, refused });
            }
        }
    }

    /// Whether every set with the old package is one with the new in its place.
    pub(super) fn does_as_well(&self, pair: &Pair, effects: &Effects) -> bool {
        let graph = &self.engine.graph;
        !effects.unequal.contains(&pair.new)
            && graph.groups_of(pair.new).iter().all(|group| pair.groups.contains(group))
            && graph.refused_by(pair.new).all(|one| pair.refused.contains(&one))
    }
}

/// By old numbers: the new number, that of what came in its place, or [`GONE`].
pub(super) fn replaced(renumbered: &Renumbered, turnover: &Turnover) -> Vec<u32> {
    let mut replaced: Vec<u32> =
        renumbered.new_of.iter().map(|new| new.map_or(GONE, |package| package.0)).collect();
    for &gone in &turnover.gone {
        replaced[gone as usize] = GONE;
    }
    for pair in &turnover.pairs {
        replaced[pair.old as usize] = pair.new;
    }
    replaced
}
