//! Packages that cannot be installed whatever else is, because something is missing.

use super::{GONE, Graph};

/// How far a package or a group is from what is missing, from 1; 0 for those that are not dead.
#[derive(Clone, Debug)]
pub(crate) struct Dead {
    packages: Vec<u32>,
    groups: Vec<u32>,
    next_rank: u32,
}

impl Dead {
    pub(crate) fn new(graph: &Graph) -> Self {
        let mut dead =
            Self { packages: vec![0; graph.len()], groups: vec![0; graph.groups.len()], next_rank: 1 };
        dead.grow(graph);
        dead
    }

    fn grow(&mut self, graph: &Graph) {
        self.groups.resize(graph.groups.len(), 0);
        while self.spread(graph, self.next_rank) {
            self.next_rank += 1;
        }
    }

    /// After a change that revives nothing: packages have new numbers, and more may be dead.
    pub(crate) fn renumber(&mut self, graph: &Graph, replaced: &[u32]) {
        let old = std::mem::replace(&mut self.packages, vec![0; graph.len()]);
        for (rank, &new) in old.into_iter().zip(replaced) {
            if new != GONE {
                self.packages[new as usize] = rank;
            }
        }
        self.grow(graph);
    }

    /// Looks at groups that were made since.
    pub(crate) fn extend(&mut self, graph: &Graph) {
        for group in (0..).take(graph.groups.len()).skip(self.groups.len()) {
            let rank = self.group_rank(graph, group).unwrap_or(0);
            self.groups.push(rank);
        }
    }

    /// Whether a group was dead when it was last looked at.
    pub(crate) fn knows_dead_group(&self, group: u32) -> bool {
        self.groups.get(group as usize).is_some_and(|&rank| rank != 0)
    }

    /// One step: groups of which all are dead, then packages that need them. Tells whether there were any.
    fn spread(&mut self, graph: &Graph, rank: u32) -> bool {
        let mut found = false;
        for (group, state) in (0..).zip(&mut self.groups) {
            if *state == 0 && graph.groups.get(group).iter().all(|&t| self.packages[t as usize] != 0) {
                *state = rank;
                found = true;
            }
        }
        for (package, state) in (0..).zip(&mut self.packages) {
            if *state == 0 && graph.groups_of(package).iter().any(|&group| self.groups[group as usize] != 0) {
                *state = rank;
                found = true;
            }
        }
        found
    }

    pub(crate) fn is_dead(&self, package: u32) -> bool {
        self.packages[package as usize] != 0
    }

    /// How far a group is from what is missing; `None` if it may be satisfied. Groups made later are
    /// looked at anew.
    pub(crate) fn group_rank(&self, graph: &Graph, group: u32) -> Option<u32> {
        if let Some(&rank) = self.groups.get(group as usize) {
            return (rank != 0).then_some(rank);
        }
        graph.groups.get(group).iter().try_fold(1, |rank, &target| {
            let of_target = self.packages[target as usize];
            (of_target != 0).then_some(rank.max(of_target + 1))
        })
    }

    /// The relations that lead from a dead group to what is missing, by the shortest way: packages and
    /// which of their groups.
    pub(crate) fn chain(&self, graph: &Graph, group: u32) -> Vec<(u32, usize)> {
        let mut found: Vec<(u32, usize)> = Vec::new();
        let mut open: Vec<u32> = graph.groups.get(group).to_vec();
        let mut at = 0;
        while let Some(&package) = open.get(at) {
            at += 1;
            if found.iter().any(|&(known, _)| known == package) {
                continue;
            }
            let groups = graph.groups_of(package).iter().enumerate();
            let ranked = groups.filter_map(|(at, &g)| self.group_rank(graph, g).map(|rank| (rank, at, g)));
            if let Some((_, at, group)) = ranked.min() {
                found.push((package, at));
                open.extend(graph.groups.get(group));
            }
        }
        found
    }
}
