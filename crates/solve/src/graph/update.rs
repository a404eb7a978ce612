//! Taking a change of the universe into its graph.

use archmill_deb::Relations;
use rustc_hash::FxHashSet;

use super::{Graph, Kind, Mention};
use crate::ids::PackageId;
use crate::relations::Field;
use crate::syntax::split;
use crate::universe::Universe;
use crate::update::Renumbered;

/// A number of nothing.
pub(crate) const GONE: u32 = u32::MAX;

/// What of the relations is not as it was.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Groups that have packages which they had not, by number; with [`NEGATIVE`], negatives that lack some.
    pub(crate) gained: FxHashSet<u32>,
    /// Groups whose packages are others in any way.
    pub(crate) changed: Vec<u32>,
    /// Packages, by new number, of which some relation may ask for less or refuse less than before.
    pub(crate) weaker: FxHashSet<u32>,
    /// Packages, by new number, of which it cannot be said that they do as well as what they replace.
    pub(crate) unequal: FxHashSet<u32>,
}

impl Graph {
    /// `replaced`: by old numbers, the new number of each package or of what replaces it, else [`GONE`].
    ///
    /// `reduce` is that of [`Graph::group`] for relations of sources.
    pub(crate) fn update(
        &mut self,
        universe: &Universe,
        renumbered: &Renumbered,
        replaced: &[u32],
        reduce: &dyn Fn(Relations, bool) -> Relations,
    ) -> Effects {
        self.make_mentions();
        self.renumber(universe, renumbered, replaced);
        let mut effects = Effects::default();
        let mentions = self.mentions.as_ref();
        let mentioned = renumbered.names.iter().filter_map(|name| mentions?.get(name.as_str())).flatten();
        let mentioned: Vec<Mention> = mentioned.copied().collect();
        let mut seen = FxHashSet::default();
        for mention in mentioned {
            match mention {
                Mention::Group(number) if seen.insert((true, number)) => {
                    self.resolve_group(universe, number, reduce, &mut effects);
                }
                Mention::Negative(number) if seen.insert((false, number)) => {
                    self.resolve_negative(universe, number, reduce, &mut effects);
                }
                Mention::Group(_) | Mention::Negative(_) => {}
            }
        }
        self.read_anew(universe, renumbered, &mut effects);
        self.find_weaker(&mut effects);
        effects
    }

    fn renumber(&mut self, universe: &Universe, renumbered: &Renumbered, replaced: &[u32]) {
        let new_of = |old: u32| replaced.get(old as usize).copied().unwrap_or(GONE);
        self.groups.map(new_of);
        self.negatives.map(new_of);
        for package in &mut self.own_refusers {
            *package = renumbered.new_of[*package as usize].map_or(GONE, |new| new.0);
        }
        self.own_refusers.retain(|&package| package != GONE);
        let mut groups = vec![(0, 0); universe.len()];
        let mut negatives = vec![(0, 0); universe.len()];
        for (old, new) in renumbered.new_of.iter().enumerate() {
            if let Some(new) = new {
                groups[new.index()] = self.package_groups[old];
                negatives[new.index()] = self.package_negatives[old];
            }
        }
        (self.package_groups, self.package_negatives) = (groups, negatives);
    }

    /// New packages, and the negatives that are not shared: those of packages whose name is concerned, and
    /// of those that refuse their own name.
    fn read_anew(&mut self, universe: &Universe, renumbered: &Renumbered, effects: &mut Effects) {
        for &package in &renumbered.added {
            self.package_groups[package.index()] = self.read_groups(universe, package);
        }
        let names = renumbered.slots.iter().map(|&slot| universe.slot(slot).name);
        let gone = renumbered.names.iter().filter_map(|name| universe.names.find(name));
        let mut concerned: FxHashSet<u32> = names
            .chain(gone)
            .flat_map(|name| universe.packages_named(name))
            .map(|package| package.0)
            .collect();
        let refusers = std::mem::take(&mut self.own_refusers);
        let mentions_any = |&&package: &&u32| {
            Field::OF_PACKAGES.iter().filter(|field| !field.is_positive()).any(|&field| {
                let value = universe.relation_field(PackageId(package), field);
                names_in(value)
                    .any(|name| renumbered.names.binary_search_by(|one| one.as_str().cmp(name)).is_ok())
            })
        };
        concerned.extend(refusers.iter().filter(mentions_any));
        self.own_refusers = refusers.into_iter().filter(|package| !concerned.contains(package)).collect();
        for &package in &concerned {
            self.package_negatives[package as usize] = self.read_negatives(universe, PackageId(package));
        }
        effects.weaker.extend(concerned);
    }

