//! Writing an archive that apt reads: pool, indices by hash, a signed Release file.
//!
//! Packages are taken in by *unit*, which is what one build of a source for one target made. A unit replaces the one before it
//! as a whole. What an archive has is what it was told since it was opened: whoever writes one remembers the stanzas.
//!
//! *Invariant*: who reads InRelease finds every index that it names, under its hash, also while the next one is written.

mod key;
mod pool;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use archmill_deb::is_plain_name;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

pub use key::{SigningError, SigningKey};
pub use pool::{PoolError, stanza};

use crate::index::write_atomically;

/// So many versions of each index are left for those who are reading.
const GENERATIONS: usize = 8;

/// What the Release file says of the suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteNames {
    /// `Origin` and `Label`.
    pub origin: String,
    /// `Suite` and `Codename`, and its folder below `dists`.
    pub suite: String,
}

/// What one build made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unit<'a> {
    /// Component of the archive.
    pub component: &'a str,
    /// Architecture, or `all`.
    pub target: &'a str,
    /// Source package.
    pub source: &'a str,
}

/// Whether indices are compressed as well: it takes a while, and only those far away profit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// Plain ones alone.
    No,
    /// With gzip, beside the plain ones.
    Gzip,
}

/// An archive that is written.
#[derive(Debug)]
pub struct Publisher {
    folder: PathBuf,
    key: SigningKey,
    names: SuiteNames,
    architectures: Vec<String>,
    /// Stanzas by component and target, then by source.
    units: BTreeMap<(String, String), BTreeMap<String, String>>,
    /// Components whose indices for these architectures are to be written anew.
    stale: BTreeSet<(String, String)>,
    /// What Release lists: size and SHA-256 by name.
    listed: BTreeMap<String, (u64, String)>,
    /// Names of files under their hashes, by folder, the last at the end.
    generations: BTreeMap<PathBuf, VecDeque<PathBuf>>,
}

impl Publisher {
    /// Name of the public key in the archive's folder.
    pub const KEY: &'static str = "key.asc";

    /// An archive without packages yet, in a folder.
    pub fn open(
        folder: &Path,
        key: SigningKey,
        names: SuiteNames,
        architectures: Vec<String>,
        components: &[String],
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        write_atomically(&folder.join(Self::KEY), key.public()?.as_bytes())?;
        let pairs = components
            .iter()
            .flat_map(|component| architectures.iter().map(|arch| (component.clone(), arch.clone())));
        let mut publisher = Self {
            folder: folder.to_owned(),
            key,
            stale: pairs.collect(),
            units: BTreeMap::new(),
            listed: BTreeMap::new(),
            generations: BTreeMap::new(),
            names,
            architectures,
        };
        publisher.forget_old_generations()?;
        Ok(publisher)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its public key.
    pub fn key(&self) -> PathBuf {
        self.folder.join(Self::KEY)
    }

    /// Puts package files into the pool and gives their stanzas. They are in no index until [`put`](Self::put) is told of
    /// them. May be called for several units at once.
    pub fn take(folder: &Path, unit: Unit<'_>, packages: &[PathBuf]) -> Result<String, PoolError> {
        let mut stanzas = String::new();
        // It becomes the name of a folder.
        if !is_plain_name(unit.source) {
            let problem = format!("{:?} is no name of a source package", unit.source);
            return Err(PoolError::Package { path: folder.to_owned(), problem });
        }
        for path in packages {
            let bad = |problem: String| PoolError::Package { path: path.clone(), problem };
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| bad("its name is no text".to_owned()))?;
            let place = pool::place(unit.component, unit.source, name);
            let stanza = pool::stanza(path, &place).map_err(bad)?;
            pool::put(path, &folder.join(&place))?;
            stanzas += &stanza;
        }
        Ok(stanzas)
    }

    /// The packages of a unit, in place of those that it had.
    pub fn put(&mut self, unit: Unit<'_>, stanzas: String) {
        let place = (unit.component.to_owned(), unit.target.to_owned());
        let known = self.units.entry(place).or_default().entry(unit.source.to_owned()).or_default();
        if *known == stanzas {
            return;
        }
        *known = stanzas;
        let stale: Vec<String> = match unit.target {
            "all" => self.architectures.clone(),
            arch => vec![arch.to_owned()],
        };
        self.stale.extend(stale.into_iter().map(|arch| (unit.component.to_owned(), arch)));
    }

