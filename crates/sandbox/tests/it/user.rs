//! The tests once more as an ordinary user, made for that and removed again.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Failed};

use crate::world::skipped;

const PREFIX: &str = "archmill-t-";

/// A user with a range of ids.
pub(crate) struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

impl User {
    /// Makes one; the reason if that is impossible.
    pub(crate) fn create() -> Result<Self, String> {
        remove_stale();
        let name = format!("{PREFIX}{}", std::process::id());
        let home = std::env::temp_dir().join(&name);
        let output = Command::new("useradd")
            .args(["--create-home", "--home-dir"])
            .arg(&home)
            .args(["--shell", "/bin/sh", &name])
            .output()
            .map_err(|error| format!("useradd: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let entry = passwd.lines().find(|line| line.starts_with(&format!("{name}:")));
        let numbers: Vec<u32> = entry
            .map(|line| line.split(':').skip(2).take(2).filter_map(|word| word.parse().ok()).collect())
            .unwrap_or_default();
        let [uid, gid] = numbers[..] else { return Err(format!("{name} is not in /etc/passwd")) };
        let user = Self { name, uid, gid, home };
        if !fs::read_to_string("/etc/subuid").unwrap_or_default().contains(&format!("{}:", user.name)) {
            let added = Command::new("usermod")
                .args(["--add-subuids", "3000000000-3000065535", "--add-subgids", "3000000000-3000065535"])
                .arg(&user.name)
                .status();
            if !added.is_ok_and(|status| status.success()) {
                return Err("no range of ids for the user, and usermod gives none".to_owned());
            }
        }
        Ok(user)
    }

    /// A command of this user's.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .uid(self.uid)
            .gid(self.gid)
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("TMPDIR", &self.home)
            .current_dir(&self.home);
        command
    }

    /// This program, where the user can execute it.
    pub(crate) fn copy_of_this(&self) -> PathBuf {
        let copy = self.home.join("it");
        if !copy.exists() {
            fs::copy("/proc/self/exe", &copy).unwrap();
            // As it is for a program that somebody installed for oneself.
            std::os::unix::fs::chown(&copy, Some(self.uid), Some(self.gid)).unwrap();
        }
        copy
    }
}

impl Drop for User {
    fn drop(&mut self) {
        delete(&self.name);
    }
}

fn delete(name: &str) {
    let _ = Command::new("userdel").args(["--remove", "--force", name]).output();
}

fn remove_stale() {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    for name in passwd.lines().filter_map(|line| line.split(':').next()) {
        let maker = name.strip_prefix(PREFIX).and_then(|pid| pid.split('-').next());
        if maker.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            delete(name);
        }
    }
}

/// Runs a copy of this program as such a user, with the same selection of tests.
pub(crate) fn all_again(arguments: &Arguments) -> Result<(), Failed> {
    let user = match User::create() {
        Ok(user) => user,
        Err(reason) => {
            skipped(&format!("(privilege): no ordinary user to test as: {reason}"));
            return Ok(());
        }
    };
    let mut command = user.command(&user.copy_of_this());
    command.args(&arguments.filter).args(["--test-threads", "2"]);
    if arguments.exact {
        command.arg("--exact");
    }
    for skip in &arguments.skip {
        command.args(["--skip", skip]);
    }
    let output = command.output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(format!("as {}: {}", user.name, output.status).into()) }
}
