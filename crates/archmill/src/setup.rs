//! From options and farm.toml to what a session needs.

use std::fs;
use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context as _;
use archmill_archive::{Keyring, Mirror, RepoSpec, parse_repositories};
use archmill_build::command::BuildType;
use archmill_build::job::{Mode, Request, Setup};
use archmill_deb::Relations;
use archmill_emulate::Architecture;
use archmill_sandbox::{Canceller, Limits};

use crate::cli::{ArchiveArgs, BuildTypeArg, LimitArgs, ModeArg, PlaceArgs};
use crate::config::Config;
use crate::units::{duration, size};

/// Emulated builds take longer; their time limits are scaled by this.
pub(crate) const PATIENCE: u32 = 5;
/// Debian's build machines give a package this long without output (sbuild's stalled_pkg_timeout: 150 minutes).
pub(crate) const SILENCE: &str = "150m";
pub(crate) const TIME: &str = "24h";
/// The kernel's own default of `pid_max` where there are few CPUs.
const MOST_PROCESSES: u64 = 32768;

/// An option with a value that it cannot have.
#[derive(Debug)]
pub(crate) struct WrongOption(pub(crate) &'static str);

impl std::fmt::Display for WrongOption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// A mistake of the user's that no option's name explains.
#[derive(Debug)]
pub(crate) struct Mistake(pub(crate) String);

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mistake {}

/// Refuses a place for results that is a file.
pub(crate) fn results(out: Option<&Path>) -> Result<(), Mistake> {
    match out {
        Some(out) if out.exists() && !out.is_dir() => Err(Mistake(format!(
            "--out {}: there is a file of that name, and results need a folder",
            out.display()
        ))),
        _ => Ok(()),
    }
}

/// A shell needs a terminal; a command does not.
pub(crate) fn terminal_for(subcommand: &str, command: &[String]) -> Result<(), Mistake> {
    if command.is_empty() && !std::io::stdin().is_terminal() {
        return Err(Mistake(format!(
            "standard input is no terminal, so there can be no shell; give a command: archmill {subcommand} ... -- COMMAND"
        )));
    }
    Ok(())
}

/// What options and configuration say together.
pub(crate) fn setup(args: &ArchiveArgs) -> anyhow::Result<(Setup, Config)> {
    let config = args.places.config()?;
    let given = args.mirror.as_ref().or(config.mirror.as_ref());
    let security = args.security_mirror.as_ref().or(config.security_mirror.as_ref()).map(String::as_str);
    let mut mirror = match given {
        Some(mirror) => Mirror::given(mirror, security),
        None => Mirror::of_host(Path::new("/etc/apt"))?,
    };
    if let Some(security) = security {
        security.trim_end_matches('/').clone_into(&mut mirror.security);
    }
    let mut repositories = Vec::new();
    for text in &config.repositories {
        repositories.extend(repository(text)?);
    }
    for text in &args.repositories {
        repositories.extend(repository(text).context(WrongOption("--repository"))?);
    }
    check_urls(&mirror)?;
    if let Some(path) = &args.keyring {
        Keyring::open(path).map_err(|error| Mistake(format!("--keyring: {error}")))?;
    }
    for path in &args.twin_rules {
        let name = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| Mistake(format!("--twin-rules: cannot read {name}: {error}")))?;
        archmill_emulate::twins::parse(&name, &text)
            .map_err(|error| Mistake(format!("--twin-rules: {error}")))?;
    }
    let setup = Setup {
        cache: args.places.cache(&config),
        keep_free: args.places.keep_free(&config)?,
        mirror,
        keyring: args.keyring.clone().or_else(|| config.keyring.clone()),
        repositories,
        without_suites: args.without_suites.clone(),
        extra_packages: args.extra_packages.clone(),
        ignore_valid_until: args.no_check_valid_until,
        allow_unsigned: args.allow_unsigned,
        qemu_suite: args.qemu_suite.clone().or_else(|| config.qemu_suite.clone()),
        qemu_cpu: args.qemu_cpu.clone(),
        twin_rules: args.twin_rules.clone(),
        without_twins: args.without_twins.clone(),
    };
    Ok((setup, config))
}

/// A mirror in place of those that a build record names.
pub(crate) fn mirror_instead(
    archive: Option<&str>,
    security: Option<&str>,
) -> Result<Option<Mirror>, Mistake> {
    let mirror = archive.map(|archive| Mirror::given(archive, security));
    mirror.as_ref().map_or(Ok(()), check_urls)?;
    Ok(mirror)
}

fn check_urls(mirror: &Mirror) -> Result<(), Mistake> {
    for (option, url) in [("--mirror", &mirror.archive), ("--security-mirror", &mirror.security)] {
        if !["http://", "https://", "file://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(Mistake(format!(
                "{option}: {url:?} is no URL; it begins with http://, https:// or file://"
            )));
        }
    }
    Ok(())
}

/// For builds whose inputs are all named: nothing is looked up in an index.
pub(crate) fn named_inputs(places: &PlaceArgs) -> anyhow::Result<Setup> {
    let config = places.config()?;
    Ok(Setup {
        cache: places.cache(&config),
        keep_free: places.keep_free(&config)?,
        mirror: Mirror::given("", None),
        keyring: None,
        repositories: Vec::new(),
        without_suites: Vec::new(),
        extra_packages: Vec::new(),
        ignore_valid_until: false,
        allow_unsigned: false,
        qemu_suite: None,
        qemu_cpu: None,
        twin_rules: Vec::new(),
        without_twins: Vec::new(),
    })
}

