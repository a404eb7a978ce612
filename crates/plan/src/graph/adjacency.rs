//! Lists of jobs by job, packed.

use crate::ids::JobId;

/// For each job a list of jobs, ordered and without repetition.
///
/// Two arrays, as a whole archive has tens of millions of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjacency {
    /// The list of job `j` is `targets[starts[j]..starts[j + 1]]`.
    starts: Vec<usize>,
    targets: Vec<JobId>,
}

impl Adjacency {
    /// No entry, for so many jobs.
    pub fn empty(jobs: usize) -> Self {
        Self { starts: vec![0; jobs + 1], targets: Vec::new() }
    }

    /// From one list for each job; these are ordered, and what is there twice or names the job itself is left out.
    pub fn from_lists(lists: impl IntoIterator<Item = Vec<JobId>>) -> Self {
        let mut made = Self { starts: vec![0], targets: Vec::new() };
        for (job, mut list) in lists.into_iter().enumerate() {
            list.sort_unstable();
            list.dedup();
            made.targets.extend(list.into_iter().filter(|target| target.index() != job));
            made.starts.push(made.targets.len());
        }
        made
    }

    /// How many jobs there are.
    pub fn jobs(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many entries there are.
    pub fn entries(&self) -> usize {
        self.targets.len()
    }

    /// The list of a job.
    pub fn of(&self, job: JobId) -> &[JobId] {
        &self.targets[self.starts[job.index()]..self.starts[job.index() + 1]]
    }

    /// Every job.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = JobId> + use<> {
        (0..self.jobs()).map(JobId::at)
    }

    /// The same entries, from the other end.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let mut starts = vec![0; self.jobs() + 1];
        for target in &self.targets {
            starts[target.index() + 1] += 1;
        }
        for job in 0..self.jobs() {
            starts[job + 1] += starts[job];
        }
        let mut next = starts.clone();
        let mut targets = vec![JobId::default(); self.targets.len()];
        for job in self.ids() {
            for target in self.of(job) {
                let place = &mut next[target.index()];
                targets[*place] = job;
                *place += 1;
            }
        }
        Self { starts, targets }
    }

    /// Leaves out the entries (a job, one of its list) that `refuse` names, and returns them.
    pub(crate) fn split_off(&mut self, mut refuse: impl FnMut(JobId, JobId) -> bool) -> Vec<(JobId, JobId)> {
        let mut refused = Vec::new();
        let mut kept = 0;
        let mut start = 0;
        for job in 0..self.jobs() {
            let end = self.starts[job + 1];
            for place in start..end {
                let target = self.targets[place];
                if refuse(JobId::at(job), target) {
                    refused.push((JobId::at(job), target));
                } else {
                    self.targets[kept] = target;
                    kept += 1;
                }
            }
            start = end;
            self.starts[job + 1] = kept;
        }
        self.targets.truncate(kept);
        refused
    }
}
