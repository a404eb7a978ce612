//! Log, results and record of a build.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use archmill_deb::members::Bounds;
use archmill_sandbox::{Exit, LimitKind, Sandbox};
use jiff::{SignedDuration, Timestamp};

use super::draft::{Draft, ms};
use super::error::{During as _, JobError};
use super::failure::failure;
use super::plan::Plan;
use super::roots::{Root, make_root};
use super::session::{Request, Session};
use super::source::{Source, has_ending};
use super::traces::check_traces;
use crate::artifacts::{self, ArtifactError};
use crate::classify::{Class, Phase, relevant_lines};
use crate::log::{Header, LogError, LogWriter, Section, Summary};
use crate::record::{
    Artifact, BuildRecord, Choice, ExecutableUse, FORMAT_VERSION, Host, Inputs, LimitSettings, Outcome,
    PackageInput, Resources, SourceFile, SourceInput,
};
use crate::report::Event;

const BUILD_FOLDER: &str = "/build/reproducible-path";
const SMALL: u64 = 16 << 20;
/// How names of logs end.
const LOG_ENDING: &str = ".build";

/// A build that ran to its end, well or not.
#[derive(Debug)]
pub struct Finished {
    /// Whether there are packages.
    pub successful: bool,
    /// How it went.
    pub outcome: Outcome,
    /// What there is.
    pub artifacts: Vec<Artifact>,
}

impl Finished {
    /// The same results, after which `error` happened; `tail` is what was printed then.
    pub(super) fn but(self, error: JobError, tail: &str) -> Self {
        let mut outcome = Outcome::failure(error.phase, error.class, error.message);
        outcome.relevant_lines = relevant_lines(tail);
        Self { successful: false, outcome, artifacts: self.artifacts }
    }
}

/// A build on its way: its log, and what is known of it so far.
pub struct Progress<'a> {
    log: LogWriter<'a>,
    log_error: Option<LogError>,
    /// Folder for the results.
    pub out: PathBuf,
    /// The header of the log.
    pub header: Header,
    /// What was asked for, as the user said it.
    pub job: String,
    /// Whether to open a shell when the build fails.
    pub shell_on_failure: bool,
    /// Commands of the user's, for the record.
    pub hooks: Vec<(String, String)>,
    /// What is known so far.
    pub draft: Draft,
    resources: Resources,
    accounting: String,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl std::fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("out", &self.out).finish_non_exhaustive()
    }
}

impl<'a> Progress<'a> {
    /// Of a build whose log goes to `log` and whose results go to `out`.
    pub fn new(
        log: LogWriter<'a>,
        out: PathBuf,
        header: Header,
        job: String,
        shell_on_failure: bool,
        draft: Draft,
    ) -> Self {
        Self {
            log,
            log_error: None,
            out,
            header,
            job,
            shell_on_failure,
            hooks: Vec::new(),
            draft,
            resources: Resources::default(),
            accounting: "supervisor".to_owned(),
            warnings: Vec::new(),
        }
    }

    /// The end of the log.
    pub fn tail(&self) -> String {
        self.log.tail().clone()
    }

    /// What programs print from here on is what tells why something failed.
    pub(super) fn forget_tail(&mut self) {
        self.log.forget_tail();
    }

    /// The lines that tell why a program in the root failed, in a phase whose errors do not hold them.
    pub fn relevant_lines(&self, phase: Phase) -> Vec<String> {
        if matches!(phase, Phase::Unpack | Phase::Hook) {
            relevant_lines(&self.log.tail())
        } else {
            Vec::new()
        }
    }

    /// What the user should know, said at once and in log and record.
    pub(super) fn warn(&mut self, session: &Session<'_>, text: String) -> Result<(), JobError> {
        session.report.event(Event::Warning(&text));
        self.log(|log| log.warning(&text))?;
        self.warnings.push(text);
        Ok(())
    }

