//! The slow path: a SAT search by resolvo, for what choosing as apt does cannot settle.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::{BuildHasherDefault, DefaultHasher};

use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider,
    HintDependenciesAvailable, Interner, KnownDependencies, Problem, Requirement, Solver, SolverCache,
    SparseId, StringId, UnsolvableOrCancelled, VersionSetId, VersionSetUnionId,
};

use crate::goal::{Goal, PackageSet};
use crate::ids::{PackageId, SlotId};
use crate::relations::{Group, Negative};
use crate::request::Versions;
use crate::universe::Universe;

pub(crate) enum SlotTag {}
pub(crate) enum PackageTag {}
/// Not seeded: the same archive must give the same set.
type Unseeded = BuildHasherDefault<DefaultHasher>;
type Name = SparseId<SlotTag, u32, Unseeded>;
type Solvable = SparseId<PackageTag, u32, Unseeded>;

/// The name of what does not exist.
const NOTHING: u32 = u32::MAX;

/// One relation, by whose it is (`None`: the goal's) and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fact {
    pub(crate) owner: Option<PackageId>,
    pub(crate) part: Part,
}

/// Which of the owner's relations a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    Group(usize),
    Negative(usize),
}

/// What a search may choose from.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) universe: &'a Universe,
    pub(crate) goal: Goal<'a>,
    pub(crate) versions: Versions,
    /// Packages that are to stay as they are.
    pub(crate) locked: &'a [PackageId],
    /// Packages to try first where there is a choice.
    pub(crate) preferred: &'a [PackageId],
}

/// Finds packages that satisfy the goal; else gives the relations that were looked at.
pub(crate) fn search(scope: Scope<'_>) -> Result<Vec<PackageId>, Vec<Fact>> {
    run(scope, None)
}

/// Whether these relations alone, with one version per package, contradict each other.
pub(crate) fn contradict(scope: Scope<'_>, facts: &HashSet<Fact>) -> bool {
    run(scope, Some(facts)).is_err()
}

fn run(scope: Scope<'_>, only: Option<&HashSet<Fact>>) -> Result<Vec<PackageId>, Vec<Fact>> {
    let provider = Provider::new(scope, only);
    let problem = provider.problem();
    let mut solver = Solver::new(provider);
    match solver.solve(problem) {
        Ok(found) => Ok(found.into_iter().map(|solvable| PackageId(solvable.into_raw())).collect()),
        // Nothing cancels a search.
        Err(UnsolvableOrCancelled::Unsolvable(_) | UnsolvableOrCancelled::Cancelled(_)) => {
            let mut facts = solver.provider().facts.borrow().clone();
            facts.sort_unstable();
            facts.dedup();
            Err(facts)
        }
    }
}

/// Packages of one slot that are meant, or, inverted, all but those.
struct VersionSet {
    slot: u32,
    packages: Vec<PackageId>,
    inverted: bool,
}

struct Provider<'a> {
    scope: Scope<'a>,
    only: Option<&'a HashSet<Fact>>,
    locked: HashMap<SlotId, PackageId>,
    preferred: PackageSet,
    sets: RefCell<Vec<VersionSet>>,
    unions: RefCell<Vec<Vec<VersionSetId>>>,
    facts: RefCell<Vec<Fact>>,
}

impl<'a> Provider<'a> {
    fn new(scope: Scope<'a>, only: Option<&'a HashSet<Fact>>) -> Self {
        let slot = |&package: &PackageId| (scope.universe.row(package).slot, package);
        Self {
            scope,
            only,
            locked: scope.locked.iter().map(slot).collect(),
            preferred: PackageSet::new(scope.universe, scope.preferred.iter().copied()),
            sets: RefCell::default(),
            unions: RefCell::default(),
            facts: RefCell::default(),
        }
    }

    fn problem(&self) -> Problem<Solvable, resolvo::EmptySolvables<Solvable>> {
        let groups = self.scope.goal.roots().map(|root| &root.group);
        let negatives = self.scope.goal.refusals.iter().map(|refusal| &refusal.negative);
        let known = self.known(None, groups, negatives);
        Problem::new().requirements(known.requirements).constraints(known.constrains)
    }

