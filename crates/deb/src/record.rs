//! Entries of the archive's indices.

use serde::{Deserialize, Serialize};

use crate::control::Stanza;
use crate::{Arch, RelationError, Relations, Version, VersionError};

/// Why a stanza is no usable record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A field that must be there is not.
    #[error("line {line}: {package} has no field {field}")]
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

/// A binary package in a `Packages` index. Dependency fields are read when asked for.
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
    /// Takes a stanza for a record.
    pub fn new(stanza: Stanza<'a>) -> Result<Self, RecordError> {
        let package = stanza.get("Package").unwrap_or("");
        let missing =
            |field| RecordError::Missing { line: stanza.line(), package: package.to_owned(), field };
        if package.is_empty() {
            return Err(missing("Package"));
        }
        let version_text = stanza.get("Version").ok_or_else(|| missing("Version"))?;
        let architecture = stanza.get("Architecture").ok_or_else(|| missing("Architecture"))?;
        Ok(Self { stanza, package, version_text, architecture })
    }

    /// Version.
    pub fn version(&self) -> Result<Version, VersionError> {
        self.version_text.parse()
    }

    /// Name and version of the source package.
    pub fn source(&self) -> (&'a str, &'a str) {
        match self.stanza.get("Source").map(|source| source.split_once(" (")) {
            None => (self.package, self.version_text),
            Some(None) => (self.stanza.get("Source").unwrap_or(self.package), self.version_text),
            Some(Some((name, version))) => (name, version.trim_end_matches(')')),
        }
    }

    /// A dependency field, empty if it is not there.
    pub fn relations(&self, field: &str) -> Result<Relations, RelationError> {
        self.stanza.get(field).map_or_else(|| Ok(Relations::default()), Relations::parse)
    }

    /// Whether it is `Essential: yes`.
    pub fn essential(&self) -> bool {
        self.stanza.get("Essential") == Some("yes")
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

    /// `Filename`, relative to the archive's root.
    pub fn filename(&self) -> Option<&'a str> {
        self.stanza.get("Filename")
    }

    /// `SHA256`.
    pub fn sha256(&self) -> Option<&'a str> {
        self.stanza.get("SHA256")
    }
}

/// A file of a source package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Plain file name.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A source package, from a `Sources` index or a .dsc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRecord {
    /// Source package name.
    pub package: String,
    /// Version.
    pub version: Version,
    /// Binary packages that it builds.
    pub binaries: Vec<String>,
    /// Architectures (and wildcards) that it builds for.
    pub architectures: Vec<String>,
    /// `Build-Depends`.
    pub build_depends: Relations,
    /// `Build-Depends-Arch`.
    pub build_depends_arch: Relations,
    /// `Build-Depends-Indep`.
    pub build_depends_indep: Relations,
    /// `Build-Conflicts`.
    pub build_conflicts: Relations,
    /// `Build-Conflicts-Arch`.
    pub build_conflicts_arch: Relations,
    /// `Build-Conflicts-Indep`.
    pub build_conflicts_indep: Relations,
    /// Folder in the archive (empty in a .dsc).
    pub directory: String,
    /// Files, the .dsc included when from an index.
    pub files: Vec<SourceFile>,
    /// `Format`.
    pub format: String,
    /// `Extra-Source-Only: yes`: kept for the sake of a built package, not part of the suite.
    pub extra_source_only: bool,
    /// `Package-List` lines, trimmed.
    pub package_list: Vec<String>,
}

impl SourceRecord {
    /// Takes a stanza of a `Sources` index or a .dsc.
    pub fn new(stanza: &Stanza<'_>) -> Result<Self, RecordError> {
        let package = stanza.get("Package").or_else(|| stanza.get("Source")).unwrap_or("").to_owned();
        let line = stanza.line();
        let missing = |field| RecordError::Missing { line, package: package.clone(), field };
        if !crate::relation::is_package_name(&package) {
            return Err(missing("Source"));
        }
        let problem =
            |field, problem: String| RecordError::Field { line, package: package.clone(), field, problem };
        let relations = |field: &'static str| match stanza.get(field) {
            None => Ok(Relations::default()),
            Some(text) => Relations::parse(text).map_err(|error| problem(field, error.to_string())),
        };
        let version = stanza.get("Version").ok_or_else(|| missing("Version"))?;
        let words = |field: &str, between: &[char]| -> Vec<String> {
            let text = stanza.get(field).unwrap_or("");
            text.split(between).map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        Ok(Self {
            version: version.parse().map_err(|error: VersionError| problem("Version", error.to_string()))?,
            binaries: words("Binary", &[',', '\n']),
            architectures: words("Architecture", &[' ', '\n']),
            build_depends: relations("Build-Depends")?,
            build_depends_arch: relations("Build-Depends-Arch")?,
            build_depends_indep: relations("Build-Depends-Indep")?,
            build_conflicts: relations("Build-Conflicts")?,
            build_conflicts_arch: relations("Build-Conflicts-Arch")?,
            build_conflicts_indep: relations("Build-Conflicts-Indep")?,
            directory: stanza.get("Directory").unwrap_or("").to_owned(),
            files: source_files(stanza).map_err(|text| problem("Checksums-Sha256", text))?,
            format: stanza.get("Format").unwrap_or("1.0").to_owned(),
            extra_source_only: stanza.get("Extra-Source-Only") == Some("yes"),
            package_list: words("Package-List", &['\n']),
            package,
        })
    }

    /// Whether it builds anything for `arch`.
    pub fn builds_for(&self, arch: &Arch) -> bool {
        self.architectures.iter().any(|wildcard| arch.matches(wildcard))
    }

    /// Whether it builds `Architecture: all` packages.
    pub fn builds_all(&self) -> bool {
        self.architectures.iter().any(|arch| arch == "all")
    }
}

/// Reads `Checksums-Sha256`; every name must be a plain file name, and `Files` must agree where it is there.
pub(crate) fn source_files(stanza: &Stanza<'_>) -> Result<Vec<SourceFile>, String> {
    let text = stanza.get("Checksums-Sha256").ok_or("it is not there, so the files cannot be verified")?;
    let mut files = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let (Some(sha256), Some(size), Some(name), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(format!("{line:?} is not a hash, a size and a name"));
        };
        if !is_plain_name(name) {
            return Err(format!(
                "{name:?} is not a plain file name; a source package may not name files in other folders"
            ));
        }
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("{sha256:?} is no SHA-256"));
        }
        let size = size.parse().map_err(|_| format!("{size:?} is no size"))?;
        if files.iter().any(|file: &SourceFile| file.name == name) {
            return Err(format!("{name} is listed twice"));
        }
        files.push(SourceFile { name: name.to_owned(), size, sha256: sha256.to_ascii_lowercase() });
    }
    for line in stanza.get("Files").unwrap_or("").lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(name), Some(size)) = (words.last(), words.get(1)) else {
            continue;
        };
        let agrees = files.iter().any(|file| file.name == *name && Ok(file.size) == size.parse());
        if !agrees {
            return Err(format!("Files lists {name:?} with size {size}, and Checksums-Sha256 does not"));
        }
    }
    Ok(files)
}

/// A name without folders, control characters or tricks.
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && !name.starts_with('-')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.~_:@%,".contains(&byte))
}
