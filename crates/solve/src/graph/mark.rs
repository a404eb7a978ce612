//! Finding a set of packages without search: what has no alternative first, then the first choice of each
//! relation that is still open.
//!
//! What is found is a solution. Where nothing is found there may be one nevertheless.

use super::{Dead, Graph};

/// How often a failed choice is avoided in another attempt.
const ATTEMPTS: usize = 12;
/// Stamp of what is there for every request.
const ALWAYS: u32 = u32::MAX;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There is a solution: the base and what [`Marker::found`] tells.
    Found,
    /// None was found; a search must tell.
    Open,
}

/// A choice between packages, and which was taken.
#[derive(Clone, Copy)]
struct Choice {
    target: u32,
}

/// Marks packages as chosen or refused; used again for each request.
///
/// A mark is the number of the attempt that made it, so that none has to be taken back.
#[derive(Clone, Debug)]
pub(crate) struct Marker {
    stamp: u32,
    chosen: Vec<u32>,
    refused: Vec<u32>,
    /// Which choice brought a package, by number of the choice plus one.
    brought_by: Vec<u32>,
    /// Which choice brought what refuses a package.
    refused_by: Vec<u32>,
    seen_groups: Vec<u32>,
    avoided: Vec<u32>,
    /// Counts requests, for `avoided`.
    request: u32,
    trail: Vec<u32>,
    open: Vec<u32>,
    deferred: Vec<u32>,
}

impl Marker {
    /// `base` is there for every request.
    pub(crate) fn new(graph: &Graph, base: &[u32]) -> Self {
        let size = graph.len();
        let mut marker = Self {
            stamp: 0,
            chosen: vec![0; size],
            refused: vec![0; size],
            brought_by: vec![0; size],
            refused_by: vec![0; size],
            seen_groups: Vec::new(),
            avoided: vec![0; size],
            request: 0,
            trail: Vec::new(),
            open: Vec::new(),
            deferred: Vec::new(),
        };
        for &package in base {
            marker.chosen[package as usize] = ALWAYS;
            for refused in graph.refused_by(package) {
                marker.refused[refused as usize] = ALWAYS;
            }
        }
        marker
    }

    /// What was chosen on top of the base for the last request.
    pub(crate) fn found(&self) -> &[u32] {
        &self.trail
    }

    /// Looks for packages that satisfy the groups, none of which the negatives refuse.
    pub(crate) fn find(&mut self, graph: &Graph, dead: &Dead, groups: &[u32], negatives: &[u32]) -> Outcome {
        self.request += 1;
        self.seen_groups.resize(graph.groups.len(), 0);
        for _ in 0..ATTEMPTS {
            match self.attempt(graph, dead, groups, negatives) {
                Ok(()) => return Outcome::Found,
                Err(Some(choice)) => self.avoided[choice.target as usize] = self.request,
                Err(None) => break,
            }
        }
        Outcome::Open
    }

    /// Fails with the choice that led there, `None` if there was none.
    fn attempt(
        &mut self,
        graph: &Graph,
        dead: &Dead,
        groups: &[u32],
        negatives: &[u32],
    ) -> Result<(), Option<Choice>> {
        self.stamp += 1;
        self.trail.clear();
        self.deferred.clear();
        self.open.clear();
        self.open.extend_from_slice(groups);
        let mut choices: Vec<Choice> = Vec::new();
        let blame = |choices: &[Choice], number: u32| {
            (number as usize).checked_sub(1).and_then(|at| choices.get(at).copied())
        };
        for &package in negatives.iter().flat_map(|&negative| graph.negatives.get(negative)) {
            if self.is_chosen(package) {
                return Err(None);
            }
            // What the base refuses stays refused for the next request.
            self.refused[package as usize] = self.refused[package as usize].max(self.stamp);
            self.refused_by[package as usize] = 0;
        }
        let mut next_deferred = 0;
        loop {
            while let Some(group) = self.open.pop() {
                let Err(number) = self.look_at(graph, dead, group, choices.len()) else { continue };
                return Err(blame(&choices, number));
            }
            let Some(&group) = self.deferred.get(next_deferred) else { return Ok(()) };
            next_deferred += 1;
            let targets = graph.groups.get(group);
            if targets.iter().any(|&target| self.is_chosen(target)) {
                continue;
            }
            let Some(target) = self.best(dead, targets) else {
                let number = self.latest_refusal(targets);
                return Err(blame(&choices, number));
            };
            choices.push(Choice { target });
            self.choose(graph, target, choices.len()).map_err(|number| blame(&choices, number))?;
        }
    }

    /// Takes the only package that satisfies a group, or defers the choice.
    fn look_at(&mut self, graph: &Graph, dead: &Dead, group: u32, choices: usize) -> Result<(), u32> {
        if std::mem::replace(&mut self.seen_groups[group as usize], self.stamp) == self.stamp {
            return Ok(());
        }
        let mut only = None;
        let mut usable = 0;
        let targets = graph.groups.get(group);
        for &target in targets {
            if self.is_chosen(target) {
                return Ok(());
            }
            if self.is_usable(dead, target) {
                usable += 1;
                only = only.or(Some(target));
            }
        }
        match only {
            None => Err(self.latest_refusal(targets)),
            Some(only) if usable == 1 => self.choose(graph, only, choices),
            Some(_) => {
                self.deferred.push(group);
                Ok(())
            }
        }
    }

    /// The first usable one; one that failed before only where there is no other.
    fn best(&self, dead: &Dead, targets: &[u32]) -> Option<u32> {
        let usable = || targets.iter().copied().filter(|&target| self.is_usable(dead, target));
        usable().find(|&target| self.avoided[target as usize] != self.request).or_else(|| usable().next())
    }

    /// Fails with the number of the choice to blame.
    // There are fewer choices than packages.
    #[allow(clippy::cast_possible_truncation)]
    fn choose(&mut self, graph: &Graph, package: u32, choices: usize) -> Result<(), u32> {
        let by = choices as u32;
        self.chosen[package as usize] = self.stamp;
        self.brought_by[package as usize] = by;
        self.trail.push(package);
        for refused in graph.refused_by(package) {
            if refused == package {
                continue;
            }
            if self.is_chosen(refused) {
                return Err(by);
            }
            if self.refused[refused as usize] < self.stamp {
                self.refused[refused as usize] = self.stamp;
                self.refused_by[refused as usize] = by;
            }
        }
        self.open.extend_from_slice(graph.groups_of(package));
        Ok(())
    }

    fn latest_refusal(&self, targets: &[u32]) -> u32 {
        let refused = targets.iter().filter(|&&target| self.refused[target as usize] == self.stamp);
        refused.map(|&target| self.refused_by[target as usize]).max().unwrap_or(0)
    }

    fn is_chosen(&self, package: u32) -> bool {
        self.chosen[package as usize] >= self.stamp
    }

    fn is_usable(&self, dead: &Dead, package: u32) -> bool {
        self.refused[package as usize] < self.stamp && !dead.is_dead(package)
    }
}
