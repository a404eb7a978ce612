//! Relations between packages (Debian Policy 7).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
    /// Reads the blank-separated terms of a bracket; `None` if there are none or one is malformed.
    fn parse_all(text: &str, punctuation: &[u8]) -> Option<Vec<Self>> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || punctuation.contains(&byte);
        let terms = text.split_whitespace().map(|term| {
            let name = term.strip_prefix('!').unwrap_or(term);
            let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
            (starts && name.bytes().all(plain))
                .then(|| Self { negated: name.len() < term.len(), name: name.to_owned() })
        });
        terms.collect::<Option<Vec<Self>>>().filter(|terms| !terms.is_empty())
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
    /// In brackets: the first term that covers the architecture decides; where none does, the relation
    /// applies if a term is negated (which is how dpkg reads a list that mixes both).
    pub arches: Vec<Term>,
    /// In angle brackets: any of the lists, all of each list.
    pub profiles: Vec<Vec<Term>>,
}

/// All of these, each by any of its alternatives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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
    /// Reads a dependency field. Empty entries (`a, , b`) are passed over, as dpkg does; an empty alternative
    /// (`a | | b`) is an error.
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
        let deciding = self.arches.iter().find(|term| arch.matches(&term.name));
        match deciding {
            Some(term) => !term.negated,
            None => self.arches.is_empty() || self.arches.iter().any(|term| term.negated),
        }
    }

    fn applies_in(&self, profiles: &[String]) -> bool {
        let holds = |term: &Term| profiles.contains(&term.name) != term.negated;
        self.profiles.is_empty() || self.profiles.iter().any(|list| list.iter().all(holds))
    }
}

impl FromStr for Relation {
    type Err = RelationError;

    fn from_str(text: &str) -> Result<Self, RelationError> {
        let text = text.trim();
        let bad = |problem| RelationError::Malformed { text: shortened(text), problem };
        let end = text.find(|c: char| c.is_whitespace() || "([<".contains(c)).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        let (name, qualifier) = match name.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (name, None),
        };
        if !is_package_name(name) {
            return Err(bad("it does not start with a package name"));
        }
        if qualifier.is_some_and(|qualifier| qualifier.parse::<Arch>().is_err()) {
            return Err(bad("what stands after the colon is not any, native or an architecture"));
        }
        let constraint = match bracket(&mut rest, '(', ')').map_err(bad)? {
            Some(inner) => Some(parse_constraint(inner, text)?),
            None => None,
        };
        let arches = match bracket(&mut rest, '[', ']').map_err(bad)? {
            Some(inner) => Term::parse_all(inner, b"-")
                .ok_or_else(|| bad("in [] must be architectures, each with or without !"))?,
            None => Vec::new(),
        };
        let mut profiles = Vec::new();
        while let Some(inner) = bracket(&mut rest, '<', '>').map_err(bad)? {
            let terms = Term::parse_all(inner, b"-+._/");
            profiles.push(terms.ok_or_else(|| bad("in <> must be profiles, each with or without !"))?);
        }
        match rest.chars().next() {
            None => {}
            Some('(' | '[') => {
                return Err(bad(
                    "only one version, then one list of architectures, then profiles may follow",
                ));
            }
            Some(_) => return Err(bad("something follows that is not in (), [] or <>")),
        }
        let qualifier = qualifier.map(str::to_owned);
        Ok(Self { name: name.to_owned(), qualifier, constraint, arches, profiles })
    }
}

/// Takes a bracket from the start of `rest`, if it opens there.
fn bracket<'t>(rest: &mut &'t str, open: char, close: char) -> Result<Option<&'t str>, &'static str> {
    *rest = rest.trim_start();
    let Some(inside) = rest.strip_prefix(open) else { return Ok(None) };
    let (inner, after) = inside.split_once(close).ok_or("a bracket is not closed")?;
    *rest = after.trim_start();
    Ok(Some(inner.trim()))
}

