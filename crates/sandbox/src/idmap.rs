//! Which ids of the host stand behind the ids of a namespace (user_namespaces(7), subuid(5)).

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Started by root without a range of its own in /etc/subuid, ids from here on are used: far above what
/// hosts give to people and services, below what systemd-nspawn picks from.
const ROOT_RANGE: u32 = 1_000_000_000;
const SIZE: u32 = 65_536;

/// A mapping of 65,536 user and group ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMap {
    uid: Half,
    gid: Half,
    privileged: bool,
}

/// Ids 0 and 1.. of the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Half {
    /// Host id of 0.
    zero: u32,
    /// Host id of 1, the rest follows.
    one: u32,
    /// How many follow.
    count: u32,
}

/// Why there is no mapping to be had.
#[derive(Debug, thiserror::Error)]
pub enum IdMapError {
    /// No range for the user.
    #[error(
        "user {user} has no range of at least 65535 ids in {file}, so files of other owners cannot be made in a build root; as root run: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
    )]
    NoRange {
        /// The user.
        user: String,
        /// /etc/subuid or /etc/subgid.
        file: &'static str,
    },
    /// The set-uid helpers are missing.
    #[error(
        "{0} is not installed, which ordinary users need for namespaces with several ids; as root run: apt-get install uidmap"
    )]
    NoHelper(&'static str),
    /// Writing the mapping failed.
    #[error("cannot set up the id mapping of a namespace: {0}")]
    Refused(String),
}

impl IdMap {
    /// The mapping for whoever runs this. Root of the namespace is never root of the host: started by root it is
    /// an id from a range that nobody else has, else the user. (A process whose host id is 0 may write to
    /// /proc/sys even from inside a user namespace.)
    pub fn detect() -> Result<Self, IdMapError> {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if uid == 0 {
            let range = |file| subordinate(&read(file), "root", 0).filter(|(_, count)| *count >= SIZE);
            let half = |range: Option<(u32, u32)>| {
                let zero = range.map_or(ROOT_RANGE, |(start, _)| start);
                Half { zero, one: zero + 1, count: SIZE - 1 }
            };
            return Ok(Self {
                uid: half(range("/etc/subuid")),
                gid: half(range("/etc/subgid")),
                privileged: true,
            });
        }
        let user = user_name(uid);
        let half = |file: &'static str, zero| match subordinate(&read(file), &user, uid) {
            Some((one, count)) if count >= SIZE - 1 => Ok(Half { zero, one, count: SIZE - 1 }),
            _ => Err(IdMapError::NoRange { user: user.clone(), file }),
        };
        for helper in ["newuidmap", "newgidmap"] {
            if !on_path(helper) {
                return Err(IdMapError::NoHelper(helper));
            }
        }
        Ok(Self { uid: half("/etc/subuid", uid)?, gid: half("/etc/subgid", gid)?, privileged: false })
    }

    /// The host's id of a user of the namespace.
    pub fn host_uid(&self, id: u32) -> u32 {
        self.uid.host(id)
    }

    /// The host's id of a group of the namespace.
    pub fn host_gid(&self, id: u32) -> u32 {
        self.gid.host(id)
    }

    /// Makes a folder, and those above it, that the namespace's root owns. One that is there is left as it is.
    pub fn create_folder(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        // One of the host's root is another process' that is about to give it away, or was ended before it could.
        if std::fs::metadata(path).is_ok_and(|meta| meta.is_dir() && !(self.privileged && meta.uid() == 0)) {
            return Ok(());
        }
        std::fs::create_dir_all(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
        if self.privileged {
            std::os::unix::fs::chown(path, Some(self.host_uid(0)), Some(self.host_gid(0)))?;
        }
        Ok(())
    }

    /// Writes the mapping of process `pid`, which waits in a new user namespace.
    pub(crate) fn apply(&self, pid: u32) -> Result<(), IdMapError> {
        if self.privileged {
            let write = |file: &str, half: &Half| {
                let lines = format!("0 {} 1\n1 {} {}\n", half.zero, half.one, half.count);
                std::fs::write(format!("/proc/{pid}/{file}"), lines)
            };
            write("uid_map", &self.uid)
                .and_then(|()| write("gid_map", &self.gid))
                .map_err(|error| IdMapError::Refused(error.to_string()))
        } else {
            helper("newuidmap", pid, &self.uid)?;
            helper("newgidmap", pid, &self.gid)
        }
    }
}

impl Half {
    fn host(&self, id: u32) -> u32 {
        if id == 0 { self.zero } else { self.one + (id - 1).min(self.count - 1) }
    }
}

fn helper(program: &'static str, pid: u32, half: &Half) -> Result<(), IdMapError> {
    let numbers = [pid, 0, half.zero, 1, 1, half.one, half.count].map(|number| number.to_string());
    let output = Command::new(program).args(numbers).output().map_err(|_| IdMapError::NoHelper(program))?;
    if output.status.success() {
        return Ok(());
    }
    Err(IdMapError::Refused(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// The largest range of `user` (by name or number) in a subuid file.
fn subordinate(text: &str, user: &str, uid: u32) -> Option<(u32, u32)> {
    let number = uid.to_string();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(':');
            let owner = words.next()?;
            let range = (words.next()?.parse().ok()?, words.next()?.trim().parse().ok()?);
            (owner == user || owner == number).then_some(range)
        })
        .max_by_key(|(_, count)| *count)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn user_name(uid: u32) -> String {
    let number = uid.to_string();
    let passwd = read("/etc/passwd");
    let found = passwd.lines().find(|line| line.split(':').nth(2) == Some(&number));
    found.and_then(|line| line.split(':').next()).map_or(number.clone(), str::to_owned)
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_range_of_a_user_is_taken_by_name_or_number() {
        let text = "anna:100000:10\n1000:200000:65536\nberta:1:2\n";
        assert_eq!(subordinate(text, "anna", 1000), Some((200_000, 65_536)));
        assert_eq!(subordinate(text, "carla", 7), None);
    }

    #[test]
    fn ids_above_zero_come_from_the_range() {
        let half = Half { zero: 1000, one: 100_000, count: 65_535 };
        assert_eq!((half.host(0), half.host(1), half.host(42)), (1000, 100_000, 100_041));
    }
}
