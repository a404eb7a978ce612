use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use archmill_deb::control::stanzas;
use archmill_deb::deb::DebReader;
use archmill_deb::{Arch, Dsc, Relations, Release, Version};
use proptest::prelude::*;

/// dpkg's `verrevcmp` (lib/dpkg/version.c) as it stands there, character by character.
fn verrevcmp(a: &str, b: &str) -> Ordering {
    let at = |text: &[u8], index: usize| text.get(index).copied().unwrap_or(0);
    let order = |byte: u8| match byte {
        b'~' => -1,
        b'0'..=b'9' | 0 => 0,
        byte if byte.is_ascii_alphabetic() => i32::from(byte),
        byte => i32::from(byte) + 256,
    };
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let mut first_difference = Ordering::Equal;
        while (i < a.len() && !at(a, i).is_ascii_digit()) || (j < b.len() && !at(b, j).is_ascii_digit()) {
            match order(at(a, i)).cmp(&order(at(b, j))) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
            (i, j) = (i + 1, j + 1);
        }
        while at(a, i) == b'0' {
            i += 1;
        }
        while at(b, j) == b'0' {
            j += 1;
        }
        while at(a, i).is_ascii_digit() && at(b, j).is_ascii_digit() {
            first_difference = first_difference.then(at(a, i).cmp(&at(b, j)));
            (i, j) = (i + 1, j + 1);
        }
        if at(a, i).is_ascii_digit() {
            return Ordering::Greater;
        }
        if at(b, j).is_ascii_digit() {
            return Ordering::Less;
        }
        if first_difference != Ordering::Equal {
            return first_difference;
        }
    }
    Ordering::Equal
}

fn as_dpkg_compares(a: &Version, b: &Version) -> Ordering {
    a.epoch()
        .cmp(&b.epoch())
        .then_with(|| verrevcmp(a.upstream(), b.upstream()))
        .then_with(|| verrevcmp(a.revision().unwrap_or(""), b.revision().unwrap_or("")))
}

fn hash(version: &Version) -> u64 {
    let mut hasher = DefaultHasher::new();
    version.hash(&mut hasher);
    hasher.finish()
}

/// Few different characters, so that versions are often nearly alike.
fn versions() -> impl Strategy<Value = Version> {
    let text = "([0-2]{1,2}:)?[01aZ.+~]{1,6}(-[01aZ.+~]{1,4})?";
    text.prop_map(|text| text.parse().unwrap())
}

fn relations() -> impl Strategy<Value = String> {
    let relation = "[a-z0-9][a-z0-9+.-]{0,6}(:(any|native|arm64))?( \\((<<|<=|=|>=|>>) (1:)?[0-9][a-z0-9.+~]{0,4}(-[0-9a-z]{1,2})?\\))?\
        ( \\[!?(amd64|linux-any)( !?(arm64|any-i386)){0,2}\\])?( <!?(nocheck|cross)( !?stage1)?>){0,2}";
    let group = prop::collection::vec(relation, 1..4).prop_map(|alternatives| alternatives.join(" | "));
    prop::collection::vec(group, 0..5).prop_map(|groups| groups.join(", "))
}

proptest! {
    #[test]
    fn versions_compare_as_in_dpkg(a in versions(), b in versions()) {
        prop_assert_eq!(a.cmp(&b), as_dpkg_compares(&a, &b));
        prop_assert_eq!(b.cmp(&a), a.cmp(&b).reverse());
        if a == b {
            prop_assert_eq!(hash(&a), hash(&b));
        }
    }

    #[test]
    fn the_order_of_versions_is_total(a in versions(), b in versions(), c in versions()) {
        let mut sorted = [a, b, c];
        sorted.sort();
        let [a, b, c] = sorted;
        prop_assert!(a <= b && b <= c && a <= c);
        prop_assert_eq!(a == c, a == b && b == c);
    }

    #[test]
    fn a_version_is_its_parts(version in versions()) {
        let again: Version = version.to_string().parse().unwrap();
        prop_assert_eq!(again.as_str(), version.as_str());
        let revision = version.revision().map_or(String::new(), |revision| format!("-{revision}"));
        prop_assert_eq!(version.without_epoch(), format!("{}{revision}", version.upstream()));
    }

    #[test]
    fn relations_are_written_as_they_were_read(text in relations()) {
        prop_assert_eq!(Relations::parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn blanks_do_not_change_relations(text in relations()) {
        let loose = text.replace(", ", " ,\n  ").replace(" | ", "\n|").replace(" [", "[").replace(" (", "\t(");
        prop_assert_eq!(Relations::parse(&loose).unwrap(), Relations::parse(&text).unwrap());
    }

    #[test]
    fn what_is_reduced_has_no_restrictions_and_stays_reduced(text in relations()) {
        let arm64: Arch = "arm64".parse().unwrap();
        let reduced = Relations::parse(&text).unwrap().reduce(&arm64, &[]);
        prop_assert!(reduced.0.iter().flatten().all(|r| r.arches.is_empty() && r.profiles.is_empty()));
        prop_assert_eq!(reduced.reduce(&arm64, &["nocheck".to_owned()]), reduced);
    }

    #[test]
    fn nothing_panics_on_any_text(text in "\\PC{0,40}|[a-z<>()\\[\\]|,:!=. ~\n#-]{0,60}") {
        let _ = text.parse::<Version>();
        let _ = text.parse::<Arch>();
        let _ = Release::parse(&text);
        let _ = Dsc::parse(&text);
        if let Ok(relations) = Relations::parse(&text) {
            prop_assert_eq!(Relations::parse(&relations.to_string()), Ok(relations));
        }
        for stanza in stanzas(&text).flatten() {
            prop_assert!(stanza.fields().all(|(name, _)| stanza.get(name).is_some()));
        }
    }

    #[test]
    fn a_damaged_package_does_not_panic(at in 0_usize..12_812, with in any::<u8>()) {
        let mut deb = include_bytes!("fixtures/libaudit-common_all.deb").to_vec();
        deb[at] = with;
        if let Ok(mut reader) = DebReader::new(std::io::Cursor::new(deb)) {
            let _ = reader.control();
        }
    }
}
