//! Changing a universe in place.

use archmill_solve::{Change, IndexText, Universe};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::{arch, stanzas};

/// A package, by name, version, architecture, index and what it provides.
type Line = (&'static str, u8, &'static str, usize, Option<&'static str>);

fn line() -> impl Strategy<Value = Line> {
    let provided = prop::option::of(select(vec!["a", "v", "w"]));
    (select(vec!["a", "b", "c", "d"]), 1_u8..4, select(vec!["arm64", "armhf", "all"]), 0_usize..3, provided)
}

fn texts(lines: &[Line]) -> Vec<IndexText> {
    let index = |number: usize| {
        let lines = lines.iter().filter(|line| line.3 == number);
        let lines = lines.map(|(name, version, arch, _, provides)| {
            let provides = provides.map_or_else(String::new, |name| format!("; Provides: {name}"));
            format!("{name} {version} {arch}{provides}")
        });
        let text = stanzas(&lines.collect::<Vec<_>>().join("\n"));
        IndexText::new(text, format!("index {number}")).with_priority([500, 500, 600][number])
    };
    (0..3).map(index).collect()
}

fn made(lines: &[Line]) -> Universe {
    Universe::new(texts(lines), &arch("arm64"), &[arch("armhf")])
}

fn list(universe: &Universe) -> Vec<String> {
    let line = |package: archmill_solve::PackageRef<'_>| {
        format!("{package:?} of {} {:?}", package.index().origin, package.field("Provides"))
    };
    universe.packages().map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// A universe that was changed is the one made from what the indices are then.
    #[test]
    fn a_changed_universe_is_the_one_made_anew(
        before in vec(line(), 0..10),
        gone in any::<u32>(),
        new in vec(line(), 0..4),
    ) {
        // An index has a version once.
        let unique = |lines: Vec<Line>| {
            let mut seen = Vec::new();
            lines.into_iter().filter(|line| {
                let arch = if line.2 == "all" { "arm64" } else { line.2 };
                let key = (line.0, line.1, arch, line.3);
                let new = !seen.contains(&key);
                seen.push(key);
                new
            }).collect::<Vec<_>>()
        };
        let before = unique(before);
        let mut universe = made(&before);
        let there: Vec<_> = universe.packages().map(|package| {
            (package.id(), (package.name().to_owned(), package.version().to_owned(), package.arch().clone(), package.index_number()))
        }).collect();
        let removed: Vec<_> = there.iter().enumerate().filter(|(at, _)| gone & (1 << at) != 0).map(|(_, one)| one.clone()).collect();
        let key = |line: &Line| {
            let arch = if line.2 == "all" { "arm64" } else { line.2 };
            (line.0.to_owned(), line.1.to_string(), arch.parse().unwrap(), line.3)
        };
        let mut after: Vec<Line> =
            before.iter().copied().filter(|line| removed.iter().all(|(_, gone)| *gone != key(line))).collect();
        let new: Vec<Line> =
            unique(new).into_iter().filter(|line| after.iter().all(|old| key(old) != key(line))).collect();
        after.extend(&new);
        universe.update(&Change { removed: removed.iter().map(|(id, _)| *id).collect(), added: texts(&new) });
        prop_assert_eq!(list(&universe), list(&made(&after)));
        for name in ["a", "b", "c", "d"] {
            for of in ["arm64", "armhf"] {
                let candidate = |universe: &Universe| {
                    universe.candidate(name, &arch(of)).map(|package| format!("{package:?} of {}", package.index().origin))
                };
                prop_assert_eq!(candidate(&universe), candidate(&made(&after)));
            }
        }
    }
}
