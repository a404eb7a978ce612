//! Emulators registered for the whole host, where the kernel has no binfmt_misc for each user namespace (before
//! Linux 6.7). Only root may do that.
//!
//! Several archmill processes share an entry: each holds a lock on a file named after it, and the last one takes the
//! entry away. What a killed process left is taken away by the next one that comes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::kernel::{BINFMT_PER_NAMESPACE, KernelVersion};
use crate::spec::Binfmt;

/// Where the host has its binfmt_misc.
pub(crate) const FOLDER: &str = "/proc/sys/fs/binfmt_misc";
/// Where the locks are.
pub(crate) const STATE: &str = "/run/archmill-binfmt";

/// Why nothing could be registered.
#[derive(Debug, thiserror::Error)]
pub enum HostBinfmtError {
    /// Not root.
    #[error(
        "Linux {0} knows binfmt_misc for the whole host only, and only root may change that: run archmill as root, or boot Linux 6.7 or newer (for bookworm there is one in bookworm-backports)"
    )]
    NotRoot(KernelVersion),
    /// There is no binfmt_misc.
    #[error("cannot mount binfmt_misc at {folder}: {error}; run: modprobe binfmt_misc")]
    NoBinfmt {
        /// Where.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another archmill uses another emulator for the same programs.
    #[error(
        "{interpreter} is registered on this host for the same programs by another archmill that is running: wait for it, use the same --cache and --qemu-suite, or boot Linux 6.7 or newer"
    )]
    Taken {
        /// The other's emulator.
        interpreter: String,
    },
    /// A step failed.
    #[error("cannot register the emulator {interpreter} on this host: {error}")]
    Io {
        /// The emulator.
        interpreter: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Whose binfmt_misc is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The sandbox's own.
    Namespace,
    /// The host's.
    Host,
}

/// Decides that.
pub(crate) fn scope(kernel: KernelVersion, root: bool) -> Result<Scope, HostBinfmtError> {
    if kernel >= BINFMT_PER_NAMESPACE {
        Ok(Scope::Namespace)
    } else if root {
        Ok(Scope::Host)
    } else {
        Err(HostBinfmtError::NotRoot(kernel))
    }
}

/// Entries of the host that this process uses. Dropping it takes those away that nobody else uses.
#[derive(Debug)]
pub struct HostEntries {
    folder: PathBuf,
    state: PathBuf,
    used: Vec<(String, File)>,
    /// What the user should know.
    pub(crate) notes: Vec<String>,
}

impl HostEntries {
    /// Registers `entries` in the binfmt_misc at `folder`, with locks in the folder `state`.
    pub fn register(folder: &Path, state: &Path, entries: &[Binfmt]) -> Result<Self, HostBinfmtError> {
        let mut all =
            Self { folder: folder.to_owned(), state: state.to_owned(), used: Vec::new(), notes: Vec::new() };
        if !folder.join("register").exists() {
            mount_it(folder)?;
            all.notes.push(format!("binfmt_misc was mounted at {} and stays there", folder.display()));
        }
        for entry in entries {
            let failed = |error| HostBinfmtError::Io { interpreter: entry.interpreter.clone(), error };
            let guard = lock(state).map_err(failed)?;
            remove_stale_locked(folder, state);
            all.add(entry)?;
            drop(guard);
        }
        Ok(all)
    }

