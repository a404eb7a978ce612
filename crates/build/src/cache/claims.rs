//! What each run of archmill works with, so that no other takes it away.
//!
//! Each run has a file in the cache's folder `locks`, which it keeps locked while it lives, with the names of all that it
//! uses, such as `layers/KEY`. It writes a name down before it looks whether that is there, with the gate held shared;
//! who removes something holds the gate alone while it reads these files and moves away what is in none of them. So what
//! somebody has found stays, and what was moved away nobody has found.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};
use tempfile::NamedTempFile;

const FOLDER: &str = "locks";
const GATE: &str = "gate";
const PREFIX: &str = "uses-";

/// What this run uses of the cache; all of it until it is dropped.
#[derive(Debug)]
pub(crate) struct Claims {
    cache: PathBuf,
    own: Mutex<Own>,
}

#[derive(Debug)]
struct Own {
    file: NamedTempFile,
    names: HashSet<String>,
}

/// The gate, until it is dropped.
#[derive(Debug)]
pub(crate) struct Gate(#[expect(dead_code, reason = "its lock goes with it")] fs::File);

impl Claims {
    /// For one run; the folder of locks exists.
    pub(crate) fn open(cache: &Path) -> io::Result<Self> {
        let _gate = gate(cache, FlockOperation::LockShared)?;
        // For other users of the cache to read.
        let mode = fs::Permissions::from_mode(0o644);
        let file =
            tempfile::Builder::new().prefix(PREFIX).permissions(mode).tempfile_in(cache.join(FOLDER))?;
        flock(file.as_file(), FlockOperation::LockExclusive)?;
        Ok(Self { cache: cache.to_owned(), own: Mutex::new(Own { file, names: HashSet::new() }) })
    }

    /// Whoever looks for things of these names in the cache claims them first. Those that are there count as used now.
    pub(crate) fn claim(&self, names: impl IntoIterator<Item = String>) -> io::Result<()> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<String> = names.into_iter().filter(|name| !own.names.contains(name)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let _gate = gate(&self.cache, FlockOperation::LockShared)?;
        // The first line break ends what an earlier one wrote on a full disk.
        own.file.write_all(format!("\n{}\n", new.join("\n")).as_bytes())?;
        for name in &new {
            touch(&self.cache.join(name));
        }
        own.names.extend(new);
        Ok(())
    }

    /// Nothing leaves the cache while this is held.
    pub(crate) fn hold(&self) -> io::Result<Gate> {
        gate(&self.cache, FlockOperation::LockShared)
    }

    /// For whoever removes: the gate, and all that runs which live have claimed. Held for moments only, as it stops all others.
    pub(super) fn all(cache: &Path) -> io::Result<(Gate, HashSet<String>)> {
        let gate = gate(cache, FlockOperation::LockExclusive)?;
        let mut names = HashSet::new();
        for entry in fs::read_dir(cache.join(FOLDER))?.flatten() {
            if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
                continue;
            }
            let file = match fs::File::open(entry.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                // Its run was killed.
                let _ = fs::remove_file(entry.path());
            } else {
                names.extend(io::read_to_string(file)?.lines().map(str::to_owned));
            }
        }
        Ok((gate, names))
    }
}

impl Drop for Claims {
    /// All of it was in use until now.
    fn drop(&mut self) {
        let own = self.own.get_mut().unwrap_or_else(PoisonError::into_inner);
        for name in &own.names {
            touch(&self.cache.join(name));
        }
    }
}

/// Makes now the time when a file or folder was used; where that cannot be (another user's), it seems older than it is.
fn touch(path: &Path) {
    let _ = fs::File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

fn gate(cache: &Path, operation: FlockOperation) -> io::Result<Gate> {
    let path = cache.join(FOLDER).join(GATE);
    // One that another user made can only be read, which is enough.
    let file = match fs::File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::OpenOptions::new().create(true).truncate(false).write(true).open(path)?
        }
        opened => opened?,
    };
    flock(&file, operation)?;
    Ok(Gate(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_is_known_to_others_until_the_run_ends() {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir(tmp.path().join(FOLDER)).unwrap();
        let claims = Claims::open(tmp.path()).unwrap();
        claims.claim(["layers/a".to_owned(), "pool/ab/c".to_owned()]).unwrap();
        claims.claim(["layers/a".to_owned(), "layers/b".to_owned()]).unwrap();
        let known = |(_, names): (Gate, HashSet<String>)| {
            let mut names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
            names.sort();
            names
        };
        assert_eq!(known(Claims::all(tmp.path()).unwrap()), ["layers/a", "layers/b", "pool/ab/c"]);
        drop(claims);
        assert!(known(Claims::all(tmp.path()).unwrap()).is_empty());
    }

    #[test]
    fn the_claims_of_a_killed_run_go() {
        let tmp = tempfile::tempdir().unwrap();
        let locks = tmp.path().join(FOLDER);
        fs::create_dir(&locks).unwrap();
        fs::write(locks.join("uses-x"), "layers/a\n").unwrap();
        assert!(Claims::all(tmp.path()).unwrap().1.is_empty());
        assert!(!locks.join("uses-x").exists());
    }

    #[test]
    fn what_is_there_counts_as_used() {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir(tmp.path().join(FOLDER)).unwrap();
        fs::create_dir_all(tmp.path().join("layers/a")).unwrap();
        let old = SystemTime::UNIX_EPOCH;
        fs::File::open(tmp.path().join("layers/a")).unwrap().set_modified(old).unwrap();
        Claims::open(tmp.path()).unwrap().claim(["layers/a".to_owned(), "layers/gone".to_owned()]).unwrap();
        assert!(fs::metadata(tmp.path().join("layers/a")).unwrap().modified().unwrap() > old);
        assert!(!tmp.path().join("layers/gone").exists());
    }
}
