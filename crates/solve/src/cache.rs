//! A universe as bytes, to be kept between runs: reading it back is many times faster than reading the
//! indices anew. The texts themselves are not among the bytes; they are kept as the index files they are.
//!
//! Bytes: a magic word, the format's version, a checksum of what follows; then the tables, numbers in
//! little endian. Whatever does not fit together is refused, and the universe is made from the texts.

use std::hash::Hasher as _;
use std::sync::OnceLock;

use archmill_deb::{Arch, MultiArch};
use rustc_hash::FxHasher;

use crate::ids::{ArchId, NameId, PackageId, SlotId};
use crate::index::IndexText;
use crate::load::{LoadProblem, name_slots};
use crate::names::NameTable;
use crate::rank::Mentions;
use crate::universe::{PackageRow, Provider, Shadowed, Slot, Span, Universe};

const MAGIC: &[u8; 8] = b"archmlU\n";
/// Goes up with every change of the format or of what is read from an index.
const FORMAT: u32 = 2;
const NONE: u32 = u32::MAX;
const HEADER: usize = 20;

/// Why bytes are no universe; all but the first mean that they are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// Made from other texts, for other architectures or by another version of this program.
    #[error("the cached tables belong to other indices or another version")]
    Stale,
    /// Not what was written.
    #[error("the cached tables are damaged")]
    Damaged,
}

