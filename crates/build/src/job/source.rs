//! What is built: looked up in the archive, or read from a .dsc or a tree.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use archmill_archive::{Conditional, Expected, OpenedSuite, PoolFile};
use archmill_deb::control::{stanzas, without_comments};
use archmill_deb::{Dsc, Relations, SourceFile, SourceRecord, Version, nearest};
use sha2::{Digest as _, Sha256};

use super::error::{During as _, JobError};
use super::session::Session;
use crate::classify::Phase;

/// A source package whose files are on this machine.
#[derive(Debug, Clone)]
pub struct Source {
    /// What its control data says.
    pub record: SourceRecord,
    /// Its files with where each is; the .dsc first. None for a tree.
    pub files: Vec<(SourceFile, PathBuf)>,
    /// The tree, if that is what was given.
    pub tree: Option<Tree>,
    /// Number of the repository it came from.
    pub repository: Option<usize>,
}

/// A source tree.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Where it is.
    pub path: PathBuf,
    /// What tells whether it is still the same: see [`hash`].
    pub sha256: String,
}

const DSC_LIMIT: u64 = 16 << 20;

/// What a user can name as a source.
enum Named<'a> {
    Url,
    Dsc(&'a Path),
    Tree(&'a Path),
    /// Of the archive.
    Package,
    /// A path where there is nothing to build.
    Nothing,
}

impl<'a> Named<'a> {
    fn of(named: &'a str) -> Self {
        let path = Path::new(named);
        if named.contains("://") {
            Self::Url
        } else if has_ending(named, "dsc") {
            Self::Dsc(path)
        } else if path.is_dir() && (named.contains('/') || named == "." || named == "..") {
            Self::Tree(path)
        } else if named.contains('/') {
            Self::Nothing
        } else {
            Self::Package
        }
    }
}

fn nothing(named: &str) -> String {
    format!("{named} is neither a .dsc file nor a folder with a source tree")
}

/// What can be said of a source without an archive: refuses what is not there, and trees that cannot be copied.
pub(super) fn check(named: &str) -> Result<(), String> {
    match Named::of(named) {
        Named::Url | Named::Package => Ok(()),
        Named::Dsc(path) => regular_file(path),
        Named::Tree(tree) => {
            for name in ["changelog", "control"] {
                regular_file(&tree.join("debian").join(name))
                    .map_err(|error| format!("{} is no Debian source tree: {error}", tree.display()))?;
            }
            only_files_and_folders(tree, &VERSION_CONTROL)
        }
        Named::Nothing => Err(nothing(named)),
    }
}

/// Refuses what is no file that can be read to its end: opening a FIFO would wait for somebody to write.
pub(super) fn regular_file(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(format!("{} is not a regular file", path.display())),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// A source package has neither devices nor sockets, and dpkg-source refuses a tree with them. Folders named in `but`, of
/// the topmost level, are not looked at.
fn only_files_and_folders(folder: &Path, but: &[&str]) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (kind, path) = (entry.file_type().map_err(failed)?, entry.path());
        if kind.is_dir() {
            if !but.iter().any(|name| entry.file_name() == *name) {
                only_files_and_folders(&path, &[])?;
            }
        } else if !kind.is_file() && !kind.is_symlink() {
            return Err(format!(
                "{} is a FIFO, a socket or a device, which a source package cannot have; remove it",
                path.display()
            ));
        }
    }
    Ok(())
}

