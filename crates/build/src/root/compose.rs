//! From packages to one tree, as dpkg would have unpacked them: a pure function.
//!
//! Rules followed, all dpkg's: an existing folder keeps its mode and owner; a link to a folder stays
//! a link where a package has the folder; a conffile is set aside as `X.dpkg-new` until the package is
//! configured; a diverted file goes where the diversion says, unless its package made the diversion;
//! a file that two packages have belongs to the one that Replaces the other, else it is a conflict.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::database::Diversion;
use super::manifest::{Entry, Kind, Manifest, RelPath};
use super::view::{Node, View, resolve};

/// A package to compose, in unpack order.
pub struct Part<'a> {
    /// Package name.
    pub name: &'a str,
    /// What it ships.
    pub manifest: &'a Manifest,
    /// Its conffiles, without leading slash.
    pub conffiles: &'a HashSet<PathBuf>,
    /// Whether it Replaces the package of that name, at the version it has here.
    pub replaces: &'a dyn Fn(&str) -> bool,
}

impl std::fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where a node of the tree comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder (from whichever package came first, or from below).
    Directory,
    /// A hard link to this entry's file in the unpacked package at this index.
    File {
        /// Index of the part.
        part: usize,
        /// Path within the unpacked package.
        path: PathBuf,
    },
    /// A symbolic link.
    Symlink(RelPath),
}

/// One node to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What to make.
    pub source: Source,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time in seconds.
    pub mtime: i64,
    owner: usize,
}

/// The composed tree.
#[derive(Debug, Default)]
pub struct Tree {
    /// Nodes by path, so folders come before what is in them.
    pub nodes: BTreeMap<PathBuf, Made>,
    /// For each part, the paths that another part took from it (they leave its file list).
    pub lost: Vec<HashSet<PathBuf>>,
}

/// Why packages do not fit together.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ComposeError {
    /// Two packages ship a file and neither Replaces the other.
    #[error("{package} would overwrite /{}, which is also in package {other}, and Replaces it not; the archive is inconsistent, or two of the packages must not be installed together", path.display())]
    Conflict {
        /// The later package.
        package: String,
        /// The earlier package.
        other: String,
        /// The path, relative.
        path: PathBuf,
    },
    /// A file where a folder is, or a circle of links.
    #[error("{package} ships /{}, but part of that path is not a folder{}", path.display(), made_by(by.as_ref()))]
    NotAFolder {
        /// The package.
        package: String,
        /// The path, relative.
        path: PathBuf,
        /// What is there in place of a folder, and the package that ships it, if that is one of these.
        by: Option<(PathBuf, String)>,
    },
    /// A file where a folder is.
    #[error("{package} ships /{} as a file, and that is a folder", path.display())]
    OverFolder {
        /// The package.
        package: String,
        /// The path, relative.
        path: PathBuf,
    },
}

fn made_by(by: Option<&(PathBuf, String)>) -> String {
    by.map_or_else(String::new, |(path, package)| format!(": {package} ships /{}", path.display()))
}

/// Composes `parts` over `below`.
pub fn compose(parts: &[Part<'_>], below: &dyn View, diversions: &[Diversion]) -> Result<Tree, ComposeError> {
    let mut composer = Composer {
        below,
        diversions,
        tree: Tree { nodes: BTreeMap::new(), lost: vec![HashSet::new(); parts.len()] },
        folders: HashMap::new(),
        cache: RefCell::new(HashMap::new()),
    };
    for (index, part) in parts.iter().enumerate() {
        for entry in &part.manifest.entries {
            composer.add(parts, index, entry)?;
        }
    }
    Ok(composer.tree)
}

struct Composer<'a> {
    below: &'a dyn View,
    diversions: &'a [Diversion],
    tree: Tree,
    /// Folders as packages name them, and where they really are.
    folders: HashMap<PathBuf, PathBuf>,
    cache: RefCell<HashMap<PathBuf, Option<Node>>>,
}

