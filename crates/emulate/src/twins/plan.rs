//! The acceleration plan.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::rc::Rc;

use archmill_deb::Relations;
use serde::{Deserialize, Serialize};

use super::family::{Family, Given, Unless, Words};
use super::offers::{Installed, Offer, Offers};
use crate::table::Architecture;

/// Which twins are used, and which are not and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccelerationPlan {
    /// Packages with programs that stand in for those of the root.
    pub twins: Vec<Twin>,
    /// Packages whose libraries these load.
    pub libraries: Vec<Offer>,
    /// What rules name and is not used.
    pub refused: Vec<Refusal>,
    /// Links that twins need in the root, and what they point to.
    pub links: BTreeMap<String, String>,
}

/// A package and its twin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    /// The package in the root.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The family of the rule.
    pub family: String,
    /// The package in its place.
    pub offer: Offer,
    /// Files of it.
    pub programs: Vec<String>,
    /// But not these.
    pub except: Vec<String>,
    /// Further files.
    pub data: Vec<String>,
    /// Folders with libraries of its own.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Files of the target that stand in for its own.
    pub from_target: Vec<String>,
    /// Beginnings of its paths, and of those of the programs that are replaced.
    pub moved: Vec<(String, String)>,
    /// Variables.
    pub environment: Vec<(String, String)>,
    /// What speaks against it at a start.
    #[serde(default)]
    pub rules: Vec<Guard>,
    /// Links below the prefix, and what they point to.
    #[serde(default)]
    pub prefix_links: Vec<(String, String)>,
    /// Files below the prefix, a string in them, and what it becomes.
    #[serde(default)]
    pub strings: Vec<(String, String, String)>,
}

/// A decision for some of a twin's programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Which; all, if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What decides.
    pub condition: Condition,
}

/// A decision at each start of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Not with this argument.
    Argument(String),
    /// Not with an argument that begins like this.
    ArgumentStarts(String),
    /// Not with an argument that begins like the first string where none is a word of the second.
    ArgumentStartsWithout(String, String),
    /// Not with an argument that ends like this.
    ArgumentEnds(String),
    /// Not with an argument that has this in it.
    ArgumentHas(String),
    /// Not where a variable is set.
    Variable(String),
    /// Not where a variable has this in its value.
    VariableHas(String, String),
    /// Only with a first argument like this.
    Only(String),
    /// The first string becomes the second.
    Replace(String, String),
}

/// A twin that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The package in the root.
    pub package: String,
    /// The family of the rule.
    pub family: String,
    /// Why.
    pub reason: String,
}

/// Decides which packages of a root have twins. No I/O; the same input gives the same plan.
///
/// `hosts` are the architectures that this machine executes with what there is for them, its own first.
pub fn plan(
    arch: &Architecture,
    hosts: &[(&Architecture, &dyn Offers)],
    installed: &[Installed],
    families: &[Family],
) -> AccelerationPlan {
    let mut planners: Vec<Planner<'_>> = hosts
        .iter()
        .map(|(host, offers)| Planner {
            arch,
            host,
            root: installed.iter().map(|package| (package.name.as_str(), package)).collect(),
            installed,
            offers: *offers,
            known: HashMap::new(),
        })
        .collect();
    let mut plan = AccelerationPlan::default();
    let mut libraries: BTreeMap<(String, String), Offer> = BTreeMap::new();
    let mut seen = HashSet::new();
    let words = Words::new(arch);
    // A later rule for a package wins over an earlier one.
    for (family, given) in
        families.iter().rev().flat_map(|family| family.twin.iter().rev().map(move |twin| (family, twin)))
    {
        for package in installed.iter().filter(|package| package.of_target) {
            let Some(words) = words.matching(&given.package, &package.name) else { continue };
            if given.programs.is_empty() || !seen.insert(package.name.clone()) {
                continue;
            }
            let fits = |planner: &Planner<'_>| !given.same_word_size || planner.host.bits == arch.bits;
            let at = planners.iter().position(fits).unwrap_or(0);
            let Some(planner) = planners.get_mut(at) else { continue };
            match planner.twin(package, given, &words) {
                Ok((offer, needed)) => {
                    let named =
                        needed.into_iter().map(|offer| ((offer.arch.clone(), offer.name.clone()), offer));
                    libraries.extend(named);
                    plan.links
                        .extend(given.links.iter().map(|(link, to)| (words.fill(link), words.fill(to))));
                    plan.twins.push(twin(package, &family.family, given, &words, offer));
                }
                Err(reason) => plan.refused.push(Refusal {
                    package: format!("{} {}", package.name, package.version),
                    family: family.family.clone(),
                    reason,
                }),
            }
        }
    }
    plan.twins.sort_by(|a, b| a.package.cmp(&b.package));
    plan.refused.sort_by(|a, b| a.package.cmp(&b.package));
    let own: HashSet<&str> = plan.twins.iter().map(|twin| twin.offer.sha256.as_str()).collect();
    plan.libraries = libraries.into_values().filter(|offer| !own.contains(offer.sha256.as_str())).collect();
    plan
}

