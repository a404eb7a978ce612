//! File operations inside a running sandbox, for the caller: it gets descriptors and never a path of its own to follow.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::protocol::{Reply, Request};

/// Does what was asked.
pub(crate) fn serve(request: Request) -> (Reply, Option<OwnedFd>) {
    let (what, result) = match request {
        Request::Read(path) => {
            (format!("read {}", path.display()), read(&path).map(|fd| (Reply::Done, Some(fd))))
        }
        Request::Write { path, mode, uid, gid } => (
            format!("write {}", path.display()),
            write(&path, mode, uid, gid).map(|fd| (Reply::Done, Some(fd))),
        ),
        Request::MakeFolder { path, mode, uid, gid } => (
            format!("make folder {}", path.display()),
            make_folder(&path, mode, uid, gid).map(|()| (Reply::Done, None)),
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

/// Regular files only: a pipe or device that a build left would block or surprise.
fn read(path: &Path) -> io::Result<OwnedFd> {
    let file =
        fs::OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file.into())
}

fn write(path: &Path, mode: u32, uid: u32, gid: u32) -> io::Result<OwnedFd> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    std::os::unix::fs::fchown(&file, Some(uid), Some(gid))?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    Ok(file.into())
}

fn make_folder(path: &Path, mode: u32, uid: u32, gid: u32) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path)?;
    std::os::unix::fs::chown(path, Some(uid), Some(gid))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn list(path: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Bytes on disk of what builds write: /build and the usual places, each file system once.
pub(crate) fn disk_usage() -> u64 {
    ["/build", "/tmp", "/var/tmp", "/home", "/root"].iter().map(|folder| usage_of(Path::new(folder))).sum()
}

fn usage_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => meta.blocks() * 512 + usage_of(&entry.path()),
            Ok(meta) => meta.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

/// Gives what `from` owns in a tree to `to`, links themselves and never what they point to. Set-id bits, which
/// the kernel drops when an owner changes, are kept.
pub(crate) fn change_owner(tree: &Path, from: (u32, u32), to: (u32, u32)) {
    let Ok(meta) = fs::symlink_metadata(tree) else { return };
    let (uid, gid) = (meta.uid() == from.0, meta.gid() == from.1);
    if uid || gid {
        // A file that vanishes or a full disk is no reason to stop: what matters is checked in the packages.
        let _ = std::os::unix::fs::lchown(tree, uid.then_some(to.0), gid.then_some(to.1));
        if meta.is_file() && meta.mode() & 0o6000 != 0 {
            let _ = fs::set_permissions(tree, meta.permissions());
        }
    }
    if meta.is_dir() {
        for entry in fs::read_dir(tree).into_iter().flatten().flatten() {
            change_owner(&entry.path(), from, to);
        }
    }
}
