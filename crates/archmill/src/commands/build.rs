//! `archmill build`

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use archmill_build::classify::{Class, ExitCode, Phase};
use archmill_build::job::{self, Draft, Hooks, JobError, Mode, Plan, Progress, Request, Root, Session};
use archmill_build::log::{Environment, Header, InstalledPackage, Kernel, LogWriter, Section, Sink};
use archmill_build::record::{BinNmu, BuildRecord, Outcome};
use archmill_build::report::{Event, Reporter as _};
use jiff::Timestamp;

use crate::cli::{BinNmuArgs, BuildArgs};
use crate::setup::{self, WrongOption};
use crate::ui::Terminal;

/// Builds, and says how it went.
pub(crate) fn run(args: &BuildArgs) -> anyhow::Result<ExitCode> {
    let (setup, config) = setup::setup(&args.archive)?;
    let mut request = setup::request(&args.source, &args.archive, &config)?;
    request.options.clone_from(&args.build_options);
    request.no_check = args.no_check;
    request.binnmu = binnmu(&args.binnmu)?;
    request.patience = args.patience;
    if let Some(jobs) = args.jobs {
        request.jobs = jobs;
    }
    let hooks = hooks(&args.hooks)?;
    setup::results(args.out.as_deref())?;
    job::check(&setup, &request)?;
    let terminal = Terminal::new(args.quiet, args.json);
    let session = Session::open(setup, &terminal, setup::canceller())?;
    let emulated =
        !matches!(session.host.execution(request.arch), archmill_emulate::Execution::Native { .. });
    request.limits = setup::limits(&args.limits, &config, emulated)?;
    let output = Output { out: args.out.clone(), json: args.json, shell_on_failure: args.shell_on_failure };
    if request.mode == Some(Mode::Imported) {
        if request.binnmu.is_some() {
            return Err(anyhow!("what is imported is not built again").context(WrongOption("--binnmu")));
        }
        return Ok(super::import::import(&session, &request, &output, &terminal)?.0);
    }
    let (code, record) = build(&session, &request, &hooks, &output, &terminal, &job::plan)?;
    if request.mode.is_none() && record.request.mode == Mode::Accelerated.as_str() {
        return without_twins(&session, &mut request, &hooks, &output, &terminal, (code, &record));
    }
    Ok(code)
}

/// A build that failed with twins, and that they are suspected of, is tried again without, and the source remembered
/// if that succeeds.
fn without_twins(
    session: &Session<'_>,
    request: &mut Request,
    hooks: &Hooks,
    output: &Output,
    terminal: &Terminal,
    (code, record): (ExitCode, &BuildRecord),
) -> anyhow::Result<ExitCode> {
    let Some(source) = &record.inputs.source else { return Ok(code) };
    let (name, arch) = (source.package.as_str(), request.arch.debian);
    let version = request.version_of(&source.version);
    let out = out_folder(request, output.out.as_deref(), name, Some(&version))?;
    let log = out.join(format!("{name}_{}_{arch}.build", file_version(Some(&version))));
    let text = fs::read(&log).unwrap_or_default();
    let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(TAIL)..]).into_owned();
    if !job::suspected(&record.outcome, &tail) {
        return Ok(code);
    }
    remark!(
        "archmill: twins may be the reason; building once more with everything emulated (--mode accelerated turns this off)"
    );
    // What was found first is kept beside what comes now.
    for (from, to) in [
        (log.clone(), log.with_extension("accelerated.build")),
        (out.join(archmill_build::record::FILE), out.join("build-record.accelerated.json")),
    ] {
        let _ = fs::rename(from, to);
    }
    request.mode = Some(Mode::Emulated);
    let (code, again) = build(session, request, hooks, output, terminal, &job::plan)?;
    if again.outcome.class.is_none() {
        let why = record.outcome.message.as_deref().unwrap_or("it failed with twins");
        session
            .remember_emulation(name, arch, why)
            .with_context(|| format!("cannot remember that {name} is to be emulated"))?;
    }
    Ok(code)
}

/// How much of a log is looked at for the reason of a failure.
const TAIL: usize = 1 << 16;

/// Where results go and what is printed.
pub(crate) struct Output {
    pub(crate) out: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) shell_on_failure: bool,
}

