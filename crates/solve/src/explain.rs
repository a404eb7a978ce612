//! From contradicting relations to sentences.

use archmill_deb::{MultiArch, Relations};

use crate::conflict;
use crate::goal::Origin;
use crate::ids::{ArchId, NameId, PackageId};
use crate::relations::{Field, Group};
use crate::search::{Fact, Part, Scope, is_allowed};
use crate::universe::Universe;
use crate::unsatisfiable::{Outcome, PackageName, Reason, Subject, Unsatisfiable};

pub(crate) fn explain(scope: Scope<'_>, facts: &[Fact]) -> Unsatisfiable {
    in_words(scope, conflict::core(scope, facts))
}

/// The same for relations that lead from the goal to what is missing.
pub(crate) fn explain_missing(scope: Scope<'_>, proof: Vec<Fact>) -> Unsatisfiable {
    in_words(scope, conflict::reduced(scope, proof))
}

fn in_words(scope: Scope<'_>, core: Vec<Fact>) -> Unsatisfiable {
    let core = in_order(scope, core);
    Unsatisfiable { reasons: core.into_iter().map(|fact| reason(scope, fact)).collect() }
}

/// From the goal along relations, so that each reason speaks of what an earlier one brought up.
fn in_order(scope: Scope<'_>, core: Vec<Fact>) -> Vec<Fact> {
    let (mut ordered, mut rest): (Vec<Fact>, Vec<Fact>) =
        core.into_iter().partition(|fact| fact.owner.is_none());
    let mut at = 0;
    while at < ordered.len() {
        let brought_up: Vec<PackageId> = match (ordered[at].part, group_of(scope, ordered[at])) {
            (Part::Group(_), Some(group)) => group.targets().collect(),
            _ => Vec::new(),
        };
        let (next, later) =
            rest.into_iter().partition(|fact| fact.owner.is_some_and(|owner| brought_up.contains(&owner)));
        rest = later;
        let insert: Vec<Fact> = next;
        ordered.splice(at + 1..=at, insert);
        at += 1;
    }
    ordered.extend(rest);
    ordered
}

fn group_of(scope: Scope<'_>, fact: Fact) -> Option<&Group> {
    let Part::Group(number) = fact.part else { return None };
    match fact.owner {
        None => scope.goal.roots().nth(number).map(|root| &root.group),
        Some(package) => scope.universe.deps(package).groups.get(number),
    }
}

fn reason(scope: Scope<'_>, fact: Fact) -> Reason {
    let universe = scope.universe;
    let (by, verb, relation) = words(scope, fact);
    let outcome = match (fact.part, group_of(scope, fact)) {
        (Part::Group(_), Some(group)) => {
            let mut outcome = outcome(scope, asker_arch(scope, fact), group, &relation);
            if let (Outcome::Missing { nearest, .. }, Some(package)) = (&mut outcome, fact.owner) {
                // Whoever has the relation does not mean itself.
                let own = universe.package(package).name();
                nearest.retain(|name| name != own);
            }
            outcome
        }
        (Part::Negative(number), _) => {
            let targets = match fact.owner {
                None => &scope.goal.refusals[number].negative.targets,
                Some(package) => &universe.deps(package).negatives[number].targets,
            };
            Outcome::Refuses(names(
                universe,
                targets.iter().copied().filter(|&target| is_allowed(scope, target)),
            ))
        }
        (Part::Group(_), None) => Outcome::nothing(),
    };
    Reason { by, verb, relation, outcome }
}

/// The architecture that whoever has a relation is of.
fn asker_arch(scope: Scope<'_>, fact: Fact) -> ArchId {
    match (fact.owner, fact.part) {
        (Some(owner), _) => scope.universe.arch_of(owner),
        (None, Part::Group(number)) => match scope.goal.roots().nth(number).map(|root| &root.origin) {
            Some(Origin::Wanted { arch, .. }) => *arch,
            _ => ArchId::NATIVE,
        },
        (None, Part::Negative(_)) => ArchId::NATIVE,
    }
}

fn outcome(scope: Scope<'_>, arch: ArchId, group: &Group, relation: &str) -> Outcome {
    let mut allowed: Vec<PackageId> = Vec::new();
    for target in group.targets().filter(|&target| is_allowed(scope, target)) {
        if !allowed.contains(&target) {
            allowed.push(target);
        }
    }
    let candidates = names(scope.universe, allowed);
    if !candidates.is_empty() {
        return Outcome::Needs(candidates);
    }
    let universe = scope.universe;
    let known = group.alternatives.iter().filter_map(|alternative| alternative.name);
    let mut available: Vec<PackageId> =
        known.flat_map(|name| candidates_named(universe, name, arch)).collect();
    available.dedup();
    let nearest = if available.is_empty() { nearest(universe, relation) } else { Vec::new() };
    let left_out = left_out(universe, relation);
    let is_of_another = |&package: &PackageId| {
        universe.arch_of(package) != arch && universe.row(package).multi_arch != MultiArch::Foreign
    };
    let only_others = !available.is_empty() && available.iter().all(is_of_another);
    let needed_for = only_others.then(|| universe.arches[arch.index()].to_string());
    Outcome::Missing { available: names(universe, available), needed_for, nearest, left_out }
}

