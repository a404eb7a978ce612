//! Verdicts for many source packages: can the build dependencies of each be installed?

use std::sync::Arc;

use archmill_deb::{Arch, Relations};

use crate::base::SolvedBase;
use crate::graph::{Dead, Effects, Graph, Kind, MALFORMED, Marker, NOT_APPLYING, Outcome};
use crate::ids::{ArchId, PackageId};
use crate::request::{Alternatives, Base, Request, Versions, Wanted, counting};
use crate::search::{Fact, Part};
use crate::solver::Solver;
use crate::sources::{BuildKinds, SourceStanza};
use crate::syntax::split;
use crate::universe::Universe;
use crate::unsatisfiable::Unsatisfiable;
use crate::update::Renumbered;

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
pub(crate) struct Needs {
    pub(crate) groups: Vec<u32>,
    pub(crate) negatives: Vec<u32>,
}

/// How a verdict came about.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Without search; [`Marker::found`] has what is installed on top of the base.
    Marked,
    /// By a search: these packages.
    Found(Vec<PackageId>),
    /// Something is missing.
    Dead,
    /// By a search: these relations contradict each other.
    Contradiction(Vec<Fact>),
}

impl Decision {
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Marked | Self::Found(_) => Verdict::Installable,
            Self::Dead | Self::Contradiction(_) => Verdict::NotInstallable,
        }
    }
}

/// What decides, apart from the universe and its base.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) rules: CheckRules,
    arch: Arch,
    kind: Kind,
    pub(crate) graph: Graph,
    pub(crate) dead: Dead,
    pub(crate) marker: Marker,
    searches: usize,
}

impl Engine {
    pub(crate) fn new(universe: &Universe, rules: CheckRules, base: &SolvedBase) -> Self {
        let graph = Graph::new(universe, rules.versions);
        let dead = Dead::new(&graph);
        let marker = Marker::new(&graph, &numbers(&base.packages));
        let arch = rules.host.clone().unwrap_or_else(|| universe.native().clone());
        let kind = Kind::Source(universe.arch_id(&arch).unwrap_or(ArchId::NATIVE));
        Self { rules, arch, kind, graph, dead, marker, searches: 0 }
    }

    /// The decision, where it takes no search.
    pub(crate) fn quickly(&mut self, needs: &Needs) -> Option<Decision> {
        if needs.groups.iter().any(|&group| self.dead.group_rank(&self.graph, group).is_some()) {
            return Some(Decision::Dead);
        }
        let outcome = self.marker.find(&self.graph, &self.dead, &needs.groups, &needs.negatives);
        (outcome == Outcome::Found).then_some(Decision::Marked)
    }

    /// The decision where none came quickly.
    pub(crate) fn by_search(
        &mut self,
        universe: &Universe,
        base: &SolvedBase,
        source: &SourceStanza<'_>,
    ) -> Decision {
        self.searches += 1;
        let preferred: Vec<PackageId> =
            self.marker.found().iter().map(|&package| PackageId(package)).collect();
        let request = self.rules.request(source, &self.arch);
        match Solver::new(universe).search(&request, base, &preferred) {
            Ok(found) => Decision::Found(found),
            Err(facts) => Decision::Contradiction(facts),
        }
    }

    pub(crate) fn builds_for(&self, source: &SourceStanza<'_>) -> bool {
        let mut architectures = source.architectures.split_ascii_whitespace().peekable();
        architectures.peek().is_none()
            || architectures.any(|wildcard| {
                if wildcard == "all" { self.rules.kinds.indep } else { self.arch.matches(wildcard) }
            })
    }

    /// The relations of a source as numbers, in the order of those of its request.
    pub(crate) fn read_needs(&mut self, universe: &Universe, source: &SourceStanza<'_>, needs: &mut Needs) {
        needs.groups.clear();
        needs.negatives.clear();
        let (rules, arch) = (&self.rules, &self.arch);
        for text in source.depends(rules.kinds).flat_map(split) {
            let reduce = |relations| rules.reduce(arch, &relations, true);
            let group = self.graph.group(universe, self.kind, text, reduce);
            // What cannot be read was left out when the sources were.
            if group != MALFORMED && group != NOT_APPLYING {
                needs.groups.push(group);
            }
        }
        for text in source.conflicts(rules.kinds).flat_map(split) {
            let reduce = |relations| rules.reduce(arch, &relations, false);
            let negative = self.graph.negative(universe, self.kind, text, reduce);
            if negative != MALFORMED && negative != NOT_APPLYING {
                needs.negatives.push(negative);
            }
        }
    }

