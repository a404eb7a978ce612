//! Documents about one source or one build: .dsc, .changes and .buildinfo (dsc(5), deb-changes(5),
//! deb-buildinfo(5)). Signatures are stripped and not verified.

use crate::control::{ControlError, Stanza, stanzas, strip_signature};
use crate::record::RecordError;
use crate::source::{SourceFile, SourceRecord, source_files};
use crate::{RelationError, Relations};

/// Why a document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not a stanza.
    #[error("it cannot be read: {0}")]
    Control(#[from] ControlError),
    /// A stanza with something wrong in it.
    #[error("it cannot be used: {0}")]
    Record(#[from] RecordError),
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// More than one stanza.
    #[error("it has a second stanza in line {0}, where only one may be")]
    Second(usize),
    /// A field is missing.
    #[error("it has no field {0}")]
    Missing(&'static str),
    /// The list of files is wrong.
    #[error("its Checksums-Sha256 cannot be used: {0}")]
    Files(String),
}

pub(crate) fn only_stanza(text: &str) -> Result<Stanza<'_>, DocumentError> {
    let mut stanzas = stanzas(text);
    let stanza = stanzas.next().ok_or(DocumentError::Empty)??;
    match stanzas.next() {
        None => Ok(stanza),
        Some(second) => Err(DocumentError::Second(second?.line())),
    }
}

/// A .dsc file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dsc {
    /// What it says.
    pub record: SourceRecord,
    /// Its text without the signature.
    pub text: String,
}

impl Dsc {
    /// Reads a .dsc, signed or not. That the signature is good is not looked at.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let text = strip_signature(text).into_owned();
        let stanza = only_stanza(&text)?;
        if stanza.get("Format").is_none() {
            return Err(DocumentError::Missing("Format"));
        }
        let record = SourceRecord::new(&stanza)?;
        if record.files.is_empty() {
            return Err(DocumentError::Files("it lists no file".to_owned()));
        }
        Ok(Self { record, text })
    }
}

/// A .changes or .buildinfo file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileList {
    /// Source package name.
    pub source: String,
    /// Version.
    pub version: String,
    /// Architectures.
    pub architectures: Vec<String>,
    /// Files.
    pub files: Vec<SourceFile>,
    /// All fields.
    pub fields: Vec<(String, String)>,
}

/// A .changes file.
pub type Changes = FileList;
/// A .buildinfo file.
pub type BuildInfo = FileList;

impl FileList {
    /// Reads a .changes or .buildinfo, signed or not.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let body = strip_signature(text);
        let stanza = only_stanza(&body)?;
        let field = |name: &'static str| stanza.get(name).ok_or(DocumentError::Missing(name));
        // After the name the source's version may follow, where it is not that of the binaries.
        let source = field("Source")?.split_whitespace().next().ok_or(DocumentError::Missing("Source"))?;
        Ok(Self {
            source: source.to_owned(),
            version: field("Version")?.to_owned(),
            architectures: field("Architecture")?.split_whitespace().map(str::to_owned).collect(),
            files: source_files(&stanza).map_err(DocumentError::Files)?,
            fields: stanza.fields().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        })
    }

    /// A field by name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// `Installed-Build-Depends` of a .buildinfo: the packages that were in the build root.
    pub fn installed_build_depends(&self) -> Result<Relations, RelationError> {
        self.field("Installed-Build-Depends").map_or_else(|| Ok(Relations::default()), Relations::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "589efc4d87a4ae4745c273bdb33198d7c4f28a71736a8ece81d3677cf9c6e5ce";

    fn dsc(fields: &str) -> String {
        format!("{fields}Source: a\nVersion: 1\nChecksums-Sha256:\n {HASH} 1 a_1.tar.xz\n")
    }

    #[test]
    fn a_dsc_is_read_with_and_without_armor() {
        let text = dsc("Format: 1.0\n");
        let plain = Dsc::parse(&text).unwrap();
        let signed = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{text}\n\
             -----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"
        );
        let signed = Dsc::parse(&signed).unwrap();
        assert_eq!(signed.record, plain.record);
        assert_eq!(signed.text, format!("{text}\n"));
    }

    #[test]
    fn what_is_no_dsc_is_refused() {
        let error = |text: &str| Dsc::parse(text).unwrap_err().to_string();
        assert_eq!(error(""), "it is empty");
        assert_eq!(error(&dsc("")), "it has no field Format");
        let two = format!("{}\nFormat: 1.0\n", dsc("Format: 1.0\n"));
        assert_eq!(error(&two), "it has a second stanza in line 7, where only one may be");
        assert!(error("<html>\n").starts_with("it cannot be read: line 1"));
        assert!(
            error("Format: 1.0\nSource: a\nVersion: 1\n").starts_with("it cannot be used: line 1: a: field")
        );
        let none = "Format: 1.0\nSource: a\nVersion: 1\nChecksums-Sha256:\n";
        assert_eq!(error(none), "its Checksums-Sha256 cannot be used: it lists no file");
    }

    #[test]
    fn a_changes_file_has_more_columns() {
        let text = format!(
            "Format: 1.8\nSource: a (1)\nVersion: 1+b1\nArchitecture: arm64 all\nDistribution: trixie\n\
             Checksums-Sha256:\n {HASH} 10 a_1+b1_arm64.deb\nFiles:\n m 10 libs optional a_1+b1_arm64.deb\n"
        );
        let changes = Changes::parse(&text).unwrap();
        assert_eq!((changes.source.as_str(), changes.version.as_str()), ("a", "1+b1"));
        assert_eq!(changes.architectures, ["arm64", "all"]);
        assert_eq!(changes.files[0].name, "a_1+b1_arm64.deb");
        assert_eq!(changes.field("distribution"), Some("trixie"));
        let missing = Changes::parse("Source: a\n").unwrap_err();
        assert_eq!(missing, DocumentError::Missing("Version"));
    }

    #[test]
    fn a_buildinfo_lists_what_was_installed() {
        let text = format!(
            "Format: 1.0\nSource: a\nVersion: 1\nArchitecture: arm64\nChecksums-Sha256:\n {HASH} 10 a_1_arm64.deb\n\
             Installed-Build-Depends:\n base-files (= 13.8),\n gcc-14:amd64 (= 14.2.0-19)\nEnvironment:\n LANG=\"C\"\n"
        );
        let installed = BuildInfo::parse(&text).unwrap().installed_build_depends().unwrap();
        assert_eq!(installed.to_string(), "base-files (= 13.8), gcc-14:amd64 (= 14.2.0-19)");
    }
}
