//! The copy that becomes a sandbox: the process that made the namespaces waits, its child is PID 1 in them.

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::mounts;
use crate::process::{die_with_parent, fork_with, signal, wait_for};
use crate::socket::Channel;
use crate::spec::SandboxSpec;
use crate::supervisor::Supervisor;

/// Whether the sandbox stands.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ready {
    /// It does.
    Yes,
    /// It does not, and why.
    No(String),
}

/// What the copy is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SetUp {
    pub(crate) spec: SandboxSpec,
    /// The entries of binfmt_misc are the host's: nothing is to be registered.
    pub(crate) binfmt_of_host: bool,
}

/// How long the supervisor may take to end by itself once the caller is gone.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) fn serve(channel: &Channel) -> io::Result<i32> {
    let Some((set_up, _)) = channel.receive::<SetUp>()? else { return Ok(0) };
    // An interrupt at the caller's terminal is for the caller alone: it ends what runs in good order.
    rustix::process::setsid()?;
    let pid = fork_with(|| {
        die_with_parent();
        become_supervisor(channel, &set_up)
    })?;
    watch(channel, pid)
}

fn become_supervisor(channel: &Channel, set_up: &SetUp) -> i32 {
    let started = mounts::set_up(&set_up.spec, set_up.binfmt_of_host)
        .map_err(|error| error.to_string())
        .and_then(|written| {
            let channel = channel.as_fd().try_clone_to_owned().map(Channel::from_fd);
            channel
                .and_then(|channel| Supervisor::new(channel, &set_up.spec, written))
                .map_err(|error| format!("cannot start the supervisor: {error}"))
        });
    match started {
        Ok(mut supervisor) => {
            if channel.send(&Ready::Yes, &[]).is_err() {
                return 0;
            }
            i32::from(supervisor.run().is_err())
        }
        Err(error) => {
            let _ = channel.send(&Ready::No(error), &[]);
            0
        }
    }
}

/// Waits for the supervisor, and ends it if it outlives the caller: then it hangs, and with it all that it runs.
fn watch(channel: &Channel, pid: i32) -> io::Result<i32> {
    let supervisor = Pid::from_raw(pid).ok_or_else(|| io::Error::other("no process"))?;
    let pidfd = pidfd_open(supervisor, PidfdFlags::empty())?;
    // No word of the channel is for this process, only its end.
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(channel, PollFlags::empty())];
    while let Err(rustix::io::Errno::INTR) = poll(&mut fds, None) {}
    if fds[0].revents().is_empty() {
        let timeout = rustix::time::Timespec::try_from(GRACE).ok();
        while let Err(rustix::io::Errno::INTR) = poll(&mut fds[..1], timeout.as_ref()) {}
        if fds[0].revents().is_empty() {
            signal(pid, libc::SIGKILL);
        }
    }
    Ok(libc::WEXITSTATUS(wait_for(pid)?))
}
