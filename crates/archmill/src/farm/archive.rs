//! What a farm builds: from the indices of a suite, or made up.

use anyhow::{Context as _, bail};
use archmill_build::job::twin_rules;
use archmill_build::toolchain::{lacking, recipe_sha256, tools_ahead};
use archmill_deb::{Arch, nearest};
use archmill_emulate::find;
use archmill_emulate::twins::CompilerSource;
use archmill_farm::{JobInputs, Owners};
use archmill_plan::graph::{Component, Graph, InputSettings, Planned, Planner};
use archmill_plan::scheduler::{Known, Standing};
use archmill_plan::simulate::{MadeUp, MadeUpComponent};
use archmill_plan::{JobId, JobKind};
use archmill_solve::Sources;

use super::machines::architectures;
use super::{ComponentConfig, FarmConfig, ModelConfig};
use crate::cli::ArchiveArgs;
use crate::indices;
use crate::setup::{self, Mistake};

/// The jobs of a farm.
pub(crate) struct Archive {
    pub(crate) graph: Graph,
    /// What is known of them before anything is built.
    pub(crate) known: Vec<(JobId, Known)>,
    /// What goes into them, if it was asked for.
    pub(crate) inputs: JobInputs,
    /// Whose packages are whose, if that was asked for as well.
    pub(crate) owners: Owners,
}

/// What is to be found out about jobs besides what they need.
pub(crate) enum Depth {
    /// Nothing: a simulation needs no more.
    Needs,
    /// What goes into them, and why they cannot be built.
    Inputs(InputSettings),
}

/// Makes the build graph. `archive` says where the indices come from; its suite counts if the farm names none.
pub(crate) fn open(farm: &FarmConfig, archive: &ArchiveArgs, depth: Depth) -> anyhow::Result<Archive> {
    if farm.component.is_empty() {
        bail!("the farm builds nothing; write [[farm.component]] with name and architectures into farm.toml");
    }
    let made_up = farm.component.iter().filter(|component| component.made_up.is_some()).count();
    let mut opened = if made_up == farm.component.len() {
        let (inputs, owners) = (JobInputs::default(), Owners::default());
        Archive { graph: make_up(farm)?, known: Vec::new(), inputs, owners }
    } else if made_up == 0 {
        of_suite(farm, archive, depth)?
    } else {
        bail!(
            "some components of farm.toml are made up and others are not; a build graph has room for one kind"
        );
    };
    opened.known.extend(disabled(farm, &opened.graph));
    Ok(opened)
}

