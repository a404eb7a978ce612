//! `archmill simulate`

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use archmill_build::classify::ExitCode;
use archmill_plan::predict::{Penalties, Predictor};
use archmill_plan::scheduler::{Code, Farm, MachineKind, Policy, Scheduler, Settings};
use archmill_plan::simulate::{Bounds, Fit, Outcome, Simulation, Truth, World, lower_bounds};
use archmill_plan::{JobId, JobKind};
use serde_json::json;

use crate::cli::SimulateArgs;
use crate::farm::{self, Archive, Depth, FarmConfig};
use crate::setup::Mistake;

/// One policy, simulated.
struct Run {
    policy: Policy,
    outcome: Outcome,
    bounds: Bounds,
    /// What the scheduler took for each event, the shortest first.
    events: Vec<Duration>,
}

/// Simulates a rebuild of the farm under each policy that is asked for, and prints what it takes.
pub(crate) fn run(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    let mut archive_args = args.archive.clone();
    if args.farm.is_some() {
        archive_args.places.config.clone_from(&args.farm);
    }
    let config = archive_args.places.config()?;
    let farm = config.farm.ok_or_else(|| {
        Mistake("farm.toml has no [farm]; examples/farm.toml shows what goes there".to_owned())
    })?;
    let farm = FarmConfig { model: args.model.map_or(farm.model, Into::into), ..farm };
    let given = args.slots.as_deref().map(farm::slots).transpose()?;
    let policies = if args.policy.is_empty() {
        vec![farm.policy]
    } else {
        args.policy.iter().map(|&policy| policy.into()).collect()
    };
    let records = args.from.as_deref().map(|folder| records(folder, &farm)).transpose()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut all = Vec::new();
    let farms = farm.by_suite();
    for farm in &farms {
        let begun = Instant::now();
        let archive = farm::open(farm, &farm::archive_of(farm, &farms, &archive_args), Depth::Needs)?;
        let planned = begun.elapsed();
        let machines = farm::machines(&farm.machines, given.as_ref(), archive.graph.targets())?;
        let simulate = |&policy: &Policy| simulate(farm, &archive, &machines, policy, records.as_ref());
        let runs: Vec<Run> = policies.iter().map(simulate).collect::<anyhow::Result<_>>()?;
        if args.json {
            all.extend(runs.iter().map(|run| as_json(run, farm)));
            continue;
        }
        if let (Some(suite), true) = (&farm.suite, farms.len() > 1) {
            writeln!(out, "== {suite}")?;
        }
        print_archive(&mut out, farm, &archive, planned)?;
        if let Some(fit) = &records {
            print_records(&mut out, fit, &archive)?;
        }
        runs.iter().try_for_each(|run| print(&mut out, run, farm))?;
    }
    if args.json {
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

fn simulate(
    farm: &FarmConfig,
    archive: &Archive,
    machines: &[MachineKind],
    policy: Policy,
    records: Option<&Fit>,
) -> anyhow::Result<Run> {
    let settings = Settings { policy, ..farm.settings()? };
    let world = farm.world()?;
    let truth = match records {
        Some(fit) => fit.truth(&archive.graph, &world),
        None => Truth::new(world, &archive.graph),
    };
    let penalties = records.map_or_else(|| farm.penalties(), |fit| fit.penalties);
    let bounds = lower_bounds(&archive.graph, machines, &settings, &truth);
    let policy_of =
        |(job, of): (JobId, &archmill_plan::Job)| Some((job, farm.packages.get(&*of.source)?.policy?));
    let simulation = Simulation::new(
        Farm {
            graph: archive.graph.clone(),
            machines: machines.to_vec(),
            settings,
            policies: archive.graph.jobs().filter_map(policy_of).collect(),
            predictor: Predictor::new(penalties),
            known: archive.known.clone(),
            shares: farm.shares(),
        },
        truth,
    );
    let mut events = Vec::new();
    let outcome = simulation.run_with(&mut |scheduler: &mut Scheduler, now, event| {
        let begun = Instant::now();
        let actions = scheduler.handle(now, event);
        events.push(begun.elapsed());
        actions
    });
    events.sort_unstable();
    Ok(Run { policy, outcome, bounds, events })
}

/// The records of a farm, in place of what farm.toml assumes.
fn records(folder: &Path, farm: &FarmConfig) -> anyhow::Result<Fit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seen = runtime.block_on(farm::records::seen(folder))?;
    let nothing =
        || Mistake(format!("no build of the farm in {} tells how long one takes", folder.display()));
    Ok(Fit::new(&seen, &farm.world()?).ok_or_else(nothing)?)
}

fn print_records(out: &mut impl Write, fit: &Fit, archive: &Archive) -> anyhow::Result<()> {
    let world = fit.world(&archive.graph, &World::default());
    let Penalties { accelerated, emulated, other_qemu, .. } = fit.penalties;
    writeln!(
        out,
        "from {} builds of {} sources: {} of these jobs as they were, the others {} natively in the median, within a factor of \
         {:.1} two times out of three; accelerated {accelerated:.2} times as long as natively, emulated {emulated:.1}, with \
         another QEMU {other_qemu:.1}",
        fit.builds,
        fit.sources,
        fit.known(&archive.graph).count(),
        farm::time(world.median),
        world.unexplained.exp()
    )?;
    Ok(())
}

fn print_archive(
    out: &mut impl Write,
    farm: &FarmConfig,
    archive: &Archive,
    planned: Duration,
) -> anyhow::Result<()> {
    let graph = &archive.graph;
    let packages = graph.jobs().filter(|(_, job)| job.kind == JobKind::Package);
    let mut by_target: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, job) in packages {
        *by_target.entry(graph.target(job.target).as_str()).or_default() += 1;
    }
    let list: Vec<_> = by_target.iter().map(|(target, count)| format!("{count} for {target}")).collect();
    let toolchains = graph.jobs().filter(|(_, job)| matches!(job.kind, JobKind::Toolchain { .. })).count();
    let cycles = graph.cycles();
    let in_cycles: usize = cycles.components.iter().map(Vec::len).sum();
    writeln!(out, "{} builds: {}", by_target.values().sum::<usize>(), list.join(", "))?;
    if toolchains > 0 {
        writeln!(out, "and {toolchains} toolchains, as the suite's cross compilers are of other versions")?;
    }
    writeln!(
        out,
        "{} needs; {in_cycles} jobs in {} cycles, broken by leaving out {} needs; planned in {:.1} s",
        graph.edges(),
        cycles.components.len(),
        cycles.broken.len(),
        planned.as_secs_f64()
    )?;
    let untested: Vec<&str> =
        farm.packages.iter().filter(|(_, package)| package.nocheck).map(|(name, _)| name.as_str()).collect();
    if !untested.is_empty() {
        writeln!(out, "without their tests: {}", untested.join(", "))?;
    }
    Ok(())
}

