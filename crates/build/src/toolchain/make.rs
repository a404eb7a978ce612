//! From an order to a toolchain in the cache: what is there is used, what is missing is made.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use archmill_deb::Relations;
use archmill_emulate::Architecture;
use archmill_sandbox::Limits;
use archmill_sandbox::cleanup::WorkFolder;

use super::description::{FOLDER, Toolchain};
use super::error::ToolchainError;
use super::inputs::{InputPackage, Inputs, recipe_sha256};
use super::run::Run;
use super::target::{Target, at};
use crate::classify::Phase;
use crate::job::{self, Draft, JobError, Plan, Request, Session};
use crate::root::store::LayerStore;

/// The oldest gcc whose configure has the conditions that the script edits.
const OLDEST: u32 = 12;

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Order {
    /// Source package, `gcc-N`; `gcc-N=VERSION` for a given version.
    pub source: String,
    /// Suite.
    pub suite: String,
    /// Whose compiler it is to be.
    pub arch: &'static Architecture,
    /// Jobs at a time.
    pub jobs: NonZeroUsize,
    /// Limits of each step of the build.
    pub limits: Limits,
    /// Where the log goes, in place of the cache.
    pub log: Option<PathBuf>,
}

/// A toolchain, and whether it was there already.
#[derive(Debug)]
pub struct Made {
    /// The toolchain.
    pub toolchain: Toolchain,
    /// It was in the cache.
    pub reused: bool,
}

/// Gives the toolchain of an order: the one in the cache that was made of the very same inputs, or a new one.
pub fn make(session: &Session<'_>, order: &Order) -> Result<Made, ToolchainError> {
    let (source, version) = named(&order.source)?;
    let host = host(session)?;
    if host == order.arch {
        return Err(ToolchainError::Native(host.debian.to_owned()));
    }
    let target = Target::get(session, &order.suite, order.arch, source, version)?;
    let request = request(order, &target, host)?;
    let mut draft = Draft::default();
    let plan = job::plan(session, &request, &mut draft)?;
    let inputs = inputs(&target, &plan)?;
    let key = inputs.key();
    let folder = session.folder(FOLDER);
    session.map.create_folder(&folder).map_err(at("make the folder", &folder))?;
    let store = LayerStore::new(folder);
    let place = store.path(&key);
    if let Some(toolchain) = whole(&place) {
        return Ok(Made { toolchain, reused: true });
    }
    // Of two processes that want the same one makes it.
    let _lock = store.lock(&key).map_err(|error| JobError::new(Phase::Host, error))?;
    if let Some(toolchain) = whole(&place) {
        return Ok(Made { toolchain, reused: true });
    }
    let log = order.log.clone().unwrap_or_else(|| place.with_extension("log"));
    let run = Run { session, request: &request, plan: &plan, target: &target, log: &log };
    let work = WorkFolder::create(&session.folder("work"), &session.map)
        .map_err(at("make a working folder in", &session.folder("work")))?;
    let made = run.build(&inputs, &work, &mut draft).and_then(|new| put(session, &new, &place));
    // The files belong to mapped owners, which only a task may remove.
    let removed = session.remove(&[work.path().to_owned()]);
    let toolchain = made?;
    removed.map_err(|error| JobError::new(Phase::Host, error))?;
    Ok(Made { toolchain, reused: false })
}

/// Name and version of `gcc-N` or `gcc-N=VERSION`.
fn named(source: &str) -> Result<(&str, Option<&str>), ToolchainError> {
    let (name, version) =
        source.split_once('=').map_or((source, None), |(name, version)| (name, Some(version)));
    if can_make(name) { Ok((name, version)) } else { Err(ToolchainError::Source(source.to_owned())) }
}

/// Whether a source package is that of a compiler which the script can build.
pub(super) fn can_make(name: &str) -> bool {
    let number = name.strip_prefix("gcc-").and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(|number| number >= OLDEST)
}

fn host(session: &Session<'_>) -> Result<&'static Architecture, JobError> {
    archmill_emulate::find(&session.host.machine).map_err(|error| JobError::new(Phase::Host, error))
}

/// The request for a root in which the source can be built, with the target's binutils: what configure finds out
/// about assembler and linker it asks them.
fn request(order: &Order, target: &Target, host: &'static Architecture) -> Result<Request, ToolchainError> {
    let binutils = format!("binutils-{}", target.triplet().replace('_', "-"));
    let extra = Relations::parse(&binutils).map_err(|error| JobError::new(Phase::Resolve, error))?;
    Ok(Request {
        source: format!("{}={}", target.source, target.version),
        suite: order.suite.clone(),
        arch: host,
        mode: None,
        build_type: Some(crate::command::BuildType::Any),
        profiles: vec!["nocheck".to_owned()],
        options: Vec::new(),
        no_check: true,
        jobs: order.jobs,
        limits: order.limits.clone(),
        extra_depends: extra,
        binnmu: None,
        patience: None,
        emulated_root: false,
    })
}

fn inputs(target: &Target, plan: &Plan) -> Result<Inputs, ToolchainError> {
    let (dsc, _) = plan
        .source
        .files
        .first()
        .ok_or_else(|| JobError::new(Phase::FetchSource, format!("{} has no .dsc", target.source)))?;
    let mut packages: Vec<InputPackage> = plan
        .set
        .packages
        .iter()
        .map(|package| InputPackage {
            name: package.name.clone(),
            version: package.version.clone(),
            arch: package.arch.to_string(),
            sha256: package.sha256.clone(),
        })
        .collect();
    packages.sort();
    Ok(Inputs {
        source: target.source.clone(),
        version: target.version.clone(),
        arch: target.arch.debian.to_owned(),
        dsc_sha256: dsc.sha256.clone(),
        headers: target.headers.clone(),
        recipe_sha256: recipe_sha256(),
        packages,
    })
}

/// The toolchain at a place, with every file as it was made.
fn whole(place: &Path) -> Option<Toolchain> {
    Toolchain::open(place).filter(|toolchain| toolchain.damaged().is_none())
}

/// Moves a finished toolchain to its place.
fn put(session: &Session<'_>, new: &Path, place: &Path) -> Result<Toolchain, ToolchainError> {
    // What is there is damaged.
    if place.exists() {
        session.remove(&[place.to_owned()]).map_err(|error| JobError::new(Phase::Host, error))?;
    }
    fs::rename(new, place).map_err(at("move a finished toolchain to", place))?;
    Toolchain::open(place)
        .ok_or_else(|| ToolchainError::Results("the finished toolchain cannot be read back".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_compilers_that_the_script_knows_are_taken() {
        assert_eq!(named("gcc-12").unwrap(), ("gcc-12", None));
        assert_eq!(named("gcc-14=14.2.0-19").unwrap(), ("gcc-14", Some("14.2.0-19")));
        for wrong in ["gcc-11", "gcc", "gcc-12-cross", "llvm-14", "gcc-snapshot"] {
            assert!(matches!(named(wrong), Err(ToolchainError::Source(_))), "{wrong}");
        }
    }
}