/// How the inputs of a build are found.
pub(crate) type MakePlan<'p> = &'p dyn Fn(&Session<'_>, &Request, &mut Draft) -> Result<Plan, JobError>;

/// The whole of a build; a failure of any phase leaves a log and a record.
pub(crate) fn build(
    session: &Session<'_>,
    request: &Request,
    hooks: &Hooks,
    output: &Output,
    terminal: &Terminal,
    make_plan: MakePlan<'_>,
) -> anyhow::Result<(ExitCode, BuildRecord)> {
    let started = Timestamp::now();
    host_hooks(hooks, "host-pre", &[])?;
    let mut draft = Draft::default();
    let plan = make_plan(session, request, &mut draft);
    if let Err(error) = &plan
        && (error.class == Class::Request || (draft.source.is_none() && output.out.is_none()))
    {
        let record = without_results(session, request, hooks, error, draft, started)?;
        host_hooks(hooks, "host-post", &[("ARCHMILL_STATUS", record.outcome.status.as_str().as_ref())])?;
        return Ok((tell(&record, output.json, None)?, record));
    }
    let (name, version) = match &draft.source {
        Some(source) => {
            (source.record.package.clone(), Some(request.version_of(&source.record.version.to_string())))
        }
        None => (short_name(&request.source), None),
    };
    let header = header(request, plan.as_ref().ok(), &name, version.clone(), started);
    let out = out_folder(request, output.out.as_deref(), &name, version.as_deref())?;
    let log_path =
        out.join(format!("{name}_{}_{}.build", file_version(version.as_deref()), request.arch.debian));
    let file =
        fs::File::create(&log_path).with_context(|| format!("cannot make the log {}", log_path.display()))?;
    let live = Live { terminal };
    let log = LogWriter::new(vec![Sink::file(&log_path, file), Sink::live(live)]);
    let mut progress =
        Progress::new(log, out.clone(), header, request.source.clone(), output.shell_on_failure, draft);
    progress.hooks.clone_from(&hooks.list);
    let record = match plan {
        Ok(plan) => with_plan(session, request, &plan, hooks, &mut progress)?,
        Err(error) => failed(session, request, None, error, &mut progress)?,
    };
    terminal.event(Event::Results(&out));
    let known =
        [("ARCHMILL_STATUS", record.outcome.status.as_str().as_ref()), ("ARCHMILL_RESULTS", out.as_os_str())];
    let after = host_hooks(hooks, "host-post", &known);
    let code = tell(&record, output.json, Some(&log_path))?;
    // What failed first is what counts.
    match after {
        Err(error) if code == ExitCode::Success => Err(error),
        Err(error) => {
            remark!("archmill: {error}");
            Ok((code, record))
        }
        Ok(()) => Ok((code, record)),
    }
}

/// The record of a build whose source is not there, or that cannot be: no folder is made for it, as there is nothing to
/// put in.
pub(super) fn without_results(
    session: &Session<'_>,
    request: &Request,
    hooks: &Hooks,
    error: &JobError,
    draft: Draft,
    started: Timestamp,
) -> Result<BuildRecord, JobError> {
    let header = header(request, None, &short_name(&request.source), None, started);
    let log = LogWriter::new(Vec::new());
    let mut progress = Progress::new(log, PathBuf::new(), header, request.source.clone(), false, draft);
    progress.hooks.clone_from(&hooks.list);
    let outcome = Outcome::failure(error.phase, error.class, error.message.as_str());
    progress.conclude(request, None, outcome, Vec::new(), session.fetcher.downloaded())
}

fn with_plan(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    hooks: &Hooks,
    progress: &mut Progress<'_>,
) -> Result<BuildRecord, JobError> {
    match attempt(session, request, plan, hooks, progress) {
        Ok(finished) => {
            let downloaded = session.fetcher.downloaded();
            progress.close(request, Some(plan), finished.outcome, finished.artifacts, downloaded)
        }
        Err(error) => failed(session, request, Some(plan), error, progress),
    }
}

fn attempt(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    hooks: &Hooks,
    progress: &mut Progress<'_>,
) -> Result<job::Finished, JobError> {
    let header = progress.header.clone();
    progress.log(|log| log.header(&header))?;
    progress.section(Section::FetchSource)?;
    for (file, _) in &plan.source.files {
        progress.log(|log| log.text(&format!("{} {} {}", file.sha256, file.size, file.name)))?;
    }
    progress.section(Section::InstallDependencies)?;
    let root = progress.make_root(session, request, plan)?;
    progress.section(Section::BuildEnvironment)?;
    let environment = environment(request, plan, &root);
    progress.log(|log| log.environment(&environment))?;
    job::build(session, request, plan, &root, hooks, progress)
}

fn failed(
    session: &Session<'_>,
    request: &Request,
    plan: Option<&Plan>,
    mut error: JobError,
    progress: &mut Progress<'_>,
) -> Result<BuildRecord, JobError> {
    if session.canceller.is_cancelled() {
        // Whatever was cut short says something of its own.
        error = JobError::cancelled(error.phase);
    }
    if plan.is_none() {
        let header = progress.header.clone();
        progress.log(|log| log.header(&header))?;
    }
    progress.log(|log| log.error(&error.message))?;
    let mut outcome = Outcome::failure(error.phase, error.class, error.message);
    outcome.relevant_lines = progress.relevant_lines(error.phase);
    progress.close(request, plan, outcome, Vec::new(), session.fetcher.downloaded())
}

/// The last words: which phase failed, why, and where to look.
pub(super) fn tell(record: &BuildRecord, json: bool, log: Option<&Path>) -> anyhow::Result<ExitCode> {
    if json {
        answer!("{}", serde_json::to_string_pretty(record)?);
    }
    let Some(class) = record.outcome.class else { return Ok(ExitCode::Success) };
    for line in &record.outcome.relevant_lines {
        remark!("  {line}");
    }
    let message = record.outcome.message.as_deref().unwrap_or("no message");
    if class == Class::Request {
        remark!("archmill: {message}");
    } else {
        let phase = record.outcome.phase.map(|phase| format!(" while {phase}")).unwrap_or_default();
        remark!("archmill: failed{phase} ({class}): {message}");
    }
    if let Some(log) = log {
        remark!("archmill: the whole log is in {}", log.display());
    }
    Ok(class.into())
}

pub(super) fn header(
    request: &Request,
    plan: Option<&Plan>,
    name: &str,
    version: Option<String>,
    started: Timestamp,
) -> Header {
    let machine = setup::architecture(None).map_or("amd64", |arch| arch.debian);
    Header {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        package: name.to_owned(),
        source_version: version.as_deref().map(|version| source_version(request, version).to_owned()),
        version,
        distribution: request.suite.clone(),
        machine_arch: machine.to_owned(),
        host_arch: request.arch.debian.to_owned(),
        build_arch: request.arch.debian.to_owned(),
        profiles: request.all_profiles(),
        build_type: plan
            .map(|plan| plan.build_type)
            .or(request.build_type)
            .map_or("any", |build| build.dpkg_name())
            .to_owned(),
        started,
    }
}

fn environment(request: &Request, plan: &Plan, root: &Root) -> Environment {
    let uname = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let mut facts = vec![("Execution mode".to_owned(), plan.mode.as_str().to_owned())];
    if let Some(chosen) = &plan.emulator {
        let emulator = &chosen.emulator;
        facts.push((
            "Emulator".to_owned(),
            format!("{} {} from {}", emulator.package, emulator.version, emulator.suite),
        ));
        if let (Some(plan), Some(laid)) = (&plan.acceleration, &root.twins) {
            let used = plan.without(&laid.left_out).twins;
            let names: Vec<&str> = used.iter().map(|twin| twin.package.as_str()).collect();
            facts.push(("Twins".to_owned(), names.join(" ")));
        }
        facts.push((
            "Emulated CPU".to_owned(),
            emulator.cpu_model.clone().unwrap_or_else(|| "default".to_owned()),
        ));
    }
    let packages = plan.set.packages.iter();
    Environment {
        kernel: Kernel {
            name: text(uname.sysname()),
            release: text(uname.release()),
            version: text(uname.version()),
            machine: request.arch.machine.to_owned(),
        },
        machine_arch: setup::architecture(None).map_or("amd64", |arch| arch.debian).to_owned(),
        facts,
        packages: packages
            .map(|package| InstalledPackage { name: package.name.clone(), version: package.version.clone() })
            .collect(),
    }
}

/// The version of the source that packages of a version are built from.
fn source_version<'v>(request: &Request, version: &'v str) -> &'v str {
    let number = request.version_of("");
    version.strip_suffix(&number).unwrap_or(version)
}

