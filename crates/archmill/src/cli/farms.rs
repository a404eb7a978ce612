//! Options of what is done with a farm and its records.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{ArchiveArgs, PlaceArgs};

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

/// `archmill cache`
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// Remove what no build has used for so long, such as 30d; toolchains stay
    #[arg(long, value_name = "TIME", conflicts_with = "clear")]
    pub(crate) unused_for: Option<String>,
    /// Remove all that no archmill works with now; toolchains stay
    #[arg(long)]
    pub(crate) clear: bool,
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
