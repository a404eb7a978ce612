//! Which control groups a process may make groups in, found out from text: cgroups(7), proc_pid_cgroup(5),
//! proc_pid_mountinfo(5).

use std::path::{Path, PathBuf};

/// A place where groups could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Version 1: the process's own groups of the two controllers.
    V1 {
        /// Of the controller `memory`.
        memory: PathBuf,
        /// Of the controller `pids`.
        pids: PathBuf,
    },
    /// Version 2: a group that this process is in, or one above.
    V2 {
        /// Its folder.
        folder: PathBuf,
        /// Whether it is the process's own group.
        own: bool,
    },
}

/// The places, those to be tried first at the front. A group is always made below one's own or one above it whose owner
/// delegated it: never beside, where limits that a service manager or a batch system has set would not hold.
pub(crate) fn places(mountinfo: &str, own: &str) -> Vec<Place> {
    let v1 = |controller: &str| {
        let mount = mounts(mountinfo).find(|mount| {
            mount.kind == "cgroup" && mount.options.split(',').any(|option| option == controller)
        })?;
        let group = own.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            controllers.split(',').any(|name| name == controller).then_some(path)
        })?;
        mount.folder_of(group)
    };
    let mut places = Vec::new();
    if let (Some(memory), Some(pids)) = (v1("memory"), v1("pids")) {
        places.push(Place::V1 { memory, pids });
    }
    let group = own.lines().find_map(|line| line.strip_prefix("0::"));
    let mount = mounts(mountinfo).find(|mount| mount.kind == "cgroup2");
    if let (Some(group), Some(mount)) = (group, mount)
        && let Some(folder) = mount.folder_of(group)
    {
        let ancestors = folder.ancestors().take_while(|above| above.starts_with(&mount.point));
        places.extend(
            ancestors
                .enumerate()
                .map(|(level, above)| Place::V2 { folder: above.to_owned(), own: level == 0 }),
        );
    }
    places
}

struct MountLine<'a> {
    kind: &'a str,
    /// The group that is seen at the mount point.
    root: String,
    point: PathBuf,
    options: &'a str,
}

impl MountLine<'_> {
    /// Where a group's folder is, if this mount shows it.
    fn folder_of(&self, group: &str) -> Option<PathBuf> {
        // Of a group outside of the namespace only "/.." is known.
        let below = Path::new(group).strip_prefix(&self.root).ok()?;
        let up = below.components().any(|part| part == std::path::Component::ParentDir);
        (!up).then(|| if below.as_os_str().is_empty() { self.point.clone() } else { self.point.join(below) })
    }
}

fn mounts(mountinfo: &str) -> impl Iterator<Item = MountLine<'_>> {
    mountinfo.lines().filter_map(|line| {
        let (first, last) = line.split_once(" - ")?;
        let mut first = first.split(' ').skip(3);
        let mut last = last.split(' ');
        Some(MountLine {
            kind: last.next()?,
            root: unescape(first.next()?),
            point: unescape(first.next()?).into(),
            options: last.nth(1).unwrap_or(""),
        })
    })
}

/// Spaces and the like are written as three octal digits.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut result = parts.next().unwrap_or("").to_owned();
    for part in parts {
        if let Some(byte) = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            result.push(char::from(byte));
            result.push_str(&part[3..]);
        } else {
            result.push('\\');
            result.push_str(part);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(folder: &str, own: bool) -> Place {
        Place::V2 { folder: folder.into(), own }
    }

    #[test]
    fn a_group_of_version_1_is_made_below_ones_own() {
        // Of the virtual machine that this was written on.
        let mountinfo = "31 30 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
             35 30 0:31 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n";
        let own = "8:pids:/\n4:memory:/process_api/7076\n0::/\n";
        let place = Place::V1 {
            memory: "/sys/fs/cgroup/memory/process_api/7076".into(),
            pids: "/sys/fs/cgroup/pids".into(),
        };
        assert_eq!(places(mountinfo, own), [place]);
    }

    #[test]
    fn a_terminal_of_a_desktop_is_below_what_systemd_delegates_to_its_user() {
        // Debian 13 with GNOME.
        let mountinfo = "29 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";
        let own = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/terminal.scope\n";
        assert_eq!(
            places(mountinfo, own),
            [
                v2(
                    "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/terminal.scope",
                    true
                ),
                v2("/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice", false),
                v2("/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service", false),
                v2("/sys/fs/cgroup/user.slice/user-1000.slice", false),
                v2("/sys/fs/cgroup/user.slice", false),
                v2("/sys/fs/cgroup", false),
            ]
        );
    }

    #[test]
    fn a_container_that_sees_its_own_group_as_root_makes_groups_there() {
        // podman with a cgroup namespace, and docker without one (version 1), whose mount shows the container's group.
        let mountinfo = "610 602 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw\n";
        assert_eq!(places(mountinfo, "0::/\n"), [v2("/sys/fs/cgroup", true)]);
        let mountinfo = "7 6 0:27 /docker/12ab /sys/fs/cgroup/memory ro,nosuid master:11 - cgroup cgroup rw,memory\n\
             8 6 0:28 /docker/12ab /sys/fs/cgroup/pids ro,nosuid master:12 - cgroup cgroup rw,pids\n";
        let own = "11:pids:/docker/12ab\n4:memory:/docker/12ab/inner\n";
        let place =
            Place::V1 { memory: "/sys/fs/cgroup/memory/inner".into(), pids: "/sys/fs/cgroup/pids".into() };
        assert_eq!(places(mountinfo, own), [place]);
    }

    #[test]
    fn a_group_that_no_mount_shows_is_no_place() {
        let mountinfo = "610 602 0:26 /other /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        assert_eq!(places(mountinfo, "0::/user.slice\n"), []);
        let mountinfo = "610 602 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        assert_eq!(places(mountinfo, "0::/../elsewhere\n"), []);
        assert_eq!(places("", ""), []);
    }

    #[test]
    fn controllers_that_are_mounted_together_are_found() {
        let mountinfo = "31 30 0:27 / /sys/fs/cgroup/both rw - cgroup cgroup rw,memory,pids\n";
        let both = PathBuf::from("/sys/fs/cgroup/both/a b");
        let place = Place::V1 { memory: both.clone(), pids: both };
        assert_eq!(places(mountinfo, "4:pids,memory:/a b\n"), [place]);
    }

    #[test]
    fn escapes_in_mount_points_are_read() {
        assert_eq!(unescape(r"/a\040b\134c"), r"/a b\c");
        assert_eq!(unescape(r"/odd\x"), r"/odd\x");
    }
}