pub(super) fn short_name(source: &str) -> String {
    let last = source.trim_end_matches('/').rsplit('/').next().unwrap_or(source);
    let name: String = last
        .split(['_', '='])
        .next()
        .unwrap_or(last)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "+-.".contains(*c))
        .collect();
    if name.trim_matches('.').is_empty() { "source".to_owned() } else { name }
}

pub(super) fn file_version(version: Option<&str>) -> String {
    let version = version.unwrap_or("unknown");
    version.split_once(':').map_or(version, |(_, rest)| rest).to_owned()
}

/// Where results go unless it is said: a folder in this one; beside the source tree where this one is in it, since
/// whatever is in the tree becomes part of the source.
pub(crate) fn results_beside(source: &str) -> PathBuf {
    let tree = Path::new(source);
    let (Ok(tree), Ok(here)) = (fs::canonicalize(tree), fs::canonicalize(".")) else { return PathBuf::new() };
    match tree.parent() {
        Some(parent) if tree.is_dir() && here.starts_with(&tree) => parent.to_owned(),
        _ => PathBuf::new(),
    }
}

pub(super) fn out_folder(
    request: &Request,
    given: Option<&Path>,
    name: &str,
    version: Option<&str>,
) -> anyhow::Result<PathBuf> {
    let default = || {
        let folder = format!("{name}_{}_{}", file_version(version), request.arch.debian);
        results_beside(&request.source).join(folder)
    };
    let folder = given.map_or_else(default, Path::to_owned);
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder for results, {}", folder.display()))?;
    Ok(fs::canonicalize(&folder)?)
}

