//! All packages that can be had, in tables indexed by typed ids.

use std::ops::Range;
use std::sync::OnceLock;

use archmill_deb::{Arch, MultiArch};

use crate::ids::{ArchId, NameId, PackageId, SlotId};
use crate::index::IndexText;
use crate::load::{self, LoadProblem};
use crate::names::NameTable;
use crate::package::PackageRef;
use crate::rank::Mentions;
use crate::relations::{Deps, Field};

/// Binary packages of one or more indices, ready to be solved against.
///
/// The texts stay as they are: a row holds offsets into them, names are interned, and relations are
/// parsed when a package is first looked at.
#[derive(Debug)]
pub struct Universe {
    pub(crate) texts: Vec<IndexText>,
    /// Whether the stanzas of a text are in the order in which archives write them.
    pub(crate) in_archive_order: Vec<bool>,
    pub(crate) arches: Vec<Arch>,
    pub(crate) names: NameTable,
    /// First slot of each name, and the one after its last.
    pub(crate) name_slots: Vec<(u32, u32)>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) packages: Vec<PackageRow>,
    /// Packages that stand in several indices, where they do not count.
    pub(crate) shadowed: Vec<Shadowed>,
    /// Providers of name `n` are `providers[provider_ranges[n]..provider_ranges[n + 1]]`.
    pub(crate) provider_ranges: Vec<u32>,
    pub(crate) providers: Vec<Provider>,
    pub(crate) deps: Vec<OnceLock<Box<Deps>>>,
    pub(crate) mentions: OnceLock<Mentions>,
    pub(crate) problems: Vec<LoadProblem>,
}

/// A name in one architecture and its versions, the preferred one first.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) name: NameId,
    pub(crate) arch: ArchId,
    pub(crate) first: u32,
    pub(crate) end: u32,
    /// The version apt would call the candidate.
    pub(crate) candidate: Option<PackageId>,
}

/// Offsets of a string in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    /// Of a field that is not there.
    pub(crate) const NONE: Self = Self { start: 0, len: 0 };
}

#[derive(Clone, Debug)]
pub(crate) struct PackageRow {
    pub(crate) slot: SlotId,
    pub(crate) text: u16,
    pub(crate) stanza: Span,
    pub(crate) version: Span,
    pub(crate) multi_arch: MultiArch,
    pub(crate) essential: bool,
    pub(crate) protected: bool,
    /// 1 for required to 5 for extra, as the Priority field says.
    pub(crate) priority: u8,
    /// Values of the fields of [`Field::OF_PACKAGES`].
    pub(crate) relations: [Span; 4],
}

/// A package of which there is the same version in another index that counts more.
#[derive(Clone, Debug)]
pub(crate) struct Shadowed {
    pub(crate) name: NameId,
    pub(crate) arch: ArchId,
    pub(crate) row: PackageRow,
}

/// One entry of a Provides field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Provider {
    pub(crate) package: PackageId,
    pub(crate) version: Option<Span>,
    pub(crate) arch: Option<ArchId>,
}

impl Universe {
    /// Reads the indices; packages of architectures other than these and `all` are left out.
    ///
    /// Of packages with equal name, version and architecture the one with the higher priority is
    /// kept, else that of the earlier index.
    pub fn new(texts: Vec<IndexText>, native: &Arch, foreign: &[Arch]) -> Self {
        load::load(texts, native, foreign)
    }

    /// What could not be read; each names its package, which is not in the universe.
    pub fn problems(&self) -> &[LoadProblem] {
        &self.problems
    }

    /// How many packages there are.
    pub fn len(&self) -> usize {
        self.packages.len()
    }

