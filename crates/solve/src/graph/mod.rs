//! A universe as numbers: every package with the lists of packages that its relations ask for or refuse.
//!
//! [`Deps`](crate::relations::Deps) hold the same for single packages, with all that is needed to
//! choose as apt does and to explain. Here only what decides a verdict is kept, for all packages at
//! once: a relation that stands in a thousand packages is read and resolved once.

mod build;
mod dead;
mod lists;
mod mark;
mod update;

pub(crate) use dead::Dead;
pub(crate) use mark::{Marker, Outcome};
pub(crate) use update::{Effects, GONE, NEGATIVE};

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::ids::ArchId;
use crate::request::Versions;
use lists::Lists;

/// A relation whose text nobody can read.
pub(crate) const MALFORMED: u32 = u32::MAX;
/// A relation that does not apply.
pub(crate) const NOT_APPLYING: u32 = u32::MAX - 1;

/// Who asks: relations of equal text mean the same to all of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Packages of an architecture.
    Package(ArchId),
    /// Sources built for an architecture.
    Source(ArchId),
}

/// Whose relation it is, and its text.
type Key = (Kind, Arc<str>);

/// Numbers of relations, by whose they are and their text.
type Numbers = FxHashMap<Kind, FxHashMap<Arc<str>, u32>>;

/// A relation, by its number.
#[derive(Clone, Copy, Debug)]
enum Mention {
    Group(u32),
    Negative(u32),
}

/// All relations of a universe. Packages are numbered as in the universe.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) versions: Versions,
    /// Packages of which one is needed, the preferred one first.
    pub(crate) groups: Lists,
    group_keys: Vec<Key>,
    /// Packages that are refused.
    pub(crate) negatives: Lists,
    /// `None` for those that depend on the package that has them.
    negative_keys: Vec<Option<Key>>,
    /// Packages that have a relation which refuses their own name.
    own_refusers: Vec<u32>,
    /// Which relations mention a name; made when it is first needed.
    mentions: Option<FxHashMap<Box<str>, Vec<Mention>>>,
    /// Numbers of groups, per package.
    package_groups: Vec<(u32, u32)>,
    group_numbers: Vec<u32>,
    /// Numbers of negatives, per package.
    package_negatives: Vec<(u32, u32)>,
    negative_numbers: Vec<u32>,
    group_of: Numbers,
    negative_of: Numbers,
}

impl Graph {
    /// How many packages there are.
    pub(crate) fn len(&self) -> usize {
        self.package_groups.len()
    }

    /// The groups of a package.
    pub(crate) fn groups_of(&self, package: u32) -> &[u32] {
        let (start, end) = self.package_groups[package as usize];
        &self.group_numbers[start as usize..end as usize]
    }

    /// The negatives of a package.
    pub(crate) fn negatives_of(&self, package: u32) -> &[u32] {
        let (start, end) = self.package_negatives[package as usize];
        &self.negative_numbers[start as usize..end as usize]
    }

    /// Everything that a package refuses.
    pub(crate) fn refused_by(&self, package: u32) -> impl Iterator<Item = u32> + '_ {
        self.negatives_of(package).iter().flat_map(|&negative| self.negatives.get(negative).iter().copied())
    }
}
