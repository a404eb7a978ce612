//! `archmill rebuild`

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use archmill_build::classify::ExitCode;
use archmill_deb::Arch;
use archmill_farm::{FailureRules, Rebuild, Stop, Summary, drive};
use archmill_plan::graph::InputSettings;
use archmill_plan::ladder::{Ladder, Mode};
use archmill_plan::predict::Predictor;
use archmill_plan::scheduler::{Code, Farm, MachineKind, Settings};
use archmill_plan::{Job, JobId};
use archmill_store::Store;
use rustc_hash::FxHashSet;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::cli::{ArchiveArgs, RebuildArgs};
use crate::config::Config;
use crate::farm::{
    self, Archive, ComponentConfig, Depth, Display, FarmConfig, MachineConfig, ModelConfig, Tasks, own,
};
use crate::setup::Mistake;

/// So many packages that failed are named at the end.
const NAMED: usize = 20;

/// Builds what the farm lacks.
pub(crate) fn run(args: &RebuildArgs) -> anyhow::Result<ExitCode> {
    let (config, farm, archive_args) = what(args)?;
    // What is wrong in farm.toml is told before anything takes time.
    let settings = settings(&farm)?;
    let maintainer = own::maintainer(&farm)?;
    let rules = failure_rules(&farm)?;
    let folder = std::path::absolute(args.state.folder(&config))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = runtime.block_on(Store::make(&folder))?;
    // Before anything else: two of them must not even plan.
    let _lock = store.lock()?;
    let farms = farm.by_suite();
    let archives: Vec<ArchiveArgs> =
        farms.iter().map(|farm| farm::archive_of(farm, &farms, &archive_args)).collect();
    let suites: Vec<String> = farms.iter().map(|farm| suite_of(farm, &archive_args).to_owned()).collect();
    let plan = |place: usize, farm, archive| Plan {
        store: &store,
        config: &config,
        farm,
        archive,
        settings: &settings,
        maintainer: &maintainer,
        args,
        rules: &rules,
        later: &suites[place + 1..],
    };
    let mut display = Display::new();
    let summaries = runtime.block_on(async {
        let mut stops = signals()?;
        let mut summaries: Vec<Summary> = Vec::new();
        for (place, (farm, archive)) in farms.iter().zip(&archives).enumerate() {
            let plan = plan(place, farm, archive);
            summaries.push(Box::pin(plan.rebuild(&folder, &mut display, &mut stops)).await?);
            if summaries.last().is_some_and(|last| last.stopped) {
                break;
            }
        }
        anyhow::Ok(summaries)
    });
    display.finish();
    let code = runtime.block_on(tell(&store, &summaries?))?;
    for farm in farms.iter().filter(|farm| farm.model == ModelConfig::SelfHosted) {
        let suite = suite_of(farm, &archive_args);
        answer!("the farm's archive: {}", own::line_for_apt(&folder, farm, suite));
    }
    Ok(code)
}

/// What rebuilds are made of.
struct Plan<'p> {
    store: &'p Store,
    config: &'p Config,
    farm: &'p FarmConfig,
    archive: &'p ArchiveArgs,
    settings: &'p Settings,
    maintainer: &'p str,
    rules: &'p FailureRules,
    args: &'p RebuildArgs,
    /// Suites that come after it.
    later: &'p [String],
}

fn suite_of<'a>(farm: &'a FarmConfig, archive: &'a ArchiveArgs) -> &'a str {
    farm.suite.as_ref().unwrap_or(&archive.suite)
}

