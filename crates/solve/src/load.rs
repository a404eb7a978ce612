//! From the texts of indices to the tables of a universe.

use std::cmp::Ordering;
use std::sync::OnceLock;

use archmill_deb::{Arch, MultiArch};

use crate::ids::{ArchId, NameId, PackageId, SlotId};
use crate::index::IndexText;
use crate::names::NameTable;
use crate::provides::{self, Provided};
use crate::relations::Field;
use crate::stanza;
use crate::syntax::Known;
use crate::universe::{PackageRow, Provider, Shadowed, Slot, Span, Universe};
use crate::versions;

/// A stanza that could not be read and is left out, of a package or a source package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("{origin}, line {line}: {package}: {what}; the package is left out")]
pub struct LoadProblem {
    /// The index.
    pub origin: String,
    /// The line of the field that cannot be read, else that at which its stanza starts; counted from 1.
    pub line: usize,
    /// The package, `?` where the stanza does not say.
    pub package: String,
    /// What is wrong with it.
    pub what: String,
}

/// What is kept of a stanza until all are read.
pub(crate) struct Draft<'t> {
    pub(crate) name: &'t str,
    version: &'t str,
    source: &'t str,
    pub(crate) provides: Option<&'t str>,
    pub(crate) arch: ArchId,
    pub(crate) row: PackageRow,
}

pub(crate) fn load(texts: Vec<IndexText>, native: &Arch, foreign: &[Arch]) -> Universe {
    let mut arches = vec![native.clone()];
    for arch in foreign {
        if !arches.contains(arch) {
            arches.push(arch.clone());
        }
    }
    let mut problems = Vec::new();
    let mut known = Known::default();
    let mut drafts = Vec::new();
    let mut in_archive_order = Vec::new();
    for (number, index) in texts.iter().enumerate() {
        let before = drafts.len();
        match u16::try_from(number) {
            Ok(number) if u32::try_from(index.text.len()).is_ok() => {
                read(index, number, &arches, &mut known, &mut drafts, &mut problems);
            }
            _ => problems.push(problem(index, 0, "?", "too many indices or an index of over 4 GiB".into())),
        }
        in_archive_order.push(drafts[before..].is_sorted_by(|a: &Draft, b: &Draft| archive_order(a, b)));
    }
    drafts.sort_by(|a, b| preference(a, b, &texts));
    let duplicates = take_duplicates(&mut drafts);
    let mut tables = tabulate(&drafts, &texts, &arches);
    let shadow = |draft: Draft<'_>| Shadowed {
        name: tables.names.intern(draft.name),
        arch: draft.arch,
        row: draft.row,
    };
    let shadowed = duplicates.into_iter().map(shadow).collect();
    Universe {
        in_archive_order,
        deps: tables.packages.iter().map(|_| OnceLock::new()).collect(),
        names: tables.names,
        name_slots: tables.name_slots,
        slots: tables.slots,
        packages: tables.packages,
        shadowed,
        provider_ranges: tables.provider_ranges,
        providers: tables.providers,
        mentions: OnceLock::new(),
        problems,
        arches,
        texts,
    }
}

/// Archives order an index by source package, then by package.
fn archive_order(a: &Draft, b: &Draft) -> bool {
    (a.source, a.name) <= (b.source, b.name)
}

fn preference(a: &Draft, b: &Draft, texts: &[IndexText]) -> Ordering {
    a.name.cmp(b.name).then(a.arch.cmp(&b.arch)).then_with(|| row_preference(&a.row, &b.row, texts))
}

/// Which of two packages of one name and architecture comes first: by priority, then by version.
pub(crate) fn row_preference(a: &PackageRow, b: &PackageRow, texts: &[IndexText]) -> Ordering {
    let priority = |row: &PackageRow| texts[usize::from(row.text)].priority;
    let version = |row: &PackageRow| part(texts, row, row.version);
    priority(b)
        .cmp(&priority(a))
        .then_with(|| versions::compare(version(b), version(a)))
        .then_with(|| version(a).cmp(version(b)))
        .then_with(|| place(texts, a.text).cmp(&place(texts, b.text)))
        .then_with(|| part(texts, a, a.stanza).cmp(part(texts, b, b.stanza)))
        .then(a.text.cmp(&b.text))
}

/// The place of an index; texts of one origin are parts of one.
fn place(texts: &[IndexText], text: u16) -> Option<usize> {
    texts.iter().position(|index| index.origin == texts[usize::from(text)].origin)
}

/// Whether two packages of one name and architecture are the same version.
pub(crate) fn same_version(a: &PackageRow, b: &PackageRow, texts: &[IndexText]) -> bool {
    versions::compare(part(texts, a, a.version), part(texts, b, b.version)) == Ordering::Equal
}

fn part<'t>(texts: &'t [IndexText], row: &PackageRow, span: Span) -> &'t str {
    let start = span.start as usize;
    texts[usize::from(row.text)].text.get(start..start + span.len as usize).unwrap_or_default()
}

