//! The build itself: the sandbox, the source in it, dpkg-buildpackage.

use std::fs;
use std::path::{Path, PathBuf};

use archmill_emulate::Architecture;
use archmill_sandbox::cleanup::WorkFolder;
use archmill_sandbox::{
    Command, Exit, GAIN_ROOT_CLIENT, GainRoot, Limits, Mount, MountSource, RootFs, Sandbox, SandboxSpec,
    Status, Uname, Upper,
};
use jiff::Timestamp;

use super::emulator::Chosen;
use super::error::{During as _, JobError};
use super::finish::{Finished, Progress};
use super::interactive;
use super::kept::Kept;
use super::patience::{stretch_runners, variables};
use super::plan::Plan;
use super::roots::Root;
use super::session::{Request, Session};
use super::unpack::{add_entry, unpack_source};
use crate::classify::Phase;
use crate::command::{CommandInput, PATH, command_line, dpkg_buildpackage};
use crate::log::Section;
use crate::record::Outcome;
use crate::report::Event;

/// Name and id of the user that builds; the id is that of Debian's build machines.
pub const BUILD_USER: (&str, u32) = ("buildd", 2952);

/// Where sources are unpacked.
pub(super) const BUILD_FOLDER: &str = "/build/reproducible-path";
const GAIN_ROOT: &str = "/run/archmill/gain-root";

/// Commands of the user's, each at its phase.
#[derive(Debug, Clone, Default)]
pub struct Hooks {
    /// Phase and command, in order.
    pub list: Vec<(String, String)>,
}

impl Hooks {
    /// Phases that there are.
    pub const PHASES: [&str; 6] = ["host-pre", "setup", "pre-build", "post-build", "failed", "host-post"];

    /// Commands of a phase.
    pub fn of<'a>(&'a self, phase: &'a str) -> impl Iterator<Item = &'a str> {
        self.list.iter().filter(move |(at, _)| at == phase).map(|(_, command)| command.as_str())
    }
}

/// What a sandbox for building is opened with.
pub(super) struct Opening<'a> {
    pub(super) arch: &'static Architecture,
    pub(super) stack: Vec<PathBuf>,
    pub(super) upper: Upper,
    pub(super) emulator: Option<&'a Chosen>,
    pub(super) personality_32: bool,
    /// The folder of twins.
    pub(super) twins: Option<&'a Path>,
    /// What native programs find in /proc/cpuinfo.
    pub(super) cpuinfo: Option<String>,
}

/// A sandbox over a root, with the build user and the gain-root client in place.
pub fn open_sandbox(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    root: &Root,
    work: &WorkFolder,
) -> Result<Sandbox, JobError> {
    // What a 32-bit program under emulation writes goes to memory: see ARCHITECTURE.md.
    let upper = if request.arch.bits == 32 && plan.emulator.is_some() {
        in_memory(request.limits.disk)
    } else {
        let upper = part(session, work, UPPER)?;
        Upper::Folder { upper, work: part(session, work, "overlay")?, volatile: true }
    };
    let opening = Opening {
        arch: request.arch,
        stack: root.stack.clone(),
        upper,
        emulator: plan.emulator.as_ref(),
        personality_32: plan.personality_32,
        twins: root.twins.as_ref().map(|twins| twins.folder.as_path()),
        cpuinfo: cpuinfo(session, request, plan, root)?,
    };
    let sandbox = open(session, opening, work)?;
    prepare(&sandbox).during(Phase::Root)?;
    if root.twins.is_some() {
        // Whoever starts a program may have to note something.
        sandbox.write(archmill_dispatch::CHOICES, b"", 0o666, (0, 0)).during(Phase::Root)?;
    }
    Ok(sandbox)
}

