//! Verdicts for many source packages: can the build dependencies of each be installed?

use std::sync::Arc;

use archmill_deb::{Arch, Relations};

use crate::base::SolvedBase;
use crate::graph::{Dead, Graph, Kind, MALFORMED, Marker, NOT_APPLYING, Outcome};
use crate::ids::{ArchId, PackageId};
use crate::request::{Alternatives, Base, Request, Versions, Wanted, counting};
use crate::search::{Fact, Part};
use crate::solver::Solver;
use crate::sources::{BuildKinds, SourceStanza};
use crate::syntax::split;
use crate::universe::Universe;
use crate::unsatisfiable::Unsatisfiable;

/// What a verdict is about.
#[derive(Clone, Debug)]
pub struct CheckRules {
    /// The architecture to build for, if not the native one of the universe.
    pub host: Option<Arch>,
    /// Build profiles.
    pub profiles: Vec<String>,
    /// Which packages are to be built.
    pub kinds: BuildKinds,
    /// What is there before.
    pub base: Base,
    /// Which alternatives of a build dependency count.
    pub alternatives: Alternatives,
    /// Which versions may be taken.
    pub versions: Versions,
}

/// The answer for one source package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Its build dependencies can be installed.
    Installable,
    /// They cannot.
    NotInstallable,
    /// It builds nothing for the architecture.
    OtherArchitecture,
}

/// Groups and refused packages of one source.
#[derive(Clone, Debug, Default)]
struct Needs {
    groups: Vec<u32>,
    refused: Vec<u32>,
}

/// Checks source packages against one universe.
///
/// The verdict is that of [`Solver::solve`] for the same request; it comes without the packages that
/// would be installed, and so much sooner.
#[derive(Debug)]
pub struct Checker<'u> {
    universe: &'u Universe,
    rules: CheckRules,
    arch: Arch,
    kind: Kind,
    solver: Solver<'u>,
    base: Arc<SolvedBase>,
    graph: Graph,
    dead: Dead,
    marker: Marker,
    needs: Needs,
    searches: usize,
}

impl<'u> Checker<'u> {
    /// Solves the base and prepares the universe; fails if there can be no base.
    pub fn new(universe: &'u Universe, rules: CheckRules) -> Result<Self, Unsatisfiable> {
        let solver = Solver::new(universe);
        let base = solver.solved_base(&rules.base, rules.versions)?;
        let graph = Graph::new(universe, rules.versions);
        let dead = Dead::new(&graph);
        let packages: Vec<u32> = base.packages.iter().map(|package| package.0).collect();
        let marker = Marker::new(&graph, &packages);
        let arch = rules.host.clone().unwrap_or_else(|| universe.native().clone());
        let kind = Kind::Source(universe.arch_id(&arch).unwrap_or(ArchId::NATIVE));
        let needs = Needs::default();
        Ok(Self { universe, arch, kind, solver, base, graph, dead, marker, needs, searches: 0, rules })
    }

    /// How many verdicts so far needed a search.
    pub fn searches(&self) -> usize {
        self.searches
    }

    /// The verdict for a source package.
    pub fn check(&mut self, source: &SourceStanza<'_>) -> Verdict {
        if !self.builds_for(source) {
            return Verdict::OtherArchitecture;
        }
        let needs = self.read_needs(source);
        let verdict = self.decide(source, &needs);
        self.needs = needs;
        verdict
    }

    fn decide(&mut self, source: &SourceStanza<'_>, needs: &Needs) -> Verdict {
        if needs.groups.iter().any(|&group| self.dead.group_rank(&self.graph, group).is_some()) {
            return Verdict::NotInstallable;
        }
        if self.marker.find(&self.graph, &self.dead, &needs.groups, &needs.refused) == Outcome::Found {
            return Verdict::Installable;
        }
        self.searches += 1;
        let preferred: Vec<PackageId> =
            self.marker.found().iter().map(|&package| PackageId(package)).collect();
        if self.solver.is_satisfiable(&self.request(source), &self.base, &preferred) {
            Verdict::Installable
        } else {
            Verdict::NotInstallable
        }
    }

