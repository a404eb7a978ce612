//! The acceleration plan.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::rc::Rc;

use archmill_deb::Relations;
use serde::{Deserialize, Serialize};

use super::family::{Family, Functions, Given, Pattern, Unless, Words};
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
    /// Whether it counts on the C library's functions of floating point rounding as the target's do: not on every processor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rounds_alike: bool,
}

impl AccelerationPlan {
    /// Without the twins of packages that were found not to be usable, each with the reason.
    #[must_use]
    pub fn without(&self, left_out: &BTreeMap<String, String>) -> Self {
        let mut plan = self.clone();
        let (left, used) = std::mem::take(&mut plan.twins)
            .into_iter()
            .partition(|twin| left_out.contains_key(&twin.package));
        plan.twins = used;
        plan.refused.extend(left.into_iter().map(|twin: Twin| Refusal {
            reason: left_out.get(&twin.package).cloned().unwrap_or_default(),
            package: format!("{} {}", twin.package, twin.version),
            family: twin.family,
            toolchain: None,
        }));
        plan
    }
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
    /// Whether it is only tried: where it fails, the emulated program runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tried: bool,
    /// Whether it loads procedural macros, which are the target's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub macros: bool,
    /// Where it is a Python: its site-packages folder, below the prefix, for what loads this machine's extension modules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<String>,
    /// Programs that get the target's long double.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub long_double: Vec<String>,
    /// Programs that get obstacks as the target's C library has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obstack: Vec<String>,
    /// Files below the prefix, and functions in them in which a char has no sign, as on the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsigned_chars: Vec<(String, Functions)>,
    /// What speaks against it at a start.
    #[serde(default)]
    pub rules: Vec<Guard>,
    /// Links below the prefix, and what they point to.
    #[serde(default)]
    pub prefix_links: Vec<(String, String)>,
    /// Files below the prefix, a string in them, and what it becomes.
    #[serde(default)]
    pub strings: Vec<(String, String, String)>,
    /// Programs that are replaced only where a file below the prefix, which is another twin's, is there.
    #[serde(default)]
    pub needs: Vec<(String, String)>,
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
    /// Not with an argument that has the first string in it where none is a word of the second.
    ArgumentHasWithout(String, String),
    /// Not where the path that it was started by begins with none of these words.
    StartedOutside(String),
    /// Not where a variable is set.
    Variable(String),
    /// Not where a variable is set and no argument is a word of the second string.
    VariableWithout(String, String),
    /// Not where a variable has this in its value.
    VariableHas(String, String),
    /// Only where a variable has one of these words as its value.
    VariableIsNot(String, String),
    /// Not where a folder of the list in a variable has a file named like a word of the second string; folders among those words,
    /// which come first, are left out.
    FoldersHave(String, String),
    /// Only with a first argument like this.
    Only(String),
    /// Or with a script or `-c`, behind these options at most, that is no test.
    OnlyScript(String),
    /// The first string becomes the second.
    Replace(String, String),
    /// The first string is added, unless an argument begins like a word of the second.
    Append(String, String),
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
    /// The source of the compiler in the root, where one of that very version for this machine would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toolchain: Option<CompilerSource>,
}

/// The source of a compiler.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CompilerSource {
    /// Source package.
    pub source: String,
    /// Its version.
    pub version: String,
}

/// Why there is no twin.
struct NoTwin {
    reason: String,
    toolchain: Option<CompilerSource>,
}

impl From<String> for NoTwin {
    fn from(reason: String) -> Self {
        Self { reason, toolchain: None }
    }
}

/// An architecture that this machine executes.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// Which.
    pub arch: &'a Architecture,
    /// What there is for it.
    pub offers: &'a dyn Offers,
    /// Whether its C library computes with fused multiplication and addition, and so rounds as a target does that
    /// [fuses](Architecture::fuses).
    pub fuses: bool,
}

