//! What a host must provide, each need tested for real (`archmill doctor`).

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use crate::idmap::IdMap;
use crate::sandbox::{Canceller, Sandbox};
use crate::spec::{Command, Limits, Mount, MountSource, RootFs, SandboxSpec, Upper};
use crate::task::{Task, run_task};

/// One need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is needed, in a few words.
    pub need: &'static str,
    /// Whether builds are impossible without it.
    pub required: bool,
    /// How it is met, or what is wrong and what to do.
    pub result: Result<String, String>,
}

/// Tasks that the probes run, for [`crate::init`].
pub const TASKS: &[(&str, Task)] = &[("probe-binfmt", binfmt_task), ("probe-empty", empty_task)];

/// Tests everything. `folder` is where overlays will be made (the cache).
pub fn all(folder: &Path) -> Vec<Finding> {
    let finding = |need, required, result| Finding { need, required, result };
    let map = IdMap::detect();
    let mut findings =
        vec![finding("a range of ids", true, map.as_ref().map(describe).map_err(ToString::to_string))];
    let accounting = crate::cgroup::available()
        .map(|flavour| format!("{flavour}: memory and processes are limited by the kernel"))
        .ok_or_else(|| {
            "no writable control groups; archmill counts memory and processes by itself, a few times a second"
                .to_owned()
        });
    findings.push(finding("control groups", false, accounting));
    let Ok(map) = map else { return findings };
    let namespace = run_task(&map, "probe-empty", &Value::Null, &mut |_| {});
    findings.push(finding(
        "user namespaces",
        true,
        namespace.map(|_| "allowed".to_owned()).map_err(|error| format!("{error}; {}", why_no_namespace())),
    ));
    let binfmt = run_task(&map, "probe-binfmt", &Value::Null, &mut |_| {});
    findings.push(finding(
        "binfmt_misc in a user namespace",
        false,
        binfmt.map(|_| "an instance for each namespace".to_owned()).map_err(|error| {
            format!("{error}; foreign builds need Linux 6.7 or newer with CONFIG_BINFMT_MISC (modprobe binfmt_misc); native ones do without")
        }),
    ));
    findings.push(finding("sandbox", true, sandbox(&map, folder)));
    findings
}

fn describe(map: &IdMap) -> String {
    format!("root of a namespace is id {} of the host", map.host_uid(0))
}

/// The settings that are known to forbid user namespaces.
fn why_no_namespace() -> &'static str {
    let setting = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    if setting("/proc/sys/user/max_user_namespaces") == "0" {
        "as root run: sysctl user.max_user_namespaces=10000"
    } else if setting("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
        "as root run: sysctl kernel.unprivileged_userns_clone=1"
    } else if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
        "as root run: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give archmill an AppArmor profile with userns"
    } else {
        "in a container, allow the unshare system call (for podman or docker: --security-opt seccomp=unconfined)"
    }
}

/// A whole sandbox over the host's own files: overlay, mounts, PID 1, a command, accounting.
fn sandbox(map: &IdMap, folder: &Path) -> Result<String, String> {
    let text = |error: std::io::Error| format!("cannot make folders in {}: {error}", folder.display());
    let work = crate::cleanup::WorkFolder::create(folder, map).map_err(text)?;
    let part = |name: &str| work.path().join(name);
    for name in ["lower", "upper", "work", "mnt"] {
        map.create_folder(&part(name)).map_err(text)?;
    }
    let spec = SandboxSpec {
        root: RootFs {
            lower: vec![part("lower")],
            mountpoint: part("mnt"),
            upper: Upper::Folder { upper: part("upper"), work: part("work"), volatile: true },
        },
        mounts: ["usr", "bin", "lib", "lib64", "etc"].iter().filter_map(|name| host_folder(name)).collect(),
        hostname: "archmill".to_owned(),
        binfmt: Vec::new(),
        personality_32: false,
        account_executables: true,
        gain_root: None,
    };
    let result = try_sandbox(map, &spec);
    let removal = json!({ "folders": [part("lower"), part("upper"), part("work"), part("mnt")] });
    let _ = run_task(map, "root-remove", &removal, &mut |_| {});
    result
}

fn host_folder(name: &str) -> Option<Mount> {
    let from = Path::new("/").join(name);
    from.is_dir().then(|| Mount { target: name.into(), source: MountSource::Bind { from, writable: false } })
}

fn try_sandbox(map: &IdMap, spec: &SandboxSpec) -> Result<String, String> {
    let mut sandbox = Sandbox::start(map, spec, Canceller::default()).map_err(|error| error.to_string())?;
    let command = Command {
        argv: vec!["/bin/sh".into(), "-c".into(), "exit 7".into()],
        env: Vec::new(),
        cwd: "/".into(),
        uid: 1,
        gid: 1,
        umask: 0o22,
        limits: Limits::default(),
    };
    let exit = sandbox.run(&command, &mut |_| {}).map_err(|error| error.to_string())?;
    if exit.status != crate::Status::Exited(7) {
        return Err(format!("a command that must exit with 7 gave: {}", exit.status));
    }
    let by = if exit.executables.is_empty() { "not counted (no seccomp notification)" } else { "counted" };
    Ok(format!("works; limits by {}, CPU time by executable {by}", sandbox.accounting()))
}

// A task has the type that every task has.
#[allow(clippy::unnecessary_wraps)]
fn empty_task(_: Value, _: &mut dyn FnMut(Value)) -> Result<Value, String> {
    Ok(Value::Null)
}

fn binfmt_task(_: Value, _: &mut dyn FnMut(Value)) -> Result<Value, String> {
    use rustix::mount::{MountFlags, mount};
    mount("binfmt_misc", "/proc/sys/fs/binfmt_misc", "binfmt_misc", MountFlags::empty(), None)
        .map_err(|error| format!("cannot mount binfmt_misc in a user namespace: {error}"))?;
    if Path::new("/proc/sys/fs/binfmt_misc/register").exists() {
        Ok(Value::Null)
    } else {
        Err("binfmt_misc has no register file".to_owned())
    }
}
