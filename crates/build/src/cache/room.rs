//! What can leave the cache, and in which order: all of it can be made or downloaded again.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::claims::Claims;

/// What was used no longer ago stays, however full the disk is: the next build probably wants it too.
const RECENT: Duration = Duration::from_hours(1);
/// So many at a time; then it is looked whether there is room.
const BATCH: usize = 32;

/// One sort of thing in the cache.
struct Kind {
    /// Folders below the cache's.
    folder: &'static str,
    /// In words.
    name: &'static str,
    /// Whether each entry is in a folder of the first letters of its name.
    nested: bool,
    /// Entries that have other reasons to be there.
    not: fn(&str) -> bool,
}

/// What is not here stays: toolchains, which take longest to make, what is remembered of sources, and what is in work.
const KINDS: [Kind; 8] = [
    Kind { folder: "layers", name: "layers of roots", nested: false, not: |name| has_ending(name, "lock") },
    Kind { folder: "unpacked", name: "unpacked packages", nested: false, not: |_| false },
    Kind {
        folder: "twins",
        name: "folders of twins",
        nested: false,
        not: |name| name == "pool" || name.starts_with("cpuinfo-"),
    },
    Kind { folder: "failed", name: "roots of failed builds", nested: false, not: |_| false },
    Kind { folder: "pool", name: "downloaded packages", nested: true, not: |_| false },
    Kind { folder: "sources", name: "unpacked sources", nested: false, not: |name| !has_ending(name, "tar") },
    Kind { folder: "lists/by-hash", name: "indices", nested: false, not: |name| name.contains('.') },
    Kind { folder: "universes", name: "tables of indices", nested: false, not: |name| name.contains('.') },
];

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == ending)
}

/// Something that can leave.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// When it was used last.
    used: SystemTime,
    /// Its path below the cache, as runs claim it.
    name: String,
    /// Position in [`KINDS`].
    kind: usize,
}

/// What may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// What was not used within [`RECENT`].
    Old,
    /// What was not used for so long.
    UnusedFor(Duration),
}

/// What left, by kind in words.
pub(crate) type Gone = BTreeMap<&'static str, usize>;

/// What there is of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// In words.
    pub kind: &'static str,
    /// How many.
    pub entries: usize,
    /// What they take on the disk; what two share counts for the first kind that has it.
    pub bytes: u64,
}

/// Free space on the disk of a cache that there should be if nobody says otherwise: a tenth of it, 10 GiB at most.
pub fn default_keep_free(cache: &Path) -> u64 {
    rustix::fs::statvfs(cache).map_or(0, |fs| (fs.f_blocks * fs.f_frsize / 10).min(10 << 30))
}

/// Free space on the disk of a cache.
pub(crate) fn free(cache: &Path) -> io::Result<u64> {
    let fs = rustix::fs::statvfs(cache)?;
    Ok(fs.f_bavail * fs.f_frsize)
}

/// Takes what was not used for longest and what nobody works with out of the cache: folders into `trash`, from where the
/// caller, who may remove files of mapped owners, removes them. Nothing comes back once there is nothing left to take.
pub(crate) fn take(cache: &Path, trash: &Path, which: Which, kept: &[PathBuf]) -> io::Result<Gone> {
    let mut found = entries(cache);
    let age = match which {
        Which::Old => RECENT,
        Which::UnusedFor(age) => age,
    };
    // One of the future, after the clock was set back, is as good as new.
    let is_old = |entry: &Entry| entry.used.elapsed().is_ok_and(|unused| unused >= age);
    found.retain(is_old);
    found.sort();
    let (_gate, mut claimed) = Claims::all(cache)?;
    claimed.extend(kept.iter().filter_map(|path| name_of(path)));
    let mut gone = Gone::new();
    for entry in found.into_iter().filter(|entry| !claimed.contains(&entry.name)).take(BATCH) {
        let path = cache.join(&entry.name);
        // Used since: by a run that has ended.
        if last_used(&path).is_none_or(|used| used != entry.used) {
            continue;
        }
        let moved = if path.is_dir() {
            fs::rename(&path, trash.join(entry.name.replace('/', "-")))
        } else {
            fs::remove_file(&path)
        };
        // Where it cannot be moved (it is another user's, or on another disk) the rest may be enough.
        if moved.is_ok() {
            *gone.entry(KINDS[entry.kind].name).or_default() += 1;
        }
    }
    Ok(gone)
}

/// Removes files that folders of twins share from where they are found, if no folder has them any more.
pub(crate) fn sweep_twins(cache: &Path) -> io::Result<()> {
    let (_gate, _) = Claims::all(cache)?;
    for entry in fs::read_dir(cache.join("twins/pool")).into_iter().flatten().flatten() {
        if entry.metadata().is_ok_and(|meta| meta.nlink() == 1) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What a cache holds.
pub fn usage(cache: &Path) -> Vec<Usage> {
    let mut seen = HashSet::new();
    let mut all: Vec<Usage> =
        KINDS.iter().map(|kind| Usage { kind: kind.name, entries: 0, bytes: 0 }).collect();
    for entry in entries(cache) {
        all[entry.kind].entries += 1;
        all[entry.kind].bytes += size(&cache.join(&entry.name), &mut seen);
    }
    let twins = KINDS.iter().position(|kind| kind.folder == "twins");
    if let Some(twins) = twins {
        all[twins].bytes += size(&cache.join("twins/pool"), &mut seen);
    }
    let toolchains = fs::read_dir(cache.join("toolchains")).into_iter().flatten().flatten();
    let toolchains = toolchains.filter(|entry| entry.path().is_dir()).count();
    let bytes = size(&cache.join("toolchains"), &mut seen);
    all.push(Usage { kind: "toolchains", entries: toolchains, bytes });
    all
}

/// What a file or folder takes, without what was `seen` before. What cannot be read does not count.
fn size(path: &Path, seen: &mut HashSet<(u64, u64)>) -> u64 {
    let Ok(meta) = fs::symlink_metadata(path) else { return 0 };
    if !seen.insert((meta.dev(), meta.ino())) {
        return 0;
    }
    let mut bytes = meta.blocks() * 512;
    if meta.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            bytes += size(&entry.path(), seen);
        }
    }
    bytes
}

