//! Release files. No path may lead out of the archive.
#![no_main]

use archmill_deb::Release;
use archmill_deb::control::strip_signature;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(release) = Release::parse(&strip_signature(text)) else { return };
    assert!(release.files.keys().all(|path| !path.starts_with('/') && path.split('/').all(|part| part != "..")));
});
