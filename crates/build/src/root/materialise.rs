//! Makes a composed tree on disk, of hard links to the unpacked packages.
//!
//! The layer is only ever the lower side of an overlay, so nothing writes through the links into
//! the cache.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Gid, Mode, Timespec, Timestamps, Uid};

use super::compose::{Made, Source, Tree};

/// Which step failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}", path.display())]
pub struct MaterialiseError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Makes `tree` below `target`, which must exist and be empty; `unpacked[i]` is the folder with the
/// files of part `i`.
pub fn materialise(tree: &Tree, unpacked: &[PathBuf], target: &Path) -> Result<(), MaterialiseError> {
    for (path, node) in &tree.nodes {
        let full = target.join(path);
        match &node.source {
            Source::Directory => {
                rustix::fs::mkdir(&full, Mode::from_raw_mode(0o700)).map_err(at("make folder", &full))?;
                set_owner(&full, node)?;
            }
            Source::File { part, path: inner } => link(&unpacked[*part].join(inner), &full)?,
            Source::Symlink(link_target) => {
                rustix::fs::symlink(link_target.as_path(), &full).map_err(at("make link", &full))?;
                set_owner(&full, node)?;
                set_time(&full, node.mtime)?;
            }
        }
    }
    finish_folders(&tree.nodes, target)
}

/// Modes and times of folders, last and innermost first: making what is inside would change the times,
/// and a mode without write permission is no hindrance then.
fn finish_folders(nodes: &BTreeMap<PathBuf, Made>, target: &Path) -> Result<(), MaterialiseError> {
    for (path, node) in nodes.iter().rev().filter(|(_, node)| node.source == Source::Directory) {
        let full = target.join(path);
        rustix::fs::chmod(&full, Mode::from_raw_mode(node.mode)).map_err(at("set the mode of", &full))?;
        set_time(&full, node.mtime)?;
    }
    Ok(())
}

fn link(from: &Path, to: &Path) -> Result<(), MaterialiseError> {
    match rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty()) {
        Ok(()) => Ok(()),
        // Too many links to one inode (65,000 on ext4): a copy is as good.
        Err(rustix::io::Errno::MLINK | rustix::io::Errno::XDEV) => copy(from, to).map_err(at("copy", to)),
        Err(error) => Err(at("link", to)(error)),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::copy(from, to)?;
    let meta = std::fs::metadata(from)?;
    std::os::unix::fs::lchown(to, Some(meta.uid()), Some(meta.gid()))?;
    // chown clears set-id bits.
    std::fs::set_permissions(to, meta.permissions())?;
    set_time(to, meta.mtime()).map_err(|error| error.source)
}

fn set_owner(path: &Path, node: &Made) -> Result<(), MaterialiseError> {
    if node.uid == 0 && node.gid == 0 {
        return Ok(());
    }
    rustix::fs::chownat(
        CWD,
        path,
        Some(Uid::from_raw(node.uid)),
        Some(Gid::from_raw(node.gid)),
        AtFlags::SYMLINK_NOFOLLOW,
    )
    .map_err(at("set the owner of", path))
}

fn set_time(path: &Path, seconds: i64) -> Result<(), MaterialiseError> {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(at("set the time of", path))
}

fn at<E: Into<io::Error>>(what: &'static str, path: &Path) -> impl FnOnce(E) -> MaterialiseError {
    let path = path.to_owned();
    move |error| MaterialiseError { what, path, source: error.into() }
}
