//! What can be said on the command line.

use std::path::PathBuf;

use archmill_build::classify::ExitCode;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Builds Debian packages for any architecture on x86-64 machines.
#[derive(Debug, Parser)]
#[command(name = "archmill", version, max_term_width = 100, after_help = exit_codes())]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The table of exit codes, as it is in the code.
fn exit_codes() -> String {
    let lines = ExitCode::ALL.iter().map(|code| format!("  {:>3}  {}", code.code(), code.meaning()));
    format!("Exit codes:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build a source package.
    Build(BuildArgs),
    /// Open a shell in a build root with the build dependencies installed.
    Shell(ShellArgs),
    /// Open the root of the last failed build at the failing command.
    Debug(DebugArgs),
    /// Build again from the inputs of a build record, versions pinned.
    Replay(ReplayArgs),
    /// Tell which tools of a build run as twins on this machine's CPU, and which are refused and why.
    Acceleration(AccelerationArgs),
    /// Build with twins and wholly emulated, and compare what comes out bit for bit.
    Verify(VerifyArgs),
    /// Tell for every source package of a suite whether its build dependencies can be installed.
    Check(CheckArgs),
    /// Tell why a source package's build dependencies cannot be installed, or what they would install.
    Explain(ExplainArgs),
    /// Make the compiler of another architecture for this machine.
    Toolchain(ToolchainArgs),
    /// Build everything that a farm lacks, whatever happens to machines and builds in between.
    Rebuild(RebuildArgs),
    /// Tell what of a farm is built, building, waiting or failed, and why.
    Status(StatusArgs),
    /// Tells what came of a rebuild: what was built and what failed, in which modes, and what it took
    Report(ReportArgs),
    /// Takes in what native builds took elsewhere, so that reports tell what emulation costs and rebuilds know what takes long
    ImportTimes(ImportTimesArgs),
    /// Remove results that newer ones replaced, old logs, and what a farm's archive no longer has
    Gc(GcArgs),
    /// Print the log of a package's build.
    Log(LogArgs),
    /// List what a package's build left, or copy it to a folder
    Results(ResultsArgs),
    /// Try again what failed, from the first mode on.
    GiveBack(RequestArgs),
    /// Start no more builds of a package, and end those that run.
    Hold(HoldArgs),
    /// End a hold.
    Release(RequestArgs),
    /// Put a package, and what it waits for, before everything else.
    Prioritise(RequestArgs),
    /// Tell how long a rebuild of the farm would take, what it would cost, and on which fleet.
    Simulate(SimulateArgs),
    /// Test for real what the host must provide, and say how to mend what is missing.
    Doctor(DoctorArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// How the target's programs are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// On a CPU that executes them.
    Native,
    /// Tools on the CPU, as their twins for this machine; the rest emulated.
    Accelerated,
    /// Every instruction emulated by QEMU.
    Emulated,
    /// Not built: the archive's packages are taken as they are.
    Imported,
}

/// Which packages of a source to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BuildTypeArg {
    /// Architecture-dependent packages.
    Any,
    /// Architecture-independent packages.
    All,
    /// Both, and nothing else.
    Full,
    /// The source package.
    Source,
}

/// Where things are kept, and what is the same for every build on a host.
///
/// The variables are read by [`crate::config`]: clap would list options that come from a variable as required.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PlaceArgs {
    /// Folder for downloads and build roots [env: ARCHMILL_CACHE] [default: that of farm.toml, else /var/cache/archmill for root and ~/.cache/archmill for others]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Configuration file [env: ARCHMILL_CONFIG] [default: ~/.config/archmill/farm.toml, else /etc/archmill/farm.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Where packages come from and where things are kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct ArchiveArgs {
    /// Suite to build for (its updates and security suites are used as on Debian's build machines)
    #[arg(long, default_value = "trixie")]
    pub(crate) suite: String,
    /// Architecture to build for, by its Debian or OBS name [default: this machine's]
    #[arg(long, short = 'a')]
    pub(crate) arch: Option<String>,
    /// Debian mirror [default: that of the host's apt configuration]
    #[arg(long, value_name = "URL")]
    pub(crate) mirror: Option<String>,
    /// Mirror of the security suites [default: found beside the other]
    #[arg(long, value_name = "URL")]
    pub(crate) security_mirror: Option<String>,
    /// Keys to verify archives with [default: the Debian archive keys that archmill ships]
    #[arg(long, value_name = "FILE")]
    pub(crate) keyring: Option<PathBuf>,
    /// Another repository: a line as in sources.list, or a .sources file
    #[arg(long = "repository", value_name = "LINE|FILE")]
    pub(crate) repositories: Vec<String>,
    /// A .deb to install over what the archive has
    #[arg(long = "extra-package", value_name = "DEB")]
    pub(crate) extra_packages: Vec<PathBuf>,
    /// A suite to do without, such as trixie-security, where its mirror is out of step with itself
    #[arg(long = "without-suite", value_name = "SUITE")]
    pub(crate) without_suites: Vec<String>,
    /// Accept metadata whose Valid-Until has passed (an attacker may be holding back updates)
    #[arg(long)]
    pub(crate) no_check_valid_until: bool,
    /// Accept repositories without a valid signature (anybody on the way may have changed them)
    #[arg(long)]
    pub(crate) allow_unsigned: bool,
    /// Suite to take QEMU from [default: the newest that works]
    #[arg(long, value_name = "SUITE")]
    pub(crate) qemu_suite: Option<String>,
    /// CPU that QEMU emulates [default: the fastest that is faithful]
    #[arg(long, value_name = "MODEL")]
    pub(crate) qemu_cpu: Option<String>,
    /// A file with further rules for twins
    #[arg(long = "twin-rules", value_name = "FILE")]
    pub(crate) twin_rules: Vec<PathBuf>,
    /// A package of the root that gets no twin
    #[arg(long = "without-twin", value_name = "PACKAGE")]
    pub(crate) without_twins: Vec<String>,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    /// Build profiles, separated by commas or spaces
    #[arg(long, short = 'P', value_delimiter = ',')]
    pub(crate) profiles: Vec<String>,
    /// How to run the target's programs [default: native where this CPU runs them, else accelerated; emulated for a source that failed with twins]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<ModeArg>,
    /// Which packages to build [default: any for a foreign architecture, else full where the source has both]
    #[arg(long, value_enum)]
    pub(crate) build: Option<BuildTypeArg>,
}

