//! From a request to an install set.

use std::sync::{Arc, Mutex, PoisonError};

use archmill_deb::Relations;

use crate::base::{self, SolvedBase};
use crate::choose::Chooser;
use crate::explain;
use crate::goal::{Goal, Origin, PackageSet, Refusal, Root, is_solution};
use crate::ids::{ArchId, PackageId};
use crate::install_set::{InstallSet, InstalledBy, Selected};
use crate::relations::Deps;
use crate::request::{Base, Request, Versions};
use crate::search::{self, Fact, Scope};
use crate::trace::{self, Strictness};
use crate::universe::Universe;
use crate::unsatisfiable::{Outcome, Reason, Subject, Unsatisfiable};

/// Solves one request. For several against one universe, a [`Solver`] keeps the base set.
pub fn solve(universe: &Universe, request: &Request) -> Result<InstallSet, Unsatisfiable> {
    Solver::new(universe).solve(request)
}

/// Solves requests against one universe; can be shared by threads.
#[derive(Debug)]
pub struct Solver<'u> {
    universe: &'u Universe,
    bases: Mutex<Vec<(Base, Versions, Arc<SolvedBase>)>>,
}

impl<'u> Solver<'u> {
    /// A solver that has not solved anything yet.
    pub fn new(universe: &'u Universe) -> Self {
        Self { universe, bases: Mutex::new(Vec::new()) }
    }

    /// The base set alone.
    pub fn base(&self, base: &Base) -> Result<InstallSet, Unsatisfiable> {
        let base = self.solved_base(base, Versions::Candidate)?;
        let packages = base.asked.iter().map(|&(package, asked)| {
            let by = InstalledBy::new(self.universe, base.roots.iter(), asked);
            Selected::new(self.universe.package(package), true, by)
        });
        Ok(InstallSet { packages: packages.collect(), removed_from_base: Vec::new() })
    }

    /// The packages that satisfy a request, those of its base among them.
    pub fn solve(&self, request: &Request) -> Result<InstallSet, Unsatisfiable> {
        let base = self.solved_base(&request.base, request.versions)?;
        let (wanted, refusals) = self.demands(request)?;
        let goal = Goal { base: &base.roots, wanted: &wanted, refusals: &refusals };
        let (packages, strictness) = self.choose(request, &base, goal)?;
        Ok(self.install_set(&base, goal, &packages, strictness))
    }

