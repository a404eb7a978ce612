//! Relations that were read are written so that they are read alike.
#![no_main]

use archmill_deb::{Arch, Relations};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(relations) = Relations::parse(text) else { return };
    assert_eq!(Relations::parse(&relations.to_string()).as_ref(), Ok(&relations));
    let reduced = relations.reduce(&Arch::AMD64, &["nocheck".to_owned()]);
    assert_eq!(reduced.reduce(&Arch::AMD64, &[]), reduced);
});