/// Options of `acceleration`.
#[derive(Debug, Args)]
pub(crate) struct AccelerationArgs {
    /// Source package name, .dsc file or URL, or source tree
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) archive: ArchiveArgs,
    /// Print the plan as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Source package name, .dsc file or URL, or source tree
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) archive: ArchiveArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Folder for the results of both builds
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Find the twin that makes a difference
    #[arg(long)]
    pub(crate) bisect: bool,
    /// Leave the tests out
    #[arg(long)]
    pub(crate) no_check: bool,
}

/// Limits; each ends the build with its own outcome.
#[derive(Debug, Args)]
#[expect(clippy::struct_field_names, reason = "fields are named as the options are")]
pub(crate) struct LimitArgs {
    /// Longest time for dpkg-buildpackage, such as 6h or 90m [default: 24h, five times as long for an architecture that is emulated]; looking at its results may take as long again
    #[arg(long, value_name = "TIME")]
    pub(crate) max_time: Option<String>,
    /// Longest time without output, such as 90m [default: 150m, five times as long for an architecture that is emulated]
    #[arg(long, value_name = "TIME")]
    pub(crate) max_silence: Option<String>,
    /// Most memory for all processes together, such as 8G [default: no limit]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_memory: Option<String>,
    /// Most processes and threads at a time [default: half of what the kernel allows, at most 32768]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_processes: Option<u64>,
    /// Most disk space for the build, such as 20G [default: no limit]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_disk: Option<String>,
    /// Most output of the build, such as 500M [default: 1G]; the log is cut there and has archmill's own lines besides
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_log: Option<String>,
}

