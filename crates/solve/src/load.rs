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
use crate::universe::{PackageRow, Provider, Slot, Span, Universe};
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
struct Draft<'t> {
    name: &'t str,
    version: &'t str,
    source: &'t str,
    provides: Option<&'t str>,
    arch: ArchId,
    row: PackageRow,
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
    drafts.dedup_by(|later, kept| same_package(later, kept));
    let tables = tabulate(&drafts, &texts, &arches);
    Universe {
        in_archive_order,
        deps: tables.packages.iter().map(|_| OnceLock::new()).collect(),
        names: tables.names,
        name_slots: tables.name_slots,
        slots: tables.slots,
        packages: tables.packages,
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
    let priority = |draft: &Draft| texts[usize::from(draft.row.text)].priority;
    a.name
        .cmp(b.name)
        .then(a.arch.cmp(&b.arch))
        .then_with(|| priority(b).cmp(&priority(a)))
        .then_with(|| versions::compare(b.version, a.version))
        .then_with(|| (a.version, a.row.text).cmp(&(b.version, b.row.text)))
        .then_with(|| stanza_of(a, texts).cmp(stanza_of(b, texts)))
}

fn stanza_of<'t>(draft: &Draft, texts: &'t [IndexText]) -> &'t str {
    let start = draft.row.stanza.start as usize;
    texts[usize::from(draft.row.text)]
        .text
        .get(start..start + draft.row.stanza.len as usize)
        .unwrap_or_default()
}

fn same_package(a: &Draft, b: &Draft) -> bool {
    a.name == b.name && a.arch == b.arch && versions::compare(a.version, b.version) == Ordering::Equal
}

fn read<'t>(
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
    name_slots: Vec<u32>,
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
        if name.index() == tables.name_slots.len() {
            tables.name_slots.push(tables.slots.len() as u32);
        }
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
    let end = tables.slots.len() as u32;
    tables.name_slots.resize(tables.names.len() + 1, end);
    tables
}

#[allow(clippy::cast_possible_truncation)]
fn tabulate_providers(tables: &mut Tables, drafts: &[Draft], texts: &[IndexText], arches: &[Arch]) {
    let mut found: Vec<(NameId, Provider)> = Vec::new();
    for (number, draft) in drafts.iter().enumerate() {
        let Some(provides) = draft.provides else { continue };
        let text = &texts[usize::from(draft.row.text)].text;
        for Provided { name, version, arch } in provides::parse(provides) {
            let arch = match arch.map(|arch| arches.iter().position(|known| known.as_str() == arch)) {
                None => None,
                Some(Some(position)) => Some(ArchId::new(position)),
                Some(None) => continue,
            };
            let version = version.map(|version| span_of(text, version));
            let package = PackageId::new(number);
            found.push((tables.names.intern(name), Provider { package, version, arch }));
        }
    }
    // Stable: providers of a name stay in the order of their packages.
    found.sort_by_key(|&(name, _)| name);
    let mut at = 0;
    for name in 0..tables.names.len() {
        tables.provider_ranges.push(at as u32);
        while found.get(at).is_some_and(|(provided, _)| provided.index() == name) {
            at += 1;
        }
    }
    tables.provider_ranges.push(at as u32);
    tables.providers = found.into_iter().map(|(_, provider)| provider).collect();
}
