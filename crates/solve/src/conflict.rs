//! The smallest set of relations that cannot all hold.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::ids::PackageId;
use crate::relations::Group;
use crate::search::{self, Fact, Part, Scope};

/// Relations that contradict each other, none of which can be left out.
pub(crate) fn core(scope: Scope<'_>, facts: &[Fact]) -> Vec<Fact> {
    if let Some(proof) = dead_end(scope) {
        return reduced(scope, proof);
    }
    let mut kept = HashSet::new();
    minimise(scope, &mut kept, false, facts)
}

/// Relations that lead to what is missing, without those that can be left out. There are such only where
/// the way leads through two versions of one package, of which one refuses the other already.
pub(crate) fn reduced(scope: Scope<'_>, proof: Vec<Fact>) -> Vec<Fact> {
    let mut slots = HashSet::new();
    let mut owners = proof.iter().filter_map(|fact| fact.owner);
    if owners.all(|owner| slots.insert(scope.universe.row(owner).slot)) {
        return proof;
    }
    minimise(scope, &mut HashSet::new(), false, &proof)
}

/// QuickXplain (Junker 2004): halves are dropped whole where the rest still contradicts itself.
fn minimise(scope: Scope<'_>, background: &mut HashSet<Fact>, changed: bool, facts: &[Fact]) -> Vec<Fact> {
    if changed && search::contradict(scope, background) {
        return Vec::new();
    }
    if facts.len() <= 1 {
        return facts.to_vec();
    }
    let (first, second) = facts.split_at(facts.len() / 2);
    let from_second = with(background, first, |background| minimise(scope, background, true, second));
    let changed = !from_second.is_empty();
    let mut from_first =
        with(background, &from_second, |background| minimise(scope, background, changed, first));
    from_first.extend(from_second);
    from_first
}

fn with<T>(set: &mut HashSet<Fact>, more: &[Fact], run: impl FnOnce(&mut HashSet<Fact>) -> T) -> T {
    let added: Vec<Fact> = more.iter().copied().filter(|&fact| set.insert(fact)).collect();
    let result = run(set);
    for fact in added {
        set.remove(&fact);
    }
    result
}

/// The most frequent case needs no search: something is missing, and all that needs it falls with it.
///
/// Gives the relations that lead from the goal to what is missing, by the shortest way.
fn dead_end(scope: Scope<'_>) -> Option<Vec<Fact>> {
    let dead = Dead::spread(scope);
    let roots = scope.goal.roots().enumerate();
    let (number, root) = roots
        .filter_map(|(number, root)| dead.rank(scope, &root.group).map(|rank| (rank, number, root)))
        .min_by_key(|&(rank, number, _)| (rank, number))
        .map(|(_, number, root)| (number, root))?;
    let mut proof = vec![Fact { owner: None, part: Part::Group(number) }];
    let mut seen = HashSet::new();
    let mut queue: VecDeque<PackageId> = allowed(scope, &root.group).collect();
    while let Some(package) = queue.pop_front() {
        if !seen.insert(package) {
            continue;
        }
        let (_, number) = dead.packages[&package];
        proof.push(Fact { owner: Some(package), part: Part::Group(number) });
        queue.extend(allowed(scope, &scope.universe.deps(package).groups[number]));
    }
    Some(proof)
}

fn allowed<'a>(scope: Scope<'a>, group: &'a Group) -> impl Iterator<Item = PackageId> + 'a {
    group.targets().filter(move |&target| search::is_allowed(scope, target))
}

/// Packages that cannot be installed for want of something, with how far away it is and by which group.
struct Dead {
    packages: HashMap<PackageId, (u32, usize)>,
}

impl Dead {
    fn spread(scope: Scope<'_>) -> Self {
        let reachable = reachable(scope);
        let mut dead = Self { packages: HashMap::new() };
        let mut rank = 1;
        loop {
            let newly: Vec<_> = reachable
                .iter()
                .filter(|package| !dead.packages.contains_key(package))
                .filter_map(|&package| {
                    let groups = &scope.universe.deps(package).groups;
                    let number = groups.iter().position(|group| dead.rank(scope, group).is_some())?;
                    Some((package, (rank, number)))
                })
                .collect();
            if newly.is_empty() {
                return dead;
            }
            dead.packages.extend(newly);
            rank += 1;
        }
    }

    /// `None` if the group can be satisfied as far as is known, else the distance to what is missing.
    fn rank(&self, scope: Scope<'_>, group: &Group) -> Option<u32> {
        let mut rank = 0;
        for target in allowed(scope, group) {
            rank = rank.max(self.packages.get(&target)?.0);
        }
        Some(rank)
    }
}

fn reachable(scope: Scope<'_>) -> Vec<PackageId> {
    let mut seen: HashSet<PackageId> = HashSet::new();
    let mut found = Vec::new();
    let mut queue: VecDeque<PackageId> =
        scope.goal.roots().flat_map(|root| allowed(scope, &root.group)).collect();
    while let Some(package) = queue.pop_front() {
        if seen.insert(package) {
            found.push(package);
            queue.extend(scope.universe.deps(package).groups.iter().flat_map(|group| allowed(scope, group)));
        }
    }
    found
}
