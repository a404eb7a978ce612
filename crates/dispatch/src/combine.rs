//! Adds the code that chooses to a static QEMU.

/// Why it could not be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// Not what QEMU's static emulators in Debian are.
    #[error("the emulator cannot start twins: {0}")]
    Unfit(&'static str),
}

/// The code: position-independent, its head found by [`HEAD`].
pub(crate) const CODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/program.bin"));
/// Followed by 8 bytes for the way from the head to QEMU's entry point, and then by the code's own.
const HEAD: &[u8] = b"archmill-entry01";

const PAGE: u64 = 4096;
const PT_LOAD: u64 = 1;
const PT_NOTE: u64 = 4;
const READ_AND_EXECUTE: u64 = 5;

/// `qemu` with the code as one more segment, which a note gives its place in the program header for; the entry point is
/// the code's (elf(5)).
pub fn combine(qemu: &[u8]) -> Result<Vec<u8>, CombineError> {
    let unfit = CombineError::Unfit;
    let head = CODE.windows(HEAD.len()).position(|window| window == HEAD);
    let head = head.ok_or(unfit("archmill was built for a machine that twins are not for"))? as u64;
    if qemu.get(..6) != Some(b"\x7fELF\x02\x01") || number(qemu, 18, 2) != Some(62) {
        return Err(unfit("it is no program for x86-64"));
    }
    let truncated = unfit("its program header is damaged");
    let at = |place: u64, size: usize| number(qemu, usize::try_from(place).ok()?, size);
    let (Some(entry), Some(table), Some(count)) = (at(24, 8), at(32, 8), at(56, 2)) else {
        return Err(truncated);
    };
    let (mut end, mut last_load, mut note) = (0, None, None);
    for index in 0..count {
        let place = table + index * 56;
        let (Some(kind), Some(address), Some(size)) = (at(place, 4), at(place + 16, 8), at(place + 40, 8))
        else {
            return Err(truncated);
        };
        match kind {
            PT_LOAD => {
                end = end.max(address + size);
                last_load = Some(index);
            }
            // The kernel takes the order of segments for that of their addresses.
            PT_NOTE if last_load.is_some() => note = Some((index, place)),
            3 => return Err(unfit("it is not static")),
            _ => {}
        }
    }
    let Some((index, place)) = note else { return Err(unfit("it has no note to spare")) };
    if last_load.is_some_and(|load| load > index) {
        return Err(unfit("it has no note behind its segments"));
    }
    let mut whole = qemu.to_vec();
    whole.resize(qemu.len().next_multiple_of(4096), 0);
    let offset = whole.len() as u64;
    let address = end.next_multiple_of(PAGE);
    whole.extend_from_slice(CODE);
    let size = CODE.len() as u64;
    let way = entry.wrapping_sub(address + head);
    write(&mut whole, offset + head + HEAD.len() as u64, &way.to_le_bytes());
    let flags_and_kind = PT_LOAD | READ_AND_EXECUTE << 32;
    for (at, value) in [flags_and_kind, offset, address, address, size, size, PAGE].into_iter().enumerate() {
        write(&mut whole, place + at as u64 * 8, &value.to_le_bytes());
    }
    write(&mut whole, 24, &(address + head + HEAD.len() as u64 + 8).to_le_bytes());
    Ok(whole)
}

fn write(bytes: &mut [u8], at: u64, value: &[u8]) {
    if let Ok(at) = usize::try_from(at)
        && let Some(place) = bytes.get_mut(at..at + value.len())
    {
        place.copy_from_slice(value);
    }
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_static_program_of_this_machine_is_refused() {
        for text in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x02\x01", &[0x7f; 100]] {
            assert!(matches!(combine(text), Err(CombineError::Unfit(_))));
        }
        // This test itself needs a dynamic linker.
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(combine(&own), Err(CombineError::Unfit("it is not static")));
    }
}
