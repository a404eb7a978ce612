//! Opening a suite: InRelease is verified, then the indices it names, each kept decompressed under its hash.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use archmill_deb::{Release, ReleaseError};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::error::ArchiveError;
use crate::fetch::{Expected, FetchError, Fetcher, is_whole};
use crate::keyring::Keyring;
use crate::progress::Progress;
use crate::repo::RepoSpec;

/// What to accept and where to keep it.
#[derive(Debug)]
pub struct Archives<'a> {
    /// Gets files.
    pub fetcher: &'a Fetcher,
    /// Folder for indices.
    pub folder: PathBuf,
    /// Keyring for repositories that name none of their own.
    pub keyring: Keyring,
    /// Accept metadata past its Valid-Until, of any repository.
    pub ignore_valid_until: bool,
    /// Accept unsigned metadata, of any repository.
    pub allow_unsigned: bool,
    /// An InRelease that was checked no longer ago than this is not asked for again.
    pub max_age: Duration,
    /// Now.
    pub now: Timestamp,
}

/// A suite with its indices on disk.
#[derive(Debug, Clone)]
pub struct OpenedSuite {
    /// Where it is.
    pub spec: RepoSpec,
    /// The verified Release text.
    pub release: Release,
    /// SHA-256 of InRelease.
    pub release_sha256: String,
    /// Decompressed `Packages`, one for each component.
    pub packages: Vec<Index>,
    /// Decompressed `Sources`.
    pub sources: Vec<Index>,
}

impl OpenedSuite {
    /// How much its packages are preferred: as the repository's description says, else as apt does, 500, or as its Release
    /// file says, 1 (`NotAutomatic`) or 100 (`ButAutomaticUpgrades` as well).
    pub fn priority(&self) -> i32 {
        if let Some(priority) = self.spec.priority {
            return priority;
        }
        match (self.release.not_automatic, self.release.but_automatic_upgrades) {
            (true, false) => 1,
            (true, true) => 100,
            _ => 500,
        }
    }
}

/// An index on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its content.
    pub sha256: String,
}

impl Archives<'_> {
    /// Opens a suite with the `Packages` of `arch` (and those for all), and `Sources` if asked for.
    pub fn open(
        &self,
        spec: &RepoSpec,
        arch: &str,
        sources: bool,
        progress: &dyn Progress,
    ) -> Result<OpenedSuite, ArchiveError> {
        let signed = self.release(spec, progress)?;
        if let Some(doubt) = &signed.doubt {
            progress.note(doubt);
        }
        let problem = |error: ReleaseError| {
            let (suite, uri) = names(spec);
            ArchiveError::Release { suite, uri, problem: error.to_string() }
        };
        let release = Release::parse(&signed.text).map_err(problem)?;
        self.check_dates(spec, &release)?;
        if !is_named(&release, &spec.suite) {
            // A warning, as with apt: names of folders are the repository's own affair.
            let (suite, uri) = names(spec);
            let (own, codename) = (&release.suite, &release.codename);
            progress.note(&format!(
                "suite {suite} of {uri} calls itself {own} ({codename}); somebody may be giving one suite for another"
            ));
        }
        let mut opened = OpenedSuite {
            spec: spec.clone(),
            release,
            release_sha256: signed.sha256,
            packages: Vec::new(),
            sources: Vec::new(),
        };
        for path in index_paths(spec, &opened.release, arch)? {
            opened.packages.extend(self.index(spec, &opened.release, &path, progress)?);
        }
        if sources && spec.sources {
            for component in folders(spec) {
                let path = format!("{component}source/Sources");
                opened.sources.extend(self.index(spec, &opened.release, &path, progress)?);
            }
        }
        Ok(opened)
    }

    /// An index, decompressed; `None` if the Release file does not list it.
    fn index(
        &self,
        spec: &RepoSpec,
        release: &Release,
        path: &str,
        progress: &dyn Progress,
    ) -> Result<Option<Index>, ArchiveError> {
        let Some(plain) = release.files.get(path) else { return Ok(None) };
        let target = self.folder.join("by-hash").join(&plain.sha256);
        let local = |source| ArchiveError::Local { path: target.clone(), source };
        // So that it is seen which are in use; before it is read, which takes a while.
        let _ = fs::File::open(&target).and_then(|file| file.set_modified(std::time::SystemTime::now()));
        // What a power cut left of an index must not decide which packages there are.
        if is_whole(&target, &Expected { sha256: plain.sha256.clone(), size: plain.size }) {
            return Ok(Some(Index { path: target, sha256: plain.sha256.clone() }));
        }
        let compressed = [".xz", ".gz", ""].iter().find_map(|ending| {
            let name = format!("{path}{ending}");
            release.files.get(&name).map(|file| (name, *ending, file.clone()))
        });
        let Some((name, ending, file)) = compressed else { return Ok(None) };
        let expected = Expected { sha256: file.sha256.clone(), size: file.size };
        let download = self.folder.join("by-hash").join(format!("{}.compressed", file.sha256));
        self.download(spec, release, &name, &expected, &download, progress)?;
        let content = match decompress(&download, ending, plain.size) {
            // Another process that waited for the same download was faster, and has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && target.exists() => {
                return Ok(Some(Index { path: target, sha256: plain.sha256.clone() }));
            }
            content => content.map_err(local)?,
        };
        if hex::encode(Sha256::digest(&content)) != plain.sha256 {
            let (suite, uri) = names(spec);
            let problem = format!("{name} does not decompress to the {path} that it lists");
            return Err(ArchiveError::Release { suite, uri, problem });
        }
        write_atomically(&target, &content).map_err(local)?;
        let _ = fs::remove_file(&download);
        Ok(Some(Index { path: target, sha256: plain.sha256.clone() }))
    }

    /// By hash where the repository has that, as its plain name may already belong to the next version.
    fn download(
        &self,
        spec: &RepoSpec,
        release: &Release,
        name: &str,
        expected: &Expected,
        target: &Path,
        progress: &dyn Progress,
    ) -> Result<(), ArchiveError> {
        let base = base_url(spec);
        if release.acquire_by_hash {
            let folder = name.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
            let url = format!("{base}/{folder}by-hash/SHA256/{}", expected.sha256);
            match self.fetcher.file(&url, target, expected, progress) {
                Err(FetchError::NotFound { .. }) => {}
                result => return result.map_err(|source| fetch_error(spec, source)),
            }
        }
        self.fetcher
            .file(&format!("{base}/{name}"), target, expected, progress)
            .map_err(|source| fetch_error(spec, source))
    }
}