    pub(crate) fn solved_base(
        &self,
        base: &Base,
        versions: Versions,
    ) -> Result<Arc<SolvedBase>, Unsatisfiable> {
        let lock = || self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., solved)) = lock().iter().find(|(known, of, _)| known == base && *of == versions) {
            return Ok(solved.clone());
        }
        let solved = Arc::new(base::solve(self.universe, base, versions)?);
        lock().push((base.clone(), versions, solved.clone()));
        Ok(solved)
    }

    /// Any set at all; `preferred` are tried first. Fails with the relations that were looked at.
    pub(crate) fn search(
        &self,
        request: &Request,
        base: &SolvedBase,
        preferred: &[PackageId],
    ) -> Result<Vec<PackageId>, Vec<Fact>> {
        self.in_scope(request, base, preferred, search::search).unwrap_or_else(|_| Err(Vec::new()))
    }

    /// Why there is no set; `None` if there is one.
    pub(crate) fn unsatisfiable(&self, request: &Request, base: &SolvedBase) -> Option<Unsatisfiable> {
        match self.in_scope(request, base, &[], |scope| search_or_explain(scope).err()) {
            Ok(explanation) => explanation,
            Err(explanation) => Some(explanation),
        }
    }

    /// Why there is no set, from relations that lead to what is missing.
    pub(crate) fn explain_missing(
        &self,
        request: &Request,
        base: &SolvedBase,
        proof: Vec<Fact>,
    ) -> Option<Unsatisfiable> {
        self.in_scope(request, base, &[], |scope| explain::explain_missing(scope, proof)).ok()
    }

    fn in_scope<T>(
        &self,
        request: &Request,
        base: &SolvedBase,
        preferred: &[PackageId],
        run: impl FnOnce(Scope<'_>) -> T,
    ) -> Result<T, Unsatisfiable> {
        let (wanted, refusals) = self.demands(request)?;
        let goal = Goal { base: &base.roots, wanted: &wanted, refusals: &refusals };
        let versions = request.versions;
        Ok(run(Scope { universe: self.universe, goal, versions, locked: &[], preferred }))
    }

    /// The relations of a request, as sets of packages.
    fn demands(&self, request: &Request) -> Result<(Vec<Root>, Vec<Refusal>), Unsatisfiable> {
        let arch = match &request.arch {
            None => ArchId::NATIVE,
            Some(arch) => self.universe.arch_id(arch).ok_or_else(|| unknown_arch(request))?,
        };
        let none = Relations(Vec::new());
        let mut roots = Vec::new();
        for wanted in &request.wanted {
            let relations = request.counting(wanted);
            let deps = Deps::of_request(self.universe, arch, &relations, &none);
            for (group, relation) in deps.groups.into_iter().zip(relations.0) {
                let relation = Relations(vec![relation]).to_string();
                let (by, verb) = (wanted.by.clone(), wanted.verb.clone());
                let origin = Origin::Wanted { by, verb, relation, arch };
                roots.push(Root { origin, group });
            }
        }
        let by = request.wanted.first().map(|wanted| wanted.by.clone()).unwrap_or_default();
        let deps = Deps::of_request(self.universe, arch, &none, &request.conflicts);
        let refusals = deps.negatives.into_iter().map(|negative| Refusal {
            by: by.clone(),
            relation: request
                .conflicts
                .0
                .get(usize::from(negative.index))
                .map_or_else(String::new, |group| Relations(vec![group.clone()]).to_string()),
            negative,
        });
        Ok((roots, refusals.collect()))
    }

    /// First as apt chooses; if that breaks something, by search on top of the base; then with the
    /// base free to change as well.
    fn choose(
        &self,
        request: &Request,
        base: &SolvedBase,
        goal: Goal<'_>,
    ) -> Result<(Vec<PackageId>, Strictness), Unsatisfiable> {
        let marked = self.mark(request, base, goal);
        if is_solution(self.universe, goal, &marked) {
            return Ok((marked, Strictness::Every));
        }
        let free = Scope {
            universe: self.universe,
            goal,
            versions: request.versions,
            locked: &[],
            preferred: &marked,
        };
        // A locked base may refuse what the request needs, or need what it refuses.
        if let Ok(found) = search::search(Scope { locked: &base.packages, ..free }) {
            return Ok((found, Strictness::First));
        }
        search_or_explain(free).map(|found| (found, Strictness::First))
    }

    fn mark(&self, request: &Request, base: &SolvedBase, goal: Goal<'_>) -> Vec<PackageId> {
        let mut chooser = Chooser::new(self.universe, &base.packages);
        // `apt-get build-dep` asks for build-essential once more, which protects what it needs.
        if request.base.packages.iter().any(|name| name == "build-essential") {
            let again = goal.base.iter().filter(
                |root| matches!(&root.origin, Origin::Base { relation, .. } if relation == "build-essential"),
            );
            chooser.satisfy(again.map(|root| &root.group), []);
        }
        let groups = goal.wanted.iter().map(|root| &root.group);
        chooser.satisfy(groups, goal.refusals.iter().map(|refusal| &refusal.negative));
        chooser.installed()
    }

    fn install_set(
        &self,
        base: &SolvedBase,
        goal: Goal<'_>,
        packages: &[PackageId],
        strictness: Strictness,
    ) -> InstallSet {
        let universe = self.universe;
        let of_base = PackageSet::new(universe, base.packages.iter().copied());
        let there = PackageSet::new(universe, packages.iter().copied());
        let mut selected = Vec::new();
        let mut removed_from_base = Vec::new();
        for &(package, asked) in &base.asked {
            let by = InstalledBy::new(universe, base.roots.iter(), asked);
            let package_of_base = Selected::new(universe.package(package), true, by);
            if there.contains(package) { &mut selected } else { &mut removed_from_base }
                .push(package_of_base);
        }
        for (package, asked) in trace::trace(universe, goal.roots(), packages, &base.packages, strictness) {
            if !of_base.contains(package) {
                let by = InstalledBy::new(universe, goal.roots(), asked);
                selected.push(Selected::new(universe.package(package), false, by));
            }
        }
        selected.sort_unstable_by_key(|package| package.id);
        InstallSet { packages: selected, removed_from_base }
    }
}

pub(crate) fn search_or_explain(scope: Scope<'_>) -> Result<Vec<PackageId>, Unsatisfiable> {
    search::search(scope).map_err(|facts| explain::explain(scope, &facts))
}

fn unknown_arch(request: &Request) -> Unsatisfiable {
    let arch = request.arch.as_ref().map(ToString::to_string).unwrap_or_default();
    let by = request.wanted.first().map(|wanted| wanted.by.clone()).unwrap_or_default();
    let outcome = Outcome::nothing();
    let reason =
        Reason { by: Subject::Request(by), verb: "is for architecture".to_owned(), relation: arch, outcome };
    Unsatisfiable { reasons: vec![reason] }
}