fn parse_constraint(inner: &str, text: &str) -> Result<(Op, Version), RelationError> {
    let end = inner.find(|c: char| !"<>=".contains(c)).unwrap_or(inner.len());
    let op = match &inner[..end] {
        "<<" => Op::StrictlyEarlier,
        "<=" | "<" => Op::EarlierOrEqual,
        "=" => Op::Equal,
        ">=" | ">" => Op::LaterOrEqual,
        ">>" => Op::StrictlyLater,
        _ => {
            let problem = "its version has none of the operators << <= = >= >>";
            return Err(RelationError::Malformed { text: shortened(text), problem });
        }
    };
    let version = inner[end..].trim().parse();
    version
        .map(|version| (op, version))
        .map_err(|source| RelationError::Version { text: shortened(text), source })
}

/// The start of a text that is too long for a message.
fn shortened(text: &str) -> String {
    text.char_indices().nth(100).map_or_else(|| text.to_owned(), |(end, _)| format!("{}...", &text[..end]))
}

/// Whether `name` can be a package's (Policy 5.6.1; one character is accepted, as dpkg does).
pub fn is_package_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

impl FromStr for Relations {
    type Err = RelationError;

    fn from_str(text: &str) -> Result<Self, RelationError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Relations {
    type Error = RelationError;

    fn try_from(text: String) -> Result<Self, RelationError> {
        Self::parse(&text)
    }
}

impl From<Relations> for String {
    fn from(relations: Relations) -> Self {
        relations.to_string()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Relations {
        Relations::parse(text).unwrap()
    }

    fn reduced(text: &str, arch: &str, profiles: &[&str]) -> String {
        let profiles: Vec<String> = profiles.iter().map(|&profile| profile.to_owned()).collect();
        parse(text).reduce(&arch.parse().unwrap(), &profiles).to_string()
    }

    fn error(text: &str) -> String {
        Relations::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn every_form_is_read_and_written_back() {
        let text = "a (>= 1) [!amd64 linux-any] <!nocheck> <!stage1 !cross> | b:any, c:native, d:arm64";
        let relations = parse(text);
        assert_eq!(relations.to_string(), text);
        let [a, b] = &relations.0[0][..] else { panic!() };
        assert_eq!(a.constraint, Some((Op::LaterOrEqual, "1".parse().unwrap())));
        assert_eq!(a.arches.iter().map(Term::to_string).collect::<Vec<_>>(), ["!amd64", "linux-any"]);
        assert_eq!(a.profiles.len(), 2);
        assert_eq!(a.profiles[1][1], Term { negated: true, name: "cross".to_owned() });
        assert_eq!((b.name.as_str(), b.qualifier.as_deref()), ("b", Some("any")));
        assert_eq!(relations.0[2][0].qualifier.as_deref(), Some("arm64"));
    }

    #[test]
    fn blanks_and_newlines_do_not_matter() {
        let tight = "a(>=1)[amd64]<!nocheck><cross>|b:any,c(<<2:1.0~rc1-1)";
        let loose = "\n a  ( >=  1 )\n  [ amd64 ] <  !nocheck > <cross >\n | b:any ,\tc (<< 2:1.0~rc1-1 )\n";
        assert_eq!(parse(tight), parse(loose));
        assert_eq!(
            parse(tight).to_string(),
            "a (>= 1) [amd64] <!nocheck> <cross> | b:any, c (<< 2:1.0~rc1-1)"
        );
    }

    #[test]
    fn empty_entries_and_trailing_commas_are_passed_over() {
        assert_eq!(parse("a, , b,\n"), parse("a, b"));
        assert_eq!(parse(",,a"), parse("a"));
        assert!(parse("").is_empty());
        assert!(parse(" ,\n, ").is_empty());
    }

    #[test]
    fn obsolete_operators_mean_or_equal() {
        assert_eq!(parse("a (< 1), b (> 1)").to_string(), "a (<= 1), b (>= 1)");
    }

    #[test]
    fn operators_compare() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        let holds = |op: Op| ["1~", "1", "1+"].map(|has| op.holds(&version(has), &version("1.0")));
        let shorter = |op: Op| ["0.9", "1.0", "1.1"].map(|has| op.holds(&version(has), &version("1.0")));
        assert_eq!(shorter(Op::StrictlyEarlier), [true, false, false]);
        assert_eq!(shorter(Op::EarlierOrEqual), [true, true, false]);
        assert_eq!(shorter(Op::Equal), [false, true, false]);
        assert_eq!(shorter(Op::LaterOrEqual), [false, true, true]);
        assert_eq!(shorter(Op::StrictlyLater), [false, false, true]);
        assert_eq!(holds(Op::StrictlyEarlier), [true, true, true]);
    }

    #[test]
    fn reducing_drops_what_is_for_others() {
        let text =
            "a [amd64], b [!amd64] | c, d [linux-any] <!nocheck>, e <cross> <stage1>, f <!cross !stage1>";
        assert_eq!(reduced(text, "amd64", &[]), "a, c, d, f");
        assert_eq!(reduced(text, "arm64", &["nocheck"]), "b | c, f");
        assert_eq!(reduced(text, "hurd-i386", &["cross"]), "b | c, e");
        assert_eq!(reduced(text, "arm64", &["cross", "nocheck", "stage1"]), "b | c, e");
    }

    #[test]
    fn a_mixed_list_is_read_as_dpkg_reads_it() {
        assert_eq!(reduced("a [!amd64 linux-any]", "amd64", &[]), "");
        assert_eq!(reduced("a [!amd64 linux-any]", "arm64", &[]), "a");
        assert_eq!(reduced("a [!amd64 linux-any]", "hurd-i386", &[]), "a");
        assert_eq!(reduced("a [linux-any !amd64]", "amd64", &[]), "a");
    }

    #[test]
    fn malformed_relations_are_refused() {
        let none = "it does not start with a package name";
        for (text, problem) in [
            ("a | | b", none),
            ("a |", none),
            ("(>= 1)", none),
            ("${shlibs:Depends}", none),
            ("-a", none),
            ("a_b", none),
            ("a:", "what stands after the colon is not any, native or an architecture"),
            ("a:AMD64", "what stands after the colon is not any, native or an architecture"),
            ("a (>= 1", "a bracket is not closed"),
            ("a [amd64", "a bracket is not closed"),
            ("a <x", "a bracket is not closed"),
            ("a (1)", "its version has none of the operators << <= = >= >>"),
            ("a (=> 1)", "its version has none of the operators << <= = >= >>"),
            ("a ()", "its version has none of the operators << <= = >= >>"),
            ("a []", "in [] must be architectures, each with or without !"),
            ("a [!]", "in [] must be architectures, each with or without !"),
            ("a <>", "in <> must be profiles, each with or without !"),
            ("a <! x>", "in <> must be profiles, each with or without !"),
            (
                "a [amd64] (>= 1)",
                "only one version, then one list of architectures, then profiles may follow",
            ),
            ("a (>= 1) (<< 2)", "only one version, then one list of architectures, then profiles may follow"),
            ("a b", "something follows that is not in (), [] or <>"),
            ("a (>= 1) b", "something follows that is not in (), [] or <>"),
        ] {
            assert!(error(text).ends_with(problem), "{text}: {}", error(text));
        }
        assert_eq!(
            error("a (= )"),
            r#"cannot read the relation "a (= )": "" is not a version: it has no upstream part (Debian Policy 5.6.12)"#
        );
        assert!(error(&"x y".repeat(100_000)).len() < 300);
    }

    #[test]
    fn json_is_a_plain_text() {
        let json = serde_json::to_string(&parse("a, b (= 1)")).unwrap();
        assert_eq!(json, r#""a, b (= 1)""#);
        assert_eq!(serde_json::from_str::<Relations>(&json).unwrap(), parse("a, b (= 1)"));
    }
}