/// Decides which packages of a root have twins. No I/O; the same input gives the same plan.
///
/// `hosts` are the architectures that this machine executes with what there is for them, its own first.
pub fn plan(
    arch: &Architecture,
    hosts: &[Host<'_>],
    installed: &[Installed],
    families: &[Family],
) -> AccelerationPlan {
    let mut planners: Vec<Planner<'_>> = hosts
        .iter()
        .map(|host| Planner {
            arch,
            host: host.arch,
            root: installed.iter().map(|package| (package.name.as_str(), package)).collect(),
            installed,
            offers: host.offers,
            rounds_alike: arch.fuses && host.fuses,
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
        if given.programs.is_empty() || given.target_bits.is_some_and(|bits| bits != arch.bits) {
            continue;
        }
        let pattern = words.pattern(&given.package);
        for package in installed.iter().filter(|package| package.of_target) {
            let Some(digits) = pattern.digits(&package.name) else { continue };
            if !seen.insert((package.name.clone(), given.beside)) {
                continue;
            }
            let words = words.of(&package.name, digits);
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
                    plan.rounds_alike |= planner.rounds_alike && given.heeds_rounding();
                    let agrees = planner.rounds_alike;
                    plan.twins.push(twin(package, &family.family, given, &words, offer, agrees));
                }
                Err(NoTwin { reason, toolchain }) => plan.refused.push(Refusal {
                    package: format!("{} {}", package.name, package.version),
                    family: family.family.clone(),
                    reason,
                    toolchain,
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

fn twin(package: &Installed, family: &str, given: &Given, words: &Words, offer: Offer, agrees: bool) -> Twin {
    let fill = |list: &[String]| list.iter().map(|text| words.fill(text)).collect::<Vec<_>>();
    let mut except = fill(&given.except);
    if words.bits() == 32 {
        except.extend(fill(&given.except_for_32_bits));
    }
    let everywhere = |condition| Guard { at: None, condition };
    let mut rules: Vec<Guard> = given
        .unless
        .iter()
        .filter(|unless| unless.target_bits.is_none_or(|bits| bits == words.bits()))
        .filter_map(|unless| Some(Guard { at: unless.at.clone(), condition: condition(unless, words)? }))
        .collect();
    let more = if agrees { &given.only_if_rounding_agrees } else { &given.only_if_rounding_differs };
    rules.extend(given.only.iter().chain(more).map(|text| everywhere(Condition::Only(words.fill(text)))));
    let scripts = given.scripts_if_rounding_agrees.iter().filter(|_| agrees);
    rules.extend(scripts.map(|options| everywhere(Condition::OnlyScript(options.clone()))));
    let replaced =
        given.arguments.iter().map(|(from, to)| Condition::Replace(words.fill(from), words.fill(to)));
    let added =
        given.append.iter().map(|(what, unless)| Condition::Append(words.fill(what), words.fill(unless)));
    rules.extend(replaced.chain(added).map(everywhere));
    Twin {
        package: package.name.clone(),
        version: package.version.clone(),
        family: family.to_owned(),
        offer,
        programs: fill(&given.programs),
        except,
        data: fill(&given.data),
        folders: fill(&given.folders),
        from_target: fill(&given.from_target),
        moved: given.moved.iter().map(|(twin, own)| (words.fill(twin), words.fill(own))).collect(),
        environment: given
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), words.fill(value)))
            .collect(),
        tried: given.tried,
        macros: given.macros,
        extensions: given.extensions.as_ref().map(|folder| words.fill(folder)),
        long_double: fill(&given.long_double),
        obstack: fill(&given.obstack),
        unsigned_chars: given
            .unsigned_chars
            .iter()
            .map(|(file, functions)| (words.fill(file), functions.clone()))
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
        needs: given.needs.iter().map(|(program, file)| (words.fill(program), words.fill(file))).collect(),
    }
}

fn condition(unless: &Unless, words: &Words) -> Option<Condition> {
    let fill = |text: &Option<String>| text.as_ref().map(|text| words.fill(text));
    if let (Some(name), Some(words)) = (&unless.variable, &unless.without) {
        return Some(Condition::VariableWithout(name.clone(), words.clone()));
    }
    if let (Some(name), Some(part)) = (&unless.variable, &unless.has) {
        return Some(Condition::VariableHas(name.clone(), words.fill(part)));
    }
    if let (Some(name), Some(value)) = (&unless.variable, &unless.is_not) {
        return Some(Condition::VariableIsNot(name.clone(), words.fill(value)));
    }
    if let (Some(name), Some(files)) = (&unless.variable, &unless.folders_have) {
        return Some(Condition::FoldersHave(name.clone(), words.fill(files)));
    }
    if let (Some(start), Some(words)) = (fill(&unless.argument_starts), &unless.without) {
        return Some(Condition::ArgumentStartsWithout(start, words.clone()));
    }
    if let (Some(part), Some(words)) = (fill(&unless.argument_has), &unless.without) {
        return Some(Condition::ArgumentHasWithout(part, words.clone()));
    }
    fill(&unless.argument)
        .map(Condition::Argument)
        .or_else(|| fill(&unless.argument_starts).map(Condition::ArgumentStarts))
        .or_else(|| fill(&unless.argument_ends).map(Condition::ArgumentEnds))
        .or_else(|| fill(&unless.argument_has).map(Condition::ArgumentHas))
        .or_else(|| fill(&unless.started_outside).map(Condition::StartedOutside))
        .or_else(|| fill(&unless.variable).map(Condition::Variable))
}

struct Planner<'a> {
    arch: &'a Architecture,
    host: &'a Architecture,
    root: HashMap<&'a str, &'a Installed>,
    installed: &'a [Installed],
    offers: &'a dyn Offers,
    rounds_alike: bool,
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
    ) -> Result<(Offer, Vec<Offer>), NoTwin> {
        if given.same_word_size && self.arch.bits != self.host.bits {
            let reason = format!(
                "it has the size of a pointer compiled in: {} bits for {}, {} for {}",
                self.arch.bits, self.arch.debian, self.host.bits, self.host.debian
            );
            return Err(reason.into());
        }
        if given.same_rounding && !self.rounds_alike {
            let reason = format!(
                "it computes constants with the C library, whose pow, exp, sin and so on do not round as those of {} do, for which this machine would need a processor with FMA and AVX2",
                self.arch.debian
            );
            return Err(reason.into());
        }
        if self.arch.endian != self.host.endian {
            return Err(
                format!("{} has another byte order than {}", self.arch.debian, self.host.debian).into()
            );
        }
        let patterns = |texts: &[String]| texts.iter().map(|text| words.pattern(text)).collect::<Vec<_>>();
        let means = |patterns: &[Pattern], name: &str| patterns.iter().any(|pattern| pattern.means(name));
        let finding = patterns(&given.links_found_by);
        let finds = |other: &&Installed| means(&finding, &other.name);
        if let Some(other) = self.installed.iter().find(finds) {
            return Err(format!("it needs links in the root, which {} would find", other.name).into());
        }
        let name = given.twin.as_ref().map_or_else(|| package.name.clone(), |name| words.fill(name));
        let offer = if given.cross { self.cross(package, &name)? } else { self.same(package, &name)? };
        let mut wanted = vec![offer.clone()];
        let with = patterns(&given.with);
        let depends = |module: &Installed| {
            given.modules.as_ref().is_some_and(|prefix| {
                module.depends.contains(prefix.as_str())
                    && names(&module.depends).any(|name| name.starts_with(prefix))
            })
        };
        for module in self.installed {
            if module.of_target
                && module.name != package.name
                && (means(&with, &module.name) || depends(module))
            {
                let twin = self
                    .same(module, &module.name)
                    .map_err(|reason| format!("{} has modules for it, and {reason}", module.name))?;
                wanted.push(twin);
            }
        }
        let mut needed = self.closure(&wanted)?;
        let helping = patterns(&given.with_if_there);
        let may_help = |module: &&Installed| module.of_target && means(&helping, &module.name);
        for module in self.installed.iter().filter(may_help) {
            if let Ok(twin) = self.same(module, &module.name)
                && let Ok(libraries) = self.closure(std::slice::from_ref(&twin))
            {
                needed.extend(libraries);
                needed.push(twin);
            }
        }
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
    fn cross(&mut self, package: &Installed, name: &str) -> Result<Offer, NoTwin> {
        let target = self.arch.debian;
        if let Some(made) = self.offers.toolchain(&package.source, &package.source_version, target) {
            return Ok(made);
        }
        let host = self.host.debian;
        let wanted = format!("{} (= {})", package.source, package.source_version);
        let offers = self.versions(name);
        let equal =
            offers.iter().find(|offer| offer.built_using.split(',').any(|using| using.trim() == wanted));
        let reason = || match offers.first() {
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
        };
        let source =
            || CompilerSource { source: package.source.clone(), version: package.source_version.clone() };
        equal.cloned().ok_or_else(|| NoTwin { reason: reason(), toolchain: Some(source()) })
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
mod tests;