impl Plan<'_> {
    /// Builds until nothing is left to do that could be.
    async fn rebuild(
        &self,
        folder: &Path,
        display: &mut Display,
        stops: &mut UnboundedReceiver<Stop>,
    ) -> anyhow::Result<Summary> {
        let mut builds = 0;
        loop {
            let mut summary = Box::pin(self.round(folder, display, stops)).await?;
            builds += summary.builds;
            // What has to be built first by what was unresolvable may be there now.
            let again = summary.published > 0 && !summary.stopped && summary.count(Code::Unresolvable) > 0;
            if !again {
                summary.builds = builds;
                return Ok(summary);
            }
        }
    }

    /// Plans, and builds until nothing is left to do.
    async fn round(
        &self,
        folder: &Path,
        display: &mut Display,
        stops: &mut UnboundedReceiver<Stop>,
    ) -> anyhow::Result<Summary> {
        let (store, farm) = (self.store, self.farm);
        let suite = suite_of(farm, self.archive).to_owned();
        remark!("planning {suite}");
        let own = match farm.model {
            ModelConfig::SelfHosted => Some(own::open(store, folder, farm, &suite).await?),
            ModelConfig::AgainstUpstream => None,
        };
        let line = own.as_ref().map(|own| own::line(own, farm, &suite));
        let mut from = self.archive.clone();
        from.repositories.extend(line);
        let archive = farm::open(farm, &from, Depth::Inputs(input_settings(farm, &from)))?;
        let machines = here(farm, farm::machines(&farm.machines, None, archive.graph.targets())?)?;
        let native = native(archive.graph.targets())?;
        let nocheck: FxHashSet<String> = farm
            .packages
            .iter()
            .filter(|(_, package)| package.nocheck)
            .map(|(name, _)| name.clone())
            .collect();
        let maintainer = self.maintainer.to_owned();
        let tasks = Tasks::new(&suite, &from, self.config, &native, nocheck.clone(), maintainer)?;
        remark!("{} builds, in {}", builds(&archive), folder.display());
        let rebuild = Rebuild {
            store,
            suite: &suite,
            later: self.later,
            farm: Farm {
                policies: archive.graph.jobs().filter_map(|of| policy(farm, of)).collect(),
                graph: archive.graph,
                known: archive.known,
                machines,
                settings: self.settings.clone(),
                predictor: Predictor::new(farm.penalties()),
                shares: farm.shares(),
            },
            inputs: archive.inputs,
            archive: own,
            owners: archive.owners,
            rules: self.rules.clone(),
            nocheck,
            processors: processors(),
            task: &|order| tasks.task(order),
            most_retries: self.args.max_retries,
        };
        Ok(drive(rebuild, display, stops).await?)
    }
}

/// The configuration, the farm and where packages come from: of a file, or of the command line.
fn what(args: &RebuildArgs) -> anyhow::Result<(Config, FarmConfig, ArchiveArgs)> {
    let mut archive = args.archive.clone();
    let arch = archive.arch.take();
    let file =
        args.what.iter().find(|what| Path::new(what).extension().is_some_and(|ending| ending == "toml"));
    if let Some(file) = file {
        if args.what.len() > 1 || arch.is_some() {
            return Err(Mistake(format!(
                "{file} says what is built for which architectures; name either it or packages and --arch"
            ))
            .into());
        }
        archive.places.config = Some(PathBuf::from(file));
    }
    let config = archive.places.config()?;
    let mut farm = match (file, &config.farm) {
        (Some(_), Some(farm)) => farm.clone(),
        (Some(file), None) => {
            return Err(
                Mistake(format!("{file} has no [farm]; examples/farm.toml shows what goes there")).into()
            );
        }
        (None, _) if args.what.is_empty() => {
            return Err(Mistake(
                "say what to build: a farm.toml, or source packages and --arch arm64,armhf".to_owned(),
            )
            .into());
        }
        (None, farm) => named(args, arch.as_deref(), farm.as_ref()),
    };
    // As --help says; a file that is only for simulations may have none.
    if farm.machines.is_empty() {
        farm.machines.insert(machine(), MachineConfig { slots: processors(), ..MachineConfig::default() });
    }
    if let Some(slots) = args.slots {
        let machine = machine();
        farm.machines.entry(machine).or_default().slots = slots;
    }
    Ok((config, farm, archive))
}

/// A farm of packages that the command line names; what a file says of machines and packages holds for them too.
fn named(args: &RebuildArgs, arch: Option<&str>, farm: Option<&FarmConfig>) -> FarmConfig {
    let machine = machine();
    let arches = arch.unwrap_or(&machine).split(',').map(|name| name.trim().to_owned()).collect();
    let processors = processors();
    let component = ComponentConfig {
        name: "main".to_owned(),
        architectures: arches,
        suite: None,
        packages: Some(args.what.clone()),
        made_up: None,
        share: None,
    };
    let mut named = FarmConfig { max_width: Some(processors), ..farm.cloned().unwrap_or_default() };
    named.model = ModelConfig::AgainstUpstream;
    named.suite = Some(args.archive.suite.clone());
    named.component = vec![component];
    named
        .machines
        .entry(machine)
        .or_insert_with(|| MachineConfig { slots: processors, ..MachineConfig::default() });
    named
}

fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1))
}

fn machine() -> String {
    rustix::system::uname().machine().to_string_lossy().into_owned()
}

/// What logs tell of failures, by the farm's own rules first.
fn failure_rules(farm: &FarmConfig) -> Result<FailureRules, Mistake> {
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Mistake(format!("failure-rules in [farm]: cannot read {name}: {error}")))?;
        Ok((name, text))
    };
    let files: Vec<(String, String)> = farm.failure_rules.iter().map(read).collect::<Result<_, Mistake>>()?;
    let texts = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    FailureRules::with(texts).map_err(|error| Mistake(format!("failure-rules in [farm]: {error}")))
}