/// What the emulator shows its programs in /proc/cpuinfo, for native ones; asked for once.
fn cpuinfo(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    root: &Root,
) -> Result<Option<String>, JobError> {
    let (Some(_), Some(emulator)) = (&root.twins, &plan.emulator) else { return Ok(None) };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let known = session.folder("twins").join(format!(
        "cpuinfo-{}-{}-{}-{processors}",
        request.arch.debian,
        &emulator.emulator.sha256[..16],
        emulator.emulator.cpu_model.as_deref().unwrap_or("default")
    ));
    if let Ok(text) = fs::read_to_string(&known) {
        return Ok(Some(text));
    }
    let work = WorkFolder::create(&session.folder("work"), &session.map).during(Phase::Host)?;
    let opening = Opening {
        arch: request.arch,
        stack: root.stack.clone(),
        upper: Upper::Memory { size: 16 << 20, own: Vec::new() },
        emulator: Some(emulator),
        personality_32: false,
        twins: None,
        cpuinfo: None,
    };
    let mut sandbox = open(session, opening, &work)?;
    let argv = vec!["cat".to_owned(), "/proc/cpuinfo".to_owned()];
    let mut bytes = Vec::new();
    let exit =
        sandbox.run(&command_of_root(argv, emulator_environment(plan)), &mut |part| bytes.extend(part));
    sandbox.finish();
    session.remove(&[work.path().to_owned()]).during(Phase::Host)?;
    if !exit.during(Phase::Root)?.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // Only saves time the next time.
    let _ = fs::write(&known, &text);
    Ok(Some(text))
}

/// The part of a working folder that holds what a build wrote.
pub(super) const UPPER: &str = "upper";
/// Where a build in memory can leave what is to outlive it.
pub(super) const KEEP: &str = "/run/archmill/keep";

pub(super) fn part(session: &Session<'_>, work: &WorkFolder, name: &str) -> Result<PathBuf, JobError> {
    let path = work.path().join(name);
    session.map.create_folder(&path).during(Phase::Host)?;
    Ok(path)
}

/// A sandbox; if it is in memory, with a folder of the disk for what is to be kept.
pub(super) fn open(
    session: &Session<'_>,
    opening: Opening<'_>,
    work: &WorkFolder,
) -> Result<Sandbox, JobError> {
    match opening.upper {
        Upper::Memory { .. } => open_with(session, opening, work, &part(session, work, "keep")?),
        Upper::Folder { .. } => start(session, opening, work, Vec::new()),
    }
}

/// A sandbox with the folder `kept` at [`KEEP`].
pub(super) fn open_with(
    session: &Session<'_>,
    opening: Opening<'_>,
    work: &WorkFolder,
    kept: &Path,
) -> Result<Sandbox, JobError> {
    let source = MountSource::Bind { from: kept.to_owned(), writable: true };
    let mount = Mount { target: KEEP.trim_start_matches('/').into(), source };
    start(session, opening, work, vec![mount])
}

fn start(
    session: &Session<'_>,
    opening: Opening<'_>,
    work: &WorkFolder,
    mut mounts: Vec<Mount>,
) -> Result<Sandbox, JobError> {
    let links = opening.twins.and_then(super::accelerate::layer);
    let lower = links.into_iter().chain(opening.stack).collect();
    mounts.extend(opening.twins.into_iter().flat_map(super::accelerate::mounts));
    let spec = SandboxSpec {
        root: RootFs { lower, mountpoint: part(session, work, "mnt")?, upper: opening.upper },
        mounts,
        hostname: "archmill".to_owned(),
        binfmt: opening
            .emulator
            .iter()
            .map(|chosen| chosen.binfmt(opening.arch))
            .collect::<Result<_, _>>()?,
        personality_32: opening.personality_32,
        account_executables: true,
        gain_root: Some(GainRoot { uid: BUILD_USER.1, gid: BUILD_USER.1, tree: BUILD_FOLDER.into() }),
        uname: opening.twins.map(|_| Uname { machine: opening.arch.machine.to_owned() }),
        cpuinfo: opening.cpuinfo,
    };
    let sandbox = Sandbox::start(&session.map, &spec, session.canceller.clone()).during(Phase::Host)?;
    for note in sandbox.notes() {
        session.report.event(Event::Warning(note));
    }
    Ok(sandbox)
}

/// A root that is written to in memory, with this limit on disk space.
pub(super) fn in_memory(limit: Option<u64>) -> Upper {
    let own: Vec<PathBuf> = ["build", "tmp"].map(PathBuf::from).into();
    match limit {
        Some(limit) => Upper::memory_above(limit, own),
        None => Upper::Memory { size: half_of_memory(), own },
    }
}

fn half_of_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map_or(4 << 30, |kib| kib * 1024 / 2)
}

