//! From the indices of an archive to its build graph.

use std::ops::Range;

use archmill_deb::Arch;
use archmill_solve::{
    Alternatives, Base, BuildKinds, CheckRules, Checker, PackageId, SourceStanza, Sources, Universe,
    Unsatisfiable, Versions,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::inputs::Settings;
use super::{Adjacency, Graph, Parts};
use crate::ids::{ComponentId, JobId, TargetId};
use crate::job::{Job, JobKind, TOOLCHAIN};
use crate::predict::Traits;
use crate::rebuild::{InputHash, Inputs, Strategy};

/// The component that toolchains are of.
const TOOLCHAINS: &str = "toolchains";

/// What builds are made against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Model {
    /// The upstream archive as it is: no job needs another.
    AgainstUpstream,
    /// The farm's own results as they come, upstream as the seed.
    #[default]
    SelfHosted,
}

/// Source packages and the architectures that they are built for.
#[derive(Clone, Copy, Debug)]
pub struct Component<'s> {
    /// Its name.
    pub name: &'s str,
    /// Its source packages, the current versions of which are built.
    pub sources: &'s Sources,
    /// Names of those that belong to it; all of them if `None`.
    pub only: Option<&'s [String]>,
    /// Where its architecture-dependent packages are built.
    pub architectures: &'s [Arch],
}

/// Why there is no graph.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// More jobs, components or architectures than ids.
    #[error("cannot plan this archive: it has more {0} than a build graph can hold; split the farm")]
    TooMany(&'static str),
    /// There can be no build root for an architecture.
    #[error("cannot plan builds for {arch}: the base set of a build root cannot be installed: {why}")]
    NoBase {
        /// The architecture.
        arch: Arch,
        /// The relations that cannot hold.
        why: Unsatisfiable,
    },
}

/// Makes the graph, one architecture at a time, as the indices of all of them together are large.
#[derive(Debug)]
pub struct Planner<'s> {
    model: Model,
    targets: Vec<Target<'s>>,
    components: Vec<String>,
    jobs: Vec<Job>,
    needs: Vec<Vec<JobId>>,
    wants: Vec<Vec<JobId>>,
    explains: bool,
    /// What goes into builds besides packages; `None` if nobody asked for hashes.
    settings: Option<Settings>,
    unresolvable: Vec<(JobId, String)>,
    inputs: Vec<(JobId, InputHash)>,
    named: Vec<(JobId, Vec<JobId>)>,
}

#[derive(Debug)]
struct Target<'s> {
    arch: Arch,
    base: JobId,
    /// Its packages among all jobs.
    jobs: Range<usize>,
    stanzas: Vec<SourceStanza<'s>>,
    by_source: FxHashMap<&'s str, JobId>,
}

/// A graph, and what in it can never be built.
#[derive(Debug)]
pub struct Planned {
    /// The graph.
    pub graph: Graph,
    /// Jobs whose build dependencies cannot be installed, and why.
    pub unresolvable: Vec<(JobId, String)>,
    /// Hashes over what goes into each of the others, if [`Planner::with_inputs`] asked for them. Packages that jobs of the farm
    /// make do not count where these are waited for: what goes in is what they will have made.
    pub inputs: Vec<(JobId, InputHash)>,
    /// Which jobs make what each source itself names, with [`Strategy::Direct`] in a self-hosted farm.
    pub named: Vec<(JobId, Vec<JobId>)>,
}

