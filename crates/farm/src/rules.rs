//! What goes wrong in builds, as logs tell it: rules in a data file (`rules/failures.toml`), the first that fits counts.

use std::sync::LazyLock;

use archmill_plan::ladder::{Advice, Mode};
use regex::Regex;
use serde::Deserialize;

const FILE: &str = include_str!("../rules/failures.toml");

/// As long as a line of a log may be where it is told as the reason of a failure.
const LINE: usize = 200;

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    // The file is part of the program, and read by its tests: what is wrong with it is found there.
    let file: File = toml::from_str(FILE).unwrap_or_default();
    file.rule.into_iter().filter_map(Rule::new).collect()
});

/// What a rule says of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The class.
    pub(crate) class: &'static str,
    /// The cause, and the line that tells it.
    pub(crate) why: String,
    /// What is tried then.
    pub(crate) advice: Advice,
}

struct Rule {
    line: Line,
    pattern: Regex,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    pattern: String,
    cause: String,
    next: Next,
    #[serde(default)]
    native: bool,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests"))]
    excerpt: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers"))]
    source: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Next {
    Patience,
    Emulated,
    OtherQemu,
    Machine,
    Stop,
}

impl Rule {
    fn new(line: Line) -> Option<Self> {
        let pattern = Regex::new(&line.pattern).ok()?;
        Some(Self { line, pattern })
    }

    const fn advice(&self) -> Advice {
        match self.line.next {
            Next::Patience => Advice::Patience,
            Next::Emulated => Advice::Try(Mode::Emulated),
            Next::OtherQemu => Advice::Try(Mode::OtherQemu),
            Next::Machine => Advice::Beyond,
            Next::Stop => Advice::Stop,
        }
    }
}

/// The first rule that fits the end of a log of a build in a mode.
pub(crate) fn find(tail: &str, mode: Mode) -> Option<Found> {
    RULES.iter().filter(|rule| rule.line.native || mode.is_emulating()).find_map(|rule| {
        let found = rule.pattern.find(tail)?;
        let start = tail.get(..found.start())?.rfind('\n').map_or(0, |place| place + 1);
        let line: String = tail.get(start..)?.lines().next()?.trim().chars().take(LINE).collect();
        Some(Found {
            class: &rule.line.id,
            why: format!("{}: {line}", rule.line.cause),
            advice: rule.advice(),
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_rule_recognises_its_excerpt_and_none_before_it_does() {
        let file: File = toml::from_str(FILE).unwrap();
        assert_eq!(RULES.len(), file.rule.len(), "a pattern is no regular expression");
        for rule in RULES.iter() {
            let Line { id, excerpt, cause, source, .. } = &rule.line;
            let found = find(excerpt, Mode::Emulated).unwrap_or_else(|| panic!("{id}: not recognised"));
            assert_eq!(found.class, id);
            assert!(found.why.starts_with(cause) && found.why.len() > cause.len() + 2, "{}", found.why);
            assert!(source.starts_with("https://"), "{id}: {source}");
            assert_eq!(find(excerpt, Mode::Native).is_some(), rule.line.native, "{id}");
        }
        let ids: HashSet<_> = RULES.iter().map(|rule| &rule.line.id).collect();
        assert_eq!(ids.len(), RULES.len());
    }

    #[test]
    fn ordinary_failures_are_recognised_by_none() {
        for log in [
            "main.c:3:5: error: expected ';' before 'return'\nmake[1]: *** [Makefile:10: main.o] Error 1",
            "checking for timeout... yes\nchecking whether setsockopt works... yes\nconfigure: error: no zlib",
            "FAIL: test-date\n# TOTAL: 3\n# FAIL:  1\nTimeout:               0",
            "dpkg-buildpackage: error: debian/rules binary subprocess returned exit status 2",
        ] {
            assert_eq!(find(log, Mode::Emulated), None, "{log}");
        }
    }
}
