//! Walking a tree that hostile programs change meanwhile: by descriptors, so no link can lead out of it, and
//! however deep it is.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fchmod, fstat, openat, statat, unlinkat,
};

/// Folders whose descriptors are kept while what is below them is looked at; deeper ones are found again by "..".
const KEPT: usize = 64;

/// How folders are opened.
pub(crate) const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A walk that can stop after each folder and go on later.
pub(crate) struct Walk {
    next: Option<OwnedFd>,
    frames: Vec<Frame>,
}

/// A folder that was listed, and those in it that were not.
struct Frame {
    id: (u64, u64),
    fd: Option<OwnedFd>,
    pending: Vec<CString>,
}

/// What is called for each entry: its folder, its name, what it is.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(BorrowedFd<'_>, &CStr, &Stat);

impl Walk {
    /// Over what is in `root`.
    pub(crate) fn new(root: impl AsFd) -> io::Result<Self> {
        Ok(Self { next: Some(openat(root, ".", FOLDER, Mode::empty())?), frames: Vec::new() })
    }

    /// Looks at one more folder; whether there is anything left to do. What cannot be opened is left out.
    pub(crate) fn step(&mut self, visit: Visit<'_>) -> bool {
        if let Some(folder) = self.next.take() {
            self.list(folder, visit);
            return true;
        }
        let Some(frame) = self.frames.last_mut() else { return false };
        if let (Some(name), Some(fd)) = (frame.pending.pop(), &frame.fd) {
            self.next = openat(fd, name, FOLDER, Mode::empty()).ok();
        } else {
            self.leave();
        }
        true
    }

    fn list(&mut self, folder: OwnedFd, visit: Visit<'_>) {
        let Ok(own) = fstat(&folder) else { return };
        let mut pending = Vec::new();
        for entry in Dir::read_from(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(stat) = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            visit(folder.as_fd(), name, &stat);
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                pending.push(name.to_owned());
            }
        }
        if pending.is_empty() {
            return;
        }
        if self.frames.len() > KEPT
            && let Some(above) = self.frames.last_mut()
        {
            above.fd = None;
        }
        self.frames.push(Frame { id: (own.st_dev, own.st_ino), fd: Some(folder), pending });
    }

    /// Back to the folder above. One that was moved meanwhile is given up, with all up to a kept descriptor.
    fn leave(&mut self) {
        let left = self.frames.pop().and_then(|frame| frame.fd);
        if let (Some(above), Some(left)) = (self.frames.last_mut(), left)
            && above.fd.is_none()
        {
            let up = openat(&left, "..", FOLDER, Mode::empty()).ok();
            let same = |fd: &OwnedFd| fstat(fd).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == above.id);
            above.fd = up.filter(same);
        }
        while self.frames.last().is_some_and(|frame| frame.fd.is_none()) {
            self.frames.pop();
        }
    }
}

/// Gives what `from` owns in a tree to `to`, links themselves and never what they point to. Set-id bits, which
/// the kernel drops when an owner changes, are kept. A file that vanishes or a full disk is no reason to stop: what
/// matters is checked in the packages.
pub(crate) fn change_owner(tree: &Path, from: (u32, u32), to: (u32, u32)) {
    let Ok(root) = openat(rustix::fs::CWD, tree, FOLDER, Mode::empty()) else { return };
    if let Ok(stat) = fstat(&root) {
        give(root.as_fd(), c".", &stat, from, to);
    }
    let Ok(mut walk) = Walk::new(&root) else { return };
    while walk.step(&mut |folder, name, stat| give(folder, name, stat, from, to)) {}
}

