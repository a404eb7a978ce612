//! ELF files for x86-64 and i386, as far as the layout of twins looks into them (elf(5)).

use std::ops::Range;

use super::restring::room;

const PT_LOAD: u64 = 1;
const PF_X: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_GNU_EH_FRAME: u64 = 0x6474_e550;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;

/// A segment; none reaches beyond the end of the file.
pub(super) struct Segment {
    pub(super) kind: u64,
    pub(super) flags: u64,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) size: u64,
}

pub(super) fn number(bytes: &[u8], at: u64, size: usize) -> Option<u64> {
    let at = usize::try_from(at).ok()?;
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

pub(super) fn write(bytes: &mut [u8], at: u64, value: &[u8]) {
    if let Ok(at) = usize::try_from(at)
        && let Some(place) = bytes.get_mut(at..at + value.len())
    {
        place.copy_from_slice(value);
    }
}

/// Where files of 64 bits, or of 32, have what is needed of them.
struct Layout {
    /// Size of an address.
    word: usize,
    /// In the header: where the table of segments is, and how many there are.
    table: u64,
    count: u64,
    /// Size of an entry of that, and in it flags, offset, address and size.
    entry: u64,
    fields: [u64; 4],
    /// Size of a symbol, and in it the value and the size of what it stands for.
    symbol: [u64; 3],
}

const LAYOUT_64: Layout =
    Layout { word: 8, table: 32, count: 56, entry: 56, fields: [4, 8, 16, 32], symbol: [24, 8, 16] };
const LAYOUT_32: Layout =
    Layout { word: 4, table: 28, count: 44, entry: 32, fields: [24, 4, 8, 16], symbol: [16, 4, 8] };

fn layout(bytes: &[u8]) -> &'static Layout {
    if is_64_bits(bytes) { &LAYOUT_64 } else { &LAYOUT_32 }
}

pub(super) fn is_64_bits(bytes: &[u8]) -> bool {
    bytes.get(4) == Some(&2)
}

pub(super) fn segments(bytes: &[u8]) -> Vec<Segment> {
    let layout = layout(bytes);
    let (Some(table), Some(count)) =
        (number(bytes, layout.table, layout.word), number(bytes, layout.count, 2))
    else {
        return Vec::new();
    };
    let of = |index: u64| {
        let place = table.checked_add(index * layout.entry)?;
        let field = |at: u64, size| number(bytes, place.checked_add(at)?, size);
        let [flags, offset, address, size] = layout.fields;
        let (offset, size) = (field(offset, layout.word)?, field(size, layout.word)?);
        let inside = offset.checked_add(size)? <= bytes.len() as u64;
        let segment = Segment {
            kind: field(0, 4)?,
            flags: field(flags, 4)?,
            offset,
            address: field(address, layout.word)?,
            size,
        };
        (inside && segment.address.checked_add(size).is_some()).then_some(segment)
    };
    (0..count).filter_map(of).collect()
}

pub(super) fn loaded(segments: &[Segment]) -> impl Iterator<Item = &Segment> {
    segments.iter().filter(|segment| segment.kind == PT_LOAD)
}

pub(super) fn address(segments: &[Segment], offset: u64) -> Option<u64> {
    let of = |segment: &&Segment| (segment.offset..segment.offset + segment.size).contains(&offset);
    loaded(segments).find(of).map(|segment| segment.address + (offset - segment.offset))
}

pub(super) fn offset(segments: &[Segment], address: u64) -> Option<u64> {
    let of = |segment: &&Segment| (segment.address..segment.address + segment.size).contains(&address);
    loaded(segments).find(of).map(|segment| segment.offset + (address - segment.address))
}

/// The entries of the dynamic section: tag and value.
pub(super) fn dynamic(bytes: &[u8], segments: &[Segment]) -> Vec<(u64, u64)> {
    let word = layout(bytes).word;
    let section = segments.iter().find(|segment| segment.kind == PT_DYNAMIC);
    let places = section.map_or(0..0, |section| section.offset..section.offset + section.size);
    let entries = places
        .step_by(2 * word)
        .map_while(|at| Some((number(bytes, at, word)?, number(bytes, at + word as u64, word)?)));
    entries.take_while(|(tag, _)| *tag != 0).collect()
}