impl Universe {
    /// The tables as bytes, for [`from_bytes`](Self::from_bytes).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer { bytes: Vec::with_capacity(128 * self.packages.len() + 4096) };
        out.number(self.arches.len());
        for arch in &self.arches {
            out.text(arch.as_str());
        }
        out.number(self.texts.len());
        for (index, ordered) in self.texts.iter().zip(&self.in_archive_order) {
            out.identity(index);
            out.bytes.push(u8::from(*ordered));
        }
        out.number(self.problems.len());
        for problem in &self.problems {
            out.text(&problem.origin);
            out.number(problem.line);
            out.text(&problem.package);
            out.text(&problem.what);
        }
        out.number(self.names.len());
        for name in self.names.iter() {
            out.text(name);
        }
        out.number(self.slots.len());
        for slot in &self.slots {
            let candidate = slot.candidate.map_or(NONE, |candidate| candidate.0);
            out.all(&[slot.name.0, u32::from(slot.arch.0), slot.first, slot.end, candidate]);
        }
        out.number(self.packages.len());
        for row in &self.packages {
            out.row(row);
        }
        out.number(self.shadowed.len());
        for shadowed in &self.shadowed {
            out.all(&[shadowed.name.0, u32::from(shadowed.arch.0)]);
            out.row(&shadowed.row);
        }
        out.numbers(&self.provider_ranges);
        out.number(self.providers.len());
        for provider in &self.providers {
            let version = provider.version.unwrap_or(Span { start: NONE, len: 0 });
            let arch = provider.arch.map_or(NONE, |arch| u32::from(arch.0));
            out.all(&[provider.package.0, version.start, version.len, arch]);
        }
        out.mentions(&self.mentions.get_or_init(|| Mentions::of(self)).numbers);
        out.seal()
    }

    /// Reads tables back that were made from these very texts, in this order, for these architectures.
    pub fn from_bytes(
        bytes: &[u8],
        texts: Vec<IndexText>,
        native: &Arch,
        foreign: &[Arch],
    ) -> Result<Self, CacheError> {
        let mut from = Reader::open(bytes)?;
        let arches = from.list(|from| from.text()?.parse::<Arch>().map_err(|_| CacheError::Damaged))?;
        let mut wanted = vec![native];
        for arch in foreign {
            if !wanted.contains(&arch) {
                wanted.push(arch);
            }
        }
        if !arches.iter().eq(wanted) || from.number()? != texts.len() {
            return Err(CacheError::Stale);
        }
        let mut in_archive_order = Vec::new();
        for index in &texts {
            from.expect_identity(index)?;
            in_archive_order.push(from.u8()? != 0);
        }
        let problems = from.list(|from| {
            let (origin, line) = (from.text()?.to_owned(), from.number()?);
            Ok(LoadProblem { origin, line, package: from.text()?.to_owned(), what: from.text()?.to_owned() })
        })?;
        let mut names = NameTable::default();
        for _ in 0..from.number()? {
            names.intern(from.text()?);
        }
        let slots = from.list(Reader::slot)?;
        let packages = from.list(Reader::row)?;
        let shadowed = from
            .list(|from| Ok(Shadowed { name: NameId(from.u32()?), arch: from.arch()?, row: from.row()? }))?;
        let provider_ranges = from.list(Reader::u32)?;
        let providers = from.list(Reader::provider)?;
        let mentions = from.list(Reader::u32)?;
        if mentions.len() != names.len() {
            return Err(CacheError::Damaged);
        }
        let numbers =
            mentions.into_iter().map(|number| Some(number).filter(|&number| number != NONE)).collect();
        let mut universe = Self {
            in_archive_order,
            deps: packages.iter().map(|_| OnceLock::new()).collect(),
            names,
            name_slots: Vec::new(),
            slots,
            packages,
            shadowed,
            provider_ranges,
            providers,
            mentions: OnceLock::from(Mentions { numbers }),
            problems,
            arches,
            texts,
        };
        if !from.rest.is_empty() || !universe.fits_together() {
            return Err(CacheError::Damaged);
        }
        universe.name_slots = name_slots(&universe.slots, universe.names.len());
        Ok(universe)
    }

    /// Whether every number in the tables is one of something that there is.
    fn fits_together(&self) -> bool {
        let (names, slots, packages) = (self.names.len(), self.slots.len(), self.packages.len());
        let ranges = |ranges: &[u32], end: usize| {
            ranges.len() == names + 1
                && ranges.is_sorted()
                && ranges.last().is_some_and(|&last| last as usize == end)
        };
        let slot_fits = |slot: &Slot| {
            slot.name.index() < names
                && slot.arch.index() < self.arches.len()
                && slot.first < slot.end
                && slot.end as usize <= packages
                && slot.candidate.is_none_or(|candidate| (slot.first..slot.end).contains(&candidate.0))
        };
        ranges(&self.provider_ranges, self.providers.len())
            && self.slots.iter().all(slot_fits)
            && self
                .packages
                .iter()
                .all(|row| row.slot.index() < slots && usize::from(row.text) < self.texts.len())
            && self.shadowed.iter().all(|shadowed| {
                shadowed.name.index() < names
                    && shadowed.arch.index() < self.arches.len()
                    && usize::from(shadowed.row.text) < self.texts.len()
            })
            && self.providers.iter().all(|provider| {
                provider.package.index() < packages
                    && provider.arch.is_none_or(|arch| arch.index() < self.arches.len())
            })
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn u32(&mut self, number: u32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    // Sizes are bounded by those of the texts, which are below 4 GiB.
    #[allow(clippy::cast_possible_truncation)]
    fn number(&mut self, number: usize) {
        self.u32(number as u32);
    }

    fn numbers(&mut self, numbers: &[u32]) {
        self.number(numbers.len());
        self.all(numbers);
    }

    fn all(&mut self, numbers: &[u32]) {
        for &number in numbers {
            self.u32(number);
        }
    }

    fn mentions(&mut self, numbers: &[Option<u32>]) {
        self.number(numbers.len());
        for number in numbers {
            self.u32(number.unwrap_or(NONE));
        }
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn span(&mut self, span: Span) {
        self.u32(span.start);
        self.u32(span.len);
    }

    fn identity(&mut self, index: &IndexText) {
        self.text(&index.origin);
        self.bytes.extend_from_slice(&index.priority.to_le_bytes());
        self.number(index.text.len());
        self.bytes.extend_from_slice(&checksum(index.text.as_bytes()).to_le_bytes());
    }

    fn row(&mut self, row: &PackageRow) {
        self.u32(row.slot.0);
        self.u32(u32::from(row.text));
        let multi_arch = MULTI_ARCH.iter().position(|&known| known == row.multi_arch).unwrap_or(0);
        let flags = [row.priority, u8::from(row.essential), u8::from(row.protected)];
        self.bytes.extend_from_slice(&flags);
        self.number(multi_arch);
        self.span(row.stanza);
        self.span(row.version);
        for &span in &row.relations {
            self.span(span);
        }
    }

    fn seal(self) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(HEADER + self.bytes.len());
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&FORMAT.to_le_bytes());
        sealed.extend_from_slice(&checksum(&self.bytes).to_le_bytes());
        sealed.extend_from_slice(&self.bytes);
        sealed
    }
}

