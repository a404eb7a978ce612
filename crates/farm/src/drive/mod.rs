//! The loop.

mod builds;
mod replay;
mod write;

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, SystemTime};

use archmill_archive::{Compress, Publisher};
use archmill_engine::local::Handle;
use archmill_engine::{EngineError, Exit, Task};
use archmill_plan::graph::Graph;
use archmill_plan::ladder::Worked;
use archmill_plan::scheduler::{Action, Build, BuildId, Code, End, Event, Farm, Known, MachineId, Scheduler};
use archmill_plan::{JobId, JobKind, Moment};
use archmill_store::{BlobError, BuildEnd, KeptFile, NewRun, RequestKind, RequestRow, RunForecast, Store};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::jobs::{JobInputs, Jobs, OwnResults};
use crate::known::{Adopted, OwnArchive, is_set_aside};
use crate::outlook::{Forecast, Outlook};
use crate::owners::Owners;
use crate::results::{Results, Trouble, fill};
use crate::rules::FailureRules;
use crate::verdict::Verdict;
use crate::watch::Watch;
use crate::{FarmError, build_folder, files, known};
use replay::learn;

pub use replay::replay;

/// How often it is looked for requests, and a display made anew.
const TICK: Duration = Duration::from_millis(500);
/// How often predictions are made anew from what was learnt: that takes time in proportion to the graph.
const LEARN: Duration = Duration::from_mins(5);
/// How often it is written down when all will be done.
const FORETELL: Duration = Duration::from_secs(15);
/// A build that is asked to end and does not is killed after this.
const GRACE: Duration = Duration::from_mins(2);

/// A build that is to be started.
#[derive(Debug)]
pub struct Order<'o> {
    /// The jobs.
    pub graph: &'o Graph,
    /// One of them.
    pub job: JobId,
    /// How it is to be run.
    pub build: &'o Build,
    /// Whether it is a rebuild of a version that was published before.
    pub again: Option<&'o Again>,
    /// Where.
    pub folder: &'o Path,
}

/// A rebuild of a version that was published before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// Its number (`+bN`).
    pub number: u32,
    /// Why it is, if that is known: one sentence.
    pub reason: Option<String>,
}

/// The command of a build.
pub type MakeTask<'r> = &'r dyn Fn(&Order<'_>) -> Task;

/// A rebuild.
pub struct Rebuild<'r> {
    /// The farm's memory; whoever calls holds its lock.
    pub store: &'r Store,
    /// What is rebuilt.
    pub suite: &'r str,
    /// Suites that are rebuilt after it.
    pub later: &'r [String],
    /// The jobs, the machines and the settings; and what the plan itself knows of jobs: what cannot be installed, what is
    /// switched off.
    pub farm: Farm,
    /// What goes into jobs.
    pub inputs: JobInputs,
    /// Where results go, if builds are made against them.
    pub archive: Option<Publisher>,
    /// Whose packages are whose in the suite.
    pub owners: Owners,
    /// What logs tell of failures.
    pub rules: FailureRules,
    /// Source packages whose tests are left out.
    pub nocheck: FxHashSet<String>,
    /// Processors of this host.
    pub processors: u32,
    /// The command of a build.
    pub task: MakeTask<'r>,
    /// So often a build may come to nothing in a row for no fault of its package, before it is left for the next run.
    pub most_retries: u32,
}

/// How a rebuild is ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// No more builds are started; those that run go on to their end.
    Drain,
    /// Those that run are ended too.
    End,
}

/// What a rebuild came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its number.
    pub run: i64,
    /// Packages by state.
    pub counts: [(Code, usize); 11],
    /// Builds that ended in this run.
    pub builds: u64,
    /// Packages whose results the archive did not have before.
    pub published: u64,
    /// Whether it was ended before there was nothing left to do.
    pub stopped: bool,
}

impl Summary {
    /// How many packages are in a state.
    pub fn count(&self, code: Code) -> usize {
        self.counts.iter().find(|(of, _)| *of == code).map_or(0, |(_, count)| *count)
    }
}

/// Runs a rebuild to its end.
pub async fn drive(
    rebuild: Rebuild<'_>,
    watch: &mut dyn Watch,
    stops: &mut UnboundedReceiver<Stop>,
) -> Result<Summary, FarmError> {
    let store = rebuild.store;
    let (mut driver, unwanted) = Driver::new(rebuild, watch).await?;
    for orphan in unwanted {
        known::end_orphan(store, orphan, now()).await?;
    }
    driver.begin().await?;
    driver.run(stops).await?;
    store.end_run(driver.run, now()).await?;
    Ok(Summary {
        run: driver.run,
        counts: driver.scheduler.counts(),
        builds: driver.builds,
        published: driver.published,
        stopped: driver.stopped.is_some() && !driver.scheduler.is_done(),
    })
}

