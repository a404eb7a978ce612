//! File operations inside a running sandbox, for the caller: it gets descriptors and never a path of its own to follow.
//!
//! The supervisor lives in the root, so links lead nowhere else; the links of /proc that would (to its own
//! descriptors) are refused, and the last component is never followed.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, fchmod, fchown, fstat, mkdirat,
    openat, openat2, statat, unlinkat,
};

use crate::protocol::{Reply, Request};
use crate::tree::FOLDER;

/// Does what was asked.
pub(crate) fn serve(request: Request) -> (Reply, Option<OwnedFd>) {
    let (what, result) = match request {
        Request::Read(path) => {
            (format!("read {}", path.display()), read(&path).map(|fd| (Reply::Done, Some(fd))))
        }
        Request::Write { path, mode, uid, gid } => (
            format!("write {}", path.display()),
            write(&path, mode, (uid, gid)).map(|fd| (Reply::Done, Some(fd))),
        ),
        Request::MakeFolder { path, mode, uid, gid } => (
            format!("make folder {}", path.display()),
            make_folder(&path, mode, (uid, gid)).map(|()| (Reply::Done, None)),
        ),
        Request::List(path) => {
            (format!("list {}", path.display()), list(&path).map(|names| (Reply::Names(names), None)))
        }
        Request::Remove(path) => {
            (format!("remove {}", path.display()), remove(&path).map(|()| (Reply::Done, None)))
        }
        Request::Run { .. } | Request::Kill => (String::new(), Err(io::Error::other("not a file operation"))),
    };
    result.unwrap_or_else(|error| {
        let not_found = error.kind() == io::ErrorKind::NotFound;
        (Reply::Failed { what: format!("cannot {what} in the sandbox: {error}"), not_found }, None)
    })
}

/// The folder that a path is in, and its name there.
fn place(path: &Path) -> io::Result<(OwnedFd, CString)> {
    let name = path.file_name().ok_or_else(|| io::Error::other("a path must end with a name"))?;
    let name = CString::new(name.as_bytes()).map_err(|_| io::Error::other("a zero byte in a path"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("/"));
    Ok((folder(parent, OFlags::PATH)?, name))
}

/// Opens a folder, through links but not those of /proc.
fn folder(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?)
}

/// Regular files only: a pipe or device that a build left would block or surprise.
fn read(path: &Path) -> io::Result<OwnedFd> {
    let (parent, name) = place(path)?;
    let seen = statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW)?;
    let regular = |mode| FileType::from_raw_mode(mode) == FileType::RegularFile;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    if regular(seen.st_mode) {
        let file = openat(&parent, &name, flags, Mode::empty())?;
        // The name may stand for something else by now.
        if regular(fstat(&file)?.st_mode) {
            return Ok(file);
        }
    }
    Err(io::Error::other("it is not a regular file"))
}

fn write(path: &Path, mode: u32, owner: (u32, u32)) -> io::Result<OwnedFd> {
    let (parent, name) = place(path)?;
    match unlinkat(&parent, &name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&parent, &name, flags, Mode::RUSR | Mode::WUSR)?;
    own(&file, mode, owner)?;
    Ok(file)
}

fn own(file: &OwnedFd, mode: u32, (uid, gid): (u32, u32)) -> io::Result<()> {
    fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    Ok(fchmod(file, Mode::from_raw_mode(mode))?)
}

/// The folder itself must not be a link, or its target would get the owner.
fn make_folder(path: &Path, mode: u32, owner: (u32, u32)) -> io::Result<()> {
    let mut above = folder(Path::new("/"), OFlags::PATH)?;
    let mut names = path.components().filter(|part| *part != Component::RootDir).peekable();
    while let Some(name) = names.next() {
        let name = name.as_os_str();
        match mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let last = names.peek().is_none();
        let (flags, resolve) = if last {
            (FOLDER, ResolveFlags::NO_SYMLINKS)
        } else {
            (OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, ResolveFlags::NO_MAGICLINKS)
        };
        above = openat2(&above, name, flags, Mode::empty(), resolve)?;
        if last {
            own(&above, mode, owner)?;
        }
    }
    Ok(())
}

fn list(path: &Path) -> io::Result<Vec<String>> {
    let listed = if path == Path::new("/") {
        folder(path, OFlags::RDONLY)?
    } else {
        let (parent, name) = place(path)?;
        openat(&parent, &name, FOLDER, Mode::empty())?
    };
    let mut names = Vec::new();
    for entry in Dir::read_from(&listed)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn remove(path: &Path) -> io::Result<()> {
    let (parent, name) = match place(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    match unlinkat(&parent, &name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(rustix::io::Errno::ISDIR) => crate::tree::remove(&parent, &name),
        Err(error) => Err(error.into()),
    }
}
