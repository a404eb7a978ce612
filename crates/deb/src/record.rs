//! Binary packages as an archive's `Packages` index lists them.

use serde::{Deserialize, Serialize};

use crate::control::Stanza;
use crate::paths::is_archive_path;
use crate::{RelationError, Relations, Version, VersionError};

/// Why a stanza is no usable record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A field that must be there is not.
    #[error("line {line}: {package} has no field {field}", package = if package.is_empty() { "a package" } else { package })]
    Missing {
        /// Line of the stanza.
        line: usize,
        /// Package, as far as known.
        package: String,
        /// The field.
        field: &'static str,
    },
    /// A field that cannot be read.
    #[error("line {line}: {package}: field {field}: {problem}")]
    Field {
        /// Line of the stanza.
        line: usize,
        /// Package.
        package: String,
        /// The field.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
}

/// The `Multi-Arch` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MultiArch {
    /// Not said.
    #[default]
    No,
    /// Can be installed for several architectures at once.
    Same,
    /// Serves packages of other architectures.
    Foreign,
    /// Serves those that ask with `:any`.
    Allowed,
}

/// A binary package in a `Packages` index. It borrows from the index; dependency fields are parsed when asked
/// for, because most are not.
#[derive(Debug, Clone)]
pub struct BinaryRecord<'a> {
    /// Its stanza.
    pub stanza: Stanza<'a>,
    /// Package name.
    pub package: &'a str,
    /// Version, as text.
    pub version_text: &'a str,
    /// Architecture.
    pub architecture: &'a str,
}

impl<'a> BinaryRecord<'a> {
    /// Takes a stanza for a record. A `Filename` that leads out of the archive is an error.
    pub fn new(stanza: Stanza<'a>) -> Result<Self, RecordError> {
        let package = stanza.get("Package").unwrap_or("");
        let line = stanza.line();
        let missing = |field| RecordError::Missing { line, package: package.to_owned(), field };
        if package.is_empty() {
            return Err(missing("Package"));
        }
        let version_text = stanza.get("Version").ok_or_else(|| missing("Version"))?;
        let architecture = stanza.get("Architecture").ok_or_else(|| missing("Architecture"))?;
        let problem =
            |field, problem: String| RecordError::Field { line, package: package.to_owned(), field, problem };
        if !crate::relation::is_package_name(package) {
            return Err(problem("Package", format!("{package:?} is not a package name")));
        }
        if let Some(path) = stanza.get("Filename").filter(|path| !is_archive_path(path)) {
            return Err(problem("Filename", format!("{path:?} is not a path within an archive")));
        }
        Ok(Self { stanza, package, version_text, architecture })
    }

    /// Version.
    pub fn version(&self) -> Result<Version, VersionError> {
        self.version_text.parse()
    }

    /// Name and version of the source package.
    pub fn source(&self) -> (&'a str, &'a str) {
        let Some(source) = self.stanza.get("Source") else { return (self.package, self.version_text) };
        match source.split_once('(') {
            None => (source, self.version_text),
            Some((name, version)) => (name.trim_end(), version.trim_end_matches(')').trim()),
        }
    }

    /// A dependency field, empty if it is not there.
    pub fn relations(&self, field: &str) -> Result<Relations, RelationError> {
        self.stanza.get(field).map_or_else(|| Ok(Relations::default()), Relations::parse)
    }

    /// `Pre-Depends`.
    pub fn pre_depends(&self) -> Result<Relations, RelationError> {
        self.relations("Pre-Depends")
    }

    /// `Depends`.
    pub fn depends(&self) -> Result<Relations, RelationError> {
        self.relations("Depends")
    }

    /// `Recommends`.
    pub fn recommends(&self) -> Result<Relations, RelationError> {
        self.relations("Recommends")
    }

    /// `Conflicts`.
    pub fn conflicts(&self) -> Result<Relations, RelationError> {
        self.relations("Conflicts")
    }

    /// `Breaks`.
    pub fn breaks(&self) -> Result<Relations, RelationError> {
        self.relations("Breaks")
    }

    /// `Replaces`.
    pub fn replaces(&self) -> Result<Relations, RelationError> {
        self.relations("Replaces")
    }

