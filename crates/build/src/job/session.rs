//! What all jobs of one run of archmill share.

use std::fs;
use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use archmill_archive::{Archives, Fetcher, Keyring, Mirror, Progress, RepoSpec, repositories_for};
use archmill_emulate::{Architecture, HostCpu};
use archmill_sandbox::{Canceller, IdMap, cleanup, run_task, run_task_until};
use jiff::Timestamp;
use serde_json::json;

use super::error::{During as _, JobError};
use crate::cache::{self, Claims};
use crate::classify::Phase;
use crate::command::BuildType;
use crate::record::BinNmu;
use crate::report::{Event, Reporter};
use crate::root::store::LayerStore;

/// How long an InRelease that was checked counts as fresh.
pub const FRESH: Duration = Duration::from_mins(5);

/// What is the same for every job.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Folder for downloads and roots.
    pub cache: PathBuf,
    /// Bytes that are to stay free on its disk: what was not used for longest makes room. By default a twentieth, 5 GiB at most.
    pub keep_free: Option<u64>,
    /// Where Debian is.
    pub mirror: Mirror,
    /// Keys, if not Debian's.
    pub keyring: Option<PathBuf>,
    /// Further repositories.
    pub repositories: Vec<RepoSpec>,
    /// Suites that are left out, such as `trixie-security`.
    pub without_suites: Vec<String>,
    /// Packages that win over those of repositories.
    pub extra_packages: Vec<PathBuf>,
    /// Accept expired metadata.
    pub ignore_valid_until: bool,
    /// Accept unsigned metadata.
    pub allow_unsigned: bool,
    /// Suite to take QEMU from.
    pub qemu_suite: Option<String>,
    /// CPU to emulate.
    pub qemu_cpu: Option<String>,
    /// Further rules for twins.
    pub twin_rules: Vec<PathBuf>,
    /// Packages that get no twin.
    pub without_twins: Vec<String>,
}

impl Setup {
    /// The repositories of a build for `suite`.
    pub fn repositories(&self, suite: &str) -> Result<Vec<RepoSpec>, String> {
        let all =
            repositories_for(suite, &self.mirror, &self.repositories).map_err(|error| error.to_string())?;
        for name in &self.without_suites {
            if all.iter().all(|spec| spec.suite != *name) {
                let known: Vec<&str> = all.iter().map(|spec| spec.suite.as_str()).collect();
                return Err(format!(
                    "--without-suite: {name} is no suite of this build, which has {}",
                    known.join(", ")
                ));
            }
        }
        Ok(all.into_iter().filter(|spec| !self.without_suites.contains(&spec.suite)).collect())
    }
}

/// What is to be built, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// A source package name, a .dsc, or a source tree.
    pub source: String,
    /// Suite.
    pub suite: String,
    /// Architecture.
    pub arch: &'static Architecture,
    /// How the target's programs run, if said.
    pub mode: Option<super::Mode>,
    /// Which packages, if said.
    pub build_type: Option<BuildType>,
    /// Build profiles.
    pub profiles: Vec<String>,
    /// Words for DEB_BUILD_OPTIONS.
    pub options: Vec<String>,
    /// Leave the tests out.
    pub no_check: bool,
    /// Parallel jobs.
    pub jobs: NonZeroUsize,
    /// Limits of the build.
    pub limits: archmill_sandbox::Limits,
    /// What the root is to have besides the build dependencies.
    pub extra_depends: archmill_deb::Relations,
    /// The rebuild without a change of source that it is to be.
    pub binnmu: Option<BinNmu>,
    /// So many times as long as usual the package's tests may take, by the limits of their runners.
    pub patience: Option<NonZeroU32>,
    /// The root is made without twins, though the build has them: to tell what they do in the one and in the other.
    pub emulated_root: bool,
}

impl Request {
    /// The version that packages get of a source of this version.
    pub fn version_of(&self, source: &str) -> String {
        match &self.binnmu {
            Some(binnmu) => format!("{source}+b{}", binnmu.number),
            None => source.to_owned(),
        }
    }
}

/// A run of archmill.
pub struct Session<'a> {
    /// What is the same for every job.
    pub setup: Setup,
    /// Ids of namespaces.
    pub map: IdMap,
    /// Gets files.
    pub fetcher: Fetcher,
    /// Who listens.
    pub report: &'a dyn Reporter,
    /// Ends what runs.
    pub canceller: Canceller,
    /// This machine.
    pub host: HostCpu,
    pub(super) claims: Claims,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("setup", &self.setup).finish_non_exhaustive()
    }
}