    /// Takes a change of the universe into the graph.
    pub(crate) fn update_graph(
        &mut self,
        universe: &Universe,
        renumbered: &Renumbered,
        replaced: &[u32],
    ) -> Effects {
        let (rules, arch) = (&self.rules, &self.arch);
        let reduce = |relations: Relations, positive| rules.reduce(arch, &relations, positive);
        self.graph.update(universe, renumbered, replaced, &reduce)
    }
}

pub(crate) fn numbers(packages: &[PackageId]) -> Vec<u32> {
    packages.iter().map(|package| package.0).collect()
}

/// Checks source packages against one universe.
///
/// The verdict is that of [`Solver::solve`] for the same request; it comes without the packages that
/// would be installed, and so much sooner.
#[derive(Debug)]
pub struct Checker<'u> {
    universe: &'u Universe,
    base: Arc<SolvedBase>,
    engine: Engine,
    needs: Needs,
}

impl<'u> Checker<'u> {
    /// Solves the base and prepares the universe; fails if there can be no base.
    pub fn new(universe: &'u Universe, rules: CheckRules) -> Result<Self, Unsatisfiable> {
        let base = Solver::new(universe).solved_base(&rules.base, rules.versions)?;
        let engine = Engine::new(universe, rules, &base);
        Ok(Self { universe, base, engine, needs: Needs::default() })
    }

    /// How many verdicts so far needed a search.
    pub fn searches(&self) -> usize {
        self.engine.searches
    }

    /// The verdict for a source package.
    pub fn check(&mut self, source: &SourceStanza<'_>) -> Verdict {
        if !self.engine.builds_for(source) {
            return Verdict::OtherArchitecture;
        }
        self.engine.read_needs(self.universe, source, &mut self.needs);
        let decision = self.engine.quickly(&self.needs);
        decision.unwrap_or_else(|| self.engine.by_search(self.universe, &self.base, source)).verdict()
    }

    /// The packages that are installed for every source package.
    pub fn base(&self) -> &[PackageId] {
        &self.base.packages
    }

    /// Packages that satisfy the build dependencies of a source package, some of the base perhaps among them; the verdict where
    /// there are none.
    ///
    /// A solution with the first choice of each relation where that can be had, found as the verdict is. For the very set
    /// that apt would install there is [`Solver::solve`], which takes longer.
    pub fn installs(&mut self, source: &SourceStanza<'_>) -> Result<Vec<PackageId>, Verdict> {
        if !self.engine.builds_for(source) {
            return Err(Verdict::OtherArchitecture);
        }
        self.engine.read_needs(self.universe, source, &mut self.needs);
        let decision = self.engine.quickly(&self.needs);
        match decision.unwrap_or_else(|| self.engine.by_search(self.universe, &self.base, source)) {
            Decision::Marked => {
                Ok(self.engine.marker.found().iter().map(|&package| PackageId(package)).collect())
            }
            Decision::Found(packages) => Ok(packages),
            other => Err(other.verdict()),
        }
    }

    /// What the rules ask for on behalf of a source package, for [`Solver::solve`].
    pub fn request(&self, source: &SourceStanza<'_>) -> Request {
        self.engine.rules.request(source, &self.engine.arch)
    }

    /// Why a source package is not installable: relations that cannot all hold, none of which can be
    /// left out. `None` if it is installable.
    pub fn explain(&mut self, source: &SourceStanza<'_>) -> Option<Unsatisfiable> {
        let request = self.request(source);
        self.engine.read_needs(self.universe, source, &mut self.needs);
        let solver = Solver::new(self.universe);
        let Engine { graph, dead, .. } = &self.engine;
        let groups = self.needs.groups.iter().enumerate();
        let nearest =
            groups.filter_map(|(at, &group)| dead.group_rank(graph, group).map(|rank| (rank, at, group)));
        let Some((_, at, group)) = nearest.min() else { return solver.unsatisfiable(&request, &self.base) };
        let root = self.base.roots.len() + at;
        let mut proof = vec![Fact { owner: None, part: Part::Group(root) }];
        proof.extend(
            dead.chain(graph, group)
                .into_iter()
                .map(|(package, group)| Fact { owner: Some(PackageId(package)), part: Part::Group(group) }),
        );
        solver.explain_missing(&request, &self.base, proof)
    }
}

impl CheckRules {
    /// What of a relation counts; alternatives only of one that asks for packages.
    fn reduce(&self, arch: &Arch, relations: &Relations, positive: bool) -> Relations {
        let relations = relations.reduce(arch, &self.profiles);
        if positive { counting(&relations, self.alternatives, self.host.is_some()) } else { relations }
    }

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