impl<'s> Planner<'s> {
    /// Finds the jobs: for each source one for each architecture that it builds architecture-dependent packages for, and
    /// one for its packages that are for all.
    ///
    /// Jobs are numbered by target (`all` first, then the architectures in the order in which they are named), component
    /// and name. Where components have sources of the same name, needs lead to that of the first.
    pub fn new(model: Model, components: &[Component<'s>]) -> Result<Self, GraphError> {
        let mut arches = vec![Arch::ALL];
        for arch in components.iter().flat_map(|component| component.architectures) {
            if !arches.contains(arch) {
                arches.push(arch.clone());
            }
        }
        let mut planner = Self {
            model,
            targets: Vec::new(),
            components: components.iter().map(|component| component.name.to_owned()).collect(),
            jobs: Vec::new(),
            needs: Vec::new(),
            wants: Vec::new(),
            explains: true,
            settings: None,
            unresolvable: Vec::new(),
            inputs: Vec::new(),
            named: Vec::new(),
        };
        for arch in arches {
            planner.add_target(arch, components)?;
        }
        JobId::new(planner.jobs.len()).ok_or(GraphError::TooMany("jobs"))?;
        planner.needs = vec![Vec::new(); planner.jobs.len()];
        planner.wants = planner.needs.clone();
        Ok(planner)
    }

    /// Leaves out why builds are unresolvable, beyond that they are: to find that out takes longer than all else, where
    /// hundreds are.
    #[must_use]
    pub fn without_explanations(mut self) -> Self {
        self.explains = false;
        self
    }

    /// Hashes what goes into each build.
    #[must_use]
    pub fn with_inputs(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    fn add_target(&mut self, arch: Arch, components: &[Component<'s>]) -> Result<(), GraphError> {
        let target = TargetId::new(self.targets.len()).ok_or(GraphError::TooMany("architectures"))?;
        let base = JobId::new(self.jobs.len()).ok_or(GraphError::TooMany("jobs"))?;
        let component = ComponentId::default();
        self.jobs.push(Job {
            source: "".into(),
            version: "".into(),
            target,
            component,
            kind: JobKind::BaseSet,
            traits: Traits::default(),
        });
        let (first, mut stanzas, mut by_source) = (self.jobs.len(), Vec::new(), FxHashMap::default());
        for (number, of) in components.iter().enumerate() {
            let component = ComponentId::new(number).ok_or(GraphError::TooMany("components"))?;
            if arch != Arch::ALL && !of.architectures.contains(&arch) {
                continue;
            }
            let belongs = |source: &SourceStanza<'_>| {
                of.only.is_none_or(|only| only.iter().any(|name| name == source.name))
            };
            for source in of.sources.current().filter(|source| builds_for(source, &arch) && belongs(source)) {
                let id = JobId::new(self.jobs.len()).ok_or(GraphError::TooMany("jobs"))?;
                by_source.entry(source.name).or_insert(id);
                stanzas.push(source);
                self.jobs.push(Job {
                    source: source.name.into(),
                    version: source.version.into(),
                    target,
                    component,
                    kind: JobKind::Package,
                    traits: Traits { source_bytes: source.bytes(), installs: 0 },
                });
            }
        }
        let jobs = first..self.jobs.len();
        self.targets.push(Target { arch, base, jobs, stanzas, by_source });
        Ok(())
    }

    /// What is built for, `all` among it; [`solve`](Self::solve) must be called once for each.
    pub fn targets(&self) -> Vec<Arch> {
        self.targets.iter().map(|target| target.arch.clone()).collect()
    }

    /// Solves the build dependencies of every job for a target. `universe` has the packages of the architecture of its
    /// build roots: the target itself, for `all` the one that builds these packages. Those that all its roots have in common
    /// are given back.
    pub fn solve(&mut self, target: &Arch, universe: &Universe) -> Result<Vec<PackageId>, GraphError> {
        let Some(number) = self.targets.iter().position(|known| known.arch == *target) else {
            return Ok(Vec::new());
        };
        let is_all = *target == Arch::ALL;
        let kinds = BuildKinds { arch: !is_all, indep: is_all };
        let no_base = |why| GraphError::NoBase { arch: target.clone(), why };
        let mut checker = Checker::new(universe, rules(kinds)).map_err(no_base)?;
        let made_by = self.makers(number, universe);
        let base_job = self.targets[number].base;
        if self.model == Model::SelfHosted {
            let packages = checker.base().iter();
            self.needs[base_job.index()] = packages.filter_map(|package| made_by[package.place()]).collect();
        }
        let in_base: FxHashSet<PackageId> = checker.base().iter().copied().collect();
        // What the farm makes counts by what it will have made, not by what there is of it now.
        let counts =
            |package: &PackageId| self.model == Model::AgainstUpstream || made_by[package.place()].is_none();
        let base: Vec<PackageId> = checker.base().iter().copied().filter(counts).collect();
        let base = self.settings.as_ref().map(|_| Settings::base(universe, &base));
        let target = &self.targets[number];
        for (place, source) in target.jobs.clone().zip(&target.stanzas) {
            let Ok(packages) = checker.installs(source) else {
                let why = self.explains.then(|| checker.explain(source)).flatten();
                let why = why.map_or_else(|| "archmill explain tells why".to_owned(), |why| why.to_string());
                self.unresolvable.push((JobId::at(place), why));
                continue;
            };
            if let (Some(settings), Some(base)) = (&self.settings, &base) {
                let counted: Vec<PackageId> = packages.iter().copied().filter(counts).collect();
                let hash = settings.hash(universe, source, kinds, &counted, (base, &in_base));
                self.inputs.push((JobId::at(place), hash));
                if settings.strategy == Strategy::Direct && self.model == Model::SelfHosted {
                    let named = Settings::named(universe, source, kinds, &packages);
                    let jobs = named.filter_map(|package| made_by[package.place()]);
                    self.named.push((JobId::at(place), jobs.collect()));
                }
            }
            self.jobs[place].traits.installs = u32::try_from(packages.len()).unwrap_or(u32::MAX);
            if self.model == Model::SelfHosted {
                let jobs = packages.iter().filter_map(|package| made_by[package.place()]);
                self.needs[place] = jobs.chain([base_job]).collect();
            }
        }
        Ok(checker.base().to_vec())
    }

    /// Lets builds for other architectures wait for the twins of their tools: for what `native` has of the sources in `tools`,
    /// where their roots have something of these. To be called when everything is solved, with tools of which the seed has no twin of the
    /// version that is built; means nothing against upstream, whose tools are there.
    pub fn want_twins(&mut self, native: &Arch, tools: &[String]) {
        let Some(twins) = self.targets.iter().find(|target| target.arch == *native) else { return };
        if self.model == Model::AgainstUpstream || tools.is_empty() {
            return;
        }
        for target in self.targets.iter().filter(|target| target.arch != *native && target.arch != Arch::ALL)
        {
            for job in target.jobs.clone() {
                let in_base =
                    self.needs[job].contains(&target.base).then(|| &self.needs[target.base.index()]);
                let needed = self.needs[job].iter().chain(in_base.into_iter().flatten());
                let tools = needed
                    .map(|on| &*self.jobs[on.index()].source)
                    .filter(|source| tools.iter().any(|tool| tool == source));
                let wanted: Vec<JobId> =
                    tools.filter_map(|tool| twins.by_source.get(tool).copied()).collect();
                self.wants[job].extend(wanted);
            }
        }
    }

    /// Adds the build of a compiler that makes code for `makes` and runs on machines of `native`, as a component of its own;
    /// every build for `makes` would rather wait for it. `recipe` tells how it is built.
    pub fn add_toolchain(
        &mut self,
        native: &Arch,
        makes: &Arch,
        source: &SourceStanza<'_>,
        recipe: &str,
    ) -> Result<(), GraphError> {
        let id = JobId::new(self.jobs.len()).ok_or(GraphError::TooMany("jobs"))?;
        let Some(number) = self.targets.iter().position(|target| target.arch == *native) else {
            return Ok(());
        };
        let target = TargetId::new(number).ok_or(GraphError::TooMany("architectures"))?;
        let component = self.components.iter().position(|name| name == TOOLCHAINS);
        let component = component.unwrap_or_else(|| {
            self.components.push(TOOLCHAINS.to_owned());
            self.components.len() - 1
        });
        let name = format!("{}{TOOLCHAIN}", source.name);
        if self.settings.is_some() {
            let inputs = Inputs {
                source: name.clone(),
                version: source.version.to_owned(),
                dsc: source.dsc_sha256().to_owned(),
                settings: vec![("recipe".to_owned(), recipe.to_owned())],
                ..Inputs::default()
            };
            self.inputs.push((id, inputs.hash(Strategy::Local)));
        }
        self.jobs.push(Job {
            source: name.into(),
            version: source.version.into(),
            target,
            component: ComponentId::new(component).ok_or(GraphError::TooMany("components"))?,
            kind: JobKind::Toolchain { of: source.name.into(), makes: makes.clone() },
            traits: Traits { source_bytes: source.bytes(), installs: 0 },
        });
        let base = self.targets[number].base;
        let self_hosted = self.model == Model::SelfHosted;
        self.needs.push(if self_hosted { vec![base] } else { Vec::new() });
        self.wants.push(Vec::new());
        let of = self.targets.iter().filter(|target| target.arch == *makes);
        for job in of.flat_map(|target| target.jobs.clone()) {
            self.wants[job].push(id);
        }
        Ok(())
    }

    /// Which job makes each package of a universe; `None` where that is not the farm's.
    fn makers(&self, number: usize, universe: &Universe) -> Vec<Option<JobId>> {
        let all = &self.targets[0];
        let of_root = self.targets.iter().find(|target| target.arch == *universe.native());
        let of_arch = of_root.unwrap_or(&self.targets[number]);
        let maker = |package: archmill_solve::PackageRef<'_>| {
            let (source, _) = package.source();
            let target = if package.architecture() == "all" { all } else { of_arch };
            target.by_source.get(source).copied()
        };
        universe.packages().map(maker).collect()
    }

    /// The graph.
    pub fn finish(self) -> Planned {
        let graph = Graph::new(Parts {
            targets: self.targets.into_iter().map(|target| target.arch).collect(),
            components: self.components,
            jobs: self.jobs,
            needs: Adjacency::from_lists(self.needs),
            wants: Adjacency::from_lists(self.wants),
        });
        Planned { graph, unresolvable: self.unresolvable, inputs: self.inputs, named: self.named }
    }
}

/// Whether a source has packages for a target.
fn builds_for(source: &SourceStanza<'_>, target: &Arch) -> bool {
    let mut words = source.architectures.split_ascii_whitespace();
    if *target == Arch::ALL {
        words.any(|word| word == "all")
    } else {
        words.any(|word| word != "all" && target.matches(word))
    }
}

fn rules(kinds: BuildKinds) -> CheckRules {
    CheckRules {
        host: None,
        profiles: Vec::new(),
        kinds,
        base: Base::build_essential(None),
        alternatives: Alternatives::First,
        versions: Versions::Candidate,
    }
}
