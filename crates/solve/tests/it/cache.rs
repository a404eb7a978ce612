//! Tables that are kept between runs.

use archmill_solve::{IndexText, Universe};
use proptest::prelude::*;

use crate::world::{arch, installs, stanzas};

const LINES: &str = "a 1; Depends: v, b (>= 2)\nb 2 all; Provides: v (= 3); Multi-Arch: foreign\nb 1\n\
                     c 1 armhf; Multi-Arch: same; Conflicts: a\nd x!y";

fn texts() -> Vec<IndexText> {
    vec![
        IndexText::new(stanzas(LINES), "suite"),
        IndexText::new(stanzas("b 3"), "overlay").with_priority(600),
    ]
}

fn read(bytes: &[u8], texts: Vec<IndexText>) -> Result<Universe, archmill_solve::CacheError> {
    Universe::from_bytes(bytes, texts, &arch("arm64"), &[arch("armhf")])
}

fn made() -> Universe {
    Universe::new(texts(), &arch("arm64"), &[arch("armhf")])
}

#[test]
fn what_is_read_back_is_what_was_written() {
    let made = made();
    let back = read(&made.to_bytes(), texts()).unwrap();
    let list =
        |universe: &Universe| universe.packages().map(|package| format!("{package:?}")).collect::<Vec<_>>();
    assert_eq!(list(&back), list(&made));
    assert_eq!(back.problems(), made.problems());
    assert_eq!(back.problems().len(), 1);
    assert_eq!(installs(&back, "a"), installs(&made, "a"));
    assert_eq!(back.to_bytes(), made.to_bytes());
}

#[test]
fn tables_of_other_indices_or_architectures_are_not_used() {
    let bytes = made().to_bytes();
    let mut other = texts();
    other[1] = other[1].clone().with_priority(500);
    let stale = archmill_solve::CacheError::Stale;
    assert_eq!(read(&bytes, other).unwrap_err(), stale);
    let mut other = texts();
    other[1] = IndexText::new(stanzas("b 4"), "overlay").with_priority(600);
    assert_eq!(read(&bytes, other).unwrap_err(), stale);
    assert_eq!(Universe::from_bytes(&bytes, texts(), &arch("arm64"), &[]).unwrap_err(), stale);
}

proptest! {
    /// Damage is noticed, wherever it is.
    #[test]
    fn damaged_tables_are_refused(at in 0_usize..1000, bit in 0_u8..8, cut in any::<bool>()) {
        let mut bytes = made().to_bytes();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        prop_assert!(read(&bytes, texts()).is_err());
    }
}
