//! In which order packages of an install set can be unpacked and configured.

use std::collections::HashMap;

use crate::goal::PackageSet;
use crate::ids::PackageId;
use crate::install_set::InstallSet;
use crate::relations::Field;
use crate::universe::Universe;

/// Relations between the packages of one install set, by their positions in it.
#[derive(Debug)]
pub struct Order {
    /// Packages each one depends on.
    depends: Vec<Vec<usize>>,
    /// Packages each one pre-depends on.
    pre_depends: Vec<Vec<usize>>,
}

impl Order {
    /// Looks the relations up in the universe that the set was solved against.
    pub fn new(universe: &Universe, set: &InstallSet) -> Self {
        let ids: Vec<PackageId> = set.packages.iter().map(|package| package.id).collect();
        let members = PackageSet::new(universe, ids.iter().copied());
        let positions: HashMap<PackageId, usize> = ids.iter().enumerate().map(|(at, &id)| (id, at)).collect();
        let related = |id: PackageId, wanted: Field| {
            let groups = universe.deps(id).groups.iter().filter(move |group| group.field == wanted);
            // Of alternatives, all that are there: one would do, but which one dpkg meets first is open.
            let targets = groups.flat_map(|group| group.targets().filter(|&target| members.contains(target)));
            let mut found: Vec<usize> =
                targets.filter_map(|target| positions.get(&target).copied()).collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        Self {
            depends: ids.iter().map(|&id| related(id, Field::Depends)).collect(),
            pre_depends: ids.iter().map(|&id| related(id, Field::PreDepends)).collect(),
        }
    }

    /// What must be configured before a package's preinst runs: its Pre-Depends and all that those
    /// need in turn (Policy 7.2). Positions in the set, in ascending order.
    pub fn pre_depends_closure(&self, package: usize) -> Vec<usize> {
        let mut closure = self.closure(self.pre_depends[package].clone());
        closure.retain(|&needed| needed != package);
        closure
    }

    /// These packages and all that they need in turn. Positions in the set, in ascending order.
    pub fn closure(&self, packages: Vec<usize>) -> Vec<usize> {
        let mut seen = vec![false; self.depends.len()];
        let mut queue = packages;
        while let Some(next) = queue.pop() {
            if !std::mem::replace(&mut seen[next], true) {
                queue.extend(self.needs(next));
            }
        }
        (0..seen.len()).filter(|&at| seen[at]).collect()
    }

    /// Every package after those it depends on; within a cycle, after those it pre-depends on.
    ///
    /// Positions in the set; the same set gives the same order.
    pub fn configure_order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.depends.len());
        for cycle in components(self.depends.len(), |package| self.needs(package).collect()) {
            let inside = |package: usize| cycle.binary_search(&package);
            let pre = |at: usize| {
                self.pre_depends[cycle[at]]
                    .iter()
                    .filter_map(|&package| inside(package).ok())
                    .collect::<Vec<_>>()
            };
            for part in components(cycle.len(), pre) {
                order.extend(part.into_iter().map(|at| cycle[at]));
            }
        }
        order
    }

    fn needs(&self, package: usize) -> impl Iterator<Item = usize> + '_ {
        self.pre_depends[package].iter().chain(&self.depends[package]).copied()
    }
}

/// Strongly connected components of a graph, targets of edges first (Tarjan); each in ascending order.
fn components(size: usize, edges: impl Fn(usize) -> Vec<usize>) -> Vec<Vec<usize>> {
    let mut tarjan = Tarjan {
        edges,
        next: 0,
        index: vec![None; size],
        low: vec![0; size],
        on_stack: vec![false; size],
        stack: Vec::new(),
        found: Vec::new(),
    };
    for node in 0..size {
        if tarjan.index[node].is_none() {
            tarjan.visit(node);
        }
    }
    tarjan.found
}

struct Tarjan<E> {
    edges: E,
    next: usize,
    index: Vec<Option<usize>>,
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    found: Vec<Vec<usize>>,
}

impl<E: Fn(usize) -> Vec<usize>> Tarjan<E> {
    fn visit(&mut self, node: usize) {
        self.index[node] = Some(self.next);
        self.low[node] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.on_stack[node] = true;
        for target in (self.edges)(node) {
            match self.index[target] {
                None => {
                    self.visit(target);
                    self.low[node] = self.low[node].min(self.low[target]);
                }
                Some(index) if self.on_stack[target] => self.low[node] = self.low[node].min(index),
                Some(_) => {}
            }
        }
        if self.index[node] == Some(self.low[node]) {
            self.close(node);
        }
    }

    fn close(&mut self, node: usize) {
        let mut component = Vec::new();
        while let Some(member) = self.stack.pop() {
            self.on_stack[member] = false;
            component.push(member);
            if member == node {
                break;
            }
        }
        component.sort_unstable();
        self.found.push(component);
    }
}