    fn builds_for(&self, source: &SourceStanza<'_>) -> bool {
        let mut architectures = source.architectures.split_ascii_whitespace().peekable();
        architectures.peek().is_none()
            || architectures.any(|wildcard| {
                if wildcard == "all" { self.rules.kinds.indep } else { self.arch.matches(wildcard) }
            })
    }

    /// The relations of a source as numbers, in the order of those of its [`request`](Self::request).
    fn read_needs(&mut self, source: &SourceStanza<'_>) -> Needs {
        let mut needs = std::mem::take(&mut self.needs);
        needs.groups.clear();
        needs.refused.clear();
        let (rules, arch, universe) = (&self.rules, &self.arch, self.universe);
        let is_cross = rules.host.is_some();
        for text in source.depends(rules.kinds).flat_map(split) {
            let reduce = |relations: Relations| {
                counting(&relations.reduce(arch, &rules.profiles), rules.alternatives, is_cross)
            };
            let group = self.graph.group(universe, self.kind, text, reduce);
            // What cannot be read was left out when the sources were.
            if group != MALFORMED && group != NOT_APPLYING {
                needs.groups.push(group);
            }
        }
        for text in source.conflicts(rules.kinds).flat_map(split) {
            let reduce = |relations: Relations| relations.reduce(arch, &rules.profiles);
            let negative = self.graph.negative(universe, self.kind, text, reduce);
            if negative != MALFORMED && negative != NOT_APPLYING {
                needs.refused.extend_from_slice(self.graph.negatives.get(negative));
            }
        }
        needs
    }

    /// What the rules ask for on behalf of a source package, for [`Solver::solve`].
    pub fn request(&self, source: &SourceStanza<'_>) -> Request {
        self.rules.request(source, &self.arch)
    }

    /// Why a source package is not installable: relations that cannot all hold, none of which can be
    /// left out. `None` if it is installable.
    pub fn explain(&mut self, source: &SourceStanza<'_>) -> Option<Unsatisfiable> {
        let request = self.request(source);
        let needs = self.read_needs(source);
        let nearest = needs
            .groups
            .iter()
            .enumerate()
            .filter_map(|(at, &group)| self.dead.group_rank(&self.graph, group).map(|rank| (rank, at)))
            .min();
        let explanation = match nearest {
            Some((_, at)) => {
                let root = self.base.roots.len() + at;
                let mut facts = vec![Fact { owner: None, part: Part::Group(root) }];
                let chain = self.dead.chain(&self.graph, needs.groups[at]).into_iter();
                facts.extend(chain.map(|(package, group)| Fact {
                    owner: Some(PackageId(package)),
                    part: Part::Group(group),
                }));
                self.solver.in_words(&request, &self.base, facts)
            }
            None => self.solver.unsatisfiable(&request, &self.base),
        };
        self.needs = needs;
        explanation
    }
}

impl CheckRules {
    /// What they ask for on behalf of a source package that is built for `arch`.
    pub fn request(&self, source: &SourceStanza<'_>, arch: &Arch) -> Request {
        let relations = |fields: &mut dyn Iterator<Item = &str>| {
            // What cannot be read was left out when the sources were.
            let parsed = fields.filter_map(|value| Relations::parse(value).ok());
            Relations(parsed.flat_map(|relations| relations.reduce(arch, &self.profiles).0).collect())
        };
        Request {
            wanted: vec![Wanted::build_depends(source.name, relations(&mut source.depends(self.kinds)))],
            conflicts: relations(&mut source.conflicts(self.kinds)),
            base: self.base.clone(),
            alternatives: self.alternatives,
            versions: self.versions,
            arch: self.host.clone(),
        }
    }
}