/// The machines of the farm that this host is: builds are started nowhere else yet.
fn here(farm: &FarmConfig, machines: Vec<MachineKind>) -> anyhow::Result<Vec<MachineKind>> {
    let host = machine();
    let cpu = |kind: &MachineKind| {
        farm.machines
            .get(&kind.name)
            .and_then(|config| config.cpu.clone())
            .unwrap_or_else(|| kind.name.clone())
    };
    let (here, elsewhere): (Vec<_>, Vec<_>) = machines.into_iter().partition(|kind| cpu(kind) == host);
    for kind in &elsewhere {
        remark!(
            "warning: archmill starts builds on this host alone yet, and none on the machines {:?}",
            kind.name
        );
    }
    if here.iter().all(|kind| kind.slots == 0) {
        return Err(Mistake(format!(
            "the farm has no slots on this host; write [farm.machines.{host}] with slots = N, or give --slots N"
        ))
        .into());
    }
    Ok(here)
}

/// The architecture that packages for all are built on: amd64 if the farm has it, else the first.
fn native(targets: &[Arch]) -> anyhow::Result<String> {
    let mut arches = targets.iter().filter(|target| **target != Arch::ALL);
    let first = arches.clone().find(|target| **target == Arch::AMD64).or_else(|| arches.next());
    Ok(first.context("the farm has no architecture")?.to_string())
}

/// The scheduler's settings. Nothing is imported where nothing is built against it.
fn settings(farm: &FarmConfig) -> anyhow::Result<Settings> {
    let settings = farm.settings()?;
    let imports = farm.model == ModelConfig::SelfHosted;
    let ladder: Ladder = settings.ladder.only(|rung| imports || rung.mode != Mode::Imported);
    Ok(Settings { ladder, ..settings })
}

fn input_settings(farm: &FarmConfig, archive: &ArchiveArgs) -> InputSettings {
    let untested = farm.packages.iter().filter(|(_, package)| package.nocheck);
    InputSettings {
        strategy: farm.strategy,
        profiles: archive.profiles.clone(),
        common: Vec::new(),
        of_source: untested
            .map(|(name, _)| (name.clone(), vec![("nocheck".to_owned(), "1".to_owned())]))
            .collect(),
    }
}

fn policy(farm: &FarmConfig, (job, of): (JobId, &Job)) -> Option<(JobId, archmill_plan::scheduler::Policy)> {
    Some((job, farm.packages.get(&*of.source)?.policy?))
}

fn builds(archive: &Archive) -> usize {
    archive.graph.jobs().filter(|(_, job)| job.kind != archmill_plan::JobKind::BaseSet).count()
}

/// Ctrl-C: no more builds, then an end of those that run, then an end at once. SIGTERM: an end of those that run.
fn signals() -> anyhow::Result<UnboundedReceiver<Stop>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (send, receive) = unbounded_channel();
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let mut stops = [Stop::Drain, Stop::End].into_iter();
        loop {
            let stop = tokio::select! {
                _ = interrupts.recv() => stops.next(),
                _ = terminations.recv() => stops.by_ref().last(),
            };
            let Some(stop) = stop else {
                // What runs is adopted by the next rebuild.
                std::process::exit(ExitCode::Cancelled.code().into());
            };
            if send.send(stop).is_err() {
                return;
            }
        }
    });
    Ok(receive)
}

/// `summaries` are of the suites that were rebuilt in turn.
async fn tell(store: &Store, summaries: &[Summary]) -> anyhow::Result<ExitCode> {
    let count = |code: Code| summaries.iter().map(|summary| summary.count(code)).sum::<usize>();
    let counts = Code::ALL.into_iter().map(|code| (code, count(code))).filter(|(_, count)| *count > 0);
    let mut counts: Vec<String> = counts.map(|(code, count)| format!("{} {count}", code.name())).collect();
    if counts.is_empty() {
        counts.push("nothing to build".to_owned());
    }
    let builds: u64 = summaries.iter().map(|summary| summary.builds).sum();
    answer!("{}; {builds} builds in this run", counts.join(", "));
    let packages = store.packages(None).await?;
    let not_built: Vec<_> = packages
        .iter()
        .filter(|row| matches!(row.state, Code::Failed | Code::Unresolvable | Code::Broken))
        .collect();
    for row in not_built.iter().take(NAMED) {
        answer!("  {} {} is {}: {}", row.planned.source, row.planned.target, row.state.name(), row.reason);
    }
    if not_built.len() > NAMED {
        answer!("  and {} more; archmill status names them", not_built.len() - NAMED);
    }
    if summaries.iter().any(|summary| summary.stopped) {
        answer!("ended before all was done; the same command goes on from here");
        return Ok(ExitCode::Cancelled);
    }
    Ok(if not_built.is_empty() { ExitCode::Success } else { ExitCode::Build })
}