struct Driver<'r> {
    store: &'r Store,
    run: i64,
    scheduler: Scheduler,
    jobs: Jobs,
    archive: Option<Publisher>,
    owners: Owners,
    rules: FailureRules,
    /// Results that are being read.
    takes: JoinSet<Taken>,
    /// Those that were, until the scheduler asks for them.
    results: FxHashMap<BuildId, Results>,
    /// What went into the last build of each job in this run.
    started: FxHashMap<JobId, String>,
    /// What went into the last that succeeded.
    succeeded: FxHashMap<JobId, String>,
    machines: usize,
    task: MakeTask<'r>,
    watch: &'r mut dyn Watch,
    /// Builds of earlier runs that still run, until the scheduler has started them.
    adopted: FxHashMap<JobId, Adopted>,
    running: FxHashMap<BuildId, Underway>,
    ends: JoinSet<(BuildId, Result<Exit, EngineError>)>,
    /// Builds whose files were written down as kept in the transaction that is under way.
    kept: Vec<archmill_store::BuildId>,
    /// What the scheduler has yet to be told.
    queue: VecDeque<(Event, With)>,
    wake: Option<Moment>,
    retries: FxHashMap<JobId, u32>,
    most_retries: u32,
    stopped: Option<Stop>,
    builds: u64,
    published: u64,
    learnt: Instant,
    outlook: Outlook,
    /// When the forecast was written down.
    foretold: Option<Instant>,
}

/// A build whose results were read, if it has some for the archive, and whose files are kept.
struct Taken {
    id: BuildId,
    verdict: Verdict,
    results: Option<Result<Results, Trouble>>,
    files: Result<Vec<KeptFile>, BlobError>,
}

/// A build that runs.
struct Underway {
    job: JobId,
    build: Build,
    row: archmill_store::BuildId,
    handle: Option<Handle>,
    /// When it was asked to end.
    asked: Option<Instant>,
}

/// A build that was written down as started.
struct Start {
    job: JobId,
    build: Build,
    row: archmill_store::BuildId,
    again: Option<Again>,
}

/// What is written down together with an event.
enum With {
    Nothing,
    End(archmill_store::BuildId, BuildEnd, Vec<KeptFile>),
    /// With the moment at which the build began.
    Published(JobId, Moment, Worked, Option<(archmill_store::BuildId, Results)>),
    Request(RequestRow, JobId),
}

impl With {
    /// The number of the request that an event answers.
    fn request(&self) -> Option<i64> {
        if let Self::Request(request, _) = self { Some(request.id) } else { None }
    }
}

impl<'r> Driver<'r> {
    async fn new(
        rebuild: Rebuild<'r>,
        watch: &'r mut dyn Watch,
    ) -> Result<(Self, Vec<known::Orphan>), FarmError> {
        let Rebuild {
            store,
            suite,
            later,
            mut farm,
            inputs,
            mut archive,
            owners,
            rules,
            nocheck,
            processors,
            task,
            most_retries,
        } = rebuild;
        let own = archive.as_ref().map(|archive| OwnArchive { folder: archive.folder(), owners: &owners });
        let orphans = known::take_in(store, suite, own, &rules, now()).await?;
        let results = match &mut archive {
            Some(archive) => {
                let published = store.published(suite).await?;
                let results = OwnResults::new(farm.settings.strategy, &farm.graph, &published);
                // What ended before this run is there now.
                fill(archive, published);
                Some(results)
            }
            None => None,
        };
        let jobs = Jobs::plan(store, suite, &farm.graph, inputs, results, &nocheck, now()).await?;
        let rows = store.packages(None).await?;
        let mut known = known::known(store, &jobs, &rows).await?;
        let known::Adoption { known: underway, adopted, unwanted } =
            known::adopt(orphans, &jobs, &farm.graph, &farm.machines);
        known.retain(|(job, known)| !adopted.contains_key(job) || matches!(known, Known::Climbed { .. }));
        known.extend(underway);
        // What the plan says comes last, so it is what counts.
        known.extend(farm.known.into_iter().filter(|(job, _)| !adopted.contains_key(job)));
        let slots = farm.machines.iter().map(|machine| machine.slots).sum();
        let native = store.native_times().await?;
        let new = NewRun { suite, known: &known, native: &native, processors, slots, later };
        let run = store.begin_run(&new, now()).await?;
        farm.known = known;
        learn(store, run, &mut farm, |build| jobs.job(build.new.package)).await?;
        let machines = farm.machines.len();
        let mut driver = Self {
            store,
            run,
            scheduler: Scheduler::new(farm),
            jobs,
            archive,
            owners,
            rules,
            takes: JoinSet::new(),
            results: FxHashMap::default(),
            started: FxHashMap::default(),
            succeeded: FxHashMap::default(),
            machines,
            task,
            watch,
            adopted,
            running: FxHashMap::default(),
            ends: JoinSet::new(),
            kept: Vec::new(),
            queue: VecDeque::new(),
            wake: None,
            retries: FxHashMap::default(),
            most_retries,
            stopped: None,
            builds: 0,
            published: 0,
            learnt: Instant::now(),
            outlook: Outlook::default(),
            foretold: None,
        };
        let mut change = store.begin().await?;
        for row in &rows {
            let Some(job) = driver.jobs.job(row.id) else { continue };
            let had_succeeded = row.state == Code::Succeeded || is_set_aside(row.state);
            if let Some(inputs) = row.settled_inputs.as_ref().filter(|_| had_succeeded) {
                driver.succeeded.insert(job, inputs.clone());
            }
            let state = driver.scheduler.state(job);
            if state.code() != row.state {
                let state = state.clone();
                driver.write(&mut change, now(), job, &state).await?;
            }
            if let Some(why) = &row.held {
                driver.queue.push_back((Event::Hold(job, why.as_str().into()), With::Nothing));
            }
            if row.prioritised {
                driver.queue.push_back((Event::Prioritise(job), With::Nothing));
            }
        }
        change.commit().await?;
        Ok((driver, unwanted))
    }

