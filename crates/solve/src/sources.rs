//! Source packages of Sources indices, read in place.

use crate::index::IndexText;
use crate::load::{LoadProblem, problem, span_of};
use crate::stanza;
use crate::syntax::Known;
use crate::universe::Span;
use crate::versions;

/// The relation fields of a source package.
const FIELDS: [&str; 6] = [
    "Build-Depends",
    "Build-Depends-Arch",
    "Build-Depends-Indep",
    "Build-Conflicts",
    "Build-Conflicts-Arch",
    "Build-Conflicts-Indep",
];

/// The source packages of one or more indices.
#[derive(Debug, Default)]
pub struct Sources {
    texts: Vec<IndexText>,
    /// Ordered by name, then the preferred version first.
    rows: Vec<Row>,
    problems: Vec<LoadProblem>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    text: u32,
    stanza: Span,
    name: Span,
    version: Span,
    architectures: Span,
    relations: [Span; 6],
    extra_source_only: bool,
}

/// One source package; its parts are parts of the text it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceStanza<'t> {
    /// Name.
    pub name: &'t str,
    /// Version as written.
    pub version: &'t str,
    /// The Architecture field.
    pub architectures: &'t str,
    /// `Extra-Source-Only: yes`: kept for the sake of a built package, not part of the suite.
    pub extra_source_only: bool,
    /// The index it is from.
    pub origin: &'t str,
    /// Values of [`FIELDS`]; empty where not there.
    relations: [&'t str; 6],
    stanza: &'t str,
}

/// Which packages of a source are to be built; decides which fields count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildKinds {
    /// Architecture-dependent ones: the `-Arch` fields count.
    pub arch: bool,
    /// Architecture-independent ones: the `-Indep` fields count.
    pub indep: bool,
}

impl BuildKinds {
    /// All.
    pub const FULL: Self = Self { arch: true, indep: true };
}

impl Sources {
    /// Reads the indices. What cannot be read is among the [`problems`](Self::problems) and nowhere else.
    pub fn new(texts: Vec<IndexText>) -> Self {
        let mut sources = Self::default();
        let mut known = Known::default();
        for (number, index) in (0..).zip(&texts) {
            if u32::try_from(index.text.len()).is_err() {
                let what = "an index of over 4 GiB".to_owned();
                sources.problems.push(problem(index, 0, "?", what));
                continue;
            }
            for (start, end) in stanza::stanzas(&index.text) {
                match read(&index.text, number, start, end, &mut known) {
                    Ok(row) => sources.rows.push(row),
                    Err((at, package, what)) => sources.problems.push(problem(index, at, package, what)),
                }
            }
        }
        sources.texts = texts;
        sources.sort();
        sources
    }

    fn sort(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        let priority = |row: &Row| self.texts[row.text as usize].priority;
        rows.sort_by(|a, b| {
            let (one, other) = (self.stanza(a), self.stanza(b));
            one.name
                .cmp(other.name)
                .then_with(|| priority(b).cmp(&priority(a)))
                .then_with(|| versions::compare(other.version, one.version))
                .then(one.extra_source_only.cmp(&other.extra_source_only))
        });
        rows.dedup_by(|later, kept| {
            let (later, kept) = (self.stanza(later), self.stanza(kept));
            later.name == kept.name && later.version == kept.version
        });
        self.rows = rows;
    }

    fn stanza(&self, row: &Row) -> SourceStanza<'_> {
        let index = &self.texts[row.text as usize];
        let text = |span: Span| {
            let start = span.start as usize;
            index.text.get(start..start + span.len as usize).unwrap_or_default()
        };
        SourceStanza {
            name: text(row.name),
            version: text(row.version),
            architectures: text(row.architectures),
            extra_source_only: row.extra_source_only,
            origin: &index.origin,
            relations: row.relations.map(text),
            stanza: text(row.stanza),
        }
    }

    /// What could not be read; none of it is among the source packages.
    pub fn problems(&self) -> &[LoadProblem] {
        &self.problems
    }

    /// Every version of every source package, ordered by name, the preferred version first.
    pub fn all(&self) -> impl Iterator<Item = SourceStanza<'_>> {
        self.rows.iter().map(|row| self.stanza(row))
    }

    /// Of each source package what belongs to the suite: the version of the index with the highest
    /// priority, there the newest; none that is [`extra_source_only`](SourceStanza::extra_source_only).
    pub fn current(&self) -> impl Iterator<Item = SourceStanza<'_>> {
        self.current_numbers().map(|number| self.number(number))
    }

    pub(crate) fn current_numbers(&self) -> impl Iterator<Item = u32> {
        let mut last = "";
        let numbered = (0..).zip(self.all());
        let current = numbered.filter(move |(_, source)| {
            !source.extra_source_only && std::mem::replace(&mut last, source.name) != source.name
        });
        current.map(|(number, _)| number)
    }

    pub(crate) fn number(&self, number: u32) -> SourceStanza<'_> {
        self.stanza(&self.rows[number as usize])
    }

    /// The current version of a source package.
    pub fn find(&self, name: &str) -> Option<SourceStanza<'_>> {
        let first = self.rows.partition_point(|row| self.stanza(row).name < name);
        let named = self.rows[first..].iter().map(|row| self.stanza(row));
        named.take_while(|source| source.name == name).find(|source| !source.extra_source_only)
    }
}

