//! What a package in progress does with packages it refuses.

use super::slots::Change;
use super::{Chooser, Standing};
use crate::ids::{PackageId, SlotId};
use crate::relations::Negative;

impl Chooser<'_> {
    /// Keeps refused packages out; those to be dropped once all else went well are collected.
    pub(super) fn refuse(
        &mut self,
        negatives: &[&Negative],
        standing: Standing,
        to_drop: &mut Vec<SlotId>,
    ) -> bool {
        let mut well = true;
        for &target in negatives.iter().flat_map(|negative| &negative.targets) {
            well &= self.refuse_one(target, standing, to_drop);
            if !well && standing.gives_up() {
                return false;
            }
        }
        well
    }

    fn refuse_one(&mut self, target: PackageId, standing: Standing, to_drop: &mut Vec<SlotId>) -> bool {
        let slot = self.universe.row(target).slot;
        if self.slots.is_current(target) {
            return self.drop_installed(slot, standing, to_drop);
        }
        if !self.slots.is_usable(target) {
            return true;
        }
        if self.slots.has_change(slot, Change::Chosen) && !self.slots.revert(slot) {
            return false;
        }
        if standing.fixed {
            self.slots.rule_out(slot);
            if !self.slots.had_one(slot) {
                self.slots.fix(slot);
            }
        }
        true
    }

    fn drop_installed(&mut self, slot: SlotId, standing: Standing, to_drop: &mut Vec<SlotId>) -> bool {
        let dropped = self.slots.has_change(slot, Change::Dropped);
        if standing.fixed {
            if !dropped && !self.slots.change(slot, Change::Dropped) {
                return false;
            }
            self.slots.rule_out(slot);
            self.slots.fix(slot);
            return true;
        }
        let can_go = dropped || self.slots.may_change(slot, Change::Dropped);
        if can_go && !dropped {
            to_drop.push(slot);
        }
        can_go
    }
}