    /// Writes to the log.
    pub fn log(
        &mut self,
        write: impl FnOnce(&mut LogWriter<'a>) -> Result<(), LogError>,
    ) -> Result<(), JobError> {
        write(&mut self.log).during(Phase::Host)
    }

    /// Begins a section of the log.
    pub fn section(&mut self, section: Section) -> Result<(), JobError> {
        self.log(|log| log.section(section, Timestamp::now()))
    }

    /// Output of a program. An error is kept for [`Self::check_log`], as nobody can take it here.
    pub fn output(&mut self, bytes: &[u8]) {
        if self.log_error.is_none() {
            self.log_error = self.log.output(bytes).err();
        }
    }

    /// Whether all output reached the log.
    pub fn check_log(&mut self) -> Result<(), JobError> {
        self.log_error.take().map_or(Ok(()), |error| Err(JobError::new(Phase::Host, error)))
    }

    /// A phase begins.
    pub fn begin(&mut self, phase: Phase) {
        self.draft.phases.begin(phase);
    }

    /// It ends, having used `exit`.
    pub fn end(&mut self, exit: Option<&Exit>) {
        self.draft.phases.end(exit);
        if let Some(exit) = exit {
            self.resources.peak_memory_bytes = self.resources.peak_memory_bytes.max(exit.peak_memory);
            self.resources.disk_bytes = self.resources.disk_bytes.max(exit.disk);
            self.resources.executables = exit
                .executables
                .iter()
                .map(|usage| ExecutableUse {
                    path: usage.path.clone(),
                    count: usage.count,
                    cpu_ms: ms(usage.cpu),
                    native: usage.native,
                })
                .collect();
        }
    }

    /// Makes the root of a plan, what its packages print going to the log.
    pub fn make_root(
        &mut self,
        session: &Session<'_>,
        request: &Request,
        plan: &Plan,
    ) -> Result<Root, JobError> {
        let mut phases = std::mem::take(&mut self.draft.phases);
        let root = make_root(session, request, plan, &mut phases, &mut |bytes| self.output(bytes));
        self.draft.phases = phases;
        if let Ok(Root { twins: Some(twins), .. }) = &root {
            self.draft.left_out.clone_from(&twins.left_out);
        }
        root
    }

    /// How memory and processes were counted.
    pub fn accounting(&mut self, by: &str) {
        by.clone_into(&mut self.accounting);
    }

    fn wall(&self, wanted: &[Phase]) -> SignedDuration {
        let ms = self.draft.phases.wall_ms(wanted);
        SignedDuration::from_millis(i64::try_from(ms).unwrap_or(0))
    }

    /// Ends the log with its summary and writes the record.
    pub fn close(
        &mut self,
        request: &Request,
        plan: Option<&Plan>,
        outcome: Outcome,
        artifacts: Vec<Artifact>,
        downloaded: u64,
    ) -> Result<BuildRecord, JobError> {
        let record = self.conclude(request, plan, outcome, artifacts, downloaded)?;
        crate::record::write(&record, &self.out.join(crate::record::FILE)).during(Phase::Host)?;
        Ok(record)
    }

    /// Ends the log with its summary; gives the record.
    pub fn conclude(
        &mut self,
        request: &Request,
        plan: Option<&Plan>,
        outcome: Outcome,
        artifacts: Vec<Artifact>,
        downloaded: u64,
    ) -> Result<BuildRecord, JobError> {
        let finished = Timestamp::now();
        self.draft.phases.end(None);
        let status = match outcome.class {
            None => "successful".to_owned(),
            Some(class) => class.status().to_owned(),
        };
        let summary = Summary {
            header: self.header.clone(),
            job: self.job.clone(),
            status,
            fail_stage: outcome.fail_stage.clone(),
            finished,
            build_time: self.wall(&[Phase::Build]),
            install_time: self.wall(&[Phase::FetchPackages, Phase::Root]),
            space_kib: Some(self.resources.disk_bytes / 1024).filter(|kib| *kib > 0),
            extra: Vec::new(),
        };
        self.log(|log| log.summary(&summary))?;
        self.resources.log_bytes = self.log.written();
        self.resources.downloaded_bytes = downloaded;
        Ok(BuildRecord {
            format_version: FORMAT_VERSION,
            archmill_version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.header.started,
            finished,
            request: record_request(request, plan, &self.hooks),
            inputs: inputs(plan, &self.draft, &self.accounting),
            phases: self.draft.phases.take(),
            resources: std::mem::take(&mut self.resources),
            outcome,
            artifacts,
            warnings: std::mem::take(&mut self.warnings),
        })
    }
}

fn record_request(
    request: &Request,
    plan: Option<&Plan>,
    hooks: &[(String, String)],
) -> crate::record::Request {
    let mode = plan.map(|plan| plan.mode).or(request.mode).map_or("default", super::Mode::as_str);
    crate::record::Request {
        source: request.source.clone(),
        suite: request.suite.clone(),
        arch: request.arch.debian.to_owned(),
        mode: mode.to_owned(),
        build_type: plan
            .map(|plan| plan.build_type)
            .or(request.build_type)
            .unwrap_or(crate::command::BuildType::Any),
        profiles: request.all_profiles(),
        options: request.all_options(),
        jobs: request.jobs,
        limits: LimitSettings {
            time_ms: request.limits.total.map(ms),
            silence_ms: request.limits.silence.map(ms),
            memory_bytes: request.limits.memory,
            processes: request.limits.processes,
            disk_bytes: request.limits.disk,
            log_bytes: request.limits.log,
        },
        hooks: hooks.to_vec(),
        environment: Vec::new(),
        binnmu: request.binnmu.clone(),
        patience: request.patience,
    }
}

fn inputs(plan: Option<&Plan>, draft: &Draft, accounting: &str) -> Inputs {
    let packages =
        plan.map(|plan| plan.set.packages.iter().map(|package| package_input(plan, package)).collect());
    Inputs {
        source: plan.map(|plan| &plan.source).or(draft.source.as_ref()).map(source_input),
        repositories: draft.repositories.clone(),
        packages: packages.unwrap_or_default(),
        emulator: plan.and_then(|plan| plan.emulator.as_ref()).map(|chosen| chosen.emulator.clone()),
        acceleration: plan
            .and_then(|plan| plan.acceleration.as_ref())
            .map(|plan| plan.without(&draft.left_out)),
        host: host(accounting),
    }
}

fn package_input(plan: &Plan, package: &archmill_solve::Selected) -> PackageInput {
    PackageInput {
        name: package.name.clone(),
        version: package.version.clone(),
        arch: package.arch.to_string(),
        sha256: package.sha256.clone(),
        size_bytes: package.size,
        path: package.filename.clone(),
        repository: plan.index_suite.get(package.index).copied().flatten().unwrap_or(plan.suites.len()),
        base: package.base,
    }
}

fn source_input(source: &Source) -> SourceInput {
    let file = |file: &archmill_deb::SourceFile| SourceFile {
        name: file.name.clone(),
        size_bytes: file.size,
        sha256: file.sha256.clone(),
    };
    let mut files = source.files.iter().map(|(entry, _)| file(entry));
    SourceInput {
        package: source.record.package.clone(),
        version: source.record.version.to_string(),
        dsc: files.next(),
        tree_sha256: source.tree.as_ref().map(|tree| tree.sha256.clone()),
        files: files.collect(),
        repository: source.repository,
        directory: Some(source.record.directory.clone()).filter(|directory| !directory.is_empty()),
    }
}

fn host(accounting: &str) -> Host {
    let uname = rustix::system::uname();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(':'));
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Host {
        kernel: uname.release().to_string_lossy().into_owned(),
        arch: uname.machine().to_string_lossy().into_owned(),
        cpu_model: model.map_or_else(String::new, |(_, name)| name.trim().to_owned()),
        processors: std::thread::available_parallelism()
            .map_or(1, |count| u32::try_from(count.get()).unwrap_or(1)),
        memory_bytes: memory.unwrap_or(0) * 1024,
        accounting: accounting.to_owned(),
    }
}