/// The libraries that a program or library wants loaded.
pub(super) fn needed(bytes: &[u8]) -> Vec<String> {
    let segments = segments(bytes);
    let entries = dynamic(bytes, &segments);
    let strings = entries.iter().find(|(tag, _)| *tag == DT_STRTAB);
    let Some(strings) = strings.and_then(|(_, at)| offset(&segments, *at)) else { return Vec::new() };
    let text = |at: u64| {
        let rest = bytes.get(usize::try_from(strings.checked_add(at)?).ok()?..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    };
    entries.iter().filter(|(tag, _)| *tag == DT_NEEDED).filter_map(|(_, at)| text(*at)).collect()
}

/// Where the code of a function is that the file exports.
pub(super) fn function(bytes: &[u8], name: &str) -> Option<Range<usize>> {
    let Layout { word, symbol, .. } = layout(bytes);
    let segments = segments(bytes);
    let entries = dynamic(bytes, &segments);
    let place_of = |tag: u64| {
        let (_, address) = entries.iter().find(|(of, _)| *of == tag)?;
        offset(&segments, *address)
    };
    let strings = place_of(DT_STRTAB)?;
    // The dynamic section does not tell how many symbols there are; linkers put their names behind them.
    let symbols = place_of(DT_SYMTAB)?..strings;
    let [size, value, length] = *symbol;
    let wanted = [name.as_bytes(), b"\0"].concat();
    let is_it = |at: &u64| {
        let place = number(bytes, *at, 4).and_then(|of| usize::try_from(strings.checked_add(of)?).ok());
        place.and_then(|place| bytes.get(place..)).is_some_and(|text| text.starts_with(&wanted))
    };
    let at = symbols.step_by(usize::try_from(size).ok()?).find(is_it).filter(|_| !name.is_empty())?;
    let start = usize::try_from(offset(&segments, number(bytes, at + value, *word)?)?).ok()?;
    let end = start.checked_add(usize::try_from(number(bytes, at + length, *word)?).ok()?)?;
    (end <= bytes.len()).then_some(start..end)
}

/// Where the code of each function is, as the table for unwinding says (.eh_frame_hdr, in the form that linkers write): programs
/// without symbols have it too. What is between the functions belongs to the one before.
pub(super) fn functions(bytes: &[u8]) -> Vec<Range<usize>> {
    let segments = segments(bytes);
    let find = || {
        let header = segments.iter().find(|segment| segment.kind == PT_GNU_EH_FRAME)?;
        // Version; how addresses and counts are written: 4 bytes, relative to where they are, as they are, relative to the header.
        let form = number(bytes, header.offset, 4)?;
        (form == u64::from_le_bytes([1, 0x1b, 0x03, 0x3b, 0, 0, 0, 0])).then_some(())?;
        let count = number(bytes, header.offset + 8, 4)?;
        let code = |index: u64| {
            let distance = number(bytes, header.offset + 12 + 8 * index, 4)?;
            let distance = i64::from(u32::try_from(distance).ok()?.cast_signed());
            header.address.checked_add_signed(distance)
        };
        (0..count).map(code).collect::<Option<Vec<u64>>>()
    };
    let Some(mut starts) = find() else { return Vec::new() };
    starts.sort_unstable();
    let code: Vec<&Segment> = loaded(&segments).filter(|segment| segment.flags & PF_X != 0).collect();
    // Linkers write one, or two.
    if code.len() > 4 {
        return Vec::new();
    }
    let of = |(start, next): (u64, Option<u64>)| {
        let segment =
            code.iter().find(|segment| (segment.address..segment.address + segment.size).contains(&start))?;
        let end = segment.address + segment.size;
        let place = |address: u64| usize::try_from(segment.offset + (address - segment.address)).ok();
        Some(place(start)?..place(next.map_or(end, |next| next.min(end)))?)
    };
    let next = starts.iter().skip(1).copied().map(Some).chain([None]);
    starts.iter().copied().zip(next).filter_map(of).collect()
}

/// Has a program want one more library, before all others; false where there is no place to say so.
pub(super) fn need_first(bytes: &mut [u8], name: &str) -> bool {
    let word = layout(bytes).word;
    let segments = segments(bytes);
    let entries = dynamic(bytes, &segments);
    let Some(section) = segments.iter().find(|segment| segment.kind == PT_DYNAMIC) else { return false };
    // Linkers leave empty entries; the last one stays what ends them.
    if section.size / (2 * word as u64) < entries.len() as u64 + 2 {
        return false;
    }
    let Some((_, strings)) = entries.iter().find(|(tag, _)| *tag == DT_STRTAB) else { return false };
    let text = [name.as_bytes(), b"\0"].concat();
    let Some((place, address)) = room(bytes, &segments, text.len()) else { return false };
    bytes[place..place + text.len()].copy_from_slice(&text);
    let first = (DT_NEEDED, address.wrapping_sub(*strings));
    let all = std::iter::once(first).chain(entries).chain([(0, 0)]);
    for (at, (tag, value)) in (section.offset..).step_by(2 * word).zip(all) {
        write(bytes, at, &tag.to_le_bytes()[..word]);
        write(bytes, at + word as u64, &value.to_le_bytes()[..word]);
    }
    true
}

/// What tests make programs of.
#[cfg(test)]
pub(super) mod made {
    use super::write;

    /// A program with room for that many bytes and these segments: kind, flags, offset, address and size.
    pub(in super::super) fn program(size: usize, segments: &[(u32, u32, u64, u64, u64)]) -> Vec<u8> {
        let mut bytes = vec![0; size];
        write(&mut bytes, 0, b"\x7fELF\x02\x01");
        write(&mut bytes, 32, &64_u64.to_le_bytes());
        write(&mut bytes, 56, &u16::try_from(segments.len()).unwrap().to_le_bytes());
        for (at, (kind, flags, offset, address, size)) in (64..).step_by(56).zip(segments) {
            write(&mut bytes, at, &kind.to_le_bytes());
            write(&mut bytes, at + 4, &flags.to_le_bytes());
            for (place, value) in [(8, offset), (16, address), (32, size)] {
                write(&mut bytes, at + place, &value.to_le_bytes());
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program whose dynamic section has room for so many entries; two are a library and where names are.
    fn program(entries: u64) -> Vec<u8> {
        let segments =
            [(1, 4, 0x110, 0x1110, 0x10), (1, 6, 0x200, 0x3200, 0x100), (2, 6, 0x200, 0x3200, entries * 16)];
        let mut bytes = made::program(0x300, &segments);
        write(&mut bytes, 0x110, b"\0libc.so\0");
        for (at, value) in [(0x200, DT_NEEDED), (0x208, 1), (0x210, DT_STRTAB), (0x218, 0x1110)] {
            write(&mut bytes, at, &value.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_library_comes_before_those_that_a_program_wants_already() {
        let mut bytes = program(5);
        assert!(need_first(&mut bytes, "liba.so"));
        // Names are found from the address of their table on; the new one is behind the segment that has them.
        let entries = dynamic(&bytes, &segments(&bytes));
        assert_eq!(entries, [(DT_NEEDED, 0x10), (DT_NEEDED, 1), (DT_STRTAB, 0x1110)]);
        assert_eq!(&bytes[0x120..0x128], b"liba.so\0");
        assert_eq!(number(&bytes, 0x230, 8), Some(0));
    }

    #[test]
    fn a_program_of_32_bits_is_no_other() {
        let mut bytes = vec![0; 0x300];
        write(&mut bytes, 0, b"\x7fELF\x01\x01");
        let words: [(u64, u32); 20] = [
            (28, 52),
            (44, 3),
            // Type, offset, address, size and flags of the segments: names, data, and in that the dynamic section.
            (52, 1),
            (56, 0x110),
            (60, 0x1110),
            (68, 0x10),
            (76, 4),
            (84, 1),
            (88, 0x200),
            (92, 0x3200),
            (100, 0x100),
            (108, 6),
            (116, 2),
            (120, 0x200),
            (124, 0x3200),
            (132, 0x28),
            (140, 6),
            (0x204, 1),
            (0x208, 5),
            (0x20c, 0x1110),
        ];
        write(&mut bytes, 0x200, &[1]);
        write(&mut bytes, 0x110, b"\0libc.so\0");
        for (at, value) in words {
            write(&mut bytes, at, &value.to_le_bytes());
        }
        assert_eq!(needed(&bytes), ["libc.so"]);
        assert!(need_first(&mut bytes, "liba.so"));
        let entries = dynamic(&bytes, &segments(&bytes));
        assert_eq!(entries, [(DT_NEEDED, 0x10), (DT_NEEDED, 1), (DT_STRTAB, 0x1110)]);
        assert_eq!(needed(&bytes), ["liba.so", "libc.so"]);
    }

    #[test]
    fn the_library_for_obstacks_is_one() {
        let library = archmill_obstack::library(64);
        let segments = segments(library);
        assert_eq!(segments.len(), 4);
        assert_eq!(dynamic(library, &segments).len(), 6);
        assert!(memchr::memmem::find(library, b"\0_obstack_begin\0").is_some());
        assert!(archmill_obstack::library(80).is_empty());
    }

    #[test]
    fn a_program_without_an_empty_entry_stays_as_it_is() {
        for mut bytes in [program(3), vec![0; 200], b"\x7fELF".to_vec()] {
            let before = bytes.clone();
            assert!(!need_first(&mut bytes, "liba.so"));
            assert_eq!(bytes, before);
        }
    }
}