/// SHA-256 over a line for each file and link of a tree in the order of their paths: kind, whether it can be executed,
/// hash of the content or target, path. Folders named in `but`, of the topmost level, do not count.
fn hash(tree: &Path, but: &[&str]) -> Result<String, String> {
    let mut lines = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let full = tree.join(&folder);
        let failed = |error: std::io::Error| format!("cannot read {}: {error}", full.display());
        for entry in fs::read_dir(&full).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let metadata = entry.metadata().map_err(failed)?;
            let path = folder.join(entry.file_name());
            if metadata.is_dir() {
                if folder != Path::new("") || !but.iter().any(|name| entry.file_name() == *name) {
                    folders.push(path);
                }
            } else if metadata.is_symlink() {
                let target = fs::read_link(entry.path()).map_err(failed)?;
                let sha256 = hex::encode(Sha256::digest(target.as_os_str().as_bytes()));
                lines.push((path, format!("link {sha256}")));
            } else {
                let measured = crate::artifacts::measure(&entry.path()).map_err(|error| error.to_string())?;
                let kind = if metadata.mode() & 0o100 == 0 { "file" } else { "program" };
                lines.push((path, format!("{kind} {}", measured.sha256)));
            }
        }
    }
    lines.sort();
    let mut sum = Sha256::new();
    for (path, line) in lines {
        sum.update(line.as_bytes());
        sum.update(b" ");
        sum.update(path.as_os_str().as_bytes());
        sum.update(b"\0");
    }
    Ok(hex::encode(sum.finalize()))
}

/// Folders that are no part of a source.
pub(super) const VERSION_CONTROL: [&str; 4] = [".git", ".svn", ".bzr", ".hg"];

impl Source {
    /// The folder it is built in, below `/build/reproducible-path`.
    pub fn folder_name(&self) -> String {
        format!("{}-{}", self.record.package, self.record.version.upstream())
    }

    /// Finds what `named` means and gets its files.
    pub fn get(session: &Session<'_>, named: &str, suites: &[OpenedSuite]) -> Result<Self, JobError> {
        match Named::of(named) {
            Named::Url => Self::from_url(session, named),
            Named::Dsc(path) => Self::from_dsc(path),
            Named::Tree(path) => Self::from_tree(path),
            Named::Nothing => Err(nothing(named)).refused(Phase::FetchSource),
            Named::Package => Self::from_archive(session, named, suites),
        }
    }

    fn from_archive(session: &Session<'_>, named: &str, suites: &[OpenedSuite]) -> Result<Self, JobError> {
        let (record, number) = in_archive(named, suites)?;
        session.step(&format!(
            "source {} {} from {}",
            record.package, record.version, suites[number].spec.suite
        ));
        let base = format!("{}/{}", suites[number].spec.uri, record.directory);
        Self::fetch(session, record, &base, Some(number))
    }

    /// What the archive says of a source package, without its files.
    pub(super) fn find(named: &str, suites: &[OpenedSuite]) -> Result<Self, JobError> {
        if !matches!(Named::of(named), Named::Package) {
            let message =
                format!("{named} is no source package of the archive, and only these can be imported");
            return Err(JobError::refused(Phase::FetchSource, message));
        }
        let (record, number) = in_archive(named, suites)?;
        Ok(Self { record, files: Vec::new(), tree: None, repository: Some(number) })
    }

    fn from_url(session: &Session<'_>, url: &str) -> Result<Self, JobError> {
        let document = match session.fetcher.document(url, None, DSC_LIMIT) {
            Err(error) if error.is_not_found() => {
                return Err(JobError::refused(Phase::FetchSource, format!("there is no {url} (404)")));
            }
            document => document.during(Phase::FetchSource)?,
        };
        let Conditional::New { content, .. } = document else {
            return Err(JobError::new(Phase::FetchSource, format!("{url} cannot be fetched")));
        };
        let text = String::from_utf8_lossy(&content).into_owned();
        let mut record =
            Dsc::parse(&text).map_err(|error| format!("{url}: {error}")).during(Phase::FetchSource)?.record;
        let (base, name) = url.rsplit_once('/').unwrap_or(("", url));
        let dsc = own_entry(name, &content);
        let kept = session.folder("pool").join(&dsc.sha256[..2]).join(&dsc.sha256);
        keep(&kept, &content)
            .map_err(|error| format!("cannot write {}: {error}", kept.display()))
            .during(Phase::FetchSource)?;
        record.files.retain(|file| file.name != dsc.name);
        record.files.push(dsc);
        Self::fetch(session, record, base, None)
    }

