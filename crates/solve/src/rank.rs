//! In which order apt tries packages that satisfy the same alternative.
//!
//! apt prefers, after what is installed: the package of that very name, essential ones, the native
//! architecture, the higher Priority; what is still equal is decided by its internal package
//! numbers, the higher first. Those are given when a name is first met while the indices are read,
//! be it as a package or in a relation; so the order is recovered from where the texts first
//! mention a name. That is searched for only when it decides.

use std::cmp::{Ordering, Reverse};

use crate::ids::{ArchId, NameId, PackageId};
use crate::stanza;
use crate::universe::Universe;

/// Where a name is first mentioned: index, stanza (by source and name), field in reading order, offset.
pub(crate) type Mention = (usize, (String, String), usize, usize);

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

/// Orders packages that satisfy an alternative which asks for `name`.
pub(crate) fn compare(universe: &Universe, name: Option<NameId>, a: PackageId, b: PackageId) -> Ordering {
    let key = |package: PackageId| {
        let row = universe.row(package);
        let arch = universe.arch_of(package);
        let other_name = Some(universe.name_of(package)) != name;
        (other_name, !row.essential, !row.protected, arch != ArchId::NATIVE, arch, row.priority)
    };
    key(a).cmp(&key(b)).then_with(|| by_mention(universe, a, b))
}

fn by_mention(universe: &Universe, a: PackageId, b: PackageId) -> Ordering {
    let (name_a, name_b) = (universe.name_of(a), universe.name_of(b));
    if name_a == name_b {
        return a.cmp(&b);
    }
    let (a, b) = (first_mention(universe, name_a), first_mention(universe, name_b));
    Reverse(a).cmp(&Reverse(b))
}

fn first_mention(universe: &Universe, name: NameId) -> Option<Mention> {
    let lock = || universe.mentions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = lock().get(&name) {
        return known.clone();
    }
    let found = search(universe, universe.names.get(name));
    lock().insert(name, found.clone());
    found
}

fn search(universe: &Universe, name: &str) -> Option<Mention> {
    let finder = memchr::memmem::Finder::new(name.as_bytes());
    for (number, index) in universe.texts.iter().enumerate() {
        let text: &str = &index.text;
        let mut best: Option<Mention> = None;
        let mut stanza_end = 0;
        for at in finder.find_iter(text.as_bytes()) {
            if at < stanza_end || !is_whole_name(text.as_bytes(), at, name.len()) {
                continue;
            }
            let start = text[..at].rfind("\n\n").map_or(0, |found| found + 2);
            let end = text[at..].find("\n\n").map_or(text.len(), |found| at + found);
            let Some((field, offset)) = mention_in(&text[start..end], name) else { continue };
            stanza_end = end;
            let mention = (number, stanza_key(&text[start..end]), field, offset);
            if best.as_ref().is_none_or(|best| mention < *best) {
                best = Some(mention);
            }
            if universe.in_archive_order[number] {
                break;
            }
        }
        if best.is_some() {
            return best;
        }
    }
    None
}

fn stanza_key(stanza: &str) -> (String, String) {
    let name = stanza::field(stanza, "Package").unwrap_or_default();
    let source = stanza::field(stanza, "Source").unwrap_or(name);
    (source.split([' ', '(']).next().unwrap_or_default().to_owned(), name.to_owned())
}

/// The first field, in reading order, of a stanza that names a package, and where in it.
fn mention_in(stanza: &str, name: &str) -> Option<(usize, usize)> {
    let mentions = stanza::fields(stanza).flatten().filter_map(|(field, value)| {
        let rank = READING_ORDER.iter().position(|known| field.eq_ignore_ascii_case(known))?;
        let found = memchr::memmem::find_iter(value.as_bytes(), name.as_bytes());
        let offset = found.filter(|&at| is_whole_name(value.as_bytes(), at, name.len())).min()?;
        Some((rank, offset))
    });
    mentions.min()
}

/// Whether a match is a whole name in a list of relations, not part of a longer one or of prose.
fn is_whole_name(text: &[u8], at: usize, len: usize) -> bool {
    let before = at.checked_sub(1).map(|before| text[before]);
    let after = text.get(at + len);
    before.is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b',' | b'|'))
        && after.is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b',' | b'|' | b'(' | b'[' | b'<'))
}
