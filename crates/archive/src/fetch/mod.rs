//! Getting files: over HTTP(S) or from a folder, each verified while it comes, resumed where it broke off,
//! and put into place whole or not at all.

use std::fs;
use std::io::{self, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use ureq::Agent;

use crate::progress::Progress;

mod error;
mod pace;
mod transfer;

pub use error::FetchError;
use error::{local_error, local_file_error, status_error, transport};
use pace::Pace;
pub use pace::Patience;
use transfer::{LOOK, Stop};

/// How often something that may be passing is tried.
const TRIES: u32 = 4;

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}

/// What a conditional request came back with.
#[derive(Debug)]
pub enum Conditional {
    /// It is still the one that is here.
    Unchanged,
    /// A new one, with the tag to ask with next time.
    New {
        /// Content.
        content: Vec<u8>,
        /// `ETag` or `Last-Modified`.
        validator: Option<String>,
    },
}

/// Gets files.
#[derive(Debug)]
pub struct Fetcher {
    agent: Agent,
    patience: Patience,
    stop: Stop,
    downloaded: AtomicU64,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Fetcher {
    /// With the host's certificates and proxies (http_proxy, https_proxy, no_proxy).
    pub fn new() -> Self {
        Self::with_patience(Patience::default())
    }

    /// The same, with another patience.
    pub fn with_patience(patience: Patience) -> Self {
        let tls = ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(Duration::from_mins(1)))
            .timeout_per_read(Some(patience.window))
            .user_agent(concat!("archmill/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .build();
        Self { agent: config.new_agent(), patience, stop: Stop::default(), downloaded: AtomicU64::new(0) }
    }

    /// The same, giving up once `flag` is set: what is waited for then fails with [`FetchError::Cancelled`].
    #[must_use]
    pub fn cancelled_by(self, flag: Arc<AtomicBool>) -> Self {
        Self { stop: Stop(flag), ..self }
    }

    /// Bytes of files and documents that came so far.
    pub fn downloaded(&self) -> u64 {
        self.downloaded.load(Ordering::Relaxed)
    }

    /// Gets a small document, unless it is still the one with `validator`.
    pub fn document(
        &self,
        url: &str,
        validator: Option<&str>,
        limit: u64,
    ) -> Result<Conditional, FetchError> {
        self.retry(|| self.document_once(url, validator, limit))
    }

    fn document_once(
        &self,
        url: &str,
        validator: Option<&str>,
        limit: u64,
    ) -> Result<Conditional, FetchError> {
        if let Some(path) = local(url) {
            let content = fs::read(&path).map_err(|error| local_error(url, &error))?;
            return Ok(Conditional::New { content, validator: None });
        }
        let condition = validator.map(|validator| {
            let tag = validator.starts_with('"') || validator.starts_with("W/");
            (if tag { "If-None-Match" } else { "If-Modified-Since" }, validator.to_owned())
        });
        let (head, transfer) = transfer::start(&self.agent, url, condition, &self.stop)?;
        match head.status {
            200 => {}
            304 => return Ok(Conditional::Unchanged),
            status => return Err(status_error(url, status)),
        }
        let header = |name: &str| head.header(name).map(str::to_owned);
        let validator = header("etag").or_else(|| header("last-modified"));
        let promised = header("content-length").and_then(|length| length.parse::<u64>().ok());
        let mut content = Vec::new();
        let mut reader = transfer.take(limit);
        let mut pace = Pace::new(self.patience.window);
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    content.extend_from_slice(&buffer[..count]);
                    pace.check(url, count)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(transport(url, &error.to_string())),
            }
        }
        let got = content.len() as u64;
        self.downloaded.fetch_add(got, Ordering::Relaxed);
        if let Some(wanted) = promised.filter(|wanted| *wanted > got) {
            return Err(FetchError::Truncated { url: url.to_owned(), got, wanted });
        }
        Ok(Conditional::New { content, validator })
    }

