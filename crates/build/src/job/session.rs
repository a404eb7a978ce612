//! What all jobs of one run of archmill share.

use std::fs;
use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use archmill_archive::{
    Archives, FetchError, Fetcher, Keyring, Mirror, OpenedSuite, PoolFile, Progress, RepoSpec, fetch_all,
    repositories_for,
};
use archmill_emulate::{Architecture, HostCpu};
use archmill_sandbox::cleanup::{self, WorkFolder};
use archmill_sandbox::{Canceller, IdMap, run_task, run_task_until};
use jiff::Timestamp;
use serde_json::json;

use super::error::{During as _, JobError};
use super::kept;
use crate::cache::{self, Claims, Gate, Gone};
use crate::classify::Phase;
use crate::command::BuildType;
use crate::record::BinNmu;
use crate::report::{Event, Reporter};
use crate::root::store::LayerStore;

/// So much leaves the cache before it is looked whether there is room.
const AT_A_TIME: usize = 32;

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
    claims: Claims,
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

    /// Says that this run works with these parts of the cache, such as `layers/KEY`, before it looks whether they are there.
    pub(crate) fn claim(&self, names: impl IntoIterator<Item = String>) -> Result<(), JobError> {
        let names: Vec<String> = names.into_iter().collect();
        let claimed = self.claims.claim(names.iter().cloned()).or_else(|error| match error.kind() {
            // Others may have left what makes room for a line of text.
            io::ErrorKind::StorageFull => {
                let _ = self.make_room();
                self.claims.claim(names)
            }
            _ => Err(error),
        });
        let told = |error| format!("cannot write to {}: {error}", self.folder("locks").display());
        claimed.map_err(told).during(Phase::Host)
    }

    /// The same for the indices of a suite, which are read again when packages are compared.
    pub(super) fn claim_indices(&self, suite: &OpenedSuite) -> Result<(), JobError> {
        let indices = suite.packages.iter().chain(&suite.sources);
        self.claim(indices.map(|index| format!("lists/by-hash/{}", index.sha256)))
    }

    /// Nothing leaves the cache while this is held.
    pub(super) fn hold_cache(&self) -> Result<Gate, JobError> {
        self.claims.hold().during(Phase::Host)
    }

    /// Gets files, so many at a time; `what` is told if there is anything to download.
    pub(crate) fn fetch(
        &self,
        what: &str,
        files: &[PoolFile],
        parallel: usize,
    ) -> Result<Vec<PathBuf>, FetchError> {
        let pool = self.folder("pool");
        let path = |file: &PoolFile| file.path(Path::new("pool")).display().to_string();
        self.claims
            .claim(files.iter().map(path))
            .map_err(|source| FetchError::Local { path: self.folder("locks"), source })?;
        let missing = files.iter().filter(|file| !file.is_cached(&pool));
        let total = missing.map(|file| file.expected.size).sum();
        if total > 0 {
            self.report.event(Event::Begin { what, total, bytes: true });
        }
        let fetched = fetch_all(&self.fetcher, &pool, files, parallel, &self.progress());
        if total > 0 {
            self.report.event(Event::End);
        }
        fetched
    }

    /// Removes from the cache what was not used for longest until as much of its disk is free as there should be, or until all that is
    /// left is new or in use. A build may fit all the same, so what stands in the way is only told.
    pub(crate) fn make_room(&self) -> Result<(), String> {
        let cache = &self.setup.cache;
        let wanted = self.setup.keep_free.unwrap_or_else(|| cache::default_keep_free(cache));
        if cache::has_room(cache, wanted) {
            return Ok(());
        }
        let told = |error: io::Error| format!("cannot make room in {}: {error}", cache.display());
        // Two would remove twice as much as is needed.
        let Some(_alone) = cache::alone(cache).map_err(told)? else { return Ok(()) };
        let gone = self.remove_from_cache(cache::RECENT, &|| cache::has_room(cache, wanted))?;
        if !gone.is_empty() {
            self.step(&format!("making room in {}: removed {}", cache.display(), in_words(&gone)));
        }
        if !cache::has_room(cache, wanted) {
            self.report.event(Event::Warning(&format!(
                "the disk of {} has less room than it should have, and nothing else can leave that cache: all of it was used within the last hour; \
                 make room, choose another folder with --cache, or less with --cache-keep-free",
                cache.display()
            )));
        }
        Ok(())
    }

    /// Removes from the cache what no run works with and none has used for so long; what that was, in words.
    pub fn remove_unused(&self, since: Duration) -> Result<String, String> {
        Ok(in_words(&self.remove_from_cache(since, &|| false)?))
    }

    fn remove_from_cache(&self, since: Duration, enough: &dyn Fn() -> bool) -> Result<Gone, String> {
        let cache = &self.setup.cache;
        let told = |error: io::Error| format!("cannot make room in {}: {error}", cache.display());
        let kept = || kept::in_use(&self.folder("failed"));
        let mut all = Gone::new();
        for entries in cache::unused(cache, since).chunks(AT_A_TIME) {
            if self.canceller.is_cancelled() || enough() {
                break;
            }
            // On a disk that is quite full no folder can be made until some files are gone.
            let trash = WorkFolder::create(&self.folder("work"), &self.map).ok();
            let taken = cache::take(cache, trash.as_ref().map(WorkFolder::path), entries, &kept);
            if let Some(trash) = &trash {
                self.remove(&[trash.path().to_owned()])?;
            }
            for (kind, count) in taken.map_err(told)? {
                *all.entry(kind).or_default() += count;
            }
        }
        cache::sweep_twins(cache).map_err(told)?;
        Ok(all)
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

/// `layers of roots: 1, unpacked packages: 12`.
fn in_words(gone: &Gone) -> String {
    let parts: Vec<String> = gone.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
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
