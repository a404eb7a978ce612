//! A farm with made-up packages.

use std::path::{Path, PathBuf};
use std::time::Duration;

use archmill_archive::{Publisher, SigningKey, SuiteNames};
use archmill_build::classify::{Class, Limit, Phase};
use archmill_build::record::{Artifact, BuildRecord, Outcome, parse};
use archmill_deb::Arch;
use archmill_engine::Task;
use archmill_farm::{
    FailureRules, FarmError, Forecast, JobInputs, Order, Owners, Rebuild, Stop, Summary, Watch, drive,
};
use archmill_plan::graph::{Adjacency, Graph, Parts};
use archmill_plan::ladder::Mode;
use archmill_plan::predict::{Predictor, Traits};
use archmill_plan::rebuild::InputHash;
use archmill_plan::scheduler::{Backoff, Build, Farm, MachineKind, Scheduler, Settings};
use archmill_plan::{ComponentId, Job, JobId, JobKind, TargetId};
use archmill_store::{BuildEnd, RequestRow, Store};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How a build goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goes {
    /// It is built.
    Well,
    /// It fails.
    Badly,
    /// It takes too long, unless it has patience.
    Slowly,
    /// It leaves nothing, the first time.
    Nowhere,
}

/// Packages, in two architectures each, and how they go.
pub(crate) struct Made {
    folder: tempfile::TempDir,
    packages: Vec<Goes>,
    version: &'static str,
    /// Whether each is built against the one before.
    self_hosted: bool,
    /// What the build of a toolchain for arm64 exits with, if there is one.
    toolchain: Option<u8>,
}

