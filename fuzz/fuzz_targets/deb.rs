//! Binary packages: the ar archive, decompression and the control archive, then the data archive's members.
#![no_main]

use std::io::Cursor;

use archmill_deb::deb::{DebError, DebReader};
use archmill_deb::members::Bounds;
use libfuzzer_sys::fuzz_target;

/// Data archives may be of any size, so somebody must say when it is enough.
const MEMBERS: u64 = 1000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = DebReader::new(Cursor::new(bytes.to_vec())) else { return };
    let Ok(control) = reader.control() else { return };
    let unpacked: usize = control.files.values().map(|(_, content)| content.len()).sum();
    assert!(unpacked <= 64 << 20);
    let _ = control.stanza();
    let bounds = Bounds { bytes: 256 << 20, members: MEMBERS, ..Bounds::default() };
    let _ = reader.each_member(bounds, |member| {
        let mut start = [0; 512];
        let _ = member.content.read(&mut start)?;
        Ok::<(), DebError>(())
    });
});
