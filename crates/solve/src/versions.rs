//! Versions as they stand in an index.

use std::cmp::Ordering;

use archmill_deb::{Op, Version};

/// Orders two versions as written; one that is not valid sorts before all others.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    parse(a).cmp(&parse(b))
}

/// Whether a version as written fulfils a constraint; one that is not valid fulfils none.
pub(crate) fn holds(have: &str, op: Op, wanted: &Version) -> bool {
    parse(have).is_some_and(|have| op.holds(&have, wanted))
}

/// What is wrong with a version, if anything.
pub(crate) fn problem(version: &str) -> Option<String> {
    version.parse::<Version>().err().map(|error| error.to_string())
}

fn parse(version: &str) -> Option<Version> {
    version.parse().ok()
}
