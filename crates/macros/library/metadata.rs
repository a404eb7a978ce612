//! What a library of procedural macros tells of itself to rustc: its section `.rustc`.
//!
//! rustc takes only a library that names rustc's own machine. That name is one string in the root of the description,
//! which lies at its end and refers backwards only, so another name can take its place. Nothing else differs: not the hash by
//! which those that use the library refer to it.
//!
//! Sources: `rustc_metadata::locator::get_metadata_section`, `rustc_metadata::rmeta` and the format of snappy's frames.

use crate::bytes::Bytes;

/// The machine of Debian's rustc for amd64.
const HOST: &[u8] = b"x86_64-unknown-linux-gnu";
const HEADER: &[u8] = b"rust\0\0\0";
const SNAPPY: &[u8] = b"\xff\x06\x00\x00sNaPpY";
/// Behind every string.
const SENTINEL: u8 = 0xc1;

/// The description in a library, for this machine: where rustc finds a file that is no library it takes all of it for the description.
pub fn described(file: &[u8]) -> Option<Bytes> {
    let section = section(file, b".rustc")?;
    let rest = section.strip_prefix(HEADER)?.get(1..)?;
    let mut made = Bytes::new();
    made.push(section.get(..HEADER.len() + 1)?);
    if rest.starts_with(SNAPPY) {
        // Older versions (1.63 among them) compress it.
        let plain = inflated(rest)?;
        let at = plain.slice().get(8..12)?;
        let root = u32::from_be_bytes(at.try_into().ok()?) as usize;
        deflated(renamed(plain.slice(), root)?.slice(), &mut made);
    } else {
        let size = usize::try_from(number(rest, 0, 8)?).ok()?;
        let plain = rest.get(8..)?.get(..size)?;
        let root = usize::try_from(number(plain, 8, 8)?).ok()?;
        let renamed = renamed(plain, root)?;
        made.push(&(renamed.slice().len() as u64).to_le_bytes());
        made.push(renamed.slice());
    }
    Some(made)
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// The content of a section (elf(5)).
fn section<'a>(elf: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = |place: usize, size: usize| usize::try_from(number(elf, place, size)?).ok();
    let (headers, size, count) = (at(40, 8)?, at(58, 2)?, at(60, 2)?);
    let header = |index: usize| headers.checked_add(index.checked_mul(size)?);
    let content = |header: usize| {
        let start = at(header + 24, 8)?;
        elf.get(start..start.checked_add(at(header + 32, 8)?)?)
    };
    let names = content(header(at(62, 2)?)?)?;
    (0..count).find_map(|index| {
        let header = header(index)?;
        let named = names.get(at(header, 4)?..)?;
        (named.starts_with(name) && named.get(name.len()) == Some(&0)).then(|| content(header))?
    })
}

/// The description with the name of this machine in its root.
fn renamed(plain: &[u8], root: usize) -> Option<Bytes> {
    const PART: &[u8] = b"-unknown-linux-";
    let near = plain.get(root..)?;
    let near = &near[..near.len().min(1024)];
    let part = root + near.windows(PART.len()).position(|window| window == PART)?;
    let of_name = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_';
    let start = part - plain[root..part].iter().rev().take_while(|byte| of_name(byte)).count();
    let length = start.checked_sub(1).filter(|at| *at >= root)?;
    let end = start + usize::from(plain[length]);
    if end < part + PART.len() || plain.get(end) != Some(&SENTINEL) {
        return None;
    }
    let mut made = Bytes::new();
    made.push(&plain[..length]);
    made.push(&[HOST.len() as u8]);
    made.push(HOST);
    made.push(&plain[end..]);
    Some(made)
}

fn inflated(mut frames: &[u8]) -> Option<Bytes> {
    let mut plain = Bytes::new();
    while !frames.is_empty() {
        let size = usize::try_from(number(frames, 1, 3)?).ok()?;
        let chunk = frames.get(4..4 + size)?;
        match frames[0] {
            0 => inflate(chunk.get(4..)?, &mut plain)?,
            1 => plain.push(chunk.get(4..)?),
            // To be skipped.
            0x80..=0xff => {}
            _ => return None,
        }
        frames = &frames[4 + size..];
    }
    Some(plain)
}

/// One block.
fn inflate(mut block: &[u8], plain: &mut Bytes) -> Option<()> {
    let start = plain.slice().len();
    let mut size = 0_usize;
    let mut shift = 0;
    loop {
        let (byte, rest) = block.split_first()?;
        block = rest;
        size |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
        if shift > 28 {
            return None;
        }
    }
    while let Some((tag, rest)) = block.split_first() {
        let high = usize::from(tag >> 2);
        let (offset, length, used) = match tag & 3 {
            0 if high < 60 => (0, high + 1, 0),
            0 => (0, usize::try_from(number(rest, 0, high - 59)?).ok()? + 1, high - 59),
            1 => ((high >> 3) << 8 | usize::from(*rest.first()?), (high & 7) + 4, 1),
            2 => (usize::try_from(number(rest, 0, 2)?).ok()?, high + 1, 2),
            _ => (usize::try_from(number(rest, 0, 4)?).ok()?, high + 1, 4),
        };
        block = rest.get(used..)?;
        if tag & 3 == 0 {
            plain.push(block.get(..length)?);
            block = &block[length..];
            continue;
        }
        if offset == 0 || offset > plain.slice().len() - start {
            return None;
        }
        // What is copied may reach into the copy.
        for _ in 0..length {
            let byte = plain.slice()[plain.slice().len() - offset];
            plain.push(&[byte]);
        }
    }
    (plain.slice().len() - start == size).then_some(())
}

/// Frames that are not compressed.
fn deflated(plain: &[u8], to: &mut Bytes) {
    to.push(SNAPPY);
    for chunk in plain.chunks(1 << 16) {
        to.push(&[1]);
        to.push(&(chunk.len() as u32 + 4).to_le_bytes()[..3]);
        to.push(&checksum(chunk).to_le_bytes());
        to.push(chunk);
    }
}

/// CRC-32C, masked.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}