    /// `Provides`.
    pub fn provides(&self) -> Result<Relations, RelationError> {
        self.relations("Provides")
    }

    /// `Built-Using`: the exact sources of what was copied into it.
    pub fn built_using(&self) -> Result<Relations, RelationError> {
        self.relations("Built-Using")
    }

    /// Whether it is `Essential: yes`.
    pub fn essential(&self) -> bool {
        self.stanza.get("Essential") == Some("yes")
    }

    /// Whether it is `Build-Essential: yes`.
    pub fn build_essential(&self) -> bool {
        self.stanza.get("Build-Essential") == Some("yes")
    }

    /// `Priority`, such as `required`.
    pub fn priority(&self) -> Option<&'a str> {
        self.stanza.get("Priority")
    }

    /// `Section`, such as `libs` or `non-free/utils`.
    pub fn section(&self) -> Option<&'a str> {
        self.stanza.get("Section")
    }

    /// `Multi-Arch`.
    pub fn multi_arch(&self) -> MultiArch {
        match self.stanza.get("Multi-Arch") {
            Some("same") => MultiArch::Same,
            Some("foreign") => MultiArch::Foreign,
            Some("allowed") => MultiArch::Allowed,
            _ => MultiArch::No,
        }
    }

    /// `Size` in bytes.
    pub fn size(&self) -> Option<u64> {
        self.stanza.get("Size")?.parse().ok()
    }

    /// `Installed-Size` in KiB.
    pub fn installed_size(&self) -> Option<u64> {
        self.stanza.get("Installed-Size")?.parse().ok()
    }

    /// `Filename`, relative to the archive's root.
    pub fn filename(&self) -> Option<&'a str> {
        self.stanza.get("Filename")
    }

    /// `SHA256`, in hexadecimal.
    pub fn sha256(&self) -> Option<&'a str> {
        self.stanza.get("SHA256").filter(|hash| crate::paths::is_sha256(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::stanzas;

    fn record(text: &str) -> Result<BinaryRecord<'_>, RecordError> {
        BinaryRecord::new(stanzas(text).next().unwrap().unwrap())
    }

    fn error(text: &str) -> String {
        record(text).unwrap_err().to_string()
    }

    #[test]
    fn the_source_is_the_package_unless_said_otherwise() {
        let text = "Package: a\nVersion: 2+b1\nArchitecture: arm64\n";
        assert_eq!(record(text).unwrap().source(), ("a", "2+b1"));
        assert_eq!(record(&format!("{text}Source: s\n")).unwrap().source(), ("s", "2+b1"));
        assert_eq!(record(&format!("{text}Source: s (1:2)\n")).unwrap().source(), ("s", "1:2"));
    }

    #[test]
    fn what_is_not_said_has_the_usual_value() {
        let record =
            record("Package: a\nVersion: 2\nArchitecture: arm64\nSHA256: short\nSize: -1\n").unwrap();
        assert!(!record.essential() && !record.build_essential());
        assert_eq!(record.multi_arch(), MultiArch::No);
        assert!(record.depends().unwrap().is_empty());
        assert_eq!((record.size(), record.sha256(), record.filename()), (None, None, None));
    }

    #[test]
    fn records_need_a_name_a_version_and_an_architecture() {
        assert_eq!(error("Version: 1\n"), "line 1: a package has no field Package");
        assert_eq!(error("\nPackage: a\n"), "line 2: a has no field Version");
        assert_eq!(error("Package: a\nVersion: 1\n"), "line 1: a has no field Architecture");
        let named = error("Package: a/b\nVersion: 1\nArchitecture: all\n");
        assert_eq!(named, r#"line 1: a/b: field Package: "a/b" is not a package name"#);
    }

    #[test]
    fn a_file_outside_of_the_archive_is_refused() {
        for path in ["/etc/passwd", "../a.deb", "pool/../../a.deb", "pool//a.deb", "a\tb"] {
            let text = format!("Package: a\nVersion: 1\nArchitecture: all\nFilename: {path}\n");
            assert!(error(&text).ends_with("is not a path within an archive"), "{path}");
        }
    }
}
