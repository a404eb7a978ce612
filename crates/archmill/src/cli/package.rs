//! Options of what is done with one package, and its toolchain.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{ArchiveArgs, LimitArgs, PlaceArgs};

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

/// A number of jobs, in other words than those of the integer type.
fn jobs(value: &str) -> Result<std::num::NonZeroUsize, String> {
    value.parse().map_err(|_| "a number of 1 or more is needed".to_owned())
}
