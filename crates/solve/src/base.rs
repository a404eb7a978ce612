//! The base set of a root, found once for all requests that share it.

use archmill_deb::{Relation, Relations};

use crate::choose::Chooser;
use crate::goal::{Goal, Origin, Root, is_solution};
use crate::ids::{ArchId, PackageId, SlotId};
use crate::relations::{Alternative, Deps, Field, Group};
use crate::request::{Base, Versions};
use crate::search::Scope;
use crate::solver;
use crate::trace::{self, Asked, Strictness};
use crate::universe::Universe;
use crate::unsatisfiable::Unsatisfiable;

/// A base set that was found, and why each of its packages is in it.
#[derive(Debug)]
pub(crate) struct SolvedBase {
    pub(crate) roots: Vec<Root>,
    /// Ordered by id.
    pub(crate) packages: Vec<PackageId>,
    pub(crate) asked: Vec<(PackageId, Asked)>,
}

pub(crate) fn solve(
    universe: &Universe,
    base: &Base,
    versions: Versions,
) -> Result<SolvedBase, Unsatisfiable> {
    let first = first_stage(universe, base);
    let named: Vec<Relations> = base.packages.iter().map(|name| relation_of(name)).collect();
    let roots = roots(universe, &first, &named);
    let goal = Goal { base: &roots, wanted: &[], refusals: &[] };
    let marked = mark(universe, &first, base, &named);
    let packages = if is_solution(universe, goal, &marked) {
        marked
    } else {
        let scope = Scope { universe, goal, versions, locked: &[], preferred: &marked };
        solver::search_or_explain(scope)?
    };
    let mut asked = trace::trace(universe, roots.iter(), &packages, &[], Strictness::Every);
    asked.sort_unstable_by_key(|&(package, _)| package);
    let packages = asked.iter().map(|&(package, _)| package).collect();
    Ok(SolvedBase { roots, packages, asked })
}

/// Packages chosen before any relation is looked at, and why.
fn first_stage(universe: &Universe, base: &Base) -> Vec<(SlotId, &'static str)> {
    let mut chosen = Vec::new();
    for (number, slot) in universe.slots.iter().enumerate() {
        let Some(candidate) = slot.candidate.filter(|_| slot.arch == ArchId::NATIVE) else { continue };
        let row = universe.row(candidate);
        if base.essential && row.essential {
            chosen.push((SlotId::new(number), "Essential"));
        } else if base.required && row.priority == 1 {
            chosen.push((SlotId::new(number), "Priority"));
        }
    }
    let preferred = base.preferred.iter().filter_map(|name| native_slot(universe, name));
    let asked_for: Vec<SlotId> = preferred.filter(|&slot| named_by_any(universe, &chosen, slot)).collect();
    chosen.extend(asked_for.into_iter().map(|slot| (slot, "base")));
    chosen
}

/// Where a package of the native architecture is, if it can be installed.
fn native_slot(universe: &Universe, name: &str) -> Option<SlotId> {
    universe
        .slots_of(universe.names.find(name)?)
        .find(|&slot| universe.slot(slot).arch == ArchId::NATIVE && universe.slot(slot).candidate.is_some())
}

/// Whether a relation of one of the packages names that one: a preference decides between alternatives, and
/// brings nothing in by itself.
fn named_by_any(universe: &Universe, chosen: &[(SlotId, &str)], slot: SlotId) -> bool {
    let name = Some(universe.slot(slot).name);
    chosen.iter().filter_map(|&(by, _)| universe.slot(by).candidate).any(|candidate| {
        let groups = universe.deps(candidate).groups.iter();
        groups.flat_map(|group| &group.alternatives).any(|alternative| alternative.name == name)
    })
}

fn relation_of(name: &str) -> Relations {
    let (name, qualifier) = match name.split_once(':') {
        None => (name, None),
        Some((name, arch)) => (name, Some(arch.to_owned())),
    };
    Relations(vec![vec![Relation {
        name: name.to_owned(),
        qualifier,
        constraint: None,
        arches: Vec::new(),
        profiles: Vec::new(),
    }]])
}

fn roots(universe: &Universe, first: &[(SlotId, &'static str)], named: &[Relations]) -> Vec<Root> {
    let mut roots = Vec::new();
    for &(slot, field) in first {
        let name = universe.slot(slot).name;
        let alternative =
            Alternative { name: Some(name), qualified: false, targets: universe.packages_in(slot).collect() };
        let relation = match field {
            "Essential" => format!("{} (Essential: yes)", universe.names.get(name)),
            _ => universe.names.get(name).to_owned(),
        };
        let group = Group { field: Field::Depends, index: 0, alternatives: [alternative].into() };
        roots.push(Root { origin: Origin::Base { field, relation }, group });
    }
    for relations in named {
        let deps = Deps::of_request(universe, ArchId::NATIVE, relations, &Relations(Vec::new()));
        let origin = Origin::Base { field: "base", relation: relations.to_string() };
        roots.extend(deps.groups.into_iter().map(|group| Root { origin: origin.clone(), group }));
    }
    roots
}

/// First the essential packages by themselves, then the named ones into what that gives: the way
/// roots are made.
fn mark(
    universe: &Universe,
    first: &[(SlotId, &'static str)],
    base: &Base,
    named: &[Relations],
) -> Vec<PackageId> {
    let mut chooser = Chooser::new(universe, &[]);
    let slots: Vec<SlotId> = first.iter().map(|&(slot, _)| slot).collect();
    chooser.install(&slots);
    let mut chooser = Chooser::new(universe, &chooser.installed());
    let slots: Vec<SlotId> = base.packages.iter().filter_map(|name| native_slot(universe, name)).collect();
    chooser.install(&slots);
    for relations in named {
        let deps = Deps::of_request(universe, ArchId::NATIVE, relations, &Relations(Vec::new()));
        chooser.satisfy(&deps.groups, []);
    }
    chooser.installed()
}