fn give(folder: BorrowedFd<'_>, name: &CStr, stat: &Stat, from: (u32, u32), to: (u32, u32)) {
    let uid = (stat.st_uid == from.0).then(|| Uid::from_raw(to.0));
    let gid = (stat.st_gid == from.1).then(|| Gid::from_raw(to.1));
    if (uid.is_none() && gid.is_none())
        || chownat(folder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).is_err()
        || stat.st_mode & 0o6000 == 0
        || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile
    {
        return;
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = openat(folder, name, flags, Mode::empty()) else { return };
    // The name may stand for another file by now.
    if fstat(&file).is_ok_and(|now| (now.st_dev, now.st_ino) == (stat.st_dev, stat.st_ino)) {
        let _ = fchmod(&file, Mode::from_raw_mode(stat.st_mode));
    }
}

/// Removes a folder with all that is in it, one level at a time from the top: what is in a folder is moved up until
/// nothing is left that is deep. So neither depth nor a rename meanwhile matters.
pub(crate) fn remove(parent: &OwnedFd, name: &CStr) -> io::Result<()> {
    let folder = openat(parent, name, FOLDER, Mode::empty())?;
    let mut moved = 0_u64;
    loop {
        let mut pending = Vec::new();
        for entry in Dir::read_from(&folder)?.flatten() {
            let name = entry.file_name();
            if name != c"." && name != c".." && unlinkat(&folder, name, AtFlags::empty()).is_err() {
                pending.push(name.to_owned());
            }
        }
        if pending.is_empty() {
            return Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?);
        }
        for name in pending {
            let child = openat(&folder, &name, FOLDER, Mode::empty())?;
            for entry in Dir::read_from(&child)?.flatten() {
                let inner = entry.file_name();
                if inner == c"." || inner == c".." || unlinkat(&child, inner, AtFlags::empty()).is_ok() {
                    continue;
                }
                moved += 1;
                rustix::fs::renameat(&child, inner, &folder, format!(".archmill-removed-{moved}"))?;
            }
            unlinkat(&folder, &name, AtFlags::REMOVEDIR)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let fd = openat(rustix::fs::CWD, root, FOLDER, Mode::empty()).unwrap();
        let mut names = Vec::new();
        let mut walk = Walk::new(fd).unwrap();
        while walk.step(&mut |_, name, _| names.push(name.to_string_lossy().into_owned())) {}
        names.sort();
        names
    }

    #[test]
    fn every_entry_is_seen_once_and_links_are_not_followed() {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir_all(tmp.path().join("a/b")).unwrap();
        fs::write(tmp.path().join("a/b/c"), "").unwrap();
        fs::write(tmp.path().join("a/d"), "").unwrap();
        std::os::unix::fs::symlink("/etc", tmp.path().join("link")).unwrap();
        assert_eq!(names(tmp.path()), ["a", "b", "c", "d", "link"]);
    }

    #[test]
    fn a_tree_of_any_depth_is_removed_and_nothing_that_its_links_point_to() {
        let tmp = tempfile::tempdir().unwrap();
        let root = openat(rustix::fs::CWD, tmp.path(), FOLDER, Mode::empty()).unwrap();
        fs::create_dir(tmp.path().join("other")).unwrap();
        fs::write(tmp.path().join("other/kept"), "").unwrap();
        rustix::fs::mkdirat(&root, "top", Mode::RWXU).unwrap();
        std::os::unix::fs::symlink("../other", tmp.path().join("top/link")).unwrap();
        let mut here = openat(&root, "top", FOLDER, Mode::empty()).unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&here, "deep", Mode::RWXU).unwrap();
            here = openat(&here, "deep", FOLDER, Mode::empty()).unwrap();
        }
        remove(&root, c"top").unwrap();
        assert_eq!(names(tmp.path()), ["kept", "other"]);
    }

    #[test]
    fn a_tree_deeper_than_any_path_may_be_long_is_walked_to_its_end() {
        let tmp = tempfile::tempdir().unwrap();
        let mut here = openat(rustix::fs::CWD, tmp.path(), FOLDER, Mode::empty()).unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&here, "deep", Mode::RWXU).unwrap();
            rustix::fs::mkdirat(&here, "side", Mode::RWXU).unwrap();
            here = openat(&here, "deep", FOLDER, Mode::empty()).unwrap();
        }
        assert_eq!(names(tmp.path()).len(), 6000);
    }
}
