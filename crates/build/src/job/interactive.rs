//! Shells and commands of the user's in a sandbox.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use archmill_sandbox::{Command, Limits, Sandbox, Status};

use super::error::{During as _, JobError};
use super::finish::Progress;
use super::run::BUILD_USER;
use super::session::Session;
use crate::classify::Phase;
use crate::record::Outcome;

/// `--shell-on-failure`: where there is a terminal, and loudly not where there is none.
pub(super) fn after_failure(
    session: &Session<'_>,
    sandbox: &mut Sandbox,
    environment: &[(String, String)],
    folder: &Path,
    why: &Outcome,
    progress: &mut Progress<'_>,
) -> Result<(), JobError> {
    if !std::io::stdin().is_terminal() {
        let text = "no shell is started for --shell-on-failure, as standard input is no terminal";
        return progress.warn(session, text.to_owned());
    }
    let mut stderr = std::io::stderr();
    for line in &why.relevant_lines {
        let _ = writeln!(stderr, "  {line}");
    }
    let _ = writeln!(
        stderr,
        "{}; this is a shell where it failed, exit goes on",
        why.message.as_deref().unwrap_or("it failed")
    );
    interactive(sandbox, environment, folder, false, &[]).map(|_| ())
}

/// A shell or a command on the user's terminal, in `folder`, as root if `as_root`, with the build's environment.
///
/// A shell needs a terminal on standard input: callers see to that.
pub fn interactive(
    sandbox: &mut Sandbox,
    environment: &[(String, String)],
    folder: &Path,
    as_root: bool,
    argv: &[String],
) -> Result<Status, JobError> {
    let command = interactive_command(environment, folder, as_root, argv);
    let exit = if std::io::stdin().is_terminal() {
        sandbox.run_interactive(&command)
    } else {
        sandbox.run(&command, &mut |bytes| {
            let _ = std::io::stdout().write_all(bytes);
        })
    };
    Ok(exit.during(Phase::Build)?.status)
}

/// With the environment of the build, so that what fails there fails here. Root has its own home, the build user has
/// none, as in the build.
fn interactive_command(
    environment: &[(String, String)],
    folder: &Path,
    as_root: bool,
    argv: &[String],
) -> Command {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let term = std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned());
    let mut own = vec![owned(("TERM", &term)), owned(("PWD", &folder.display().to_string()))];
    if as_root {
        own.extend([("HOME", "/root"), ("USER", "root"), ("LOGNAME", "root")].map(owned));
        own.push(owned(("DEBIAN_FRONTEND", "noninteractive")));
    }
    let mut env = environment.to_vec();
    env.retain(|(name, _)| own.iter().all(|(known, _)| known != name));
    env.extend(own);
    let shell = || ["/bin/bash", "-i"].map(str::to_owned).to_vec();
    let id = if as_root { 0 } else { BUILD_USER.1 };
    Command {
        argv: if argv.is_empty() { shell() } else { argv.to_vec() },
        env,
        cwd: folder.to_owned(),
        uid: id,
        gid: id,
        umask: 0o22,
        limits: Limits::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_has_the_builds_environment_and_root_a_home() {
        let env = [("HOME", "/sbuild-nonexistent"), ("TZ", "UTC"), ("PWD", "/elsewhere"), ("USER", "buildd")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let values = |as_root, name: &str| {
            let command = interactive_command(&env, Path::new("/build/x"), as_root, &[]);
            let of_name = command.env.into_iter().filter(|(own, _)| own == name);
            of_name.map(|(_, value)| value).collect::<Vec<_>>()
        };
        assert_eq!(values(false, "HOME"), ["/sbuild-nonexistent"]);
        assert_eq!(values(false, "USER"), ["buildd"]);
        assert_eq!(values(true, "HOME"), ["/root"]);
        assert_eq!(values(true, "USER"), ["root"]);
        for as_root in [false, true] {
            assert_eq!(values(as_root, "TZ"), ["UTC"]);
            assert_eq!(values(as_root, "PWD"), ["/build/x"]);
        }
    }
}
