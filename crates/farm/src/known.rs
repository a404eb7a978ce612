//! What earlier runs left: ends that nobody took in, builds that still run, and what is known of each package.

use std::path::{Path, PathBuf};

use archmill_engine::Exit;
use archmill_engine::local::{self, Running};
use archmill_plan::graph::Graph;
use archmill_plan::ladder::Worked;
use archmill_plan::scheduler::{Code, End, Failure, Known, MachineId, MachineKind, Underway};
use archmill_plan::{JobId, Moment};
use archmill_store::{
    BuildEnd, BuildId, BuildRow, EndKind, KeptFile, PackageId, PackageRow, Publication, Store,
};
use rustc_hash::FxHashMap;

use crate::jobs::Jobs;
use crate::owners::Owners;
use crate::results::{Place, Results, Taking, Trouble, take};
use crate::rules::FailureRules;
use crate::verdict::{TRANSIENT, judge, judge_toolchain, keep, made_toolchain};
use crate::{FarmError, build_folder, files};

/// A build that outlived the run that started it.
pub(crate) struct Orphan {
    pub(crate) row: BuildRow,
    pub(crate) running: Running,
}

/// The farm's own archive.
#[derive(Clone, Copy)]
pub(crate) struct OwnArchive<'a> {
    pub(crate) folder: &'a Path,
    /// Whose packages are whose.
    pub(crate) owners: &'a Owners,
}

/// Takes in the ends of builds of which the store knows only the start. What still runs is returned.
///
/// `archive` is where results go, if builds are made against them.
pub(crate) async fn take_in(
    store: &Store,
    suite: &str,
    archive: Option<OwnArchive<'_>>,
    rules: &FailureRules,
    now: Moment,
) -> Result<Vec<Orphan>, FarmError> {
    tidy(store).await?;
    let mut orphans = Vec::new();
    for row in store.underway().await? {
        let folder = build_folder(store.folder(), row.id);
        if let Some(running) = local::adopt(&folder) {
            orphans.push(Orphan { row, running });
            continue;
        }
        let is_toolchain = made_toolchain(&folder);
        let verdict = if is_toolchain {
            judge_toolchain(&folder, Exit::Unknown, false, now)
        } else {
            judge(&folder, row.new.rung, Exit::Unknown, false, rules, now)
        };
        let mut end = verdict.kept;
        let mut publication = None;
        if let Some(archive) = archive.filter(|_| end.kind == EndKind::Built && !is_toolchain) {
            match publish(store, suite, archive, &row, folder.clone()).await? {
                Ok(made) => publication = made,
                Err(trouble) => end = keep(&trouble.end(), now),
            }
        }
        if end.kind == EndKind::Transient && end.wall.is_none() {
            // No record: whatever killed the farm killed the build too.
            end.kind = EndKind::Lost;
        }
        let files = files::keep(store.blobs(), &folder).await?;
        settle(store, &row, &end, &files, publication, now).await?;
        files::clear(&folder)?;
    }
    Ok(orphans)
}

/// Keeps the files of builds that ended and are still in their folders: those of farms that kept them there, and those that
/// were written down when the farm was killed.
async fn tidy(store: &Store) -> Result<(), FarmError> {
    let folders = std::fs::read_dir(store.folder().join("builds")).into_iter().flatten().flatten();
    let numbers: Vec<i64> = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    if numbers.is_empty() {
        return Ok(());
    }
    for row in store.all_builds().await? {
        let folder = build_folder(store.folder(), row.id);
        if row.end.is_none() || !numbers.contains(&row.id.0) || local::adopt(&folder).is_some() {
            continue;
        }
        if store.files_of(row.id).await?.is_empty() {
            let files = files::keep(store.blobs(), &folder).await?;
            let mut change = store.begin().await?;
            change.keep(row.id, &files).await?;
            change.commit().await?;
        }
        files::clear(&folder)?;
    }
    Ok(())
}