type Bad<'t> = (usize, &'t str, String);

fn read<'t>(
    text: &'t str,
    number: u32,
    start: usize,
    end: usize,
    known: &mut Known<'t>,
) -> Result<Row, Bad<'t>> {
    let (mut name, mut version, mut architectures, mut extra_source_only) = ("", "", "", false);
    let mut relations = [""; 6];
    for field in stanza::fields(&text[start..end]) {
        let (key, value) =
            field.map_err(|line| (start, or_unknown(name), format!("no field but `{}`", line.trim())))?;
        match key.len() {
            7 if key.eq_ignore_ascii_case("Package") => name = value,
            6 if key.eq_ignore_ascii_case("Source") && name.is_empty() => name = value,
            7 if key.eq_ignore_ascii_case("Version") => version = value,
            12 if key.eq_ignore_ascii_case("Architecture") => architectures = value,
            17 if key.eq_ignore_ascii_case("Extra-Source-Only") => {
                extra_source_only = value.eq_ignore_ascii_case("yes");
            }
            13..=21 if key.as_bytes()[0].eq_ignore_ascii_case(&b'B') => {
                if let Some(at) = FIELDS.iter().position(|known| known.eq_ignore_ascii_case(key)) {
                    relations[at] = value;
                }
            }
            _ => {}
        }
    }
    if name.is_empty() || version.is_empty() {
        return Err((start, or_unknown(name), "has no Package or no Version field".to_owned()));
    }
    if let Some(bad) = versions::problem(version) {
        return Err((start, name, format!("version `{version}`: {bad}")));
    }
    for (field, value) in FIELDS.iter().zip(relations) {
        if let Some(what) = known.problem(value) {
            return Err((span_of(text, value).start as usize, name, format!("field {field}: {what}")));
        }
    }
    let span = |part: &str| if part.is_empty() { Span::NONE } else { span_of(text, part) };
    Ok(Row {
        text: number,
        stanza: span_of(text, &text[start..end]),
        name: span(name),
        version: span(version),
        architectures: span(architectures),
        relations: relations.map(span),
        extra_source_only,
    })
}

fn or_unknown(name: &str) -> &str {
    if name.is_empty() { "?" } else { name }
}

impl<'t> SourceStanza<'t> {
    /// Size of its files together, as the index says.
    pub fn bytes(&self) -> u64 {
        let files = stanza::field(self.stanza, "Checksums-Sha256").unwrap_or_default();
        files.lines().filter_map(|line| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()).sum()
    }

    /// SHA-256 of its .dsc, as the index says; empty if it does not.
    pub fn dsc_sha256(&self) -> &'t str {
        let files = stanza::field(self.stanza, "Checksums-Sha256").unwrap_or_default();
        let dsc =
            files.lines().find(|line| line.trim_end().rsplit_once('.').is_some_and(|(_, end)| end == "dsc"));
        dsc.and_then(|line| line.split_ascii_whitespace().next()).unwrap_or_default()
    }

    /// Names of the packages that it declares, for whatever architecture.
    pub fn binaries(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        let names = stanza::field(self.stanza, "Binary").unwrap_or_default();
        names.split(',').map(str::trim).filter(|name| !name.is_empty())
    }

    /// Values of the fields that must be satisfied.
    pub fn depends(&self, kinds: BuildKinds) -> impl Iterator<Item = &'t str> + use<'t> {
        self.counting(0, kinds)
    }

    /// Values of the fields that must be kept away.
    pub fn conflicts(&self, kinds: BuildKinds) -> impl Iterator<Item = &'t str> + use<'t> {
        self.counting(3, kinds)
    }

    fn counting(&self, first: usize, kinds: BuildKinds) -> impl Iterator<Item = &'t str> + use<'t> {
        let relations = self.relations;
        let wanted = [true, kinds.arch, kinds.indep];
        (0..3).filter(move |&at| wanted[at]).map(move |at| relations[first + at])
    }
}