    /// Whether there is no package at all.
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }

    /// The architecture the universe was made for.
    pub fn native(&self) -> &Arch {
        &self.arches[0]
    }

    /// The indices, in the order given.
    pub fn indices(&self) -> &[IndexText] {
        &self.texts
    }

    /// Every package, ordered by name, architecture and preference.
    pub fn packages(&self) -> impl Iterator<Item = PackageRef<'_>> {
        (0..self.packages.len()).map(|index| self.package(PackageId::new(index)))
    }

    /// A package of this universe.
    pub fn package(&self, id: PackageId) -> PackageRef<'_> {
        PackageRef { universe: self, id }
    }

    /// The version of a package that is installed when nothing else is asked for.
    pub fn candidate(&self, name: &str, arch: &Arch) -> Option<PackageRef<'_>> {
        let arch = self.arch_id(arch)?;
        let slot = self.slots_of(self.names.find(name)?).find(|&slot| self.slot(slot).arch == arch)?;
        self.slot(slot).candidate.map(|id| self.package(id))
    }

    /// All versions of a package for an architecture, the preferred one first; those of `all` are among them for the
    /// native one.
    pub fn versions<'u>(&'u self, name: &str, arch: &Arch) -> impl Iterator<Item = PackageRef<'u>> {
        let arch = self.arch_id(arch);
        let slots = self.names.find(name).into_iter().flat_map(|name| self.slots_of(name));
        slots
            .filter(move |&slot| Some(self.slot(slot).arch) == arch)
            .flat_map(|slot| self.packages_in(slot))
            .map(|id| self.package(id))
    }

    pub(crate) fn arch_id(&self, arch: &Arch) -> Option<ArchId> {
        if arch.as_str() == "all" {
            return Some(ArchId::NATIVE);
        }
        self.arches.iter().position(|known| known == arch).map(ArchId::new)
    }

    pub(crate) fn slot(&self, slot: SlotId) -> &Slot {
        &self.slots[slot.index()]
    }

    pub(crate) fn row(&self, package: PackageId) -> &PackageRow {
        &self.packages[package.index()]
    }

    pub(crate) fn name_of(&self, package: PackageId) -> NameId {
        self.slot(self.row(package).slot).name
    }

    pub(crate) fn arch_of(&self, package: PackageId) -> ArchId {
        self.slot(self.row(package).slot).arch
    }

    pub(crate) fn slots_of(&self, name: NameId) -> impl Iterator<Item = SlotId> + use<> {
        let (first, end) = self.name_slots.get(name.index()).copied().unwrap_or_default();
        (first as usize..end as usize).map(SlotId::new)
    }

    pub(crate) fn packages_in(&self, slot: SlotId) -> impl Iterator<Item = PackageId> + use<> {
        let slot = self.slot(slot);
        (slot.first..slot.end).map(PackageId)
    }

    pub(crate) fn packages_named(&self, name: NameId) -> impl Iterator<Item = PackageId> + '_ {
        self.slots_of(name).flat_map(|slot| self.packages_in(slot))
    }

    pub(crate) fn providers_of(&self, name: NameId) -> &[Provider] {
        &self.providers[range(&self.provider_ranges, name)]
    }

    pub(crate) fn text_at(&self, text: u16, span: Span) -> &str {
        let start = span.start as usize;
        self.texts[usize::from(text)].text.get(start..start + span.len as usize).unwrap_or_default()
    }

    /// The value of one of the fields of [`Field::OF_PACKAGES`]; empty if it is not there.
    pub(crate) fn relation_field(&self, package: PackageId, field: Field) -> &str {
        let row = self.row(package);
        Field::OF_PACKAGES
            .iter()
            .position(|&known| known == field)
            .map_or("", |at| self.text_at(row.text, row.relations[at]))
    }

    pub(crate) fn deps(&self, package: PackageId) -> &Deps {
        self.deps[package.index()].get_or_init(|| Box::new(Deps::of_package(self, package)))
    }
}

fn range(offsets: &[u32], name: NameId) -> Range<usize> {
    offsets[name.index()] as usize..offsets[name.index() + 1] as usize
}
