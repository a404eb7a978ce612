//! The fast path: choosing as apt does, without search.
//!
//! What follows is how apt 2.6 behaves when it installs something and what that needs, written down
//! as rules:
//!
//! - Packages are chosen depth first: a chosen package gets its unsatisfied relations satisfied, in
//!   order, before the next relation of whoever needed it.
//! - A relation is satisfied by what is there or chosen already, else by the best usable package
//!   (see [`rank`](crate::rank)) that can be chosen with all it needs. One that cannot is unusable
//!   from then on; what it brought along stays, until nobody needs it in the end.
//! - What a request needs without alternative is *fixed*: it is not given up for anything else, and
//!   packages that it refuses are ruled out before any alternative is looked at.
//! - A package that refuses an installed one has it dropped, essential ones excepted.
//!
//! Nothing is undone but a failed choice, so the outcome may violate relations; the caller checks
//! it, and searches if so.

mod conflicts;
mod slots;
mod solutions;

use slots::{Change, Slots};

use crate::ids::{PackageId, SlotId};
use crate::relations::{Deps, Group, Negative};
use crate::universe::Universe;

/// apt's bound on the depth of choices, against endless recursion.
const MAX_DEPTH: u32 = 3000;

/// How failures of a package in progress are treated.
#[derive(Clone, Copy)]
struct Standing {
    /// It was fixed before.
    fixed: bool,
    /// The request names it.
    requested: bool,
}

impl Standing {
    /// Whether the package is dropped at its first failure, rather than taken as far as possible.
    fn gives_up(self) -> bool {
        !self.fixed && !self.requested
    }
}

/// Choices on top of what is installed.
pub(crate) struct Chooser<'u> {
    universe: &'u Universe,
    slots: Slots<'u>,
    depth: u32,
}

impl<'u> Chooser<'u> {
    /// Nothing chosen yet; `installed` is there already.
    pub(crate) fn new(universe: &'u Universe, installed: &[PackageId]) -> Self {
        Self { universe, slots: Slots::new(universe, installed), depth: 0 }
    }

    /// Requests packages: all are chosen before any of their relations is looked at.
    pub(crate) fn install(&mut self, requested: &[SlotId]) {
        for &slot in requested {
            self.slots.fix(slot);
            if self.slots.usable(slot).is_some() {
                self.slots.choose(slot);
            }
        }
        for &slot in requested {
            self.choose_with_needs(slot, true);
        }
    }