fn twin(package: &Installed, family: &str, given: &Given, words: &Words, offer: Offer) -> Twin {
    let fill = |list: &[String]| list.iter().map(|text| words.fill(text)).collect();
    let everywhere = |condition| Guard { at: None, condition };
    let mut rules: Vec<Guard> = given
        .unless
        .iter()
        .filter_map(|unless| Some(Guard { at: unless.at.clone(), condition: condition(unless, words)? }))
        .collect();
    let small: &[String] = if offer.arch == "i386" { &given.only_of_32_bits } else { &[] };
    rules.extend(given.only.iter().chain(small).map(|text| everywhere(Condition::Only(words.fill(text)))));
    let replaced =
        given.arguments.iter().map(|(from, to)| Condition::Replace(words.fill(from), words.fill(to)));
    rules.extend(replaced.map(everywhere));
    Twin {
        package: package.name.clone(),
        version: package.version.clone(),
        family: family.to_owned(),
        offer,
        programs: fill(&given.programs),
        except: fill(&given.except),
        data: fill(&given.data),
        folders: fill(&given.folders),
        from_target: fill(&given.from_target),
        moved: given.moved.iter().map(|(twin, own)| (words.fill(twin), words.fill(own))).collect(),
        environment: given
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), words.fill(value)))
            .collect(),
        rules,
        prefix_links: given
            .prefix_links
            .iter()
            .map(|(link, to)| (words.fill(link), words.fill(to)))
            .collect(),
        strings: given
            .strings
            .iter()
            .map(|(file, from, to)| (words.fill(file), from.clone(), words.fill(to)))
            .collect(),
    }
}

fn condition(unless: &Unless, words: &Words) -> Option<Condition> {
    let fill = |text: &Option<String>| text.as_ref().map(|text| words.fill(text));
    if let (Some(name), Some(part)) = (&unless.variable, &unless.has) {
        return Some(Condition::VariableHas(name.clone(), words.fill(part)));
    }
    if let (Some(start), Some(words)) = (fill(&unless.argument_starts), &unless.without) {
        return Some(Condition::ArgumentStartsWithout(start, words.clone()));
    }
    fill(&unless.argument)
        .map(Condition::Argument)
        .or_else(|| fill(&unless.argument_starts).map(Condition::ArgumentStarts))
        .or_else(|| fill(&unless.argument_ends).map(Condition::ArgumentEnds))
        .or_else(|| fill(&unless.argument_has).map(Condition::ArgumentHas))
        .or_else(|| fill(&unless.variable).map(Condition::Variable))
}

struct Planner<'a> {
    arch: &'a Architecture,
    host: &'a Architecture,
    root: HashMap<&'a str, &'a Installed>,
    installed: &'a [Installed],
    offers: &'a dyn Offers,
    /// What there is of a name, as far as it was asked for.
    known: HashMap<String, Rc<[Offer]>>,
}