const MULTI_ARCH: [MultiArch; 4] = [MultiArch::No, MultiArch::Same, MultiArch::Foreign, MultiArch::Allowed];

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn open(bytes: &'b [u8]) -> Result<Self, CacheError> {
        let mut reader = Self { rest: bytes };
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(CacheError::Damaged);
        }
        if reader.u32()? != FORMAT {
            return Err(CacheError::Stale);
        }
        let sum = reader.u64()?;
        if checksum(reader.rest) == sum { Ok(reader) } else { Err(CacheError::Damaged) }
    }

    fn take(&mut self, count: usize) -> Result<&'b [u8], CacheError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CacheError::Damaged)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CacheError> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| CacheError::Damaged)
    }

    fn u8(&mut self) -> Result<u8, CacheError> {
        Ok(self.array::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32, CacheError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, CacheError> {
        self.array().map(u64::from_le_bytes)
    }

    fn number(&mut self) -> Result<usize, CacheError> {
        Ok(self.u32()? as usize)
    }

    fn text(&mut self) -> Result<&'b str, CacheError> {
        let length = self.number()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| CacheError::Damaged)
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, CacheError>) -> Result<Vec<T>, CacheError> {
        let length = self.number()?;
        // A list cannot have more entries than bytes are left.
        let mut list = Vec::with_capacity(length.min(self.rest.len()));
        for _ in 0..length {
            list.push(read(self)?);
        }
        Ok(list)
    }

    fn expect_identity(&mut self, index: &IndexText) -> Result<(), CacheError> {
        let origin = self.text()?;
        let priority = i32::from_le_bytes(self.array()?);
        let (length, sum) = (self.number()?, self.u64()?);
        let same = origin == index.origin
            && priority == index.priority
            && length == index.text.len()
            && sum == checksum(index.text.as_bytes());
        if same { Ok(()) } else { Err(CacheError::Stale) }
    }

    fn span(&mut self) -> Result<Span, CacheError> {
        Ok(Span { start: self.u32()?, len: self.u32()? })
    }

    fn arch(&mut self) -> Result<ArchId, CacheError> {
        u8::try_from(self.u32()?).map(ArchId).map_err(|_| CacheError::Damaged)
    }

    fn slot(&mut self) -> Result<Slot, CacheError> {
        let (name, arch, first, end) = (NameId(self.u32()?), self.arch()?, self.u32()?, self.u32()?);
        let candidate = Some(self.u32()?).filter(|&candidate| candidate != NONE).map(PackageId);
        Ok(Slot { name, arch, first, end, candidate })
    }

    fn row(&mut self) -> Result<PackageRow, CacheError> {
        let slot = SlotId(self.u32()?);
        let text = u16::try_from(self.u32()?).map_err(|_| CacheError::Damaged)?;
        let [priority, essential, protected] = self.array()?;
        let multi_arch = *MULTI_ARCH.get(self.number()?).ok_or(CacheError::Damaged)?;
        Ok(PackageRow {
            slot,
            text,
            priority,
            essential: essential != 0,
            protected: protected != 0,
            multi_arch,
            stanza: self.span()?,
            version: self.span()?,
            relations: [self.span()?, self.span()?, self.span()?, self.span()?],
        })
    }

    fn provider(&mut self) -> Result<Provider, CacheError> {
        let package = PackageId(self.u32()?);
        let version = Some(self.span()?).filter(|version| version.start != NONE);
        let arch = self.u32()?;
        let arch = match u8::try_from(arch) {
            Ok(arch) => Some(ArchId(arch)),
            Err(_) if arch == NONE => None,
            Err(_) => return Err(CacheError::Damaged),
        };
        Ok(Provider { package, version, arch })
    }
}
