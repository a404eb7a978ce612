//! ELF files for x86-64, as far as the layout of twins looks into them (elf(5)).

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

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

pub(super) fn segments(bytes: &[u8]) -> Vec<Segment> {
    let (Some(table), Some(count)) = (number(bytes, 32, 8), number(bytes, 56, 2)) else { return Vec::new() };
    let of = |index: u64| {
        let place = table.checked_add(index * 56)?;
        let field = |at: u64, size| number(bytes, place.checked_add(at)?, size);
        let (offset, size) = (field(8, 8)?, field(32, 8)?);
        let inside = offset.checked_add(size)? <= bytes.len() as u64;
        let segment =
            Segment { kind: field(0, 4)?, flags: field(4, 4)?, offset, address: field(16, 8)?, size };
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
    let section = segments.iter().find(|segment| segment.kind == PT_DYNAMIC);
    let places = section.map_or(0..0, |section| section.offset..section.offset + section.size).step_by(16);
    let entries = places.map_while(|at| Some((number(bytes, at, 8)?, number(bytes, at + 8, 8)?)));
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