impl Made {
    pub(crate) fn new(packages: Vec<Goes>) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            packages,
            version: "1",
            self_hosted: false,
            toolchain: None,
        }
    }

    /// With a toolchain that every build for arm64 would rather wait for.
    pub(crate) fn with_toolchain(self, exits_with: u8) -> Self {
        Self { toolchain: Some(exits_with), ..self }
    }

    /// A farm that keeps its results in an archive.
    pub(crate) fn self_hosted(packages: Vec<Goes>) -> Self {
        Self { self_hosted: true, ..Self::new(packages) }
    }

    /// All of it in another version.
    pub(crate) fn upload(&mut self, version: &'static str) {
        self.version = version;
    }

    pub(crate) async fn store(&self) -> Store {
        Store::make(&self.folder.path().join("state")).await.unwrap()
    }

    fn graph(&self) -> Graph {
        let job = |number: usize| Job {
            source: format!("p{}", number / 2).into(),
            version: self.version.into(),
            target: TargetId::new(number % 2).unwrap(),
            component: ComponentId::default(),
            kind: JobKind::Package,
            traits: Traits { source_bytes: 1 << 20, installs: 10 },
        };
        let packages = self.packages.len() * 2;
        let jobs = packages + usize::from(self.toolchain.is_some());
        let job = |number: usize| if number < packages { job(number) } else { toolchain(self.version) };
        let wants = |number: usize| {
            let is_wanted = self.toolchain.is_some() && number < packages && number % 2 == 1;
            is_wanted.then(|| JobId::new(packages)).flatten().into_iter().collect()
        };
        let before = |number: usize| {
            let before = number.checked_sub(2).filter(|_| self.self_hosted && number < packages);
            before.and_then(JobId::new)
        };
        let needs = |number| before(number).into_iter().collect();
        Graph::new(Parts {
            targets: vec![Arch::AMD64, "arm64".parse().unwrap()],
            components: vec!["main".to_owned()],
            jobs: (0..jobs).map(job).collect(),
            needs: Adjacency::from_lists((0..jobs).map(needs)),
            wants: Adjacency::from_lists((0..jobs).map(wants)),
        })
    }

    /// What a scheduler is made of.
    pub(crate) fn farm(&self) -> Farm {
        let target = |index| TargetId::new(index).unwrap();
        let machine = MachineKind {
            name: "x86_64".to_owned(),
            is_x86: true,
            slots: 3,
            native: vec![target(0)],
            emulated: vec![target(1)],
        };
        let delay = Duration::from_millis(5);
        Farm {
            graph: self.graph(),
            machines: vec![machine],
            settings: Settings { retry: Backoff { first: delay, longest: delay }, ..Settings::default() },
            policies: FxHashMap::default(),
            predictor: Predictor::default(),
            known: Vec::new(),
            shares: None,
        }
    }

    /// Runs a rebuild until it is done.
    pub(crate) async fn rebuild(&self, store: &Store) -> Summary {
        let (_sender, mut stops) = unbounded_channel();
        self.drive(store, &mut stops).await.unwrap()
    }

    pub(crate) async fn drive(
        &self,
        store: &Store,
        stops: &mut UnboundedReceiver<Stop>,
    ) -> Result<Summary, FarmError> {
        let farm = self.farm();
        let hash = |job: &Job| InputHash([job.version.as_bytes()[0]; 32]);
        let hashes = farm.graph.jobs().map(|(id, job)| (id, hash(job))).collect();
        let inputs = JobInputs { hashes, ..JobInputs::default() };
        let task = |order: &Order<'_>| self.task(order.graph, order.job, order.build, order.folder);
        let rebuild = Rebuild {
            store,
            suite: "made",
            later: &[],
            farm,
            inputs,
            archive: self.archive(),
            owners: Owners::default(),
            rules: FailureRules::builtin().unwrap(),
            nocheck: FxHashSet::default(),
            processors: 3,
            task: &task,
            most_retries: 3,
        };
        drive(rebuild, &mut Nobody, stops).await
    }

    /// The archive, if it has one, as it is before anything is known of it.
    fn archive(&self) -> Option<Publisher> {
        self.self_hosted.then(|| {
            let key = SigningKey::open_or_make(&self.folder.path().join("key"), "Tests").unwrap();
            let names = SuiteNames { origin: "Tests".to_owned(), suite: "made".to_owned() };
            let arches = ["amd64", "arm64"].map(str::to_owned).to_vec();
            Publisher::open(&self.folder.path().join("archive"), key, names, arches, &["main".to_owned()])
                .unwrap()
        })
    }

    /// What the archive lists for an architecture: sources in the order of the index.
    pub(crate) fn listed(&self, arch: &str) -> Vec<String> {
        let path = format!("archive/dists/made/main/binary-{arch}/Packages");
        let text = std::fs::read_to_string(self.folder.path().join(path)).unwrap();
        let stanza = |stanza: &str| {
            let field =
                |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
            assert!(self.folder.path().join("archive").join(field("Filename: ")).is_file(), "{stanza}");
            field("Package: ")
        };
        text.split("\n\n").filter(|text| !text.trim().is_empty()).map(stanza).collect()
    }

    fn task(&self, graph: &Graph, job: JobId, build: &Build, folder: &Path) -> Task {
        let of = graph.job(job);
        if let (JobKind::Toolchain { .. }, Some(exits_with)) = (&of.kind, self.toolchain) {
            return toolchain_task(folder, exits_with);
        }
        let number: usize = of.source[1..].parse().unwrap();
        let outcome = match self.packages[number] {
            Goes::Badly => Outcome::failure(Phase::Build, Class::Build, "it does not compile"),
            Goes::Slowly if build.rung.mode != Mode::Native && !build.rung.patient => {
                Outcome::failure(Phase::Build, Class::Limit(Limit::Time), "it took too long")
            }
            _ => Outcome::success(),
        };
        let record = folder.with_extension("record");
        let mut made = BuildRecord { outcome, ..empty() };
        if self.self_hosted {
            let (name, content) = package(&of.source, &of.version, graph.target(of.target).as_str());
            std::fs::write(folder.with_extension("deb"), content).unwrap();
            made.artifacts.push(Artifact { name, size_bytes: 0, sha256: "0".repeat(64) });
        }
        archmill_build::record::write(&made, &record).unwrap();
        let once = self.once(of, graph);
        let dies = self.packages[number] == Goes::Nowhere;
        let script = "sleep \"$1\"; if [ \"$4\" = true ] && ! [ -e \"$3\" ]; then touch \"$3\"; exit 1; fi; \
                      mkdir -p out; if [ -n \"$5\" ]; then cp \"${2%record}deb\" \"out/$5\"; fi; mv \"$2\" out/build-record.json";
        let milliseconds = (number * 7 + job.index() * 3) % 40;
        let mut arguments: Vec<std::ffi::OsString> = ["-c", script, "sh"].map(Into::into).to_vec();
        arguments.extend([format!("0.{milliseconds:03}").into(), record.into(), once.into()]);
        arguments.push(dies.to_string().into());
        arguments.push(made.artifacts.first().map_or("", |artifact| &artifact.name).into());
        Task { folder: folder.to_owned(), program: "/bin/sh".into(), arguments }
    }

    /// The file by which a build knows that it has died before.
    fn once(&self, of: &Job, graph: &Graph) -> PathBuf {
        self.folder.path().join(format!("{}-{}", of.source, graph.target(of.target)))
    }
}

