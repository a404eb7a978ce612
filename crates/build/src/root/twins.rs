//! The folder of twins, as it is mounted into a root: programs and libraries for this machine, and the table of which
//! stands in for which.
//!
//! Paths inside programs and libraries are those of a system that the root is not. Where they lead to libraries they
//! are overwritten with paths of the same length into this folder.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use archmill_dispatch::{Entry, PREFIX, Rule, Table};
use archmill_emulate::twins::{Functions, Twin};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use self::machine::{MACHINES, Machine, machine, places, redirect};
use self::rules::{common_rules, globs, matches, means, rules};
use super::manifest::{Kind, Manifest};
use super::{elf, restring, unsigned};

mod machine;
mod preloaded;
mod python;
mod rules;

pub use self::preloaded::preloaded;
pub use self::python::EXTENSIONS;

/// Bump when the way this folder is made changes.
pub const FORMAT: u32 = 21;

/// Arguments of `twins-lay`.
#[derive(Debug, Serialize, Deserialize)]
pub struct LayArgs {
    /// Twins, each with the folder of its unpacked package.
    pub twins: Vec<(Twin, PathBuf)>,
    /// Folders of further packages, for their libraries, each with its architecture.
    pub libraries: Vec<(String, PathBuf)>,
    /// Names and folders of the packages of the root.
    pub root: Vec<(String, PathBuf)>,
    /// GNU triplet of the target.
    pub target: String,
    /// Bits of the target's long double.
    pub long_double: u8,
    /// Links that twins need in the root, and what they point to.
    pub links: BTreeMap<String, String>,
    /// Folder of files that all such folders share.
    pub pool: PathBuf,
    /// Folder to make it in; empty.
    pub folder: PathBuf,
}

/// A layer for the root, below the folder of twins.
pub const LINKS: &str = "links";

/// The twins that were found not to be used after all, below the folder of twins: packages and reasons, as JSON.
const LEFT_OUT: &str = "left-out.json";

/// The packages of a plan whose twins are not used, for what is in their files, and why.
pub fn left_out(folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let path = folder.join(LEFT_OUT);
    let json = std::fs::read(&path).map_err(at("read", &path))?;
    serde_json::from_slice(&json).map_err(|error| format!("{}: {error}", path.display()))
}

/// The name by which a program looks for itself leads to one that leads to the program that it stands for.
const ITSELF: &[u8] = b"/proc/self/exe\0";

