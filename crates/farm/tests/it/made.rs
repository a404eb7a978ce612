//! A farm with made-up packages.

use std::path::{Path, PathBuf};
use std::time::Duration;

use archmill_build::classify::{Class, Limit, Phase};
use archmill_build::record::{BuildRecord, Outcome, parse};
use archmill_deb::Arch;
use archmill_engine::Task;
use archmill_farm::{FarmError, Forecast, JobInputs, Order, Rebuild, Stop, Summary, Watch, drive};
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
}

impl Made {
    pub(crate) fn new(packages: Vec<Goes>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), packages, version: "1" }
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
        let jobs = self.packages.len() * 2;
        Graph::new(Parts {
            targets: vec![Arch::AMD64, "arm64".parse().unwrap()],
            components: vec!["main".to_owned()],
            jobs: (0..jobs).map(job).collect(),
            needs: Adjacency::empty(jobs),
            wants: Adjacency::empty(jobs),
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
            farm,
            inputs,
            archive: None,
            nocheck: FxHashSet::default(),
            processors: 3,
            task: &task,
            most_retries: 3,
        };
        drive(rebuild, &mut Nobody, stops).await
    }

    fn task(&self, graph: &Graph, job: JobId, build: &Build, folder: &Path) -> Task {
        let of = graph.job(job);
        let number: usize = of.source[1..].parse().unwrap();
        let outcome = match self.packages[number] {
            Goes::Badly => Outcome::failure(Phase::Build, Class::Build, "it does not compile"),
            Goes::Slowly if build.rung.mode != Mode::Native && !build.rung.patient => {
                Outcome::failure(Phase::Build, Class::Limit(Limit::Time), "it took too long")
            }
            _ => Outcome::success(),
        };
        let record = folder.with_extension("record");
        archmill_build::record::write(&BuildRecord { outcome, ..empty() }, &record).unwrap();
        let once = self.once(of, graph);
        let dies = self.packages[number] == Goes::Nowhere;
        let script = "sleep \"$1\"; if [ \"$4\" = true ] && ! [ -e \"$3\" ]; then touch \"$3\"; exit 1; fi; \
                      mkdir -p out; mv \"$2\" out/build-record.json";
        let milliseconds = (number * 7 + job.index() * 3) % 40;
        let mut arguments: Vec<std::ffi::OsString> = ["-c", script, "sh"].map(Into::into).to_vec();
        arguments.extend([format!("0.{milliseconds:03}").into(), record.into(), once.into()]);
        arguments.push(dies.to_string().into());
        Task { folder: folder.to_owned(), program: "/bin/sh".into(), arguments }
    }

    /// The file by which a build knows that it has died before.
    fn once(&self, of: &Job, graph: &Graph) -> PathBuf {
        self.folder.path().join(format!("{}-{}", of.source, graph.target(of.target)))
    }
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
    fn tick(&mut self, _: &Scheduler, _: Option<&Forecast>, _: &dyn Fn(JobId) -> Option<Box<Path>>) {}
}