/// The build user, a hosts file, the folder to build in.
pub(super) fn prepare(sandbox: &Sandbox) -> Result<(), archmill_sandbox::SandboxError> {
    let (name, id) = BUILD_USER;
    let append = |path: &str, line: String, mode: u32, gid: u32| {
        let mut text = String::from_utf8_lossy(&sandbox.read(path, 1 << 20)?).into_owned();
        text.push_str(&line);
        sandbox.write(path, text.as_bytes(), mode, (0, gid))
    };
    append("/etc/passwd", format!("{name}:x:{id}:{id}:build user:/sbuild-nonexistent:/bin/sh\n"), 0o644, 0)?;
    append("/etc/group", format!("{name}:x:{id}:\n"), 0o644, 0)?;
    sandbox.write("/etc/hosts", b"127.0.0.1 localhost archmill\n::1 localhost\n", 0o644, (0, 0))?;
    sandbox.write("/etc/hostname", b"archmill\n", 0o644, (0, 0))?;
    sandbox.make_folder("/run/archmill", 0o755, (0, 0))?;
    sandbox.write(GAIN_ROOT, GAIN_ROOT_CLIENT.as_bytes(), 0o755, (0, 0))?;
    sandbox.make_folder(BUILD_FOLDER, 0o755, (id, id))
}

/// Builds: everything from the mounted root to the results in `out`.
pub fn build(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    root: &Root,
    hooks: &Hooks,
    progress: &mut Progress<'_>,
) -> Result<Finished, JobError> {
    let work = WorkFolder::create(&session.folder("work"), &session.map).during(Phase::Host)?;
    let result = build_in(session, request, plan, root, hooks, progress, &work);
    // The files belong to mapped owners, which only a task may remove.
    let removed = session.remove(&[work.path().to_owned()]).during(Phase::Host);
    let finished = result?;
    removed?;
    Ok(finished)
}

fn build_in(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    root: &Root,
    hooks: &Hooks,
    progress: &mut Progress<'_>,
    work: &WorkFolder,
) -> Result<Finished, JobError> {
    let mut sandbox = open_sandbox(session, request, plan, root, work)?;
    progress.accounting(sandbox.accounting());
    progress.warnings.extend(sandbox.notes().iter().cloned());
    progress.section(Section::Build)?;
    run_hooks(&mut sandbox, plan, hooks, "setup", progress)?;
    progress.begin(Phase::Unpack);
    progress.log(|log| log.subheading("Unpack source"))?;
    progress.forget_tail();
    let (folder, exit) =
        unpack_source(session, request, plan, &mut sandbox, &mut |bytes| progress.output(bytes))?;
    progress.end(Some(&exit));
    if let Some(binnmu) = &request.binnmu {
        add_entry(request, plan, binnmu, &folder, &sandbox)?;
    }
    if let Some(factor) = request.patience {
        stretch_runners(&sandbox, factor)?;
    }
    run_hooks(&mut sandbox, plan, hooks, "pre-build", progress)?;
    let (command, exit) = dpkg(&mut sandbox, request, plan, &folder, progress)?;
    let finished = super::finish::finish(session, request, plan, &mut sandbox, &exit, progress);
    let failed = finished.as_ref().map_or(true, |finished| !finished.successful);
    // Before hooks have their say.
    let tail = progress.tail();
    let hooked = run_hooks(&mut sandbox, plan, hooks, if failed { "failed" } else { "post-build" }, progress);
    let finished = match (finished, hooked) {
        (Ok(finished), Err(error)) if finished.successful => Ok(finished.but(error, &progress.tail())),
        (finished, Err(error)) => {
            // What failed first is what counts.
            progress.warn(session, error.message)?;
            finished
        }
        (finished, Ok(())) => finished,
    };
    let in_vain = finished.as_ref().map_or(true, |finished| !finished.successful);
    if in_vain && progress.shell_on_failure && exit.status != Status::Cancelled {
        let why = match &finished {
            Ok(finished) => finished.outcome.clone(),
            Err(error) => Outcome::failure(error.phase, error.class, error.message.as_str()),
        };
        interactive::after_failure(session, &mut sandbox, &command.env, &folder, &why, progress)?;
    }
    if failed && exit.status != Status::Cancelled {
        let kept = Kept::new(request, plan, root, &command, &tail);
        if let Err(error) = kept.keep(session, sandbox, work) {
            progress.warnings.push(format!("the failed build's root was not kept: {error}"));
        }
    } else {
        sandbox.finish();
    }
    finished
}

