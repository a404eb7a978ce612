//! Another text for a string in a program: it is written where the file has room, and what refers to the old one is made
//! to refer to it. So it may be longer, and whoever refers to the end of the old one still does.

use super::elf::{Segment, address, dynamic, is_64_bits, loaded, number, offset, segments, write};

const PF_X: u64 = 1;
const PF_W: u64 = 2;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const R_X86_64_RELATIVE: u64 = 8;
const PAGE: u64 = 4096;

/// Gives a whole string of an ELF file for x86-64 another text; tells whether something refers to it. Files for i386 stay as they
/// are: there code has the address of a string from a register.
pub(super) fn replace(bytes: &mut [u8], from: &str, to: &str) -> bool {
    if !is_64_bits(bytes) {
        return false;
    }
    let segments = segments(bytes);
    // What is before it may be anything: a string is where something refers to.
    let whole = [from.as_bytes(), b"\0"].concat();
    let found: Vec<u64> =
        memchr::memmem::find_iter(bytes, &whole).filter_map(|at| address(&segments, at as u64)).collect();
    if found.is_empty() {
        return false;
    }
    let text = [to.as_bytes(), b"\0"].concat();
    let Some((place, new)) = room(bytes, &segments, text.len()) else { return false };
    let mut changed = false;
    for old in found {
        changed |= in_code(bytes, &segments, old, new) | in_relocations(bytes, &segments, old, new);
    }
    if changed {
        bytes[place..place + text.len()].copy_from_slice(&text);
    }
    changed
}

/// The rest of the last page of a segment that nobody writes to is mapped with it, and is zeros: where, and with which
/// address.
pub(super) fn room(bytes: &[u8], segments: &[Segment], size: usize) -> Option<(usize, u64)> {
    for segment in loaded(segments).filter(|segment| segment.flags & PF_W == 0) {
        let end = segment.offset + segment.size;
        let later = loaded(segments).map(|other| other.offset).filter(|offset| *offset >= end);
        let limit = later.chain([end.next_multiple_of(PAGE), bytes.len() as u64]).min()?;
        let (start, limit) = (usize::try_from(end).ok()?, usize::try_from(limit).ok()?);
        let free = &bytes[start..limit];
        // An earlier one may have been put there; a zero must be left behind it.
        let used = free.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 2);
        if used + size <= free.len() {
            return Some((start + used, segment.address + segment.size + used as u64));
        }
    }
    None
}

/// `lea` relative to the instruction pointer is what compilers take the address of a string with.
fn in_code(bytes: &mut [u8], segments: &[Segment], old: u64, new: u64) -> bool {
    let mut changed = false;
    for segment in loaded(segments).filter(|segment| segment.flags & PF_X != 0 && segment.size > 7) {
        for at in segment.offset + 3..segment.offset + segment.size - 3 {
            let (Ok(place), next) = (usize::try_from(at), segment.address + (at - segment.offset) + 4) else {
                continue;
            };
            let lea = matches!(bytes[place - 3..place], [0x48 | 0x4c, 0x8d, mode] if mode & 0xc7 == 5);
            let way = |to: u64| u32::try_from(to.wrapping_sub(next) & 0xffff_ffff).unwrap_or(0);
            if lea && number(bytes, at, 4) == Some(u64::from(way(old))) {
                write(bytes, at, &way(new).to_le_bytes());
                changed = true;
            }
        }
    }
    changed
}

/// A pointer in data is made by the dynamic linker.
fn in_relocations(bytes: &mut [u8], segments: &[Segment], old: u64, new: u64) -> bool {
    let entries = dynamic(bytes, segments);
    let tag = |wanted: u64| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let (Some(table), Some(size)) = (tag(DT_RELA), tag(DT_RELASZ)) else { return false };
    let Some(table) = offset(segments, table) else { return false };
    let mut changed = false;
    for at in (table..table.saturating_add(size).min(bytes.len() as u64)).step_by(24) {
        if number(bytes, at + 8, 8) == Some(R_X86_64_RELATIVE) && number(bytes, at + 16, 8) == Some(old) {
            write(bytes, at + 16, &new.to_le_bytes());
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::super::elf::made;
    use super::*;

    #[test]
    fn what_is_no_program_stays_as_it_is() {
        for text in [&b""[..], b"\x7fELF", &[0; 100], &[0xff; 200]] {
            let mut bytes = [text, b"\0old\0"].concat();
            let before = bytes.clone();
            assert!(!replace(&mut bytes, "old", "longer"));
            assert_eq!(bytes, before);
        }
    }

    /// A segment of code with a string behind it, and one of data with the table of relocations.
    fn program() -> Vec<u8> {
        let segments =
            [(1, 5, 0x100, 0x1100, 0x40), (1, 6, 0x200, 0x3200, 0x80), (2, 6, 0x200, 0x3200, 0x30)];
        let mut bytes = made::program(0x300, &segments);
        write(&mut bytes, 0x100, &[0x48, 0x8d, 0x3d]);
        write(&mut bytes, 0x103, &(0x1121_u32 - 0x1107).to_le_bytes());
        write(&mut bytes, 0x120, b"\0old\0");
        for (at, value) in
            [(0x200, 7), (0x208, 0x3230), (0x210, 8), (0x218, 24), (0x238, 8), (0x240, 0x1121_u64)]
        {
            write(&mut bytes, at, &value.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn code_and_data_refer_to_the_new_text() {
        let mut bytes = program();
        assert!(replace(&mut bytes, "old", "a longer one"));
        assert_eq!(&bytes[0x140..0x14d], b"a longer one\0");
        assert_eq!(number(&bytes, 0x103, 4), Some(0x1140 - 0x1107));
        assert_eq!(number(&bytes, 0x240, 8), Some(0x1140));
        // What refers to a part of the old one finds it.
        assert_eq!(&bytes[0x120..0x125], b"\0old\0");
    }

    #[test]
    fn without_room_or_references_nothing_changes() {
        let before = program();
        for (from, to) in [("old", "x".repeat(0x200)), ("other", "y".to_owned()), ("ld", "z".to_owned())] {
            let mut bytes = before.clone();
            assert!(!replace(&mut bytes, from, &to));
            assert_eq!(bytes, before);
        }
    }
}
