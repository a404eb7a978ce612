//! What can be said on the command line: the subcommands, and what many of them have.

use std::path::PathBuf;

use archmill_build::classify::ExitCode;
use clap::{Args, Parser, Subcommand, ValueEnum};

mod farms;
mod package;

pub(crate) use farms::*;
pub(crate) use package::*;

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
    /// Tell what the cache holds, and remove what is not needed.
    Cache(CacheArgs),
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
    /// Space to keep free on its disk, such as 20G: what no build used for longest makes room [default: that of farm.toml, else a twentieth of the disk, 5G at most; 0: nothing ever goes]
    #[arg(long, value_name = "SIZE")]
    pub(crate) cache_keep_free: Option<String>,
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

/// `archmill doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) places: PlaceArgs,
    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
