//! The program runs a copy of itself where it needs another user namespace: there is nothing to install,
//! and no code runs between fork and exec in a process that has threads.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::host;
use crate::idmap::{IdMap, IdMapError};
use crate::socket::Channel;
use crate::task::Task;

/// Name under which the copy runs, and by which it knows what it is.
const NAME: &str = "archmill-sandbox";

/// What the copy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// A function with the host's mounts.
    Task,
    /// A sandbox.
    Sandbox,
}

/// Why the copy did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The mapping of ids.
    #[error(transparent)]
    IdMap(#[from] IdMapError),
    /// Namespaces are refused.
    #[error("this host refuses a user namespace: {0}; {1}")]
    Namespace(String, &'static str),
    /// Anything else.
    #[error("cannot start a helper process: {0}")]
    Io(#[from] io::Error),
}

/// Words of the copy on its way.
#[derive(Debug, Serialize, Deserialize)]
enum Hello {
    /// Its namespaces are there; it waits for its mapping.
    Unshared,
    /// They are refused.
    Refused(String),
}

/// Must be called first in `main`. In a copy it runs what the copy is for and never returns.
pub fn init(tasks: &[(&'static str, Task)]) {
    if std::env::args_os().next().is_none_or(|name| name != NAME) {
        return;
    }
    leave_inheritance();
    let role = std::env::args().nth(1);
    // The control socket is the copy's standard input.
    let code = match rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map(Channel::from_fd) {
        Err(_) => 125,
        Ok(channel) => {
            close_stdin();
            let result = match role.as_deref() {
                Some("task") => {
                    enter(Role::Task, &channel).and_then(|()| crate::task::serve(&channel, tasks))
                }
                Some("sandbox") => {
                    enter(Role::Sandbox, &channel).and_then(|()| crate::inside::serve(&channel))
                }
                _ => Err(io::Error::other("this name is for archmill's own use")),
            };
            match result {
                Ok(code) => code,
                Err(error) => {
                    // Nobody may be there to read it.
                    let _ = writeln!(io::stderr(), "{NAME}: {error}");
                    125
                }
            }
        }
    };
    std::process::exit(code);
}

/// Drops what the caller's own caller left open or set: an inherited descriptor of a folder would lead out of the
/// sandbox, and builds must not depend on the user's umask. Nothing of ours is open yet but standard streams.
fn leave_inheritance() {
    // SAFETY: no pointers; the runtime holds no descriptor above the standard ones this early.
    #[allow(unsafe_code)]
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
        libc::umask(0o022);
    }
}

fn close_stdin() {
    if let Ok(null) = std::fs::File::open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(null);
    }
}

/// Starts a copy in new namespaces with `map`. `placed` gets its process id while it waits: it puts it in its control
/// groups before there is a namespace of them, so that these are the root of what can be seen inside.
pub(crate) fn start(
    role: Role,
    map: &IdMap,
    placed: &mut dyn FnMut(u32),
) -> Result<(Child, Channel), StartError> {
    let (ours, theirs) = Channel::pair()?;
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(NAME)
        .arg(if role == Role::Task { "task" } else { "sandbox" })
        .stdin(Stdio::from(theirs.into_fd()))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .env_clear();
    let mut child = command.spawn()?;
    let shaken = shake_hands(&ours, map, child.id(), placed);
    if let Err(error) = shaken {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error);
    }
    Ok((child, ours))
}

fn shake_hands(
    channel: &Channel,
    map: &IdMap,
    pid: u32,
    placed: &mut dyn FnMut(u32),
) -> Result<(), StartError> {
    match channel.receive::<Hello>()? {
        Some((Hello::Unshared, _)) => {}
        Some((Hello::Refused(error), _)) => {
            return Err(StartError::Namespace(error, host::namespace_advice()));
        }
        None => {
            let error = "the helper process ended at once".to_owned();
            return Err(StartError::Namespace(error, host::namespace_advice()));
        }
    }
    map.apply(pid)?;
    placed(pid);
    channel.send(&Value::Null, &[])?;
    Ok(())
}

/// In the copy: new namespaces, and root of them.
fn enter(role: Role, channel: &Channel) -> io::Result<()> {
    let mut flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNS;
    if role == Role::Sandbox {
        flags |= UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWNET;
    }
    if let Err(error) = unshare(flags) {
        channel.send(&Hello::Refused(error.to_string()), &[])?;
        return Err(error);
    }
    channel.send(&Hello::Unshared, &[])?;
    if channel.receive::<Value>()?.is_none() {
        return Err(io::Error::other("the caller is gone"));
    }
    become_root()?;
    if role == Role::Sandbox {
        unshare(UnshareFlags::NEWCGROUP)?;
    }
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    Ok(())
}

/// New namespaces for this process.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: this process has no other thread, and no descriptor table is shared.
    #[allow(unsafe_code)]
    unsafe {
        Ok(rustix::thread::unshare_unsafe(flags)?)
    }
}

/// Takes the ids of the namespace's root. /proc/self would belong to the host's root after a change of ids, so
/// the process is made dumpable again. The caller's session keyring stays outside.
fn become_root() -> io::Result<()> {
    // SAFETY: plain system calls on this single-threaded process; the pointer of setgroups is unused for a count of 0.
    #[allow(unsafe_code)]
    let failed = unsafe {
        libc::setgroups(0, std::ptr::null()) != 0
            || libc::setresgid(0, 0, 0) != 0
            || libc::setresuid(0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) != 0
    };
    if failed {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: keyctl(2) with the null name makes an anonymous keyring. A kernel without keyrings has none to leak.
    #[allow(unsafe_code)]
    unsafe {
        libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>());
    }
    Ok(())
}
