//! Release files: what is in a suite (the apt repository format, "Release" files).

use std::collections::BTreeMap;

use crate::control::{ControlError, Stanza, stanzas};
use crate::paths::{is_archive_path, is_sha256};

/// Hash and size of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}

/// The text of a Release or InRelease file, without its signature.
// The flags are the format's own.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// `Origin`.
    pub origin: String,
    /// `Label`.
    pub label: String,
    /// `Version` of the distribution, such as `13.8`.
    pub version: Option<String>,
    /// `Suite`, such as `stable`.
    pub suite: String,
    /// `Codename`, such as `trixie`.
    pub codename: String,
    /// `Date`, as written (RFC 2822 style, UTC).
    pub date: Option<String>,
    /// `Valid-Until`, as written.
    pub valid_until: Option<String>,
    /// `Components`.
    pub components: Vec<String>,
    /// `Architectures`.
    pub architectures: Vec<String>,
    /// `Acquire-By-Hash: yes`.
    pub acquire_by_hash: bool,
    /// `NotAutomatic: yes`, as experimental and backports have it.
    pub not_automatic: bool,
    /// `ButAutomaticUpgrades: yes`.
    pub but_automatic_upgrades: bool,
    /// `No-Support-for-Architecture-all: Packages`: packages for every architecture are also in the index of each.
    pub all_in_each_index: bool,
    /// The `SHA256` list, by path.
    pub files: BTreeMap<String, IndexFile>,
}

/// Why a Release file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// Not a stanza.
    #[error("it cannot be read: {0}")]
    Control(#[from] ControlError),
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// No list of hashes that can be relied on.
    #[error("it lists no SHA256 hashes, so nothing it names can be verified")]
    NoHashes,
    /// More than one stanza.
    #[error("it has a second stanza in line {0}, where only one may be")]
    Second(usize),
    /// Two different hashes for one path.
    #[error("its SHA256 list has two different entries for {0}")]
    Contradiction(String),
    /// A bad line in the list.
    #[error("its SHA256 list has the line {0:?}, which is not a hash, a size and a path")]
    BadLine(String),
}

impl Release {
    /// Reads the text.
    pub fn parse(text: &str) -> Result<Self, ReleaseError> {
        let mut stanzas = stanzas(text);
        let stanza = stanzas.next().ok_or(ReleaseError::Empty)??;
        if let Some(second) = stanzas.next() {
            return Err(ReleaseError::Second(second?.line()));
        }
        let field = |name: &str| stanza.get(name).unwrap_or("").to_owned();
        let words =
            |name: &str| -> Vec<String> { field(name).split_whitespace().map(str::to_owned).collect() };
        let yes = |name: &str| stanza.get(name) == Some("yes");
        let all = stanza.get("No-Support-for-Architecture-all");
        Ok(Self {
            origin: field("Origin"),
            label: field("Label"),
            version: stanza.get("Version").map(str::to_owned),
            suite: field("Suite"),
            codename: field("Codename"),
            date: stanza.get("Date").map(str::to_owned),
            valid_until: stanza.get("Valid-Until").map(str::to_owned),
            components: words("Components"),
            architectures: words("Architectures"),
            acquire_by_hash: yes("Acquire-By-Hash"),
            not_automatic: yes("NotAutomatic"),
            but_automatic_upgrades: yes("ButAutomaticUpgrades"),
            all_in_each_index: all.is_some_and(|what| what.split_whitespace().any(|word| word == "Packages")),
            files: index_files(&stanza)?,
        })
    }
}

fn index_files(stanza: &Stanza<'_>) -> Result<BTreeMap<String, IndexFile>, ReleaseError> {
    let list = stanza.get("SHA256").ok_or(ReleaseError::NoHashes)?;
    let mut files = BTreeMap::new();
    for line in list.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (path, file) = index_file(line)?;
        if files.get(&path).is_some_and(|earlier| *earlier != file) {
            return Err(ReleaseError::Contradiction(path));
        }
        files.insert(path, file);
    }
    Ok(files)
}

fn index_file(line: &str) -> Result<(String, IndexFile), ReleaseError> {
    let bad = || ReleaseError::BadLine(line.to_owned());
    let mut words = line.split_whitespace();
    let (Some(sha256), Some(size), Some(path), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad());
    };
    if !is_sha256(sha256) || !is_archive_path(path) {
        return Err(bad());
    }
    let size = size.parse().map_err(|_| bad())?;
    Ok((path.to_owned(), IndexFile { sha256: sha256.to_ascii_lowercase(), size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "589EFC4D87a4ae4745c273bdb33198d7c4f28a71736a8ece81d3677cf9c6e5ce";

    fn error(text: &str) -> String {
        Release::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn flags_are_yes_or_nothing() {
        let text = "NotAutomatic: yes\nButAutomaticUpgrades: yes\nAcquire-By-Hash: no\nSHA256:\n";
        let release = Release::parse(text).unwrap();
        assert!(release.not_automatic && release.but_automatic_upgrades && !release.acquire_by_hash);
        assert!(!release.all_in_each_index && release.files.is_empty());
    }

    #[test]
    fn hashes_are_kept_in_lower_case() {
        let release = Release::parse(&format!("SHA256:\n {HASH} 12 main/a\n {HASH} 12 main/a\n")).unwrap();
        assert_eq!(release.files["main/a"], IndexFile { sha256: HASH.to_lowercase(), size: 12 });
    }

    #[test]
    fn what_cannot_be_relied_on_is_refused() {
        assert_eq!(error(""), "it is empty");
        assert_eq!(
            error("Suite: x\nMD5Sum:\n"),
            "it lists no SHA256 hashes, so nothing it names can be verified"
        );
        assert_eq!(error("SHA256:\n\nSHA256:\n"), "it has a second stanza in line 3, where only one may be");
        assert!(error("x").starts_with("it cannot be read: line 1"));
        let two = format!("SHA256:\n {HASH} 12 main/a\n {HASH} 13 main/a\n");
        assert_eq!(error(&two), "its SHA256 list has two different entries for main/a");
    }

    #[test]
    fn bad_lines_are_named() {
        let short = &HASH[1..];
        for line in [
            format!("{HASH} 12"),
            format!("{HASH} 12 a b"),
            format!("{HASH} x a"),
            format!("{short} 12 a"),
            format!("{short}g 12 a"),
            format!("{HASH} 12 /etc/passwd"),
            format!("{HASH} 12 a/../b"),
        ] {
            assert!(error(&format!("SHA256:\n {line}\n")).contains(&line), "{line}");
        }
    }
}
