//! What no scheduler could be faster than.

use std::time::Duration;

use super::truth::Truth;
use crate::graph::{Graph, longest_paths};
use crate::ids::{JobId, TargetId};
use crate::job::JobKind;
use crate::ladder::{Ladder, Rung};
use crate::scheduler::{MachineKind, Policy, Settings};

/// Lower bounds of the makespan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Work over slots: what the slots need together, if they are never idle.
    pub work: Duration,
    /// The critical path, each build as wide as it may be.
    pub path: Duration,
    /// Both together: what can only begin after a path of some length needs its work over slots after that, and what has a
    /// path of some length behind it before. Counts where everything waits for a base set, or few packages for everything.
    pub staged: Duration,
}

impl Bounds {
    /// The largest of all.
    pub fn largest(&self) -> Duration {
        self.work.max(self.path).max(self.staged)
    }
}

/// So many lengths of paths are tried.
const STAGES: u32 = 16;

/// Bounds for a farm, from what builds really take in it: each in the modes that it needs, the best first.
pub fn lower_bounds(graph: &Graph, machines: &[MachineKind], settings: &Settings, truth: &Truth) -> Bounds {
    let times = |width: u32| -> Vec<Times> {
        graph.jobs().map(|(job, _)| Times::of(graph, job, machines, settings, truth, width)).collect()
    };
    let (narrow, wide) = (times(1), times(settings.max_width));
    let shortest = |job: JobId| {
        let Times { native, emulated } = &wide[job.index()];
        native.iter().chain(emulated).min().copied().unwrap_or_default()
    };
    let paths = longest_paths(graph, shortest);
    let classes = classes(graph.targets().len(), machines);
    let work = |counts: &dyn Fn(JobId) -> bool| {
        let of_class = |(targets, machines): &(Vec<bool>, Vec<&MachineKind>)| {
            let counts = |job: JobId| targets[graph.job(job).target.index()] && counts(job);
            work(graph, machines, &narrow, &counts)
        };
        classes.iter().map(of_class).max().unwrap_or_default()
    };
    let path = paths.critical();
    let of_lengths = (1..STAGES).map(|stage| {
        let length = path * stage / STAGES;
        let late = |job: JobId| paths.earliest_end[job.index()] >= length + shortest(job);
        let early = |job: JobId| paths.to_end[job.index()] >= length + shortest(job);
        length + work(&late).max(work(&early))
    });
    let staged = of_lengths.max().unwrap_or_default();
    Bounds { work: work(&|_| true), path, staged }
}

/// What a job takes on the way to its end, where it may be built.
#[derive(Clone, Copy)]
struct Times {
    native: Option<Duration>,
    emulated: Option<Duration>,
}

impl Times {
    fn of(
        graph: &Graph,
        job: JobId,
        machines: &[MachineKind],
        settings: &Settings,
        truth: &Truth,
        width: u32,
    ) -> Self {
        let Settings { policy, ladder, .. } = settings;
        let target = graph.job(job).target;
        if graph.job(job).kind == JobKind::BaseSet {
            return Self { native: None, emulated: None };
        }
        let native =
            |kind: &MachineKind| kind.native.contains(&target) && (*policy != Policy::X86Only || kind.is_x86);
        let emulated = |kind: &MachineKind| kind.emulated.contains(&target) && *policy != Policy::NativeOnly;
        let climb = |ladder: &Ladder| climb(job, ladder, truth, width);
        Self {
            native: machines.iter().any(native).then(|| climb(&Ladder::native())),
            emulated: machines.iter().any(emulated).then(|| climb(ladder)),
        }
    }
}

/// The time of all builds that a job needs to come to its end.
fn climb(job: JobId, ladder: &Ladder, truth: &Truth, width: u32) -> Duration {
    let (mut tried, mut time): (Vec<Rung>, _) = (Vec::new(), Duration::ZERO);
    let mut next = ladder.start(None);
    while let Some(rung) = next {
        tried.push(rung);
        time += truth.duration(job, rung, if rung.patient { 1 } else { width });
        next = truth.failure(job, rung).and_then(|(_, advice)| ladder.next(&tried, advice));
    }
    time
}

/// The smallest makespan in which all work fits into the slots, if it could be divided at will: what native machines cannot
/// do by then is emulated, that with the smallest penalty first.
fn work(
    graph: &Graph,
    machines: &[&MachineKind],
    times: &[Times],
    counts: &dyn Fn(JobId) -> bool,
) -> Duration {
    let pools = Pools::new(graph, machines, times, counts);
    let (mut low, mut high): (f64, f64) = (0.0, 1.0);
    while !pools.fits(high) {
        high *= 2.0;
        if high > 1e12 {
            return Duration::MAX;
        }
    }
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if pools.fits(middle) { high = middle } else { low = middle }
    }
    Duration::from_secs_f64(high)
}

