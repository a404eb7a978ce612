//! Control groups around a sandbox, where they can be had: version 1 as root, or a version 2 hierarchy with
//! the controllers delegated (cgroups(7)). Where not, the supervisor counts by itself.

use std::fs;
use std::path::{Path, PathBuf};

use crate::spec::{LimitKind, Limits};

/// Where hierarchies are mounted.
const MOUNT: &str = "/sys/fs/cgroup";
/// Folder of ours in each of them.
const OURS: &str = "archmill";

/// The groups of one sandbox.
#[derive(Debug)]
pub(crate) struct Cgroup {
    flavour: Flavour,
    folders: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    V1,
    V2,
}

impl Cgroup {
    /// Makes groups and puts `pid` in them, if this host lets us.
    pub(crate) fn create(pid: u32) -> Option<Self> {
        let name = format!("{}-{pid}", std::process::id());
        let (flavour, hierarchies) = hierarchies(Path::new(MOUNT))?;
        let mut group = Self { flavour, folders: Vec::new() };
        for hierarchy in hierarchies {
            let folder = hierarchy.join(OURS).join(&name);
            if fs::create_dir_all(&folder).is_err() {
                group.remove();
                return None;
            }
            if flavour == Flavour::V2 {
                let _ = fs::write(hierarchy.join(OURS).join("cgroup.subtree_control"), "+memory +pids");
            }
            group.folders.push(folder);
        }
        let joined = group
            .folders
            .iter()
            .all(|folder| fs::write(folder.join("cgroup.procs"), pid.to_string()).is_ok());
        if !joined {
            group.remove();
            return None;
        }
        Some(group)
    }

    pub(crate) fn flavour(&self) -> &'static str {
        match self.flavour {
            Flavour::V1 => "cgroup v1",
            Flavour::V2 => "cgroup v2",
        }
    }

    /// Sets the kernel's own limits, a little above those that the supervisor watches: the supervisor ends a build in
    /// an orderly way, the kernel holds what grows faster than anybody looks.
    pub(crate) fn limit(&mut self, limits: &Limits) {
        let memory = limits.memory.map_or("-1".to_owned(), |bytes| (bytes + bytes / 16).to_string());
        let max = |text: &str| if text == "-1" { "max".to_owned() } else { text.to_owned() };
        let pids = limits.processes.map_or("max".to_owned(), |count| (count + 16).to_string());
        for folder in &self.folders {
            let _ = match self.flavour {
                Flavour::V1 => fs::write(folder.join("memory.limit_in_bytes"), &memory),
                Flavour::V2 => fs::write(folder.join("memory.max"), max(&memory)),
            };
            let _ = fs::write(folder.join("pids.max"), &pids);
        }
    }

    /// Whether the kernel ended something for want of memory.
    pub(crate) fn limit_reached(&self) -> Option<LimitKind> {
        let file = match self.flavour {
            Flavour::V1 => "memory.oom_control",
            Flavour::V2 => "memory.events",
        };
        let killed =
            self.folders.iter().filter_map(|folder| fs::read_to_string(folder.join(file)).ok()).any(|text| {
                text.lines()
                    .filter_map(|line| line.strip_prefix("oom_kill "))
                    .any(|count| count.trim() != "0")
            });
        killed.then_some(LimitKind::Memory)
    }

    /// Removes the groups; all processes in them are gone.
    pub(crate) fn remove(&self) {
        for folder in &self.folders {
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

/// Hierarchies to make groups in.
fn hierarchies(mount: &Path) -> Option<(Flavour, Vec<PathBuf>)> {
    let v1: Vec<PathBuf> = ["memory", "pids"].iter().map(|name| mount.join(name)).collect();
    if v1.iter().all(|folder| writable(folder)) {
        return Some((Flavour::V1, v1));
    }
    let controllers = fs::read_to_string(mount.join("cgroup.controllers")).ok()?;
    let has = |name: &str| controllers.split_whitespace().any(|controller| controller == name);
    (has("memory") && has("pids") && writable(mount)).then(|| (Flavour::V2, vec![mount.to_owned()]))
}

fn writable(folder: &Path) -> bool {
    folder.join("cgroup.procs").exists() && rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Which kind can be had here, for `doctor`.
pub(crate) fn available() -> Option<&'static str> {
    hierarchies(Path::new(MOUNT))
        .map(|(flavour, _)| if flavour == Flavour::V1 { "cgroup v1" } else { "cgroup v2" })
}

/// Removes groups whose maker is gone.
pub(crate) fn remove_stale() {
    let Some((_, hierarchies)) = hierarchies(Path::new(MOUNT)) else { return };
    for hierarchy in hierarchies {
        let Ok(entries) = fs::read_dir(hierarchy.join(OURS)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let maker = name.to_str().and_then(|name| name.split('-').next()?.parse::<u32>().ok());
            if maker.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}
