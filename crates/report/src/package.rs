//! One package: where it stands, and how it came there.

use std::collections::HashMap;
use std::time::Duration;

use archmill_plan::ladder::{Mode, Rung};
use archmill_store::{BuildRow, EndKind, NativeTime, PackageId, PackageRow};
use serde::{Deserialize, Serialize};

use crate::Memory;
use crate::share::Outcome;

/// A source package for one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Package {
    /// Suite.
    pub suite: String,
    /// Component of the farm.
    pub component: String,
    /// Source package.
    pub source: String,
    /// Its version.
    pub version: String,
    /// Architecture, or `all`.
    pub target: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Its state in words of OBS.
    pub state: String,
    /// Why it is in that state, in words.
    pub reason: String,
    /// The class of its failure.
    pub class: Option<String>,
    /// Whether its tests were left out.
    pub nocheck: bool,
    /// Its builds, in the order in which they were started.
    pub builds: Vec<Built>,
    /// What its last successful build cost over a native one.
    pub penalty: Option<Penalty>,
}

/// A build that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// Its number.
    pub number: i64,
    /// Version that was built.
    pub version: String,
    /// How it was run.
    pub mode: Rung,
    /// Where.
    pub machine: String,
    /// How it ended: built, failed, unresolvable, transient, cancelled or lost.
    pub result: EndKind,
    /// The class of its failure.
    pub class: Option<String>,
    /// Why it failed, in a sentence.
    pub message: Option<String>,
    /// Time that passed.
    pub wall_ms: Option<u64>,
    /// CPU time of all of it.
    pub cpu_ms: Option<u64>,
    /// CPU time of dpkg-buildpackage alone.
    #[serde(default)]
    pub build_cpu_ms: Option<u64>,
    /// Most memory at one time.
    pub peak_memory_bytes: Option<u64>,
    /// Whether it was accelerated but for its compiler, whose toolchain was not made yet. It counts for no penalty.
    #[serde(default)]
    pub compiler_emulated: bool,
}

/// Times as long as a native build.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Penalty {
    /// Of which mode.
    pub mode: Rung,
    /// How many times.
    pub times: f64,
    /// Beside what.
    pub baseline: Baseline,
}

/// The native build that a penalty is told against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// One of the same architecture elsewhere, by CPU time.
    NativeCpu,
    /// One of the same architecture elsewhere, by the time that passed; machines differ.
    NativeWall,
    /// The farm's own build of the same version for amd64, by CPU time.
    Amd64Cpu,
}

impl Baseline {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NativeCpu => "CPU time, native elsewhere",
            Self::NativeWall => "time that passed, native elsewhere",
            Self::Amd64Cpu => "CPU time, amd64 in this farm",
        }
    }
}

impl Package {
    /// The build that made what there is.
    pub fn success(&self) -> Option<&Built> {
        self.builds.iter().rev().find(|build| build.result == EndKind::Built)
    }

    /// The last build for which the package itself is to blame.
    pub fn failure(&self) -> Option<&Built> {
        self.builds.iter().rev().find(|build| matches!(build.result, EndKind::Failed | EndKind::Unresolvable))
    }
}

pub(crate) fn packages(memory: &Memory) -> Vec<Package> {
    let mut builds: HashMap<PackageId, Vec<Built>> = HashMap::new();
    for row in &memory.builds {
        builds.entry(row.new.package).or_default().extend(built(row));
    }
    let mut packages: Vec<Package> =
        memory.packages.iter().map(|row| package(row, builds.remove(&row.id).unwrap_or_default())).collect();
    let baselines = Baselines::new(&packages, &memory.native);
    for place in 0..packages.len() {
        let penalty = packages.get(place).and_then(|package| baselines.penalty(package));
        if let Some(package) = packages.get_mut(place) {
            package.penalty = penalty;
        }
    }
    packages
}

fn package(row: &PackageRow, builds: Vec<Built>) -> Package {
    let is_imported = builds
        .iter()
        .rev()
        .find(|build| build.result == EndKind::Built)
        .is_some_and(|build| build.mode.mode == Mode::Imported);
    Package {
        suite: row.suite.clone(),
        component: row.planned.component.clone(),
        source: row.planned.source.clone(),
        version: row.planned.version.clone(),
        target: row.planned.target.clone(),
        outcome: Outcome::of(row.state, is_imported),
        state: row.state.name().to_owned(),
        reason: row.reason.clone(),
        class: row.class.clone(),
        nocheck: row.planned.nocheck,
        builds,
        penalty: None,
    }
}

fn built(row: &BuildRow) -> Option<Built> {
    let end = row.end.as_ref()?;
    let millis =
        |time: Option<Duration>| time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    Some(Built {
        number: row.id.0,
        version: row.new.version.clone(),
        mode: row.new.rung,
        machine: row.new.machine.clone(),
        result: end.kind,
        class: end.class.clone(),
        message: end.message.clone(),
        wall_ms: millis(end.wall),
        cpu_ms: millis(end.cpu),
        build_cpu_ms: millis(end.build_cpu),
        peak_memory_bytes: end.peak_memory_bytes,
        compiler_emulated: end.compiler_emulated,
    })
}

/// Native builds to tell penalties against.
struct Baselines {
    elsewhere: HashMap<(String, String), Vec<NativeTime>>,
    /// CPU time of builds for amd64, by suite, source and version.
    amd64: HashMap<(String, String, String), u64>,
}

impl Baselines {
    fn new(packages: &[Package], native: &[NativeTime]) -> Self {
        let mut elsewhere: HashMap<_, Vec<_>> = HashMap::new();
        for time in native {
            elsewhere.entry((time.source.clone(), time.target.clone())).or_default().push(time.clone());
        }
        let amd64 = packages
            .iter()
            .filter(|package| package.target == "amd64")
            .filter_map(|package| {
                let build = package.success().filter(|build| build.mode.mode == Mode::Native)?;
                let key = (package.suite.clone(), package.source.clone(), build.version.clone());
                Some((key, build.build_cpu_ms?))
            })
            .collect();
        Self { elsewhere, amd64 }
    }

    fn penalty(&self, package: &Package) -> Option<Penalty> {
        let build =
            package.success().filter(|build| build.mode.mode.is_emulating() && !build.compiler_emulated)?;
        let (baseline, own, native) = self.beside(package, build)?;
        if native == 0 {
            return None;
        }
        #[allow(clippy::cast_precision_loss)]
        let times = own as f64 / native as f64;
        Some(Penalty { mode: build.mode, times, baseline })
    }

    /// The best baseline that there is, with what the build took and what the native one did, in milliseconds.
    fn beside(&self, package: &Package, build: &Built) -> Option<(Baseline, u64, u64)> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let times = self.elsewhere.get(&(package.source.clone(), package.target.clone()));
        let time = times.and_then(|times| {
            let of = |version: Option<&str>| times.iter().find(|time| time.version.as_deref() == version);
            of(Some(&build.version)).or_else(|| of(None))
        });
        let elsewhere = time.and_then(|time| match (build.build_cpu_ms, time.cpu, build.wall_ms) {
            (Some(own), Some(native), _) => Some((Baseline::NativeCpu, own, millis(native))),
            (_, _, Some(own)) => Some((Baseline::NativeWall, own, millis(time.wall))),
            _ => None,
        });
        elsewhere.or_else(|| {
            let key = (package.suite.clone(), package.source.clone(), build.version.clone());
            Some((Baseline::Amd64Cpu, build.build_cpu_ms?, *self.amd64.get(&key)?))
        })
    }
}