impl Planner<'_> {
    /// The twin of a package, and the packages that it needs besides.
    fn twin(
        &mut self,
        package: &Installed,
        given: &Given,
        words: &Words,
    ) -> Result<(Offer, Vec<Offer>), String> {
        if given.same_word_size && self.arch.bits != self.host.bits {
            return Err(format!(
                "it has the size of a pointer compiled in: {} bits for {}, {} for {}",
                self.arch.bits, self.arch.debian, self.host.bits, self.host.debian
            ));
        }
        if self.arch.endian != self.host.endian {
            return Err(format!("{} has another byte order than {}", self.arch.debian, self.host.debian));
        }
        let name = given.twin.as_ref().map_or_else(|| package.name.clone(), |name| words.fill(name));
        let offer = if given.cross { self.cross(package, &name)? } else { self.same(package, &name)? };
        let mut wanted = vec![offer.clone()];
        let with = |name: &str| given.with.iter().any(|pattern| words.matching(pattern, name).is_some());
        let depends = |module: &Installed| {
            given
                .modules
                .as_ref()
                .is_some_and(|prefix| names(&module.depends).any(|name| name.starts_with(prefix)))
        };
        for module in self.installed {
            if module.of_target && module.name != package.name && (with(&module.name) || depends(module)) {
                let twin = self
                    .same(module, &module.name)
                    .map_err(|reason| format!("{} has modules for it, and {reason}", module.name))?;
                wanted.push(twin);
            }
        }
        let needed = self.closure(&wanted)?;
        Ok((offer, wanted.into_iter().skip(1).chain(needed).collect()))
    }

    fn versions(&mut self, name: &str) -> Rc<[Offer]> {
        let offers = self.offers;
        self.known.entry(name.to_owned()).or_insert_with(|| offers.versions(name).into()).clone()
    }

    /// Of the same version of the same source.
    fn same(&mut self, package: &Installed, name: &str) -> Result<Offer, String> {
        let host = self.host.debian;
        let offers = self.versions(name);
        let equal = offers
            .iter()
            .find(|offer| offer.source == package.source && offer.source_version == package.source_version);
        equal.cloned().ok_or_else(|| match offers.first() {
            Some(other) => format!(
                "{name} for {host} is of {} {}, and the root has {} {}",
                other.source, other.source_version, package.source, package.source_version
            ),
            None => format!("there is no {name} for {host}"),
        })
    }

    /// Of another source that was built using the very version.
    fn cross(&mut self, package: &Installed, name: &str) -> Result<Offer, String> {
        let target = self.arch.debian;
        if let Some(made) = self.offers.toolchain(&package.source, &package.source_version, target) {
            return Ok(made);
        }
        let host = self.host.debian;
        let wanted = format!("{} (= {})", package.source, package.source_version);
        let offers = self.versions(name);
        let equal =
            offers.iter().find(|offer| offer.built_using.split(',').any(|using| using.trim() == wanted));
        equal.cloned().ok_or_else(|| match offers.first() {
            Some(other) => format!(
                "{name} {} for {host} was built using {}, and the root has {} {}; build the one in step with: archmill toolchain build {} --for {}",
                other.version,
                if other.built_using.is_empty() { "nothing that it names" } else { &other.built_using },
                package.source,
                package.source_version,
                package.source,
                self.arch.debian,
            ),
            None => format!("there is no {name} for {host}"),
        })
    }

    /// The libraries that packages load, each of the version in the root where the root has it.
    fn closure(&mut self, start: &[Offer]) -> Result<Vec<Offer>, String> {
        let mut queue: VecDeque<Offer> = start.iter().cloned().collect();
        let mut seen: HashSet<String> = start.iter().map(|offer| offer.name.clone()).collect();
        let mut found = Vec::new();
        while let Some(offer) = queue.pop_front() {
            let groups =
                Relations::parse(&offer.depends).map_err(|error| format!("{}: {error}", offer.name))?;
            for group in groups.0 {
                let installed =
                    group.iter().find_map(|relation| self.root.get(relation.name.as_str()).copied());
                let Some(name) = installed
                    .map(|package| package.name.clone())
                    .or_else(|| Some(group.first()?.name.clone()))
                else {
                    continue;
                };
                if !is_library(&name) || !seen.insert(name.clone()) {
                    continue;
                }
                let library = match installed {
                    Some(package) if !package.of_target => None,
                    Some(package) => Some(self.same(package, &name)?),
                    None => self.versions(&name).first().cloned(),
                };
                if let Some(library) = library {
                    found.push(library.clone());
                    queue.push_back(library);
                }
            }
        }
        Ok(found)
    }
}

/// Policy 8.1: packages of shared libraries are named after these; zlib is the exception.
fn is_library(name: &str) -> bool {
    (name.starts_with("lib") && !name.ends_with("-dev")) || name == "zlib1g"
}

