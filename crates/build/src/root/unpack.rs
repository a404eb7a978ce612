//! Unpacks one .deb into the cache: `files/`, `control/` and `manifest.json`.
//!
//! The archive is hostile until shown otherwise: nothing is written outside of the folder, through a
//! link, or over something that the same package made before; devices are refused.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use archmill_deb::deb::{DebError, DebReader};
use archmill_deb::members::{Bounds, Member};

use super::manifest::{Entry, Kind, Manifest, RelPath};

/// Why a package was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The file could not be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Not a valid package.
    #[error("{} is not a usable package: {reason}", deb.display())]
    Malformed {
        /// The package.
        deb: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Unpacks `deb` into the new folder `folder`.
pub fn unpack(deb: &Path, folder: &Path) -> Result<(), UnpackError> {
    let malformed = |reason: String| UnpackError::Malformed { deb: deb.to_owned(), reason };
    let file = File::open(deb).map_err(at("open", deb))?;
    let mut reader =
        DebReader::new(io::BufReader::with_capacity(1 << 16, file)).map_err(|e| malformed(e.to_string()))?;
    make_folder(folder, 0o755)?;
    let control = reader.control().map_err(|e| malformed(e.to_string()))?;
    let control_folder = folder.join("control");
    make_folder(&control_folder, 0o755)?;
    let mut members = Vec::new();
    for (name, (mode, content)) in &control.files {
        write_control(&control_folder.join(name), content)?;
        members.push((name.clone(), mode & 0o7777));
    }
    let files = folder.join("files");
    make_folder(&files, 0o755)?;
    let mut unpacker = Unpacker { files, made: HashMap::new(), entries: Vec::new() };
    reader.each_member(Bounds::default(), |member| unpacker.member(member)).map_err(
        |problem| match problem {
            Problem::Malformed(reason) => malformed(reason),
            Problem::Io(error) => error,
        },
    )?;
    unpacker.finish_folders()?;
    let manifest = Manifest { entries: unpacker.entries, control: members };
    let path = folder.join("manifest.json");
    let json = serde_json::to_vec(&manifest).map_err(|e| malformed(e.to_string()))?;
    std::fs::write(&path, json).map_err(at("write", &path))
}

enum Problem {
    Malformed(String),
    Io(UnpackError),
}

impl From<DebError> for Problem {
    fn from(error: DebError) -> Self {
        Self::Malformed(match error {
            DebError::Io(error) => format!("its data archive is damaged: {error}"),
            other => other.to_string(),
        })
    }
}

impl From<UnpackError> for Problem {
    fn from(error: UnpackError) -> Self {
        Self::Io(error)
    }
}

struct Unpacker {
    files: PathBuf,
    made: HashMap<PathBuf, Made>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Folder,
    /// With its place in the manifest.
    File(usize),
    Link,
}

impl Unpacker {
    fn member(&mut self, member: Member<'_>) -> Result<(), Problem> {
        let Member { header, path: named, link, content } = member;
        let path = relative(&named).ok_or_else(|| {
            Problem::Malformed(format!("it ships {}, which is outside of the root", named.display()))
        })?;
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        self.ensure_parents(&path)?;
        let number = |value: io::Result<u64>| {
            value.map_err(|e| Problem::Malformed(format!("{}: {e}", named.display())))
        };
        let too_large = |_| Problem::Malformed(format!("{} has an owner out of range", named.display()));
        let (uid, gid) = (number(header.uid())?, number(header.gid())?);
        let mut entry = Entry {
            path: RelPath(path.clone()),
            kind: Kind::File,
            mode: header.mode().map_err(|e| Problem::Malformed(e.to_string()))? & 0o7777,
            uid: u32::try_from(uid).map_err(too_large)?,
            gid: u32::try_from(gid).map_err(too_large)?,
            mtime: i64::try_from(number(header.mtime())?).unwrap_or(0),
            size: 0,
        };
        let full = self.files.join(&path);
        let kind = header.entry_type();
        let made = if kind.is_dir() {
            entry.kind = Kind::Directory;
            return self.folder(entry, &full);
        } else if kind.is_symlink() {
            let target = link_name(link, &named)?;
            std::os::unix::fs::symlink(&target, &full).map_err(at("make link", &full))?;
            entry.kind = Kind::Symlink(RelPath(target));
            Made::Link
        } else if kind.is_hard_link() {
            self.hard_link(&link_name(link, &named)?, &full, &named, &mut entry)?;
            Made::File(self.entries.len())
        } else if kind.is_file() || kind == tar::EntryType::Continuous {
            entry.size = write_file(content, &full, &entry)?;
            Made::File(self.entries.len())
        } else {
            let reason =
                format!("it ships {}, a device or pipe, which no Debian package may", named.display());
            return Err(Problem::Malformed(reason));
        };
        if made == Made::Link {
            finish(&full, &entry)?;
        }
        if self.made.insert(path, made).is_some() {
            return Err(Problem::Malformed(format!("it ships {} twice", named.display())));
        }
        self.entries.push(entry);
        Ok(())
    }

    fn folder(&mut self, entry: Entry, full: &Path) -> Result<(), Problem> {
        match self.made.insert(entry.path.0.clone(), Made::Folder) {
            None => make_folder(full, 0o700)?,
            Some(Made::Folder) => {}
            Some(_) => return Err(Problem::Malformed(format!("it ships {} twice", entry.path.0.display()))),
        }
        self.entries.push(entry);
        Ok(())
    }

    fn hard_link(&self, target: &Path, full: &Path, named: &Path, entry: &mut Entry) -> Result<(), Problem> {
        let bad = || {
            Problem::Malformed(format!(
                "{} is a hard link to {}, which it does not ship",
                named.display(),
                target.display()
            ))
        };
        let target = relative(target).ok_or_else(bad)?;
        let Some(Made::File(place)) = self.made.get(&target) else { return Err(bad()) };
        let original = &self.entries[*place];
        (entry.mode, entry.uid, entry.gid, entry.size) =
            (original.mode, original.uid, original.gid, original.size);
        Ok(std::fs::hard_link(self.files.join(&target), full).map_err(at("link", full))?)
    }

    /// Every folder on the way must be one that this package made; one that it does not list is made.
    fn ensure_parents(&mut self, path: &Path) -> Result<(), Problem> {
        let mut parent = PathBuf::new();
        for component in path.parent().unwrap_or(Path::new("")).components() {
            parent.push(component);
            match self.made.get(&parent) {
                Some(Made::Folder) => {}
                Some(_) => {
                    let reason = format!(
                        "it writes {} through {}, which is not a folder",
                        path.display(),
                        parent.display()
                    );
                    return Err(Problem::Malformed(reason));
                }
                None => {
                    make_folder(&self.files.join(&parent), 0o755)?;
                    self.made.insert(parent.clone(), Made::Folder);
                }
            }
        }
        Ok(())
    }

    /// Folders get their mode last, as one may forbid writing into it. Nobody but us reads these; their
    /// real owner and times are set where they are composed.
    fn finish_folders(&self) -> Result<(), UnpackError> {
        for entry in self.entries.iter().filter(|entry| entry.kind == Kind::Directory) {
            let full = self.files.join(entry.path.as_path());
            std::fs::set_permissions(&full, std::fs::Permissions::from_mode(0o755))
                .map_err(at("set the mode of", &full))?;
        }
        Ok(())
    }
}

fn link_name(link: Option<PathBuf>, named: &Path) -> Result<PathBuf, Problem> {
    link.ok_or_else(|| Problem::Malformed(format!("{} is a link to nothing", named.display())))
}

fn write_file(mut content: &mut dyn io::Read, full: &Path, entry: &Entry) -> Result<u64, UnpackError> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(full)
        .map_err(at("make", full))?;
    let size = io::copy(&mut content, &mut file).map_err(at("write", full))?;
    drop(file);
    finish(full, entry)?;
    Ok(size)
}

/// Owner first: changing it clears set-id bits.
fn finish(full: &Path, entry: &Entry) -> Result<(), UnpackError> {
    if entry.uid != 0 || entry.gid != 0 {
        std::os::unix::fs::lchown(full, Some(entry.uid), Some(entry.gid))
            .map_err(at("set the owner of", full))?;
    }
    if entry.kind == Kind::File {
        std::fs::set_permissions(full, std::fs::Permissions::from_mode(entry.mode))
            .map_err(at("set the mode of", full))?;
    }
    let time = rustix::fs::Timespec { tv_sec: entry.mtime, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(rustix::fs::CWD, full, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| at("set the time of", full)(error.into()))
}

fn write_control(path: &Path, content: &[u8]) -> Result<(), UnpackError> {
    std::fs::write(path, content).map_err(at("write", path))
}

fn make_folder(path: &Path, mode: u32) -> Result<(), UnpackError> {
    std::fs::DirBuilder::new().mode(mode).create(path).map_err(at("make folder", path))
}

/// `./usr/bin` as `usr/bin`; `None` for what leads outside.
fn relative(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(clean)
}

fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> UnpackError {
    let path = path.to_owned();
    move |source| UnpackError::Io { what, path, source }
}
