//! A build graph without cycles.

use archmill_deb::Arch;

use super::Adjacency;
use super::cycles::{Cycles, break_cycles};
use crate::ids::{JobId, TargetId};
use crate::job::{Job, JobKind};

/// What a graph is made of; may be cyclic.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What is built for; jobs refer to it by [`TargetId`].
    pub targets: Vec<Arch>,
    /// Names of the components.
    pub components: Vec<String>,
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Which jobs each waits for.
    pub needs: Adjacency,
    /// Which jobs each would rather wait for: twins of the tools in its root. It can do without.
    pub wants: Adjacency,
}

/// Jobs, and an order in which each comes after all that it needs.
#[derive(Clone, Debug)]
pub struct Graph {
    parts: Parts,
    needed_by: Adjacency,
    wanted_by: Adjacency,
    order: Vec<JobId>,
    cycles: Cycles,
}

impl Graph {
    /// Breaks the cycles.
    pub fn new(mut parts: Parts) -> Self {
        let jobs = &parts.jobs;
        let cycles = break_cycles(&mut parts.needs, |job| jobs[job.index()].kind == JobKind::BaseSet);
        let (needed_by, wanted_by) = (parts.needs.reversed(), parts.wants.reversed());
        let order = order(&parts.needs, &needed_by);
        Self { parts, needed_by, wanted_by, order, cycles }
    }

    /// How many jobs there are, base sets among them.
    pub fn len(&self) -> usize {
        self.parts.jobs.len()
    }

    /// Whether there is no job at all.
    pub fn is_empty(&self) -> bool {
        self.parts.jobs.is_empty()
    }

    /// A job.
    pub fn job(&self, job: JobId) -> &Job {
        &self.parts.jobs[job.index()]
    }

    /// Every job.
    pub fn jobs(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.parts.needs.ids().zip(&self.parts.jobs)
    }

    /// Another version of a job's source; what it needs stays.
    pub(crate) fn set_version(&mut self, job: JobId, version: Box<str>) {
        self.parts.jobs[job.index()].version = version;
    }

    /// What a job is built for.
    pub fn target(&self, target: TargetId) -> &Arch {
        &self.parts.targets[target.index()]
    }

    /// Everything that is built for.
    pub fn targets(&self) -> &[Arch] {
        &self.parts.targets
    }

    /// What a job's results are for: of a toolchain the architecture that it makes code for, not the one that it runs on.
    pub fn made_for(&self, job: JobId) -> &Arch {
        let job = self.job(job);
        match &job.kind {
            JobKind::Toolchain { makes, .. } => makes,
            JobKind::Package | JobKind::BaseSet => self.target(job.target),
        }
    }

    /// Names of the components.
    pub fn components(&self) -> &[String] {
        &self.parts.components
    }

    /// What a job waits for.
    pub fn needs(&self, job: JobId) -> &[JobId] {
        self.parts.needs.of(job)
    }

    /// What waits for a job.
    pub fn needed_by(&self, job: JobId) -> &[JobId] {
        self.needed_by.of(job)
    }

    /// What a job would rather wait for.
    pub fn wants(&self, job: JobId) -> &[JobId] {
        self.parts.wants.of(job)
    }

    /// What would rather wait for a job.
    pub fn wanted_by(&self, job: JobId) -> &[JobId] {
        self.wanted_by.of(job)
    }

    /// All jobs, each after what it needs.
    pub fn order(&self) -> &[JobId] {
        &self.order
    }

    /// What was cyclic, and where it was broken.
    pub fn cycles(&self) -> &Cycles {
        &self.cycles
    }

    /// A job in words.
    pub fn describe(&self, job: JobId) -> String {
        let job = self.job(job);
        job.describe(self.target(job.target)).to_string()
    }

    /// How many needs there are.
    pub fn edges(&self) -> usize {
        self.parts.needs.entries()
    }
}

fn order(needs: &Adjacency, needed_by: &Adjacency) -> Vec<JobId> {
    let mut open: Vec<usize> = needs.ids().map(|job| needs.of(job).len()).collect();
    let mut order: Vec<JobId> = needs.ids().filter(|job| open[job.index()] == 0).collect();
    let mut next = 0;
    while let Some(&job) = order.get(next) {
        next += 1;
        for &dependent in needed_by.of(job) {
            open[dependent.index()] -= 1;
            if open[dependent.index()] == 0 {
                order.push(dependent);
            }
        }
    }
    debug_assert_eq!(order.len(), needs.jobs(), "the cycles are broken");
    order
}
