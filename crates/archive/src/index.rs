//! Opening a suite: InRelease is verified, then the indices it names, each kept decompressed under its hash.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use archmill_deb::{Release, ReleaseError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::fetch::{Conditional, Expected, FetchError, Fetcher};
use crate::keyring::{Keyring, KeyringError};
use crate::progress::Progress;
use crate::repo::{RepoSpec, SignedBy};

/// Largest InRelease that is read; Debian's have 200 kB.
const RELEASE_LIMIT: u64 = 32 << 20;
/// How far a mirror's clock may be ahead of ours.
const SKEW: Duration = Duration::from_hours(24);

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
    /// How much apt prefers its packages: 500, or as its Release file says, 1 (`NotAutomatic`) or 100
    /// (`ButAutomaticUpgrades` as well).
    pub fn priority(&self) -> i32 {
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

/// Why a suite cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Something of it is not to be had.
    #[error("suite {suite} of {uri}: {source}")]
    Fetch {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// What happened.
        source: FetchError,
    },
    /// No good signature.
    #[error(
        "suite {suite} of {uri} cannot be trusted: {source}. Give the right keys with --keyring or signed-by=FILE; to accept it all the same, say [trusted=yes] in its line or --allow-unsigned"
    )]
    Signature {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// What is wrong.
        source: KeyringError,
    },
    /// Past its date.
    #[error(
        "suite {suite} of {uri} has expired: it was valid until {until}. The mirror is no longer updated, or somebody holds back updates. To accept it all the same, say [check-valid-until=no] in its line or --no-check-valid-until"
    )]
    Expired {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// Its Valid-Until.
        until: String,
    },
    /// From the future.
    #[error("suite {suite} of {uri} is dated {date}, which is in the future; check this host's clock")]
    Future {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// Its Date.
        date: String,
    },
    /// Its Release file is not one.
    #[error("suite {suite} of {uri} has an unusable Release file: {problem}")]
    Release {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// What is wrong.
        problem: String,
    },
    /// A component that it has not.
    #[error("suite {suite} of {uri} has no component {component}; it has {}", has.join(", "))]
    NoComponent {
        /// Suite.
        suite: String,
        /// Repository.
        uri: String,
        /// Component.
        component: String,
        /// Those that there are.
        has: Vec<String>,
    },
    /// A keyring that cannot be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Local files.
    #[error("cannot use {}: {source}", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Cached {
    validator: Option<String>,
    /// Base URL that it came from.
    url: String,
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
        let (text, release_sha256) = self.release_text(spec, progress)?;
        let problem = |error: ReleaseError| {
            let (suite, uri) = names(spec);
            ArchiveError::Release { suite, uri, problem: error.to_string() }
        };
        let release = Release::parse(&text).map_err(problem)?;
        self.check_dates(spec, &release)?;
        let mut opened = OpenedSuite {
            spec: spec.clone(),
            release,
            release_sha256,
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

    /// The verified text of Release, from the cache if the mirror still has the same.
    fn release_text(
        &self,
        spec: &RepoSpec,
        progress: &dyn Progress,
    ) -> Result<(String, String), ArchiveError> {
        let base = base_url(spec);
        let folder = self.folder.join(&hex::encode(Sha256::digest(base.as_bytes()))[..24]);
        let local = |path: &Path| {
            let path = path.to_owned();
            move |source| ArchiveError::Local { path, source }
        };
        fs::create_dir_all(&folder).map_err(local(&folder))?;
        let path = folder.join("InRelease");
        let state_path = folder.join("state.json");
        let lock_path = folder.join("lock");
        let lock = fs::File::create(&lock_path).map_err(local(&lock_path))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| local(&lock_path)(error.into()))?;
        let state: Option<Cached> =
            fs::read(&state_path).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let known = fs::read(&path).ok().filter(|_| state.is_some());
        if let Some(known) = known.as_ref().filter(|_| young(&state_path, self.max_age))
            && let Ok(text) = self.verify(spec, known)
        {
            return Ok((text, hex::encode(Sha256::digest(known))));
        }
        let validator = state.as_ref().and_then(|state| state.validator.clone()).filter(|_| known.is_some());
        let fetched =
            self.fetcher.document(&format!("{base}/InRelease"), validator.as_deref(), RELEASE_LIMIT);
        let (document, validator) = match (fetched, known) {
            (Ok(Conditional::Unchanged), Some(known)) => (known, validator),
            (Ok(Conditional::New { content, validator }), _) => (content, validator),
            (Ok(Conditional::Unchanged), None) => (Vec::new(), None),
            (Err(FetchError::NotFound { .. }), _) => return self.detached(spec, &base, progress),
            (Err(source), _) => return Err(fetch_error(spec, source)),
        };
        // Nothing is kept that is not good: a lie must not outlive the answer it came in.
        let text = self.verify(spec, &document)?;
        write_atomically(&path, &document).map_err(local(&path))?;
        let state = serde_json::to_vec(&Cached { validator, url: base })
            .map_err(|error| local(&state_path)(error.into()))?;
        write_atomically(&state_path, &state).map_err(local(&state_path))?;
        Ok((text, hex::encode(Sha256::digest(&document))))
    }

    /// `Release` with `Release.gpg`, of repositories without InRelease.
    fn detached(
        &self,
        spec: &RepoSpec,
        base: &str,
        progress: &dyn Progress,
    ) -> Result<(String, String), ArchiveError> {
        let get = |name: &str| match self.fetcher.document(&format!("{base}/{name}"), None, RELEASE_LIMIT) {
            Ok(Conditional::New { content, .. }) => Ok(content),
            Ok(Conditional::Unchanged) => Ok(Vec::new()),
            Err(error) => Err(fetch_error(spec, error)),
        };
        let release = get("Release")?;
        let sha256 = hex::encode(Sha256::digest(&release));
        let text = String::from_utf8_lossy(&release).into_owned();
        let signature = match get("Release.gpg") {
            Ok(signature) => String::from_utf8_lossy(&signature).into_owned(),
            Err(_) => String::new(),
        };
        match self.keyring(spec)?.verify_detached(&release, &signature) {
            Ok(()) => Ok((text, sha256)),
            Err(source) => self.untrusted(spec, source, progress).map(|()| (text, sha256)),
        }
    }

    fn verify(&self, spec: &RepoSpec, document: &[u8]) -> Result<String, ArchiveError> {
        let text = String::from_utf8_lossy(document).into_owned();
        match self.keyring(spec)?.verify_cleartext(&text) {
            Ok(signed) => Ok(signed),
            Err(source) => {
                self.untrusted(spec, source, &crate::progress::NoProgress)?;
                Ok(archmill_deb::control::strip_signature(&text).into_owned())
            }
        }
    }

    fn untrusted(
        &self,
        spec: &RepoSpec,
        source: KeyringError,
        progress: &dyn Progress,
    ) -> Result<(), ArchiveError> {
        let (suite, uri) = names(spec);
        if spec.trusted || self.allow_unsigned {
            progress
                .note(&format!("suite {suite} of {uri} is used without a good signature, as told: {source}"));
            return Ok(());
        }
        Err(ArchiveError::Signature { suite, uri, source })
    }

    fn keyring(&self, spec: &RepoSpec) -> Result<Keyring, ArchiveError> {
        Ok(match &spec.signed_by {
            None => self.keyring.clone(),
            Some(SignedBy::File(path)) => Keyring::open(path)?,
            Some(SignedBy::Key(key)) => {
                Keyring::parse(key.as_bytes(), "the key in its signed-by", Path::new("(signed-by)"))?
            }
        })
    }

    fn check_dates(&self, spec: &RepoSpec, release: &Release) -> Result<(), ArchiveError> {
        let (suite, uri) = names(spec);
        if let Some(date) = &release.date
            && parse_date(date).is_some_and(|parsed| {
                parsed > self.now + jiff::SignedDuration::try_from(SKEW).unwrap_or_default()
            })
        {
            return Err(ArchiveError::Future { suite, uri, date: date.clone() });
        }
        let Some(until) =
            release.valid_until.as_ref().filter(|_| spec.check_valid_until && !self.ignore_valid_until)
        else {
            return Ok(());
        };
        match parse_date(until) {
            Some(parsed) if parsed >= self.now => Ok(()),
            _ => Err(ArchiveError::Expired { suite, uri, until: until.clone() }),
        }
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
        if fs::metadata(&target).is_ok_and(|meta| meta.len() == plain.size) {
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
        let content = decompress(&download, ending).map_err(local)?;
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

fn base_url(spec: &RepoSpec) -> String {
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

fn decompress(path: &Path, ending: &str) -> io::Result<Vec<u8>> {
    let file = io::BufReader::new(fs::File::open(path)?);
    let mut content = Vec::new();
    match ending {
        ".xz" => liblzma::read::XzDecoder::new_multi_decoder(file).read_to_end(&mut content)?,
        ".gz" => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut content)?,
        _ => io::BufReader::new(file).read_to_end(&mut content)?,
    };
    Ok(content)
}

/// RFC 2822 as Release files have it: `Sat, 21 Nov 2026 09:15:44 UTC`.
pub fn parse_date(text: &str) -> Option<Timestamp> {
    let text = text.trim().trim_end_matches("UTC").trim_end_matches("GMT").trim_end_matches("+0000").trim();
    let time = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S", text).ok()?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn young(path: &Path, max_age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|meta| meta.modified());
    modified.is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|age| age < max_age))
}

fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut file, content)?;
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn names(spec: &RepoSpec) -> (String, String) {
    (spec.suite.clone(), spec.uri.clone())
}

fn fetch_error(spec: &RepoSpec, source: FetchError) -> ArchiveError {
    let (suite, uri) = names(spec);
    ArchiveError::Fetch { suite, uri, source }
}