/// Takes the results of a build into the archive, whose packages nobody reads yet. `None` if it has the same already, or if the
/// package is no longer of the farm.
async fn publish(
    store: &Store,
    suite: &str,
    archive: OwnArchive<'_>,
    row: &BuildRow,
    folder: PathBuf,
) -> Result<Result<Option<Publication>, Trouble>, FarmError> {
    let packages = store.packages(None).await?;
    let Some(package) = packages.into_iter().find(|package| package.id == row.new.package) else {
        return Ok(Ok(None));
    };
    if package.suite != suite {
        return Ok(Ok(None));
    }
    let published = store.published(suite).await?;
    let own =
        published.into_iter().map(|known| known.publication).filter(|known| known.package == package.id);
    let own: Vec<Publication> = own.collect();
    let taking = Taking {
        build: folder,
        archive: archive.folder.to_owned(),
        owners: archive.owners.clone(),
        place: Place {
            component: package.planned.component,
            target: package.planned.target,
            source: package.planned.source,
        },
        version: row.new.version.clone(),
        before: own.last().map(|known| known.fingerprint.clone()),
        versions: own.into_iter().map(|known| known.version).collect(),
    };
    Ok(take(&taking).map(|Results { version, fingerprint, stanzas }| {
        let stanzas = stanzas?;
        Some(Publication { package: package.id, build: row.id, version, fingerprint, stanzas })
    }))
}

/// Ends a build that has no place in the plan any more.
pub(crate) async fn end_orphan(store: &Store, orphan: Orphan, now: Moment) -> Result<(), FarmError> {
    // Whether that can be done or not, its end is waited for: two builds must not write to one folder.
    let _ = orphan.running.handle().end();
    orphan.running.ended().await?;
    let folder = build_folder(store.folder(), orphan.row.id);
    let files = files::keep(store.blobs(), &folder).await?;
    settle(store, &orphan.row, &keep(&End::Cancelled, now), &files, None, now).await?;
    files::clear(&folder)
}

/// Writes the end of a build down and, where that is the end of it all, the state of its package.
async fn settle(
    store: &Store,
    row: &BuildRow,
    end: &BuildEnd,
    files: &[KeptFile],
    publication: Option<Publication>,
    now: Moment,
) -> Result<(), FarmError> {
    let mut change = store.begin().await?;
    change.end(row.id, end).await?;
    change.keep(row.id, files).await?;
    if end.kind == EndKind::Built {
        let package = row.new.package;
        let worked = Worked { rung: row.new.rung, version: row.new.version.as_str().into() };
        let reason = format!("{} was built in the mode {}", row.new.version, row.new.rung);
        change.worked(package, &worked).await?;
        if let Some(publication) = &publication {
            change.publish(publication, now).await?;
        }
        change.start_over(package).await?;
        change.moved(package, Code::Succeeded, &reason, None, row.new.inputs.as_deref(), now).await?;
    }
    change.commit().await?;
    Ok(())
}

/// What the store knows of the jobs of a plan.
pub(crate) async fn known(
    store: &Store,
    jobs: &Jobs,
    rows: &[PackageRow],
) -> Result<Vec<(JobId, Known)>, FarmError> {
    let mut climbs: FxHashMap<PackageId, Vec<BuildRow>> = FxHashMap::default();
    for row in store.climbs().await? {
        climbs.entry(row.new.package).or_default().push(row);
    }
    let mut known = Vec::new();
    for row in rows {
        let Some(job) = jobs.job(row.id) else { continue };
        known.extend(row.worked.clone().map(|worked| (job, Known::Worked(worked))));
        let is_same = row.settled_inputs.is_some() && row.settled_inputs == row.planned.inputs;
        let again = row.class.as_deref().is_some_and(|class| TRANSIENT.contains(&class));
        match row.state {
            Code::Succeeded if is_same => known.push((job, Known::Built)),
            // Only what had succeeded keeps what went into it.
            code if is_same && is_set_aside(code) => known.push((job, Known::Built)),
            Code::Failed if is_same && !again => known.push((
                job,
                Known::Failed(Failure {
                    class: row.class.as_deref().unwrap_or("unknown").into(),
                    why: plain(&row.reason).into(),
                }),
            )),
            Code::Unresolvable if is_same => {
                known.push((job, Known::Unresolvable(plain(&row.reason).into())));
            }
            _ => known.extend(climbs.remove(&row.id).map(|builds| (job, climbed(&builds)))),
        }
    }
    Ok(known)
}