/// All that can leave.
fn entries(cache: &Path) -> Vec<Entry> {
    let mut found = Vec::new();
    for (number, kind) in KINDS.iter().enumerate() {
        let mut folders = vec![kind.folder.to_owned()];
        if kind.nested {
            let below = names(&cache.join(kind.folder));
            folders = below.into_iter().map(|name| format!("{}/{name}", kind.folder)).collect();
        }
        for folder in folders {
            for name in names(&cache.join(&folder)).into_iter().filter(|name| !(kind.not)(name)) {
                let name = format!("{folder}/{name}");
                if let Some(used) = last_used(&cache.join(&name)) {
                    found.push(Entry { used, name, kind: number });
                }
            }
        }
    }
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn last_used(path: &Path) -> Option<SystemTime> {
    fs::symlink_metadata(path).ok()?.modified().ok()
}

/// What of the cache a path leads into, by the name that it is claimed by.
pub(crate) fn name_of(path: &Path) -> Option<String> {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let at = parts.iter().rposition(|part| ["layers", "unpacked", "twins"].contains(&&**part))?;
    Some(format!("{}/{}", parts[at], parts.get(at + 1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Made {
        tmp: tempfile::TempDir,
    }

    impl Made {
        fn new() -> Self {
            let tmp = tempfile::tempdir().unwrap();
            for folder in ["locks", "trash"] {
                fs::create_dir(tmp.path().join(folder)).unwrap();
            }
            Self { tmp }
        }

        fn cache(&self) -> &Path {
            self.tmp.path()
        }

        /// Something that was used so many hours ago.
        fn put(&self, name: &str, hours: u64) {
            let path = self.cache().join(name);
            if has_ending(name, "tar") || name.starts_with("pool") {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, name).unwrap();
            } else {
                fs::create_dir_all(&path).unwrap();
            }
            let used = SystemTime::now() - Duration::from_hours(hours);
            fs::File::open(&path).unwrap().set_modified(used).unwrap();
        }

        fn take(&self, which: Which, kept: &[PathBuf]) -> Vec<(&'static str, usize)> {
            let trash = tempfile::tempdir_in(self.cache().join("trash")).unwrap();
            take(self.cache(), trash.path(), which, kept).unwrap().into_iter().collect()
        }

        fn has(&self, name: &str) -> bool {
            self.cache().join(name).exists()
        }
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let made = Made::new();
        for number in 0..BATCH {
            made.put(&format!("pool/ab/{number}"), 100);
        }
        made.put("layers/old", 99);
        made.put("layers/new", 0);
        assert_eq!(made.take(Which::Old, &[]), [("downloaded packages", BATCH)]);
        assert_eq!(made.take(Which::Old, &[]), [("layers of roots", 1)]);
        assert!(made.take(Which::Old, &[]).is_empty());
        assert!(made.has("layers/new"));
    }

    #[test]
    fn what_a_run_works_with_and_what_is_kept_stays() {
        let made = Made::new();
        for name in ["layers/a", "layers/b", "layers/c", "toolchains/d", "work/e", "twins/pool", "emulated/f"]
        {
            made.put(name, 100);
        }
        let claims = Claims::open(made.cache()).unwrap();
        claims.claim(["layers/a".to_owned()]).unwrap();
        // The claim made it new; an hour later:
        made.put("layers/a", 2);
        assert_eq!(made.take(Which::Old, &[made.cache().join("layers/b/tree0")]), [("layers of roots", 1)]);
        drop(claims);
        assert_eq!(made.take(Which::UnusedFor(Duration::from_hours(50)), &[]), [("layers of roots", 1)]);
        assert!(made.has("layers/a") && !made.has("layers/b"));
        for name in ["toolchains/d", "work/e", "twins/pool", "emulated/f"] {
            assert!(made.has(name), "{name}");
        }
    }

    #[test]
    fn shared_files_of_twins_go_with_the_last_folder_that_has_them() {
        let made = Made::new();
        made.put("twins/pool", 0);
        made.put("twins/one", 100);
        for name in ["a", "b"] {
            fs::write(made.cache().join("twins/pool").join(name), name).unwrap();
        }
        fs::hard_link(made.cache().join("twins/pool/a"), made.cache().join("twins/one/a")).unwrap();
        sweep_twins(made.cache()).unwrap();
        assert!(made.has("twins/pool/a") && !made.has("twins/pool/b"));
    }

    #[test]
    fn a_file_that_two_have_counts_once() {
        let made = Made::new();
        made.put("layers/a", 0);
        made.put("unpacked/b", 0);
        fs::write(made.cache().join("layers/a/x"), vec![1; 1 << 20]).unwrap();
        fs::hard_link(made.cache().join("layers/a/x"), made.cache().join("unpacked/b/x")).unwrap();
        let usage = usage(made.cache());
        assert!(usage[0].bytes >= 1 << 20 && usage[1].bytes < 1 << 20, "{usage:?}");
        assert_eq!((usage[0].entries, usage[1].entries), (1, 1));
    }
}