fn dpkg(
    sandbox: &mut Sandbox,
    request: &Request,
    plan: &Plan,
    folder: &Path,
    progress: &mut Progress<'_>,
) -> Result<(Command, Exit), JobError> {
    let command = dpkg_buildpackage(&command_input(request, plan, folder));
    progress.log(|log| log.subheading("User Environment"))?;
    for (name, value) in &command.env {
        progress.log(|log| log.text(&format!("{name}={value}")))?;
    }
    progress.log(|log| log.subheading("dpkg-buildpackage"))?;
    progress.log(|log| log.text(&command_line(&command)))?;
    progress.begin(Phase::Build);
    // What maintainer scripts said while the root was made is no reason for a failure of the build.
    progress.forget_tail();
    let command = Command {
        argv: command.argv,
        env: command.env,
        cwd: command.cwd,
        uid: BUILD_USER.1,
        gid: BUILD_USER.1,
        umask: 0o22,
        limits: request.limits.clone(),
    };
    let exit = sandbox.run(&command, &mut |bytes| progress.output(bytes)).during(Phase::Build)?;
    progress.end(Some(&exit));
    progress.log(|log| log.build_finished(Timestamp::now(), exit.status.success()))?;
    progress.check_log()?;
    Ok((command, exit))
}

fn command_input(request: &Request, plan: &Plan, folder: &Path) -> CommandInput {
    CommandInput {
        build_type: plan.build_type,
        user: BUILD_USER.0.to_owned(),
        source_dir: folder.to_owned(),
        jobs: request.jobs,
        options: request.options.clone(),
        profiles: request.profiles.clone(),
        no_check: request.no_check,
        maintainer: None,
        gain_root: Some(GAIN_ROOT.into()),
        environment: emulator_environment(plan)
            .into_iter()
            .chain(request.patience.into_iter().flat_map(variables))
            .collect(),
    }
}

/// The environment that dpkg-buildpackage has in `folder`.
pub fn build_environment(request: &Request, plan: &Plan, folder: &Path) -> Vec<(String, String)> {
    dpkg_buildpackage(&command_input(request, plan, folder)).env
}

fn run_hooks(
    sandbox: &mut Sandbox,
    plan: &Plan,
    hooks: &Hooks,
    phase: &str,
    progress: &mut Progress<'_>,
) -> Result<(), JobError> {
    for hook in hooks.of(phase) {
        progress.log(|log| log.info(&format!("hook {phase}: {hook}")))?;
        progress.forget_tail();
        let command = root_command(plan, vec!["sh".to_owned(), "-c".to_owned(), hook.to_owned()]);
        let exit = sandbox.run(&command, &mut |bytes| progress.output(bytes)).during(Phase::Hook)?;
        match exit.status {
            status if status.success() => {}
            Status::Cancelled => return Err(JobError::cancelled(Phase::Hook)),
            status => {
                let message = format!("the {phase} hook {hook:?} failed: {status}");
                // Of a build that failed before this is but a warning, and told as one.
                if phase != "failed" {
                    progress.log(|log| log.error(&message))?;
                }
                return Err(JobError::new(Phase::Hook, message));
            }
        }
    }
    Ok(())
}

fn root_command(plan: &Plan, argv: Vec<String>) -> Command {
    let mut settings = emulator_environment(plan);
    settings.push(("TERM".to_owned(), "dumb".to_owned()));
    command_of_root(argv, settings)
}

/// A command of root in the sandbox; `settings` win over the usual environment.
fn command_of_root(argv: Vec<String>, settings: Vec<(String, String)>) -> Command {
    let usual =
        [("PATH", PATH), ("LC_ALL", "C.UTF-8"), ("HOME", "/root"), ("DEBIAN_FRONTEND", "noninteractive")];
    let mut env: Vec<(String, String)> = usual
        .into_iter()
        .filter(|(name, _)| settings.iter().all(|(own, _)| own != name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    env.extend(settings);
    Command { argv, env, cwd: "/".into(), uid: 0, gid: 0, umask: 0o22, limits: Limits::default() }
}

/// Runs a command as root, its output thrown away.
pub(super) fn quietly(
    sandbox: &mut Sandbox,
    settings: Vec<(String, String)>,
    argv: &[&str],
) -> Result<(), String> {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    let exit =
        sandbox.run(&command_of_root(argv, settings), &mut |_| {}).map_err(|error| error.to_string())?;
    if exit.status.success() { Ok(()) } else { Err(exit.status.to_string()) }
}

/// What the emulator is told by its environment.
fn emulator_environment(plan: &Plan) -> Vec<(String, String)> {
    plan.emulator.iter().flat_map(Chosen::environment).collect()
}
