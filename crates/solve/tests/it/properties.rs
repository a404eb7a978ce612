//! Against a solver that tries every set, on archives of up to eight packages.

use std::collections::BTreeSet;

use archmill_deb::{Relation, Relations};
use archmill_solve::{Base, InstallSet, Request, Universe, Versions, Wanted, solve};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::{outcome, universe_for};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const VIRTUAL: [&str; 7] = ["a", "b", "c", "d", "e", "v", "w"];

/// A package as this test understands it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: u8,
    arch: &'static str,
    pub(crate) multi_arch: &'static str,
    essential: bool,
    pub(crate) depends: Vec<Vec<Atom>>,
    pub(crate) pre_depends: Vec<Vec<Atom>>,
    pub(crate) conflicts: Vec<Atom>,
    pub(crate) breaks: Vec<Atom>,
    provides: Vec<(&'static str, Option<u8>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Atom {
    name: &'static str,
    qualifier: Option<&'static str>,
    constraint: Option<(&'static str, u8)>,
}

impl Atom {
    pub(crate) fn text(&self) -> String {
        let qualifier = self.qualifier.map_or_else(String::new, |qualifier| format!(":{qualifier}"));
        let constraint =
            self.constraint.map_or_else(String::new, |(op, version)| format!(" ({op} {version})"));
        format!("{}{qualifier}{constraint}", self.name)
    }

    fn version_fits(&self, version: Option<u8>) -> bool {
        let Some((op, wanted)) = self.constraint else { return true };
        version.is_some_and(|version| match op {
            "<<" => version < wanted,
            "=" => version == wanted,
            _ => version >= wanted,
        })
    }

    /// Names and versions under which a package answers.
    fn names<'p>(&self, package: &'p Package) -> Vec<(Option<u8>, &'p str)> {
        let own = std::iter::once((package.name, Some(package.version)));
        let all = own.chain(package.provides.iter().copied());
        all.filter(|(name, version)| *name == self.name && self.version_fits(*version))
            .map(|(name, version)| (version, name))
            .collect()
    }

    pub(crate) fn satisfied_by(&self, asker_arch: &str, package: &Package) -> bool {
        let arch_fits = match self.qualifier {
            None => package.native_arch() == asker_arch || package.multi_arch == "foreign",
            Some("any") => package.multi_arch == "allowed",
            Some("native") => package.native_arch() == "arm64",
            Some(arch) => package.native_arch() == arch,
        };
        arch_fits && !self.names(package).is_empty()
    }

    pub(crate) fn refuses(&self, asker: Option<&Package>, package: &Package) -> bool {
        let in_scope = match self.qualifier {
            None | Some("any") => true,
            Some("native") => package.native_arch() == "arm64",
            Some(arch) => package.native_arch() == arch,
        };
        let names = self.names(package);
        let hit = match asker {
            Some(asker) if asker.name == package.name => {
                // Never what it provides itself; its own name only for another architecture.
                let real = package.name == self.name && self.version_fits(Some(package.version));
                real && asker.native_arch() != package.native_arch() && asker.multi_arch != "same"
            }
            _ => !names.is_empty(),
        };
        in_scope && hit
    }
}

impl Package {
    pub(crate) fn native_arch(&self) -> &'static str {
        if self.arch == "all" { "arm64" } else { self.arch }
    }

    pub(crate) fn line(&self) -> String {
        let groups = |groups: &[Vec<Atom>]| {
            let texts: Vec<_> = groups
                .iter()
                .map(|group| group.iter().map(Atom::text).collect::<Vec<_>>().join(" | "))
                .collect();
            texts.join(", ")
        };
        let atoms = |atoms: &[Atom]| atoms.iter().map(Atom::text).collect::<Vec<_>>().join(", ");
        let provides: Vec<_> = self
            .provides
            .iter()
            .map(|(name, version)| {
                version.map_or_else(|| (*name).to_owned(), |version| format!("{name} (= {version})"))
            })
            .collect();
        format!(
            "{} {} {}; Multi-Arch: {}; Essential: {}; Depends: {}; Pre-Depends: {}; Conflicts: {}; Breaks: {}; Provides: {}",
            self.name,
            self.version,
            self.arch,
            self.multi_arch,
            if self.essential { "yes" } else { "no" },
            groups(&self.depends),
            groups(&self.pre_depends),
            atoms(&self.conflicts),
            atoms(&self.breaks),
            provides.join(", "),
        )
    }

    fn satisfied_in(&self, set: &[&Package]) -> bool {
        let positive = self.depends.iter().chain(&self.pre_depends).all(|group| {
            group.iter().any(|atom| set.iter().any(|package| atom.satisfied_by(self.native_arch(), package)))
        });
        let mut negatives = self.conflicts.iter().chain(&self.breaks);
        positive
            && !negatives.any(|atom| set.iter().any(|package| atom.refuses(Some(self), package)))
            && set.iter().all(|other| other.name != self.name || self.goes_with(other))
    }

    /// Two packages of one name: the same, or Multi-Arch: same of two architectures in one version.
    fn goes_with(&self, other: &Package) -> bool {
        if self.native_arch() == other.native_arch() {
            return self.version == other.version;
        }
        self.multi_arch == "same" && other.multi_arch == "same" && self.version == other.version
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) packages: Vec<Package>,
    pub(crate) wanted: Vec<Vec<Atom>>,
    pub(crate) conflicts: Vec<Atom>,
    essential: bool,
}

