//! Explanations against a solver that tries every set: what they name cannot all hold, and all but any one of it can.

use archmill_solve::{
    BuildKinds, CheckRules, Checker, IndexText, Outcome, Reason, Sources, Subject, Unsatisfiable, Versions,
    solve,
};
use proptest::prelude::*;

use crate::properties::{Atom, Case, Package, any_versions, case};

/// A relation that an explanation names, as this test understands it.
enum Fact<'c> {
    Wanted(&'c [Atom]),
    Refused(&'c Atom),
    /// A package of this name.
    Essential(&'c str),
    Needs(&'c Package, &'c [Atom]),
    Refuses(&'c Package, &'c Atom),
    /// No package of its name for another architecture, unless it is Multi-Arch: same and of its version.
    Alone(&'c Package),
}

impl Fact<'_> {
    fn holds(&self, set: &[&Package]) -> bool {
        let there = |package: &Package| set.contains(&package);
        let any = |asker: &str, group: &[Atom]| {
            group.iter().any(|atom| set.iter().any(|package| atom.satisfied_by(asker, package)))
        };
        match self {
            Self::Wanted(group) => any("arm64", group),
            Self::Refused(atom) => !set.iter().any(|package| atom.refuses(None, package)),
            Self::Essential(name) => {
                set.iter().any(|package| package.name == *name && package.native_arch() == "arm64")
            }
            Self::Needs(owner, group) => !there(owner) || any(owner.native_arch(), group),
            Self::Refuses(owner, atom) => {
                !there(owner) || !set.iter().any(|package| atom.refuses(Some(owner), package))
            }
            Self::Alone(owner) => {
                let goes = |other: &Package| owner.multi_arch == "same" && other.version == owner.version;
                let is_sibling =
                    |other: &Package| other.name == owner.name && other.native_arch() != owner.native_arch();
                !there(owner) || set.iter().all(|other| !is_sibling(other) || goes(other))
            }
        }
    }
}

fn text(group: &[Atom]) -> String {
    group.iter().map(Atom::text).collect::<Vec<_>>().join(" | ")
}

fn fact<'c>(case: &'c Case, reason: &Reason) -> Option<Fact<'c>> {
    let relation = &reason.relation;
    let group = |groups: &'c [Vec<Atom>]| groups.iter().find(|group| text(group) == *relation);
    let atom = |atoms: &'c [Atom]| atoms.iter().find(|atom| atom.text() == *relation);
    let owner = match &reason.by {
        Subject::Base => {
            let name = relation.strip_suffix(" (Essential: yes)")?;
            return case
                .packages
                .iter()
                .find(|package| package.name == name)
                .map(|p| Fact::Essential(p.name));
        }
        Subject::Request(_) if reason.verb == "build-depends on" => {
            return group(&case.wanted).map(|group| Fact::Wanted(group));
        }
        Subject::Request(_) => return atom(&case.conflicts).map(Fact::Refused),
        Subject::Package(name) => case.packages.iter().find(|package| {
            package.name == name.name
                && package.version.to_string() == name.version
                && package.native_arch() == name.arch
        })?,
    };
    match reason.verb.as_str() {
        "depends on" => group(&owner.depends).map(|group| Fact::Needs(owner, group)),
        "pre-depends on" => group(&owner.pre_depends).map(|group| Fact::Needs(owner, group)),
        "conflicts with" => atom(&owner.conflicts).map(|atom| Fact::Refuses(owner, atom)),
        "breaks" => atom(&owner.breaks).map(|atom| Fact::Refuses(owner, atom)),
        "cannot be installed together with" => Some(Fact::Alone(owner)),
        _ => None,
    }
}

/// Whether some set with one version per name and architecture satisfies all of these.
fn can_hold(case: &Case, versions: Versions, facts: &[&Fact<'_>]) -> bool {
    let usable = case.usable(versions);
    (0..1_u32 << usable.len()).any(|chosen| {
        let taken = usable.iter().enumerate().filter(|(at, _)| chosen & (1 << at) != 0);
        let set: Vec<&Package> = taken.map(|(_, package)| *package).collect();
        let alike = |a: &Package, b: &Package| a.name == b.name && a.native_arch() == b.native_arch();
        let one_of_each = set.iter().enumerate().all(|(at, a)| !set[..at].iter().any(|b| alike(a, b)));
        one_of_each && facts.iter().all(|fact| fact.holds(&set))
    })
}

fn is_irreducible(case: &Case, versions: Versions, why: &Unsatisfiable) -> Result<(), TestCaseError> {
    let mut facts = Vec::new();
    for reason in &why.reasons {
        let known = fact(case, reason);
        facts.push(known.ok_or_else(|| TestCaseError::fail(format!("nobody has this relation: {reason}")))?);
    }
    let all: Vec<&Fact<'_>> = facts.iter().collect();
    prop_assert!(!can_hold(case, versions, &all), "these can hold: {why}");
    for at in 0..all.len() {
        let mut rest = all.clone();
        rest.remove(at);
        prop_assert!(can_hold(case, versions, &rest), "{} can be left out: {why}", why.reasons[at]);
    }
    for reason in &why.reasons {
        if let (Outcome::Missing { .. }, Some(Fact::Wanted(group) | Fact::Needs(_, group))) =
            (&reason.outcome, fact(case, reason))
        {
            let asker = match &reason.by {
                Subject::Package(owner) => owner.arch.as_str(),
                _ => "arm64",
            };
            let usable = case.usable(versions);
            let fits = |package: &&&Package| group.iter().any(|atom| atom.satisfied_by(asker, package));
            prop_assert!(usable.iter().find(fits).is_none(), "not missing: {reason}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// For a request.
    #[test]
    fn an_explanation_is_irreducible(case in case(), versions in any_versions()) {
        if let Err(why) = solve(&case.in_order(), &case.request(versions)) {
            is_irreducible(&case, versions, &why)?;
        }
    }

    /// For a source package of a whole archive, where what is missing is known without a search.
    #[test]
    fn an_explanation_of_a_verdict_is_irreducible(case in case(), versions in any_versions()) {
        let (universe, request) = (case.in_order(), case.request(versions));
        let fields = format!("Build-Depends: {}\nBuild-Conflicts: {}\n", request.wanted[0].relations, request.conflicts);
        let stanza = format!("Package: src\nVersion: 1\nArchitecture: any\n{fields}");
        let sources = Sources::new(vec![IndexText::new(stanza, "sources")]);
        let rules = CheckRules {
            host: None,
            profiles: Vec::new(),
            kinds: BuildKinds::FULL,
            base: request.base.clone(),
            alternatives: request.alternatives,
            versions,
        };
        let source = sources.find("src").expect("the only one");
        match Checker::new(&universe, rules) {
            Err(why) => is_irreducible(&case, versions, &why)?,
            Ok(mut checker) => {
                if let Some(why) = checker.explain(&source) {
                    is_irreducible(&case, versions, &why)?;
                }
            }
        }
    }
}
