//! What twins must not leave in a package: programs for this machine, and the path of their folder.

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use archmill_deb::deb::DebReader;
use sha2::{Digest as _, Sha256};

use super::ArtifactError;

/// A file in a package that may be of a twin's making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The package.
    pub package: String,
    /// The file in it.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// What is wrong with it.
    pub what: What,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It is a program or library for this machine.
    HostProgram,
    /// It has the path of the twins' folder in it.
    Prefix,
    /// It has this machine's GNU triplet in it, which the target's own tools may have put there too.
    Triplet,
}

/// How far a compressed file is looked into.
const MOST_DECOMPRESSED: u64 = 256 << 20;

/// Looks through a package; `elf_machine` and `triplet` are of this machine.
pub fn traces(path: &Path, elf_machine: u16, triplet: &str) -> Result<Vec<Trace>, ArtifactError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bad = |reason: String| ArtifactError::Package { name: name.clone(), reason };
    let file =
        std::fs::File::open(path).map_err(|source| ArtifactError::Io { path: path.to_owned(), source })?;
    let mut reader = DebReader::new(io::BufReader::new(file)).map_err(|error| bad(error.to_string()))?;
    reader.control().map_err(|error| bad(error.to_string()))?;
    let mut data = reader.data().map_err(|error| bad(error.to_string()))?;
    let mut found = Vec::new();
    for member in data.entries().map_err(|error| bad(error.to_string()))? {
        let mut member = member.map_err(|error| bad(error.to_string()))?;
        if member.header().entry_type() != tar::EntryType::Regular {
            continue;
        }
        let inner = member.path().map_err(|error| bad(error.to_string()))?.into_owned();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).map_err(|error| bad(error.to_string()))?;
        let what = look(&bytes, elf_machine, triplet);
        let trace = |what| Trace {
            package: name.clone(),
            path: inner.strip_prefix(".").unwrap_or(&inner).to_owned(),
            size: bytes.len() as u64,
            sha256: hex::encode(Sha256::digest(&bytes)),
            what,
        };
        found.extend(what.map(trace));
    }
    Ok(found)
}

fn look(bytes: &[u8], elf_machine: u16, triplet: &str) -> Option<What> {
    if bytes.starts_with(b"\x7fELF") && bytes.get(18..20) == Some(&elf_machine.to_le_bytes()) {
        return Some(What::HostProgram);
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = Vec::new();
        // What cannot be decompressed is looked at as far as it can.
        let _ = flate2::read::MultiGzDecoder::new(bytes).take(MOST_DECOMPRESSED).read_to_end(&mut text);
        return mentions(&text, triplet);
    }
    mentions(bytes, triplet)
}

fn mentions(bytes: &[u8], triplet: &str) -> Option<What> {
    let has = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    if has(archmill_dispatch::PREFIX) {
        Some(What::Prefix)
    } else if has(triplet) {
        Some(What::Triplet)
    } else {
        None
    }
}

/// Of these, files that are in the packages of a root as they are: a build may hand them on.
pub fn shipped(traces: &[Trace], unpacked: &[PathBuf]) -> HashSet<String> {
    let sizes: HashSet<u64> = traces.iter().map(|trace| trace.size).collect();
    let mut known = HashSet::new();
    for folder in unpacked {
        let manifest = std::fs::read(folder.join("manifest.json")).unwrap_or_default();
        let Ok(manifest) = serde_json::from_slice::<crate::root::manifest::Manifest>(&manifest) else {
            continue;
        };
        for entry in manifest.entries.iter().filter(|entry| sizes.contains(&entry.size) && entry.size > 0) {
            if let Ok(bytes) = std::fs::read(folder.join("files").join(entry.path.as_path())) {
                known.insert(hex::encode(Sha256::digest(&bytes)));
            }
        }
    }
    known
}

/// The same for a source, given as a tar archive of its tree.
pub fn in_source(traces: &[Trace], archive: &Path) -> HashSet<String> {
    let sizes: HashSet<u64> = traces.iter().map(|trace| trace.size).collect();
    let mut known = HashSet::new();
    let Ok(file) = std::fs::File::open(archive) else { return known };
    let mut archive = tar::Archive::new(io::BufReader::new(file));
    for member in archive.entries().into_iter().flatten().flatten() {
        let mut member = member;
        let mut bytes = Vec::new();
        if sizes.contains(&member.size()) && member.size() > 0 && member.read_to_end(&mut bytes).is_ok() {
            known.insert(hex::encode(Sha256::digest(&bytes)));
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_for_this_machine_and_paths_of_twins_are_found() {
        let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0 /usr/lib/x86_64-linux-gnu".to_vec();
        assert_eq!(look(&elf, 62, "x86_64-linux-gnu"), Some(What::HostProgram));
        elf[18] = 0xb7;
        assert_eq!(look(&elf, 62, "x86_64-linux-gnu"), Some(What::Triplet));
        assert_eq!(look(b"perl=/dev/.twins/usr/bin/perl", 62, "x86_64-linux-gnu"), Some(What::Prefix));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut packed, b"in /dev/.twins").unwrap();
        assert_eq!(look(&packed.finish().unwrap(), 62, "x"), Some(What::Prefix));
        assert_eq!(look(b"nothing", 62, "x"), None);
    }
}