impl Case {
    pub(crate) fn universe(&self, order: &[usize]) -> Universe {
        let lines: Vec<_> = order.iter().map(|&at| self.packages[at].line()).collect();
        universe_for(&["arm64", "armhf"], &[(&lines.join("\n"), 500)])
    }

    pub(crate) fn in_order(&self) -> Universe {
        self.universe(&(0..self.packages.len()).collect::<Vec<_>>())
    }

    pub(crate) fn request(&self, versions: Versions) -> Request {
        let group = |group: &Vec<Atom>| -> Vec<Relation> {
            group.iter().map(|atom| atom.text().parse().unwrap()).collect()
        };
        let mut request = crate::world::request("");
        request.wanted =
            vec![Wanted::build_depends("src", Relations(self.wanted.iter().map(group).collect()))];
        request.conflicts =
            Relations(self.conflicts.iter().map(|atom| vec![atom.text().parse().unwrap()]).collect());
        request.base = Base { essential: self.essential, ..Base::default() };
        request.versions = versions;
        request
    }

    fn is_candidate(&self, package: &Package) -> bool {
        let rivals = self
            .packages
            .iter()
            .filter(|other| other.name == package.name && other.native_arch() == package.native_arch());
        rivals.map(|other| other.version).max() == Some(package.version)
    }

    fn is_solution(&self, set: &[&Package]) -> bool {
        let wanted = self.wanted.iter().all(|group| {
            group.iter().any(|atom| set.iter().any(|package| atom.satisfied_by("arm64", package)))
        });
        let kept_out =
            !self.conflicts.iter().any(|atom| set.iter().any(|package| atom.refuses(None, package)));
        // The base is made of those whose candidate is essential.
        let essential = self.packages.iter().filter(|package| {
            self.essential
                && package.essential
                && package.native_arch() == "arm64"
                && self.is_candidate(package)
        });
        let mut essential = essential.map(|package| package.name);
        wanted
            && kept_out
            && essential.all(|name| {
                set.iter().any(|package| package.name == name && package.native_arch() == "arm64")
            })
            && set.iter().all(|package| package.satisfied_in(set))
    }

    /// Packages that may be taken.
    pub(crate) fn usable(&self, versions: Versions) -> Vec<&Package> {
        let packages = self.packages.iter();
        packages.filter(|package| versions == Versions::Any || self.is_candidate(package)).collect()
    }

    fn brute_force(&self, versions: Versions) -> bool {
        let usable = self.usable(versions);
        (0..1_u32 << usable.len()).any(|chosen| {
            let set: Vec<&Package> = usable
                .iter()
                .enumerate()
                .filter(|(at, _)| chosen & (1 << at) != 0)
                .map(|(_, package)| *package)
                .collect();
            self.is_solution(&set)
        })
    }

    fn resolve(&self, set: &InstallSet) -> Vec<&Package> {
        let find = |selected: &archmill_solve::Selected| {
            self.packages.iter().find(|package| {
                package.name == selected.name
                    && package.version.to_string() == selected.version
                    && package.arch == selected.arch.as_str()
            })
        };
        set.packages.iter().map(|selected| find(selected).unwrap()).collect()
    }
}