/// The task: makes the folder.
pub fn lay_task(args: Value, _: &mut dyn FnMut(Value)) -> Result<Value, String> {
    let args: LayArgs = serde_json::from_value(args).map_err(|error| error.to_string())?;
    let mut layer = Layer {
        args: &args,
        owned: owned(&args.root)?,
        links: 0,
        machine: &MACHINES[0],
        folders: Vec::new(),
        entries: Vec::new(),
        met: HashSet::new(),
        unfit: BTreeMap::new(),
    };
    layer.folder("lib")?;
    for machine in &MACHINES {
        layer.folder(machine.libraries)?;
        let name = machine.libraries.rsplit('/').next().unwrap_or_default();
        symlink(&format!("../{}", machine.libraries), &args.folder.join("lib").join(name))?;
    }
    symlink(&format!("{}/{}", MACHINES[1].libraries, MACHINES[1].loader), &args.folder.join("ld.so2"))?;
    for (twin, folder) in &args.twins {
        layer.twin(twin, folder)?;
    }
    let data: Vec<glob::Pattern> = args.twins.iter().flat_map(|(twin, _)| globs(&twin.data)).collect();
    for (arch, folder) in &args.libraries {
        layer.machine = machine(arch);
        layer.libraries(folder)?;
        layer.data(&data, folder)?;
    }
    for (twin, _) in &args.twins {
        layer.files_of_target(twin)?;
    }
    // A toolchain is laid out as the target's compiler is; rules name files of the archive's cross compilers.
    for place in ["usr/lib", "usr/libexec"].map(|place| args.folder.join(place)) {
        if place.join("gcc").is_dir() && !place.join("gcc-cross").exists() {
            symlink("gcc", &place.join("gcc-cross"))?;
        }
    }
    if args.twins.iter().any(|(twin, _)| twin.macros) {
        layer.macros()?;
    }
    layer.extensions()?;
    for (link, target) in &args.links {
        let path = Path::new(LINKS).join(link);
        layer.parents(&path)?;
        symlink(target, &args.folder.join(path))?;
    }
    for machine in &MACHINES {
        let used = args.twins.iter().any(|(twin, _)| twin.offer.arch == machine.arch);
        if used && !args.folder.join(machine.libraries).join(machine.loader).exists() {
            return Err(format!("the libraries of twins have no {}", machine.loader));
        }
    }
    layer.heed_missing_files();
    layer.heed_library_path();
    let left_out = layer.left_out();
    let path = args.folder.join(LEFT_OUT);
    let json = serde_json::to_vec(&left_out).map_err(|error| error.to_string())?;
    std::fs::write(&path, json).map_err(at("write", &path))?;
    let entries = std::mem::take(&mut layer.entries).into_iter();
    let table = Table {
        entries: entries
            .filter(|(package, _)| !left_out.contains_key(package))
            .map(|(_, entry)| entry)
            .collect(),
        loader: format!("{PREFIX}/{}/{}", MACHINES[0].libraries, MACHINES[0].loader),
        rules: common_rules(),
    };
    let path = args.folder.join("table");
    std::fs::write(&path, table.encode()).map_err(at("write", &path))?;
    Ok(Value::from(table.entries.len()))
}

/// The variables of a twin.
fn environment(twin: &Twin) -> Vec<(String, String)> {
    let library = format!("{PREFIX}/{}", archmill_macros::LIBRARY_NAME);
    let preloaded = twin.macros.then(|| ("LD_PRELOAD".to_owned(), library));
    twin.environment.iter().cloned().chain(preloaded).collect()
}

/// A file of a package in the root.
struct Owned {
    package: String,
    source: PathBuf,
    size: u64,
    mtime: i64,
}

fn owned(root: &[(String, PathBuf)]) -> Result<HashMap<PathBuf, Owned>, String> {
    let mut owned = HashMap::new();
    for (package, folder) in root {
        for entry in manifest(folder)?.entries {
            if entry.kind == Kind::File {
                let path = merged(entry.path.as_path());
                let source = folder.join("files").join(entry.path.as_path());
                owned.insert(
                    path,
                    Owned { package: package.clone(), source, size: entry.size, mtime: entry.mtime },
                );
            }
        }
    }
    Ok(owned)
}

fn manifest(folder: &Path) -> Result<Manifest, String> {
    let path = folder.join("manifest.json");
    let json = std::fs::read(&path).map_err(at("read", &path))?;
    serde_json::from_slice(&json).map_err(|error| format!("{}: {error}", path.display()))
}

/// The path on a system where /bin, /sbin and /lib lead to /usr.
fn merged(path: &Path) -> PathBuf {
    let first = path.components().next();
    let moved = ["bin", "sbin", "lib", "lib64"]
        .iter()
        .any(|name| first == Some(std::path::Component::Normal(name.as_ref())));
    if moved { Path::new("usr").join(path) } else { path.to_owned() }
}

struct Layer<'a> {
    args: &'a LayArgs,
    owned: HashMap<PathBuf, Owned>,
    links: usize,
    /// The machine of the package at hand.
    machine: &'static Machine,
    /// Folders that the twin at hand has libraries in, and what stands for them in its programs.
    folders: Vec<(String, String)>,
    /// Each with the package in the root.
    entries: Vec<(String, Entry)>,
    /// Strings that have become others, and constants of functions that were found, each with the pattern of its file.
    met: HashSet<(String, String)>,
    /// Packages whose twins cannot be used, and why.
    unfit: BTreeMap<String, String>,
}

