//! The file systems of a sandbox, and the way into them.
//!
//! All of it happens in the namespace's own mount namespace, so nothing shows on the host and nothing
//! is left when the last process is gone.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, mount_bind,
    mount_bind_recursive, mount_remount, move_mount, open_tree, unmount,
};

use crate::disk::Written;
use crate::kernel::{BINFMT_PER_NAMESPACE, KernelVersion, OVERLAY_IN_NAMESPACE, OVERLAY_LAYERS};
use crate::spec::{Binfmt, Mount, MountSource, RootFs, SandboxSpec, Upper};

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}{}", path.display(), remedy(what))]
pub(crate) struct MountError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

fn remedy(what: &str) -> String {
    let kernel = KernelVersion::running();
    match what {
        "mount an overlay at" if kernel < OVERLAY_IN_NAMESPACE => {
            format!("; overlayfs in user namespaces needs Linux {OVERLAY_IN_NAMESPACE} or newer, and this is {kernel}")
        }
        "mount an overlay at" | "stack the layer" if kernel < OVERLAY_LAYERS => {
            format!("; archmill needs the overlayfs of Linux {OVERLAY_LAYERS} or newer, and this is {kernel}")
        }
        "mount an overlay at" => "; the file system there may be one that overlayfs cannot write on (another overlay, NFS, FAT): choose a folder on ext4, xfs, btrfs or tmpfs with --cache".to_owned(),
        "mount proc at" => {
            "; in a container, /proc must not be masked (for podman: --security-opt unmask=ALL; for docker: --security-opt systempaths=unconfined)".to_owned()
        }
        "mount binfmt_misc at" => format!(
            "; binfmt_misc in a user namespace needs Linux {BINFMT_PER_NAMESPACE} or newer with CONFIG_BINFMT_MISC (as root run: modprobe binfmt_misc)"
        ),
        _ => String::new(),
    }
}

/// Makes the root and changes into it; gives what is written to, as seen from below. `binfmt_of_host`: emulators are
/// registered on the host, as this kernel has no other way.
pub(crate) fn set_up(spec: &SandboxSpec, binfmt_of_host: bool) -> Result<Written, MountError> {
    loopback_up().map_err(at("bring up the loopback interface", "lo"))?;
    rustix::system::sethostname(spec.hostname.as_bytes()).map_err(at("set the host name", &spec.hostname))?;
    if spec.personality_32 {
        set_personality().map_err(at("set the 32-bit personality for", "the sandbox"))?;
    }
    let root = spec.root.mountpoint.clone();
    let mut written = Written::default();
    mount_overlay(&spec.root, &mut written)?;
    kernel_file_systems(&root)?;
    devices(&root, &mut written)?;
    for extra in &spec.mounts {
        mount_extra(&root, extra, &mut written)?;
    }
    if !spec.binfmt.is_empty() && !binfmt_of_host {
        register(&root, &spec.binfmt)?;
    }
    mask(&root)?;
    if let Some(text) = &spec.cpuinfo {
        show(&root, "proc/cpuinfo", text)?;
    }
    enter(&root)?;
    Ok(written)
}

/// A descriptor for `path` from which no `..` leads up: a mount of its own that is nowhere attached.
fn detached(path: &Path) -> Result<OwnedFd, MountError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, path, flags).map_err(at("open", path))
}