pub(crate) fn atom() -> impl Strategy<Value = Atom> {
    let qualifier = prop_oneof![8 => Just(None), 1 => Just(Some("any")), 1 => Just(Some("native")), 1 => Just(Some("armhf"))];
    let constraint = option::weighted(0.3, (select(vec!["<<", "=", ">="]), 1_u8..4));
    (select(VIRTUAL.to_vec()), qualifier, constraint).prop_map(|(name, qualifier, constraint)| Atom {
        name,
        qualifier,
        constraint,
    })
}

pub(crate) fn groups(most: usize) -> impl Strategy<Value = Vec<Vec<Atom>>> {
    vec(vec(atom(), 1..3), 0..=most)
}

pub(crate) fn package() -> impl Strategy<Value = Package> {
    let identity = (
        select(NAMES.to_vec()),
        1_u8..4,
        prop_oneof![6 => Just("arm64"), 2 => Just("armhf"), 1 => Just("all")],
        select(vec!["no", "same", "foreign", "allowed"]),
        prop::bool::weighted(0.15),
    );
    let provides = vec((select(VIRTUAL.to_vec()), option::of(1_u8..4)), 0..2);
    (identity, groups(2), groups(1), vec(atom(), 0..2), vec(atom(), 0..2), provides).prop_map(
        |(
            (name, version, arch, multi_arch, essential),
            depends,
            pre_depends,
            conflicts,
            breaks,
            provides,
        )| Package {
            name,
            version,
            arch,
            multi_arch,
            essential,
            depends,
            pre_depends,
            conflicts,
            breaks,
            provides,
        },
    )
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    (vec(package(), 1..9), groups(3), vec(atom(), 0..2), any::<bool>()).prop_map(
        |(mut packages, wanted, conflicts, essential)| {
            // One package per name, version and architecture, as an archive has it.
            let mut seen = BTreeSet::new();
            packages.retain(|package| seen.insert((package.name, package.version, package.native_arch())));
            Case { packages, wanted, conflicts, essential }
        },
    )
}

pub(crate) fn any_versions() -> impl Strategy<Value = Versions> {
    select(vec![Versions::Candidate, Versions::Any])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// What is found holds, and what exists is found.
    #[test]
    fn a_solution_is_found_exactly_if_there_is_one(case in case(), versions in any_versions()) {
        let result = solve(&case.in_order(), &case.request(versions));
        prop_assert_eq!(result.is_ok(), case.brute_force(versions), "{}", outcome(&result));
        if let Ok(set) = result {
            prop_assert!(case.is_solution(&case.resolve(&set)), "{}", outcome(&Ok(set)));
        }
    }

    /// Every package is asked for by a relation of the request, of the base or of a package that is there.
    #[test]
    fn nothing_is_installed_for_nothing(case in case(), versions in any_versions()) {
        if let Ok(set) = solve(&case.in_order(), &case.request(versions)) {
            let there: BTreeSet<String> =
                set.packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect();
            for package in &set.packages {
                let by = &package.installed_by.by;
                let known = by == "src" || by == "base" || there.contains(by);
                let gone = set.removed_from_base.iter().any(|removed| *by == format!("{} {}", removed.name, removed.version));
                prop_assert!(known || gone, "{} is there because of {by:?}", package.name);
            }
        }
    }

    /// The order of stanzas in an index changes nothing.
    #[test]
    fn the_order_of_stanzas_does_not_matter(
        (case, order) in case().prop_flat_map(|case| {
            let order: Vec<usize> = (0..case.packages.len()).collect();
            (Just(case), Just(order).prop_shuffle())
        }),
        versions in any_versions(),
    ) {
        let request = case.request(versions);
        let sorted = solve(&case.in_order(), &request);
        let shuffled = solve(&case.universe(&order), &request);
        prop_assert_eq!(sorted.map(without_ids), shuffled.map(without_ids));
    }

    /// An explanation is never empty, and what it says is missing is missing.
    #[test]
    fn a_failure_is_explained(case in case(), versions in any_versions()) {
        if let Err(reason) = solve(&case.in_order(), &case.request(versions)) {
            prop_assert!(!reason.reasons.is_empty());
            prop_assert!(!reason.to_string().is_empty());
        }
    }
}

fn without_ids(set: InstallSet) -> serde_json::Value {
    serde_json::to_value(set).unwrap()
}
