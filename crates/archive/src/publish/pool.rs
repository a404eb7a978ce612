//! Package files of an archive that is written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use archmill_deb::control::stanzas;
use archmill_deb::deb::DebReader;
use sha2::{Digest as _, Sha256};

use crate::fetch::rehash;

/// Why a package cannot be taken into an archive.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The package.
    #[error("{}: {problem}", path.display())]
    Package {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The file system.
    #[error("cannot write {}: {error}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// The place of a package below the archive's folder: `pool/main/libf/libfoo/libfoo1_1.0_arm64.deb`.
pub(super) fn place(component: &str, source: &str, file: &str) -> String {
    let letters = if source.starts_with("lib") { 4 } else { 1 };
    let prefix: String = source.chars().take(letters).collect();
    format!("pool/{component}/{prefix}/{source}/{file}")
}

/// The stanza that an index has for a package: its control file, and where it is.
pub fn stanza(path: &Path, filename: &str) -> Result<String, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let file = fs::File::open(path).map_err(|error| text(&error))?;
    let mut reader = DebReader::new(io::BufReader::new(file)).map_err(|error| text(&error))?;
    let control = reader.control().map_err(|error| text(&error))?;
    let control = control.control_text().map_err(|error| text(&error))?.trim().to_owned();
    let mut paragraphs = stanzas(&control);
    let stanza = paragraphs.next().ok_or("its control file is empty")?.map_err(|error| text(&error))?;
    // A package must not put others into an index, nor say where it is itself.
    if paragraphs.next().is_some() {
        return Err("its control file has more than one paragraph".to_owned());
    }
    if let Some(field) = OF_INDICES.iter().find(|field| stanza.get(field).is_some()) {
        return Err(format!("its control file has the field {field}, which is for indices"));
    }
    // Without these it would be passed over, as if it had not been given.
    for field in ["Package", "Version", "Architecture"] {
        if stanza.get(field).is_none_or(|value| value.trim().is_empty()) {
            return Err(format!("its control file has no field {field}"));
        }
    }
    let (size, sha256) = measure(path).map_err(|error| text(&error))?;
    Ok(format!("{control}\nFilename: {filename}\nSize: {size}\nSHA256: {sha256}\n\n"))
}

/// Fields that an index adds to those of a package.
const OF_INDICES: [&str; 6] = ["Filename", "Size", "MD5sum", "SHA1", "SHA256", "SHA512"];

/// Size and SHA-256 of a file.
fn measure(path: &Path) -> io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let size = rehash(&mut fs::File::open(path)?, &mut hash, u64::MAX)?;
    Ok((size, hex::encode(hash.finalize())))
}

/// Puts a file at its place, as a hard link where that can be; what was there before is replaced. Whole or not at all.
pub(super) fn put(from: &Path, to: &Path) -> Result<(), PoolError> {
    let failed = |error| PoolError::Io { path: to.to_owned(), error };
    let folder = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    // In the same folder, so that it can be moved to its place.
    let beside = tempfile::Builder::new().prefix(".new").make_in(folder, |path| {
        // Another file system, or one without links.
        fs::hard_link(from, path).or_else(|_| fs::copy(from, path).map(|_| ()))
    });
    let beside = beside.map_err(failed)?;
    fs::rename(beside.path(), to).map_err(failed)?;
    // Of two links to one file, rename(2) leaves both.
    drop(beside);
    Ok(())
}