impl Composer<'_> {
    fn add(&mut self, parts: &[Part<'_>], index: usize, entry: &Entry) -> Result<(), ComposeError> {
        self.try_add(parts, index, entry)?.ok_or_else(|| ComposeError::NotAFolder {
            package: parts[index].name.to_owned(),
            path: entry.path.0.clone(),
            by: self.in_the_way(parts, entry.path.as_path()),
        })
    }

    /// What on the way to `path` is no folder, of what these packages ship.
    fn in_the_way(&self, parts: &[Part<'_>], path: &Path) -> Option<(PathBuf, String)> {
        // The deepest, as links on the way to it were followed.
        path.ancestors().find_map(|path| {
            let node = self.tree.nodes.get(path).filter(|node| node.source != Source::Directory)?;
            Some((path.to_owned(), parts[node.owner].name.to_owned()))
        })
    }

    /// `None` where a part of its path is no folder.
    fn try_add(
        &mut self,
        parts: &[Part<'_>],
        index: usize,
        entry: &Entry,
    ) -> Result<Option<()>, ComposeError> {
        let part = &parts[index];
        let is_folder = entry.kind == Kind::Directory;
        let diverted = if is_folder { None } else { self.diverted(part.name, entry.path.as_path()) };
        let named = diverted.as_deref().unwrap_or(entry.path.as_path());
        let folder = named.parent().unwrap_or(Path::new(""));
        let Some(folder) = self.folder(folder) else { return Ok(None) };
        let Some(name) = named.file_name() else { return Ok(Some(())) };
        let mut path = folder.join(name);
        if is_folder {
            return Ok(self.add_folder(index, entry, path));
        }
        if part.conffiles.contains(entry.path.as_path()) {
            let mut name: OsString = name.to_owned();
            name.push(".dpkg-new");
            path.set_file_name(name);
        }
        if self.ensure_folder(index, &folder).is_none() {
            return Ok(None);
        }
        self.add_leaf(parts, index, entry, path).map(Some)
    }

    /// A folder that a package ships: taken from below, from an earlier package, or made.
    fn add_folder(&mut self, index: usize, entry: &Entry, path: PathBuf) -> Option<()> {
        match self.kind(&path) {
            Some(Kind::Symlink(_)) => {
                // dpkg leaves a link to a folder alone and unpacks through it.
                let target = self.resolve(&path)?;
                self.ensure_folder(index, &target)
            }
            Some(Kind::Directory) => self.ensure_folder(index, &path),
            Some(Kind::File) => None,
            None => {
                if let Some(parent) = path.parent() {
                    let parent = parent.to_owned();
                    self.ensure_folder(index, &parent)?;
                }
                self.tree.nodes.insert(path, made(index, entry, Source::Directory));
                Some(())
            }
        }
    }

    fn add_leaf(
        &mut self,
        parts: &[Part<'_>],
        index: usize,
        entry: &Entry,
        path: PathBuf,
    ) -> Result<(), ComposeError> {
        if let Some(other) = self.tree.nodes.get(&path).filter(|node| node.owner != index) {
            let other = other.owner;
            if (parts[index].replaces)(parts[other].name) {
                self.tree.lost[other].insert(entry.path.0.clone());
            } else if (parts[other].replaces)(parts[index].name) {
                self.tree.lost[index].insert(entry.path.0.clone());
                return Ok(());
            } else {
                return Err(ComposeError::Conflict {
                    package: parts[index].name.to_owned(),
                    other: parts[other].name.to_owned(),
                    path,
                });
            }
        }
        if self.kind(&path) == Some(Kind::Directory) {
            // dpkg leaves a folder alone that a package has a link for, and refuses a file.
            return match &entry.kind {
                Kind::Symlink(_) => Ok(()),
                _ => Err(ComposeError::OverFolder { package: parts[index].name.to_owned(), path }),
            };
        }
        let source = match &entry.kind {
            Kind::Symlink(target) => Source::Symlink(target.clone()),
            _ => Source::File { part: index, path: entry.path.0.clone() },
        };
        self.tree.nodes.insert(path, made(index, entry, source));
        Ok(())
    }

    /// Where a diversion made by another package sends `path`.
    fn diverted(&self, package: &str, path: &Path) -> Option<PathBuf> {
        let diversion = self.diversions.iter().find(|diversion| diversion.from == path)?;
        (diversion.package.as_deref() != Some(package)).then(|| diversion.to.clone())
    }

    /// The real path of a folder as a package names it.
    fn folder(&mut self, folder: &Path) -> Option<PathBuf> {
        if let Some(known) = self.folders.get(folder) {
            return Some(known.clone());
        }
        let real = self.resolve(folder)?;
        self.folders.insert(folder.to_owned(), real.clone());
        Some(real)
    }

    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        resolve(path, true, &|path| self.kind(path))
    }

    /// Makes sure that the layer has `folder` (already resolved), with the mode and owner it has below.
    fn ensure_folder(&mut self, index: usize, folder: &Path) -> Option<()> {
        if folder.as_os_str().is_empty() {
            return Some(());
        }
        match self.tree.nodes.get(folder) {
            Some(node) => return (node.source == Source::Directory).then_some(()),
            None => self.ensure_folder(index, folder.parent().unwrap_or(Path::new("")))?,
        }
        let below = self.look(folder);
        let made = match below {
            Some(node) if node.kind == Kind::Directory => Made {
                source: Source::Directory,
                mode: node.mode,
                uid: node.uid,
                gid: node.gid,
                mtime: node.mtime,
                owner: index,
            },
            Some(_) => return None,
            None => Made { source: Source::Directory, mode: 0o755, uid: 0, gid: 0, mtime: 0, owner: index },
        };
        self.tree.nodes.insert(folder.to_owned(), made);
        Some(())
    }

    fn kind(&self, path: &Path) -> Option<Kind> {
        match self.tree.nodes.get(path).map(|node| &node.source) {
            Some(Source::Directory) => Some(Kind::Directory),
            Some(Source::File { .. }) => Some(Kind::File),
            Some(Source::Symlink(target)) => Some(Kind::Symlink(target.clone())),
            None => self.look(path).map(|node| node.kind),
        }
    }

    fn look(&self, path: &Path) -> Option<Node> {
        if let Some(known) = self.cache.borrow().get(path) {
            return known.clone();
        }
        let node = self.below.lookup(path);
        self.cache.borrow_mut().insert(path.to_owned(), node.clone());
        node
    }
}

fn made(owner: usize, entry: &Entry, source: Source) -> Made {
    Made { source, mode: entry.mode, uid: entry.uid, gid: entry.gid, mtime: entry.mtime, owner }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Below(Vec<(&'static str, Node)>);

    impl View for Below {
        fn lookup(&self, path: &Path) -> Option<Node> {
            self.0.iter().find(|(name, _)| Path::new(name) == path).map(|(_, node)| node.clone())
        }
        fn read(&self, _: &Path) -> Option<Vec<u8>> {
            None
        }
        fn list(&self, _: &Path) -> Vec<PathBuf> {
            Vec::new()
        }
    }

    fn node(kind: Kind, mode: u32) -> Node {
        Node { kind, mode, uid: 0, gid: 8, mtime: 1 }
    }

    fn manifest(paths: &[(&str, Kind)]) -> Manifest {
        let entry = |(path, kind): &(&str, Kind)| Entry {
            path: (*path).into(),
            kind: kind.clone(),
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: 0,
            size: 0,
        };
        Manifest { entries: paths.iter().map(entry).collect(), control: Vec::new() }
    }

    fn part<'a>(name: &'a str, manifest: &'a Manifest, conffiles: &'a HashSet<PathBuf>) -> Part<'a> {
        Part { name, manifest, conffiles, replaces: &|_| false }
    }

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.nodes.keys().map(|path| path.to_str().unwrap()).collect()
    }

    #[test]
    fn files_go_through_usr_merge_links_below() {
        let below = Below(vec![
            ("lib", node(Kind::Symlink("usr/lib".into()), 0o777)),
            ("usr", node(Kind::Directory, 0o755)),
            ("usr/lib", node(Kind::Directory, 0o2775)),
        ]);
        let none = HashSet::new();
        let manifest =
            manifest(&[("lib", Kind::Directory), ("lib/x", Kind::Directory), ("lib/x/y", Kind::File)]);
        let tree = compose(&[part("p", &manifest, &none)], &below, &[]).unwrap();
        assert_eq!(paths(&tree), ["usr", "usr/lib", "usr/lib/x", "usr/lib/x/y"]);
        let lib = &tree.nodes[Path::new("usr/lib")];
        assert_eq!((lib.mode, lib.gid), (0o2775, 8), "an existing folder keeps its mode and owner");
    }

    #[test]
    fn conffiles_wait_under_another_name() {
        let conffiles = HashSet::from([PathBuf::from("etc/x")]);
        let manifest = manifest(&[("etc", Kind::Directory), ("etc/x", Kind::File)]);
        let tree = compose(&[part("p", &manifest, &conffiles)], &Below(vec![]), &[]).unwrap();
        assert_eq!(paths(&tree), ["etc", "etc/x.dpkg-new"]);
    }

    #[test]
    fn a_diversion_moves_the_files_of_other_packages_only() {
        let diversion =
            Diversion { from: "bin/sh".into(), to: "bin/sh.distrib".into(), package: Some("dash".into()) };
        let none = HashSet::new();
        let manifest = manifest(&[("bin", Kind::Directory), ("bin/sh", Kind::File)]);
        let tree =
            compose(&[part("bash", &manifest, &none)], &Below(vec![]), std::slice::from_ref(&diversion))
                .unwrap();
        assert_eq!(paths(&tree), ["bin", "bin/sh.distrib"]);
        let tree = compose(&[part("dash", &manifest, &none)], &Below(vec![]), &[diversion]).unwrap();
        assert_eq!(paths(&tree), ["bin", "bin/sh"]);
    }

    #[test]
    fn two_owners_are_a_conflict_unless_one_replaces_the_other() {
        let none = HashSet::new();
        let manifest = manifest(&[("f", Kind::File)]);
        let (a, b) = (part("a", &manifest, &none), part("b", &manifest, &none));
        let error = compose(&[a, b], &Below(vec![]), &[]).unwrap_err();
        assert!(error.to_string().contains("b would overwrite /f, which is also in package a"), "{error}");
        let a = part("a", &manifest, &none);
        let b = Part { replaces: &|other| other == "a", ..part("b", &manifest, &none) };
        let tree = compose(&[a, b], &Below(vec![]), &[]).unwrap();
        assert!(tree.lost[0].contains(Path::new("f")));
        assert_eq!(tree.nodes[Path::new("f")].owner, 1);
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_refused() {
        let none = HashSet::new();
        let file = manifest(&[("d", Kind::File)]);
        let below_it = manifest(&[("d/f", Kind::File)]);
        let error = compose(&[part("a", &file, &none), part("b", &below_it, &none)], &Below(vec![]), &[])
            .unwrap_err();
        let by = Some(("d".into(), "a".into()));
        assert_eq!(error, ComposeError::NotAFolder { package: "b".into(), path: "d/f".into(), by });
        assert_eq!(error.to_string(), "b ships /d/f, but part of that path is not a folder: a ships /d");
    }

    #[test]
    fn a_folder_is_not_replaced() {
        let below = || Below(vec![("etc", node(Kind::Directory, 0o755))]);
        let none = HashSet::new();
        let link = manifest(&[("etc", Kind::Symlink("/tmp".into()))]);
        let tree = compose(&[part("a", &link, &none)], &below(), &[]).unwrap();
        assert!(tree.nodes.is_empty(), "as dpkg leaves it");
        let file = manifest(&[("etc", Kind::File)]);
        let error = compose(&[part("a", &file, &none)], &below(), &[]).unwrap_err();
        assert_eq!(error.to_string(), "a ships /etc as a file, and that is a folder");
    }
}