fn binnmu(args: &BinNmuArgs) -> anyhow::Result<Option<BinNmu>> {
    let Some(number) = args.binnmu else { return Ok(None) };
    let reason = args.binnmu_reason.trim().to_owned();
    if reason.is_empty() || reason.contains(['\n', '\r']) {
        return Err(anyhow!("it is one line of text").context(WrongOption("--binnmu-reason")));
    }
    let maintainer = args.maintainer.clone();
    if !archmill_deb::changelog::is_maintainer(&maintainer) {
        return Err(anyhow!("{maintainer:?} is not NAME <ADDRESS>").context(WrongOption("--maintainer")));
    }
    Ok(Some(BinNmu { number, reason, maintainer }))
}

fn hooks(given: &[String]) -> anyhow::Result<Hooks> {
    let mut hooks = Hooks::default();
    for hook in given {
        let Some((phase, command)) = hook.split_once('=') else {
            return Err(anyhow!("{hook:?} is not PHASE=COMMAND").context(WrongOption("--hook")));
        };
        if !Hooks::PHASES.contains(&phase) {
            let phases = Hooks::PHASES.join(", ");
            return Err(
                anyhow!("there is no phase {phase:?}; there are {phases}").context(WrongOption("--hook"))
            );
        }
        hooks.list.push((phase.to_owned(), command.to_owned()));
    }
    Ok(hooks)
}

/// What they print goes to standard error, as standard output is for the log or the record.
fn host_hooks(hooks: &Hooks, phase: &str, environment: &[(&str, &OsStr)]) -> anyhow::Result<()> {
    for command in hooks.of(phase) {
        let stderr = rustix::stdio::stderr().try_clone_to_owned()?;
        let status = std::process::Command::new("sh")
            .args(["-c", command])
            .envs(environment.iter().copied())
            .stdout(stderr)
            .status()?;
        if !status.success() {
            return Err(
                JobError::new(Phase::Hook, format!("the {phase} hook {command:?} failed: {status}")).into()
            );
        }
    }
    Ok(())
}

/// The log, live.
struct Live<'a> {
    terminal: &'a Terminal,
}

impl std::io::Write for Live<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.terminal.event(Event::Log(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
