//! Release files: what is in a suite (the apt repository format, "Release" files).

use std::collections::BTreeMap;

use crate::control::{ControlError, stanzas};

/// Hash and size of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}

/// The text of a Release or InRelease file, without its signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// `Origin`.
    pub origin: String,
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
    /// A bad line in the list.
    #[error("its SHA256 list has the line {0:?}, which is not a hash, a size and a path")]
    BadLine(String),
}

impl Release {
    /// Reads the text.
    pub fn parse(text: &str) -> Result<Self, ReleaseError> {
        let stanza = stanzas(text).next().ok_or(ReleaseError::Empty)??;
        let field = |name: &str| stanza.get(name).unwrap_or("").to_owned();
        let words =
            |name: &str| -> Vec<String> { field(name).split_whitespace().map(str::to_owned).collect() };
        let yes = |name: &str| stanza.get(name) == Some("yes");
        let list = stanza.get("SHA256").ok_or(ReleaseError::NoHashes)?;
        Ok(Self {
            origin: field("Origin"),
            suite: field("Suite"),
            codename: field("Codename"),
            date: stanza.get("Date").map(str::to_owned),
            valid_until: stanza.get("Valid-Until").map(str::to_owned),
            components: words("Components"),
            architectures: words("Architectures"),
            acquire_by_hash: yes("Acquire-By-Hash"),
            not_automatic: yes("NotAutomatic"),
            but_automatic_upgrades: yes("ButAutomaticUpgrades"),
            files: list
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(index_file)
                .collect::<Result<_, _>>()?,
        })
    }
}

fn index_file(line: &str) -> Result<(String, IndexFile), ReleaseError> {
    let bad = || ReleaseError::BadLine(line.to_owned());
    let mut words = line.split_whitespace();
    let (Some(sha256), Some(size), Some(path), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad());
    };
    let safe = !path.starts_with('/') && path.split('/').all(|part| !part.is_empty() && part != "..");
    if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) || !safe {
        return Err(bad());
    }
    let size = size.parse().map_err(|_| bad())?;
    Ok((path.to_owned(), IndexFile { sha256: sha256.to_ascii_lowercase(), size }))
}
