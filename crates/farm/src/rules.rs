//! What goes wrong in builds, as logs tell it: rules in a data file (`rules/failures.toml`), the first that fits counts.

use std::fmt;
use std::sync::Arc;

use archmill_plan::ladder::{Advice, Mode};
use regex::Regex;
use serde::Deserialize;

const FILE: &str = include_str!("../rules/failures.toml");

/// As long as a line of a log may be where it is told as the reason of a failure.
const LINE: usize = 200;

/// What logs tell of failures.
#[derive(Clone)]
pub struct FailureRules(Arc<Vec<Rule>>);

/// A file of rules cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct RulesError {
    file: String,
    problem: String,
}

impl fmt::Debug for FailureRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|rule| &rule.line.id)).finish()
    }
}

/// What a rule says of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The class.
    pub(crate) class: String,
    /// The cause, and the line that tells it.
    pub(crate) why: String,
    /// What is tried then.
    pub(crate) advice: Advice,
}

struct Rule {
    line: Line,
    pattern: Regex,
}

#[derive(Deserialize)]
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
    /// Some of a log that it is for; it is refused if it does not fit that.
    #[serde(default)]
    excerpt: String,
    #[serde(default)]
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

impl FailureRules {
    /// Those that come with archmill.
    pub fn builtin() -> Result<Self, RulesError> {
        Ok(Self(Arc::new(read("failures.toml", FILE)?)))
    }

    /// With those of files, as names and texts, before all others.
    pub fn with<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Result<Self, RulesError> {
        let mut rules = Vec::new();
        for (file, text) in files {
            rules.extend(read(file, text)?);
        }
        rules.extend(read("failures.toml", FILE)?);
        Ok(Self(Arc::new(rules)))
    }

    /// The first rule that fits the end of a log of a build in a mode.
    pub(crate) fn find(&self, tail: &str, mode: Mode) -> Option<Found> {
        self.0.iter().filter(|rule| rule.line.native || mode.is_emulating()).find_map(|rule| {
            let found = rule.pattern.find(tail)?;
            let start = tail.get(..found.start())?.rfind('\n').map_or(0, |place| place + 1);
            let line: String = tail.get(start..)?.lines().next()?.trim().chars().take(LINE).collect();
            Some(Found {
                class: rule.line.id.clone(),
                why: format!("{}: {line}", rule.line.cause),
                advice: rule.advice(),
            })
        })
    }
}

fn read(file: &str, text: &str) -> Result<Vec<Rule>, RulesError> {
    let failed = |problem: String| RulesError { file: file.to_owned(), problem };
    let lines: File = toml::from_str(text).map_err(|error| failed(error.to_string()))?;
    let rule = |line: Line| {
        let of = |problem: &dyn fmt::Display| failed(format!("rule {:?}: {problem}", line.id));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if line.id.is_empty() || !line.id.chars().all(plain) {
            return Err(of(&"its id is the name of a class: small letters, digits and hyphens"));
        }
        let pattern = Regex::new(&line.pattern).map_err(|error| of(&error))?;
        if !line.excerpt.is_empty() && !pattern.is_match(&line.excerpt) {
            return Err(of(&"its pattern does not fit its own excerpt"));
        }
        Ok(Rule { line, pattern })
    };
    lines.rule.into_iter().map(rule).collect()
}

impl Rule {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_rule_recognises_its_excerpt_and_none_before_it_does() {
        let rules = FailureRules::builtin().unwrap();
        for rule in rules.0.iter() {
            let Line { id, excerpt, cause, source, .. } = &rule.line;
            let found = rules.find(excerpt, Mode::Emulated).unwrap_or_else(|| panic!("{id}: not recognised"));
            assert_eq!(found.class, *id);
            assert!(found.why.starts_with(cause) && found.why.len() > cause.len() + 2, "{}", found.why);
            assert!(source.starts_with("https://"), "{id}: {source}");
            assert_eq!(rules.find(excerpt, Mode::Native).is_some(), rule.line.native, "{id}");
        }
        let ids: HashSet<_> = rules.0.iter().map(|rule| &rule.line.id).collect();
        assert_eq!(ids.len(), rules.0.len());
    }

    #[test]
    fn ordinary_failures_are_recognised_by_none() {
        let rules = FailureRules::builtin().unwrap();
        for log in [
            "main.c:3:5: error: expected ';' before 'return'\nmake[1]: *** [Makefile:10: main.o] Error 1",
            "checking for timeout... yes\nchecking whether setsockopt works... yes\nconfigure: error: no zlib",
            "FAIL: test-date\n# TOTAL: 3\n# FAIL:  1\nTimeout:               0",
            "dpkg-buildpackage: error: debian/rules binary subprocess returned exit status 2",
        ] {
            assert_eq!(rules.find(log, Mode::Emulated), None, "{log}");
        }
    }

    #[test]
    fn rules_of_ones_own_come_first_and_mistakes_in_them_are_told() {
        let rule = "[[rule]]\nid = \"licence\"\npattern = \"no licence for\"\ncause = \"the licence server is away\"\n\
                    next = \"stop\"\nnative = true\n";
        let rules = FailureRules::with([("own.toml", rule)]).unwrap();
        let found = rules.find("x\ncc: no licence for 3 seats\ny", Mode::Native).unwrap();
        assert_eq!(found.class, "licence");
        assert_eq!(found.why, "the licence server is away: cc: no licence for 3 seats");
        let said = |from: &str, to: &str| {
            FailureRules::with([("own.toml", rule.replace(from, to).as_str())]).unwrap_err().to_string()
        };
        assert!(said("no licence for", "(").starts_with("own.toml: rule \"licence\": regex parse error"));
        assert!(said("id = \"licence\"", "id = \"No Licence\"").contains("small letters, digits"));
        assert!(said("native = true", "excerpt = \"else\"").contains("does not fit its own excerpt"));
        assert!(said("native", "nativ").contains("unknown field `nativ`"));
        assert!(said("stop", "retry").contains("unknown variant `retry`"));
    }
}