fn print(out: &mut impl Write, run: &Run, farm: &FarmConfig) -> anyhow::Result<()> {
    let Run { policy, outcome, bounds, events } = run;
    let makespan = outcome.makespan;
    writeln!(out, "\n{policy}: {}", time(makespan))?;
    writeln!(
        out,
        "  no scheduler could do with less than {}: work over slots {}, critical path {}, both together {}; this is \
         {:.1} % over",
        time(bounds.largest()),
        time(bounds.work),
        time(bounds.path),
        time(bounds.staged),
        over(run)
    )?;
    for machine in &outcome.machines {
        let price = farm.machines.get(&machine.name).map_or(0.0, |config| config.cost);
        let (there, busy) = (f64::from(machine.slots) * hours(makespan), hours(machine.busy));
        write!(
            out,
            "  {}: {} slots, {busy:.0} of {there:.0} slot hours used ({:.1} %)",
            machine.name,
            machine.slots,
            100.0 * machine.utilisation(makespan)
        )?;
        if price > 0.0 {
            write!(out, ", cost {:.2}, or {:.2} for what was used", there * price, busy * price)?;
        }
        writeln!(out)?;
    }
    let modes: Vec<_> = outcome
        .modes
        .iter()
        .map(|(rung, of)| format!("{rung} {} ({:.0} h)", of.builds, hours(of.time)))
        .collect();
    writeln!(out, "  builds by mode: {}", modes.join(", "))?;
    let states = outcome.states.iter().filter(|(_, count)| *count > 0);
    let states: Vec<_> = states.map(|(code, count)| format!("{} {count}", code.name())).collect();
    writeln!(out, "  in the end: {}", states.join(", "))?;
    let disabled: usize =
        outcome.states.iter().filter(|(code, _)| *code == Code::Disabled).map(|(_, count)| count).sum();
    if disabled > 0 {
        writeln!(
            out,
            "  disabled are {disabled} that farm.toml switches off or that no machine may build by this policy (64-bit ARM \
             machines build for armhf with aarch32 = true), so compare no times with those of another policy"
        )?;
    }
    writeln!(
        out,
        "  {} retries of what was no fault of a package; all slots in use for the last time at {}",
        outcome.transient,
        time(outcome.full_until)
    )?;
    writeln!(
        out,
        "  {} events, {:.1} s in all: median {:.1} us, 99.9 % below {:.2} ms, longest {:.1} ms",
        events.len(),
        events.iter().sum::<Duration>().as_secs_f64(),
        1e6 * at(events, 0.5).as_secs_f64(),
        1e3 * at(events, 0.999).as_secs_f64(),
        1e3 * at(events, 1.0).as_secs_f64()
    )?;
    Ok(())
}