    /// Gets all files; the hashes come from an index that is verified, or from the .dsc that the user named.
    pub(super) fn fetch(
        session: &Session<'_>,
        record: SourceRecord,
        base: &str,
        repository: Option<usize>,
    ) -> Result<Self, JobError> {
        let mut listed = record.files.clone();
        listed.sort_by_key(|file| !has_ending(&file.name, "dsc"));
        if !listed.first().is_some_and(|file| has_ending(&file.name, "dsc")) {
            return Err(JobError::new(
                Phase::FetchSource,
                format!("source {} has no .dsc file in the index", record.package),
            ));
        }
        let files: Vec<PoolFile> = listed
            .iter()
            .map(|file| PoolFile {
                url: format!("{base}/{}", file.name),
                expected: Expected { sha256: file.sha256.clone(), size: file.size },
            })
            .collect();
        let paths = session
            .fetch("downloading the source", &files, 4)
            .map_err(|error| format!("source {} {}: {error}", record.package, record.version))
            .during(Phase::FetchSource)?;
        Ok(Self { record, files: listed.into_iter().zip(paths).collect(), tree: None, repository })
    }

    fn from_dsc(path: &Path) -> Result<Self, JobError> {
        regular_file(path).refused(Phase::FetchSource)?;
        let content = fs::read(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))
            .during(Phase::FetchSource)?;
        let record = Dsc::parse(&String::from_utf8_lossy(&content))
            .map_err(|error| format!("{}: {error}", path.display()))
            .during(Phase::FetchSource)?
            .record;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut files = vec![(own_entry(&name, &content), path.to_owned())];
        let folder = path.parent().unwrap_or(Path::new("."));
        for file in &record.files {
            let path = folder.join(&file.name);
            let found = regular_file(&path)
                .and_then(|()| crate::artifacts::measure(&path).map_err(|error| error.to_string()))
                .map_err(|error| format!("{name} names {}: {error}", file.name))
                .refused(Phase::FetchSource)?;
            if found.sha256 != file.sha256 || found.size_bytes != file.size {
                let what = if found.size_bytes == file.size {
                    format!("its SHA-256 is {} and must be {}", found.sha256, file.sha256)
                } else {
                    format!("it has {} bytes and must have {}", found.size_bytes, file.size)
                };
                let message = format!("{} is not the file that {name} names: {what}", path.display());
                return Err(JobError::new(Phase::FetchSource, message));
            }
            files.push((file.clone(), path));
        }
        Ok(Self { record, files, tree: None, repository: None })
    }

    fn from_tree(tree: &Path) -> Result<Self, JobError> {
        let read = |name: &str| {
            let path = tree.join("debian").join(name);
            let text = regular_file(&path).and_then(|()| {
                fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
            });
            text.map_err(|error| format!("{} is no Debian source tree: {error}", tree.display()))
                .refused(Phase::FetchSource)
        };
        let changelog = read("changelog")?;
        let control = without_comments(&read("control")?);
        let record = tree_record(&changelog, &control)
            .map_err(|error| format!("{}: {error}", tree.display()))
            .refused(Phase::FetchSource)?;
        let path = fs::canonicalize(tree).during(Phase::FetchSource)?;
        let sha256 = hash(&path, &VERSION_CONTROL).during(Phase::FetchSource)?;
        Ok(Self { record, files: Vec::new(), tree: Some(Tree { path, sha256 }), repository: None })
    }
}

/// The newest source of a name, or that of a version, and the number of the suite that has it.
fn in_archive(named: &str, suites: &[OpenedSuite]) -> Result<(SourceRecord, usize), JobError> {
    let (name, wanted) = match named.split_once('=') {
        Some((name, version)) => (name, Some(version.parse::<Version>().refused(Phase::FetchSource)?)),
        None => (named, None),
    };
    let mut best: Option<(SourceRecord, usize)> = None;
    let mut others = Vec::new();
    for (number, suite) in suites.iter().enumerate() {
        for index in &suite.sources {
            let text = fs::read_to_string(&index.path).during(Phase::FetchSource)?;
            for record in find_sources(&text, name) {
                let record = record.during(Phase::FetchSource)?;
                let fits =
                    wanted.as_ref().map_or(!record.extra_source_only, |wanted| *wanted == record.version);
                if !fits {
                    others.push((record.version, number));
                } else if best.as_ref().is_none_or(|(best, _)| record.version > best.version) {
                    best = Some((record, number));
                }
            }
        }
    }
    best.ok_or_else(|| match wanted {
        Some(wanted) if !others.is_empty() => no_version(name, &wanted, others, suites),
        _ => unknown(named, suites),
    })
    .refused(Phase::FetchSource)
}

