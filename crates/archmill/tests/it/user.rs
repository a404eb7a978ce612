//! The program as an ordinary user runs it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::farm::Farm;
use crate::run::said;
use crate::support::recorded::test_key;

/// A user with a home and subordinate ids, who goes when dropped.
struct User {
    name: String,
}

impl User {
    /// `None` if this host cannot make one; the reason is told.
    fn new(test: &str) -> Option<Self> {
        let here = |name: &str| {
            ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
                .iter()
                .any(|folder| Path::new(folder).join(name).exists())
        };
        let missing = ["newuidmap", "useradd", "setpriv"].into_iter().find(|name| !here(name));
        if !rustix::process::geteuid().is_root() || missing.is_some() {
            println!("SKIPPED (privilege): {test}; it needs root and {}", missing.unwrap_or("newuidmap"));
            return None;
        }
        let user = Self { name: format!("archmill-test{}", std::process::id()) };
        let made = Command::new("useradd")
            .args(["--create-home", "--shell", "/bin/sh", &user.name])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", said(&made));
        let ids = fs::read_to_string("/etc/subuid").unwrap_or_default();
        if !ids.lines().any(|line| line.starts_with(&format!("{}:", user.name))) {
            println!("SKIPPED (privilege): {test}; useradd gives no subordinate ids here");
            return None;
        }
        Some(user)
    }

    fn home(&self) -> PathBuf {
        Path::new("/home").join(&self.name)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = Command::new("userdel").args(["--remove", &self.name]).output();
    }
}

#[test]
fn an_ordinary_user_builds_the_same_bits() {
    let Some(user) = User::new("an_ordinary_user") else { return };
    let reference = Farm::warm().build("greeting", &[]).succeeded().packages();
    let farm = Farm::cold();
    // What the user must be able to read, where the user may look.
    let (program, key) = (user.home().join("archmill"), user.home().join("key.asc"));
    fs::copy(env!("CARGO_BIN_EXE_archmill"), &program).unwrap();
    fs::copy(test_key(), &key).unwrap();
    for path in [&program, &key, &user.home()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mirror = farm.mirror();
    let run = |more: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &user.name, "--regid", &user.name, "--init-groups", "--reset-env"])
            .arg(&program);
        command.args(["build", "greeting", "--quiet", "--mirror", &mirror, "--keyring"]).arg(&key);
        command.args(more).current_dir(user.home()).output().unwrap()
    };
    for out in ["cold", "warm"] {
        let output = run(&["--out", out]);
        assert!(output.status.success(), "{}", said(&output));
        for (name, hash) in &reference {
            let content = fs::read(user.home().join(out).join(name)).unwrap();
            assert_eq!(crate::support::recorded::sha256(&content), *hash, "{name}");
        }
    }
    let work = user.home().join(".cache/archmill/work");
    assert!(fs::read_dir(work).unwrap().next().is_none());
}