/// What there is of a name: its own packages, else what provides it, else its packages for other architectures.
fn candidates_named(universe: &Universe, name: NameId, arch: ArchId) -> Vec<PackageId> {
    let real = |is_of_arch: bool| {
        let slots =
            universe.slots_of(name).filter(move |&slot| (universe.slot(slot).arch == arch) == is_of_arch);
        slots.filter_map(|slot| universe.slot(slot).candidate).collect::<Vec<_>>()
    };
    let mut found = real(true);
    if found.is_empty() {
        found.extend(universe.providers_of(name).iter().map(|provider| provider.package));
    }
    if found.is_empty() { real(false) } else { found }
}

fn nearest(universe: &Universe, relation: &str) -> Vec<String> {
    let wanted = relation.split([' ', ':', '|']).next().unwrap_or_default();
    let others = universe.names.iter().filter(|&name| name != wanted);
    archmill_deb::nearest(wanted, others).into_iter().map(str::to_owned).collect()
}

/// Packages of a name that could not be read, with the reason.
fn left_out(universe: &Universe, relation: &str) -> Vec<String> {
    let wanted =
        relation.split(['|', ',']).map(|one| one.trim().split([' ', ':', '(']).next().unwrap_or_default());
    let wanted: Vec<&str> = wanted.collect();
    let bad = universe.problems.iter().filter(|problem| wanted.contains(&problem.package.as_str()));
    bad.map(ToString::to_string).collect()
}

/// Subject, verb and relation of a fact.
fn words(scope: Scope<'_>, fact: Fact) -> (Subject, String, String) {
    let universe = scope.universe;
    match (fact.owner, fact.part) {
        (None, Part::Group(number)) => match scope.goal.roots().nth(number).map(|root| &root.origin) {
            Some(Origin::Wanted { by, verb, relation, .. }) => {
                (Subject::Request(by.clone()), verb.clone(), relation.clone())
            }
            Some(Origin::Base { relation, .. }) => (Subject::Base, "has".to_owned(), relation.clone()),
            None => (Subject::Base, String::new(), String::new()),
        },
        (None, Part::Negative(number)) => {
            let refusal = &scope.goal.refusals[number];
            (
                Subject::Request(refusal.by.clone()),
                "build-conflicts with".to_owned(),
                refusal.relation.clone(),
            )
        }
        (Some(package), Part::Group(number)) => {
            let group = &universe.deps(package).groups[number];
            let subject = Subject::Package(package_name(universe, package));
            (
                subject,
                group.field.verb().to_owned(),
                relation_text(universe, package, group.field, group.index),
            )
        }
        (Some(package), Part::Negative(number)) => {
            let negative = &universe.deps(package).negatives[number];
            let subject = Subject::Package(package_name(universe, package));
            (
                subject,
                negative.field.verb().to_owned(),
                relation_text(universe, package, negative.field, negative.index),
            )
        }
    }
}

/// One group of a field, as text.
pub(crate) fn relation_text(universe: &Universe, package: PackageId, field: Field, index: u16) -> String {
    let reference = universe.package(package);
    if field == Field::MultiArch {
        return format!("{} of another architecture or version", reference.name());
    }
    let value = reference.field(field.name()).unwrap_or_default();
    match Relations::parse(value) {
        Ok(mut relations) if usize::from(index) < relations.0.len() => {
            Relations(vec![relations.0.swap_remove(usize::from(index))]).to_string()
        }
        _ => value.to_owned(),
    }
}

fn names(universe: &Universe, packages: impl IntoIterator<Item = PackageId>) -> Vec<PackageName> {
    packages.into_iter().map(|package| package_name(universe, package)).collect()
}

fn package_name(universe: &Universe, package: PackageId) -> PackageName {
    let package = universe.package(package);
    PackageName {
        name: package.name().to_owned(),
        version: package.version().to_owned(),
        arch: package.arch().to_string(),
        origin: package.index().origin.clone(),
        foreign: universe.arch_of(package.id()) != ArchId::NATIVE,
    }
}
