//! Binary packages: the ar archive, decompression and the control archive, then the data archive's headers.
#![no_main]

use std::io::Cursor;

use archmill_deb::deb::DebReader;
use libfuzzer_sys::fuzz_target;

/// Data archives may be of any size, so somebody must say when it is enough.
const ENTRIES: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = DebReader::new(Cursor::new(bytes.to_vec())) else { return };
    let Ok(control) = reader.control() else { return };
    let unpacked: usize = control.files.values().map(|(_, content)| content.len()).sum();
    assert!(unpacked <= 64 << 20);
    let _ = control.stanza();
    let Ok(mut data) = reader.data() else { return };
    let Ok(entries) = data.entries() else { return };
    for entry in entries.take(ENTRIES) {
        if entry.is_err() {
            break;
        }
    }
});