impl Layer<'_> {
    fn twin(&mut self, twin: &Twin, folder: &Path) -> Result<(), String> {
        self.machine = machine(&twin.offer.arch);
        self.libraries(folder)?;
        self.own_folders(twin, folder)?;
        for (link, to) in &twin.prefix_links {
            self.parents(Path::new(link))?;
            symlink(to, &self.args.folder.join(link))?;
        }
        self.data(&globs(&twin.data), folder)?;
        let (programs, except) = (globs(&twin.programs), globs(&twin.except));
        for entry in manifest(folder)?.entries {
            let path = merged(entry.path.as_path());
            let source = folder.join("files").join(entry.path.as_path());
            if entry.kind != Kind::File {
                continue;
            }
            let named = programs.iter().any(|glob| matches(glob, &path))
                && !except.iter().any(|glob| matches(glob, &path));
            let Some(own) = moved(&path, &twin.moved).filter(|_| named) else { continue };
            let Some(known) = self.owned.get(Path::new(&own)).filter(|known| known.package == twin.package)
            else {
                continue;
            };
            if !is_program(&source) {
                continue;
            }
            let entry = Entry {
                path: format!("/{own}"),
                size: known.size,
                mtime: known.mtime,
                program: format!("{PREFIX}/{}", path.display()),
                executed: twin.offer.arch != MACHINES[0].arch,
                tried: twin.tried,
                rules: rules(twin, &path),
                environment: environment(twin),
            };
            self.entries.push((twin.package.clone(), entry));
            self.file(&source, &path, Some(&own))?;
        }
        self.folders.clear();
        Ok(())
    }

    /// Folders of libraries that programs know by their paths: these are made to lead here, by names of the same length.
    fn own_folders(&mut self, twin: &Twin, folder: &Path) -> Result<(), String> {
        for own in &twin.folders {
            let name = self.name(own.len().saturating_sub(PREFIX.len()))?;
            symlink(own, &self.args.folder.join(&name))?;
            self.folders.push((format!("/{own}"), format!("{PREFIX}/{name}")));
        }
        for entry in manifest(folder)?.entries {
            let path = merged(entry.path.as_path());
            if !twin.folders.iter().any(|own| path.starts_with(own)) {
                continue;
            }
            match &entry.kind {
                Kind::File => self.file(&folder.join("files").join(entry.path.as_path()), &path, None)?,
                Kind::Symlink(target) if target.as_path().is_relative() => {
                    self.parents(&path)?;
                    symlink(&target.as_path().to_string_lossy(), &self.args.folder.join(&path))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A name that no other link below the prefix has, so long.
    fn name(&mut self, length: usize) -> Result<String, String> {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut rest = self.links;
        let mut name = vec![b'0'; length];
        for place in name.iter_mut().rev() {
            *place = DIGITS[rest % 36];
            rest /= 36;
        }
        if rest > 0 || length < 2 {
            return Err(format!("there is no room for another name of {length} characters"));
        }
        self.links += 1;
        Ok(String::from_utf8_lossy(&name).into_owned())
    }

    /// Files of a package that twins need besides.
    fn data(&mut self, globs: &[glob::Pattern], folder: &Path) -> Result<(), String> {
        if globs.is_empty() {
            return Ok(());
        }
        for entry in manifest(folder)?.entries {
            let path = merged(entry.path.as_path());
            if entry.kind == Kind::File && globs.iter().any(|glob| matches(glob, &path)) {
                self.file(&folder.join("files").join(entry.path.as_path()), &path, None)?;
            }
        }
        Ok(())
    }

    /// What a package has in this machine's library folder.
    fn libraries(&mut self, folder: &Path) -> Result<(), String> {
        let below = Path::new("usr/lib").join(self.machine.triplet);
        for entry in manifest(folder)?.entries {
            let path = merged(entry.path.as_path());
            let Ok(rest) = path.strip_prefix(&below) else { continue };
            let to = Path::new(self.machine.libraries).join(rest);
            let source = folder.join("files").join(entry.path.as_path());
            match &entry.kind {
                // LLVM has its libraries in a folder of their own, and links to them here.
                Kind::Symlink(target) if target.as_path().starts_with("..") => {
                    if let Some(file) = file_of(&folder.join("files"), &source) {
                        self.file(&file, &to, None)?;
                    }
                }
                Kind::Directory => self.folder(&to.to_string_lossy())?,
                Kind::File => self.file(&source, &to, None)?,
                Kind::Symlink(target) if target.as_path().is_relative() => {
                    self.parents(&to)?;
                    symlink(&target.as_path().to_string_lossy(), &self.args.folder.join(&to))?;
                }
                Kind::Symlink(_) => {}
            }
        }
        Ok(())
    }

    /// What lets a twin use procedural macros.
    fn macros(&self) -> Result<(), String> {
        use archmill_macros::{LIBRARY, LIBRARY_NAME, SERVER, SERVER_NAME};
        for (name, bytes) in [(LIBRARY_NAME, LIBRARY), (SERVER_NAME, SERVER.as_bytes())] {
            place(&self.pooled(bytes, 0o644)?, &self.args.folder.join(name))?;
        }
        Ok(())
    }

    /// Files of the target that tell of the machine.
    fn files_of_target(&mut self, twin: &Twin) -> Result<(), String> {
        let target = Path::new("usr/lib").join(&self.args.target);
        let libraries = Path::new(machine(&twin.offer.arch).libraries);
        let globs = globs(&twin.from_target);
        let found: BTreeMap<PathBuf, PathBuf> = self
            .owned
            .iter()
            .filter(|(path, _)| globs.iter().any(|glob| matches(glob, path)))
            .filter_map(|(path, own)| {
                Some((libraries.join(path.strip_prefix(&target).ok()?), own.source.clone()))
            })
            .collect();
        for (to, source) in found {
            let full = self.args.folder.join(&to);
            if full.exists() {
                std::fs::remove_file(&full).map_err(at("remove", &full))?;
            }
            self.parents(&to)?;
            place(&source, &full)?;
        }
        Ok(())
    }

    /// A file in its place, with paths in it made right.
    fn file(&mut self, source: &Path, to: &Path, stands_for: Option<&str>) -> Result<(), String> {
        self.parents(to)?;
        let full = self.args.folder.join(to);
        if full.exists() {
            return Ok(());
        }
        // glibc's list of character sets has the folder of their libraries in it.
        if !is_program(source) && !to.ends_with("gconv/gconv-modules.cache") {
            return place(source, &full);
        }
        let mut bytes = std::fs::read(source).map_err(at("read", source))?;
        let mut changed = self.restring(&mut bytes, to);
        changed |= self.without_signs(&mut bytes, to);
        changed |= self.preload(&mut bytes, to)?;
        changed |= redirect(&mut bytes, self.machine, &self.folders);
        if let Some(own) = stands_for {
            changed |= self.itself(&mut bytes, own)?;
        }
        if !changed {
            return place(source, &full);
        }
        let mode = std::fs::metadata(source).map_err(at("look at", source))?.permissions().mode() & 0o755;
        let pooled = self.pooled(&bytes, mode)?;
        place(&pooled, &full)
    }

    /// The one copy of a changed file that all folders of twins share.
    fn pooled(&self, bytes: &[u8], mode: u32) -> Result<PathBuf, String> {
        let name = format!("{}-{mode:o}", hex::encode(Sha256::digest(bytes)));
        let path = self.args.pool.join(&name);
        if path.exists() {
            return Ok(path);
        }
        // Whole or not at all.
        let new = self.args.folder.join(&name);
        std::fs::write(&new, bytes).map_err(at("write", &new))?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(mode))
            .map_err(at("set the mode of", &new))?;
        std::fs::rename(&new, &path).map_err(at("move a file to", &path))?;
        Ok(path)
    }

    /// Gives strings that name this machine the text that they have in the target's program.
    fn restring(&mut self, bytes: &mut [u8], path: &Path) -> bool {
        let strings = self.args.twins.iter().flat_map(|(twin, _)| &twin.strings);
        let mut changed = false;
        for (file, from, to) in strings.filter(|(file, ..)| means(file, path)) {
            if restring::replace(bytes, from, to) {
                self.met.insert((file.clone(), from.clone()));
                changed = true;
            }
        }
        changed
    }

    /// Has functions that take a char for a number do so as on the target, where it has no sign.
    fn without_signs(&mut self, bytes: &mut [u8], path: &Path) -> bool {
        let mut changed = false;
        for (twin, _) in &self.args.twins {
            for (file, functions) in twin.unsigned_chars.iter().filter(|(file, _)| means(file, path)) {
                self.met.insert((file.clone(), functions.to_string()));
                if unsigned::make(bytes, functions) {
                    changed = true;
                    continue;
                }
                let reason =
                    format!("{} of the twin has no {functions} that take chars for numbers", path.display());
                self.unfit.insert(twin.package.clone(), reason);
            }
        }
        changed
    }

    /// Where a build says that libraries of its own are to be loaded, the target's program loads them. Those of its own
    /// folders it loads anyway: R names them to whatever it starts.
    fn heed_library_path(&mut self) {
        let mut known = HashMap::new();
        let mut entries = std::mem::take(&mut self.entries);
        for (_, entry) in &mut entries {
            let program = self.args.folder.join(below_prefix(&entry.program));
            let (mut names, mut at) = (needed(&mut known, program), 0);
            while let Some(name) = names.get(at) {
                let machine = &MACHINES[usize::from(entry.executed)];
                let library = self.args.folder.join(machine.libraries).join(name);
                let more: Vec<String> =
                    needed(&mut known, library).into_iter().filter(|more| !names.contains(more)).collect();
                names.extend(more);
                at += 1;
            }
            let own = ["/usr/lib", "/lib"].map(|folder| format!("{folder}/{}", self.args.target));
            let words = [own.to_vec(), names].concat().join(" ");
            entry.rules.push(Rule::FoldersHave("LD_LIBRARY_PATH".to_owned(), words));
        }
        self.entries = entries;
    }

    /// Twins that lack a string which is to become the target's, or that cannot be given its long double, obstacks or chars: such a
    /// one may tell of this machine, or write something else.
    fn left_out(&self) -> BTreeMap<String, String> {
        let strings = self.args.twins.iter().flat_map(|(twin, _)| {
            twin.strings.iter().map(|(file, from, to)| (&twin.package, file, from, to))
        });
        strings
            .filter(|(_, file, from, _)| !self.met.contains(&((*file).clone(), (*from).clone())))
            .map(|(package, file, from, to)| {
                let reason = format!("{file} of the twin has no {from:?} in it, which had to become {to:?}");
                (package.clone(), reason)
            })
            .chain(self.args.twins.iter().filter_map(|(twin, _)| self.without_file(twin)))
            .chain(self.unfit.clone())
            .collect()
    }

    /// Why a twin is not used of which no file is there in which chars are to have no sign.
    fn without_file(&self, twin: &Twin) -> Option<(String, String)> {
        let is_missing = |(file, functions): &&(String, Functions)| {
            !self.met.contains(&(file.clone(), functions.to_string()))
        };
        let (file, _) = twin.unsigned_chars.iter().find(is_missing)?;
        Some((
            twin.package.clone(),
            format!("there is no {file} of the twin, in which chars had to have no sign"),
        ))
    }

    fn itself(&mut self, bytes: &mut [u8], own: &str) -> Result<bool, String> {
        let found = places(bytes, ITSELF);
        if found.is_empty() {
            return Ok(false);
        }
        let name = self.name(2)?;
        symlink(&format!("/{own}"), &self.args.folder.join(&name))?;
        let path = format!("{PREFIX}/{name}\0");
        for at in found {
            bytes[at..at + ITSELF.len()].copy_from_slice(path.as_bytes());
        }
        Ok(true)
    }

    fn parents(&self, path: &Path) -> Result<(), String> {
        path.parent().map_or(Ok(()), |parent| self.folder(&parent.to_string_lossy()))
    }

    fn folder(&self, path: &str) -> Result<(), String> {
        let full = self.args.folder.join(path);
        std::fs::create_dir_all(&full).map_err(at("make", &full))
    }
}

/// The file that a link of a package leads to, if the package has it.
fn file_of(files: &Path, link: &Path) -> Option<PathBuf> {
    let (files, found) = (files.canonicalize().ok()?, link.canonicalize().ok()?);
    (found.starts_with(files) && found.is_file()).then_some(found)
}

/// The libraries that a file wants loaded; one that cannot be read wants none.
fn needed(known: &mut HashMap<PathBuf, Vec<String>>, path: PathBuf) -> Vec<String> {
    let read = |path: &PathBuf| std::fs::read(path).map(|bytes| elf::needed(&bytes)).unwrap_or_default();
    known.entry(path).or_insert_with_key(read).clone()
}

fn below_prefix(path: &str) -> &Path {
    let path = Path::new(path);
    path.strip_prefix(PREFIX).unwrap_or(path)
}

/// The path of the program that a twin's file stands in for.
fn moved(path: &Path, moves: &[(String, String)]) -> Option<String> {
    let text = path.to_str()?;
    let found =
        moves.iter().find_map(|(from, to)| Some(format!("{to}{}", text.strip_prefix(from.as_str())?)));
    Some(found.unwrap_or_else(|| text.to_owned()))
}

fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    std::fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut magic).is_ok())
        && &magic == b"\x7fELF"
}

