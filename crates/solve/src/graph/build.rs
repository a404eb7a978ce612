//! Making the graph of a universe.

use std::sync::Arc;

use archmill_deb::{Relation, Relations};
use rustc_hash::FxHashMap;

use super::lists::Lists;
use super::{Graph, Kind, MALFORMED, Mention, NOT_APPLYING, Numbers};
use crate::ids::PackageId;
use crate::matching::{self, Asker};
use crate::relations::Field;
use crate::request::Versions;
use crate::syntax::split;
use crate::universe::Universe;
use crate::{rank, search};

impl Graph {
    pub(crate) fn new(universe: &Universe, versions: Versions) -> Self {
        let mut graph = Self {
            versions,
            groups: Lists::default(),
            group_keys: Vec::new(),
            negatives: Lists::default(),
            negative_keys: Vec::new(),
            own_refusers: Vec::new(),
            mentions: None,
            package_groups: Vec::with_capacity(universe.len()),
            group_numbers: Vec::new(),
            package_negatives: Vec::with_capacity(universe.len()),
            negative_numbers: Vec::new(),
            group_of: FxHashMap::default(),
            negative_of: FxHashMap::default(),
        };
        for package in 0..universe.len() {
            let package = PackageId::new(package);
            let groups = graph.read_groups(universe, package);
            let negatives = graph.read_negatives(universe, package);
            graph.package_groups.push(groups);
            graph.package_negatives.push(negatives);
        }
        graph
    }

