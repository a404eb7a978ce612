//! Control groups around a sandbox, where they can be had: version 1 as root, or a version 2 hierarchy with
//! the controllers delegated (cgroups(7)). Where not, the supervisor counts by itself.

use std::fs;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::hierarchy::{Place, places};
use crate::spec::{LimitKind, Limits};

/// Folder of ours, between what is there and the groups of sandboxes.
const OURS: &str = "archmill";
/// Where archmill itself goes if it must leave its group.
const SELF: &str = "archmill-self";

/// The groups of one sandbox.
#[derive(Debug)]
pub(crate) struct Cgroup {
    flavour: Flavour,
    /// That of memory, then that of pids; the same in version 2.
    memory: PathBuf,
    pids: PathBuf,
    before: Events,
    /// Version 2: a peak is that of whoever opened the file and wrote to it (Linux 6.12).
    peak: Option<fs::File>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    V1,
    V2,
}

/// How often the kernel held something back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Events {
    memory: u64,
    processes: u64,
}

impl Cgroup {
    /// Makes groups and puts `pid` in them, if this host lets us.
    pub(crate) fn create(pid: u32) -> Option<Self> {
        let name = format!("{}-{pid}", std::process::id());
        let groups = usable()?;
        let (memory, pids) = (groups.memory.join(&name), groups.pids.join(&name));
        let mut group = Self { flavour: groups.flavour, memory, pids, before: Events::default(), peak: None };
        for folder in group.folders() {
            let made = fs::create_dir_all(folder)
                .and_then(|()| fs::write(folder.join("cgroup.procs"), pid.to_string()));
            if made.is_err() {
                // What is in a group cannot be left in one that goes.
                let _ = fs::write(folder.with_file_name("cgroup.procs"), pid.to_string());
                group.remove();
                return None;
            }
        }
        group.before = group.events();
        Some(group)
    }