/// After dpkg-buildpackage: results out of the sandbox and checked, or the reason of the failure.
pub(super) fn finish(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    sandbox: &mut Sandbox,
    exit: &Exit,
    progress: &mut Progress<'_>,
) -> Result<Finished, JobError> {
    if plan.acceleration.is_some() {
        note_choices(sandbox, progress)?;
    }
    let twins_failed = failed_twins(plan, sandbox);
    if let Some(message) = twins_failed {
        progress.log(|log| log.error(&message))?;
        let outcome = Outcome::failure(Phase::Build, Class::Acceleration, message);
        return Ok(Finished { successful: false, outcome, artifacts: Vec::new() });
    }
    if !exit.status.success() {
        let outcome = failure(exit, &request.limits, &progress.log.tail());
        progress.log(|log| log.error(outcome.message.as_deref().unwrap_or_default()))?;
        return Ok(Finished { successful: false, outcome, artifacts: Vec::new() });
    }
    progress.begin(Phase::Artifacts);
    // Packages can be made so that looking at them takes as long as their maker likes.
    let end = request.limits.total.map(|total| Instant::now() + total);
    let late = || end.is_some_and(|end| Instant::now() > end);
    let stop = || session.canceller.is_cancelled() || late();
    let bounds = Bounds { stop: &stop, ..Bounds::default() };
    let bounds = Bounds { bytes: request.limits.disk.unwrap_or(bounds.bytes), ..bounds };
    let result = collect(session, request, plan, sandbox, bounds, progress);
    progress.end(None);
    session.check_cancelled(Phase::Artifacts)?;
    match result {
        Ok(artifacts) => Ok(Finished { successful: true, outcome: Outcome::success(), artifacts }),
        Err(mut error) => {
            if late() {
                error = JobError::limit(Phase::Artifacts, LimitKind::Total, error);
            }
            progress.log(|log| log.error(&error.message))?;
            let outcome = Outcome::failure(error.phase, error.class, error.message);
            Ok(Finished { successful: false, outcome, artifacts: Vec::new() })
        }
    }
}

