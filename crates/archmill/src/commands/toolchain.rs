//! `archmill toolchain`

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use archmill_build::classify::ExitCode;
use archmill_build::job::Session;
use archmill_build::toolchain::{self, Description, Made, Order, ToolchainError};
use serde::Serialize;

use crate::cli::{ToolchainArgs, ToolchainBuildArgs, ToolchainCommand};
use crate::setup;
use crate::ui::Terminal;

/// One of its subcommands.
pub(crate) fn run(args: &ToolchainArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        ToolchainCommand::Build(args) => build(args),
    }
}

/// Makes a toolchain, or finds that it is there, and says which it is.
fn build(args: &ToolchainBuildArgs) -> anyhow::Result<ExitCode> {
    if args.archive.arch.is_some() {
        let message =
            "--arch: a toolchain runs on this machine; say --for and the architecture that it makes code for";
        return Err(setup::Mistake(message.to_owned()).into());
    }
    let (setup, config) = setup::setup(&args.archive)?;
    let common = setup::request(&args.source, &args.archive, &config)?;
    let terminal = Terminal::new(args.quiet, args.json);
    let session = Session::open(setup, &terminal, setup::canceller())?;
    setup::results(args.out.as_deref())?;
    let arch = setup::named_by("--for", Some(&args.target))?;
    if let Some(out) = &args.out {
        fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    }
    let name = args.source.replace('=', "_");
    let order = Order {
        source: args.source.clone(),
        suite: args.archive.suite.clone(),
        arch,
        jobs: args.jobs.unwrap_or(common.jobs),
        limits: setup::limits(&args.limits, &config, false)?,
        log: args.out.as_ref().map(|out| out.join(format!("{name}_{}.build", arch.debian))),
    };
    let made = toolchain::make(&session, &order).map_err(|error| match error {
        // Carries its exit code.
        ToolchainError::Job(error) => anyhow::Error::new(error),
        ToolchainError::Source(_) | ToolchainError::Native(_) => setup::Mistake(error.to_string()).into(),
        other => other.into(),
    })?;
    if let Some(out) = &args.out {
        keep(&made, &out.join(toolchain::FILE))?;
    }
    tell(&made, args.json)?;
    Ok(ExitCode::Success)
}

/// What `--out` leaves.
#[derive(Serialize)]
struct Kept<'m> {
    /// Whether it was there before.
    reused: bool,
    #[serde(flatten)]
    description: &'m Description,
}

fn keep(made: &Made, path: &Path) -> anyhow::Result<()> {
    let kept = Kept { reused: made.reused, description: &made.toolchain.description };
    let json = serde_json::to_string_pretty(&kept)?;
    // Whole or not at all: whoever finds it takes the build for done.
    let new = path.with_extension("new");
    fs::write(&new, json)
        .and_then(|()| fs::rename(&new, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn tell(made: &Made, json: bool) -> anyhow::Result<()> {
    let Made { toolchain, reused } = made;
    let description = &toolchain.description;
    if json {
        answer!("{}", serde_json::to_string_pretty(description)?);
        return Ok(());
    }
    let inputs = &description.inputs;
    let seconds = (description.cpu_user_ms + description.cpu_system_ms) / 1000;
    answer!(
        "{} {} for {}: {}, {} files, {seconds} CPU seconds",
        inputs.source,
        inputs.version,
        inputs.arch,
        if *reused { "was made before" } else { "made" },
        description.files.len(),
    );
    answer!("{}", toolchain.folder.display());
    Ok(())
}
