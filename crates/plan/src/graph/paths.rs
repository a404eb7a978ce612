//! Longest paths through a graph: what is urgent, and how fast all of it can be at best.

use std::time::Duration;

use super::Graph;
use crate::ids::JobId;

/// Longest paths for given durations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// For each job, the longest time from its start to the end of whatever waits for it: the longest remaining path.
    pub to_end: Vec<Duration>,
    /// For each job, the earliest moment at which it can end if nothing waits for a machine, from the start of all.
    pub earliest_end: Vec<Duration>,
}

/// The longest paths if each job takes what `duration` tells.
pub fn longest_paths(graph: &Graph, duration: impl Fn(JobId) -> Duration) -> Paths {
    let mut paths =
        Paths { to_end: vec![Duration::ZERO; graph.len()], earliest_end: vec![Duration::ZERO; graph.len()] };
    let longest =
        |jobs: &[JobId], of: &[Duration]| jobs.iter().map(|job| of[job.index()]).max().unwrap_or_default();
    for &job in graph.order() {
        paths.earliest_end[job.index()] = longest(graph.needs(job), &paths.earliest_end) + duration(job);
    }
    for &job in graph.order().iter().rev() {
        paths.to_end[job.index()] = longest(graph.needed_by(job), &paths.to_end) + duration(job);
    }
    paths
}

impl Paths {
    /// Length of the critical path.
    pub fn critical(&self) -> Duration {
        self.to_end.iter().copied().max().unwrap_or_default()
    }

    /// The jobs of the critical path, from the first to the last. Of paths of the same length, that of the smaller ids.
    pub fn critical_path(&self, graph: &Graph) -> Vec<JobId> {
        let longest = |jobs: &mut dyn Iterator<Item = JobId>| {
            jobs.max_by_key(|job| (self.to_end[job.index()], std::cmp::Reverse(*job)))
        };
        let mut path = Vec::new();
        let mut next = longest(&mut graph.jobs().map(|(job, _)| job));
        while let Some(job) = next {
            path.push(job);
            next = longest(&mut graph.needed_by(job).iter().copied());
        }
        path
    }
}
