//! What can leave the cache, and in which order: all of it can be made or downloaded again.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use super::claims::Claims;

/// What was used no longer ago stays, however full the disk is: the next build probably wants it too.
pub(crate) const RECENT: Duration = Duration::from_hours(1);

/// One sort of thing in the cache.
struct Kind {
    /// Folders below the cache's.
    folder: &'static str,
    /// In words.
    name: &'static str,
    /// Whether each entry is in a folder of the first letters of its name.
    nested: bool,
    /// Whether entries are folders.
    folders: bool,
    /// Whether an entry has a name as archmill gives it: what else is there is not ours to remove.
    is: fn(&str) -> bool,
    /// Whether runs read it without a claim, soon after they have made sure that it is there.
    unclaimed: bool,
}

/// What is not here stays: toolchains, which take longest to make, what is remembered of sources, and what is in work.
const KINDS: [Kind; 8] = [
    Kind {
        folder: "layers",
        name: "layers of roots",
        nested: false,
        folders: true,
        is: |name| is_hex(name, 32),
        unclaimed: false,
    },
    Kind {
        folder: "unpacked",
        name: "unpacked packages",
        nested: false,
        folders: true,
        is: |name| is_hex(name, 64),
        unclaimed: false,
    },
    Kind {
        folder: "twins",
        name: "folders of twins",
        nested: false,
        folders: true,
        is: |name| is_hex(name, 32) || name.starts_with("emulator-"),
        unclaimed: false,
    },
    Kind {
        folder: "failed",
        name: "roots of failed builds",
        nested: false,
        folders: true,
        is: |name| name.contains('_'),
        unclaimed: false,
    },
    Kind {
        folder: "pool",
        name: "downloaded packages",
        nested: true,
        folders: false,
        is: |name| is_hex(name.strip_suffix(PARTIAL).unwrap_or(name), 64),
        unclaimed: false,
    },
    Kind {
        folder: "sources",
        name: "unpacked sources",
        nested: false,
        folders: false,
        is: |name| name.strip_suffix(".tar").is_some_and(|name| is_hex(name, 32)),
        unclaimed: false,
    },
    Kind {
        folder: "lists/by-hash",
        name: "indices",
        nested: false,
        folders: false,
        is: |name| is_hex(name, 64),
        unclaimed: true,
    },
    Kind {
        folder: "universes",
        name: "tables of indices",
        nested: false,
        folders: false,
        is: |name| is_hex(name, 16),
        unclaimed: true,
    },
];

/// Ending of what is being downloaded, under the name of what it will be.
const PARTIAL: &str = ".partial";