    /// Writes what changed since the last time: indices, then the Release file that names them.
    pub fn write(&mut self, now: Timestamp, compress: Compress) -> io::Result<()> {
        if compress == Compress::Gzip {
            // Those that are only there plain.
            let plain = self.listed.keys().filter(|name| name.ends_with("/Packages"));
            let bare = plain.filter(|name| !self.listed.contains_key(&format!("{name}.gz")));
            let places = bare.filter_map(|name| {
                let (component, rest) = name.split_once("/binary-")?;
                Some((component.to_owned(), rest.split_once('/')?.0.to_owned()))
            });
            let places: Vec<_> = places.collect();
            self.stale.extend(places);
        }
        if self.stale.is_empty() {
            return Ok(());
        }
        // They stay so until all of it is written.
        for (component, arch) in self.stale.clone() {
            let text = self.index(&component, &arch);
            let name = format!("{component}/binary-{arch}/Packages");
            self.list(&name, text.as_bytes())?;
            let packed = format!("{name}.gz");
            if compress == Compress::Gzip {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(text.as_bytes())?;
                self.list(&packed, &encoder.finish()?)?;
            } else if self.listed.remove(&packed).is_some() {
                // It would be that of another time.
                remove(&self.dist().join(&packed))?;
            }
        }
        let release = self.release(now);
        let dist = self.dist();
        write_atomically(&dist.join("Release"), release.as_bytes())?;
        write_atomically(&dist.join("InRelease"), self.key.sign(&release)?.as_bytes())?;
        self.stale.clear();
        Ok(())
    }

    fn dist(&self) -> PathBuf {
        self.folder.join("dists").join(&self.names.suite)
    }

    /// The packages for an architecture, those for all among them, in the order of their sources.
    fn index(&self, component: &str, arch: &str) -> String {
        let of = |target: &str| {
            let units = self.units.get(&(component.to_owned(), target.to_owned()));
            units.into_iter().flatten()
        };
        let mut units: Vec<(&String, &String)> = of(arch).chain(of("all")).collect();
        units.sort_by_key(|(source, _)| *source);
        units.into_iter().map(|(_, stanzas)| stanzas.as_str()).collect()
    }

    /// Writes an index, first under its hash.
    fn list(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let sha256 = hex::encode(Sha256::digest(content));
        let path = self.dist().join(name);
        let folder = path.with_file_name("by-hash").join("SHA256");
        fs::create_dir_all(&folder)?;
        let by_hash = folder.join(&sha256);
        write_atomically(&by_hash, content)?;
        // One file under two names: an archive's indices are large, and written after each build.
        pool::put(&by_hash, &path).map_err(io::Error::other)?;
        self.listed.insert(name.to_owned(), (content.len() as u64, sha256));
        // Plain and packed ones are in one folder.
        let generations = self.generations.entry(path).or_default();
        generations.retain(|known| *known != by_hash);
        generations.push_back(by_hash);
        while generations.len() > GENERATIONS {
            if let Some(old) = generations.pop_front() {
                remove(&old)?;
            }
        }
        Ok(())
    }

    /// Nobody reads what another run of the writer left, but for what is written again at once.
    fn forget_old_generations(&mut self) -> io::Result<()> {
        let dist = self.dist();
        let Ok(components) = fs::read_dir(&dist) else { return Ok(()) };
        for component in components {
            let Ok(binaries) = fs::read_dir(component?.path()) else { continue };
            for binary in binaries {
                let folder = binary?.path().join("by-hash/SHA256");
                let Ok(files) = fs::read_dir(&folder) else { continue };
                let mut files: Vec<(std::time::SystemTime, PathBuf)> = files
                    .flatten()
                    .filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path())))
                    .collect();
                files.sort_unstable();
                for (_, old) in files.iter().rev().skip(GENERATIONS) {
                    remove(old)?;
                }
            }
        }
        Ok(())
    }

    fn release(&self, now: Timestamp) -> String {
        let SuiteNames { origin, suite } = &self.names;
        let components: BTreeSet<&str> =
            self.listed.keys().filter_map(|name| Some(name.split_once("/binary-")?.0)).collect();
        let components: Vec<&str> = components.into_iter().collect();
        let mut text = format!(
            "Origin: {origin}\nLabel: {origin}\nSuite: {suite}\nCodename: {suite}\nDate: {}\n\
             Acquire-By-Hash: yes\nNo-Support-for-Architecture-all: Packages\nArchitectures: all {}\nComponents: {}\n\
             SHA256:\n",
            now.strftime("%a, %d %b %Y %H:%M:%S UTC"),
            self.architectures.join(" "),
            components.join(" "),
        );
        for (name, (size, sha256)) in &self.listed {
            let _ = writeln!(text, " {sha256} {size:>16} {name}");
        }
        text
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
