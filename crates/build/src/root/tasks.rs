//! The steps of root making that run in a user namespace, as tasks for `archmill_sandbox`.

use std::collections::HashSet;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use archmill_deb::{Relations, Version};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compose::{Part, Tree, compose};
use super::database::{self, Conffile, Diversion, FOLDER, Triggers};
use super::manifest::{Kind, Manifest};
use super::materialise::materialise;
use super::unpack;
use super::view::{Layers, View};

/// All tasks, for `archmill_sandbox::init`.
pub const TASKS: &[(&str, archmill_sandbox::Task)] = &[
    ("root-unpack", unpack_task),
    ("root-compose", compose_task),
    ("root-skeleton", skeleton_task),
    ("root-remove", remove_task),
    ("twins-lay", super::twins::lay_task),
];

/// Arguments of `root-unpack`: packages to unpack side by side.
#[derive(Debug, Serialize, Deserialize)]
pub struct UnpackArgs {
    /// Each .deb and the folder to make.
    pub jobs: Vec<UnpackJob>,
    /// How many at a time.
    pub parallel: usize,
}

/// One package to unpack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnpackJob {
    /// The .deb.
    pub deb: PathBuf,
    /// Folder to make; its parent exists.
    pub folder: PathBuf,
}

fn unpack_task(args: Value, emit: &mut dyn FnMut(Value)) -> Result<Value, String> {
    let args: UnpackArgs = serde_json::from_value(args).map_err(text)?;
    let (sender, receiver) = std::sync::mpsc::channel::<Result<(), String>>();
    let queue = std::sync::Mutex::new(args.jobs.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..args.parallel.max(1) {
            let (sender, queue) = (sender.clone(), &queue);
            scope.spawn(move || {
                while let Some(job) = queue.lock().ok().and_then(|mut jobs| jobs.next()) {
                    let done = unpack::unpack(&job.deb, &job.folder).map_err(text);
                    let failed = done.is_err();
                    if sender.send(done).is_err() || failed {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for done in receiver {
            done?;
            emit(Value::from(1));
        }
        Ok(Value::Null)
    })
}

/// Arguments of `root-compose`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ComposeArgs {
    /// Layers below, the topmost first; none for a base.
    pub below: Vec<PathBuf>,
    /// Folders of the unpacked packages, in unpack order.
    pub unpacked: Vec<PathBuf>,
    /// Folder to make the tree in.
    pub target: PathBuf,
    /// Names at the top level that are links into `usr` before anything is unpacked (bases of suites
    /// whose base-files does not ship them).
    pub merged_usr: Vec<String>,
    /// Architecture of the root, for `arch` and `arch-native`.
    pub arch: String,
}

struct Package {
    name: String,
    info_name: String,
    version: Option<Version>,
    control: String,
    manifest: Manifest,
    conffiles: Vec<Conffile>,
    conffile_set: HashSet<PathBuf>,
    replaces: Option<Relations>,
    folder: PathBuf,
}

fn load(folder: &Path) -> Result<Package, String> {
    let read = |name: &str| std::fs::read_to_string(folder.join("control").join(name));
    let manifest = std::fs::read(folder.join("manifest.json")).map_err(in_folder(folder))?;
    let manifest: Manifest = serde_json::from_slice(&manifest).map_err(in_folder(folder))?;
    let control = read("control").map_err(in_folder(folder))?;
    let conffiles = database::parse_conffiles(&read("conffiles").unwrap_or_default());
    let stanza = archmill_deb::control::stanzas(&control)
        .next()
        .ok_or_else(|| format!("empty control file in {}", folder.display()))?
        .map_err(in_folder(folder))?;
    let field = |name: &str| stanza.get(name).unwrap_or("").trim();
    let name = field("Package").to_owned();
    let replaces = stanza.get("Replaces").map(Relations::parse).transpose().map_err(in_folder(folder))?;
    Ok(Package {
        info_name: database::info_name(&name, field("Architecture"), stanza.get("Multi-Arch").map(str::trim)),
        version: field("Version").parse().ok(),
        name,
        replaces,
        conffile_set: conffiles
            .iter()
            .filter(|conffile| !conffile.remove_on_upgrade)
            .map(|conffile| conffile.path.clone())
            .collect(),
        conffiles,
        manifest,
        folder: folder.to_owned(),
        control,
    })
}

/// Whether `package` Replaces `other` at its version.
fn replaces(package: &Package, other: &Package) -> bool {
    let Some(relations) = &package.replaces else { return false };
    relations.0.iter().flatten().any(|relation| {
        relation.name == other.name
            && match (&relation.constraint, &other.version) {
                (Some((op, wanted)), Some(version)) => op.holds(version, wanted),
                _ => true,
            }
    })
}

fn compose_task(args: Value, _: &mut dyn FnMut(Value)) -> Result<Value, String> {
    let args: ComposeArgs = serde_json::from_value(args).map_err(text)?;
    let packages: Vec<Package> = args.unpacked.iter().map(|folder| load(folder)).collect::<Result<_, _>>()?;
    let below = Layers::new(args.below.clone());
    let read = |name: &str| below.read(&Path::new(FOLDER).join(name));
    let read_text = |name: &str| read(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let diversions = database::parse_diversions(&read_text("diversions").unwrap_or_default());
    let tree = compose_packages(&packages, &below, &diversions, &args.merged_usr)?;
    let folders: Vec<PathBuf> = packages.iter().map(|package| package.folder.join("files")).collect();
    materialise(&tree, &folders, &args.target).map_err(text)?;
    let writer = Writer { target: &args.target, below: &below };
    write_info(&writer, &packages, &tree)?;
    let old_status = read_text("status").unwrap_or_default();
    let status: String = packages
        .iter()
        .map(|package| database::status_stanza(&package.control, &package.conffiles))
        .collect();
    writer.database("status", (old_status + &status).as_bytes())?;
    write_triggers(&writer, &packages, &tree, &read_text)?;
    if args.below.is_empty() {
        writer.database("info/format", b"1\n")?;
        writer.database("arch", format!("{}\n", args.arch).as_bytes())?;
    }
    Ok(Value::Null)
}

fn compose_packages(
    packages: &[Package],
    below: &Layers,
    diversions: &[Diversion],
    merged_usr: &[String],
) -> Result<Tree, String> {
    // The links of a merged /usr are a package of their own that comes first.
    let links = Manifest {
        entries: merged_usr.iter().flat_map(|name| usr_link(name)).collect(),
        control: Vec::new(),
    };
    let none = HashSet::new();
    let replacers: Vec<_> = packages
        .iter()
        .map(|package| {
            move |other: &str| {
                packages
                    .iter()
                    .find(|candidate| candidate.name == other)
                    .is_some_and(|other| replaces(package, other))
            }
        })
        .collect();
    let mut parts = Vec::with_capacity(packages.len() + 1);
    for (package, replaces) in packages.iter().zip(&replacers) {
        let (manifest, conffiles) = (&package.manifest, &package.conffile_set);
        parts.push(Part { name: &package.name, manifest, conffiles, replaces });
    }
    if links.entries.is_empty() {
        return compose(&parts, below, diversions).map_err(text);
    }
    let no_replaces = |_: &str| false;
    let first = Part { name: "merged-usr", manifest: &links, conffiles: &none, replaces: &no_replaces };
    parts.insert(0, first);
    let mut tree = compose(&parts, below, diversions).map_err(text)?;
    // Part numbers are those of `packages`; the links have no file to be linked.
    tree.lost.remove(0);
    for node in tree.nodes.values_mut() {
        if let super::compose::Source::File { part, .. } = &mut node.source {
            *part -= 1;
        }
    }
    Ok(tree)
}

fn usr_link(name: &str) -> [super::manifest::Entry; 3] {
    let entry = |path: String, kind: Kind, mode: u32| super::manifest::Entry {
        path: path.into(),
        kind,
        mode,
        uid: 0,
        gid: 0,
        mtime: 0,
        size: 0,
    };
    [
        entry("usr".to_owned(), Kind::Directory, 0o755),
        entry(format!("usr/{name}"), Kind::Directory, 0o755),
        entry(name.to_owned(), Kind::Symlink(format!("usr/{name}").into()), 0o777),
    ]
}

fn write_info(writer: &Writer<'_>, packages: &[Package], tree: &Tree) -> Result<(), String> {
    for (package, lost) in packages.iter().zip(&tree.lost) {
        for (member, mode) in package.manifest.control.iter().filter(|(member, _)| member != "control") {
            let content = std::fs::read(package.folder.join("control").join(member)).map_err(text)?;
            let path = Path::new(FOLDER).join("info").join(format!("{}.{member}", package.info_name));
            writer.file(&path, &content, *mode)?;
        }
        let list = Path::new(FOLDER).join("info").join(format!("{}.list", package.info_name));
        writer.file(&list, &database::file_list(&package.manifest, lost), 0o644)?;
    }
    Ok(())
}

fn write_triggers(
    writer: &Writer<'_>,
    packages: &[Package],
    tree: &Tree,
    read_text: &dyn Fn(&str) -> Option<String>,
) -> Result<(), String> {
    let before = Triggers::parse_files(&read_text("triggers/File").unwrap_or_default());
    let unincorporated = database::activated(&before, tree.nodes.keys().map(PathBuf::as_path));
    let mut triggers = Triggers { files: before, ..Triggers::default() };
    for package in packages {
        if let Ok(member) = std::fs::read_to_string(package.folder.join("control/triggers")) {
            triggers.add(&package.info_name, &member);
        }
    }
    writer.database("triggers/File", triggers.files_text().as_bytes())?;
    writer.database("triggers/Unincorp", unincorporated.as_bytes())?;
    for (trigger, interested) in &triggers.named {
        let name = format!("triggers/{trigger}");
        let mut lines = read_text(&name).unwrap_or_default();
        for package in interested {
            lines.push_str(package);
            lines.push('\n');
        }
        writer.database(&name, lines.as_bytes())?;
    }
    Ok(())
}

/// Writes files into a layer, making the folders that they need as they are below.
struct Writer<'a> {
    target: &'a Path,
    below: &'a dyn View,
}

impl Writer<'_> {
    fn database(&self, name: &str, content: &[u8]) -> Result<(), String> {
        self.file(&Path::new(FOLDER).join(name), content, 0o644)
    }

    fn file(&self, path: &Path, content: &[u8], mode: u32) -> Result<(), String> {
        self.folder(path.parent().unwrap_or(Path::new("")))?;
        let full = self.target.join(path);
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&full)?;
            std::io::Write::write_all(&mut file, content)?;
            file.set_permissions(std::fs::Permissions::from_mode(mode))
        };
        write().map_err(|error| format!("cannot write {}: {error}", full.display()))
    }

    fn folder(&self, path: &Path) -> Result<(), String> {
        let full = self.target.join(path);
        if full.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.folder(parent)?;
        }
        let make = || -> std::io::Result<()> {
            std::fs::DirBuilder::new().mode(0o755).create(&full)?;
            if let Some(node) = self.below.lookup(path) {
                std::os::unix::fs::chown(&full, Some(node.uid), Some(node.gid))?;
                std::fs::set_permissions(&full, std::fs::Permissions::from_mode(node.mode))?;
            }
            Ok(())
        };
        make().map_err(|error| format!("cannot make folder {}: {error}", full.display()))
    }
}

