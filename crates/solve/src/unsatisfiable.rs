//! Why there is no solution, as a value and in words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Relations that cannot all hold, none of which can be left out; from what was asked for towards
/// the cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsatisfiable {
    /// The relations, in the order in which they explain each other.
    pub reasons: Vec<Reason>,
}

/// One relation that takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Whose relation it is.
    pub by: Subject,
    /// What it does with the packages it names: "depends on", "conflicts with".
    pub verb: String,
    /// The relation as written.
    pub relation: String,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// Who has a relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The request, by the name it gave.
    Request(String),
    /// The base set of a root.
    Base,
    /// A package.
    Package(PackageName),
}

/// A package in a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageName {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The architecture it counts for.
    pub arch: String,
    /// The index it is from.
    pub origin: String,
    /// Whether that is another architecture than that of the root; then it is named with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
}

/// What becomes of a relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing satisfies it.
    Missing {
        /// Packages of the name that do not fit.
        available: Vec<PackageName>,
        /// The architecture that it is needed for, where what there is of the name is for others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needed_for: Option<String>,
        /// Names that are like it, nearest first, if the name is unknown.
        nearest: Vec<String>,
        /// What is wrong with packages of the name that could not be read.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<String>,
    },
    /// Only these satisfy it; further reasons say why they cannot be had.
    Needs(Vec<PackageName>),
    /// These must not be installed with it.
    Refuses(Vec<PackageName>),
}

impl Outcome {
    /// Missing, and nothing is known that would help.
    pub(crate) fn nothing() -> Self {
        Self::Missing { available: Vec::new(), needed_for: None, nearest: Vec::new(), left_out: Vec::new() }
    }
}

impl PackageName {
    /// As dpkg names it: with the architecture if that is not the one of the root.
    fn qualified(&self) -> String {
        if self.foreign { format!("{}:{}", self.name, self.arch) } else { self.name.clone() }
    }
}

impl std::error::Error for Unsatisfiable {}

impl fmt::Display for Unsatisfiable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let together = !self.reasons.iter().any(|reason| matches!(reason.outcome, Outcome::Missing { .. }));
        if together {
            f.write_str("these cannot all hold: ")?;
        }
        for (number, reason) in self.reasons.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.by, self.verb, self.relation)?;
        match &self.outcome {
            Outcome::Missing { available, needed_for, nearest, left_out } => {
                missing(f, &self.relation, available, nearest, left_out)?;
                match (needed_for, available.first()) {
                    (Some(arch), Some(there)) => write!(f, ", for {} and not for {arch}", there.arch),
                    _ => Ok(()),
                }
            }
            Outcome::Needs(candidates) => needs(f, &self.relation, candidates),
            Outcome::Refuses(refused) => {
                let others: Vec<_> = refused.iter().map(ToString::to_string).collect();
                write!(f, ", which means {}", others.join(" and "))
            }
        }
    }
}

fn missing(
    f: &mut fmt::Formatter<'_>,
    relation: &str,
    available: &[PackageName],
    nearest: &[String],
    left_out: &[String],
) -> fmt::Result {
    if !left_out.is_empty() {
        return write!(f, ", but that could not be read: {}", left_out.join(" and "));
    }
    if available.is_empty() {
        let names = if relation.contains('|') {
            "none of which any package is or provides"
        } else {
            "which no package is or provides"
        };
        write!(f, ", {names}")?;
        if !nearest.is_empty() {
            write!(f, " (similar names: {})", nearest.join(", "))?;
        }
        return Ok(());
    }
    let found: Vec<_> =
        available.iter().map(|package| format!("{package} is in {}", package.origin)).collect();
    write!(f, ", but only {}", found.join(" and "))
}

/// Says which package is meant where the relation's own name does not.
fn needs(f: &mut fmt::Formatter<'_>, relation: &str, candidates: &[PackageName]) -> fmt::Result {
    let plain = relation.split([' ', ':']).next().unwrap_or_default();
    match candidates {
        [only] if only.name == plain => Ok(()),
        _ => {
            let names: Vec<_> = candidates.iter().map(PackageName::qualified).collect();
            write!(f, " (which is {})", names.join(" or "))
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(by) => f.write_str(by),
            Self::Base => f.write_str("the base set"),
            Self::Package(package) => write!(f, "{package}"),
        }
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.qualified(), self.version)
    }
}