    /// Adds the numbers of a package's groups; tells where they are.
    // Numbers of relations are bounded by the size of the texts.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn read_groups(&mut self, universe: &Universe, package: PackageId) -> (u32, u32) {
        let start = self.group_numbers.len();
        let kind = Kind::Package(universe.arch_of(package));
        for field in Field::OF_PACKAGES.into_iter().filter(|field| field.is_positive()) {
            for text in split(universe.relation_field(package, field)) {
                let group = self.group(universe, kind, text, |relations| relations);
                self.group_numbers.push(group);
            }
        }
        (start as u32, self.group_numbers.len() as u32)
    }

    /// Adds the numbers of a package's negatives; tells where they are.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn read_negatives(&mut self, universe: &Universe, package: PackageId) -> (u32, u32) {
        let start = self.negative_numbers.len();
        let kind = Kind::Package(universe.arch_of(package));
        for field in Field::OF_PACKAGES.into_iter().filter(|field| !field.is_positive()) {
            for text in split(universe.relation_field(package, field)) {
                self.add_negatives(universe, package, kind, text);
            }
        }
        self.add_siblings(universe, package);
        (start as u32, self.negative_numbers.len() as u32)
    }

    /// The group of a text; `reduce` says what of it counts. The same text of the same kind must always be
    /// reduced alike.
    pub(crate) fn group(
        &mut self,
        universe: &Universe,
        kind: Kind,
        text: &str,
        reduce: impl FnOnce(Relations) -> Relations,
    ) -> u32 {
        if let Some(known) = known(&self.group_of, kind, text) {
            return known;
        }
        let number = match read(text, reduce) {
            Err(number) => number,
            Ok(mut relations) => {
                let alternatives = relations.0.pop().unwrap_or_default();
                let targets = self.targets(universe, kind.asker(), &alternatives);
                self.groups.push(targets)
            }
        };
        let text: Arc<str> = text.into();
        if number < NOT_APPLYING {
            self.group_keys.push((kind, text.clone()));
            self.mention(&text, Mention::Group(number));
        }
        self.group_of.entry(kind).or_default().insert(text, number);
        number
    }

    /// Packages that satisfy a relation, the preferred one first.
    pub(super) fn targets(&self, universe: &Universe, asker: Asker, alternatives: &[Relation]) -> Vec<u32> {
        let mut targets: Vec<u32> = Vec::new();
        for alternative in alternatives {
            let name = universe.names.find(&alternative.name).filter(|_| alternative.qualifier.is_none());
            let mut found = matching::satisfying(universe, asker, alternative).into_vec();
            found.retain(|&target| search::is_usable(universe, self.versions, target));
            found.sort_by_key(|&target| (rank::merit(universe, name, target), target));
            for target in found {
                if !targets.contains(&target.0) {
                    targets.push(target.0);
                }
            }
        }
        targets
    }

    fn add_negatives(&mut self, universe: &Universe, package: PackageId, kind: Kind, text: &str) {
        let number = self.negative(universe, kind, text, |relations| relations);
        // What cannot be read was left out when the universe was made.
        if number == MALFORMED || number == NOT_APPLYING {
            return;
        }
        let own = universe.name_of(package);
        let refuses_own = |&target: &u32| universe.name_of(PackageId(target)) == own;
        if !self.negatives.get(number).iter().any(refuses_own) {
            self.negative_numbers.push(number);
            return;
        }
        if self.own_refusers.last() != Some(&package.0) {
            self.own_refusers.push(package.0);
        }
        // What a package refuses of its own name depends on the package.
        let relations = Relations::parse(text).unwrap_or_default();
        let refused = self.refused(universe, Asker::Package(package), &relations);
        let number = self.negatives.push(refused);
        self.negative_keys.push(None);
        self.negative_numbers.push(number);
    }

    /// What a text refuses when nothing is excepted; see [`Self::group`].
    pub(crate) fn negative(
        &mut self,
        universe: &Universe,
        kind: Kind,
        text: &str,
        reduce: impl FnOnce(Relations) -> Relations,
    ) -> u32 {
        if let Some(known) = known(&self.negative_of, kind, text) {
            return known;
        }
        let number = match read(text, reduce) {
            Err(number) => number,
            Ok(relations) => {
                let refused = self.refused(universe, kind.asker(), &relations);
                self.negatives.push(refused)
            }
        };
        let text: Arc<str> = text.into();
        if number < NOT_APPLYING {
            self.negative_keys.push(Some((kind, text.clone())));
            self.mention(&text, Mention::Negative(number));
        }
        self.negative_of.entry(kind).or_default().insert(text, number);
        number
    }

    pub(super) fn refused(&self, universe: &Universe, asker: Asker, relations: &Relations) -> Vec<u32> {
        let refused =
            relations.0.iter().flatten().flat_map(|relation| matching::refused(universe, asker, relation));
        refused
            .filter(|&target| search::is_usable(universe, self.versions, target))
            .map(|target| target.0)
            .collect()
    }

    /// Other versions of its name and architecture, and what multi-arch keeps apart.
    fn add_siblings(&mut self, universe: &Universe, package: PackageId) {
        let slot = universe.row(package).slot;
        let versions = universe.packages_in(slot).filter(|&other| other != package);
        let mut siblings: Vec<u32> = versions.map(|other| other.0).collect();
        if universe.slots_of(universe.name_of(package)).nth(1).is_some() {
            siblings.extend(matching::incompatible_siblings(universe, package).iter().map(|other| other.0));
        }
        siblings.retain(|&other| search::is_usable(universe, self.versions, PackageId(other)));
        if !siblings.is_empty() {
            let number = self.negatives.push(siblings);
            self.negative_keys.push(None);
            self.negative_numbers.push(number);
        }
    }
}

/// The number of a text, if it has one already.
fn known(numbers: &Numbers, kind: Kind, text: &str) -> Option<u32> {
    numbers.get(&kind)?.get(text).copied()
}

/// What counts of a text; [`MALFORMED`] or [`NOT_APPLYING`] if nothing does.
fn read(text: &str, reduce: impl FnOnce(Relations) -> Relations) -> Result<Relations, u32> {
    let relations = reduce(Relations::parse(text).map_err(|_| MALFORMED)?);
    if relations.is_empty() { Err(NOT_APPLYING) } else { Ok(relations) }
}

impl Kind {
    pub(super) fn asker(self) -> Asker {
        let (Self::Package(arch) | Self::Source(arch)) = self;
        Asker::Outside(arch)
    }
}
