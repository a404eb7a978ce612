//! What is chosen for each slot so far.

use archmill_deb::MultiArch;

use crate::ids::{PackageId, SlotId};
use crate::universe::Universe;

/// What was done to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// As it was before.
    None,
    /// A package was chosen for it.
    Chosen,
    /// Its installed package goes.
    Dropped,
}

#[derive(Clone)]
struct State {
    /// Installed before.
    current: Option<PackageId>,
    /// The candidate, unless it turned out unusable.
    usable: Option<PackageId>,
    /// Installed in the end.
    chosen: Option<PackageId>,
    change: Change,
    fixed: bool,
}

pub(super) struct Slots<'u> {
    universe: &'u Universe,
    states: Vec<State>,
}

impl<'u> Slots<'u> {
    pub(super) fn new(universe: &'u Universe, installed: &[PackageId]) -> Self {
        let fresh =
            |usable| State { current: None, usable, chosen: None, change: Change::None, fixed: false };
        let mut states: Vec<State> = universe.slots.iter().map(|slot| fresh(slot.candidate)).collect();
        for &package in installed {
            let state = &mut states[universe.row(package).slot.index()];
            state.current = Some(package);
            state.chosen = Some(package);
            state.usable = Some(package);
        }
        Self { universe, states }
    }

    fn state(&self, slot: SlotId) -> &State {
        &self.states[slot.index()]
    }

    fn state_of(&self, package: PackageId) -> &State {
        self.state(self.universe.row(package).slot)
    }

    fn state_mut(&mut self, slot: SlotId) -> &mut State {
        &mut self.states[slot.index()]
    }

    pub(super) fn installed(&self) -> Vec<PackageId> {
        self.states.iter().filter_map(|state| state.chosen).collect()
    }

    pub(super) fn usable(&self, slot: SlotId) -> Option<PackageId> {
        self.state(slot).usable
    }

    pub(super) fn chosen(&self, slot: SlotId) -> Option<PackageId> {
        self.state(slot).chosen
    }

    pub(super) fn is_fixed(&self, slot: SlotId) -> bool {
        self.state(slot).fixed
    }

    pub(super) fn has_change(&self, slot: SlotId, change: Change) -> bool {
        self.state(slot).change == change
    }

    /// Whether something was installed for the slot before.
    pub(super) fn had_one(&self, slot: SlotId) -> bool {
        self.state(slot).current.is_some()
    }

    pub(super) fn is_installed(&self, package: PackageId) -> bool {
        self.state_of(package).chosen == Some(package)
    }

    pub(super) fn is_usable(&self, package: PackageId) -> bool {
        self.state_of(package).usable == Some(package)
    }

    pub(super) fn is_current(&self, package: PackageId) -> bool {
        self.state_of(package).current == Some(package)
    }

    pub(super) fn fix(&mut self, slot: SlotId) {
        self.state_mut(slot).fixed = true;
    }

    pub(super) fn unfix(&mut self, slot: SlotId) {
        self.state_mut(slot).fixed = false;
    }

    pub(super) fn choose(&mut self, slot: SlotId) {
        let state = self.state_mut(slot);
        state.chosen = state.usable;
        state.change = if state.chosen == state.current { Change::None } else { Change::Chosen };
    }

    /// Back to what was installed before.
    pub(super) fn revert(&mut self, slot: SlotId) -> bool {
        self.change(slot, Change::None)
    }

    /// Reverts or drops, unless the slot is fixed or holds an essential package.
    pub(super) fn change(&mut self, slot: SlotId, change: Change) -> bool {
        if !self.may_change(slot, change) {
            return false;
        }
        let state = self.state_mut(slot);
        if state.change != change {
            state.chosen = state.current.filter(|_| change == Change::None);
            state.change = if state.current.is_none() { Change::None } else { change };
        }
        true
    }

    pub(super) fn may_change(&self, slot: SlotId, change: Change) -> bool {
        let state = self.state(slot);
        let stays = change == Change::Dropped
            && state.current.is_some_and(|package| {
                let row = self.universe.row(package);
                row.essential || row.protected
            });
        state.change == change || (!state.fixed && !stays)
    }

    /// Whether a choice is open: nothing fixed it another way.
    pub(super) fn can_be_chosen(&self, slot: SlotId, requested: bool) -> bool {
        let state = self.state(slot);
        let is_there =
            state.change == Change::None && state.usable.is_some() && state.usable == state.current;
        requested || is_there || !state.fixed || state.change == Change::Chosen
    }

    /// Takes a choice back and never tries it again.
    pub(super) fn give_up(&mut self, slot: SlotId) {
        let state = self.state_mut(slot);
        if state.change != Change::Dropped {
            state.change = Change::None;
            state.chosen = state.current;
        }
        state.usable = state.current;
    }

    /// Nothing but what is chosen now can be used.
    pub(super) fn rule_out(&mut self, slot: SlotId) {
        let state = self.state_mut(slot);
        state.usable = state.chosen;
    }

    /// Whether a package was fixed as not to be installed.
    pub(super) fn is_ruled_out(&self, package: PackageId) -> bool {
        let state = self.state_of(package);
        let absent = state.change == Change::None && state.current.is_none();
        state.fixed && (absent || state.change == Change::Dropped)
    }

    /// Whether a package of that name is installed for some architecture.
    pub(super) fn has_sibling(&self, package: PackageId) -> bool {
        let mut siblings = self.universe.slots_of(self.universe.name_of(package));
        siblings.any(|sibling| self.had_one(sibling))
    }

    /// Multi-Arch: same packages must have one version in all architectures.
    pub(super) fn fits_siblings(&self, package: PackageId) -> bool {
        let version = |package| self.universe.package(package).version();
        let is_same = |package| self.universe.row(package).multi_arch == MultiArch::Same;
        let mut siblings = self.universe.slots_of(self.universe.name_of(package));
        !is_same(package)
            || siblings.all(|sibling| {
                let state = self.state(sibling);
                let other = state.current.and(state.usable);
                other.is_none_or(|other| !is_same(other) || version(other) == version(package))
            })
    }
}