    /// What was asked for before the first build starts.
    async fn begin(&mut self) -> Result<(), FarmError> {
        self.take_requests().await?;
        // Nothing starts while slots are none; with the last of these events everything that may does.
        let slots = |place| self.scheduler.slots(machine(place)).map_or(0, |(slots, _)| slots);
        let slots: Vec<u32> = (0..self.machines).map(slots).collect();
        let asked = std::mem::take(&mut self.queue);
        let all = |slots: Vec<u32>| {
            let of = |(place, slots)| (Event::Slots(machine(place), slots), With::Nothing);
            slots.into_iter().enumerate().map(of).collect::<Vec<_>>()
        };
        if !asked.is_empty() {
            self.queue.extend(all(vec![0; self.machines]));
            self.queue.extend(asked);
        }
        self.queue.extend(all(slots));
        self.queue.push_back((Event::Tick, With::Nothing));
        self.tell_all().await
    }

    async fn run(&mut self, stops: &mut UnboundedReceiver<Stop>) -> Result<(), FarmError> {
        let mut ticks: Interval = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.running.is_empty() || (self.stopped.is_none() && !self.scheduler.is_done()) {
            let wait = self.wake.map(|wake| wake.since(now()));
            tokio::select! {
                Some(joined) = self.ends.join_next(), if !self.ends.is_empty() => match joined {
                    Ok((build, exit)) => self.ended(build, exit?),
                    // A task of ours panicked, which is told as such.
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                Some(joined) = self.takes.join_next(), if !self.takes.is_empty() => match joined {
                    Ok(taken) => self.taken(taken),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {
                    self.wake = None;
                    self.queue.push_back((Event::Tick, With::Nothing));
                }
                Some(stop) = stops.recv() => self.stop(stop),
                _ = ticks.tick() => self.tick().await?,
            }
            self.tell_all().await?;
        }
        self.write_archive(Compress::Gzip)
    }

    async fn tick(&mut self) -> Result<(), FarmError> {
        self.take_requests().await?;
        if self.learnt.elapsed() >= LEARN {
            self.learnt = Instant::now();
            self.queue.push_back((Event::Reprioritise, With::Nothing));
        }
        for build in self.running.values_mut() {
            if build.asked.is_some_and(|asked| asked.elapsed() >= GRACE)
                && let Some(handle) = build.handle
            {
                // It is killed again if that fails.
                let _ = handle.kill();
            }
        }
        let folders: FxHashMap<JobId, Box<Path>> = self
            .running
            .values()
            .map(|build| (build.job, build_folder(self.store.folder(), build.row).into_boxed_path()))
            .collect();
        // It looks at every job: only for those who want to know.
        let forecast = || self.outlook.forecast(&self.scheduler, now());
        self.watch.tick(&self.scheduler, &forecast, &|job| folders.get(&job).cloned());
        if self.foretold.is_none_or(|before| before.elapsed() >= FORETELL) {
            self.foretold = Some(Instant::now());
            let Forecast { left, bounds } =
                forecast().unwrap_or(Forecast { left: Duration::ZERO, bounds: None });
            let at = now();
            let bounds = bounds.map(|(least, most)| (at + least, at + most));
            self.store.foretell(self.run, &RunForecast { at, end: at + left, bounds }).await?;
        }
        Ok(())
    }

    fn stop(&mut self, stop: Stop) {
        self.stopped = Some(stop);
        for place in 0..self.machines {
            self.queue.push_back((Event::Slots(machine(place), 0), With::Nothing));
        }
        self.watch.stopping(self.running.len());
        if stop == Stop::End {
            self.running.values_mut().for_each(Underway::cancel);
        }
    }

    async fn take_requests(&mut self) -> Result<(), FarmError> {
        for request in self.store.requests().await? {
            let graph = self.scheduler.graph();
            let is_meant = |id: JobId, job: &archmill_plan::Job| {
                job.kind != JobKind::BaseSet
                    && *job.source == *request.source
                    && request.target.as_ref().is_none_or(|target| graph.made_for(id).as_str() == target)
            };
            let meant: Vec<JobId> =
                graph.jobs().filter(|(id, job)| is_meant(*id, job)).map(|(id, _)| id).collect();
            self.watch.requested(&request, meant.len());
            if meant.is_empty() {
                let mut change = self.store.begin().await?;
                change.taken(request.id, now()).await?;
                change.commit().await?;
            }
            for job in meant {
                let event = match request.kind {
                    RequestKind::GiveBack => Event::GiveBack(job),
                    RequestKind::Hold => Event::Hold(job, request.why.as_str().into()),
                    RequestKind::Release => Event::Release(job),
                    RequestKind::Prioritise => Event::Prioritise(job),
                };
                self.queue.push_back((event, With::Request(request.clone(), job)));
            }
        }
        Ok(())
    }

    async fn tell_all(&mut self) -> Result<(), FarmError> {
        while let Some(first) = self.queue.pop_front() {
            let mut events = VecDeque::from([first]);
            // What was asked for a source is done for all of its architectures, or for none of them.
            while let Some((_, with)) = self.queue.front()
                && with.request().is_some()
                && with.request() == events[0].1.request()
            {
                events.extend(self.queue.pop_front());
            }
            self.tell(events).await?;
        }
        Ok(())
    }

    /// Tells the scheduler something, writes down what that means, and then does it.
    async fn tell(&mut self, mut events: VecDeque<(Event, With)>) -> Result<(), FarmError> {
        let now = now();
        let mut change = self.store.begin().await?;
        let (mut starts, mut cancelled) = (Vec::new(), Vec::new());
        // What follows at once is of the same transaction: a build that is written down as ended and not as published would be
        // made again.
        while let Some((event, with)) = events.pop_front() {
            change.event(self.run, now, &event).await?;
            self.write_with(&mut change, now, with).await?;
            for action in self.scheduler.handle(now, event) {
                match action {
                    Action::Moved(job, state) => self.write(&mut change, now, job, &state).await?,
                    Action::Start(job, build) => match self.write_start(&mut change, now, job, &build).await?
                    {
                        Some(start) => starts.push(start),
                        None => events.push_back((Event::Ended(build.id, End::UpToDate), With::Nothing)),
                    },
                    Action::Cancel(build) => cancelled.push(build),
                    Action::Publish(job, build) => {
                        let results = self.results.remove(&build);
                        let changed = results.as_ref().is_none_or(|results| results.stanzas.is_some());
                        let with = self.running.remove(&build).map_or(With::Nothing, |underway| {
                            let version = self.scheduler.graph().job(job).version.clone();
                            let worked = Worked { rung: underway.build.rung, version };
                            let results = results.map(|results| (underway.row, results));
                            With::Published(job, underway.build.since, worked, results)
                        });
                        events.push_back((Event::Published { build, changed }, with));
                    }
                    Action::WakeAt(moment) => self.wake = Some(moment),
                }
            }
        }
        change.commit().await?;
        // What is kept and written down is not needed there any more.
        for row in std::mem::take(&mut self.kept) {
            files::clear(&build_folder(self.store.folder(), row))?;
        }
        if !starts.is_empty() {
            // What is started now is built against what was published before.
            self.write_archive(Compress::No)?;
        }
        for build in cancelled {
            if let Some(underway) = self.running.get_mut(&build) {
                underway.cancel();
            }
        }
        for start in &starts {
            self.start(start);
        }
        Ok(())
    }
}

fn machine(place: usize) -> MachineId {
    MachineId(u8::try_from(place).unwrap_or(u8::MAX))
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