fn is_hex(name: &str, digits: usize) -> bool {
    name.len() == digits && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Something that can leave.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// When it was used last.
    used: SystemTime,
    /// Its path below the cache, as runs claim it.
    name: String,
    /// Position in [`KINDS`].
    kind: usize,
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

/// Free space on the disk of a cache that there should be if nobody says otherwise: a twentieth of it, 5 GiB at most.
pub fn default_keep_free(cache: &Path) -> u64 {
    rustix::fs::statvfs(cache).map_or(0, |fs| (fs.f_blocks * fs.f_frsize / 20).min(5 << 30))
}

/// Whether so much is free on the disk of a cache, and room for files too; where that cannot be told, it is enough, and nothing always is.
pub(crate) fn has_room(cache: &Path, wanted: u64) -> bool {
    let enough = || {
        rustix::fs::statvfs(cache).map_or(true, |fs| {
            let files = fs.f_files == 0 || fs.f_favail >= fs.f_files / 100;
            files && fs.f_bavail * fs.f_frsize >= wanted
        })
    };
    // Some file systems give room back only when they write, which takes a while.
    wanted == 0 || enough() || fs::File::open(cache).map(rustix::fs::syncfs).is_ok() && enough()
}

/// For whoever makes room, one process at a time; nothing if another does already.
pub(crate) fn alone(cache: &Path) -> io::Result<Option<fs::File>> {
    let file =
        fs::OpenOptions::new().create(true).truncate(false).write(true).open(cache.join("locks/room"))?;
    Ok(flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok().then_some(file))
}

/// What was not used for so long, that which was not used for longest first.
pub(crate) fn unused(cache: &Path, since: Duration) -> Vec<Entry> {
    let mut found = entries(cache);
    found.retain(|entry| {
        let since = if KINDS[entry.kind].unclaimed { since.max(RECENT) } else { since };
        // One of the future, after the clock was set back, is as good as new.
        entry.used.elapsed().map_or(since.is_zero(), |unused| unused >= since)
    });
    found.sort();
    found
}

/// Takes those of `entries` that nobody works with out of the cache: folders into `trash`, from where the caller, who may
/// remove files of mapped owners, removes them. `kept` tells of paths that are needed though no run is.
pub(crate) fn take(
    cache: &Path,
    trash: Option<&Path>,
    entries: &[Entry],
    kept: &dyn Fn() -> Vec<PathBuf>,
) -> io::Result<Gone> {
    let (_gate, mut claimed) = Claims::all(cache)?;
    claimed.extend(kept().iter().filter_map(|path| name_of(path)));
    let mut gone = Gone::new();
    for entry in entries {
        let whole = entry.name.strip_suffix(PARTIAL).unwrap_or(&entry.name);
        let path = cache.join(&entry.name);
        // What a run that has ended used since is no longer old.
        if claimed.contains(whole) || last_used(&path) != Some(entry.used) {
            continue;
        }
        let moved = match (KINDS[entry.kind].folders, trash) {
            (true, Some(trash)) => fs::rename(&path, trash.join(entry.name.replace('/', "-"))),
            (true, None) => continue,
            (false, _) => fs::remove_file(&path),
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
            let below = names(&cache.join(kind.folder)).into_iter().filter(|name| is_hex(name, 2));
            folders = below.map(|name| format!("{}/{name}", kind.folder)).collect();
            // A link leads to what somebody put elsewhere.
            folders.retain(|name| fs::symlink_metadata(cache.join(name)).is_ok_and(|meta| meta.is_dir()));
        }
        for folder in folders {
            for name in names(&cache.join(&folder)).into_iter().filter(|name| (kind.is)(name)) {
                let name = format!("{folder}/{name}");
                let Ok(meta) = fs::symlink_metadata(cache.join(&name)) else { continue };
                let fits = if kind.folders { meta.is_dir() } else { meta.is_file() };
                if let (true, Ok(used)) = (fits, meta.modified()) {
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

    /// A name of so many digits.
    fn hex(letter: char, digits: usize) -> String {
        std::iter::repeat_n(letter, digits).collect()
    }

    impl Made {
        fn new() -> Self {
            let tmp = tempfile::tempdir().unwrap();
            fs::create_dir(tmp.path().join("locks")).unwrap();
            Self { tmp }
        }

        fn cache(&self) -> &Path {
            self.tmp.path()
        }

        /// Something that was used so many hours ago: a file, or a folder.
        fn put(&self, name: &str, hours: u64) {
            let path = self.cache().join(name);
            if ["pool/", "sources/", "lists/", "universes/"].iter().any(|folder| name.starts_with(folder)) {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, name).unwrap();
            } else {
                fs::create_dir_all(&path).unwrap();
            }
            self.age(name, hours);
        }

        fn age(&self, name: &str, hours: u64) {
            let used = SystemTime::now() - Duration::from_hours(hours);
            fs::File::open(self.cache().join(name)).unwrap().set_modified(used).unwrap();
        }

        fn take(&self, hours: u64, kept: &[PathBuf]) -> Vec<(&'static str, usize)> {
            let trash = tempfile::tempdir().unwrap();
            let unused = unused(self.cache(), Duration::from_hours(hours));
            let taken = take(self.cache(), Some(trash.path()), &unused, &|| kept.to_vec());
            taken.unwrap().into_iter().collect()
        }

        fn has(&self, name: &str) -> bool {
            self.cache().join(name).exists()
        }
    }

    #[test]
    fn what_was_not_used_for_longest_comes_first() {
        let made = Made::new();
        let (first, second) = (format!("layers/{}", hex('a', 32)), format!("pool/bb/{}", hex('b', 64)));
        made.put(&second, 5);
        made.put(&first, 9);
        made.put(&format!("unpacked/{}", hex('c', 64)), 0);
        let unused: Vec<String> = unused(made.cache(), RECENT).into_iter().map(|entry| entry.name).collect();
        assert_eq!(unused, [first, second]);
    }

    #[test]
    fn what_a_run_works_with_and_what_is_kept_stays() {
        let made = Made::new();
        let [claimed, kept, other] = ['a', 'b', 'c'].map(|letter| format!("layers/{}", hex(letter, 32)));
        let download = format!("pool/dd/{}", hex('d', 64));
        let partial = format!("{download}.partial");
        for name in [&claimed, &kept, &other, &partial] {
            made.put(name, 100);
        }
        let claims = Claims::open(made.cache()).unwrap();
        claims.claim([claimed.clone(), download]).unwrap();
        // The claim made it new; two hours later:
        made.age(&claimed, 2);
        let path = made.cache().join(&kept).join("tree0");
        assert_eq!(made.take(1, &[path]), [("layers of roots", 1)]);
        assert!(made.has(&claimed) && made.has(&kept) && made.has(&partial) && !made.has(&other));
        // It was in use until now.
        drop(claims);
        assert_eq!(made.take(1, &[]), [("downloaded packages", 1), ("layers of roots", 1)]);
        assert!(made.has(&claimed));
        assert_eq!(made.take(0, &[]), [("layers of roots", 1)]);
    }

    #[test]
    fn only_what_archmill_made_leaves() {
        let made = Made::new();
        let others = [
            "pool/main/dash.deb".to_owned(),
            format!("pool/ab/{}", hex('a', 63)),
            format!("toolchains/{}", hex('a', 32)),
            "work/x".to_owned(),
            "emulated/dash_arm64".to_owned(),
            "twins/pool".to_owned(),
            "layers/photographs".to_owned(),
            format!("layers/{}.lock", hex('a', 32)),
        ];
        for name in &others {
            made.put(name, 100);
        }
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join(hex('e', 64)), "x").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), made.cache().join("pool/ee")).unwrap();
        assert!(made.take(0, &[]).is_empty());
        assert!(others.iter().all(|name| made.has(name)));
        assert!(elsewhere.path().join(hex('e', 64)).exists());
    }

    #[test]
    fn what_is_read_without_a_claim_stays_for_an_hour_in_any_case() {
        let made = Made::new();
        let (new, old) = (format!("universes/{}", hex('a', 16)), format!("lists/by-hash/{}", hex('b', 64)));
        made.put(&new, 0);
        made.put(&old, 2);
        assert_eq!(made.take(0, &[]), [("indices", 1)]);
        assert!(made.has(&new));
    }

    #[test]
    fn there_is_always_room_for_nothing_and_never_for_all() {
        let made = Made::new();
        assert!(has_room(made.cache(), 0) && !has_room(made.cache(), u64::MAX));
        assert!(has_room(&made.cache().join("nowhere"), u64::MAX));
    }

    #[test]
    fn files_leave_a_disk_on_which_no_folder_can_be_made() {
        let made = Made::new();
        let (folder, file) = (format!("layers/{}", hex('a', 32)), format!("pool/bb/{}", hex('b', 64)));
        made.put(&folder, 9);
        made.put(&file, 9);
        take(made.cache(), None, &unused(made.cache(), RECENT), &Vec::new).unwrap();
        assert!(made.has(&folder) && !made.has(&file));
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
        let (layer, package) = (format!("layers/{}", hex('a', 32)), format!("unpacked/{}", hex('b', 64)));
        made.put(&layer, 0);
        made.put(&package, 0);
        let file = made.cache().join(layer).join("x");
        fs::write(&file, vec![1; 1 << 20]).unwrap();
        fs::hard_link(file, made.cache().join(package).join("x")).unwrap();
        let usage = usage(made.cache());
        assert!(usage[0].bytes >= 1 << 20 && usage[1].bytes < 1 << 20, "{usage:?}");
        assert_eq!((usage[0].entries, usage[1].entries), (1, 1));
    }
}
