//! Indices with faults.

use archmill_solve::{IndexText, Universe};

use crate::world::{arch, installs, stanzas};

#[test]
fn a_stanza_that_cannot_be_read_is_reported_and_left_out_alone() {
    let text = "Package: a\nVersion: 1\nArchitecture: arm64\n\nPackage: b\nVersion: not a version\nArchitecture: arm64\n\n\
                Package: c\nArchitecture: arm64\n\nPackage: d\nVersion: 1\nnonsense\nArchitecture: arm64\n\n\
                Package: e\nVersion: 1\nArchitecture: all\nDepends: a\n";
    let universe = Universe::new(vec![IndexText::new(text, "suite")], &arch("arm64"), &[]);
    assert_eq!(installs(&universe, "e"), "a e");
    let problems: Vec<String> = universe.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 3);
    assert!(problems[0].starts_with("suite, line 5: b: version `not a version`"), "{}", problems[0]);
    assert_eq!(
        problems[1],
        "suite, line 9: c: has no Package, Version or Architecture field; the package is left out"
    );
    assert_eq!(problems[2], "suite, line 12: d: no field but `nonsense`; the package is left out");
}

#[test]
fn an_empty_index_is_an_empty_universe() {
    let universe = Universe::new(vec![IndexText::new("\n\n", "suite")], &arch("arm64"), &[]);
    assert!(universe.is_empty());
    assert!(installs(&universe, "a").starts_with('!'));
}

#[test]
fn packages_are_ordered_by_name_and_preference_whatever_the_index() {
    let text = stanzas("b 1\na 1\na 3\na 2");
    let universe = Universe::new(vec![IndexText::new(text, "suite")], &arch("arm64"), &[]);
    let found: Vec<_> =
        universe.packages().map(|package| format!("{}={}", package.name(), package.version())).collect();
    assert_eq!(found, ["a=3", "a=2", "a=1", "b=1"]);
}

#[test]
fn packages_given_by_hand_win() {
    let texts = vec![IndexText::new(stanzas("a 2"), "suite"), IndexText::local(stanzas("a 1"), "by hand")];
    let universe = Universe::new(texts, &arch("arm64"), &[]);
    assert_eq!(universe.candidate("a", &arch("arm64")).unwrap().index().origin, "by hand");
}
