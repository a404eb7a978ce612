//! What a host must provide, each need tested for real (`archmill doctor`).

use std::path::Path;

use serde_json::{Value, json};

use crate::host_binfmt::Scope;
use crate::idmap::IdMap;
use crate::kernel::{BINFMT_PER_NAMESPACE, KernelVersion, OVERLAY_LAYERS};
use crate::sandbox::{Canceller, Sandbox};
use crate::spec::{Command, Limits, Mount, MountSource, RootFs, SandboxSpec, Upper};
use crate::task::{Task, run_task};

/// One need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is needed, in a few words.
    pub need: &'static str,
    /// Whether builds are impossible without it.
    pub required: bool,
    /// How it is met, or what is wrong and what to do.
    pub result: Result<String, String>,
}

/// Tasks that the probes run, for [`crate::init`].
pub const TASKS: &[(&str, Task)] =
    &[("probe-binfmt", binfmt_task), ("probe-empty", empty_task), ("probe-remove", remove_task)];

/// Least free disk space, in bytes, for a root, its packages and a build of ordinary size.
const DISK: u64 = 5 << 30;
/// Least memory, in bytes, that ordinary C++ wants with a job or two.
const MEMORY: u64 = 2 << 30;

/// Tests everything. `folder` is where overlays will be made (in the cache); it is made if it is not there.
pub fn all(folder: &Path) -> Vec<Finding> {
    let finding = |need, required, result| Finding { need, required, result };
    let map = IdMap::detect();
    let mut findings = vec![
        finding("kernel", true, kernel(KernelVersion::running())),
        finding("range of ids", true, map.as_ref().map(describe).map_err(ToString::to_string)),
        finding("devices", true, devices()),
        finding("control groups", false, control_groups()),
        finding("memory", false, memory()),
        finding("disk space", false, disk_space(folder)),
    ];
    let Ok(map) = map else { return findings };
    let namespace = run_task(&map, "probe-empty", &Value::Null, &mut |_| {});
    let allowed = namespace.is_ok();
    findings.push(finding(
        "user namespaces",
        true,
        namespace.map(|_| "allowed".to_owned()).map_err(|error| error.to_string()),
    ));
    if !allowed {
        return findings;
    }
    findings.push(finding("binfmt_misc", false, binfmt(&map)));
    findings.push(finding("sandbox", true, sandbox(&map, folder)));
    findings
}

fn describe(map: &IdMap) -> String {
    format!(
        "65536 ids for each build; its root is id {} of this host, its build user id {}",
        map.host_uid(0),
        map.host_uid(2952)
    )
}

fn kernel(version: KernelVersion) -> Result<String, String> {
    if version >= OVERLAY_LAYERS {
        Ok(format!("Linux {version}"))
    } else {
        Err(format!(
            "Linux {version} is too old: {OVERLAY_LAYERS} or newer is needed, and {BINFMT_PER_NAMESPACE} or newer to build for foreign architectures as an ordinary user; boot a newer kernel (for bookworm there is one in bookworm-backports)"
        ))
    }
}

/// The devices that every sandbox gets from the host.
fn devices() -> Result<String, String> {
    for name in crate::mounts::DEVICES.iter().filter(|name| **name != "tty") {
        let path = Path::new("/dev").join(name);
        std::fs::File::open(&path).map_err(|error| {
            format!("cannot open {}: {error}; in a container, give it the usual /dev", path.display())
        })?;
    }
    Ok("there".to_owned())
}

fn control_groups() -> Result<String, String> {
    let found = crate::cgroup::available();
    found.map(|flavour| format!("{flavour}: the kernel limits memory and processes")).ok_or_else(|| {
        "none to be had; archmill counts memory and processes by itself, four times a second. With systemd: systemd-run --user --scope -p Delegate=yes archmill ..."
            .to_owned()
    })
}

fn memory() -> Result<String, String> {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let Some(bytes) = kib.map(|kib| kib * 1024) else { return Ok("not known".to_owned()) };
    let text = format!("{} available", gigabytes(bytes));
    if bytes >= MEMORY { Ok(text) } else { Err(format!("only {text}; large packages may not build")) }
}

fn disk_space(folder: &Path) -> Result<String, String> {
    let there = folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let fs =
        rustix::fs::statvfs(there).map_err(|error| format!("cannot look at {}: {error}", there.display()))?;
    let free = fs.f_bavail * fs.f_frsize;
    let text = format!("{} free for the cache in {}", gigabytes(free), there.display());
    if free >= DISK {
        Ok(text)
    } else {
        Err(format!(
            "only {text}, and a first build wants {}: make room, or choose another folder with --cache",
            gigabytes(DISK)
        ))
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000)
}

fn binfmt(map: &IdMap) -> Result<String, String> {
    let own = run_task(map, "probe-binfmt", &Value::Null, &mut |_| {});
    let Err(error) = own else {
        return Ok("an instance for each build; nothing is registered on this host".to_owned());
    };
    let root = rustix::process::geteuid().is_root();
    match crate::host_binfmt::scope(KernelVersion::running(), root) {
        Ok(Scope::Host) => Ok(format!(
            "this kernel has it for the whole host only; emulators are registered there while builds run ({BINFMT_PER_NAMESPACE} or newer does without)"
        )),
        Ok(Scope::Namespace) => Err(format!(
            "{error}; for foreign architectures the kernel needs CONFIG_BINFMT_MISC (as root run: modprobe binfmt_misc); native builds do without"
        )),
        Err(refused) => Err(format!("{refused}; native builds do without")),
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
        uname: None,
        cpuinfo: None,
    };
    let result = try_sandbox(map, &spec).map(|text| format!("{text} (tried in {})", folder.display()));
    let removed = run_task(map, "probe-remove", &json!(work.path()), &mut |_| {});
    removed.map_err(|error| format!("cannot remove {}: {error}", work.path().display()))?;
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

/// Files of a sandbox belong to mapped owners.
fn remove_task(args: Value, _: &mut dyn FnMut(Value)) -> Result<Value, String> {
    let folder: std::path::PathBuf = serde_json::from_value(args).map_err(|error| error.to_string())?;
    for entry in std::fs::read_dir(&folder).map_err(|error| error.to_string())?.flatten() {
        std::fs::remove_dir_all(entry.path()).map_err(|error| error.to_string())?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_is_told_what_is_needed() {
        assert_eq!(kernel(KernelVersion(6, 12)), Ok("Linux 6.12".to_owned()));
        let refusal = kernel(KernelVersion(6, 1)).unwrap_err();
        assert!(refusal.contains("6.5 or newer") && refusal.contains("bookworm-backports"), "{refusal}");
    }

    #[test]
    fn sizes_are_told_in_gigabytes() {
        assert_eq!(gigabytes(5_368_709_120), "5.3 GB");
        assert_eq!(gigabytes(40_000_000), "0.0 GB");
    }
}