fn as_json(run: &Run, farm: &FarmConfig) -> serde_json::Value {
    let Run { policy, outcome, bounds, events } = run;
    let machines: Vec<_> = outcome
        .machines
        .iter()
        .map(|machine| {
            let price = farm.machines.get(&machine.name).map_or(0.0, |config| config.cost);
            json!({
                "name": machine.name,
                "slots": machine.slots,
                "busy-hours": hours(machine.busy),
                "utilisation": machine.utilisation(outcome.makespan),
                "cost": price * f64::from(machine.slots) * hours(outcome.makespan),
            })
        })
        .collect();
    let modes: Vec<_> = outcome
        .modes
        .iter()
        .map(|(rung, of)| json!({ "mode": rung, "builds": of.builds, "hours": hours(of.time) }))
        .collect();
    let states: BTreeMap<&str, usize> =
        outcome.states.iter().map(|&(code, count): &(Code, usize)| (code.name(), count)).collect();
    json!({
        "policy": policy,
        "makespan-hours": hours(outcome.makespan),
        "bound-hours": {
            "work": hours(bounds.work),
            "path": hours(bounds.path),
            "staged": hours(bounds.staged),
        },
        "over-percent": over(run),
        "machines": machines,
        "modes": modes,
        "states": states,
        "transient": outcome.transient,
        "events": {
            "count": events.len(),
            "median-us": 1e6 * at(events, 0.5).as_secs_f64(),
            "p999-us": 1e6 * at(events, 0.999).as_secs_f64(),
            "longest-us": 1e6 * at(events, 1.0).as_secs_f64(),
        },
    })
}

/// How much longer than the bound it takes, in per cent.
fn over(run: &Run) -> f64 {
    let bound = run.bounds.largest().as_secs_f64();
    let over = if bound > 0.0 { 100.0 * (run.outcome.makespan.as_secs_f64() / bound - 1.0) } else { 0.0 };
    // Numbers that were added up in another order end a hair below it.
    if over.abs() < 0.01 { 0.0 } else { over }
}

/// The value below which a part of the events is.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn at(events: &[Duration], part: f64) -> Duration {
    let place = (events.len() as f64 * part) as usize;
    events.get(place.min(events.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn hours(time: Duration) -> f64 {
    time.as_secs_f64() / 3600.0
}

/// Days and hours, or hours and minutes.
fn time(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (days, hours) = (minutes / 1440, minutes / 60 % 24);
    if days > 0 { format!("{days} d {hours} h") } else { format!("{hours} h {} min", minutes % 60) }
}