    fn resolve_group(
        &mut self,
        universe: &Universe,
        number: u32,
        reduce: &dyn Fn(Relations, bool) -> Relations,
        effects: &mut Effects,
    ) {
        let (kind, text) = &self.group_keys[number as usize];
        let mut relations = Relations::parse(text).unwrap_or_default();
        if let Kind::Source(_) = kind {
            relations = reduce(relations, true);
        }
        let alternatives = relations.0.pop().unwrap_or_default();
        let new = self.targets(universe, kind.asker(), &alternatives);
        let old = self.groups.get(number);
        if old == new {
            return;
        }
        effects.changed.push(number);
        if new.iter().any(|target| !old.contains(target)) {
            effects.gained.insert(number);
        }
        effects.unequal.extend(old.iter().filter(|target| !new.contains(target)));
        self.groups.replace(number, new);
    }

    fn resolve_negative(
        &mut self,
        universe: &Universe,
        number: u32,
        reduce: &dyn Fn(Relations, bool) -> Relations,
        effects: &mut Effects,
    ) {
        let Some((kind, text)) = &self.negative_keys[number as usize] else { return };
        let mut relations = Relations::parse(text).unwrap_or_default();
        if let Kind::Source(_) = kind {
            relations = reduce(relations, false);
        }
        let new = self.refused(universe, kind.asker(), &relations);
        let old = self.negatives.get(number);
        if old == new {
            return;
        }
        // What refuses less may make more possible: like a group that gained something.
        effects.unequal.extend(new.iter().filter(|target| !old.contains(target)));
        if old.iter().any(|target| !new.contains(target)) {
            effects.gained.insert(number | NEGATIVE);
        }
        self.negatives.replace(number, new);
    }

    /// Packages that have a relation which became weaker.
    fn find_weaker(&self, effects: &mut Effects) {
        if effects.gained.is_empty() {
            return;
        }
        for package in (0..).take(self.len()) {
            let weaker = self.groups_of(package).iter().any(|group| effects.gained.contains(group))
                || self.negatives_of(package).iter().any(|n| effects.gained.contains(&(n | NEGATIVE)));
            if weaker {
                effects.weaker.insert(package);
            }
        }
    }

    fn make_mentions(&mut self) {
        if self.mentions.is_some() {
            return;
        }
        self.mentions = Some(rustc_hash::FxHashMap::default());
        for number in (0..).take(self.group_keys.len()) {
            let text = self.group_keys[number as usize].1.clone();
            self.mention(&text, Mention::Group(number));
        }
        for number in (0..).take(self.negative_keys.len()) {
            if let Some((_, text)) = self.negative_keys[number as usize].clone() {
                self.mention(&text, Mention::Negative(number));
            }
        }
    }

    /// Notes which names a relation mentions.
    pub(super) fn mention(&mut self, text: &str, mention: Mention) {
        let Some(mentions) = &mut self.mentions else { return };
        for name in names_in(text) {
            match mentions.get_mut(name) {
                Some(known) => known.push(mention),
                None => drop(mentions.insert(name.into(), vec![mention])),
            }
        }
    }
}

/// Tells numbers of negatives from those of groups.
pub(crate) const NEGATIVE: u32 = 1 << 31;

/// Names of packages in a relation field.
fn names_in(value: &str) -> impl Iterator<Item = &str> {
    split(value).flat_map(|relations| relations.split('|')).map(|relation| {
        let relation = relation.trim_ascii_start();
        let end = relation.find(|c: char| c.is_ascii_whitespace() || matches!(c, ':' | '(' | '[' | '<'));
        &relation[..end.unwrap_or(relation.len())]
    })
}
