//! Builds: how they are started, and what becomes of them.

use std::time::Duration;

use archmill_engine::Exit;
use archmill_engine::local::{self, Running};
use archmill_plan::ladder::Advice;
use archmill_plan::scheduler::{BuildId, Code, End, Event, Failure};
use archmill_plan::{JobId, JobKind};
use archmill_store::{BuildEnd, KeptFile};
use tokio::time::Instant;

use super::{Driver, Order, Start, Taken, Underway, With, now};
use crate::results::{Place, Taking, Trouble, take};
use crate::verdict::{TRANSIENT, Verdict, judge, judge_toolchain, keep};
use crate::{build_folder, files};

impl Driver<'_> {
    pub(super) fn start(&mut self, start: &Start) {
        let Start { job, build, row, again } = start;
        let (job, build, row) = (*job, *build, *row);
        let orphan = self.adopted.remove(&job);
        let is_adopted = orphan.is_some();
        let folder = build_folder(self.store.folder(), row);
        let graph = self.scheduler.graph();
        let order = Order { graph, job, build: &build, again: again.as_ref(), folder: &folder };
        let running = match orphan {
            Some(orphan) => Ok(orphan.running),
            None => local::start(&(self.task)(&order)),
        };
        let handle = running.as_ref().ok().map(Running::handle);
        self.running.insert(build.id, Underway { job, build, row, handle, asked: None });
        self.watch.started(&self.scheduler, job, &build, is_adopted);
        let id = build.id;
        match running {
            Ok(running) => {
                self.ends.spawn(async move { (id, running.ended().await) });
            }
            Err(error) => {
                let end = End::Transient(error.to_string().into());
                self.conclude(id, Verdict { kept: keep(&end, now()), end }, Vec::new());
            }
        }
    }

    pub(super) fn ended(&mut self, id: BuildId, exit: Exit) {
        let Some(underway) = self.running.get(&id) else { return };
        let folder = build_folder(self.store.folder(), underway.row);
        let graph = self.scheduler.graph();
        let (rung, asked) = (underway.build.rung, underway.asked.is_some());
        let is_package = graph.job(underway.job).kind == JobKind::Package;
        let verdict = if is_package {
            judge(&folder, rung, exit, asked, &self.rules, now())
        } else {
            judge_toolchain(&folder, exit, asked, now())
        };
        let is_published = is_package && matches!(verdict.end, End::Built { .. });
        let taking = self.archive.as_ref().filter(|_| is_published).map(|archive| Taking {
            build: folder.clone(),
            archive: archive.folder().to_owned(),
            place: Place::of(graph, underway.job),
            version: graph.job(underway.job).version.to_string(),
            before: self.jobs.fingerprint(underway.job).map(str::to_owned),
            versions: self.jobs.versions(underway.job),
            owners: self.owners.clone(),
        });
        let blobs = self.store.blobs().clone();
        self.takes.spawn(async move {
            let results = match taking {
                Some(taking) => {
                    let taken = tokio::task::spawn_blocking(move || take(&taking)).await;
                    Some(taken.unwrap_or_else(|error| Err(Trouble::Host(error.to_string()))))
                }
                None => None,
            };
            Taken { id, verdict, results, files: files::keep(&blobs, &folder).await }
        });
    }

    /// What a build made was read and its files are kept, or that cannot be.
    pub(super) fn taken(&mut self, taken: Taken) {
        let Taken { id, mut verdict, results, files } = taken;
        let (results, files) = match (results, files) {
            (results, Ok(files)) => (results, files),
            (_, Err(error)) => (Some(Err(Trouble::Host(error.to_string()))), Vec::new()),
        };
        match results {
            Some(Ok(results)) => {
                self.results.insert(id, results);
            }
            Some(Err(trouble)) => {
                let end = trouble.end();
                let kept = BuildEnd { at: verdict.kept.at, ..keep(&end, now()) };
                verdict = Verdict { end, kept };
            }
            None => {}
        }
        self.conclude(id, verdict, files);
    }

    /// Whether there is a toolchain for a job's architecture, or still may be: what builds take without it is not what later ones
    /// will take.
    fn may_have_toolchain(&self, job: JobId) -> bool {
        let graph = self.scheduler.graph();
        let arch = graph.made_for(job);
        let is_gone = |id: JobId| {
            matches!(self.scheduler.state(id).code(), Code::Failed | Code::Unresolvable | Code::Disabled)
        };
        graph.jobs().any(|(id, of)| {
            matches!(of.kind, JobKind::Toolchain { .. }) && graph.made_for(id) == arch && !is_gone(id)
        })
    }

    fn conclude(&mut self, id: BuildId, verdict: Verdict, files: Vec<KeptFile>) {
        let Some(underway) = self.running.get(&id) else { return };
        let (job, row, build) = (underway.job, underway.row, underway.build);
        let Verdict { mut end, mut kept } = self.limited(job, verdict);
        self.builds += 1;
        // The graph is looked through for those alone.
        kept.compiler_emulated = kept.compiler_emulated && self.may_have_toolchain(job);
        match (&mut end, kept.wall) {
            (End::Built { took }, _) if kept.compiler_emulated => *took = Duration::ZERO,
            (End::Built { .. }, Some(wall)) => self.outlook.learn(&build, wall),
            _ => {}
        }
        self.watch.ended(&self.scheduler, job, &build, &kept);
        // One that was built is needed until its results are published.
        if !matches!(end, End::Built { .. }) {
            self.running.remove(&id);
        }
        self.queue.push_back((Event::Ended(id, end), With::End(row, kept, files)));
    }

    /// What came to nothing too often in a row is left for the next run: a mirror that lost a file must not keep a rebuild
    /// from ending.
    fn limited(&mut self, job: JobId, verdict: Verdict) -> Verdict {
        let End::Transient(why) = &verdict.end else {
            self.retries.remove(&job);
            return verdict;
        };
        let failures = self.retries.entry(job).or_default();
        *failures += 1;
        if *failures <= self.most_retries {
            return verdict;
        }
        let why = format!("{failures} times in a row, for no fault of the package: {why}");
        let failure = Failure { class: TRANSIENT[0].into(), why: why.into() };
        Verdict { end: End::Failed(failure, Advice::Stop), ..verdict }
    }
}

impl Underway {
    pub(super) fn cancel(&mut self) {
        self.asked.get_or_insert_with(Instant::now);
        if let Some(handle) = self.handle {
            // If it cannot be told, it is killed after a while.
            let _ = handle.end();
        }
    }
}
