//! The archmill command.
#![forbid(unsafe_code)]

mod cli;
mod commands;
mod config;
mod farm;
mod indices;
mod setup;
mod ui;
mod units;

use archmill_build::classify::ExitCode;
use clap::{CommandFactory as _, Parser as _};

fn main() -> std::process::ExitCode {
    let tasks: Vec<_> =
        archmill_build::root::tasks::TASKS.iter().chain(archmill_sandbox::probe::TASKS).copied().collect();
    archmill_sandbox::init(&tasks);
    let cli = cli::Cli::parse();
    let result = match cli.command {
        cli::Command::Build(args) => commands::build::run(&args),
        cli::Command::Shell(args) => commands::shell::run(&args),
        cli::Command::Debug(args) => commands::debug::run(&args),
        cli::Command::Replay(args) => commands::replay::run(&args),
        cli::Command::Acceleration(args) => commands::acceleration::run(&args),
        cli::Command::Verify(args) => commands::verify::run(&args),
        cli::Command::Check(args) => commands::check::run(&args),
        cli::Command::Explain(args) => commands::explain::run(&args),
        cli::Command::Toolchain(args) => commands::toolchain::run(&args),
        cli::Command::Simulate(args) => commands::simulate::run(&args),
        cli::Command::Doctor(args) => commands::doctor::run(&args),
        cli::Command::Completions { shell } => {
            clap_complete::generate(shell, &mut cli::Cli::command(), "archmill", &mut std::io::stdout());
            Ok(ExitCode::Success)
        }
    };
    match result {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("archmill: {error:#}");
            code_of(&error).into()
        }
    }
}

/// Errors that come from a phase of a build carry their class.
fn code_of(error: &anyhow::Error) -> ExitCode {
    if setup::is_cancelled() {
        return ExitCode::Cancelled;
    }
    if error.downcast_ref::<setup::WrongOption>().is_some() {
        return ExitCode::Usage;
    }
    error.downcast_ref::<archmill_build::job::JobError>().map_or(ExitCode::Other, |error| error.class.into())
}
