//! The program against the recorded archive: a mirror of its own on this machine, a cache, results.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::run::said;
use crate::support::recorded::{fixtures, sha256, test_key};
use crate::support::{Recorded, Server};

/// Whether roots can be made here. Says so loudly if not.
pub(crate) fn sandbox(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("SKIPPED (privilege): {test}; it needs root");
    }
    root
}

/// A mirror, a cache and a folder to work in, all of a test's own.
pub(crate) struct Farm {
    pub(crate) recorded: Recorded,
    pub(crate) server: Server,
    folder: tempfile::TempDir,
    count: AtomicU32,
}

impl Farm {
    /// With nothing in the cache.
    pub(crate) fn cold() -> Self {
        // Not on a tmpfs: a build root's layers belong on a file system that overlayfs stacks.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let recorded = Recorded::copy();
        let server = Server::start(recorded.path());
        let farm = Self { recorded, server, folder, count: AtomicU32::new(0) };
        fs::create_dir(farm.work()).unwrap();
        farm.configure("");
        farm
    }

    /// With the base and the build dependencies of greeting in the cache.
    pub(crate) fn warm() -> Self {
        let farm = Self::cold();
        let copied = Command::new("cp").arg("-al").arg(warm_cache()).arg(farm.cache()).status().unwrap();
        assert!(copied.success());
        farm
    }

    /// Writes farm.toml, with `more` at its end.
    pub(crate) fn configure(&self, more: &str) {
        // However full this machine's disk is: a cache of a test is its own business.
        let text = format!(
            "mirror = \"{}\"\nkeyring = \"{}\"\ncache-keep-free = \"1M\"\n{more}",
            self.mirror(),
            test_key().display()
        );
        fs::write(self.config(), text).unwrap();
    }

    /// Its farm.toml.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("farm.toml")
    }

    pub(crate) fn mirror(&self) -> String {
        format!("{}/debian", self.server.url())
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// The folder that archmill is run in.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A copy of greeting's source tree, with its upstream tarball beside it.
    pub(crate) fn greeting_tree(&self) -> PathBuf {
        let tree = self.work().join("greeting-1.0");
        crate::support::recorded::copy_tree(&fixtures().join("greeting-1.0"), &tree);
        fs::copy(fixtures().join("greeting_1.0.orig.tar.xz"), self.work().join("greeting_1.0.orig.tar.xz"))
            .unwrap();
        tree
    }

    /// archmill, with this farm's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_archmill"));
        command.args(arguments).current_dir(self.work()).stdin(Stdio::null());
        command.env("ARCHMILL_CACHE", self.cache()).env("ARCHMILL_CONFIG", self.config());
        for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// `archmill build SOURCE --arch amd64 --quiet --out FOLDER` and what else is given.
    pub(crate) fn build(&self, source: &str, more: &[&str]) -> Built {
        let folder = self.new_out();
        let out = folder.display().to_string();
        let output =
            self.run(&[&["build", source, "--arch", "amd64", "--quiet", "--out", &out], more].concat());
        Built { output, folder }
    }

    /// As if metadata had been asked for long ago.
    pub(crate) fn age_metadata(&self) {
        for entry in fs::read_dir(self.cache().join("lists")).unwrap().flatten() {
            if let Ok(file) = fs::File::options().write(true).open(entry.path().join("state.json")) {
                file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            }
        }
    }

    /// A name for results that is not taken.
    pub(crate) fn new_out(&self) -> PathBuf {
        self.work().join(format!("result{}", self.count.fetch_add(1, Ordering::SeqCst)))
    }

    /// Nothing runs, is mounted or lies about any more.
    pub(crate) fn assert_nothing_left(&self) {
        let cache = self.cache();
        let mut left = Vec::new();
        // What was killed may take a moment to be gone.
        for _ in 0..200 {
            left = processes_of(&cache);
            if left.is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert!(left.is_empty(), "processes are left: {left:?}");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(cache.to_str().unwrap()), "mounts are left: {mounts}");
        let work: Vec<PathBuf> =
            fs::read_dir(cache.join("work")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(work.is_empty(), "working folders are left: {work:?}");
    }
}

/// Control groups of one run of archmill.
pub(crate) fn assert_no_cgroups_of(pid: u32) {
    for hierarchy in ["", "memory", "pids"] {
        let entries = fs::read_dir(Path::new("/sys/fs/cgroup").join(hierarchy).join("archmill"));
        let left =
            entries.into_iter().flatten().flatten().map(|entry| entry.file_name().into_string().unwrap());
        let left: Vec<String> = left.filter(|name| name.starts_with(&format!("{pid}-"))).collect();
        assert!(left.is_empty(), "control groups are left: {left:?}");
    }
}

/// Processes with a root, or an argument, below the cache.
fn processes_of(cache: &Path) -> Vec<String> {
    let cache = cache.to_str().unwrap();
    let about = |folder: &Path| {
        let read = |name: &str| {
            String::from_utf8_lossy(&fs::read(folder.join(name)).unwrap_or_default()).into_owned()
        };
        let zombie = read("stat").contains(") Z ");
        let (mounts, words) = (read("mountinfo"), read("cmdline").replace('\0', " "));
        (!zombie && (mounts.contains(cache) || words.contains(cache)))
            .then(|| format!("{}: {words}", folder.display()))
    };
    let numbers = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().parse::<u32>().is_ok();
    let folders = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()).filter(numbers);
    folders.filter_map(|folder| about(&folder)).collect()
}