/// Arguments of `root-skeleton`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SkeletonArgs {
    /// Layers whose folders to repeat.
    pub layers: Vec<PathBuf>,
    /// Folder to make them in.
    pub target: PathBuf,
}

/// Repeats every folder of `layers`, empty. As the lowest layer it makes every folder of the overlay
/// one that is merged from two layers, and those get small directory offsets from overlayfs itself.
/// Those of ext4 are 64-bit hashes, which 32-bit programs under emulation cannot take (EOVERFLOW).
fn skeleton_task(args: Value, _: &mut dyn FnMut(Value)) -> Result<Value, String> {
    let args: SkeletonArgs = serde_json::from_value(args).map_err(text)?;
    for layer in &args.layers {
        repeat_folders(layer, &args.target)?;
    }
    Ok(Value::Null)
}

fn repeat_folders(from: &Path, to: &Path) -> Result<(), String> {
    let entries = std::fs::read_dir(from).map_err(in_folder(from))?;
    for entry in entries {
        let entry = entry.map_err(in_folder(from))?;
        if entry.file_type().map_err(in_folder(from))?.is_dir() {
            let target = to.join(entry.file_name());
            match std::fs::create_dir(&target) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(format!("cannot make folder {}: {error}", target.display()));
                }
                _ => repeat_folders(&entry.path(), &target)?,
            }
        }
    }
    Ok(())
}

/// Arguments of `root-remove`.
#[derive(Debug, Serialize, Deserialize)]
pub struct RemoveArgs {
    /// Folders to remove with all that is in them.
    pub folders: Vec<PathBuf>,
}

/// Removes folders whose files belong to mapped owners, which only the namespace's root may.
fn remove_task(args: Value, _: &mut dyn FnMut(Value)) -> Result<Value, String> {
    let args: RemoveArgs = serde_json::from_value(args).map_err(text)?;
    for folder in &args.folders {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("cannot remove {}: {error}", folder.display()));
            }
            _ => {}
        }
    }
    Ok(Value::Null)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn in_folder<E: std::fmt::Display>(folder: &Path) -> impl Fn(E) -> String + '_ {
    move |error| format!("{}: {error}", folder.display())
}