    /// Gets a file that must be `expected`, to `target`. What came of it before a failure is kept beside it and gone
    /// on from. Two processes that want the same file wait for each other.
    pub fn file(
        &self,
        url: &str,
        target: &Path,
        expected: &Expected,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        let partial = target.with_extension("partial");
        let local = |source: io::Error| local_file_error(&partial, source);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(local)?;
        }
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&partial)
            .map_err(local)?;
        self.lock(&file).map_err(local)?;
        self.stop.check()?;
        if fs::metadata(target).is_ok_and(|meta| meta.len() == expected.size) {
            progress.bytes(expected.size);
            return Ok(());
        }
        // Another process may have moved the file we opened into place or removed it while we waited for the lock.
        if !same_file(&file, &partial) {
            drop(file);
            return self.file(url, target, expected, progress);
        }
        let mut resumable = true;
        let mut attempt = || {
            let result = self.file_once(url, (&mut file, &partial), expected, progress, resumable);
            if matches!(result, Err(FetchError::Mismatch { .. })) && resumable {
                // What was there before may be the cause: once more from the start.
                resumable = false;
                return self.file_once(url, (&mut file, &partial), expected, progress, false);
            }
            result
        };
        let result = self.retry(&mut attempt);
        if let Err(error) = result {
            if matches!(error, FetchError::Mismatch { .. }) {
                let _ = fs::remove_file(&partial);
            }
            return Err(error);
        }
        fs::rename(&partial, target).map_err(|source| local_file_error(target, source))
    }

    /// Waits for the lock of a file, or until asked to stop.
    fn lock(&self, file: &fs::File) -> io::Result<()> {
        loop {
            match rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) if self.stop.is_asked() => return Ok(()),
                Err(rustix::io::Errno::WOULDBLOCK) => self.stop.sleep(LOOK),
                result => return Ok(result?),
            }
        }
    }

    fn file_once(
        &self,
        url: &str,
        (file, path): (&mut fs::File, &Path),
        expected: &Expected,
        progress: &dyn Progress,
        resume: bool,
    ) -> Result<(), FetchError> {
        let local_io = |source: io::Error| local_file_error(path, source);
        let mut hash = Sha256::new();
        let mut have = if resume { rehash(file, &mut hash, expected.size).map_err(local_io)? } else { 0 };
        if !resume {
            hash = Sha256::new();
            file.set_len(0).map_err(local_io)?;
            file.rewind().map_err(local_io)?;
        }
        progress.bytes(have);
        if have < expected.size {
            let Opened { mut reader, from, whole } = self.open(url, have)?;
            if whole.is_some_and(|whole| whole != expected.size) {
                return Err(FetchError::Mismatch {
                    url: url.to_owned(),
                    what: format!("{} bytes, and it should have {}", whole.unwrap_or(0), expected.size),
                });
            }
            if from != have {
                // The server does not resume.
                (hash, have) = (Sha256::new(), 0);
                file.set_len(0).map_err(local_io)?;
                file.rewind().map_err(local_io)?;
            }
            let pace = Pace::new(self.patience.window);
            let got = copy(url, &mut reader, (file, path), &mut hash, expected.size - have, pace, progress)?;
            self.downloaded.fetch_add(got, Ordering::Relaxed);
            have += got;
        }
        if have < expected.size {
            return Err(FetchError::Truncated { url: url.to_owned(), got: have, wanted: expected.size });
        }
        let got = hex::encode(hash.finalize());
        if got == expected.sha256 {
            return Ok(());
        }
        file.set_len(0).map_err(local_io)?;
        Err(FetchError::Mismatch {
            url: url.to_owned(),
            what: format!("SHA-256 {got}, and it should be {}", expected.sha256),
        })
    }

    fn retry<T>(&self, mut attempt: impl FnMut() -> Result<T, FetchError>) -> Result<T, FetchError> {
        let mut pause = self.patience.pause;
        for _ in 1..TRIES {
            match attempt() {
                Err(error) if error.passing() => self.stop.sleep(pause),
                result => return result,
            }
            self.stop.check()?;
            pause *= 3;
        }
        let last = attempt();
        // A try that is cut short fails with whatever it was at.
        if last.is_err() {
            self.stop.check()?;
        }
        last
    }

    /// A reader from byte `from` on, or from the start if the server does not resume.
    fn open(&self, url: &str, from: u64) -> Result<Opened, FetchError> {
        if let Some(path) = local(url) {
            let mut file = fs::File::open(&path).map_err(|error| local_error(url, &error))?;
            file.seek(io::SeekFrom::Start(from)).map_err(|error| local_error(url, &error))?;
            return Ok(Opened { reader: Box::new(file), from, whole: None });
        }
        let range = (from > 0).then(|| ("Range", format!("bytes={from}-")));
        let (head, transfer) = transfer::start(&self.agent, url, range, &self.stop)?;
        match head.status {
            code @ (200 | 206) => {
                let whole = if code == 200 {
                    head.header("content-length").filter(|_| head.header("content-encoding").is_none())
                } else {
                    head.header("content-range").and_then(|range| Some(range.rsplit_once('/')?.1))
                };
                let whole = whole.and_then(|whole| whole.trim().parse().ok());
                let from = if code == 200 { 0 } else { from };
                Ok(Opened { reader: Box::new(transfer), from, whole })
            }
            416 if from > 0 => self.open(url, 0),
            status => Err(status_error(url, status)),
        }
    }
}