/// The job of a toolchain for arm64.
fn toolchain(version: &str) -> Job {
    Job {
        source: "gcc-12-toolchain".into(),
        version: version.into(),
        target: TargetId::default(),
        component: ComponentId::default(),
        kind: JobKind::Toolchain { of: "gcc-12".into(), makes: "arm64".parse().unwrap() },
        traits: Traits { source_bytes: 1 << 20, installs: 0 },
    }
}

/// What `archmill toolchain build --out` leaves, and how it ends.
fn toolchain_task(folder: &Path, exits_with: u8) -> Task {
    let script = "sleep 0.02; echo 'archmill: it does not compile'; [ \"$1\" = 0 ] || exit \"$1\"; mkdir -p out; \
                  echo '{\"reused\": false, \"wall_ms\": 20, \"cpu_user_ms\": 9, \"cpu_system_ms\": 1}' >out/new; \
                  mv out/new out/toolchain.json";
    let arguments = ["-c", script, "sh", &exits_with.to_string()].map(Into::into).to_vec();
    Task { folder: folder.to_owned(), program: "/bin/sh".into(), arguments }
}

/// A binary package (deb(5)) with nothing in it, and the name of its file.
fn package(name: &str, version: &str, arch: &str) -> (String, Vec<u8>) {
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: A B <a@b.example>\nDescription: a test\n"
    );
    let mut header = tar::Header::new_gnu();
    header.set_size(control.len() as u64);
    header.set_mode(0o644);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, "./control", control.as_bytes()).unwrap();
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar", builder.into_inner().unwrap()),
        ("data.tar", vec![0; 1024]),
    ];
    let mut deb = b"!<arch>\n".to_vec();
    for (name, content) in members {
        deb.extend(
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len()).into_bytes(),
        );
        deb.extend(&content);
        deb.extend(vec![b'\n'; content.len() % 2]);
    }
    (format!("{name}_{version}_{arch}.deb"), deb)
}

/// A record of a build of nothing.
fn empty() -> BuildRecord {
    parse(
        r#"{
            "format_version": 1, "archmill_version": "0", "started": "2026-11-01T00:00:00Z", "finished": "2026-11-01T00:00:00.02Z",
            "request": {"source": "p", "suite": "made", "arch": "arm64", "mode": "emulated", "build_type": "any", "jobs": 1},
            "inputs": {"host": {"kernel": "", "arch": "", "cpu_model": "", "processors": 1, "accounting": ""}}, "outcome": {"status": "successful"}
        }"#,
        "a made-up record",
    )
    .unwrap()
}

/// Nobody watches.
struct Nobody;

impl Watch for Nobody {
    fn started(&mut self, _: &Scheduler, _: JobId, _: &Build, _: bool) {}
    fn ended(&mut self, _: &Scheduler, _: JobId, _: &Build, _: &BuildEnd) {}
    fn requested(&mut self, _: &RequestRow, _: usize) {}
    fn stopping(&mut self, _: usize) {}
    fn tick(
        &mut self,
        _: &Scheduler,
        _: &dyn Fn() -> Option<Forecast>,
        _: &dyn Fn(JobId) -> Option<Box<Path>>,
    ) {
    }
}