    fn add(&mut self, entry: &Binfmt) -> Result<(), HostBinfmtError> {
        let failed = |error| HostBinfmtError::Io { interpreter: entry.interpreter.clone(), error };
        let wanted = Line::parse(&entry.line)
            .ok_or_else(|| failed(io::Error::other(format!("{:?} is no entry", entry.line))))?;
        let name = host_name(entry);
        for (other, text) in entries(&self.folder).filter(|(other, _)| *other != name) {
            let Some(shown) = Shown::parse(&text).filter(|shown| shown.takes(&wanted)) else { continue };
            if other.starts_with(OURS) {
                return Err(HostBinfmtError::Taken { interpreter: shown.interpreter });
            }
            if shown.interpreter == wanted.interpreter && shown.flags == wanted.flags {
                self.notes.push(format!("the host's own binfmt_misc entry {other} is used"));
                return Ok(());
            }
            self.notes.push(format!(
                "the host's binfmt_misc entry {other} ({}) is not used until this build ends",
                shown.interpreter
            ));
        }
        let users = open_users(&self.state, &name).map_err(failed)?;
        flock(&users, FlockOperation::LockShared).map_err(|error| failed(error.into()))?;
        if !self.folder.join(&name).exists() {
            let line = entry.line.replacen(&format!(":{}:", entry.name), &format!(":{name}:"), 1);
            fs::write(self.folder.join("register"), line).map_err(failed)?;
        }
        self.notes.push(format!(
            "this kernel has binfmt_misc for the whole host only: {} is registered as {name} until the build ends",
            entry.interpreter.display()
        ));
        self.used.push((name, users));
        Ok(())
    }
}

impl Drop for HostEntries {
    fn drop(&mut self) {
        if self.used.is_empty() {
            return;
        }
        let Ok(_guard) = lock(&self.state) else { return };
        for (name, users) in self.used.drain(..) {
            // Held shared by others it cannot be had alone.
            if flock(&users, FlockOperation::NonBlockingLockExclusive).is_ok() {
                unregister(&self.folder, &self.state, &name);
            }
        }
    }
}

/// Takes entries away whose users were all killed.
pub fn remove_stale(folder: &Path, state: &Path) {
    if state.is_dir()
        && let Ok(_guard) = lock(state)
    {
        remove_stale_locked(folder, state);
    }
}

fn remove_stale_locked(folder: &Path, state: &Path) {
    for file in fs::read_dir(state).into_iter().flatten().flatten() {
        let path = file.path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        let unused = |users: File| flock(&users, FlockOperation::NonBlockingLockExclusive).is_ok();
        if path.extension().is_some_and(|end| end == "users") && File::open(&path).is_ok_and(unused) {
            unregister(folder, state, name);
        }
    }
}

fn unregister(folder: &Path, state: &Path, name: &str) {
    if name.starts_with(OURS) && fs::write(folder.join(name), "-1").is_ok() || !folder.join(name).exists() {
        let _ = fs::remove_file(state.join(format!("{name}.users")));
    }
}

/// The lock under which entries come and go.
fn lock(state: &Path) -> io::Result<File> {
    fs::create_dir_all(state)?;
    let file = File::options().write(true).create(true).truncate(false).open(state.join("lock"))?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

fn open_users(state: &Path, name: &str) -> io::Result<File> {
    File::options().write(true).create(true).truncate(false).open(state.join(format!("{name}.users")))
}

fn mount_it(folder: &Path) -> Result<(), HostBinfmtError> {
    use rustix::mount::{MountFlags, mount};
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("binfmt_misc", folder, "binfmt_misc", flags, None)
        .map_err(|error| HostBinfmtError::NoBinfmt { folder: folder.to_owned(), error: error.into() })
}

/// Begin of the names of our entries; no other program uses it.
const OURS: &str = "archmill-";

/// The entry's name on the host: other emulators for the same programs have others.
fn host_name(entry: &Binfmt) -> String {
    // FNV-1a, 32 bits.
    let hash = entry
        .line
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let name = entry.name.strip_prefix(OURS).unwrap_or(&entry.name);
    format!("{OURS}{name}-{hash:08x}")
}

fn entries(folder: &Path) -> impl Iterator<Item = (String, String)> {
    fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let special = name == "register" || name == "status";
        (!special).then(|| Some((name, fs::read_to_string(entry.path()).ok()?)))?
    })
}

/// A line for `register`, as far as it matters here: `:name:type:offset:magic:mask:interpreter:flags`.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    magic: String,
    mask: String,
    interpreter: String,
    flags: String,
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.trim_end().split(':').collect();
        let ["", _, "M", _, magic, mask, interpreter, flags] = fields[..] else { return None };
        Some(Self {
            magic: hex(magic),
            mask: hex(mask),
            interpreter: interpreter.to_owned(),
            flags: sorted(flags),
        })
    }
}

