//! How long builds really take in a simulation, and how they end.

use std::time::Duration;

use super::draw::Draw;
use crate::graph::Graph;
use crate::ids::JobId;
use crate::ladder::{Advice, Mode, Rung};
use crate::predict::{Penalties, Traits};
use crate::scheduler::{BuildId, End, Failure};

/// What is assumed of a world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct World {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// What half of the builds take at most, natively in one slot.
    pub median: Duration,
    /// Standard deviation of the logarithm of durations that the size of the source does not explain.
    pub unexplained: f64,
    /// Share of a build that takes less time in more slots (Amdahl's law).
    pub parallel: f64,
    /// What modes cost.
    pub penalties: Penalties,
    /// What goes wrong.
    pub chances: Chances,
}

/// How probable it is that something goes wrong, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Chances {
    /// A source does not build, whatever the mode.
    pub fails: f64,
    /// A source's tests need patience when emulated.
    pub needs_patience: f64,
    /// A source meets a bug of one version of QEMU.
    pub needs_other_qemu: f64,
    /// A source cannot be built by user-mode emulation.
    pub needs_native: f64,
    /// A build comes to nothing for no fault of the package.
    pub transient: f64,
}

impl Default for World {
    /// Durations as in the concept document: its 3,702 packages for each of two architectures took 15 instances with 2 CPUs each
    /// a week at 4.5 times native, 9 minutes natively on average, which is a median of 3 minutes.
    fn default() -> Self {
        Self {
            seed: 1,
            median: Duration::from_mins(3),
            unexplained: 1.0,
            parallel: 0.7,
            penalties: Penalties::default(),
            chances: Chances::default(),
        }
    }
}

/// How the duration of a build grows with the size of its source: a power of it.
const GROWTH: f64 = 0.55;
/// Differences between targets and between builds of the same source.
const JITTER: f64 = 0.1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    None,
    Fails,
    NeedsPatience,
    NeedsOtherQemu,
    NeedsNative,
}

/// A world, drawn for each job of a graph.
#[derive(Clone, Debug)]
pub struct Truth {
    world: World,
    native: Vec<Duration>,
    trouble: Vec<Trouble>,
}

impl Truth {
    /// Draws.
    pub fn new(world: World, graph: &Graph) -> Self {
        let middle = middle_growth(graph);
        let (mut native, mut trouble) = (Vec::new(), Vec::new());
        for (_, job) in graph.jobs() {
            let mut of_source = Draw::of(world.seed, &job.source);
            let mut of_job = Draw::of(world.seed, &format!("{}:{}", job.source, graph.target(job.target)));
            let log = growth(job.traits) - middle
                + world.unexplained * of_source.normal()
                + JITTER * of_job.normal();
            let is_work = !job.source.is_empty();
            native.push(if is_work { world.median.mul_f64(log.exp()) } else { Duration::ZERO });
            trouble.push(world.chances.trouble(of_source.unit()));
        }
        Self { world, native, trouble }
    }

    /// What is known of a job in place of what was drawn.
    pub(super) fn set(&mut self, job: JobId, native: Option<Duration>, trouble: Trouble) {
        self.trouble[job.index()] = trouble;
        if let Some(native) = native {
            self.native[job.index()] = native;
        }
    }

    /// The world that it was drawn for.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What a build takes in so many slots.
    pub fn duration(&self, job: JobId, rung: Rung, width: u32) -> Duration {
        let parallel = self.world.parallel;
        let factor = 1.0 - parallel + parallel / f64::from(width.max(1));
        self.world.penalties.apply(self.native[job.index()], rung).mul_f64(factor)
    }

    /// How a build ends, if nothing transient comes between.
    pub(super) fn failure(&self, job: JobId, rung: Rung) -> Option<(Failure, Advice)> {
        let emulating = rung.mode.is_emulating();
        let failure =
            |class: &str, why: &str, advice| Some((Failure { class: class.into(), why: why.into() }, advice));
        match self.trouble[job.index()] {
            _ if rung.mode == Mode::Imported => None,
            Trouble::Fails => failure("build", "the package does not build", Advice::Stop),
            Trouble::NeedsPatience if emulating && !rung.patient => {
                failure("test-timeout", "a test timed out", Advice::Patience)
            }
            Trouble::NeedsOtherQemu if emulating && rung.mode != Mode::OtherQemu => {
                failure("qemu-internal-crash", "QEMU crashed", Advice::Try(Mode::OtherQemu))
            }
            Trouble::NeedsNative if emulating => {
                failure("no-ptrace", "ptrace is not emulated", Advice::Beyond)
            }
            _ => None,
        }
    }

    /// When and how a build ends.
    pub(super) fn end(&self, job: JobId, build: BuildId, rung: Rung, width: u32) -> (Duration, End) {
        let took = self.duration(job, rung, width);
        let mut draw = Draw::of(self.world.seed ^ build.0, "transient");
        if rung.mode != Mode::Imported && draw.unit() < self.world.chances.transient {
            return (took.mul_f64(draw.unit()), End::Transient("the machine went away".into()));
        }
        match self.failure(job, rung) {
            Some((failure, advice)) => (took, End::Failed(failure, advice)),
            None => (took, End::Built { took }),
        }
    }
}

/// The median over the jobs of a graph.
pub(super) fn middle_growth(graph: &Graph) -> f64 {
    let packages = graph.jobs().filter(|(_, job)| !job.source.is_empty());
    let mut growths: Vec<f64> = packages.map(|(_, job)| growth(job.traits)).collect();
    growths.sort_unstable_by(f64::total_cmp);
    growths.get(growths.len() / 2).copied().unwrap_or_default()
}

// Sizes of sources are far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub(super) fn growth(traits: Traits) -> f64 {
    GROWTH * (traits.source_bytes as f64 / 1024.0).max(1.0).ln()
}

impl Chances {
    fn trouble(&self, drawn: f64) -> Trouble {
        let kinds = [
            (self.fails, Trouble::Fails),
            (self.needs_patience, Trouble::NeedsPatience),
            (self.needs_other_qemu, Trouble::NeedsOtherQemu),
            (self.needs_native, Trouble::NeedsNative),
        ];
        let mut sum = 0.0;
        for (chance, trouble) in kinds {
            sum += chance;
            if drawn < sum {
                return trouble;
            }
        }
        Trouble::None
    }
}
