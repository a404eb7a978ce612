//! The archmill command.
#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod say;

mod cli;
mod commands;
mod config;
mod farm;
mod indices;
mod setup;
mod ui;
mod units;

use std::io::Write as _;

use archmill_build::classify::ExitCode;
use clap::{CommandFactory as _, Parser as _};
use commands::End;

fn main() -> std::process::ExitCode {
    let tasks: Vec<_> =
        archmill_build::root::tasks::TASKS.iter().chain(archmill_sandbox::probe::TASKS).copied().collect();
    archmill_sandbox::init(&tasks);
    let cli = cli::Cli::parse();
    let result = match cli.command {
        cli::Command::Build(args) => commands::build::run(&args).map(End::from),
        cli::Command::Shell(args) => commands::shell::run(&args),
        cli::Command::Debug(args) => commands::debug::run(&args),
        cli::Command::Replay(args) => commands::replay::run(&args).map(End::from),
        cli::Command::Acceleration(args) => commands::acceleration::run(&args).map(End::from),
        cli::Command::Verify(args) => commands::verify::run(&args).map(End::from),
        cli::Command::Check(args) => commands::check::run(&args).map(End::from),
        cli::Command::Explain(args) => commands::explain::run(&args).map(End::from),
        cli::Command::Toolchain(args) => commands::toolchain::run(&args).map(End::from),
        cli::Command::Rebuild(args) => commands::rebuild::run(&args).map(End::from),
        cli::Command::Status(args) => commands::status::run(&args).map(End::from),
        cli::Command::Report(args) => commands::report::run(&args).map(End::from),
        cli::Command::Cache(args) => commands::cache::run(&args).map(End::from),
        cli::Command::Gc(args) => commands::gc::run(&args).map(End::from),
        cli::Command::ImportTimes(args) => commands::import_times::run(&args).map(End::from),
        cli::Command::Log(args) => commands::log::run(&args).map(End::from),
        cli::Command::Results(args) => commands::results::run(&args).map(End::from),
        cli::Command::GiveBack(args) => commands::requests::give_back(&args).map(End::from),
        cli::Command::Hold(args) => commands::requests::hold(&args).map(End::from),
        cli::Command::Release(args) => commands::requests::release(&args).map(End::from),
        cli::Command::Prioritise(args) => commands::requests::prioritise(&args).map(End::from),
        cli::Command::Simulate(args) => commands::simulate::run(&args).map(End::from),
        cli::Command::Doctor(args) => commands::doctor::run(&args).map(End::from),
        cli::Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut cli::Cli::command(), "archmill", &mut script);
            say::note(std::io::stdout().write_all(&script));
            Ok(End::Code(ExitCode::Success))
        }
    };
    match result {
        Ok(End::Code(ExitCode::Success)) if say::lost() => ExitCode::Other.into(),
        Ok(end) => end.into(),
        Err(error) => {
            remark!("archmill: {}", told(&error));
            code_of(&error).into()
        }
    }
}

/// An error with its causes; a cause that is told by what it caused is not told again.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Errors that come from a phase of a build carry their class.
fn code_of(error: &anyhow::Error) -> ExitCode {
    if setup::is_cancelled() {
        return ExitCode::Cancelled;
    }
    if error.is::<setup::WrongOption>() || error.is::<setup::Mistake>() {
        return ExitCode::Usage;
    }
    if matches!(error.downcast_ref(), Some(archmill_store::StoreError::NoFarm(_))) {
        return ExitCode::Usage;
    }
    error.downcast_ref::<archmill_build::job::JobError>().map_or(ExitCode::Other, |error| error.class.into())
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    #[test]
    fn no_cause_is_told_twice() {
        let missing = || archmill_build::record::read(std::path::Path::new("/nowhere"));
        let text = super::told(&missing().unwrap_err().into());
        assert_eq!(text.matches("No such file").count(), 1, "{text}");
        let text = super::told(&missing().context("replay").unwrap_err());
        assert!(text.starts_with("replay: cannot read the build record /nowhere: No such file"), "{text}");
    }
}