/// The bytes of a field, in which `\xHH` stands for one, as the kernel shows them.
fn hex(field: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let mut rest = field;
    while let Some(first) = rest.chars().next() {
        if let Some(digits) = rest.strip_prefix("\\x").and_then(|after| after.get(..2)) {
            text.push_str(&digits.to_lowercase());
            rest = &rest[4..];
        } else {
            let (byte, after) = rest.split_at(first.len_utf8());
            byte.bytes().for_each(|byte| _ = write!(text, "{byte:02x}"));
            rest = after;
        }
    }
    text
}

/// An entry as its file shows it.
#[derive(Debug, Default)]
struct Shown {
    enabled: bool,
    interpreter: String,
    flags: String,
    magic: String,
    mask: String,
}

impl Shown {
    fn parse(text: &str) -> Option<Self> {
        let mut shown = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                None => shown.enabled |= line == "enabled",
                Some(("interpreter", path)) => path.clone_into(&mut shown.interpreter),
                Some(("flags:", flags)) => shown.flags = sorted(flags),
                Some(("magic", magic)) => magic.clone_into(&mut shown.magic),
                Some(("mask", mask)) => mask.clone_into(&mut shown.mask),
                Some(_) => {}
            }
        }
        (!shown.magic.is_empty()).then_some(shown)
    }

    /// Whether it is for the programs that `line` is for.
    fn takes(&self, line: &Line) -> bool {
        self.enabled && self.magic == line.magic && (self.mask == line.mask || self.mask.is_empty())
    }
}

/// Flags in one order; `C` and `F` make the kernel show `O` as well where it is implied.
fn sorted(flags: &str) -> String {
    let mut flags: Vec<char> = flags.trim().chars().filter(|flag| *flag != 'O').collect();
    flags.sort_unstable();
    flags.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_touched_only_where_the_kernel_leaves_no_choice() {
        let scope = |major, minor, root| scope(KernelVersion(major, minor), root);
        assert_eq!(scope(6, 7, false).unwrap(), Scope::Namespace);
        assert_eq!(scope(6, 18, true).unwrap(), Scope::Namespace);
        assert_eq!(scope(6, 1, true).unwrap(), Scope::Host);
        let refusal = scope(6, 1, false).unwrap_err().to_string();
        assert!(refusal.contains("Linux 6.1") && refusal.contains("run archmill as root"), "{refusal}");
    }

    #[test]
    fn an_entry_that_the_kernel_shows_is_compared_with_a_line() {
        // /proc/sys/fs/binfmt_misc/qemu-aarch64 of Debian 12 with qemu-user-static.
        let shown = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POF\noffset 0\nmagic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";
        let line = r":archmill-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/q/qemu-aarch64:FPC";
        let (shown, line) = (Shown::parse(shown).unwrap(), Line::parse(line).unwrap());
        assert!(shown.takes(&line));
        assert_eq!((shown.flags.as_str(), line.flags.as_str()), ("FP", "CFP"));
        assert_ne!(shown.interpreter, line.interpreter);
    }

    #[test]
    fn bytes_of_a_line_may_be_escaped_or_not() {
        assert_eq!(hex(r"\x7fELF\x02"), "7f454c4602");
        assert_eq!(hex("#a"), "2361");
    }

    #[test]
    fn another_emulator_has_another_name_on_the_host() {
        let entry = |path: &str| Binfmt {
            name: "archmill-arm".into(),
            line: format!(":archmill-arm:M::aa::{path}:F"),
            interpreter: path.into(),
        };
        assert_eq!(host_name(&entry("/a")), host_name(&entry("/a")));
        assert_ne!(host_name(&entry("/a")), host_name(&entry("/b")));
        assert!(host_name(&entry("/a")).starts_with("archmill-arm-"));
    }
}