/// Puts a file into the pool, whole or not at all.
fn keep(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

/// The entry of a file that does not list itself.
fn own_entry(name: &str, content: &[u8]) -> SourceFile {
    use sha2::Digest as _;
    let sha256 = hex::encode(sha2::Sha256::digest(content));
    SourceFile { name: name.to_owned(), size: content.len() as u64, sha256 }
}

pub(super) fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == ending)
}

/// The stanzas of `Package: name`; only those are read, the index has tens of thousands.
fn find_sources<'a>(text: &'a str, name: &str) -> Vec<Result<SourceRecord, String>> {
    let line = format!("Package: {name}\n");
    let read = |stanza: &'a str| {
        let stanza = stanzas(stanza).next().ok_or("an empty stanza")?.map_err(|error| error.to_string())?;
        SourceRecord::new(&stanza).map_err(|error| error.to_string())
    };
    text.match_indices(&line)
        .filter(|(at, _)| *at == 0 || text.as_bytes()[at - 1] == b'\n')
        .map(|(at, _)| {
            let start = text[..at].rfind("\n\n").map_or(0, |blank| blank + 2);
            let end = text[at..].find("\n\n").map_or(text.len(), |blank| at + blank + 1);
            read(&text[start..end])
        })
        .collect()
}

fn unknown(named: &str, suites: &[OpenedSuite]) -> String {
    let texts: Vec<String> = suites
        .iter()
        .flat_map(|suite| &suite.sources)
        .filter_map(|index| fs::read_to_string(&index.path).ok())
        .collect();
    let name = named.split('=').next().unwrap_or(named);
    let known = texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix("Package: "));
    let near = nearest(name, known);
    let list: Vec<&str> = suites.iter().map(|suite| suite.spec.suite.as_str()).collect();
    let hint = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
    let here = if Path::new(named).is_dir() {
        format!("; for the folder of that name say ./{named}")
    } else {
        String::new()
    };
    format!("there is no source package {named} in {}{hint}{here}", list.join(", "))
}

/// A package that is there in other versions.
fn no_version(
    name: &str,
    wanted: &Version,
    mut others: Vec<(Version, usize)>,
    suites: &[OpenedSuite],
) -> String {
    others.sort_by(|one, other| other.cmp(one));
    others.dedup();
    let list: Vec<String> = others
        .iter()
        .map(|(version, number)| format!("{name}={version} in {}", suites[*number].spec.suite))
        .collect();
    format!("there is no version {wanted} of the source package {name}; there is {}", list.join(", "))
}