/// Machines that share work, taken together, and the seconds that there are to do.
struct Pools {
    /// Slots, work of jobs that run nowhere else, and work of those that might be emulated.
    native: Vec<Pool>,
    /// Slots of machines that emulate, their native work, and work that can only be emulated.
    x86: (f64, f64),
}

/// See [`Pools::native`].
#[derive(Default)]
struct Pool {
    slots: f64,
    fixed: f64,
    /// Time natively, and emulated over native.
    movable: Vec<(f64, f64)>,
}

impl Pools {
    fn new(
        graph: &Graph,
        machines: &[&MachineKind],
        times: &[Times],
        counts: &dyn Fn(JobId) -> bool,
    ) -> Self {
        let not_x86 = machines.iter().filter(|kind| !kind.is_x86).map(|kind| kind.native.as_slice());
        let groups = merge(graph.targets().len(), not_x86);
        let count = groups.iter().max().map_or(0, |last| last + 1);
        let mut pools = Self { native: (0..count).map(|_| Pool::default()).collect(), x86: (0.0, 0.0) };
        for kind in machines {
            let slots = f64::from(kind.slots);
            if kind.is_x86 {
                pools.x86.0 += slots;
            } else if let Some(target) = kind.native.first() {
                pools.native[groups[target.index()]].slots += slots;
            }
        }
        let on_x86 =
            |target: TargetId| machines.iter().any(|kind| kind.is_x86 && kind.native.contains(&target));
        for (job, of_graph) in graph.jobs().filter(|(job, _)| counts(*job)) {
            let pool = &mut pools.native[groups[of_graph.target.index()]];
            match times[job.index()] {
                Times { native: Some(native), .. } if on_x86(of_graph.target) => {
                    pools.x86.1 += native.as_secs_f64();
                }
                Times { native: Some(native), emulated: Some(emulated) } => {
                    let native = native.as_secs_f64().max(1e-9);
                    pool.movable.push((native, emulated.as_secs_f64() / native));
                }
                Times { native: Some(native), emulated: None } => pool.fixed += native.as_secs_f64(),
                Times { native: None, emulated } => pools.x86.1 += emulated.unwrap_or_default().as_secs_f64(),
            }
        }
        for pool in &mut pools.native {
            pool.movable.sort_unstable_by(|one, other| one.1.total_cmp(&other.1));
        }
        pools
    }

    fn fits(&self, seconds: f64) -> bool {
        let (slots, mut load) = self.x86;
        for pool in &self.native {
            let room = pool.slots * seconds;
            if pool.fixed > room {
                return false;
            }
            let all: f64 = pool.fixed + pool.movable.iter().map(|(native, _)| native).sum::<f64>();
            let mut over = all - room;
            for (native, penalty) in &pool.movable {
                if over <= 0.0 {
                    break;
                }
                load += native.min(over) * penalty;
                over -= native;
            }
        }
        load <= slots * seconds
    }
}

/// A number for each target: that of another one where a list has both.
fn merge<'t>(targets: usize, lists: impl Iterator<Item = &'t [TargetId]>) -> Vec<usize> {
    let mut number: Vec<usize> = (0..targets).collect();
    for list in lists {
        let merged: Vec<usize> = list.iter().map(|target| number[target.index()]).collect();
        if let Some(&first) = merged.iter().min() {
            for of in &mut number {
                if merged.contains(of) {
                    *of = first;
                }
            }
        }
    }
    number
}

/// Targets and machines that have nothing to do with each other are slot classes of their own.
fn classes(targets: usize, machines: &[MachineKind]) -> Vec<(Vec<bool>, Vec<&MachineKind>)> {
    let lists: Vec<Vec<TargetId>> =
        machines.iter().map(|kind| kind.native.iter().chain(&kind.emulated).copied().collect()).collect();
    let number = merge(targets, lists.iter().map(Vec::as_slice));
    let class = |of: usize| {
        let is_in = |target: &TargetId| number[target.index()] == of;
        let machines = machines.iter().zip(&lists).filter(|(_, list)| list.iter().any(is_in));
        (number.iter().map(|&number| number == of).collect(), machines.map(|(kind, _)| kind).collect())
    };
    (0..targets).filter(|&of| number[of] == of).map(class).collect()
}
