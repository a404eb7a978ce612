//! Stanzas, and records made of them.
#![no_main]

use archmill_deb::control::{stanzas, without_comments};
use archmill_deb::{BinaryRecord, SourceRecord};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let lines = text.split('\n').count();
    for stanza in stanzas(text) {
        match stanza {
            Err(error) => assert!((1..=lines).contains(&error.line)),
            Ok(stanza) => {
                assert!((1..=lines).contains(&stanza.line()));
                assert!(stanza.fields().all(|(name, value)| stanza.get(name) == Some(value)));
                let _ = SourceRecord::new(&stanza);
                if let Ok(record) = BinaryRecord::new(stanza) {
                    let _ = (record.version(), record.source(), record.depends(), record.size());
                }
            }
        }
    }
    let _ = stanzas(&without_comments(text)).count();
});
