//! Relations between packages (Debian Policy 7).

use std::fmt;
use std::str::FromStr;

use crate::{Arch, Version, VersionError};

/// How a version must compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `<<`
    StrictlyEarlier,
    /// `<=` (and the obsolete `<`)
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=` (and the obsolete `>`)
    LaterOrEqual,
    /// `>>`
    StrictlyLater,
}

impl Op {
    /// Whether `version` stands in this relation to `wanted`.
    pub fn holds(self, version: &Version, wanted: &Version) -> bool {
        match self {
            Self::StrictlyEarlier => version < wanted,
            Self::EarlierOrEqual => version <= wanted,
            Self::Equal => version == wanted,
            Self::LaterOrEqual => version >= wanted,
            Self::StrictlyLater => version > wanted,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::StrictlyEarlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Equal => "=",
            Self::LaterOrEqual => ">=",
            Self::StrictlyLater => ">>",
        }
    }
}

/// A term that may be negated with `!`: an architecture restriction or a build profile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Term {
    /// Whether `!` stands before it.
    pub negated: bool,
    /// Architecture (or wildcard) or profile.
    pub name: String,
}

impl Term {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('!') {
            Some(name) => Self { negated: true, name: name.to_owned() },
            None => Self { negated: false, name: text.to_owned() },
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.negated { "!" } else { "" }, self.name)
    }
}

/// One package that would do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Relation {
    /// Package name.
    pub name: String,
    /// After the colon: `any`, `native` or an architecture.
    pub qualifier: Option<String>,
    /// In parentheses.
    pub constraint: Option<(Op, Version)>,
    /// In brackets.
    pub arches: Vec<Term>,
    /// In angle brackets: any of the lists, all of each list.
    pub profiles: Vec<Vec<Term>>,
}

/// All of these, each by any of its alternatives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Relations(pub Vec<Vec<Relation>>);

/// Why a text is no relation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelationError {
    /// Something is where nothing of the kind may be.
    #[error("cannot read the relation {text:?}: {problem}")]
    Malformed {
        /// The relation.
        text: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A bad version.
    #[error("cannot read the relation {text:?}: {source}")]
    Version {
        /// The relation.
        text: String,
        /// What is wrong with the version.
        source: VersionError,
    },
}

impl Relations {
    /// Reads a dependency field. Empty entries (`a, , b`) are passed over, as dpkg does.
    pub fn parse(text: &str) -> Result<Self, RelationError> {
        let groups = text.split(',').map(str::trim).filter(|group| !group.is_empty());
        groups
            .map(|group| group.split('|').map(str::parse).collect())
            .collect::<Result<Vec<Vec<Relation>>, _>>()
            .map(Self)
    }

    /// What applies on `arch` with `profiles`, restrictions removed.
    #[must_use]
    pub fn reduce(&self, arch: &Arch, profiles: &[String]) -> Self {
        let reduced = self.0.iter().map(|group| -> Vec<Relation> {
            let applying = group.iter().filter(|relation| relation.applies(arch, profiles));
            applying
                .map(|relation| Relation { arches: vec![], profiles: vec![], ..relation.clone() })
                .collect()
        });
        Self(reduced.filter(|group| !group.is_empty()).collect())
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Relation {
    /// Whether its restrictions allow it.
    pub fn applies(&self, arch: &Arch, profiles: &[String]) -> bool {
        self.applies_on(arch) && self.applies_in(profiles)
    }

    fn applies_on(&self, arch: &Arch) -> bool {
        let Some(first) = self.arches.first() else {
            return true;
        };
        let named = self.arches.iter().any(|term| arch.matches(&term.name));
        named != first.negated
    }

    fn applies_in(&self, profiles: &[String]) -> bool {
        let holds = |term: &Term| profiles.contains(&term.name) != term.negated;
        self.profiles.is_empty() || self.profiles.iter().any(|list| list.iter().all(holds))
    }
}

impl FromStr for Relation {
    type Err = RelationError;

    fn from_str(text: &str) -> Result<Self, RelationError> {
        let bad = |problem| RelationError::Malformed { text: text.trim().to_owned(), problem };
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| c.is_whitespace() || "([<".contains(c)).unwrap_or(trimmed.len());
        let (name, mut rest) = trimmed.split_at(end);
        let (name, qualifier) = match name.split_once(':') {
            Some((_, "")) => return Err(bad("nothing stands after the colon")),
            Some((name, qualifier)) => (name, Some(qualifier.to_owned())),
            None => (name, None),
        };
        if !is_package_name(name) {
            return Err(bad("it does not start with a package name"));
        }
        let mut relation = Self {
            name: name.to_owned(),
            qualifier,
            constraint: None,
            arches: Vec::new(),
            profiles: Vec::new(),
        };
        loop {
            rest = rest.trim_start();
            let (open, close) = match rest.chars().next() {
                None => return Ok(relation),
                Some('(') => ('(', ')'),
                Some('[') => ('[', ']'),
                Some('<') => ('<', '>'),
                Some(_) => return Err(bad("something follows that is not in (), [] or <>")),
            };
            let end = rest.find(close).ok_or_else(|| bad("a bracket is not closed"))?;
            let inner = rest[1..end].trim();
            rest = &rest[end + 1..];
            match open {
                '(' if relation.constraint.is_some() => return Err(bad("it has two versions")),
                '(' => relation.constraint = Some(constraint(inner, trimmed)?),
                '[' if inner.is_empty() || !relation.arches.is_empty() => {
                    return Err(bad("its architecture list is empty or double"));
                }
                '[' => {
                    relation.arches = inner.split_whitespace().map(Term::parse).collect();
                    if relation.arches.iter().any(|term| term.negated != relation.arches[0].negated) {
                        return Err(bad("its architecture list mixes those with and without !"));
                    }
                }
                _ if inner.is_empty() => return Err(bad("a list of profiles is empty")),
                _ => relation.profiles.push(inner.split_whitespace().map(Term::parse).collect()),
            }
        }
    }
}

fn constraint(inner: &str, text: &str) -> Result<(Op, Version), RelationError> {
    let end = inner.find(|c: char| !"<>=".contains(c)).unwrap_or(inner.len());
    let op = match &inner[..end] {
        "<<" => Op::StrictlyEarlier,
        "<=" | "<" => Op::EarlierOrEqual,
        "=" => Op::Equal,
        ">=" | ">" => Op::LaterOrEqual,
        ">>" => Op::StrictlyLater,
        _ => {
            let problem = "its version has none of the operators << <= = >= >>";
            return Err(RelationError::Malformed { text: text.to_owned(), problem });
        }
    };
    let version = inner[end..].trim().parse();
    version
        .map(|version| (op, version))
        .map_err(|source| RelationError::Version { text: text.to_owned(), source })
}

/// Whether `name` can be a package's (Policy 5.6.1; one character is accepted, as dpkg does).
pub fn is_package_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(qualifier) = &self.qualifier {
            write!(f, ":{qualifier}")?;
        }
        if let Some((op, version)) = &self.constraint {
            write!(f, " ({} {version})", op.as_str())?;
        }
        if !self.arches.is_empty() {
            write!(f, " [{}]", join(&self.arches, " "))?;
        }
        self.profiles.iter().try_for_each(|list| write!(f, " <{}>", join(list, " ")))
    }
}

impl fmt::Display for Relations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> = self.0.iter().map(|group| join(group, " | ")).collect();
        f.write_str(&groups.join(", "))
    }
}

fn join<T: fmt::Display>(items: &[T], between: &str) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(between)
}