/// Takes out what is there in a preferred copy already.
fn take_duplicates<'t>(drafts: &mut Vec<Draft<'t>>) -> Vec<Draft<'t>> {
    let same = |a: &Draft, b: &Draft| {
        a.name == b.name && a.arch == b.arch && versions::compare(a.version, b.version) == Ordering::Equal
    };
    if !drafts.is_sorted_by(|a, b| !same(a, b)) {
        let (mut kept, mut duplicates) = (Vec::<Draft>::with_capacity(drafts.len()), Vec::new());
        for draft in drafts.drain(..) {
            let is_duplicate = kept.last().is_some_and(|last| same(last, &draft));
            if is_duplicate { &mut duplicates } else { &mut kept }.push(draft);
        }
        *drafts = kept;
        return duplicates;
    }
    Vec::new()
}

pub(crate) fn read<'t>(
    index: &'t IndexText,
    number: u16,
    arches: &[Arch],
    known: &mut Known<'t>,
    drafts: &mut Vec<Draft<'t>>,
    problems: &mut Vec<LoadProblem>,
) {
    for (start, end) in stanza::stanzas(&index.text) {
        match draft(&index.text, start, end, number, arches) {
            Ok(Some(draft)) => match bad_field(&index.text, &draft, known) {
                None => drafts.push(draft),
                Some((at, what)) => problems.push(problem(index, at, draft.name, what)),
            },
            Ok(None) => {}
            Err((package, what)) => problems.push(problem(index, start, package, what)),
        }
    }
}

/// Where the first field that cannot be read is, and what is wrong with it.
fn bad_field<'t>(text: &'t str, draft: &Draft<'t>, known: &mut Known<'t>) -> Option<(usize, String)> {
    let names = Field::OF_PACKAGES.iter().map(|field| field.name());
    let fields = names.zip(&draft.row.relations).map(|(name, span)| {
        let start = span.start as usize;
        (name, text.get(start..start + span.len as usize).unwrap_or_default())
    });
    let mut fields = fields.chain(draft.provides.map(|provides| ("Provides", provides)));
    fields.find_map(|(name, value)| {
        let what = known.problem(value)?;
        Some((span_of(text, value).start as usize, format!("field {name}: {what}")))
    })
}

pub(crate) fn problem(index: &IndexText, at: usize, package: &str, what: String) -> LoadProblem {
    let line = 1 + memchr::memchr_iter(b'\n', &index.text.as_bytes()[..at]).count();
    LoadProblem { origin: index.origin.clone(), line, package: package.to_owned(), what }
}

pub(crate) fn span_of(text: &str, part: &str) -> Span {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    span(start, part.len())
}

// Texts over 4 GiB are refused before.
#[allow(clippy::cast_possible_truncation)]
fn span(start: usize, len: usize) -> Span {
    Span { start: start as u32, len: len as u32 }
}

/// Reads one stanza; `None` for an architecture that nobody asked for.
fn draft<'t>(
    text: &'t str,
    start: usize,
    end: usize,
    number: u16,
    arches: &[Arch],
) -> Result<Option<Draft<'t>>, (&'t str, String)> {
    let (mut name, mut version, mut architecture, mut source, mut provides) = ("", "", "", None, None);
    let (mut multi_arch, mut essential, mut protected, mut priority) = (MultiArch::No, false, false, 5);
    let mut relations = [Span::NONE; 4];
    for field in stanza::fields(&text[start..end]) {
        let (key, value) =
            field.map_err(|line| (or_unknown(name), format!("no field but `{}`", line.trim())))?;
        // The length first: it rules out most of the thirty fields of a stanza.
        match key.len() {
            7 if key.eq_ignore_ascii_case("Package") => name = value,
            7 if key.eq_ignore_ascii_case("Version") => version = value,
            6 if key.eq_ignore_ascii_case("Source") => source = Some(value),
            12 if key.eq_ignore_ascii_case("Architecture") => architecture = value,
            8 if key.eq_ignore_ascii_case("Provides") => provides = Some(value),
            8 if key.eq_ignore_ascii_case("Priority") => priority = priority_rank(value),
            9 if key.eq_ignore_ascii_case("Essential") => essential = value.eq_ignore_ascii_case("yes"),
            9 if key.eq_ignore_ascii_case("Protected") => protected = value.eq_ignore_ascii_case("yes"),
            10 if key.eq_ignore_ascii_case("Multi-Arch") => multi_arch = multi_arch_of(value),
            11 if key.eq_ignore_ascii_case("Pre-Depends") => relations[0] = span_of(text, value),
            7 if key.eq_ignore_ascii_case("Depends") => relations[1] = span_of(text, value),
            9 if key.eq_ignore_ascii_case("Conflicts") => relations[2] = span_of(text, value),
            6 if key.eq_ignore_ascii_case("Breaks") => relations[3] = span_of(text, value),
            _ => {}
        }
    }
    if name.is_empty() || version.is_empty() || architecture.is_empty() {
        return Err((or_unknown(name), "has no Package, Version or Architecture field".to_owned()));
    }
    if let Some(bad) = versions::problem(version) {
        return Err((name, format!("version `{version}`: {bad}")));
    }
    let arch = match architecture {
        "all" => ArchId::NATIVE,
        named => match arches.iter().position(|arch| arch.as_str() == named) {
            Some(position) => ArchId::new(position),
            None => return Ok(None),
        },
    };
    let row = PackageRow {
        slot: SlotId(0),
        text: number,
        stanza: span(start, end - start),
        version: span_of(text, version),
        multi_arch,
        essential,
        protected,
        priority,
        relations,
    };
    let source = source.map_or(name, |source| source.split([' ', '(']).next().unwrap_or(name));
    Ok(Some(Draft { name, version, source, provides, arch, row }))
}