/// A build that ended.
pub(crate) struct Built {
    pub(crate) output: Output,
    pub(crate) folder: PathBuf,
}

impl Built {
    pub(crate) fn said(&self) -> String {
        said(&self.output)
    }

    pub(crate) fn record(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.join("build-record.json")).unwrap()).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        let mut entries = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let path = entries.find(|path| path.extension().is_some_and(|ending| ending == "build")).unwrap();
        fs::read_to_string(path).unwrap()
    }

    /// Results by name, with their hashes as the record has them; the files are looked at, too.
    pub(crate) fn artifacts(&self) -> BTreeMap<String, String> {
        let record = self.record();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let list = record["artifacts"].as_array().unwrap().iter();
        let list: BTreeMap<String, String> =
            list.map(|artifact| (text(&artifact["name"]), text(&artifact["sha256"]))).collect();
        for (name, hash) in &list {
            assert_eq!(*hash, sha256(&fs::read(self.folder.join(name)).unwrap()), "{name}");
        }
        list
    }

    /// Only the packages.
    pub(crate) fn packages(&self) -> BTreeMap<String, String> {
        let mut packages = self.artifacts();
        packages.retain(|name, _| Path::new(name).extension().is_some_and(|ending| ending == "deb"));
        packages
    }

    /// It was built.
    pub(crate) fn succeeded(self) -> Self {
        assert!(self.output.status.success(), "{}", self.said());
        assert_eq!(self.record()["outcome"]["status"], "successful");
        self
    }

    /// It failed, for this reason, and says so.
    pub(crate) fn failed(self, code: i32, words: &[&str]) -> Self {
        let text = self.said();
        assert_eq!(self.output.status.code(), Some(code), "{text}");
        for word in words {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
        self
    }

    /// It left a log with an end and a record of this class.
    pub(crate) fn recorded(self, class: &str, status: &str) -> Self {
        let record = self.record();
        let own = &record["outcome"]["class"];
        let own = own.as_str().map_or_else(|| own.to_string(), str::to_owned);
        assert_eq!(own, class, "{record}");
        let log = self.log();
        assert!(log.contains("| Summary ") && log.contains(&format!("Status: {status}")), "{log}");
        self
    }
}

/// A cache after a build of greeting. Made once for each state of the program and the archive.
fn warm_cache() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("warm");
        let program = fs::metadata(env!("CARGO_BIN_EXE_archmill")).unwrap().modified().unwrap();
        let release = fs::read(fixtures().join("archive/debian/dists/trixie/InRelease")).unwrap();
        let state = format!("{program:?} {}", sha256(&release));
        let (cache, state_path) = (folder.join("cache"), folder.join("state"));
        if fs::read_to_string(&state_path).is_ok_and(|known| known == state) {
            return cache;
        }
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let farm = Farm::cold();
        farm.build("greeting", &[]).succeeded();
        fs::rename(farm.cache(), &cache).unwrap();
        fs::write(state_path, state).unwrap();
        cache
    })
}