/// What twins noted that did not do all that they were to do, which the build may not have heeded.
fn failed_twins(plan: &Plan, sandbox: &Sandbox) -> Option<String> {
    plan.acceleration.as_ref()?;
    let notes = sandbox.read(archmill_dispatch::FAILED, 1 << 20).ok()?;
    let first = String::from_utf8_lossy(&notes).lines().next()?.to_owned();
    Some(format!("a twin could not do what it was to do: {first}"))
}

/// Programs that were emulated though they have a twin, into record and log. A build may write there what it likes: it is
/// for people.
fn note_choices(sandbox: &Sandbox, progress: &mut Progress<'_>) -> Result<(), JobError> {
    let notes = sandbox.read(archmill_dispatch::CHOICES, 8 << 20).unwrap_or_default();
    progress.resources.choices = most_frequent(&String::from_utf8_lossy(&notes));
    let lines: Vec<String> = progress
        .resources
        .choices
        .iter()
        .map(|choice| {
            format!("{} was emulated {} times because of {}", choice.path, choice.count, choice.reason)
        })
        .collect();
    if !lines.is_empty() {
        progress.log(|log| log.subheading("Twins not used"))?;
        progress.log(|log| log.text(&lines.join("\n")))?;
    }
    Ok(())
}

/// The choices that the code in front of QEMU noted, the most frequent first.
fn most_frequent(notes: &str) -> Vec<Choice> {
    let mut counts = std::collections::BTreeMap::<(String, String), u64>::new();
    for line in notes.lines() {
        if let Some((path, reason)) = line.split_once('\t') {
            *counts.entry((path.to_owned(), reason.to_owned())).or_default() += 1;
        }
    }
    let mut choices: Vec<Choice> =
        counts.into_iter().map(|((path, reason), count)| Choice { path, reason, count }).collect();
    choices.sort_by_key(|choice| std::cmp::Reverse(choice.count));
    choices.truncate(MOST_CHOICES);
    choices
}

/// Entries that are kept of the list of choices.
const MOST_CHOICES: usize = 200;

fn collect(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    sandbox: &Sandbox,
    bounds: Bounds<'_>,
    progress: &mut Progress<'_>,
) -> Result<Vec<Artifact>, JobError> {
    let names = sandbox.list(BUILD_FOLDER).during(Phase::Artifacts)?;
    let suffix = format!("_{}.changes", plan.build_type.changes_arch(request.arch.debian));
    let changes = names.iter().find(|name| name.ends_with(&suffix));
    let changes = changes.ok_or_else(|| {
        JobError::new(Phase::Artifacts, format!("dpkg-buildpackage left no file *{suffix}"))
    })?;
    let text = sandbox.read(format!("{BUILD_FOLDER}/{changes}"), SMALL).during(Phase::Artifacts)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let list = artifacts::listed(changes, &text).during(Phase::Artifacts)?;
    let all = std::iter::once(changes.as_str()).chain(list.files.iter().map(|file| file.name.as_str()));
    let mut left = request.limits.disk.unwrap_or(u64::MAX);
    for name in all {
        if name == crate::record::FILE || name.ends_with(LOG_ENDING) {
            let message = format!("{changes} names {name}, and files of that name are archmill's own");
            return Err(JobError::new(Phase::Artifacts, message));
        }
        copy_out(session, sandbox, name, &progress.out, &mut left)?;
    }
    let mut artifacts = artifacts::verify(&progress.out, changes, &list).during(Phase::Artifacts)?;
    for name in not_in_changes(&artifacts, &progress.out).during(Phase::Artifacts)? {
        copy_out(session, sandbox, &name, &progress.out, &mut left)?;
        artifacts.push(artifacts::measure(&progress.out.join(&name)).during(Phase::Artifacts)?);
    }
    artifacts.sort();
    progress.section(Section::Changes)?;
    progress.log(|log| log.text(&format!("\n{changes}:\n{}\n\n{text}", "-".repeat(changes.len() + 1))))?;
    if let Some(buildinfo) = list.files.iter().find(|file| file.name.ends_with(".buildinfo")) {
        let text = fs::read_to_string(progress.out.join(&buildinfo.name)).during(Phase::Artifacts)?;
        progress.section(Section::Buildinfo)?;
        progress.log(|log| log.text(&text))?;
    }
    progress.section(Section::PackageContents)?;
    let packages = artifacts.iter().map(|artifact| artifact.name.clone()).filter(|name| {
        Path::new(name)
            .extension()
            .is_some_and(|ending| ["deb", "udeb", "ddeb"].iter().any(|known| ending == *known))
    });
    let packages: Vec<String> = packages.collect();
    if plan.acceleration.is_some() {
        check_traces(session, request, plan, &packages, bounds, progress)?;
    }
    let mut room = artifacts::LONGEST_LISTING;
    for name in packages {
        session.check_cancelled(Phase::Artifacts)?;
        let contents = artifacts::check_package(&progress.out.join(&name), request.arch.debian, bounds, room)
            .during(Phase::Artifacts)?;
        room = room.saturating_sub(contents.listing.len());
        progress.log(|log| log.subheading(&name))?;
        progress.log(|log| log.text(&format!("{}\n{}", contents.control.trim_end(), contents.listing)))?;
    }
    Ok(artifacts)
}

