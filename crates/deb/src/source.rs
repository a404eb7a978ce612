//! Source packages as an archive's `Sources` index or a .dsc describes them (deb-src-control(5), dsc(5)).

use serde::{Deserialize, Serialize};

use crate::control::Stanza;
use crate::paths::{is_archive_path, is_plain_name, is_sha256};
use crate::record::RecordError;
use crate::{Arch, Relations, Version, VersionError};

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
    /// `Build-Indep-Architecture`: where its `Architecture: all` packages are built, if it matters (deb-src-control(5)).
    pub build_indep_architecture: Option<String>,
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
    /// `Section`; `non-free/libs` and the like name the component (empty in a .dsc).
    pub section: String,
    /// `Testsuite`.
    pub testsuite: Vec<String>,
    /// `Autobuild: yes`: not of main, and may yet be built by machines.
    pub autobuild: bool,
}

impl SourceRecord {
    /// Takes a stanza of a `Sources` index or a .dsc.
    pub fn new(stanza: &Stanza<'_>) -> Result<Self, RecordError> {
        let package = stanza.get("Package").or_else(|| stanza.get("Source")).unwrap_or("").to_owned();
        let line = stanza.line();
        let missing = |field| RecordError::Missing { line, package: package.clone(), field };
        if package.is_empty() {
            return Err(missing("Source"));
        }
        let problem =
            |field, problem: String| RecordError::Field { line, package: package.clone(), field, problem };
        if !crate::relation::is_package_name(&package) {
            return Err(problem("Source", format!("{package:?} is not a package name")));
        }
        let directory = stanza.get("Directory").unwrap_or("");
        if !directory.is_empty() && !is_archive_path(directory) {
            return Err(problem("Directory", format!("{directory:?} is not a path within an archive")));
        }
        let relations = |field: &'static str| match stanza.get(field) {
            None => Ok(Relations::default()),
            Some(text) => Relations::parse(text).map_err(|error| problem(field, error.to_string())),
        };
        let version = stanza.get("Version").ok_or_else(|| missing("Version"))?;
        let words = |field: &str, between: &[char]| split(stanza.get(field).unwrap_or(""), between);
        Ok(Self {
            version: version.parse().map_err(|error: VersionError| problem("Version", error.to_string()))?,
            binaries: words("Binary", &[',', '\n']),
            architectures: words("Architecture", &[' ', '\t', '\n']),
            build_depends: relations("Build-Depends")?,
            build_depends_arch: relations("Build-Depends-Arch")?,
            build_depends_indep: relations("Build-Depends-Indep")?,
            build_conflicts: relations("Build-Conflicts")?,
            build_conflicts_arch: relations("Build-Conflicts-Arch")?,
            build_conflicts_indep: relations("Build-Conflicts-Indep")?,
            build_indep_architecture: stanza
                .get("Build-Indep-Architecture")
                .map(|arch| arch.trim().to_owned()),
            directory: directory.to_owned(),
            files: source_files(stanza).map_err(|text| problem("Checksums-Sha256", text))?,
            format: stanza.get("Format").unwrap_or("1.0").to_owned(),
            extra_source_only: stanza.get("Extra-Source-Only") == Some("yes"),
            package_list: words("Package-List", &['\n']),
            section: stanza.get("Section").unwrap_or("").to_owned(),
            testsuite: words("Testsuite", &[',', '\n']),
            autobuild: stanza.get("Autobuild") == Some("yes"),
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

fn split(text: &str, between: &[char]) -> Vec<String> {
    text.split(between).map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Reads `Checksums-Sha256`; every name must be a plain file name, and the lists of other hashes, where they are
/// there, must list the same files with the same sizes.
pub(crate) fn source_files(stanza: &Stanza<'_>) -> Result<Vec<SourceFile>, String> {
    let text = stanza.get("Checksums-Sha256").ok_or("it is not there, so the files cannot be verified")?;
    let mut files = lines(text).map(source_file).collect::<Result<Vec<SourceFile>, String>>()?;
    // Sorted for the comparison below and to find doubles; the order of the file is restored at the end.
    let order: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = files.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(format!("{} is listed twice", pair[0].name));
    }
    for field in ["Files", "Checksums-Sha1", "Checksums-Md5"] {
        if let Some(text) = stanza.get(field) {
            compare(field, text, &files)?;
        }
    }
    let restored = order.iter().filter_map(|name| {
        let at = files.binary_search_by(|file| file.name.cmp(name)).ok()?;
        Some(files[at].clone())
    });
    Ok(restored.collect())
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn source_file(line: &str) -> Result<SourceFile, String> {
    let mut words = line.split_whitespace();
    let (Some(sha256), Some(size), Some(name), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(format!("{line:?} is not a hash, a size and a name"));
    };
    if !is_plain_name(name) {
        return Err(format!("{name:?} is not a plain file name; files in other folders may not be named"));
    }
    if !is_sha256(sha256) {
        return Err(format!("{sha256:?} is no SHA-256"));
    }
    let size = size.parse().map_err(|_| format!("{size:?} is no size"))?;
    Ok(SourceFile { name: name.to_owned(), size, sha256: sha256.to_ascii_lowercase() })
}

/// Whether another list of hashes names the same files with the same sizes. `files` is sorted by name.
fn compare(field: &str, text: &str, files: &[SourceFile]) -> Result<(), String> {
    let mut seen = vec![false; files.len()];
    for line in lines(text) {
        // A .changes file has section and priority between size and name.
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(size), Some(name), 3..) = (words.get(1), words.last(), words.len()) else {
            return Err(format!("{field} has the line {line:?}, which is not a hash, a size and a name"));
        };
        let listed = files.binary_search_by(|file| file.name.as_str().cmp(name)).ok();
        match listed.filter(|at| Ok(files[*at].size) == size.parse()) {
            None => return Err(format!("{field} lists {name:?} with size {size}, and it does not")),
            Some(at) if seen[at] => return Err(format!("{field} lists {name} twice")),
            Some(at) => seen[at] = true,
        }
    }
    match seen.iter().position(|seen| !seen) {
        Some(at) => Err(format!("it lists {}, and {field} does not", files[at].name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::stanzas;

    const HASH: &str = "589efc4d87a4ae4745c273bdb33198d7c4f28a71736a8ece81d3677cf9c6e5ce";

    fn record(fields: &str) -> Result<SourceRecord, RecordError> {
        let text = format!("Package: a\nVersion: 1:1-1\n{fields}");
        SourceRecord::new(&stanzas(&text).next().unwrap().unwrap())
    }

    fn problem(fields: &str) -> String {
        match record(fields) {
            Err(RecordError::Field { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_keep_their_order() {
        let fields = format!(
            "Checksums-Sha256:\n {HASH} 10 b.dsc\n {HASH} 20 a.tar.xz\nFiles:\n m 20 a.tar.xz\n m 10 b.dsc\n"
        );
        let files = record(&fields).unwrap().files;
        let files: Vec<(&str, u64)> = files.iter().map(|file| (file.name.as_str(), file.size)).collect();
        assert_eq!(files, [("b.dsc", 10), ("a.tar.xz", 20)]);
    }

    #[test]
    fn hashes_must_be_there() {
        assert_eq!(problem("Files:\n m 1 a\n"), "it is not there, so the files cannot be verified");
        let md5 = "Checksums-Sha256:\n 9256c237372053faee83cda14e393fad 1 a\n";
        assert_eq!(problem(md5), r#""9256c237372053faee83cda14e393fad" is no SHA-256"#);
    }

    #[test]
    fn lists_must_agree() {
        let list = format!("Checksums-Sha256:\n {HASH} 10 a\n {HASH} 20 b\n");
        for (other, wrong) in [
            ("Files:\n m 10 a\n m 21 b\n", r#"Files lists "b" with size 21, and it does not"#),
            ("Files:\n m 10 a\n m 20 b\n m 1 c\n", r#"Files lists "c" with size 1, and it does not"#),
            ("Checksums-Sha1:\n s 10 a\n", "it lists b, and Checksums-Sha1 does not"),
            ("Files:\n m 10 a\n m 10 a\n m 20 b\n", "Files lists a twice"),
            ("Files:\n m a\n", r#"Files has the line "m a", which is not a hash, a size and a name"#),
            ("Files:\n m x a\n", r#"Files lists "a" with size x, and it does not"#),
        ] {
            assert_eq!(problem(&format!("{list}{other}")), wrong);
        }
        assert_eq!(problem(&format!("{list} {HASH} 10 a\n")), "a is listed twice");
    }

    #[test]
    fn file_names_must_be_plain() {
        for name in ["/etc/passwd", "../a", "a/b", "..", ".", ".bashrc", "-rf", "a\u{7}b", "a\\b", "a;b", "ä"]
        {
            let found = problem(&format!("Checksums-Sha256:\n {HASH} 1 {name}\n"));
            assert!(found.contains("is not a plain file name"), "{name}: {found}");
        }
        for line in ["x", "a b", "h 1 a b"] {
            let found = problem(&format!("Checksums-Sha256:\n {line}\n"));
            assert!(found.ends_with("is not a hash, a size and a name"), "{line}: {found}");
        }
        assert_eq!(problem(&format!("Checksums-Sha256:\n {HASH} -1 a\n")), r#""-1" is no size"#);
    }

    #[test]
    fn errors_name_the_field() {
        let text = |fields: &str| record(fields).unwrap_err().to_string();
        assert!(text("Build-Depends: (>= 1)\n").starts_with("line 1: a: field Build-Depends: cannot read"));
        assert!(text("Directory: ../x\n").starts_with(r#"line 1: a: field Directory: "../x" is not a path"#));
        let stanza =
            |text: &str| SourceRecord::new(&stanzas(text).next().unwrap().unwrap()).unwrap_err().to_string();
        assert_eq!(stanza("Version: 1\n"), "line 1: a package has no field Source");
        assert_eq!(stanza("Source: a\n"), "line 1: a has no field Version");
        assert_eq!(stanza("Source: ../a\n"), r#"line 1: ../a: field Source: "../a" is not a package name"#);
    }

    #[test]
    fn architectures_say_what_is_built() {
        let builds = |architectures: &str| {
            let record = record(&format!("Architecture: {architectures}\nChecksums-Sha256:\n")).unwrap();
            (record.builds_for(&"armhf".parse().unwrap()), record.builds_all())
        };
        assert_eq!(builds("any"), (true, false));
        assert_eq!(builds("any all"), (true, true));
        assert_eq!(builds("all"), (false, true));
        assert_eq!(builds("amd64 any-arm"), (true, false));
        assert_eq!(builds("amd64\n arm64"), (false, false));
    }
}
