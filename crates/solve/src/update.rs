//! Changing a few packages of a universe without reading its indices again.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::ids::{ArchId, NameId, PackageId, SlotId};
use crate::index::IndexText;
use crate::load;
use crate::provides;
use crate::stanza;
use crate::syntax::Known;
use crate::universe::{PackageRow, Shadowed, Slot, Universe};

/// Packages that are gone and packages that are new.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Packages of the universe as it was. Of one that is there in another version now, both that it is
    /// gone and what it is now must be said.
    pub removed: Vec<PackageId>,
    /// Stanzas of new packages, with the origin and the priority of the index that they are in.
    pub added: Vec<IndexText>,
}

/// What an update did to the numbers of packages.
#[derive(Debug)]
pub(crate) struct Renumbered {
    /// New numbers by old ones.
    pub(crate) new_of: Vec<Option<PackageId>>,
    /// Packages that were not there before, by their new numbers.
    pub(crate) added: Vec<PackageId>,
    /// Names of which some package was removed or added, and all that those provide.
    pub(crate) names: Vec<String>,
    /// Slots that were looked at, by new numbers.
    pub(crate) slots: Vec<SlotId>,
}

/// Where the rows of a slot come from.
type Rows = Vec<(PackageRow, Option<PackageId>)>;

impl Universe {
    /// Takes a change in. All numbers of packages may be others afterwards.
    ///
    /// What is there afterwards is what [`new`](Self::new) would make of the changed indices, but that
    /// apt's order of equally good packages is as if the new stanzas stood in indices of their own.
    pub fn update(&mut self, change: &Change) {
        let _ = self.renumber(change);
    }

    pub(crate) fn renumber(&mut self, change: &Change) -> Renumbered {
        let mut names = Vec::new();
        for &package in &change.removed {
            let package = self.package(package);
            names_of(package.name(), package.field("Provides"), &mut names);
        }
        let mut edits = self.existing(change);
        self.read_added(change, &mut edits, &mut names);
        // What stays may count now that did not, or the other way round.
        for (row, _) in edits.values().flatten() {
            let provides = stanza::field(self.text_at(row.text, row.stanza), "Provides");
            provided_names(provides, &mut names);
        }
        names.sort_unstable();
        names.dedup();
        let (rows, slots) = self.splice(edits);
        self.take_rows(rows, &slots, names)
    }

    /// The slots of removed packages, with what stays of them.
    fn existing(&mut self, change: &Change) -> BTreeMap<(String, ArchId), Rows> {
        let mut edits = BTreeMap::new();
        for &package in &change.removed {
            let (name, arch) = (self.name_of(package), self.arch_of(package));
            edits.entry((self.names.get(name).to_owned(), arch)).or_default();
        }
        for ((name, arch), rows) in &mut edits {
            self.rows_of(name, *arch, &change.removed, rows);
        }
        edits
    }

    /// Everything of a slot that is not removed, also what does not count.
    fn rows_of(&mut self, name: &str, arch: ArchId, removed: &[PackageId], rows: &mut Rows) {
        let Some(name) = self.names.find(name) else { return };
        if let Some(slot) = self.slots_of(name).find(|&slot| self.slot(slot).arch == arch) {
            let kept = self.packages_in(slot).filter(|package| !removed.contains(package));
            rows.extend(kept.map(|package| (self.row(package).clone(), Some(package))));
        }
        let here = |shadowed: &mut Shadowed| shadowed.name == name && shadowed.arch == arch;
        rows.extend(self.shadowed.extract_if(.., here).map(|shadowed| (shadowed.row, None)));
    }

    fn read_added(
        &mut self,
        change: &Change,
        edits: &mut BTreeMap<(String, ArchId), Rows>,
        names: &mut Vec<String>,
    ) {
        for index in &change.added {
            let mut drafts = Vec::new();
            let Ok(number) = u16::try_from(self.texts.len()) else {
                let what = "too many indices and changes; the universe must be made anew".to_owned();
                self.problems.push(load::problem(index, 0, "?", what));
                continue;
            };
            let (arches, problems) = (&self.arches, &mut self.problems);
            load::read(index, number, arches, &mut Known::default(), &mut drafts, problems);
            self.texts.push(index.clone());
            self.in_archive_order.push(false);
            for draft in drafts {
                names_of(draft.name, draft.provides, names);
                let key = (draft.name.to_owned(), draft.arch);
                if !edits.contains_key(&key) {
                    let mut rows = Rows::new();
                    self.rows_of(draft.name, draft.arch, &change.removed, &mut rows);
                    edits.insert(key.clone(), rows);
                }
                edits.entry(key).or_default().push((draft.row, None));
            }
        }
    }

