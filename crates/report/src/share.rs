//! How many packages came to what.

use std::collections::BTreeMap;

use archmill_plan::ladder::Rung;
use archmill_plan::scheduler::Code;
use serde::{Deserialize, Serialize};

use crate::package::Package;

/// What came of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Built here.
    Built,
    /// The upstream archive's packages were taken.
    Imported,
    /// It failed.
    Failed,
    /// Its source cannot be had, or its build dependencies cannot be installed.
    Unbuildable,
    /// Nobody wants it built: excluded, disabled or held.
    Left,
    /// It is not done yet.
    Open,
}

impl Outcome {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Built, Self::Imported, Self::Failed, Self::Unbuildable, Self::Left, Self::Open];

    /// One or two words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Imported => "imported",
            Self::Failed => "failed",
            Self::Unbuildable => "not buildable",
            Self::Left => "left alone",
            Self::Open => "open",
        }
    }

    pub(crate) const fn of(code: Code, is_imported: bool) -> Self {
        match code {
            Code::Succeeded if is_imported => Self::Imported,
            Code::Succeeded => Self::Built,
            Code::Failed => Self::Failed,
            Code::Unresolvable | Code::Broken => Self::Unbuildable,
            Code::Excluded | Code::Disabled | Code::Locked => Self::Left,
            Code::Blocked | Code::Scheduled | Code::Building | Code::Finished => Self::Open,
        }
    }

    /// Whether somebody has to look at it.
    pub const fn has_failed(self) -> bool {
        matches!(self, Self::Failed | Self::Unbuildable)
    }
}

/// Packages of one architecture in one component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Architecture, or `all`.
    pub target: String,
    /// Component.
    pub component: String,
    /// How many came to what.
    pub outcomes: BTreeMap<Outcome, usize>,
}

/// Packages that failed for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The reason: a class of docs/rebuild.md.
    pub class: String,
    /// How many, by architecture.
    pub targets: BTreeMap<String, usize>,
}

/// Modes in which the packages of an architecture were built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modes {
    /// Architecture, or `all`.
    pub target: String,
    /// How many packages were built in which.
    pub modes: Vec<(Rung, usize)>,
}

impl Cell {
    /// All of them.
    pub fn total(&self) -> usize {
        self.outcomes.values().sum()
    }
}

impl Class {
    /// All of them.
    pub fn total(&self) -> usize {
        self.targets.values().sum()
    }
}

pub(crate) fn cells(packages: &[Package]) -> Vec<Cell> {
    let mut cells: BTreeMap<(&str, &str), BTreeMap<Outcome, usize>> = BTreeMap::new();
    for package in packages {
        let cell = cells.entry((&package.target, &package.component)).or_default();
        *cell.entry(package.outcome).or_default() += 1;
    }
    let cell = |((target, component), outcomes): ((&str, &str), _)| Cell {
        target: target.to_owned(),
        component: component.to_owned(),
        outcomes,
    };
    cells.into_iter().map(cell).collect()
}

pub(crate) fn classes(packages: &[Package]) -> Vec<Class> {
    let mut classes: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    for package in packages.iter().filter(|package| package.outcome.has_failed()) {
        let class = classes.entry(package.class.as_deref().unwrap_or("unknown")).or_default();
        *class.entry(package.target.clone()).or_default() += 1;
    }
    let mut classes: Vec<Class> =
        classes.into_iter().map(|(class, targets)| Class { class: class.to_owned(), targets }).collect();
    classes.sort_by_key(|class| std::cmp::Reverse(class.total()));
    classes
}

pub(crate) fn modes(packages: &[Package]) -> Vec<Modes> {
    let mut targets: BTreeMap<&str, Vec<(Rung, usize)>> = BTreeMap::new();
    let done =
        packages.iter().filter(|package| matches!(package.outcome, Outcome::Built | Outcome::Imported));
    for package in done {
        let Some(build) = package.success() else { continue };
        let modes = targets.entry(&package.target).or_default();
        match modes.iter_mut().find(|(mode, _)| *mode == build.mode) {
            Some((_, count)) => *count += 1,
            None => modes.push((build.mode, 1)),
        }
    }
    let sorted = |(target, mut modes): (&str, Vec<(Rung, usize)>)| {
        modes.sort_by_key(|(mode, count)| (std::cmp::Reverse(*count), mode.to_string()));
        Modes { target: target.to_owned(), modes }
    };
    targets.into_iter().map(sorted).collect()
}
