//! Looking at a stack of layers as overlayfs will show it, without mounting it.
//!
//! Composing a layer needs to know what lies below (is `/lib` a link to `usr/lib`? which owner has
//! `/var/mail`?). Mounting for that would cost more than the handful of `lstat` calls it takes.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

use super::manifest::{Kind, RelPath};

/// What a path is in the merged view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Kind of node; devices, sockets and pipes are shown as files.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Owner, as seen in the namespace this runs in.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time in seconds.
    pub mtime: i64,
}

/// A read-only view of layers, the topmost first.
pub trait View {
    /// What is at `path` (relative, already free of symbolic links in its folders).
    fn lookup(&self, path: &Path) -> Option<Node>;
    /// The content of a regular file.
    fn read(&self, path: &Path) -> Option<Vec<u8>>;
    /// Names in a folder.
    fn list(&self, path: &Path) -> Vec<PathBuf>;
}

/// Layers on disk.
#[derive(Debug, Default)]
pub struct Layers {
    layers: Vec<PathBuf>,
}

impl Layers {
    /// A view of `layers`, the topmost first.
    pub fn new(layers: Vec<PathBuf>) -> Self {
        Self { layers }
    }

    /// Layers that can contribute to `path`, the topmost first, each with the real path. A layer
    /// that hides what is below (a whiteout, an opaque folder, a file in place of a folder) ends it.
    fn candidates(&self, path: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for layer in &self.layers {
            let full = layer.join(path);
            match std::fs::symlink_metadata(&full) {
                Ok(meta) if is_whiteout(&meta) => break,
                Ok(meta) => {
                    found.push(full.clone());
                    if !meta.is_dir() || is_opaque(&full) {
                        break;
                    }
                }
                Err(_) if hides(layer, path) => break,
                Err(_) => {}
            }
        }
        found
    }
}

impl View for Layers {
    fn lookup(&self, path: &Path) -> Option<Node> {
        let full = self.candidates(path).into_iter().next()?;
        let meta = std::fs::symlink_metadata(&full).ok()?;
        let kind = if meta.is_dir() {
            Kind::Directory
        } else if meta.is_symlink() {
            Kind::Symlink(RelPath(std::fs::read_link(&full).ok()?))
        } else {
            Kind::File
        };
        let node =
            Node { kind, mode: meta.mode() & 0o7777, uid: meta.uid(), gid: meta.gid(), mtime: meta.mtime() };
        Some(node)
    }

    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        std::fs::read(self.candidates(path).into_iter().next()?).ok()
    }

    fn list(&self, path: &Path) -> Vec<PathBuf> {
        let mut names: HashMap<std::ffi::OsString, bool> = HashMap::new();
        for folder in self.candidates(path) {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let shown = !entry.metadata().is_ok_and(|meta| is_whiteout(&meta));
                names.entry(entry.file_name()).or_insert(shown);
            }
        }
        names.into_iter().filter(|(_, shown)| *shown).map(|(name, _)| name.into()).collect()
    }
}

/// overlayfs marks a deleted name with a character device 0:0.
fn is_whiteout(meta: &std::fs::Metadata) -> bool {
    meta.file_type().is_char_device() && meta.rdev() == 0
}

/// A folder that replaces, rather than extends, what is below it.
fn is_opaque(path: &Path) -> bool {
    let mut value = [0u8; 2];
    rustix::fs::lgetxattr(path, "user.overlay.opaque", &mut value).is_ok_and(|n| &value[..n] == b"y")
}

/// Whether `layer` hides `path` below it although it does not have it: one of the folders above is
/// deleted, opaque or not a folder in this layer.
fn hides(layer: &Path, path: &Path) -> bool {
    let mut parent = layer.to_path_buf();
    let Some(folders) = path.parent() else { return false };
    for component in folders.components() {
        parent.push(component);
        match std::fs::symlink_metadata(&parent) {
            Ok(meta) if !meta.is_dir() => return true,
            Ok(_) if is_opaque(&parent) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

/// Follows symbolic links in `path`, its last component included when `follow_last`. `lookup` tells
/// what is at a path. `None` if it leads in circles. Nothing ever leads above the root.
pub fn resolve(path: &Path, follow_last: bool, lookup: &dyn Fn(&Path) -> Option<Kind>) -> Option<PathBuf> {
    let mut pending: Vec<std::ffi::OsString> =
        path.components().rev().filter_map(normal).map(OsStr::to_owned).collect();
    let mut resolved = PathBuf::new();
    let mut links = 0;
    while let Some(name) = pending.pop() {
        if name == ".." {
            resolved.pop();
            continue;
        }
        let candidate = resolved.join(&name);
        let last = pending.is_empty();
        match lookup(&candidate) {
            Some(Kind::Symlink(target)) if follow_last || !last => {
                links += 1;
                if links > 40 {
                    return None;
                }
                if target.as_path().is_absolute() {
                    resolved = PathBuf::new();
                }
                pending.extend(
                    target.as_path().components().rev().filter_map(normal_or_parent).map(OsStr::to_owned),
                );
            }
            _ => resolved = candidate,
        }
    }
    Some(resolved)
}

fn normal(component: Component<'_>) -> Option<&OsStr> {
    match component {
        Component::Normal(name) => Some(name),
        _ => None,
    }
}

fn normal_or_parent(component: Component<'_>) -> Option<&OsStr> {
    match component {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged_usr(path: &Path) -> Option<Kind> {
        match path.to_str()? {
            "lib" => Some(Kind::Symlink("usr/lib".into())),
            "a" => Some(Kind::Symlink("b".into())),
            "b" => Some(Kind::Symlink("a".into())),
            "up" => Some(Kind::Symlink("../../usr".into())),
            "abs" => Some(Kind::Symlink("/usr/lib".into())),
            _ => None,
        }
    }

    #[test]
    fn links_in_folders_are_followed_and_never_lead_above_the_root() {
        let at = |path: &str, last| resolve(Path::new(path), last, &merged_usr);
        assert_eq!(at("lib/x.so", false), Some("usr/lib/x.so".into()));
        assert_eq!(at("lib", false), Some("lib".into()));
        assert_eq!(at("lib", true), Some("usr/lib".into()));
        assert_eq!(at("abs/x", false), Some("usr/lib/x".into()));
        assert_eq!(at("up/bin", false), Some("usr/bin".into()));
        assert_eq!(at("a/x", false), None);
    }

    #[test]
    fn upper_layers_hide_lower_ones() {
        let tmp = tempfile::tempdir().unwrap();
        let (top, bottom) = (tmp.path().join("top"), tmp.path().join("bottom"));
        std::fs::create_dir_all(top.join("d")).unwrap();
        std::fs::create_dir_all(bottom.join("d")).unwrap();
        std::fs::create_dir_all(bottom.join("e")).unwrap();
        std::fs::write(top.join("d/f"), "top").unwrap();
        std::fs::write(bottom.join("d/f"), "bottom").unwrap();
        std::fs::write(bottom.join("d/g"), "bottom").unwrap();
        std::fs::write(bottom.join("e/h"), "bottom").unwrap();
        std::fs::write(top.join("e"), "a file where a folder was").unwrap();
        let view = Layers::new(vec![top, bottom]);
        assert_eq!(view.read(Path::new("d/f")).unwrap(), b"top");
        assert_eq!(view.read(Path::new("d/g")).unwrap(), b"bottom");
        assert_eq!(view.lookup(Path::new("e/h")), None);
        let mut names = view.list(Path::new("d"));
        names.sort();
        assert_eq!(names, [PathBuf::from("f"), PathBuf::from("g")]);
    }
}