    /// All rows, those of edited slots as they are now; and the slots.
    fn splice(
        &mut self,
        edits: BTreeMap<(String, ArchId), Rows>,
    ) -> (Rows, Vec<(NameId, ArchId, usize, bool)>) {
        let mut all: Rows = Vec::with_capacity(self.packages.len() + edits.len());
        let mut slots = Vec::with_capacity(self.slots.len() + edits.len());
        let mut next = 0;
        for ((name, arch), mut rows) in edits {
            let place = |slot: &Slot| (self.names.get(slot.name), slot.arch) < (name.as_str(), arch);
            let at = self.slots.partition_point(place);
            self.copy(next..at, &mut all, &mut slots);
            let there =
                self.slots.get(at).is_some_and(|slot| self.names.get(slot.name) == name && slot.arch == arch);
            next = at + usize::from(there);
            let name = self.names.intern(&name);
            rows.sort_by(|(a, _), (b, _)| load::row_preference(a, b, &self.texts));
            let first = all.len();
            for (row, from) in rows {
                let copy_of_last =
                    all.len() > first && load::same_version(&all[all.len() - 1].0, &row, &self.texts);
                if copy_of_last {
                    self.shadowed.push(Shadowed { name, arch, row });
                } else {
                    all.push((row, from));
                }
            }
            if all.len() > first {
                slots.push((name, arch, first, true));
            }
        }
        self.copy(next..self.slots.len(), &mut all, &mut slots);
        (all, slots)
    }

    fn copy(
        &self,
        range: std::ops::Range<usize>,
        all: &mut Rows,
        slots: &mut Vec<(NameId, ArchId, usize, bool)>,
    ) {
        for slot in &self.slots[range] {
            slots.push((slot.name, slot.arch, all.len(), false));
            let packages = (slot.first..slot.end).map(PackageId);
            all.extend(packages.map(|package| (self.row(package).clone(), Some(package))));
        }
    }

    // There are fewer packages than bytes of the texts.
    #[allow(clippy::cast_possible_truncation)]
    fn take_rows(
        &mut self,
        rows: Rows,
        slots: &[(NameId, ArchId, usize, bool)],
        names: Vec<String>,
    ) -> Renumbered {
        let mut renumbered = Renumbered {
            new_of: vec![None; self.packages.len()],
            added: Vec::new(),
            names,
            slots: Vec::new(),
        };
        let mut found = self.kept_providers(&rows);
        for (number, (_, from)) in rows.iter().enumerate() {
            match from {
                Some(old) => renumbered.new_of[old.index()] = Some(PackageId::new(number)),
                None => renumbered.added.push(PackageId::new(number)),
            }
        }
        self.slots.clear();
        for (number, &(name, arch, first, edited)) in slots.iter().enumerate() {
            let end = slots.get(number + 1).map_or(rows.len(), |next| next.2) as u32;
            let allowed = self.texts[usize::from(rows[first].0.text)].priority >= 0;
            let candidate = allowed.then(|| PackageId::new(first));
            self.slots.push(Slot { name, arch, first: first as u32, end, candidate });
            if edited {
                renumbered.slots.push(SlotId::new(number));
            }
        }
        self.packages = rows.into_iter().map(|(row, _)| row).collect();
        for number in 0..self.slots.len() {
            for package in self.slots[number].first..self.slots[number].end {
                self.packages[package as usize].slot = SlotId::new(number);
            }
        }
        for &package in &renumbered.added {
            let row = &self.packages[package.index()];
            let text = self.texts[usize::from(row.text)].text.clone();
            let start = row.stanza.start as usize;
            let stanza = text.get(start..start + row.stanza.len as usize).unwrap_or_default();
            let provides = stanza::field(stanza, "Provides").unwrap_or_default();
            found.extend(load::providers(&mut self.names, &text, package, provides, &self.arches));
        }
        (self.provider_ranges, self.providers) = load::by_name(found, self.names.len());
        self.name_slots = load::name_slots(&self.slots, self.names.len());
        self.deps = self.packages.iter().map(|_| OnceLock::new()).collect();
        self.mentions = OnceLock::new();
        renumbered
    }

    /// Providers that stay, under their new numbers.
    fn kept_providers(&self, rows: &Rows) -> Vec<(NameId, crate::universe::Provider)> {
        let mut new_of = vec![None; self.packages.len()];
        for (number, (_, from)) in rows.iter().enumerate() {
            if let Some(old) = from {
                new_of[old.index()] = Some(PackageId::new(number));
            }
        }
        let mut found = Vec::with_capacity(self.providers.len());
        for (name, range) in self.provider_ranges.windows(2).enumerate() {
            for provider in &self.providers[range[0] as usize..range[1] as usize] {
                if let Some(package) = new_of[provider.package.index()] {
                    found.push((NameId::new(name), crate::universe::Provider { package, ..*provider }));
                }
            }
        }
        found
    }
}

fn names_of(name: &str, provided: Option<&str>, names: &mut Vec<String>) {
    names.push(name.to_owned());
    provided_names(provided, names);
}

fn provided_names(provided: Option<&str>, names: &mut Vec<String>) {
    let provided = provides::parse(provided.unwrap_or_default());
    names.extend(provided.map(|provided| provided.name.to_owned()));
}
