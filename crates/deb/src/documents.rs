//! Documents about one source or one build: .dsc, .changes and .buildinfo (deb-src-control(5),
//! deb-changes(5), deb-buildinfo(5)).

use crate::control::{ControlError, Stanza, stanzas, strip_signature};
use crate::record::{RecordError, SourceFile, SourceRecord, source_files};

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
    /// The list of files is wrong.
    #[error("its Checksums-Sha256 cannot be used: {0}")]
    Files(String),
}

fn only_stanza(text: &str) -> Result<Stanza<'_>, DocumentError> {
    Ok(stanzas(text).next().ok_or(DocumentError::Empty)??)
}

/// Reads a .dsc, signed or not. The signature is not verified.
pub fn parse_dsc(text: &str) -> Result<SourceRecord, DocumentError> {
    let body = strip_signature(text);
    Ok(SourceRecord::new(&only_stanza(&body)?)?)
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
        let field = |name: &str| stanza.get(name).unwrap_or("").to_owned();
        Ok(Self {
            source: field("Source").split(' ').next().unwrap_or("").to_owned(),
            version: field("Version"),
            architectures: field("Architecture").split_whitespace().map(str::to_owned).collect(),
            files: source_files_of(&stanza)?,
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
}

fn source_files_of(stanza: &Stanza<'_>) -> Result<Vec<SourceFile>, DocumentError> {
    source_files(stanza).map_err(DocumentError::Files)
}