/// `archmill build`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct BuildArgs {
    /// A source package (NAME or NAME=VERSION), a .dsc (path or URL), or a source tree with debian/
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) archive: ArchiveArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// More words for DEB_BUILD_OPTIONS
    #[arg(long, value_name = "WORDS")]
    pub(crate) build_options: Vec<String>,
    /// Do not run the package's tests (nocheck in DEB_BUILD_OPTIONS and DEB_BUILD_PROFILES)
    #[arg(long)]
    pub(crate) no_check: bool,
    /// Parallel jobs [default: the number of processors]
    #[arg(long, short = 'j', value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// Folder for the results [default: ./NAME_VERSION_ARCH]
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Run a command at a phase, as PHASE=COMMAND: setup, pre-build, post-build and failed run in the root as root; host-pre and host-post run on this host
    #[arg(long = "hook", value_name = "PHASE=COMMAND")]
    pub(crate) hooks: Vec<String>,
    /// Open a shell in the root when the build fails
    #[arg(long)]
    pub(crate) shell_on_failure: bool,
    /// Print the build record to standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not show the log while it is written
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,
    /// Give the package's tests N times as long as their runners do
    #[arg(long, value_name = "N")]
    pub(crate) patience: Option<std::num::NonZeroU32>,
    #[command(flatten)]
    pub(crate) binnmu: BinNmuArgs,
}

/// A rebuild without a change of source.
#[derive(Debug, Args)]
pub(crate) struct BinNmuArgs {
    /// Build again without a change of source: packages get +bN after their version, and an entry on top of their changelog
    #[arg(long, alias = "binNMU", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) binnmu: Option<u32>,
    /// Why, for that entry
    #[arg(
        long,
        requires = "binnmu",
        value_name = "TEXT",
        default_value = "Rebuild with changed build dependencies."
    )]
    pub(crate) binnmu_reason: String,
    /// Who signs that entry
    #[arg(
        long,
        requires = "binnmu",
        value_name = "NAME <ADDRESS>",
        default_value = "archmill <archmill@localhost>"
    )]
    pub(crate) maintainer: String,
}

/// `archmill shell`
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// A source package, a .dsc or a source tree, as for build
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) archive: ArchiveArgs,
    /// Do not unpack the source
    #[arg(long)]
    pub(crate) no_source: bool,
    /// Be root in the shell, not the build user
    #[arg(long)]
    pub(crate) root: bool,
    /// Run this command instead of a shell
    #[arg(last = true)]
    pub(crate) command: Vec<String>,
}

/// `archmill debug`
#[derive(Debug, Args)]
pub(crate) struct DebugArgs {
    /// Name of the source package; the last failed build of any if left out
    pub(crate) source: Option<String>,
    /// Architecture
    #[arg(long, short = 'a')]
    pub(crate) arch: Option<String>,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    /// Let QEMU print the system calls of what is run
    #[arg(long)]
    pub(crate) strace: bool,
    /// Let what is run wait for gdb: the command after `--` stops at its first instruction
    #[arg(long, requires = "command")]
    pub(crate) gdb: bool,
    /// Be root in the shell, not the build user
    #[arg(long)]
    pub(crate) root: bool,
    /// Run this command instead of a shell
    #[arg(last = true)]
    pub(crate) command: Vec<String>,
}

/// `archmill replay`
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The build record
    pub(crate) record: PathBuf,
    /// Folder for the results
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Debian mirror [default: that of the record, if it still answers]
    #[arg(long, value_name = "URL")]
    pub(crate) mirror: Option<String>,
    /// Mirror of the security suites [default: found beside the other]
    #[arg(long, value_name = "URL", requires = "mirror")]
    pub(crate) security_mirror: Option<String>,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    /// Print the new build record to standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not show the log while it is written
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,
}

/// Which alternatives of a build dependency count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlternativesArg {
    /// The first, as sbuild does on Debian's build machines.
    First,
    /// Any, as apt and dose do.
    All,
}

/// Which versions of a package count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VersionsArg {
    /// The newest of the index with the highest priority, as apt installs.
    Candidate,
    /// Any that an index has, as dose does.
    Any,
}

