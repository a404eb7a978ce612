//! Working folders, and what is left of those whose process was killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::idmap::IdMap;

/// A folder for one piece of work, with a lock that lives as long as the process does.
#[derive(Debug)]
pub struct WorkFolder {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: fs::File,
}

impl WorkFolder {
    /// Makes a new one below `parent`, owned by the namespace's root.
    pub fn create(parent: &Path, map: &IdMap) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        for number in 0..1000 {
            let name = unique_name(number);
            let lock_path = parent.join(format!("{name}.lock"));
            let path = parent.join(&name);
            // The lock gets its name once it is held, or another process could take it for a leftover.
            let new = parent.join(format!("{name}.new"));
            let lock = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&new)?;
            flock(&lock, FlockOperation::LockExclusive)?;
            let named = fs::hard_link(&new, &lock_path);
            fs::remove_file(&new)?;
            match named {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            map.create_folder(&path)?;
            return Ok(Self { path, lock_path, _lock: lock });
        }
        Err(io::Error::other("no free name for a working folder"))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the folder after this process: the lock file goes, so nobody takes it for a leftover.
    pub fn release(self) -> io::Result<PathBuf> {
        fs::remove_file(&self.lock_path)?;
        Ok(self.path.clone())
    }
}

/// A name that no process had before, even one with the same number.
fn unique_name(number: u32) -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since.map_or(0, |time| time.as_millis());
    format!("{}-{millis:x}-{number}", std::process::id())
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // Only if it is empty or gone is the lock file of no more use; else the next start removes both.
        if !self.path.exists() || fs::remove_dir(&self.path).is_ok() {
            let _ = fs::remove_file(&self.lock_path);
        }
    }
}

/// Folders below `parent` whose process is gone. The caller removes them in a task (their files belong to mapped
/// owners), then calls [`forget`].
pub fn stale(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let locks = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "lock"));
    locks
        .filter(|lock| {
            let free = |file: fs::File| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            fs::File::open(lock).is_ok_and(free)
        })
        .map(|lock| lock.with_extension(""))
        .collect()
}

/// Removes the locks of folders that are gone, and what of control groups and binfmt_misc entries of the host nobody uses.
pub fn forget(folders: &[PathBuf]) {
    for folder in folders.iter().filter(|folder| !folder.exists()) {
        let _ = fs::remove_file(folder.with_extension("lock"));
    }
    crate::cgroup::remove_stale();
    let host = crate::HostUse::default();
    crate::host_binfmt::remove_stale(&host.binfmt, &host.binfmt_state);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_stale_once_its_process_lets_go_of_the_lock() {
        let tmp = tempfile::tempdir().unwrap();
        let folder = tmp.path().join("1-0");
        fs::create_dir(&folder).unwrap();
        let lock = fs::File::create(tmp.path().join("1-0.lock")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        assert_eq!(stale(tmp.path()), Vec::<PathBuf>::new());
        drop(lock);
        assert_eq!(stale(tmp.path()), std::slice::from_ref(&folder));
        fs::remove_dir(&folder).unwrap();
        forget(&[folder]);
        assert_eq!(stale(tmp.path()), Vec::<PathBuf>::new());
    }
}