/// A line, or a file with lines or stanzas.
fn repository(text: &str) -> anyhow::Result<Vec<RepoSpec>> {
    let is_file = !text.starts_with("deb") && Path::new(text).is_file();
    let content = if is_file {
        fs::read_to_string(text).with_context(|| format!("cannot read {text}"))?
    } else {
        text.to_owned()
    };
    let parsed = parse_repositories(&content);
    if is_file { parsed.with_context(|| format!("in {text}")) } else { Ok(parsed?) }
}

/// The architecture asked for, or this machine's.
pub(crate) fn architecture(name: Option<&str>) -> anyhow::Result<&'static Architecture> {
    named_by("--arch", name)
}

/// The same, where another option names it.
pub(crate) fn named_by(option: &'static str, name: Option<&str>) -> anyhow::Result<&'static Architecture> {
    let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
    archmill_emulate::find(name.unwrap_or(&machine)).context(WrongOption(option))
}

/// What an option names of a farm: an architecture, or `all`.
pub(crate) fn target(name: Option<&str>) -> anyhow::Result<Option<&'static str>> {
    match name {
        Some("all") => Ok(Some("all")),
        Some(name) => Ok(Some(architecture(Some(name))?.debian)),
        None => Ok(None),
    }
}

/// The request of options alone.
pub(crate) fn request(source: &str, args: &ArchiveArgs, config: &Config) -> anyhow::Result<Request> {
    let jobs = config.jobs.or_else(|| std::thread::available_parallelism().ok());
    Ok(Request {
        source: source.to_owned(),
        suite: args.suite.clone(),
        arch: architecture(args.arch.as_deref())?,
        mode: args.mode.map(|mode| match mode {
            ModeArg::Native => Mode::Native,
            ModeArg::Accelerated => Mode::Accelerated,
            ModeArg::Emulated => Mode::Emulated,
            ModeArg::Imported => Mode::Imported,
        }),
        build_type: args.build.map(|build| match build {
            BuildTypeArg::Any => BuildType::Any,
            BuildTypeArg::All => BuildType::All,
            BuildTypeArg::Full => BuildType::Full,
            BuildTypeArg::Source => BuildType::Source,
        }),
        profiles: args.profiles.clone(),
        options: Vec::new(),
        no_check: false,
        jobs: jobs.unwrap_or(NonZeroUsize::MIN),
        limits: Limits::default(),
        extra_depends: Relations::default(),
        binnmu: None,
        patience: None,
        emulated_root: false,
    })
}

/// Limits: options win over the file; times are scaled for emulation unless said outright.
pub(crate) fn limits(args: &LimitArgs, config: &Config, emulated: bool) -> anyhow::Result<Limits> {
    let settings = &config.limits;
    let time =
        |name, option: &Option<String>, setting: &Option<String>, default: &str| -> anyhow::Result<_> {
            if let Some(text) = option {
                return Ok(Some(duration(text).context(WrongOption(name))?));
            }
            let native = duration(setting.as_deref().unwrap_or(default))?;
            Ok(Some(if emulated { native * PATIENCE } else { native }))
        };
    let bytes = |name, option: &Option<String>, setting: &Option<String>| match option {
        Some(text) => size(text).context(WrongOption(name)).map(Some),
        None => setting.as_ref().map(|text| size(text)).transpose(),
    };
    Ok(Limits {
        total: time("--max-time", &args.max_time, &settings.time, TIME)?,
        silence: time("--max-silence", &args.max_silence, &settings.silence, SILENCE)?,
        memory: bytes("--max-memory", &args.max_memory, &settings.memory)?,
        processes: args.max_processes.or(settings.processes).or_else(most_processes),
        disk: bytes("--max-disk", &args.max_disk, &settings.disk)?,
        log: bytes("--max-log", &args.max_log, &settings.log)?.or(Some(1 << 30)),
    })
}

/// Where neither options nor configuration say it.
fn most_processes() -> Option<u64> {
    let kernel = ["pid_max", "threads-max"]
        .map(|name| fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?.trim().parse::<u64>().ok());
    leave_half(kernel.into_iter().flatten())
}

/// So many processes and threads that a fork bomb cannot keep the host from starting programs: half of what the
/// kernel's limits let there be. These are in the millions on big machines, where a bomb would then take the memory.
fn leave_half(limits: impl Iterator<Item = u64>) -> Option<u64> {
    limits.min().map(|most| (most / 2).min(MOST_PROCESSES))
}

static CANCELLER: OnceLock<Canceller> = OnceLock::new();

/// Whether the user wanted an end: an error that comes after that is of no interest.
pub(crate) fn is_cancelled() -> bool {
    CANCELLER.get().is_some_and(Canceller::is_cancelled)
}

/// Ctrl-C and SIGTERM end what runs, in good order; a second one ends archmill at once.
pub(crate) fn canceller() -> Canceller {
    let canceller = CANCELLER.get_or_init(Canceller::default).clone();
    let handed = canceller.clone();
    let _ = ctrlc::set_handler(move || {
        if handed.is_cancelled() {
            std::process::exit(130);
        }
        remark!("archmill: ending the build; once more to end at once");
        handed.cancel();
    });
    canceller
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_leaves_the_host_half_of_its_processes() {
        let most = |limits: &[u64]| leave_half(limits.iter().copied());
        assert_eq!(most(&[32768, 192_730]), Some(16384));
        assert_eq!(most(&[4_194_304, 2_000_000]), Some(MOST_PROCESSES));
        assert_eq!(most(&[]), None);
    }
}
