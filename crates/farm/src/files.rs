//! What builds leave: in their folders while they run, among the kept files afterwards.

use std::fs;
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use archmill_engine::local::OUTPUT;
use archmill_store::{Blob, BlobError, Blobs, BuildId, KeptFile, Store};

use crate::{FarmError, LOG_ENDING, RESULTS, build_folder};

/// Keeps what a build left. It stays in its folder as well, until what was kept is written down.
pub(crate) async fn keep(blobs: &Blobs, folder: &Path) -> Result<Vec<KeptFile>, BlobError> {
    let mut kept = Vec::new();
    for (name, path) in left(folder) {
        kept.push(KeptFile { name, blob: blobs.put(&path).await? });
    }
    Ok(kept)
}

/// The files in a build's folder; a build makes no folders there.
fn left(folder: &Path) -> Vec<(String, PathBuf)> {
    let results =
        fs::read_dir(folder.join(RESULTS)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<(String, PathBuf)> = results
        .chain([folder.join(OUTPUT)])
        .filter(|path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()))
        .filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path)))
        .collect();
    files.sort_unstable();
    files
}

/// Removes the folder of a build whose files are kept and written down.
pub(crate) fn clear(folder: &Path) -> Result<(), FarmError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FarmError::Remove { path: folder.to_owned(), error })
        }
        _ => Ok(()),
    }
}

/// A file of a build, wherever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildFile {
    /// It is kept.
    Kept(Blob),
    /// The build runs, or was not taken in yet.
    Here(PathBuf),
}

impl BuildFile {
    /// The log of a build; what it said on standard output and error where there is no log.
    pub async fn log(store: &Store, build: BuildId) -> Result<Option<Self>, FarmError> {
        let is_log = |name: &str| name.rsplit_once('.').is_some_and(|(_, ending)| ending == LOG_ENDING);
        match Self::find(store, build, is_log).await? {
            None => Self::find(store, build, |name| name == OUTPUT).await,
            log => Ok(log),
        }
    }

    /// A file of a build by its name.
    pub async fn named(store: &Store, build: BuildId, name: &str) -> Result<Option<Self>, FarmError> {
        Self::find(store, build, |known| known == name).await
    }

    async fn find(
        store: &Store,
        build: BuildId,
        is_meant: impl Fn(&str) -> bool,
    ) -> Result<Option<Self>, FarmError> {
        let kept = store.files_of(build).await?;
        if let Some(file) = kept.into_iter().find(|file| is_meant(&file.name)) {
            return Ok(Some(Self::Kept(file.blob)));
        }
        let here = left(&build_folder(store.folder(), build));
        Ok(here.into_iter().find(|(name, _)| is_meant(name)).map(|(_, path)| Self::Here(path)))
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Kept(blob) => blob.size_bytes,
            Self::Here(path) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
        }
    }

    /// Gives what is in it from a byte on, and tells how much that was. Nothing of what is gone meanwhile.
    pub async fn copy(&self, store: &Store, from: u64, out: &mut dyn Write) -> Result<u64, BlobError> {
        let path = match self {
            Self::Kept(blob) => return store.blobs().copy(blob, from, out).await,
            Self::Here(path) => path,
        };
        let failed = |error| BlobError::File { path: path.clone(), error };
        let mut file = match fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            file => file.map_err(failed)?,
        };
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        io::copy(&mut file, out).map_err(BlobError::Out)
    }
}
