//! The command that builds a package, as Debian's build machines run it.
//!
//! The reference is sbuild 0.91 as buildd calls it: `dpkg-buildpackage --sanitize-env -us -uc -B` with
//! `HOME=/sbuild-nonexistent`, `LC_ALL=C.UTF-8` and sbuild's own `PATH`.

pub mod build_type;

pub use build_type::BuildType;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// The search path of the build, as in sbuild.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games";

/// A home directory that does not exist, so that nothing can depend on what is in it.
pub const HOME: &str = "/sbuild-nonexistent";

/// What decides the command and its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandInput {
    /// Which packages are built.
    pub build_type: BuildType,
    /// Name of the user that builds.
    pub user: String,
    /// Unpacked source, as seen inside the root.
    pub source_dir: PathBuf,
    /// Parallel jobs.
    pub jobs: NonZeroUsize,
    /// Words for `DEB_BUILD_OPTIONS`. A `parallel=` among them wins over `jobs`.
    pub options: Vec<String>,
    /// Build profiles.
    pub profiles: Vec<String>,
    /// Do not run the package's tests.
    pub no_check: bool,
    /// For the `Changed-By` and `Maintainer` of .changes, as `Name <address>`: who releases what was built.
    pub maintainer: Option<String>,
    /// Command that gains root, as seen inside the root; fakeroot when `None`.
    pub gain_root: Option<PathBuf>,
    /// More environment variables; these win over all others.
    pub environment: Vec<(String, String)>,
}

/// A command with its whole environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildCommand {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The environment, sorted by name; nothing else is passed on.
    pub env: Vec<(String, String)>,
    /// Directory to run in.
    pub cwd: PathBuf,
}

/// The dpkg-buildpackage command for a build.
pub fn dpkg_buildpackage(input: &CommandInput) -> BuildCommand {
    let mut argv: Vec<String> =
        ["dpkg-buildpackage", "--sanitize-env"].map(str::to_owned).into_iter().collect();
    if let Some(profiles) = joined(&profiles(input), ",") {
        argv.push(format!("-P{profiles}"));
    }
    argv.extend(["-us", "-uc"].map(str::to_owned));
    if let Some(maintainer) = &input.maintainer {
        argv.push(format!("-m{maintainer}"));
    }
    argv.push(input.build_type.flag().to_owned());
    if let Some(gain_root) = &input.gain_root {
        argv.push(format!("-r{}", gain_root.display()));
    }
    BuildCommand { argv, env: environment(input), cwd: input.source_dir.clone() }
}

/// The line of the log that shows the command.
pub fn command_line(command: &BuildCommand) -> String {
    format!("Command: {}", command.argv.join(" "))
}

/// Where a source is unpacked: the path that Debian's build machines use, so that what is built there
/// can be compared with what they built. `upstream` is the upstream version, without epoch.
pub fn source_dir(source: &str, upstream: &str) -> PathBuf {
    Path::new("/build/reproducible-path").join(format!("{source}-{upstream}"))
}

fn environment(input: &CommandInput) -> Vec<(String, String)> {
    let mut env = vec![
        ("HOME", HOME.to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("LOGNAME", input.user.clone()),
        ("PATH", PATH.to_owned()),
        ("PWD", input.source_dir.display().to_string()),
        ("SHELL", "/bin/sh".to_owned()),
        ("TZ", "UTC".to_owned()),
        ("USER", input.user.clone()),
    ];
    env.extend(joined(&options(input), " ").map(|options| ("DEB_BUILD_OPTIONS", options)));
    env.extend(joined(&profiles(input), " ").map(|profiles| ("DEB_BUILD_PROFILES", profiles)));
    let mut env: Vec<(String, String)> =
        env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    env.retain(|(name, _)| input.environment.iter().all(|(own, _)| own != name));
    env.extend(input.environment.iter().cloned());
    env.sort();
    env
}

fn options(input: &CommandInput) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    // A word may hold several options, as the shell variable does.
    for option in input.options.iter().flat_map(|word| word.split([' ', ','])) {
        push_new(&mut options, option);
    }
    if input.no_check {
        push_new(&mut options, "nocheck");
    }
    if !options.iter().any(|option| option.starts_with("parallel=")) {
        options.push(format!("parallel={}", input.jobs));
    }
    options
}

