//! Files by what is in them: `ab/abcd...`, named after their SHA-256, so that what two builds made alike is there once.
//!
//! Through `object_store`, which has other places than a local folder as well.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{GetOptions, GetRange, ObjectStore};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

/// A file by what is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blob {
    /// SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// Why a file cannot be kept, or not be had.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The file that is to be kept.
    #[error("cannot keep {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Where it is kept.
    #[error("cannot reach the kept files: {0}")]
    Store(#[from] object_store::Error),
    /// Whom it is given to.
    #[error("cannot write: {0}")]
    Out(io::Error),
    /// It is not what it was.
    #[error("the kept file {0} is damaged: it is not what its name says; restore it, or build again")]
    Damaged(String),
}

/// Where files are kept.
#[derive(Clone, Debug)]
pub struct Blobs {
    objects: Arc<dyn ObjectStore>,
    /// Where that is a folder of this host: what is in it has to reach the disk.
    folder: PathBuf,
}

impl Blobs {
    /// In a folder.
    pub(crate) fn local(folder: &Path) -> Result<Self, object_store::Error> {
        let objects = LocalFileSystem::new_with_prefix(folder)?;
        Ok(Self { objects: Arc::new(objects), folder: folder.to_owned() })
    }

    /// Keeps a copy of a file. When this returns it outlives a power cut.
    pub async fn put(&self, path: &Path) -> Result<Blob, BlobError> {
        let failed = |error| BlobError::File { path: path.to_owned(), error };
        let blob = blocking({
            let path = path.to_owned();
            move || hash(File::open(path)?)
        })
        .await
        .map_err(failed)?;
        let location = location(&blob.sha256);
        match self.objects.head(&location).await {
            Ok(there) if there.size == blob.size_bytes => return Ok(blob),
            // Cut short by a power cut, if it is a local file.
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
        let mut writer = BufWriter::new(self.objects.clone(), location);
        tokio::io::copy(&mut file, &mut writer).await.map_err(failed)?;
        writer.shutdown().await.map_err(failed)?;
        let to_disk = self.folder.join(&blob.sha256[..2]);
        let name = blob.sha256.clone();
        let synced = move || {
            File::open(to_disk.join(name))?.sync_all()?;
            File::open(to_disk)?.sync_all()
        };
        blocking(synced).await.map_err(failed)?;
        Ok(blob)
    }

    /// Gives what is in a file from a byte on, and tells how much that was.
    pub async fn copy(&self, blob: &Blob, from: u64, out: &mut dyn Write) -> Result<u64, BlobError> {
        if from >= blob.size_bytes {
            return Ok(0);
        }
        let range = (from > 0).then_some(GetRange::Offset(from));
        let options = GetOptions { range, ..GetOptions::default() };
        let mut bytes = self.objects.get_opts(&location(&blob.sha256), options).await?.into_stream();
        let (mut copied, mut sum) = (0, Sha256::new());
        while let Some(piece) = bytes.try_next().await? {
            out.write_all(&piece).map_err(BlobError::Out)?;
            sum.update(&piece);
            copied += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        }
        // A part of it has no hash of its own.
        if from == 0 && hex::encode(sum.finalize()) != blob.sha256 {
            return Err(BlobError::Damaged(blob.sha256.clone()));
        }
        Ok(copied)
    }

    /// Forgets a file. It may be gone already.
    pub async fn remove(&self, sha256: &str) -> Result<(), BlobError> {
        match self.objects.delete(&location(sha256)).await {
            Err(error) if !matches!(error, object_store::Error::NotFound { .. }) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// All files.
    pub async fn all(&self) -> Result<Vec<Blob>, BlobError> {
        let all: Vec<_> = self.objects.list(None).try_collect().await?;
        let blob = |meta: object_store::ObjectMeta| {
            let sha256 = meta.location.filename()?.to_owned();
            Some(Blob { sha256, size_bytes: meta.size })
        };
        Ok(all.into_iter().filter_map(blob).collect())
    }
}

fn location(sha256: &str) -> Location {
    Location::from_iter([sha256.get(..2).unwrap_or_default(), sha256])
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn hash(mut file: File) -> io::Result<Blob> {
    let (mut sum, mut size_bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Blob { sha256: hex::encode(sum.finalize()), size_bytes });
        }
        sum.update(&buffer[..read]);
        size_bytes += u64::try_from(read).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("blobs")).unwrap();
        let blobs = Blobs::local(&folder.path().join("blobs")).unwrap();
        (folder, blobs)
    }

    async fn read(blobs: &Blobs, blob: &Blob, from: u64) -> Result<Vec<u8>, BlobError> {
        let mut bytes = Vec::new();
        blobs.copy(blob, from, &mut bytes).await.map(|_| bytes)
    }

    #[tokio::test]
    async fn what_is_the_same_is_kept_once_and_comes_back_whole_or_in_part() {
        let (folder, blobs) = made();
        let content: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        let put = async |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            blobs.put(&path).await.unwrap()
        };
        let (one, same) = (put("one", &content).await, put("same", &content).await);
        let empty = put("empty", b"").await;
        assert_eq!(one, same);
        assert_eq!((one.size_bytes, empty.size_bytes), (3_000_000, 0));
        assert_eq!(read(&blobs, &one, 0).await.unwrap(), content);
        assert_eq!(read(&blobs, &one, 2_999_990).await.unwrap(), content[2_999_990..]);
        assert_eq!(read(&blobs, &one, 3_000_000).await.unwrap(), b"");
        assert_eq!(read(&blobs, &empty, 0).await.unwrap(), b"");
        assert_eq!(blobs.all().await.unwrap().len(), 2);
        blobs.remove(&one.sha256).await.unwrap();
        blobs.remove(&one.sha256).await.unwrap();
        assert!(matches!(read(&blobs, &one, 0).await, Err(BlobError::Store(_))));
        let missing = blobs.put(&folder.path().join("missing")).await.unwrap_err().to_string();
        assert!(missing.contains("missing"), "{missing}");
    }

    #[tokio::test]
    async fn damage_is_seen_and_what_a_power_cut_left_half_is_put_again() {
        let (folder, blobs) = made();
        let path = folder.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let blob = blobs.put(&path).await.unwrap();
        let kept = folder.path().join("blobs").join(&blob.sha256[..2]).join(&blob.sha256);
        std::fs::write(&kept, "CONTENT").unwrap();
        let error = read(&blobs, &blob, 0).await.unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        std::fs::write(&kept, "con").unwrap();
        blobs.put(&path).await.unwrap();
        assert_eq!(read(&blobs, &blob, 0).await.unwrap(), b"content");
    }
}
