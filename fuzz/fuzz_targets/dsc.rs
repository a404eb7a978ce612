//! Documents, signed or not. No file name in a .dsc may lead out of its folder.
#![no_main]

use std::path::{Component, Path};

use archmill_deb::{Changes, Dsc};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Changes::parse(text).map(|changes| changes.installed_build_depends());
    let Ok(dsc) = Dsc::parse(text) else { return };
    for file in &dsc.record.files {
        let mut parts = Path::new(&file.name).components();
        assert!(matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)));
    }
    assert_eq!(Dsc::parse(&dsc.text).map(|again| again.record), Ok(dsc.record));
});
