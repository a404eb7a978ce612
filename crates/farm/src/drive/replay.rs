//! What earlier runs tell: events told again, and what builds took.

use std::time::Duration;

use archmill_plan::scheduler::{Farm, Scheduler};
use archmill_plan::{Job, JobId, JobKind};
use archmill_store::{BuildRow, EndKind, PackageId, PackageRow, Store};
use rustc_hash::FxHashMap;

use crate::FarmError;

/// The scheduler of a rebuild as its events left it, found by telling one like it the same again. `farm` is what the rebuild
/// was given.
pub async fn replay(store: &Store, run: i64, mut farm: Farm) -> Result<Scheduler, FarmError> {
    farm.known = store.known_in(run).await?;
    let of = |source: &str, target: &str| {
        let is_it = |id: JobId, job: &Job| {
            job.kind != JobKind::BaseSet
                && *job.source == *source
                && farm.graph.made_for(id).as_str() == target
        };
        farm.graph.jobs().find(|(id, job)| is_it(*id, job)).map(|(id, _)| id)
    };
    let rows = store.packages(None).await?;
    let of = |row: &PackageRow| Some((row.id, of(&row.planned.source, &row.planned.target)?));
    let jobs: FxHashMap<PackageId, JobId> = rows.iter().filter_map(of).collect();
    learn(store, run, &mut farm, |build| jobs.get(&build.new.package).copied()).await?;
    let mut scheduler = Scheduler::new(farm);
    for (moment, event) in store.events(run).await? {
        scheduler.handle(moment, event);
    }
    Ok(scheduler)
}

/// Teaches a farm's predictor what builds took before a run, here and elsewhere.
pub(super) async fn learn(
    store: &Store,
    run: i64,
    farm: &mut Farm,
    job_of: impl Fn(&BuildRow) -> Option<JobId>,
) -> Result<(), FarmError> {
    for build in store.history(run).await? {
        let end = build.end.as_ref().filter(|end| end.kind == EndKind::Built && !end.compiler_emulated);
        let Some((job, end)) = job_of(&build).zip(end) else { continue };
        let of = farm.graph.job(job);
        farm.predictor.learn(&of.source, of.traits, of.target, build.new.rung, took(end.wall, end.cpu));
    }
    let mut elsewhere: FxHashMap<(String, String), Vec<Duration>> = FxHashMap::default();
    for time in store.native_times_in(run).await? {
        let took = took(Some(time.wall), time.cpu);
        elsewhere.entry((time.source, time.target)).or_default().push(took);
    }
    for (id, of) in farm.graph.jobs().filter(|(_, of)| of.kind == JobKind::Package) {
        let target = farm.graph.made_for(id).to_string();
        for took in elsewhere.remove(&(of.source.to_string(), target)).unwrap_or_default() {
            farm.predictor.learn_elsewhere(&of.source, of.traits, of.target, took);
        }
    }
    farm.predictor.fit();
    Ok(())
}

/// What a build took, as if it had had one slot: in several, CPU time is the better measure.
fn took(wall: Option<Duration>, cpu: Option<Duration>) -> Duration {
    wall.max(cpu).unwrap_or_default()
}