/// The build profiles in force. Without tests, what is there only for the tests is left out too.
fn profiles(input: &CommandInput) -> Vec<String> {
    let mut profiles = Vec::new();
    for profile in input.profiles.iter().flat_map(|word| word.split([' ', ','])) {
        push_new(&mut profiles, profile);
    }
    if input.no_check {
        push_new(&mut profiles, "nocheck");
    }
    profiles
}

fn push_new(words: &mut Vec<String>, word: &str) {
    if !word.is_empty() && !words.iter().any(|known| known == word) {
        words.push(word.to_owned());
    }
}

fn joined(words: &[String], separator: &str) -> Option<String> {
    (!words.is_empty()).then(|| words.join(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> CommandInput {
        CommandInput {
            build_type: BuildType::Any,
            user: "builder".to_owned(),
            source_dir: source_dir("dash", "0.5.12"),
            jobs: NonZeroUsize::new(4).unwrap(),
            options: vec![],
            profiles: vec![],
            no_check: false,
            maintainer: None,
            gain_root: None,
            environment: vec![],
        }
    }

    fn value<'a>(command: &'a BuildCommand, name: &str) -> Option<&'a str> {
        command.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn plain_build_is_that_of_debians_build_machines() {
        let command = dpkg_buildpackage(&input());
        assert_eq!(command_line(&command), "Command: dpkg-buildpackage --sanitize-env -us -uc -B");
        assert_eq!(command.cwd, Path::new("/build/reproducible-path/dash-0.5.12"));
        let lines: Vec<String> = command.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        DEB_BUILD_OPTIONS=parallel=4
        HOME=/sbuild-nonexistent
        LANG=C.UTF-8
        LC_ALL=C.UTF-8
        LOGNAME=builder
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games
        PWD=/build/reproducible-path/dash-0.5.12
        SHELL=/bin/sh
        TZ=UTC
        USER=builder
        ");
    }

    #[test]
    fn source_date_epoch_is_left_to_dpkg() {
        assert_eq!(value(&dpkg_buildpackage(&input()), "SOURCE_DATE_EPOCH"), None);
    }

    #[test]
    fn no_check_is_an_option_and_a_profile() {
        let command = dpkg_buildpackage(&CommandInput {
            no_check: true,
            profiles: vec!["nodoc,nocheck".to_owned()],
            ..input()
        });
        assert_eq!(value(&command, "DEB_BUILD_OPTIONS"), Some("nocheck parallel=4"));
        assert_eq!(value(&command, "DEB_BUILD_PROFILES"), Some("nodoc nocheck"));
        assert!(command.argv.contains(&"-Pnodoc,nocheck".to_owned()));
    }

    #[test]
    fn the_users_own_parallel_wins() {
        let command = dpkg_buildpackage(&CommandInput {
            options: vec!["parallel=1 noopt".to_owned(), "noopt".to_owned()],
            ..input()
        });
        assert_eq!(value(&command, "DEB_BUILD_OPTIONS"), Some("parallel=1 noopt"));
    }

    #[test]
    fn the_users_own_variable_wins() {
        let command = dpkg_buildpackage(&CommandInput {
            environment: vec![("TZ".into(), "Asia/Tokyo".into())],
            ..input()
        });
        assert_eq!(value(&command, "TZ"), Some("Asia/Tokyo"));
        assert_eq!(command.env.iter().filter(|(name, _)| name == "TZ").count(), 1);
    }

    #[test]
    fn a_gain_root_command_and_a_maintainer_are_passed_on() {
        let command = dpkg_buildpackage(&CommandInput {
            gain_root: Some("/usr/libexec/archmill/gain-root".into()),
            maintainer: Some("Farm <farm@example.org>".to_owned()),
            build_type: BuildType::Full,
            ..input()
        });
        assert_eq!(
            command.argv[2..],
            ["-us", "-uc", "-mFarm <farm@example.org>", "-b", "-r/usr/libexec/archmill/gain-root"]
        );
    }
}