/// Files that a .dsc among the results names and the .changes does not, as upstream's tarball for all but the first
/// revision: an archive has it, but nobody can build from the folder without.
fn not_in_changes(artifacts: &[Artifact], out: &Path) -> Result<Vec<String>, String> {
    let mut missing = Vec::new();
    for dsc in artifacts.iter().filter(|artifact| has_ending(&artifact.name, "dsc")) {
        let text =
            fs::read_to_string(out.join(&dsc.name)).map_err(|error| format!("{}: {error}", dsc.name))?;
        let record =
            archmill_deb::Dsc::parse(&text).map_err(|error| format!("{}: {error}", dsc.name))?.record;
        let names = record.files.into_iter().map(|file| file.name);
        missing.extend(names.filter(|name| artifacts.iter().all(|artifact| artifact.name != *name)));
    }
    Ok(missing)
}

/// Under another name until it is whole. A result with holes is larger outside than it was inside, so it counts against
/// what the build may have on the disk, of which `left` is left.
fn copy_out(
    session: &Session<'_>,
    sandbox: &Sandbox,
    name: &str,
    out: &Path,
    left: &mut u64,
) -> Result<(), JobError> {
    let target = out.join(name);
    let mut from = sandbox.open(format!("{BUILD_FOLDER}/{name}")).during(Phase::Artifacts)?;
    let temporary = out.join(format!(".{name}.new"));
    let mut copy = || -> Result<u64, JobError> {
        let failed = |source: io::Error| ArtifactError::Io { path: target.clone(), source };
        let mut to = fs::File::create(&temporary).map_err(failed).during(Phase::Artifacts)?;
        let mut copied = 0;
        loop {
            session.check_cancelled(Phase::Artifacts)?;
            let part = io::copy(&mut (&mut from).take(COPIED_AT_ONCE), &mut to);
            let part = part.map_err(failed).during(Phase::Artifacts)?;
            copied += part;
            if copied > *left {
                let message =
                    format!("with {name}, the results are larger than what the build may have on the disk");
                return Err(JobError::limit(Phase::Artifacts, LimitKind::Disk, message));
            }
            if part == 0 {
                fs::rename(&temporary, &target).map_err(failed).during(Phase::Artifacts)?;
                return Ok(copied);
            }
        }
    };
    let copied = copy();
    match copied {
        Ok(copied) => *left -= copied,
        Err(_) => drop(fs::remove_file(&temporary)),
    }
    copied.map(|_| ())
}

/// Bytes of a result that are copied before the user is asked again.
const COPIED_AT_ONCE: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_choices_are_kept() {
        let many: Vec<String> =
            (0..MOST_CHOICES).map(|number| format!("/usr/bin/python3\t-c {number}\n")).collect();
        let few = "/usr/bin/perl\tblib\n/usr/bin/perl\tblib\nnot a choice\n/usr/bin/as\t@\n";
        let choices = most_frequent(&(few.to_owned() + &many.concat()));
        assert_eq!(choices.len(), MOST_CHOICES);
        let first = Choice { path: "/usr/bin/perl".to_owned(), reason: "blib".to_owned(), count: 2 };
        assert_eq!(choices[0], first);
        assert_eq!(choices[1].path, "/usr/bin/as");
    }
}
