//! Package files, kept under their hash.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::fetch::{Expected, FetchError, Fetcher, is_whole};
use crate::progress::Progress;

/// A file to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolFile {
    /// Where it is.
    pub url: String,
    /// What it must be.
    pub expected: Expected,
}

impl PoolFile {
    /// Where it is kept below `folder`.
    pub fn path(&self, folder: &Path) -> PathBuf {
        let hash = &self.expected.sha256;
        folder.join(&hash[..2]).join(hash)
    }

    /// Whether it is there already.
    pub fn is_cached(&self, folder: &Path) -> bool {
        std::fs::metadata(self.path(folder)).is_ok_and(|meta| meta.len() == self.expected.size)
    }
}

/// Gets all `files` into `folder`, `parallel` at a time, and tells where each is; what is there already is used if it is
/// still what it was. The first failure ends it.
pub fn fetch_all(
    fetcher: &Fetcher,
    folder: &Path,
    files: &[PoolFile],
    parallel: usize,
    progress: &dyn Progress,
) -> Result<Vec<PathBuf>, FetchError> {
    let queue = Mutex::new(files.iter());
    let failure = Mutex::new(None);
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    std::thread::scope(|scope| {
        for _ in 0..parallel.max(1) {
            scope.spawn(|| {
                while let Some(file) = next() {
                    if failure.lock().is_ok_and(|failure| failure.is_some()) {
                        break;
                    }
                    let path = file.path(folder);
                    if file.is_cached(folder) && !is_whole(&path, &file.expected) {
                        progress.note(&format!(
                            "{} was damaged since it was downloaded; it is downloaded again",
                            path.display()
                        ));
                        let _ = std::fs::remove_file(&path);
                    }
                    if !file.is_cached(folder)
                        && let Err(error) = fetcher.file(&file.url, &path, &file.expected, progress)
                        && let Ok(mut failure) = failure.lock()
                    {
                        failure.get_or_insert(error);
                    }
                }
            });
        }
    });
    match failure.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(files.iter().map(|file| file.path(folder)).collect()),
    }
}
