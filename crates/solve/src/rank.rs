//! In which order apt tries packages that satisfy the same alternative.
//!
//! apt prefers, after what is installed: the package of that very name, essential ones, the native
//! architecture, the higher Priority; what is still equal is decided by its internal package
//! numbers, the higher first. Those are given when a name is first met while the indices are read,
//! be it as a package or in a relation; so the order is recovered from where the texts first
//! mention a name. That is looked for only when it decides, then once for all names.

use std::cmp::{Ordering, Reverse};

use crate::ids::{ArchId, NameId, PackageId};
use crate::stanza;
use crate::universe::Universe;

/// For each name, the number it would get when it is first met.
#[derive(Debug)]
pub(crate) struct Mentions {
    pub(crate) numbers: Vec<Option<u32>>,
}

/// Fields in the order in which apt reads their relations.
const READING_ORDER: [&str; 10] = [
    "Package",
    "Pre-Depends",
    "Depends",
    "Conflicts",
    "Breaks",
    "Recommends",
    "Suggests",
    "Replaces",
    "Enhances",
    "Provides",
];

/// What decides first between packages that satisfy an alternative which asks for `name`: the lesser
/// is better.
pub(crate) fn merit(universe: &Universe, name: Option<NameId>, package: PackageId) -> Merit {
    let row = universe.row(package);
    let arch = universe.arch_of(package);
    let other_name = Some(universe.name_of(package)) != name;
    (other_name, !row.essential, !row.protected, arch, row.priority)
}

/// See [`merit`]: another name, not essential, not protected, the architecture, the priority.
pub(crate) type Merit = (bool, bool, bool, ArchId, u8);

/// What decides between packages of equal merit.
pub(crate) fn by_mention(universe: &Universe, a: PackageId, b: PackageId) -> Ordering {
    let (name_a, name_b) = (universe.name_of(a), universe.name_of(b));
    if name_a == name_b {
        return a.cmp(&b);
    }
    let numbers = &universe.mentions.get_or_init(|| Mentions::of(universe)).numbers;
    Reverse(numbers[name_a.index()]).cmp(&Reverse(numbers[name_b.index()]))
}

impl Mentions {
    pub(crate) fn of(universe: &Universe) -> Self {
        let mut mentions = Self { numbers: vec![None; universe.names.len()] };
        let mut next = 0;
        for package in in_reading_order(universe) {
            let mut values = [""; READING_ORDER.len()];
            for (field, value) in stanza::fields(universe.package(package).stanza()).flatten() {
                let is_known = |known: &str| known.len() == field.len() && field.eq_ignore_ascii_case(known);
                if let Some(rank) = READING_ORDER.iter().position(|known| is_known(known)) {
                    values[rank] = value;
                }
            }
            for name in values.into_iter().flat_map(names) {
                let Some(id) = universe.names.find(name) else { continue };
                let number = &mut mentions.numbers[id.index()];
                if number.is_none() {
                    *number = Some(next);
                    next += 1;
                }
            }
        }
        mentions
    }
}

/// Index by index, in the order of archives: by source package, then by package. An index that is in
/// that order already is read as it stands.
fn in_reading_order(universe: &Universe) -> Vec<PackageId> {
    let mut order: Vec<PackageId> = universe.packages().map(|package| package.id).collect();
    let place = |package: PackageId| {
        let row = universe.row(package);
        (row.text, row.stanza.start)
    };
    order.sort_unstable_by_key(|&package| place(package));
    for of_index in order.chunk_by_mut(|&a, &b| place(a).0 == place(b).0) {
        let ordered =
            of_index.first().is_some_and(|&first| universe.in_archive_order[usize::from(place(first).0)]);
        if !ordered {
            of_index.sort_by_cached_key(|&id| {
                let package = universe.package(id);
                (package.source().0, package.name(), Reverse(id))
            });
        }
    }
    order
}

/// Names in a list of relations; those with an architecture are other packages to apt.
fn names(relations: &str) -> impl Iterator<Item = &str> {
    relations.split([',', '|']).filter_map(|relation| {
        let relation = relation.trim_ascii_start();
        let end = relation.find(|c: char| c.is_ascii_whitespace() || matches!(c, '(' | '[' | '<'));
        let name = relation.get(..end.unwrap_or(relation.len()))?;
        (!name.is_empty() && !name.contains(':')).then_some(name)
    })
}