/// Whether a Release file is that of the suite that was asked for; one that names none, and that of a flat
/// repository, is of any.
fn is_named(release: &Release, asked: &str) -> bool {
    let names = [release.suite.as_str(), release.codename.as_str()];
    asked.ends_with('/') || names.iter().all(|name| name.is_empty()) || names.contains(&asked)
}

pub(crate) fn base_url(spec: &RepoSpec) -> String {
    match spec.suite.strip_suffix('/') {
        Some(flat) => format!("{}/{}", spec.uri, flat).trim_end_matches(['/', '.']).to_owned(),
        None => format!("{}/dists/{}", spec.uri, spec.suite),
    }
}

fn folders(spec: &RepoSpec) -> Vec<String> {
    spec.components.iter().map(|component| format!("{component}/")).collect()
}

fn index_paths(spec: &RepoSpec, release: &Release, arch: &str) -> Result<Vec<String>, ArchiveError> {
    if spec.components.is_empty() {
        return Ok(vec!["Packages".to_owned()]);
    }
    if !spec.binaries || !spec.serves(arch) {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for component in &spec.components {
        // Security suites name their components "updates/main".
        let known = release
            .components
            .iter()
            .any(|has| has == component || has.rsplit('/').next() == Some(component));
        if !known && !release.components.is_empty() {
            let (suite, uri) = names(spec);
            let (component, has) = (component.clone(), release.components.clone());
            return Err(ArchiveError::NoComponent { suite, uri, component, has });
        }
        paths.push(format!("{component}/binary-{arch}/Packages"));
        // Debian's Packages files have the packages for all architectures too; where they have not, the suite says so.
        if arch != "all"
            && release.files.contains_key(&format!("{component}/binary-all/Packages"))
            && !release.files.contains_key(&format!("{component}/binary-{arch}/Packages"))
        {
            paths.push(format!("{component}/binary-all/Packages"));
        }
    }
    Ok(paths)
}

/// Decompresses an index that must have `size` bytes; of more, one more is read.
fn decompress(path: &Path, ending: &str, size: u64) -> io::Result<Vec<u8>> {
    let file = io::BufReader::new(fs::File::open(path)?);
    let mut content = Vec::new();
    match ending {
        ".xz" => liblzma::read::XzDecoder::new_multi_decoder(file)
            .take(size.saturating_add(1))
            .read_to_end(&mut content)?,
        ".gz" => {
            flate2::read::MultiGzDecoder::new(file).take(size.saturating_add(1)).read_to_end(&mut content)?
        }
        _ => file.take(size.saturating_add(1)).read_to_end(&mut content)?,
    };
    Ok(content)
}

pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut file, content)?;
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

pub(crate) fn names(spec: &RepoSpec) -> (String, String) {
    (spec.suite.clone(), spec.uri.clone())
}

pub(crate) fn fetch_error(spec: &RepoSpec, source: FetchError) -> ArchiveError {
    let (suite, uri) = names(spec);
    ArchiveError::Fetch { suite, uri, source }
}