/// Whether a state tells what somebody wants of a package, and not what became of it.
pub(crate) fn is_set_aside(code: Code) -> bool {
    matches!(code, Code::Locked | Code::Disabled | Code::Excluded | Code::Broken)
}

fn climbed(builds: &[BuildRow]) -> Known {
    let of = |build: &BuildRow| Some((build.new.rung, build.end.as_ref()?.advice?));
    let tries = builds.iter().filter_map(of).collect();
    let last = builds.last().and_then(|build| build.end.as_ref());
    let text = |of: fn(&BuildEnd) -> Option<&String>| last.and_then(of).map_or("", String::as_str).into();
    let failure = Failure { class: text(|end| end.class.as_ref()), why: text(|end| end.message.as_ref()) };
    Known::Climbed { tries, failure }
}

/// A reason as it was given, without what was said around it.
fn plain(reason: &str) -> &str {
    let reason = reason.strip_prefix("its build dependencies cannot be installed: ").unwrap_or(reason);
    // "why (class); it is tried again when ..."
    reason
        .rsplit_once("; it is tried again")
        .and_then(|(head, _)| head.rsplit_once(" ("))
        .map_or(reason, |(why, _)| why)
}

/// A build of an earlier run that goes on.
pub(crate) struct Adopted {
    pub(crate) row: BuildId,
    pub(crate) running: Running,
    /// What went into it.
    pub(crate) inputs: Option<String>,
}

/// What becomes of orphans.
#[derive(Default)]
pub(crate) struct Adoption {
    /// For the scheduler.
    pub(crate) known: Vec<(JobId, Known)>,
    /// Those whose jobs are still wanted.
    pub(crate) adopted: FxHashMap<JobId, Adopted>,
    /// Those that are not.
    pub(crate) unwanted: Vec<Orphan>,
}

/// Finds out which orphans are still wanted.
pub(crate) fn adopt(orphans: Vec<Orphan>, jobs: &Jobs, graph: &Graph, machines: &[MachineKind]) -> Adoption {
    let mut adoption = Adoption::default();
    for orphan in orphans {
        let machine = machines.iter().position(|kind| kind.name == orphan.row.new.machine);
        let job = jobs.job(orphan.row.new.package);
        let is_same = |job: &JobId| jobs.inputs(graph, *job) == orphan.row.new.inputs;
        let place = job.filter(is_same).zip(machine.and_then(|place| u8::try_from(place).ok()));
        match place {
            Some((job, machine)) => {
                let (rung, width) = (orphan.row.new.rung, orphan.row.new.width);
                let underway = Underway { machine: MachineId(machine), rung, width };
                adoption.known.push((job, Known::Underway(underway)));
                let (row, inputs) = (orphan.row.id, orphan.row.new.inputs);
                adoption.adopted.insert(job, Adopted { row, running: orphan.running, inputs });
            }
            None => adoption.unwanted.push(orphan),
        }
    }
    adoption
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_come_back_as_they_were_given() {
        let reason = "exit status 2 (twice) (build); it is tried again when something that goes into it changes, or when \
                      it is given back";
        assert_eq!(plain(reason), "exit status 2 (twice)");
        assert_eq!(plain("its build dependencies cannot be installed: x"), "x");
        assert_eq!(plain("x"), "x");
    }
}