fn or_unknown(name: &str) -> &str {
    if name.is_empty() { "?" } else { name }
}

fn priority_rank(value: &str) -> u8 {
    match value {
        "required" => 1,
        "important" => 2,
        "standard" => 3,
        "optional" => 4,
        _ => 5,
    }
}

fn multi_arch_of(value: &str) -> MultiArch {
    match value {
        "same" => MultiArch::Same,
        "foreign" => MultiArch::Foreign,
        "allowed" => MultiArch::Allowed,
        _ => MultiArch::No,
    }
}

#[derive(Default)]
struct Tables {
    names: NameTable,
    name_slots: Vec<(u32, u32)>,
    slots: Vec<Slot>,
    packages: Vec<PackageRow>,
    provider_ranges: Vec<u32>,
    providers: Vec<Provider>,
}

// The number of packages is bounded by the size of the texts.
#[allow(clippy::cast_possible_truncation)]
fn tabulate(drafts: &[Draft], texts: &[IndexText], arches: &[Arch]) -> Tables {
    let mut tables = Tables::default();
    for (number, draft) in drafts.iter().enumerate() {
        let name = tables.names.intern(draft.name);
        let new_slot = tables.slots.last().is_none_or(|last| last.name != name || last.arch != draft.arch);
        if new_slot {
            let allowed = texts[usize::from(draft.row.text)].priority >= 0;
            let candidate = allowed.then(|| PackageId::new(number));
            tables.slots.push(Slot { name, arch: draft.arch, first: number as u32, end: 0, candidate });
        }
        let slot = SlotId::new(tables.slots.len() - 1);
        if let Some(last) = tables.slots.last_mut() {
            last.end = number as u32 + 1;
        }
        tables.packages.push(PackageRow { slot, ..draft.row.clone() });
    }
    tabulate_providers(&mut tables, drafts, texts, arches);
    tables.name_slots = name_slots(&tables.slots, tables.names.len());
    tables
}

/// Where the slots of each name are.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn name_slots(slots: &[Slot], names: usize) -> Vec<(u32, u32)> {
    let mut found = vec![(0, 0); names];
    for (number, slot) in slots.iter().enumerate() {
        let (first, end) = &mut found[slot.name.index()];
        if *end == 0 {
            *first = number as u32;
        }
        *end = number as u32 + 1;
    }
    found
}

fn tabulate_providers(tables: &mut Tables, drafts: &[Draft], texts: &[IndexText], arches: &[Arch]) {
    let mut found: Vec<(NameId, Provider)> = Vec::new();
    for (number, draft) in drafts.iter().enumerate() {
        let Some(provides) = draft.provides else { continue };
        let text = &texts[usize::from(draft.row.text)].text;
        let package = PackageId::new(number);
        found.extend(providers(&mut tables.names, text, package, provides, arches));
    }
    (tables.provider_ranges, tables.providers) = by_name(found, tables.names.len());
}

/// What a package provides.
pub(crate) fn providers<'a>(
    names: &'a mut NameTable,
    text: &'a str,
    package: PackageId,
    provides: &'a str,
    arches: &'a [Arch],
) -> impl Iterator<Item = (NameId, Provider)> + 'a {
    provides::parse(provides).filter_map(move |Provided { name, version, arch }| {
        let arch = match arch.map(|arch| arches.iter().position(|known| known.as_str() == arch)) {
            None => None,
            Some(Some(position)) => Some(ArchId::new(position)),
            Some(None) => return None,
        };
        let version = version.map(|version| span_of(text, version));
        Some((names.intern(name), Provider { package, version, arch }))
    })
}

/// Providers in the order of the names they provide, with where those of each name begin.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn by_name(mut found: Vec<(NameId, Provider)>, names: usize) -> (Vec<u32>, Vec<Provider>) {
    // Stable: what a package provides stays in the order in which it says so.
    found.sort_by_key(|&(name, provider)| (name, provider.package));
    let mut ranges = Vec::with_capacity(names + 1);
    let mut at = 0;
    for name in 0..names {
        ranges.push(at as u32);
        while found.get(at).is_some_and(|(provided, _)| provided.index() == name) {
            at += 1;
        }
    }
    ranges.push(at as u32);
    (ranges, found.into_iter().map(|(_, provider)| provider).collect())
}