/// What a source tree says of itself.
fn tree_record(changelog: &str, control: &str) -> Result<SourceRecord, String> {
    let first = changelog.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let heading = || {
        format!(
            "debian/changelog must start with a line like \"hello (2.10-3) unstable; urgency=medium\", and starts with {first:?}"
        )
    };
    let (package, rest) = first.split_once(" (").ok_or_else(heading)?;
    // It becomes part of the names of files and folders.
    if !archmill_deb::relation::is_package_name(package) {
        return Err(format!("debian/changelog: {package:?} is not a name that a package can have"));
    }
    let (version, _) = rest.split_once(')').ok_or_else(heading)?;
    let version: Version = version.parse().map_err(|error| format!("debian/changelog: {error}"))?;
    let mut paragraphs = stanzas(control);
    let stanza = paragraphs
        .next()
        .ok_or("debian/control is empty")?
        .map_err(|error| format!("debian/control: {error}"))?;
    let relations = |name: &str| {
        let text = stanza.get(name).unwrap_or("");
        Relations::parse(text).map_err(|error| format!("debian/control: {name}: {error}"))
    };
    let mut architectures = Vec::new();
    let mut binaries = Vec::new();
    for binary in paragraphs {
        let binary = binary.map_err(|error| format!("debian/control: {error}"))?;
        binaries.extend(binary.get("Package").map(str::to_owned));
        architectures.extend(binary.get("Architecture").unwrap_or("").split_whitespace().map(str::to_owned));
    }
    Ok(SourceRecord {
        package: package.to_owned(),
        version,
        binaries,
        architectures,
        build_depends: relations("Build-Depends")?,
        build_depends_arch: relations("Build-Depends-Arch")?,
        build_depends_indep: relations("Build-Depends-Indep")?,
        build_conflicts: relations("Build-Conflicts")?,
        build_conflicts_arch: relations("Build-Conflicts-Arch")?,
        build_conflicts_indep: relations("Build-Conflicts-Indep")?,
        build_indep_architecture: stanza.get("Build-Indep-Architecture").map(|arch| arch.trim().to_owned()),
        directory: String::new(),
        files: Vec::new(),
        format: String::new(),
        extra_source_only: false,
        package_list: Vec::new(),
        section: String::new(),
        testsuite: Vec::new(),
        autobuild: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stanzas_of_the_very_name_are_found() {
        let hash = "0".repeat(64);
        let stanza =
            |name: &str| format!("Package: {name}\nVersion: 1\nChecksums-Sha256:\n {hash} 1 {name}.dsc\n\n");
        let text = stanza("dash") + &stanza("dash-x") + &stanza("xdash");
        let found = find_sources(&text, "dash");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].as_ref().unwrap().package, "dash");
    }

    #[test]
    fn a_tree_has_only_files_and_folders_beside_version_control() {
        let tmp = tempfile::tempdir().unwrap();
        let socket = |path: &Path| std::os::unix::net::UnixListener::bind(path).unwrap();
        for folder in [".git", "debian", "sub"] {
            fs::create_dir(tmp.path().join(folder)).unwrap();
        }
        fs::write(tmp.path().join("sub/file"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", tmp.path().join("sub/link")).unwrap();
        socket(&tmp.path().join(".git/socket"));
        let checked = || only_files_and_folders(tmp.path(), &VERSION_CONTROL);
        assert_eq!(checked(), Ok(()));
        socket(&tmp.path().join("sub/socket"));
        assert!(checked().unwrap_err().contains("sub/socket is a FIFO, a socket"));
    }

    #[test]
    fn the_hash_of_a_tree_changes_with_whatever_is_built_from_it() {
        let tmp = tempfile::tempdir().unwrap();
        let hashed = || hash(tmp.path(), &VERSION_CONTROL).unwrap();
        for folder in [".git", "sub"] {
            fs::create_dir(tmp.path().join(folder)).unwrap();
        }
        let file = tmp.path().join("sub/file");
        fs::write(&file, "one").unwrap();
        let first = hashed();
        fs::write(tmp.path().join(".git/index"), "x").unwrap();
        assert_eq!(hashed(), first);
        let mut seen = vec![first];
        let mut changed = || {
            let now = hashed();
            assert!(!seen.contains(&now));
            seen.push(now);
        };
        fs::write(&file, "two").unwrap();
        changed();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        changed();
        fs::rename(&file, tmp.path().join("file")).unwrap();
        changed();
        std::os::unix::fs::symlink("file", tmp.path().join("link")).unwrap();
        changed();
    }

    #[test]
    fn a_tree_tells_its_name_version_and_dependencies() {
        let control = "Source: a\nBuild-Depends: debhelper-compat (= 13)\n\nPackage: a\nArchitecture: any\n\nPackage: a-doc\nArchitecture: all\n";
        let record = tree_record("a (1:2.0-1) unstable; urgency=medium\n", control).unwrap();
        assert_eq!((record.package.as_str(), record.version.upstream()), ("a", "2.0"));
        assert_eq!(record.architectures, ["any", "all"]);
        assert!(tree_record("no heading", control).unwrap_err().contains("must start with a line like"));
    }
}