/// A file on its way.
struct Opened {
    reader: Box<dyn Read>,
    /// The byte that it starts at.
    from: u64,
    /// Size of the whole file, if the server says.
    whole: Option<u64>,
}

fn copy(
    url: &str,
    reader: &mut dyn Read,
    (file, path): (&mut fs::File, &Path),
    hash: &mut Sha256,
    wanted: u64,
    mut pace: Pace,
    progress: &dyn Progress,
) -> Result<u64, FetchError> {
    let mut buffer = vec![0; 1 << 16];
    let mut got = 0;
    while got < wanted {
        let count = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if got == 0 => return Err(transport(url, &error.to_string())),
            // What came so far is good; the next try goes on from here.
            Err(_) => break,
        };
        let count = usize::try_from((wanted - got).min(count as u64)).unwrap_or(count);
        file.write_all(&buffer[..count]).map_err(|source| local_file_error(path, source))?;
        hash.update(&buffer[..count]);
        got += count as u64;
        progress.bytes(count as u64);
        pace.check(url, count)?;
    }
    Ok(got)
}

/// Hashes what is there already; too much of it is nothing.
pub(crate) fn rehash(file: &mut fs::File, hash: &mut Sha256, most: u64) -> io::Result<u64> {
    file.rewind()?;
    let mut buffer = vec![0; 1 << 16];
    let mut have = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => {
                hash.update(&buffer[..count]);
                have += count as u64;
            }
        }
    }
    if have > most {
        *hash = Sha256::new();
        file.set_len(0)?;
        file.rewind()?;
        return Ok(0);
    }
    Ok(have)
}

/// Whether a file in the cache is what it was when it was written: disks lose parts of files in power cuts.
pub(crate) fn is_whole(path: &Path, expected: &Expected) -> bool {
    let hash = || -> io::Result<String> {
        let mut hash = Sha256::new();
        rehash(&mut fs::File::open(path)?, &mut hash, expected.size)?;
        Ok(hex::encode(hash.finalize()))
    };
    fs::metadata(path).is_ok_and(|meta| meta.len() == expected.size)
        && hash().is_ok_and(|found| found == expected.sha256)
}

fn same_file(file: &fs::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(a), Ok(b)) = (file.metadata(), fs::metadata(path)) else { return false };
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// The path of a file: URL or of a plain path.
pub(crate) fn local(url: &str) -> Option<PathBuf> {
    if let Some(path) = url.strip_prefix("file://").or_else(|| url.strip_prefix("file:")) {
        return Some(path.into());
    }
    url.starts_with('/').then(|| url.into())
}
