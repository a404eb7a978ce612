//! How much was written: what the upper layer and the writable mounts hold, seen from below the overlay, where
//! nothing that was written can hide.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{FileType, fstatvfs};

use crate::tree::Walk;

/// How often file systems in memory are asked; that costs one system call.
const ASK: Duration = Duration::from_millis(50);
/// The same when more than half of what is allowed is used.
const ASK_OFTEN: Duration = Duration::from_millis(10);
/// How long folders are walked at a time, and the pause between.
const SLICE: Duration = Duration::from_millis(5);
const PAUSE: Duration = Duration::from_millis(20);
/// Least time between two walks; and a walk may take the twentieth part of all time at most.
const WALKS: Duration = Duration::from_millis(250);

/// Where a sandbox can write, opened before the root was changed.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// File systems of our own in memory: they count by themselves.
    pub(crate) memory: Vec<OwnedFd>,
    /// Folders of the disk, to be walked.
    pub(crate) folders: Vec<OwnedFd>,
}

/// The count.
pub(crate) struct Disk {
    written: Written,
    walk: Option<Walking>,
    /// What the folders held when they were last walked to the end.
    folders: u64,
    /// Free space of the folders' file systems then, and at the beginning.
    free: u64,
    free_at_start: u64,
    /// What open files without a name hold.
    unlinked: u64,
    next: Instant,
}

struct Walking {
    walk: Walk,
    /// Index of the next folder.
    next: usize,
    sum: u64,
    linked: HashSet<(u64, u64)>,
    time: Duration,
}

impl Disk {
    pub(crate) fn new(written: Written) -> Self {
        let mut disk = Self {
            written,
            walk: None,
            folders: 0,
            free: 0,
            free_at_start: 0,
            unlinked: 0,
            next: Instant::now(),
        };
        disk.free_at_start = disk.free();
        disk.free = disk.free_at_start;
        disk
    }

    /// When it wants to look again.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Looks, for a few milliseconds at most; whether more than `limit` bytes are known to be written.
    pub(crate) fn over(&mut self, limit: u64) -> bool {
        let now = Instant::now();
        if now < self.next {
            return false;
        }
        let memory = self.memory();
        let mut wait = if memory > limit / 2 { ASK_OFTEN } else { ASK };
        if self.written.memory.is_empty() || !self.written.folders.is_empty() {
            wait = wait.min(self.walk_on(limit));
        }
        self.next = now + wait;
        memory + self.folders.max(self.partly()) + self.unlinked > limit
    }

    /// Looks at everything now.
    pub(crate) fn total(&mut self) -> u64 {
        self.walk = None;
        self.walk = self.begin(0);
        while self.walk.is_some() {
            self.slice(Duration::MAX);
        }
        self.memory() + self.folders
    }

    fn partly(&self) -> u64 {
        self.walk.as_ref().map_or(0, |walk| walk.sum)
    }

    fn memory(&self) -> u64 {
        let used = |fd: &OwnedFd| fstatvfs(fd).map_or(0, |fs| (fs.f_blocks - fs.f_bfree) * fs.f_frsize);
        self.written.memory.iter().map(used).sum()
    }

    fn free(&self) -> u64 {
        self.written.folders.iter().map(|fd| fstatvfs(fd).map_or(0, |fs| fs.f_bfree * fs.f_frsize)).sum()
    }

    /// Walks a little; gives how long to wait.
    fn walk_on(&mut self, limit: u64) -> Duration {
        if self.walk.is_none() {
            self.walk = self.begin(0);
        }
        let walked = self.slice(SLICE);
        if walked.is_some() {
            // Files without a name are looked for only where space is missing that nothing else explains.
            let missing = self.free_at_start.saturating_sub(self.free) > limit;
            self.unlinked = if missing { unlinked() } else { 0 };
        }
        match walked {
            None => PAUSE,
            // Where the file system lost more than is left to the limit, somebody may be there in a moment.
            Some(_) if self.free.saturating_sub(self.free()) > limit.saturating_sub(self.folders) => WALKS,
            Some(took) => WALKS.max(took * 20),
        }
    }

    fn begin(&self, index: usize) -> Option<Walking> {
        let walk = Walk::new(self.written.folders.get(index)?).ok()?;
        Some(Walking { walk, next: index + 1, sum: 0, linked: HashSet::new(), time: Duration::ZERO })
    }

    /// Walks for `most`; gives the whole time once the end is reached.
    fn slice(&mut self, most: Duration) -> Option<Duration> {
        let Some(mut walking) = self.walk.take() else { return Some(Duration::ZERO) };
        let began = Instant::now();
        loop {
            let Walking { walk, sum, linked, .. } = &mut walking;
            let more = walk.step(&mut |_, _, stat| {
                let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
                if is_folder || stat.st_nlink < 2 || linked.insert((stat.st_dev, stat.st_ino)) {
                    *sum += u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
                }
            });
            if !more {
                let Some(walk) = self.written.folders.get(walking.next).and_then(|fd| Walk::new(fd).ok())
                else {
                    self.folders = walking.sum;
                    self.free = self.free();
                    return Some(walking.time + began.elapsed());
                };
                walking.walk = walk;
                walking.next += 1;
            }
            if began.elapsed() > most {
                walking.time += began.elapsed();
                self.walk = Some(walking);
                return None;
            }
        }
    }
}

/// Bytes of files that have no name any more but are still open: no walk sees them.
fn unlinked() -> u64 {
    let mut seen = HashSet::new();
    let mut sum = 0;
    for pid in crate::accounting::pids() {
        let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
        for entry in entries.flatten() {
            sum += unlinked_file(&entry.path(), &mut seen).unwrap_or(0);
        }
    }
    sum
}

fn unlinked_file(link: &std::path::Path, seen: &mut HashSet<(u64, u64)>) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let name = std::fs::read_link(link)?;
    let in_memory = ["/memfd:", "/dev/", "/SYSV"].iter().any(|start| {
        use std::os::unix::ffi::OsStrExt as _;
        name.as_os_str().as_bytes().starts_with(start.as_bytes())
    });
    if in_memory {
        return Ok(0);
    }
    let meta = std::fs::metadata(link)?;
    let counts = meta.is_file() && meta.nlink() == 0 && seen.insert((meta.dev(), meta.ino()));
    Ok(if counts { meta.blocks() * 512 } else { 0 })
}
