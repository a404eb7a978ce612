//! Cycles of needs: which jobs need each other, and which of these needs are met by the seed instead.
//!
//! An archive cannot be built from nothing: gcc needs gcc. A need that is *broken* is met by the seed, the upstream
//! archive's package (or the farm's own from before), so that the job does not wait for it. Two rules, in this order:
//!
//! 1. What the base set itself needs, directly or not, is built in the seed's base set. All other builds wait for the
//!    farm's own.
//! 2. In each strongly connected component that remains, jobs are put in an order by the greedy heuristic of Eades, Lin
//!    and Smyth ("A fast and effective heuristic for the feedback arc set problem", 1993), which keeps most of the needs; those
//!    that point against it are broken. Where the heuristic is free to choose, the job with the smaller id comes first.
//!
//! Both depend on the needs and the order of the jobs alone, so the same archive is always cut in the same places.

use super::Adjacency;
use super::feedback;
use crate::ids::JobId;

/// What of a graph was cyclic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cycles {
    /// Sets of jobs that need each other, before anything was broken; the members are ordered, the sets by their first member.
    pub components: Vec<Vec<JobId>>,
    /// Broken needs: the job, and what it takes from the seed. Ordered.
    pub broken: Vec<(JobId, JobId)>,
}

/// Breaks the cycles in `needs`; `is_base` tells which jobs are base sets.
pub fn break_cycles(needs: &mut Adjacency, is_base: impl Fn(JobId) -> bool) -> Cycles {
    let component = Components::of(needs);
    let components = component.cyclic();
    let mut broken = needs.split_off(|job, on| is_base(on) && component.together(job, on));
    let remaining = Components::of(needs);
    let mut place = vec![0; needs.jobs()];
    for members in remaining.cyclic() {
        for (number, job) in feedback::order(needs, &members, &remaining).into_iter().enumerate() {
            place[job.index()] = number;
        }
    }
    broken.extend(
        needs.split_off(|job, on| remaining.together(job, on) && place[on.index()] > place[job.index()]),
    );
    broken.sort_unstable();
    Cycles { components, broken }
}

/// The strongly connected component of each job.
#[derive(Debug)]
pub(crate) struct Components {
    of: Vec<u32>,
}

impl Components {
    /// Tarjan's algorithm, with a stack of its own: paths of an archive are longer than a thread's stack is deep.
    pub(crate) fn of(needs: &Adjacency) -> Self {
        const UNSEEN: u32 = 0;
        const DONE: u32 = u32::MAX;
        let size = needs.jobs();
        let (mut number, mut low, mut of) = (vec![UNSEEN; size], vec![0; size], vec![0; size]);
        let (mut open, mut path, mut next, mut found) = (Vec::new(), Vec::new(), 1, 0);
        for root in needs.ids() {
            if number[root.index()] != UNSEEN {
                continue;
            }
            path.push((root, 0));
            while let Some(&mut (job, ref mut at)) = path.last_mut() {
                let here = job.index();
                if *at == 0 {
                    (number[here], low[here]) = (next, next);
                    next += 1;
                    open.push(job);
                }
                if let Some(&on) = needs.of(job).get(*at) {
                    *at += 1;
                    match number[on.index()] {
                        UNSEEN => path.push((on, 0)),
                        DONE => {}
                        seen => low[here] = low[here].min(seen),
                    }
                    continue;
                }
                path.pop();
                if let Some(&(before, _)) = path.last() {
                    low[before.index()] = low[before.index()].min(low[here]);
                }
                if low[here] == number[here] {
                    while let Some(member) = open.pop() {
                        number[member.index()] = DONE;
                        of[member.index()] = found;
                        if member == job {
                            break;
                        }
                    }
                    found += 1;
                }
            }
        }
        Self { of }
    }

    /// Whether two jobs need each other.
    pub(crate) fn together(&self, one: JobId, other: JobId) -> bool {
        self.of[one.index()] == self.of[other.index()]
    }

    /// Components of more than one job; members are ordered, components by their first member.
    pub(crate) fn cyclic(&self) -> Vec<Vec<JobId>> {
        let mut members = vec![Vec::new(); self.of.len()];
        for (job, &component) in self.of.iter().enumerate() {
            members[component as usize].push(JobId::at(job));
        }
        members.retain(|members| members.len() > 1);
        members.sort_unstable_by_key(|members| members[0]);
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: usize) -> JobId {
        JobId::at(index)
    }

    fn needs(lists: &[&[usize]]) -> Adjacency {
        Adjacency::from_lists(lists.iter().map(|list| list.iter().map(|&on| id(on)).collect()))
    }

    #[test]
    fn what_the_base_set_needs_is_built_in_the_seed_and_the_rest_waits() {
        // 0 is the base set, made of gcc (1) and libc (2), which need it; 3 is any other package.
        let mut needs = needs(&[&[1, 2], &[0, 2], &[0], &[0]]);
        let cycles = break_cycles(&mut needs, |job| job == id(0));
        assert_eq!(cycles.components, [[id(0), id(1), id(2)]]);
        assert_eq!(cycles.broken, [(id(1), id(0)), (id(2), id(0))]);
        assert_eq!((needs.of(id(1)), needs.of(id(3))), (&[id(2)][..], &[id(0)][..]));
    }

    #[test]
    fn a_ring_is_cut_once() {
        let mut needs = needs(&[&[1], &[2], &[3], &[0]]);
        let cycles = break_cycles(&mut needs, |_| false);
        assert_eq!(cycles.broken.len(), 1, "{:?}", cycles.broken);
        assert_eq!(Components::of(&needs).cyclic().len(), 0);
    }

    #[test]
    fn a_job_that_many_need_keeps_its_dependents() {
        // Everything needs 0, which needs one of them: that one need goes, not the many.
        let mut needs = needs(&[&[3], &[0], &[0, 1], &[0, 1, 2]]);
        let cycles = break_cycles(&mut needs, |_| false);
        assert_eq!(cycles.broken, [(id(0), id(3))]);
    }
}