/// What build dependencies are solved for.
#[derive(Debug, Args)]
pub(crate) struct SolveArgs {
    /// Architecture that a cross build runs on; goes with --host-arch
    #[arg(long, value_name = "ARCH", requires = "host_arch", conflicts_with = "arch")]
    pub(crate) build_arch: Option<String>,
    /// Architecture that a cross build is for
    #[arg(long, value_name = "ARCH", requires = "build_arch")]
    pub(crate) host_arch: Option<String>,
    /// Which alternatives of a build dependency count
    #[arg(long, value_enum, default_value = "first")]
    pub(crate) alternatives: AlternativesArg,
    /// Which versions of a package count
    #[arg(long, value_enum, default_value = "candidate")]
    pub(crate) versions: VersionsArg,
    /// A Packages file to use instead of a suite's; goes with --sources
    #[arg(long = "packages", value_name = "FILE", requires = "sources")]
    pub(crate) packages: Vec<PathBuf>,
    /// A Sources file to use instead of a suite's; goes with --packages
    #[arg(long = "sources", value_name = "FILE", requires = "packages")]
    pub(crate) sources: Vec<PathBuf>,
}

/// `archmill check`
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Source packages [default: every one of the suite]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) archive: ArchiveArgs,
    #[command(flatten)]
    pub(crate) solve: SolveArgs,
    /// Every version of a source package, also those that are kept with Extra-Source-Only: yes
    #[arg(long)]
    pub(crate) every_version: bool,
    /// Say why, for each that cannot be built
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print all verdicts as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `archmill explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Name of the source package, or of a binary package
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) archive: ArchiveArgs,
    #[command(flatten)]
    pub(crate) solve: SolveArgs,
    /// List what would be installed, and which relation asked for each
    #[arg(long)]
    pub(crate) installs: bool,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `archmill toolchain`
#[derive(Debug, Args)]
pub(crate) struct ToolchainArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: ToolchainCommand,
}

/// Subcommands of `archmill toolchain`.
#[derive(Debug, Subcommand)]
pub(crate) enum ToolchainCommand {
    /// Build, for this machine, exactly the compiler that an architecture has in a suite, and keep it in the cache.
    Build(ToolchainBuildArgs),
}

/// `archmill toolchain build`
#[derive(Debug, Args)]
pub(crate) struct ToolchainBuildArgs {
    /// The source package of the compiler, gcc-N or gcc-N=VERSION
    pub(crate) source: String,
    /// Architecture that it makes code for, by its Debian or OBS name
    #[arg(long = "for", value_name = "ARCH")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) archive: ArchiveArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Parallel jobs [default: the number of processors]
    #[arg(long, short = 'j', value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// Folder for the toolchain's description and its log, which is else in the cache; made if it is not there
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the toolchain's description to standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not show the log while it is written
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,
}

/// Where builds of a farm run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyArg {
    /// Where the CPU executes the target's programs.
    NativeOnly,
    /// Where they are predicted to be done sooner.
    Hybrid,
    /// On x86-64 machines.
    X86Only,
}

/// What builds of a farm are made against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModelArg {
    /// The upstream archive as it is.
    AgainstUpstream,
    /// The farm's own results as they come.
    SelfHosted,
}

impl From<PolicyArg> for archmill_plan::scheduler::Policy {
    fn from(policy: PolicyArg) -> Self {
        match policy {
            PolicyArg::NativeOnly => Self::NativeOnly,
            PolicyArg::Hybrid => Self::Hybrid,
            PolicyArg::X86Only => Self::X86Only,
        }
    }
}

impl From<ModelArg> for crate::farm::ModelConfig {
    fn from(model: ModelArg) -> Self {
        match model {
            ModelArg::AgainstUpstream => Self::AgainstUpstream,
            ModelArg::SelfHosted => Self::SelfHosted,
        }
    }
}

/// `archmill simulate`
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// farm.toml, with a [farm] [default: as for the other commands]
    pub(crate) farm: Option<PathBuf>,
    /// Machines by kind, such as x86_64=30,aarch64=15, in place of those of farm.toml
    #[arg(long, value_name = "KIND=N,...")]
    pub(crate) slots: Option<String>,
    /// Where builds run, in place of what farm.toml says; several are compared
    #[arg(long, value_enum)]
    pub(crate) policy: Vec<PolicyArg>,
    /// What builds are made against, in place of what farm.toml says
    #[arg(long, value_enum)]
    pub(crate) model: Option<ModelArg>,
    /// Take durations, what modes cost and what goes wrong from the records of a farm, by its folder, in place of what farm.toml assumes
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) archive: ArchiveArgs,
    /// Print the results as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a farm keeps what it knows.
#[derive(Debug, Clone, Args)]
pub(crate) struct StateArgs {
    /// Folder of the farm: its database, logs and results [default: state in farm.toml, else /var/lib/archmill for root and ~/.local/share/archmill for others]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

/// `archmill rebuild`
#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    /// farm.toml with a [farm], or source packages of the suite
    #[arg(value_name = "FARM.TOML|PACKAGE")]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) archive: ArchiveArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Builds at a time [default: those of farm.toml, else one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) slots: Option<u32>,
    /// How often a build that comes to nothing for no fault of its package is tried again in a row
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub(crate) max_retries: u32,
}

/// `archmill status`
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Source packages; all of them together if left out
    #[arg(value_name = "PACKAGE")]
    pub(crate) sources: Vec<String>,
    /// Only of this architecture, or all
    #[arg(long)]
    pub(crate) arch: Option<String>,
    /// Only of this suite
    #[arg(long)]
    pub(crate) suite: Option<String>,
    /// Only what failed, or cannot be built
    #[arg(long)]
    pub(crate) failed: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    /// Print everything as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `archmill report`
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Compare with another rebuild: its report.json, or the folder of its farm
    #[arg(long, value_name = "REPORT.JSON|DIR")]
    pub(crate) against: Option<PathBuf>,
    /// Write a page with plots, report.json, packages.csv and the logs of failed builds into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) html: Option<PathBuf>,
    /// Print the whole report as JSON
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// Print a line for each package as comma-separated values
    #[arg(long)]
    pub(crate) csv: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
}

/// `archmill gc`
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Keep the results of so many builds of each package, of the last that succeeded [default: that of farm.toml, else 1]
    #[arg(long, value_name = "N")]
    pub(crate) results: Option<usize>,
    /// Keep logs and records of builds that ended no longer ago, such as 365d, beside those of the last build of each package [default: that of farm.toml, else all]
    #[arg(long, value_name = "TIME")]
    pub(crate) logs: Option<String>,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
}

/// `archmill import-times`
#[derive(Debug, Args)]
pub(crate) struct ImportTimesArgs {
    /// Comma-separated values with a line of names: package, architecture, seconds, and if known version and cpu_seconds; or a _jobhistory of OBS, with --arch
    #[arg(value_name = "FILE", required_unless_present = "obs", conflicts_with = "obs")]
    pub(crate) file: Option<PathBuf>,
    /// Get the job history from OBS: from its API or source server, https://.../build/PROJECT/REPOSITORY/ARCHITECTURE
    #[arg(long, value_name = "URL")]
    pub(crate) obs: Option<String>,
    /// The architecture that a _jobhistory is of, which it does not say itself
    #[arg(long, short = 'a')]
    pub(crate) arch: Option<String>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
}

/// A build of a farm.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Source package
    pub(crate) source: String,
    /// Architecture, or all [default: the one that was built last]
    #[arg(long, short = 'a')]
    pub(crate) arch: Option<String>,
    /// Suite, where the farm has several [default: the one that was built last]
    #[arg(long)]
    pub(crate) suite: Option<String>,
    /// A build by its number, as status tells [default: the last]
    #[arg(long, value_name = "N")]
    pub(crate) build: Option<i64>,
}

/// `archmill results`
#[derive(Debug, Args)]
pub(crate) struct ResultsArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Folder for copies, made if it is not there [default: only list them, with SHA-256 and size]
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
}

/// `archmill log`
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Go on while the build does
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
}

/// `archmill give-back`, `release` and `prioritise`
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// Source packages
    #[arg(required = true)]
    pub(crate) sources: Vec<String>,
    /// For this architecture, or all [default: every one that it is built for]
    #[arg(long, short = 'a')]
    pub(crate) arch: Option<String>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
}

/// `archmill hold`
#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// Why, for all who ask
    #[arg(long, value_name = "TEXT", default_value = "somebody wants it so")]
    pub(crate) reason: String,
}

/// `archmill doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A number of jobs, in other words than those of the integer type.
fn jobs(value: &str) -> Result<std::num::NonZeroUsize, String> {
    value.parse().map_err(|_| "a number of 1 or more is needed".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
