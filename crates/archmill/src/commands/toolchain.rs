//! `archmill toolchain`

use archmill_build::classify::ExitCode;
use archmill_build::job::Session;
use archmill_build::toolchain::{self, Made, Order, ToolchainError};

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
    let order = Order {
        source: args.source.clone(),
        suite: args.archive.suite.clone(),
        arch: setup::named_by("--for", Some(&args.target))?,
        jobs: args.jobs.unwrap_or(common.jobs),
        limits: setup::limits(&args.limits, &config, false)?,
    };
    let made = toolchain::make(&session, &order).map_err(|error| match error {
        // Carries its exit code.
        ToolchainError::Job(error) => anyhow::Error::new(error),
        ToolchainError::Source(_) | ToolchainError::Native(_) => setup::Mistake(error.to_string()).into(),
        other => other.into(),
    })?;
    tell(&made, args.json)?;
    Ok(ExitCode::Success)
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