impl<'a> Session<'a> {
    /// Makes the cache ready and removes what killed runs left.
    pub fn open(setup: Setup, report: &'a dyn Reporter, canceller: Canceller) -> Result<Self, JobError> {
        let map = IdMap::detect().during(Phase::Host)?;
        let fetcher = Fetcher::new().cancelled_by(canceller.flag());
        let made = |name: &str, make: &dyn Fn(&Path) -> io::Result<()>| {
            let folder = setup.cache.join(name);
            let told = |error| {
                format!(
                    "cannot make the cache folder {}: {error}; choose another with --cache",
                    folder.display()
                )
            };
            make(&folder).map_err(told).during(Phase::Host)
        };
        for name in ["lists", "pool", "locks"] {
            made(name, &|folder| fs::create_dir_all(folder))?;
        }
        for name in ["unpacked", "layers", "work", "twins"] {
            made(name, &|folder| map.create_folder(folder))?;
        }
        let claims = Claims::open(&setup.cache)
            .or_else(|error| match error.kind() {
                io::ErrorKind::StorageFull => {
                    let files = cache::unused(&setup.cache, cache::RECENT);
                    cache::take(&setup.cache, None, &files, &Vec::new)?;
                    Claims::open(&setup.cache)
                }
                _ => Err(error),
            })
            .map_err(|error| {
                format!(
                    "cannot use the cache {}: {error}; choose another with --cache",
                    setup.cache.display()
                )
            })
            .during(Phase::Host)?;
        let session = Self { setup, map, fetcher, report, canceller, host: HostCpu::probe(), claims };
        session.remove_leftovers();
        Ok(session)
    }

    /// A folder of the cache.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.setup.cache.join(name)
    }

    /// The layers.
    pub fn layers(&self) -> LayerStore {
        LayerStore::new(self.folder("layers"))
    }

    /// Tells what begins.
    pub fn step(&self, text: &str) {
        self.report.event(Event::Step(text));
    }

    /// Runs a task in a user namespace, until the user wants an end.
    pub fn task<A: serde::Serialize>(
        &self,
        name: &str,
        args: &A,
        on_event: &mut dyn FnMut(),
    ) -> Result<(), String> {
        let args = serde_json::to_value(args).map_err(|error| error.to_string())?;
        run_task_until(&self.map, name, &args, &mut |_| on_event(), &self.canceller)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    /// Removes folders of mapped owners, whatever the user wants by now.
    pub fn remove(&self, folders: &[PathBuf]) -> Result<(), String> {
        let args = json!({ "folders": folders });
        let removed = run_task(&self.map, "root-remove", &args, &mut |_| {}).map(|_| ());
        removed.or_else(|error| {
            // Of this host's owners, whom the namespace does not know: an ordinary user's in a cache that root uses too.
            let left =
                folders.iter().filter(|folder| rustix::process::geteuid().is_root() && folder.exists());
            let mut left = left.peekable();
            if left.peek().is_none() {
                return Err(error.to_string());
            }
            left.try_for_each(fs::remove_dir_all).map_err(|_| error.to_string())
        })
    }

    /// What a `kill -9` left: working folders whose owner is gone, and empty control groups.
    fn remove_leftovers(&self) {
        let stale = cleanup::stale(&self.folder("work"));
        if !stale.is_empty()
            && let Err(error) = self.remove(&stale)
        {
            // Another user's, in a cache of both: that user's next run removes it.
            self.report.event(Event::Warning(&error));
        }
        cleanup::forget(&stale);
    }

    /// The archives of this run.
    pub fn archives(&self) -> Result<Archives<'_>, JobError> {
        let keyring = match &self.setup.keyring {
            Some(path) => Keyring::open(path),
            None => Keyring::debian(),
        };
        Ok(Archives {
            fetcher: &self.fetcher,
            folder: self.folder("lists"),
            keyring: keyring.during(Phase::Indexes)?,
            ignore_valid_until: self.setup.ignore_valid_until,
            allow_unsigned: self.setup.allow_unsigned,
            max_age: FRESH,
            now: Timestamp::now(),
        })
    }

    /// Download progress that goes to the reporter.
    pub fn progress(&self) -> Downloads<'_> {
        Downloads { report: self.report }
    }

    /// Fails if the user wants an end.
    pub fn check_cancelled(&self, phase: Phase) -> Result<(), JobError> {
        if self.canceller.is_cancelled() { Err(JobError::cancelled(phase)) } else { Ok(()) }
    }
}

/// Passes download progress on.
pub struct Downloads<'a> {
    report: &'a dyn Reporter,
}

impl std::fmt::Debug for Downloads<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Downloads")
    }
}

impl Progress for Downloads<'_> {
    fn bytes(&self, count: u64) {
        self.report.event(Event::Advance(count));
    }

    fn note(&self, text: &str) {
        self.report.event(Event::Warning(text));
    }
}

/// The default cache: for root of the system, else of the user.
pub fn default_cache() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/cache/archmill");
    }
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("XDG_CACHE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".cache")))
        .map_or_else(|| Path::new("/tmp").join("archmill"), |cache| cache.join("archmill"))
}