/// The same file at another place.
fn place(from: &Path, to: &Path) -> Result<(), String> {
    if std::fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    std::fs::copy(from, to).map(|_| ()).map_err(at("copy", from))
}

fn symlink(target: &str, path: &Path) -> Result<(), String> {
    match std::os::unix::fs::symlink(target, path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(at("make link", path)(error)),
        _ => Ok(()),
    }
}

fn at(what: &'static str, path: &Path) -> impl Fn(std::io::Error) -> String {
    let path = path.display().to_string();
    move |error| format!("cannot {what} {path}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_itself_leaves_room_for_a_name_below_the_prefix() {
        assert_eq!(ITSELF.len(), PREFIX.len() + 4);
    }

    #[test]
    fn the_library_for_macros_looks_where_the_folders_are_mounted() {
        use archmill_dispatch::{CHOICES, NOTES};
        use archmill_macros::{LIBRARY, SERVER_NAME};
        for path in [format!("{PREFIX}/{SERVER_NAME}"), format!("{NOTES}/macros"), CHOICES.to_owned()] {
            let wanted = format!("{path}\0");
            assert!(memchr::memmem::find(LIBRARY, wanted.as_bytes()).is_some(), "{path}");
        }
    }

    #[test]
    fn a_program_may_stand_for_one_elsewhere() {
        let moves = [("usr/lib/gcc-cross/".to_owned(), "usr/lib/gcc/".to_owned())];
        assert_eq!(moved(Path::new("usr/lib/gcc-cross/t/12/cc1"), &moves).unwrap(), "usr/lib/gcc/t/12/cc1");
        assert_eq!(merged(Path::new("bin/dash")), Path::new("usr/bin/dash"));
    }
}