    /// Requests relations.
    pub(crate) fn satisfy<'g>(
        &mut self,
        groups: impl IntoIterator<Item = &'g Group>,
        negatives: impl IntoIterator<Item = &'g Negative>,
    ) {
        let standing = Standing { fixed: true, requested: true };
        let groups: Vec<_> = groups.into_iter().collect();
        let negatives: Vec<_> = negatives.into_iter().collect();
        // A request of which some part has no candidate is not begun.
        if groups.iter().all(|group| self.has_candidate(group)) {
            self.refuse(&negatives, standing, &mut Vec::new());
            self.satisfy_groups(&groups, standing);
        }
    }

    /// Everything that is installed in the end.
    pub(crate) fn installed(&self) -> Vec<PackageId> {
        self.slots.installed()
    }

    fn satisfied(&self, group: &Group) -> bool {
        group.targets().any(|target| self.slots.is_installed(target))
    }

    fn refuses_something(&self, negative: &Negative) -> bool {
        negative.targets.iter().any(|&target| self.slots.is_installed(target))
    }

    fn has_candidate(&self, group: &Group) -> bool {
        group.targets().any(|target| self.slots.is_installed(target) || self.slots.is_usable(target))
    }

    fn is_complete(&self, package: PackageId) -> bool {
        let deps = self.universe.deps(package);
        deps.groups.iter().all(|group| self.satisfied(group))
            && !deps.negatives.iter().any(|negative| self.refuses_something(negative))
    }

    /// Chooses a package and all it needs; tells whether that went well.
    fn choose_with_needs(&mut self, slot: SlotId, requested: bool) -> bool {
        if self.depth > MAX_DEPTH {
            return false;
        }
        self.depth += 1;
        let chosen = match self.begin(slot, requested) {
            Begin::Done => true,
            Begin::Impossible => false,
            Begin::Needs(package) => self.satisfy_needs(slot, package, requested),
        };
        self.depth -= 1;
        chosen
    }

    /// Looks whether there is anything to do, and whether it can be done at all.
    fn begin(&mut self, slot: SlotId, requested: bool) -> Begin {
        let Some(candidate) = self.slots.usable(slot) else { return Begin::Impossible };
        if !self.slots.can_be_chosen(slot, requested) {
            return Begin::Impossible;
        }
        let fixed = self.slots.is_fixed(slot);
        let complete = self.slots.chosen(slot).is_none_or(|package| self.is_complete(package));
        if !fixed && complete {
            if self.slots.is_current(candidate) {
                let there = self.slots.chosen(slot).is_some() || self.slots.revert(slot);
                return if there { Begin::Done } else { Begin::Impossible };
            }
            if self.slots.chosen(slot).is_some() {
                return Begin::Done;
            }
        }
        if self.is_impossible(slot, candidate, requested) {
            Begin::Impossible
        } else {
            Begin::Needs(candidate)
        }
    }

    /// Whether a sibling forbids it or some dependency has no candidate; in the latter case it is
    /// unusable for good.
    fn is_impossible(&mut self, slot: SlotId, candidate: PackageId, requested: bool) -> bool {
        if self.slots.is_current(candidate) {
            return false;
        }
        if !requested && self.slots.chosen(slot).is_none() && !self.slots.fits_siblings(candidate) {
            return true;
        }
        if self.universe.deps(candidate).groups.iter().all(|group| self.has_candidate(group)) {
            return false;
        }
        if !self.slots.is_fixed(slot) {
            self.slots.give_up(slot);
        }
        true
    }

    fn satisfy_needs(&mut self, slot: SlotId, package: PackageId, requested: bool) -> bool {
        let deps: &'u Deps = self.universe.deps(package);
        let fixed = self.slots.is_fixed(slot);
        let standing = Standing { fixed, requested };
        if requested {
            self.slots.choose(slot);
        }
        // What is satisfied matters to a fixed package too: it fixes others.
        let groups: Vec<_> = deps.groups.iter().filter(|group| fixed || !self.satisfied(group)).collect();
        let negatives: Vec<_> =
            deps.negatives.iter().filter(|n| fixed || self.refuses_something(n)).collect();
        let mut to_drop = Vec::new();
        let refused = self.refuse(&negatives, standing, &mut to_drop);
        if !refused && standing.gives_up() {
            return false;
        }
        self.slots.choose(slot);
        self.slots.fix(slot);
        let satisfied = self.satisfy_groups(&groups, standing);
        if !fixed {
            self.slots.unfix(slot);
        }
        let may_drop = satisfied || !standing.gives_up();
        let dropped = may_drop && to_drop.into_iter().all(|other| self.slots.change(other, Change::Dropped));
        let well = refused && satisfied && dropped;
        if !well && standing.gives_up() {
            self.slots.give_up(slot);
        }
        well
    }

    fn satisfy_groups(&mut self, groups: &[&Group], standing: Standing) -> bool {
        let mut well = true;
        for group in groups {
            let done = match self.satisfied(group) {
                true if standing.fixed => self.fix_only_solution(group),
                true => true,
                false => self.satisfy_one(group, standing),
            };
            well &= done;
            if !well && standing.gives_up() {
                return false;
            }
        }
        well
    }

    /// What a fixed package needs without alternative is fixed too.
    fn fix_only_solution(&mut self, group: &Group) -> bool {
        let [only] = self.solutions_with_installed(group)[..] else { return true };
        let slot = self.universe.row(only).slot;
        if self.slots.is_fixed(slot) {
            return true;
        }
        self.slots.fix(slot);
        self.choose_with_needs(slot, false)
    }

    fn satisfy_one(&mut self, group: &Group, standing: Standing) -> bool {
        let mut solutions = self.solutions(group);
        for at in 0..solutions.len() {
            self.resolve_tie(&mut solutions, at);
            let target = solutions[at].package;
            let slot = self.universe.row(target).slot;
            if !self.slots.is_usable(target) {
                continue;
            }
            if standing.fixed && solutions.len() == 1 {
                if !self.slots.can_be_chosen(slot, false) {
                    continue;
                }
                self.slots.choose(slot);
                self.slots.fix(slot);
            }
            if self.choose_with_needs(slot, false) {
                return true;
            }
        }
        false
    }
}

enum Begin {
    Done,
    Impossible,
    Needs(PackageId),
}