fn mount_overlay(root: &RootFs, written: &mut Written) -> Result<(), MountError> {
    let here = &root.mountpoint;
    let failed = |error: rustix::io::Errno| at("mount an overlay at", here)(error);
    let mut folders = Vec::new();
    let (upper, work, volatile) = match &root.upper {
        Upper::Folder { upper, work, volatile } => {
            written.folders.push(detached(upper)?);
            (upper.clone(), work.clone(), *volatile)
        }
        Upper::Memory { size, own } => {
            // The tmpfs is hidden by the overlay that is mounted over it, and lives as long.
            mount(
                "tmpfs",
                here,
                "tmpfs",
                MountFlags::empty(),
                c(&format!("size={size},mode=0755")).as_deref(),
            )
            .map_err(at("mount a tmpfs at", here))?;
            written.memory.push(detached(here)?);
            let (upper, work) = (here.join("upper"), here.join("work"));
            fs::create_dir(&upper)
                .and_then(|()| fs::create_dir(&work))
                .map_err(at("make folders in", here))?;
            for (number, path) in own.iter().enumerate() {
                let folder = here.join(format!("own{number}"));
                fs::create_dir(&folder).map_err(at("make", &folder))?;
                folders.push((path, detached(&folder)?));
            }
            (upper, work, false)
        }
    };
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed)?;
    let context = context.as_fd();
    for lower in &root.lower {
        fsconfig_set_string(context, "lowerdir+", lower).map_err(at("stack the layer", lower))?;
    }
    fsconfig_set_string(context, "upperdir", &upper).map_err(failed)?;
    fsconfig_set_string(context, "workdir", &work).map_err(failed)?;
    fsconfig_set_flag(context, "userxattr").map_err(failed)?;
    if volatile {
        fsconfig_set_flag(context, "volatile").map_err(failed)?;
    }
    fsconfig_create(context).map_err(failed)?;
    let mounted = fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).map_err(failed)?;
    move_mount(mounted.as_fd(), "", CWD, here, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(failed)?;
    for (path, own) in folders {
        let covered = folder(here, path)?;
        let meta = fs::metadata(&covered).map_err(at("look at", &covered))?;
        move_mount(own.as_fd(), "", CWD, &covered, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .map_err(at("mount memory at", &covered))?;
        std::os::unix::fs::chown(&covered, Some(meta.uid()), Some(meta.gid()))
            .and_then(|()| fs::set_permissions(&covered, meta.permissions()))
            .map_err(at("set the owner of", &covered))?;
    }
    Ok(())
}

fn kernel_file_systems(root: &Path) -> Result<(), MountError> {
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let proc = folder(root, Path::new("proc"))?;
    mount("proc", &proc, "proc", quiet, None).map_err(at("mount proc at", &proc))?;
    let sys = folder(root, Path::new("sys"))?;
    mount("sysfs", &sys, "sysfs", quiet | MountFlags::RDONLY, None).map_err(at("mount sysfs at", &sys))
}

fn devices(root: &Path, written: &mut Written) -> Result<(), MountError> {
    let dev = folder(root, Path::new("dev"))?;
    let quiet = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("tmpfs", &dev, "tmpfs", quiet, c("mode=0755,size=1M").as_deref())
        .map_err(at("mount a tmpfs at", &dev))?;
    for name in DEVICES {
        let target = dev.join(name);
        fs::write(&target, "").map_err(at("make", &target))?;
        mount_bind(Path::new("/dev").join(name), &target).map_err(at("bind", &target))?;
    }
    let pts = folder(&dev, Path::new("pts"))?;
    let options = c("newinstance,ptmxmode=0666,mode=0620,gid=5");
    mount("devpts", &pts, "devpts", quiet, options.as_deref()).map_err(at("mount devpts at", &pts))?;
    let shm = folder(&dev, Path::new("shm"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", &shm, "tmpfs", flags, c("mode=1777").as_deref()).map_err(at("mount a tmpfs at", &shm))?;
    written.memory.push(detached(&shm)?);
    let links = [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    for (name, target) in links {
        std::os::unix::fs::symlink(target, dev.join(name)).map_err(at("make a link in", &dev))?;
    }
    Ok(())
}

fn mount_extra(root: &Path, extra: &Mount, written: &mut Written) -> Result<(), MountError> {
    match &extra.source {
        MountSource::Tmpfs { size, mode } => {
            let target = folder(root, &extra.target)?;
            let options = c(&format!("size={size},mode={mode:o}"));
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            mount("tmpfs", &target, "tmpfs", flags, options.as_deref())
                .map_err(at("mount a tmpfs at", &target))?;
            written.memory.push(detached(&target)?);
            Ok(())
        }
        MountSource::Bind { from, writable } => {
            let target = if from.is_dir() {
                folder(root, &extra.target)?
            } else {
                let target = root.join(&extra.target);
                folder(root, extra.target.parent().unwrap_or(Path::new("")))?;
                fs::OpenOptions::new()
                    .append(true)
                    .create(true)
                    .open(&target)
                    .map_err(at("make", &target))?;
                target
            };
            mount_bind_recursive(from, &target).map_err(at("bind", from))?;
            if *writable {
                if from.is_dir() {
                    written.folders.push(detached(from)?);
                }
            } else {
                let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
                mount_remount(&target, flags, "").map_err(at("make read-only", &target))?;
            }
            Ok(())
        }
    }
}

/// Registers emulators in this namespace's own binfmt_misc. The kernel opens the interpreter now (flag F), while the
/// host's paths are still in sight: through a read-only mount, or root inside, who owns the cache's files, could write to it
/// by way of /proc/PID/exe.
fn register(root: &Path, entries: &[Binfmt]) -> Result<(), MountError> {
    let here = root.join("proc/sys/fs/binfmt_misc");
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("binfmt_misc", &here, "binfmt_misc", quiet, None).map_err(at("mount binfmt_misc at", &here))?;
    for entry in entries {
        let interpreter = &entry.interpreter;
        if interpreter.exists() {
            mount_bind(interpreter, interpreter).map_err(at("bind", interpreter))?;
            let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
            mount_remount(interpreter, flags, "").map_err(at("make read-only", interpreter))?;
        }
        fs::write(here.join("register"), &entry.line)
            .map_err(at("register the emulator", &entry.interpreter))?;
    }
    mount_remount(&here, quiet | MountFlags::RDONLY, "").map_err(at("make read-only", &here))
}

/// Devices of the host that a sandbox gets.
pub(crate) const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// What of /proc is hidden; most of it is the host root's alone in any case.
const MASKED: [&str; 8] = [
    "proc/kcore",
    "proc/keys",
    "proc/kmsg",
    "proc/kpagecount",
    "proc/sched_debug",
    "proc/sysrq-trigger",
    "proc/timer_list",
    "proc/vmallocinfo",
];

/// Hides what tells of the host or may ask something of it. The namespaces of commands are below this one, so nobody
/// there can take it away.
fn mask(root: &Path) -> Result<(), MountError> {
    for name in MASKED {
        let target = root.join(name);
        if target.exists() {
            mount_bind("/dev/null", &target).map_err(at("hide", &target))?;
        }
    }
    let firmware = root.join("sys/firmware");
    if firmware.is_dir() {
        mount("tmpfs", &firmware, "tmpfs", MountFlags::RDONLY, c("size=0").as_deref())
            .map_err(at("hide", &firmware))?;
    }
    Ok(())
}

/// Has a file of the kernel's say something else, for good like what is hidden.
fn show(root: &Path, name: &str, text: &str) -> Result<(), MountError> {
    // A file system of its own, which lives on below the one file once its folder is free again.
    let folder = root.join("dev/shm");
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", &folder, "tmpfs", quiet, c("mode=0755").as_deref())
        .map_err(at("mount a tmpfs at", &folder))?;
    let (source, target) = (folder.join("file"), root.join(name));
    fs::write(&source, text).map_err(at("write", &source))?;
    mount_bind(&source, &target).map_err(at("replace", &target))?;
    mount_remount(&target, quiet | MountFlags::BIND | MountFlags::RDONLY, "")
        .map_err(at("make read-only", &target))?;
    unmount(&folder, UnmountFlags::DETACH).map_err(at("unmount", &folder))
}

fn enter(root: &Path) -> Result<(), MountError> {
    rustix::process::chdir(root).map_err(at("change into", root))?;
    // Both names the same: the old root ends up below the new one at the same place (pivot_root(2)).
    rustix::process::pivot_root(".", ".").map_err(at("change root to", root))?;
    unmount(".", UnmountFlags::DETACH).map_err(at("leave the host's files from", root))?;
    rustix::process::chdir("/").map_err(at("change into", root))
}

/// Makes `path` below `root`, one folder at a time and never through a link: a link in the root could point
/// anywhere on the host, as it is resolved before the root is changed.
fn folder(root: &Path, path: &Path) -> Result<PathBuf, MountError> {
    let mut here = root.to_owned();
    for component in path.components() {
        here.push(component);
        match fs::symlink_metadata(&here) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(at("mount at", &here)(io::Error::other("it is not a folder"))),
            Err(_) => fs::create_dir(&here).map_err(at("make", &here))?,
        }
    }
    Ok(here)
}

#[allow(unsafe_code)]
fn loopback_up() -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: an all-zero ifreq is valid; the name is shorter than the field and ends with a zero.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l'.cast_signed();
    request.ifr_name[1] = b'o'.cast_signed();
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(0);
    // SAFETY: SIOCSIFFLAGS reads an ifreq, which outlives the call.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// PER_LINUX32 of <linux/personality.h>.
const PER_LINUX32: libc::c_ulong = 8;

#[allow(unsafe_code)]
fn set_personality() -> io::Result<()> {
    // SAFETY: no pointers.
    match unsafe { libc::personality(PER_LINUX32) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn c(text: &str) -> Option<std::ffi::CString> {
    std::ffi::CString::new(text).ok()
}

fn at<E: Into<io::Error>, P: AsRef<Path>>(what: &'static str, path: P) -> impl FnOnce(E) -> MountError {
    let path = path.as_ref().to_owned();
    move |error| MountError { what, path, source: error.into() }
}
