//! Two rebuilds beside each other.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::Report;
use crate::package::Package;
use crate::share::Outcome;

/// What changed from another rebuild to this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// When the other report was made.
    pub other: String,
    /// Built there, and not here.
    pub regressions: Vec<Change>,
    /// Not built there, and here.
    pub repairs: Vec<Change>,
    /// Failed in both, for another reason.
    pub other_reasons: Vec<Change>,
    /// Packages that are only in this one, and only in the other.
    pub added: Vec<String>,
    /// See `added`.
    pub removed: Vec<String>,
}

/// A package that came to something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Source package.
    pub source: String,
    /// Architecture.
    pub target: String,
    /// Version there, and here.
    pub versions: (String, String),
    /// Class of the failure there, and here; none where it was built.
    pub classes: (Option<String>, Option<String>),
    /// Why it failed, where it did.
    pub reason: String,
}

impl Comparison {
    /// What changed from `other` to `report`.
    pub fn new(report: &Report, other: &Report) -> Self {
        let key = |package: &Package| (package.suite.clone(), package.source.clone(), package.target.clone());
        let name = |package: &Package| format!("{} {}", package.source, package.target);
        // Suites may be named otherwise in another rebuild: the name counts only where both have the same.
        let has_suite = report.suites == other.suites;
        let key = |package: &Package| {
            let (suite, source, target) = key(package);
            (if has_suite { suite } else { String::new() }, source, target)
        };
        let mut before: HashMap<_, &Package> =
            other.packages.iter().map(|package| (key(package), package)).collect();
        let mut comparison = Self { other: other.made.clone(), ..Self::default() };
        for package in &report.packages {
            let Some(old) = before.remove(&key(package)) else {
                comparison.added.push(name(package));
                continue;
            };
            let is_built = |package: &Package| matches!(package.outcome, Outcome::Built | Outcome::Imported);
            let is_failed =
                |package: &Package| matches!(package.outcome, Outcome::Failed | Outcome::Unbuildable);
            if is_built(old) && is_failed(package) {
                comparison.regressions.push(Change::new(old, package, package));
            } else if is_failed(old) && is_built(package) {
                comparison.repairs.push(Change::new(old, package, old));
            } else if is_failed(old) && is_failed(package) && old.class != package.class {
                comparison.other_reasons.push(Change::new(old, package, package));
            }
        }
        comparison.removed = before.into_values().map(name).collect();
        comparison.removed.sort_unstable();
        comparison
    }
}

impl Change {
    fn new(old: &Package, new: &Package, failed: &Package) -> Self {
        Self {
            source: new.source.clone(),
            target: new.target.clone(),
            versions: (old.version.clone(), new.version.clone()),
            classes: (old.class.clone(), new.class.clone()),
            reason: failed.reason.clone(),
        }
    }
}
