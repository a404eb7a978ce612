//! Verdicts for many sources: the same as one by one, and the same after a change as from the start.

use archmill_deb::Arch;
use archmill_solve::{
    Alternatives, Base, BuildKinds, Change, CheckRules, Checker, IndexText, Solver, Sources, Universe,
    Verdict, Verdicts, Versions,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::properties::{Atom, Package, atom, groups, package};
use crate::world::{arch, stanzas};

#[derive(Clone, Debug)]
struct Source {
    depends: Vec<Vec<Atom>>,
    conflicts: Vec<Atom>,
}

fn source() -> impl Strategy<Value = Source> {
    (groups(3), vec(atom(), 0..2)).prop_map(|(depends, conflicts)| Source { depends, conflicts })
}

fn sources_of(sources: &[Source]) -> Sources {
    let stanza = |(number, source): (usize, &Source)| {
        let group = |group: &Vec<Atom>| group.iter().map(Atom::text).collect::<Vec<_>>().join(" | ");
        let depends: Vec<String> = source.depends.iter().map(group).collect();
        let conflicts: Vec<String> = source.conflicts.iter().map(Atom::text).collect();
        format!(
            "Package: s{number}\nVersion: 1\nArchitecture: any\nBuild-Depends: {}\nBuild-Conflicts: {}\n",
            depends.join(", "),
            conflicts.join(", ")
        )
    };
    let text = sources.iter().enumerate().map(stanza).collect::<Vec<_>>().join("\n");
    Sources::new(vec![IndexText::new(text, "sources")])
}

fn universe(packages: &[Package]) -> Universe {
    let texts = vec![IndexText::new(text(packages), "suite")];
    Universe::new(texts, &arch("arm64"), &[arch("armhf")])
}

fn text(packages: &[Package]) -> String {
    stanzas(&packages.iter().map(Package::line).collect::<Vec<_>>().join("\n"))
}

fn unique(packages: Vec<Package>) -> Vec<Package> {
    let mut seen = Vec::new();
    let new = |package: &Package| {
        let key = (package.name, package.version, package.native_arch());
        let new = !seen.contains(&key);
        seen.push(key);
        new
    };
    let mut packages = packages;
    packages.retain(new);
    packages
}

fn rules() -> impl Strategy<Value = CheckRules> {
    let host = prop::option::of(Just(arch("armhf")));
    let alternatives = select(vec![Alternatives::First, Alternatives::All]);
    let versions = select(vec![Versions::Candidate, Versions::Any]);
    (host, alternatives, versions, any::<bool>()).prop_map(|(host, alternatives, versions, essential)| {
        CheckRules {
            host,
            profiles: Vec::new(),
            kinds: BuildKinds::FULL,
            base: Base { essential, ..Base::default() },
            alternatives,
            versions,
        }
    })
}

fn from_the_start(universe: &Universe, sources: &Sources, rules: &CheckRules) -> Option<Vec<Verdict>> {
    let mut checker = Checker::new(universe, rules.clone()).ok()?;
    Some(sources.current().map(|source| checker.check(&source)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// What the checker says without choosing packages is what comes of choosing them.
    #[test]
    fn a_verdict_tells_whether_there_is_an_install_set(
        packages in vec(package(), 1..12).prop_map(unique),
        sources in vec(source(), 1..6),
        rules in rules(),
    ) {
        let (universe, sources) = (universe(&packages), sources_of(&sources));
        let Ok(mut checker) = Checker::new(&universe, rules) else { return Ok(()) };
        for source in sources.current() {
            let verdict = checker.check(&source);
            let solved = Solver::new(&universe).solve(&checker.request(&source));
            prop_assert_eq!(verdict == Verdict::Installable, solved.is_ok());
            prop_assert_eq!(verdict == Verdict::Installable, checker.explain(&source).is_none());
        }
    }

    /// However packages come and go, the verdicts are those of the packages that are there.
    #[test]
    fn verdicts_after_changes_are_those_from_the_start(
        before in vec(package(), 1..10).prop_map(unique),
        changes in vec((any::<u16>(), vec(package(), 0..4)), 1..4),
        sources in vec(source(), 1..6),
        rules in rules(),
    ) {
        let sources = || sources_of(&sources);
        let Ok(mut verdicts) = Verdicts::new(universe(&before), sources(), rules.clone()) else { return Ok(()) };
        let mut there = before;
        for (gone, new) in changes {
            let key = |package: &Package| {
                (package.name.to_owned(), package.version.to_string(), package.native_arch().parse::<Arch>().unwrap())
            };
            let chosen = verdicts.universe().packages().enumerate().filter(|(at, _)| gone & (1 << (at % 16)) != 0);
            let removed: Vec<_> = chosen.map(|(_, package)| {
                (package.id(), (package.name().to_owned(), package.version().to_owned(), package.arch().clone()))
            }).collect();
            there.retain(|package| removed.iter().all(|(_, gone)| *gone != key(package)));
            let new: Vec<Package> =
                unique(new).into_iter().filter(|package| there.iter().all(|old| key(old) != key(package))).collect();
            there.extend(new.iter().cloned());
            let added = vec![IndexText::new(text(&new), "suite")];
            let removed = removed.into_iter().map(|(id, _)| id).collect();
            let updated = verdicts.update(&Change { removed, added });
            let anew = universe(&there);
            let expected = from_the_start(&anew, &sources(), &rules);
            prop_assert_eq!(updated.is_ok(), expected.is_some());
            if let Some(expected) = expected {
                let found: Vec<Verdict> = verdicts.iter().map(|(_, verdict)| verdict).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}

/// A source's conflicts go with it; what a package of the base breaks stays refused.
#[test]
fn what_the_base_breaks_stays_refused_after_a_source_that_conflicts_with_it() {
    let text = stanzas("d=1 arm64 provides v\n");
    let essential = "Package: a\nVersion: 1\nArchitecture: arm64\nEssential: yes\nBreaks: v\n\n";
    let text = format!("{essential}{text}");
    let universe = Universe::new(vec![IndexText::new(text, "suite")], &arch("arm64"), &[arch("armhf")]);
    let field = |field: &str| {
        let stanza = format!("Package: s\nVersion: 1\nArchitecture: any\n{field}\n");
        Sources::new(vec![IndexText::new(stanza, "sources")])
    };
    let rules = CheckRules {
        host: None,
        profiles: vec![],
        kinds: BuildKinds::FULL,
        base: Base { essential: true, ..Base::default() },
        alternatives: Alternatives::First,
        versions: Versions::Any,
    };
    let mut checker = Checker::new(&universe, rules).unwrap();
    let expected = [
        ("Build-Depends: v", Verdict::NotInstallable),
        ("Build-Conflicts: v", Verdict::Installable),
        ("Build-Depends: v", Verdict::NotInstallable),
        ("Build-Depends: d (= 1)", Verdict::NotInstallable),
    ];
    for (text, verdict) in expected {
        for source in field(text).current() {
            assert_eq!(checker.check(&source), verdict, "{text}");
        }
    }
}
