//! The Release file of a suite: fetched, verified, and never older than the one that was there before.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use archmill_deb::Release;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::ArchiveError;
use crate::fetch::{Conditional, FetchError, local as local_path};
use crate::index::{Archives, base_url, fetch_error, names, write_atomically};
use crate::keyring::{Keyring, KeyringError};
use crate::progress::Progress;
use crate::repo::{RepoSpec, SignedBy};

/// Largest InRelease that is read; Debian's have 200 kB.
const RELEASE_LIMIT: u64 = 32 << 20;
/// How far a mirror's clock may be ahead of ours.
const SKEW: Duration = Duration::from_hours(24);

#[derive(Debug, Serialize, Deserialize)]
struct Cached {
    validator: Option<String>,
    /// Base URL that it came from.
    url: String,
}

impl Archives<'_> {
    /// The verified Release file, from the cache if the mirror still has the same.
    pub(crate) fn release(&self, spec: &RepoSpec, progress: &dyn Progress) -> Result<Signed, ArchiveError> {
        let base = base_url(spec);
        let folder = self.folder.join(&hex::encode(Sha256::digest(base.as_bytes()))[..24]);
        fs::create_dir_all(&folder).map_err(local(&folder))?;
        let place = Place { folder, base };
        let _lock = place.lock()?;
        let state = place.state();
        let known = state.as_ref().and_then(|_| fs::read(place.in_release()).ok());
        let known = known.and_then(|document| self.verify(spec, document).ok());
        // To look at a file costs nothing, and a farm's own archive changes with every build.
        let is_fresh = local_path(&place.base).is_none() && young(&place.state_path(), self.max_age);
        if let Some(known) = known.as_ref().filter(|_| is_fresh) {
            return Ok(known.clone());
        }
        let validator = state.and_then(|state| state.validator).filter(|_| known.is_some());
        let url = format!("{}/InRelease", place.base);
        let (signed, validator) =
            match (self.fetcher.document(&url, validator.as_deref(), RELEASE_LIMIT), &known) {
                (Ok(Conditional::Unchanged), Some(known)) => (known.clone(), validator),
                (Ok(Conditional::Unchanged), None) => {
                    return Err(fetch_error(spec, FetchError::Status { url, status: 304 }));
                }
                // Nothing is kept that is not good: a lie must not outlive the answer it came in.
                (Ok(Conditional::New { content, validator }), _) => (self.verify(spec, content)?, validator),
                (Err(FetchError::NotFound { .. }), _) => (self.detached(spec, &place.base)?, None),
                (Err(source), _) => return Err(fetch_error(spec, source)),
            };
        if let Some(known) = known.filter(|known| known.is_newer_than(&signed)) {
            // As apt does: a mirror that lags is normal, one that is made to go back is an attack.
            let (suite, uri) = names(spec);
            progress.note(&format!(
                "suite {suite} of {uri} is older there than the one that was had from it before; the newer one is used"
            ));
            return Ok(known);
        }
        if let Some(document) = &signed.document {
            place.keep(document, validator)?;
        }
        Ok(signed)
    }

    /// `Release` with `Release.gpg`, of repositories without InRelease.
    fn detached(&self, spec: &RepoSpec, base: &str) -> Result<Signed, ArchiveError> {
        let get = |name: &str| match self.fetcher.document(&format!("{base}/{name}"), None, RELEASE_LIMIT) {
            Ok(Conditional::New { content, .. }) => Ok(content),
            Ok(Conditional::Unchanged) => Ok(Vec::new()),
            Err(error) => Err(fetch_error(spec, error)),
        };
        let release = get("Release")?;
        let signature = get("Release.gpg").unwrap_or_default();
        let signature = String::from_utf8_lossy(&signature);
        let doubt = match self.keyring(spec)?.verify_detached(&release, &signature, self.now) {
            Ok(()) => None,
            Err(source) => Some(self.untrusted(spec, source)?),
        };
        let text = String::from_utf8_lossy(&release).into_owned();
        Ok(Signed { text, sha256: hex::encode(Sha256::digest(&release)), document: None, doubt })
    }

    fn verify(&self, spec: &RepoSpec, document: Vec<u8>) -> Result<Signed, ArchiveError> {
        let all = String::from_utf8_lossy(&document).into_owned();
        let (text, doubt) = match self.keyring(spec)?.verify_cleartext(&all, self.now) {
            Ok(signed) => (signed, None),
            Err(source) => {
                let doubt = self.untrusted(spec, source)?;
                (archmill_deb::control::strip_signature(&all).into_owned(), Some(doubt))
            }
        };
        Ok(Signed { text, sha256: hex::encode(Sha256::digest(&document)), document: Some(document), doubt })
    }

    /// What to tell the user if a suite without a good signature is to be used all the same.
    fn untrusted(&self, spec: &RepoSpec, source: KeyringError) -> Result<String, ArchiveError> {
        let (suite, uri) = names(spec);
        if spec.trusted || self.allow_unsigned {
            return Ok(format!("suite {suite} of {uri} is used without a good signature, as told: {source}"));
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

    pub(crate) fn check_dates(&self, spec: &RepoSpec, release: &Release) -> Result<(), ArchiveError> {
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
}

/// A Release file that may be used.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) text: String,
    /// Of the document that it came in.
    pub(crate) sha256: String,
    /// InRelease, if that is what it came in.
    document: Option<Vec<u8>>,
    /// What the user must be told who uses it.
    pub(crate) doubt: Option<String>,
}

impl Signed {
    fn is_newer_than(&self, other: &Self) -> bool {
        let date = |text| Release::parse(text).ok()?.date.as_deref().and_then(parse_date);
        date(&self.text).zip(date(&other.text)).is_some_and(|(own, other)| own > other)
    }
}

/// Where the InRelease of a suite is kept.
struct Place {
    folder: PathBuf,
    base: String,
}

impl Place {
    fn in_release(&self) -> PathBuf {
        self.folder.join("InRelease")
    }

    fn state_path(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    fn lock(&self) -> Result<fs::File, ArchiveError> {
        let path = self.folder.join("lock");
        let lock = fs::File::create(&path).map_err(local(&path))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| local(&path)(error.into()))?;
        Ok(lock)
    }

    fn state(&self) -> Option<Cached> {
        serde_json::from_slice(&fs::read(self.state_path()).ok()?).ok()
    }

    fn keep(&self, document: &[u8], validator: Option<String>) -> Result<(), ArchiveError> {
        let (path, state_path) = (self.in_release(), self.state_path());
        write_atomically(&path, document).map_err(local(&path))?;
        let state = serde_json::to_vec(&Cached { validator, url: self.base.clone() })
            .map_err(|error| local(&state_path)(error.into()))?;
        write_atomically(&state_path, &state).map_err(local(&state_path))
    }
}

fn local(path: &Path) -> impl FnOnce(io::Error) -> ArchiveError + use<> {
    let path = path.to_owned();
    move |source| ArchiveError::Local { path, source }
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