/// Names in a dependency field; what cannot be read has none.
fn names(field: &str) -> impl Iterator<Item = String> {
    let relations = Relations::parse(field).unwrap_or_default();
    relations.0.into_iter().flatten().map(|relation| relation.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::find;
    use crate::twins::parse;

    /// Offers by name.
    struct Made(Vec<Offer>);

    impl Offers for Made {
        fn versions(&self, name: &str) -> Vec<Offer> {
            self.0.iter().filter(|offer| offer.name == name).cloned().collect()
        }
    }

    fn installed(name: &str, version: &str, source: &str, source_version: &str, depends: &str) -> Installed {
        Installed {
            name: name.to_owned(),
            version: version.to_owned(),
            of_target: true,
            source: source.to_owned(),
            source_version: source_version.to_owned(),
            depends: depends.to_owned(),
        }
    }

    fn offer(name: &str, version: &str, source: &str, source_version: &str, depends: &str) -> Offer {
        Offer {
            arch: "amd64".to_owned(),
            folder: None,
            name: name.to_owned(),
            version: version.to_owned(),
            source: source.to_owned(),
            source_version: source_version.to_owned(),
            depends: depends.to_owned(),
            built_using: String::new(),
            filename: format!("pool/{name}_{version}_amd64.deb"),
            size: 1,
            sha256: format!("{name} {version}"),
            index: 0,
        }
    }

    fn planned(target: &str, root: &[Installed], offers: Vec<Offer>, rules: &[&str]) -> AccelerationPlan {
        let families: Vec<Family> = rules
            .iter()
            .map(|text| parse("test.toml", &format!("family = \"test\"\n{text}")).unwrap())
            .collect();
        plan(
            find(target).unwrap(),
            &[(find("amd64").unwrap(), &Made(offers) as &dyn Offers)],
            root,
            &families,
        )
    }

    fn twins(plan: &AccelerationPlan) -> Vec<&str> {
        plan.twins.iter().map(|twin| twin.package.as_str()).collect()
    }

    /// The only refusal.
    fn reason(plan: &AccelerationPlan) -> &str {
        assert!(plan.twins.is_empty(), "{:?}", twins(plan));
        let [refusal] = &plan.refused[..] else { panic!("{:?}", plan.refused) };
        &refusal.reason
    }

    const MAKE: &str = "[[twin]]\npackage = \"make\"\nprograms = [\"usr/bin/make\"]\n";
    const GCC: &str = "[[twin]]\npackage = \"gcc-#\"\ntwin = \"gcc-#-{triplet}\"\ncross = true\nprograms = [\"usr/bin/*\"]\n";
    const PERL: &str = "[[twin]]\npackage = \"perl-base\"\nprograms = [\"usr/bin/perl\"]\nsame_word_size = true\nmodules = \"perlapi-\"\nwith = [\"libperl#\"]\n";

    #[test]
    fn a_twin_is_of_the_same_version_of_the_same_source() {
        let root = [installed("make", "4.4-2", "make-dfsg", "4.4-2", "")];
        for (version, source, source_version) in [
            ("4.4-3", "make-dfsg", "4.4-3"),
            ("4.4-2", "make-other", "4.4-2"),
            ("4.4-2", "make-dfsg", "4.4-2~x"),
        ] {
            let plan =
                planned("arm64", &root, vec![offer("make", version, source, source_version, "")], &[MAKE]);
            let expected =
                format!("make for amd64 is of {source} {source_version}, and the root has make-dfsg 4.4-2");
            assert_eq!(reason(&plan), expected);
            assert_eq!(plan.refused[0].package, "make 4.4-2");
        }
        let plan = planned("arm64", &root, Vec::new(), &[MAKE]);
        assert_eq!(reason(&plan), "there is no make for amd64");
    }

    #[test]
    fn a_binary_rebuild_on_either_side_does_not_matter() {
        let root = [installed("make", "4.4-2+b3", "make-dfsg", "4.4-2", "")];
        let plan =
            planned("arm64", &root, vec![offer("make", "4.4-2+b1", "make-dfsg", "4.4-2", "")], &[MAKE]);
        assert_eq!(twins(&plan), ["make"]);
        assert_eq!(plan.twins[0].offer.version, "4.4-2+b1");
    }

    #[test]
    fn an_older_version_that_is_still_offered_is_found() {
        let root = [installed("make", "4.4-2", "make-dfsg", "4.4-2", "")];
        let offers = vec![
            offer("make", "4.5-1", "make-dfsg", "4.5-1", ""),
            offer("make", "4.4-2", "make-dfsg", "4.4-2", ""),
        ];
        let plan = planned("arm64", &root, offers, &[MAKE]);
        assert_eq!(plan.twins[0].offer.version, "4.4-2");
    }

    #[test]
    fn what_is_for_all_architectures_needs_no_twin() {
        let mut root = [installed("make", "4.4-2", "make-dfsg", "4.4-2", "")];
        root[0].of_target = false;
        let plan = planned("arm64", &root, vec![offer("make", "4.4-2", "make-dfsg", "4.4-2", "")], &[MAKE]);
        assert_eq!(plan, AccelerationPlan::default());
    }

    fn cross(built_using: &str) -> Offer {
        let name = "gcc-14-aarch64-linux-gnu";
        Offer {
            built_using: built_using.to_owned(),
            ..offer(name, "14.2.0-19cross1", "gcc-14-cross", "9", "")
        }
    }

    #[test]
    fn a_cross_compiler_is_held_against_what_it_was_built_from() {
        let root = [installed("gcc-14", "14.2.0-19", "gcc-14", "14.2.0-19", "")];
        let same = "gcc-14 (= 14.2.0-19)";
        let many = format!("glibc (= 2.41-4),{same} , linux (= 6.12.9-1)");
        for built_using in [same, &many] {
            let plan = planned("arm64", &root, vec![cross(built_using)], &[GCC]);
            assert_eq!(twins(&plan), ["gcc-14"]);
            assert_eq!(plan.twins[0].offer.name, "gcc-14-aarch64-linux-gnu");
        }
    }

    #[test]
    fn a_cross_compiler_out_of_step_is_refused_and_the_way_out_named() {
        let root = [installed("gcc-14", "14.2.0-19", "gcc-14", "14.2.0-19", "")];
        for other in ["gcc-14 (= 14.2.0-19.1)", "gcc-14 (= 14.2.0-1)", "gcc-14-doc (= 14.2.0-19)", ""] {
            let plan = planned("arm64", &root, vec![cross(other)], &[GCC]);
            let reason = reason(&plan);
            assert!(reason.contains("archmill toolchain build gcc-14 --for arm64"), "{reason}");
            let told = if other.is_empty() { "nothing that it names" } else { other };
            assert!(reason.contains(told) && reason.contains("the root has gcc-14 14.2.0-19"), "{reason}");
        }
        // The same version of the cross compiler itself is no excuse.
        let plan = planned("arm64", &root, vec![Offer { source: "gcc-14".into(), ..cross("") }], &[GCC]);
        assert_eq!(plan.refused.len(), 1);
        assert_eq!(
            reason(&planned("arm64", &root, Vec::new(), &[GCC])),
            "there is no gcc-14-aarch64-linux-gnu for amd64"
        );
    }

    #[test]
    fn libraries_that_shape_its_output_are_of_the_roots_version() {
        let root = [
            installed("make", "4.4-2", "make-dfsg", "4.4-2", "libguile-3.0-1"),
            installed("libguile-3.0-1", "3.0.10", "guile", "3.0.10", "libgc1"),
            installed("libgc1", "8.2", "libgc", "8.2", ""),
        ];
        let make = || offer("make", "4.4-2", "make-dfsg", "4.4-2", "libguile-3.0-1 (>= 3), libnew2, bash");
        let guile = |version: &str| offer("libguile-3.0-1", version, "guile", version, "libgc1 (>= 8)");
        let gc = |version: &str| offer("libgc1", version, "libgc", version, "");
        let new = || offer("libnew2", "1", "new", "1", "");
        let plan = planned("arm64", &root, vec![make(), guile("3.0.10"), gc("8.2"), new()], &[MAKE]);
        let libraries: Vec<&str> = plan.libraries.iter().map(|offer| offer.name.as_str()).collect();
        assert_eq!(libraries, ["libgc1", "libguile-3.0-1", "libnew2"]);
        // One that a library needs counts as well.
        for (offers, name) in [
            (vec![make(), guile("3.0.11"), gc("8.2")], "libguile-3.0-1"),
            (vec![make(), guile("3.0.10"), gc("8.3")], "libgc1"),
        ] {
            let plan = planned("arm64", &root, offers, &[MAKE]);
            assert!(reason(&plan).starts_with(&format!("{name} for amd64 is of ")), "{}", reason(&plan));
        }
    }

    #[test]
    fn every_module_of_an_interpreter_needs_a_twin() {
        let root = |module: &str| {
            [
                installed("perl-base", "5.40.1-6", "perl", "5.40.1-6", ""),
                installed("libperl5.40", "5.40.1-6", "perl", "5.40.1-6", ""),
                installed("libjson-xs-perl", module, "libjson-xs-perl", module, "perl, perlapi-5.40.1"),
                installed("libpure-perl", "1", "libpure-perl", "1", "perl"),
            ]
        };
        let offers = vec![
            offer("perl-base", "5.40.1-6", "perl", "5.40.1-6", ""),
            offer("libperl5.40", "5.40.1-6", "perl", "5.40.1-6", ""),
            offer("libjson-xs-perl", "4.0-2", "libjson-xs-perl", "4.0-2", "perl, perlapi-5.40.1"),
        ];
        let plan = planned("arm64", &root("4.0-2"), offers.clone(), &[PERL]);
        assert_eq!(twins(&plan), ["perl-base"]);
        let libraries: Vec<&str> = plan.libraries.iter().map(|offer| offer.name.as_str()).collect();
        assert_eq!(libraries, ["libjson-xs-perl", "libperl5.40"]);
        let plan = planned("arm64", &root("4.0-1"), offers, &[PERL]);
        let expected = "libjson-xs-perl has modules for it, and libjson-xs-perl for amd64 is of libjson-xs-perl 4.0-2, \
                        and the root has libjson-xs-perl 4.0-1";
        assert_eq!(reason(&plan), expected);
    }

    #[test]
    fn word_size_and_byte_order_are_the_hosts() {
        let root =
            [installed("perl-base", "5", "perl", "5", ""), installed("make", "4", "make-dfsg", "4", "")];
        let offers =
            || vec![offer("perl-base", "5", "perl", "5", ""), offer("make", "4", "make-dfsg", "4", "")];
        assert_eq!(twins(&planned("arm64", &root, offers(), &[PERL, MAKE])), ["make", "perl-base"]);
        let plan = planned("armhf", &root, offers(), &[PERL, MAKE]);
        assert_eq!(twins(&plan), ["make"]);
        assert!(plan.refused[0].reason.contains("32 bits for armhf, 64 for amd64"), "{:?}", plan.refused);
        let plan = planned("s390x", &root, offers(), &[PERL, MAKE]);
        assert_eq!(twins(&plan), Vec::<&str>::new());
        assert!(
            plan.refused.iter().all(|refusal| refusal.reason.contains("byte order")),
            "{:?}",
            plan.refused
        );
    }

    #[test]
    fn a_later_rule_for_a_package_wins() {
        let root = [installed("make", "4", "make-dfsg", "4", "")];
        let offers = || vec![offer("make", "4", "make-dfsg", "4", "")];
        let own = "[[twin]]\npackage = \"make\"\nprograms = [\"usr/bin/gmake\"]\nsame_word_size = true\n";
        let plan = planned("arm64", &root, offers(), &[MAKE, own]);
        assert_eq!(plan.twins[0].programs, ["usr/bin/gmake"]);
        // Also where it refuses: the earlier one is no way round it.
        assert!(reason(&planned("armhf", &root, offers(), &[MAKE, own])).contains("32 bits"));
        let twice = format!("{own}{MAKE}");
        assert_eq!(planned("arm64", &root, offers(), &[&twice]).twins[0].programs, ["usr/bin/make"]);
    }

    #[test]
    fn words_of_rules_are_filled_in_and_the_same_input_gives_the_same_plan() {
        let rule = "[[twin]]\npackage = \"make\"\nprograms = [\"usr/bin/make\"]\nenvironment = { HOST = \"{cpu}-{system}\" }\n\
                    strings = [[\"usr/bin/make\", \"x86_64\", \"{cpu}\"]]\nlinks = { \"usr/{triplet}\" = \"lib\" }\n\
                    unless = [{ argument = \"-x\" }, { argument_starts = \"-f\", without = \"-c\" }, { variable = \"V\", has = \"{cpu}\" }]\n\
                    only = [\"-m\"]\narguments = { a = \"{prefix}/b\" }\n";
        let root = [installed("make", "4", "make-dfsg", "4", "")];
        let made = || planned("arm64", &root, vec![offer("make", "4", "make-dfsg", "4", "")], &[rule]);
        let plan = made();
        assert_eq!(plan, made());
        let twin = &plan.twins[0];
        assert_eq!(twin.environment, [("HOST".to_owned(), "aarch64-linux-gnu".to_owned())]);
        assert_eq!(twin.strings[0].2, "aarch64");
        assert_eq!(plan.links["usr/aarch64-linux-gnu"], "lib");
        let conditions: Vec<&Condition> = twin.rules.iter().map(|guard| &guard.condition).collect();
        let text = |text: &str| text.to_owned();
        assert_eq!(
            conditions,
            [
                &Condition::Argument(text("-x")),
                &Condition::ArgumentStartsWithout(text("-f"), text("-c")),
                &Condition::VariableHas(text("V"), text("aarch64")),
                &Condition::Only(text("-m")),
                &Condition::Replace(text("a"), text("/dev/.twins/b")),
            ]
        );
        let written = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<AccelerationPlan>(&written).unwrap().twins[0].rules, twin.rules);
    }
}