    fn known<'g>(
        &self,
        owner: Option<PackageId>,
        groups: impl Iterator<Item = &'g Group>,
        negatives: impl Iterator<Item = &'g Negative>,
    ) -> KnownDependencies {
        let mut known = KnownDependencies::default();
        for (number, group) in groups.enumerate() {
            if self.counts(Fact { owner, part: Part::Group(number) }) {
                known.requirements.push(self.requirement(group));
            }
        }
        for (number, negative) in negatives.enumerate() {
            if self.counts(Fact { owner, part: Part::Negative(number) }) {
                known.constrains.extend(self.constraints(negative));
            }
        }
        known
    }

    fn counts(&self, fact: Fact) -> bool {
        match self.only {
            None => {
                self.facts.borrow_mut().push(fact);
                true
            }
            Some(only) => only.contains(&fact),
        }
    }

    fn allowed(&self, package: PackageId) -> bool {
        is_allowed(self.scope, package)
            && self.locked.get(&self.scope.universe.row(package).slot).is_none_or(|&locked| locked == package)
    }

    fn requirement(&self, group: &Group) -> ConditionalRequirement {
        let mut targets: Vec<PackageId> = Vec::new();
        for alternative in &group.alternatives {
            let mut fitting: Vec<_> =
                alternative.targets.iter().copied().filter(|&t| self.allowed(t)).collect();
            fitting.sort_by_key(|&target| {
                let row = self.scope.universe.row(target);
                let other_name = Some(self.scope.universe.name_of(target)) != alternative.preferred_name();
                (other_name, !row.essential, row.priority, target)
            });
            targets.extend(fitting);
        }
        // Stable: what was chosen already goes first, else the order of alternatives holds.
        targets.sort_by_key(|&target| !self.preferred.contains(target));
        let mut sets: Vec<VersionSetId> = Vec::new();
        let mut seen = HashSet::new();
        for &target in &targets {
            let slot = self.scope.universe.row(target).slot;
            if seen.insert(slot) {
                let packages =
                    targets.iter().copied().filter(|&t| self.scope.universe.row(t).slot == slot).collect();
                sets.push(self.intern(VersionSet { slot: slot.0, packages, inverted: false }));
            }
        }
        let requirement = match sets[..] {
            [] => Requirement::Single(self.intern(VersionSet {
                slot: NOTHING,
                packages: Vec::new(),
                inverted: false,
            })),
            [only] => Requirement::Single(only),
            _ => Requirement::Union(self.intern_union(sets)),
        };
        ConditionalRequirement { condition: None, requirement }
    }

    fn constraints(&self, negative: &Negative) -> Vec<VersionSetId> {
        let mut sets: Vec<VersionSetId> = Vec::new();
        let allowed: Vec<_> = negative.targets.iter().copied().filter(|&t| self.allowed(t)).collect();
        // Targets are ordered by id, so those of a slot stand together.
        let slot = |package: PackageId| self.scope.universe.row(package).slot;
        for packages in allowed.chunk_by(|&a, &b| slot(a) == slot(b)) {
            sets.push(self.intern(VersionSet {
                slot: slot(packages[0]).0,
                packages: packages.to_vec(),
                inverted: true,
            }));
        }
        sets
    }

    // The number of relations fits, as the number of packages does.
    #[allow(clippy::cast_possible_truncation)]
    fn intern(&self, set: VersionSet) -> VersionSetId {
        let mut sets = self.sets.borrow_mut();
        sets.push(set);
        VersionSetId(sets.len() as u32 - 1)
    }

    #[allow(clippy::cast_possible_truncation)]
    fn intern_union(&self, sets: Vec<VersionSetId>) -> VersionSetUnionId {
        let mut unions = self.unions.borrow_mut();
        unions.push(sets);
        VersionSetUnionId(unions.len() as u32 - 1)
    }
}

/// Whether a version may be chosen at all.
pub(crate) fn is_allowed(scope: Scope<'_>, package: PackageId) -> bool {
    is_usable(scope.universe, scope.versions, package)
}

/// Whether a version is one of those that may be taken.
pub(crate) fn is_usable(universe: &Universe, versions: Versions, package: PackageId) -> bool {
    match versions {
        Versions::Candidate => universe.slot(universe.row(package).slot).candidate == Some(package),
        Versions::Any => universe.texts[usize::from(universe.row(package).text)].priority >= 0,
    }
}

impl Interner for Provider<'_> {
    type NameId = Name;
    type SolvableId = Solvable;

    fn display_solvable(&self, solvable: Solvable) -> impl Display + '_ {
        format!("{:?}", self.scope.universe.package(PackageId(solvable.into_raw())))
    }

    fn display_name(&self, name: Name) -> impl Display + '_ {
        let slots = &self.scope.universe.slots;
        slots.get(name.into_raw() as usize).map_or("nothing", |slot| self.scope.universe.names.get(slot.name))
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl Display + '_ {
        format!("#{}", version_set.0)
    }

    fn display_string(&self, string_id: StringId) -> impl Display + '_ {
        format!("#{}", string_id.0)
    }

    fn version_set_name(&self, version_set: VersionSetId) -> Name {
        Name::from_raw(self.sets.borrow()[version_set.0 as usize].slot)
    }

    fn solvable_name(&self, solvable: Solvable) -> Name {
        Name::from_raw(self.scope.universe.row(PackageId(solvable.into_raw())).slot.0)
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.unions.borrow()[union.0 as usize].clone().into_iter()
    }

    fn resolve_condition(&self, _: ConditionId) -> Condition {
        unreachable!("no relation of Debian's has a condition")
    }
}

impl DependencyProvider for Provider<'_> {
    async fn filter_candidates(
        &self,
        candidates: &[Solvable],
        set: VersionSetId,
        inverse: bool,
    ) -> Vec<Solvable> {
        let sets = self.sets.borrow();
        let set = &sets[set.0 as usize];
        let fits = |candidate: &Solvable| {
            set.packages.contains(&PackageId(candidate.into_raw())) != (set.inverted != inverse)
        };
        candidates.iter().copied().filter(fits).collect()
    }

    async fn get_candidates(&self, name: Name) -> Option<Candidates<Solvable>> {
        let slot = SlotId(name.into_raw());
        if name.into_raw() == NOTHING {
            return None;
        }
        let packages = self.scope.universe.packages_in(slot).filter(|&package| self.allowed(package));
        let candidates: Vec<_> = packages.map(|package| Solvable::from_raw(package.0)).collect();
        Some(Candidates {
            candidates,
            hint_dependencies_available: HintDependenciesAvailable::None,
            ..Candidates::default()
        })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [Solvable]) {
        // Ids follow preference within a slot.
        solvables.sort_unstable_by_key(|solvable| solvable.into_raw());
    }

    async fn get_dependencies(&self, solvable: Solvable) -> Dependencies {
        let package = PackageId(solvable.into_raw());
        let deps = self.scope.universe.deps(package);
        Dependencies::Known(self.known(Some(package), deps.groups.iter(), deps.negatives.iter()))
    }
}