    pub(crate) fn flavour(&self) -> &'static str {
        match self.flavour {
            Flavour::V1 => "cgroup v1",
            Flavour::V2 => "cgroup v2",
        }
    }

    fn folders(&self) -> Vec<&Path> {
        let mut folders: Vec<&Path> = vec![&self.memory, &self.pids];
        folders.dedup();
        folders
    }

    /// A command begins: sets the kernel's own limits, a little above those that the supervisor watches (the supervisor
    /// ends a build in an orderly way, the kernel holds what grows faster than anybody looks), and counts from here.
    pub(crate) fn begin(&mut self, limits: &Limits) {
        let none = if self.flavour == Flavour::V1 { "-1" } else { "max" };
        let memory =
            limits.memory.map_or(none.to_owned(), |bytes| bytes.saturating_add(bytes / 16).to_string());
        let processes =
            limits.processes.map_or("max".to_owned(), |count| count.saturating_add(16).to_string());
        let file = if self.flavour == Flavour::V1 { "memory.limit_in_bytes" } else { "memory.max" };
        let _ = fs::write(self.memory.join(file), memory);
        let _ = fs::write(self.pids.join("pids.max"), processes);
        self.before = self.events();
        self.peak = match self.flavour {
            Flavour::V1 => {
                let _ = fs::write(self.memory.join("memory.max_usage_in_bytes"), "0");
                None
            }
            Flavour::V2 => self.own_peak().ok(),
        };
    }

    fn own_peak(&self) -> io::Result<fs::File> {
        let mut file = fs::File::options().read(true).write(true).open(self.memory.join("memory.peak"))?;
        file.write_all(b"r")?;
        Ok(file)
    }

    /// Most memory since [`Self::begin`], in bytes, as the kernel counted it.
    pub(crate) fn peak_memory(&mut self) -> Option<u64> {
        let mut text = String::new();
        if let Some(file) = &mut self.peak {
            file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
        } else if self.flavour == Flavour::V1 {
            text = fs::read_to_string(self.memory.join("memory.max_usage_in_bytes")).ok()?;
        }
        text.trim().parse().ok()
    }

    /// Which limit the kernel held since [`Self::begin`].
    pub(crate) fn limit_reached(&self, limits: &Limits) -> Option<LimitKind> {
        let now = self.events();
        if limits.memory.is_some() && now.memory > self.before.memory {
            Some(LimitKind::Memory)
        } else if limits.processes.is_some() && now.processes > self.before.processes {
            Some(LimitKind::Processes)
        } else {
            None
        }
    }

    fn events(&self) -> Events {
        let memory = if self.flavour == Flavour::V1 { "memory.oom_control" } else { "memory.events" };
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        Events {
            memory: counter(&read(self.memory.join(memory)), "oom_kill"),
            processes: counter(&read(self.pids.join("pids.events")), "max"),
        }
    }

    /// Removes the groups; all processes in them are gone.
    pub(crate) fn remove(&self) {
        for folder in self.folders() {
            // The kernel may take a moment to let go of the last process.
            for _ in 0..50 {
                if fs::remove_dir(folder).is_ok() || !folder.exists() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}

/// The number after a name, in a file with a name and a number a line.
fn counter(text: &str, name: &str) -> u64 {
    let numbers = text.lines().filter_map(|line| line.split_once(' ')).filter(|(key, _)| *key == name);
    numbers.filter_map(|(_, number)| number.trim().parse::<u64>().ok()).sum()
}

/// Where groups of sandboxes can be made.
struct Groups {
    flavour: Flavour,
    memory: PathBuf,
    pids: PathBuf,
}

fn own_places() -> Vec<Place> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    places(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
}

/// The first place that really can be used. Leaving one's own group is the last resort.
fn usable() -> Option<Groups> {
    let places = own_places();
    let first = |leave: bool| places.iter().find_map(|place| usable_place(place, leave));
    first(false).or_else(|| first(true))
}

fn usable_place(place: &Place, leave: bool) -> Option<Groups> {
    match place {
        Place::V1 { memory, pids } => {
            let usable = writable(memory) && writable(pids);
            let (memory, pids) = (memory.join(OURS), pids.join(OURS));
            usable.then_some(Groups { flavour: Flavour::V1, memory, pids })
        }
        Place::V2 { folder, own } => {
            let ours = folder.join(OURS);
            delegated(folder, *own && leave).then(|| Groups {
                flavour: Flavour::V2,
                memory: ours.clone(),
                pids: ours,
            })
        }
    }
}

/// Whether groups with both controllers can be made in a group of version 2, which is made ready for that.
///
/// A group with controllers for those below it holds no processes itself (but the root of all). So this must be one
/// above our own that has them enabled already, as systemd's delegated units do for those inside them; or our
/// own, if archmill is alone in it (`systemd-run --user --scope -p Delegate=yes archmill ...`) and may `leave` it for one
/// below.
fn delegated(folder: &Path, leave: bool) -> bool {
    let list = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let both = |text: &str| {
        ["memory", "pids"].iter().all(|name| text.split_whitespace().any(|controller| controller == *name))
    };
    if !writable(folder) || !both(&list("cgroup.controllers")) {
        return false;
    }
    let enable = |folder: &Path| fs::write(folder.join("cgroup.subtree_control"), "+memory +pids").is_ok();
    let ready = both(&list("cgroup.subtree_control"))
        || enable(folder)
        || (leave && alone(&list("cgroup.procs")) && step_down(folder) && enable(folder));
    if !ready {
        return false;
    }
    let ours = folder.join(OURS);
    fs::create_dir_all(&ours).is_ok() && enable(&ours)
}

/// Whether this process is the only one in a group.
fn alone(procs: &str) -> bool {
    let mut numbers = procs.split_whitespace();
    numbers.next() == Some(std::process::id().to_string().as_str()) && numbers.next().is_none()
}

/// Leaves `folder` for a group in it.
fn step_down(folder: &Path) -> bool {
    let below = folder.join(SELF);
    fs::create_dir_all(&below)
        .and_then(|()| fs::write(below.join("cgroup.procs"), std::process::id().to_string()))
        .is_ok()
}

fn writable(folder: &Path) -> bool {
    let may = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    may(folder) && may(&folder.join("cgroup.procs"))
}

/// Which kind can be had here, for `doctor`.
pub(crate) fn available() -> Option<&'static str> {
    usable().map(|groups| if groups.flavour == Flavour::V1 { "cgroup v1" } else { "cgroup v2" })
}

/// Removes groups whose maker is gone.
pub(crate) fn remove_stale() {
    let folders = own_places().into_iter().flat_map(|place| match place {
        Place::V1 { memory, pids } => vec![memory, pids],
        Place::V2 { folder, .. } => vec![folder],
    });
    for folder in folders {
        let Ok(entries) = fs::read_dir(folder.join(OURS)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let maker = name.to_str().and_then(|name| name.split('-').next()?.parse::<u32>().ok());
            if maker.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_name() {
        let oom = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(counter(oom, "oom_kill"), 3);
        assert_eq!(counter("max 12\n", "max"), 12);
        assert_eq!(counter("", "max"), 0);
    }

    #[test]
    fn a_process_is_alone_if_only_its_own_number_is_listed() {
        let own = std::process::id();
        assert!(alone(&format!("{own}\n")));
        assert!(!alone(&format!("{own}\n1\n")));
        assert!(!alone("1\n"));
    }
}