/// What the command line says of archives, for one of the suites of a farm: what belongs to another is not its to do without.
pub(crate) fn archive_of(farm: &FarmConfig, farms: &[FarmConfig], archive: &ArchiveArgs) -> ArchiveArgs {
    let mut archive = archive.clone();
    let others = farms
        .iter()
        .filter_map(|other| other.suite.as_deref())
        .filter(|suite| farm.suite.as_deref() != Some(suite));
    let others: Vec<&str> = others.collect();
    let belongs = |name: &str, suite: &str| {
        name.strip_prefix(suite).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    archive.without_suites.retain(|name| !others.iter().any(|suite| belongs(name, suite)));
    archive
}

fn make_up(farm: &FarmConfig) -> anyhow::Result<Graph> {
    let component = |component: &ComponentConfig| -> anyhow::Result<MadeUpComponent> {
        Ok(MadeUpComponent {
            name: component.name.clone(),
            sources: component.made_up.unwrap_or(0),
            architectures: arches(component)?,
        })
    };
    let made_up = MadeUp {
        seed: farm.world()?.seed,
        components: farm.component.iter().map(component).collect::<anyhow::Result<_>>()?,
        self_hosted: farm.model == ModelConfig::SelfHosted,
    };
    Ok(Graph::new(made_up.parts().context("the made-up archive is too large for a build graph")?))
}

fn of_suite(farm: &FarmConfig, archive: &ArchiveArgs, depth: Depth) -> anyhow::Result<Archive> {
    let mut archive = archive.clone();
    if let Some(suite) = &farm.suite {
        archive.suite.clone_from(suite);
    }
    let lists: Vec<Vec<Arch>> = farm.component.iter().map(arches).collect::<anyhow::Result<_>>()?;
    // Packages for all are built on amd64, as Debian does; in a farm without it on the first there is.
    let arches = || lists.iter().flatten();
    let native = arches().find(|arch| **arch == Arch::AMD64).or_else(|| arches().next());
    let native = native.ok_or_else(|| Mistake("no component of farm.toml has an architecture".to_owned()))?;
    let (universe, texts) = indices::of_suite(&archive, native, &[])?;
    let sources = Sources::new(texts);
    let components: Vec<Component<'_>> = farm
        .component
        .iter()
        .zip(&lists)
        .map(|(component, architectures)| component_of(component, architectures, &sources))
        .collect::<anyhow::Result<_>>()?;
    let owners = match depth {
        Depth::Needs => Owners::default(),
        Depth::Inputs(_) => owners(&sources),
    };
    let planner = Planner::new(farm.model.into(), &components)?;
    let mut planner = match depth {
        Depth::Needs => planner.without_explanations(),
        Depth::Inputs(settings) => planner.with_inputs(settings),
    };
    planner.solve(&Arch::ALL, &universe)?;
    planner.solve(native, &universe)?;
    let families =
        twin_rules(&archive.twin_rules).map_err(|error| Mistake(format!("--twin-rules: {error}")))?;
    let cache = setup::setup(&archive)?.0.cache;
    let accelerates = farm.accelerates();
    let tools = if accelerates { tools_ahead(&universe, native, &sources, &families) } else { Vec::new() };
    let mut toolchains: Vec<(Arch, CompilerSource)> = Vec::new();
    for target in planner.targets().iter().filter(|target| **target != Arch::ALL && *target != native) {
        let (of_target, _) = indices::of_suite(&archive, target, &[])?;
        let base = planner.solve(target, &of_target)?;
        let (Ok(host), Ok(makes)) = (find(native.as_str()), find(target.as_str())) else { continue };
        if !accelerates {
            continue;
        }
        let lacking = lacking(&cache, (host, &universe), (makes, &of_target), &base, &families);
        toolchains.extend(lacking.into_iter().map(|compiler| (target.clone(), compiler)));
    }
    drop(universe);
    planner.want_twins(native, &tools);
    for (makes, CompilerSource { source, version }) in &toolchains {
        // Of another version than the source there is nothing to build it from.
        let Some(stanza) = sources.find(source).filter(|stanza| stanza.version == version) else { continue };
        planner.add_toolchain(native, makes, &stanza, &recipe_sha256())?;
    }
    let Planned { graph, unresolvable, inputs, named } = planner.finish();
    let known = unresolvable.into_iter().map(|(job, why)| (job, Known::Unresolvable(why.into())));
    let inputs = JobInputs { hashes: inputs.into_iter().collect(), named: named.into_iter().collect() };
    Ok(Archive { graph, known: known.collect(), inputs, owners })
}

fn owners(sources: &Sources) -> Owners {
    sources.current().flat_map(|source| source.binaries().map(move |name| (name, source.name))).collect()
}

fn component_of<'s>(
    config: &'s ComponentConfig,
    architectures: &'s [Arch],
    sources: &'s Sources,
) -> anyhow::Result<Component<'s>> {
    let unknown = config.packages.iter().flatten().filter(|name| sources.find(name).is_none());
    let unknown: Vec<String> = unknown
        .map(|name| {
            let near = nearest(name, sources.current().map(|source| source.name));
            let near = if near.is_empty() {
                String::new()
            } else {
                format!("; did you mean {}?", near.join(" or "))
            };
            format!("component {}: there is no source package {name:?} in the suite{near}", config.name)
        })
        .collect();
    if !unknown.is_empty() {
        return Err(Mistake(unknown.join("\n")).into());
    }
    Ok(Component { name: &config.name, sources, only: config.packages.as_deref(), architectures })
}

/// The architectures of a component.
fn arches(component: &ComponentConfig) -> anyhow::Result<Vec<Arch>> {
    let names = architectures(&component.architectures)
        .map_err(|error| Mistake(format!("component {}: {error:#}", component.name)))?;
    names.into_iter().map(|name| Ok(name.parse()?)).collect()
}

fn disabled(farm: &FarmConfig, graph: &Graph) -> Vec<(JobId, Known)> {
    let packages = graph.jobs().filter(|(_, job)| job.kind == JobKind::Package);
    let why = |source: &str| farm.packages.get(source)?.disabled.clone();
    packages
        .filter_map(|(id, job)| Some((id, Known::Standing(Standing::Disabled(why(&job.source)?.into())))))
        .collect()
}
