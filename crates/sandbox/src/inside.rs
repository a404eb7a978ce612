//! The copy that becomes a sandbox: the process that made the namespaces waits, its child is PID 1 in them.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mounts;
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

pub(crate) fn serve(channel: Channel) -> io::Result<i32> {
    let Some((_, mut fds)) = channel.receive::<Value>()? else { return Ok(0) };
    let file = fds.pop().ok_or_else(|| io::Error::other("no description of the sandbox"))?;
    let spec: SandboxSpec = serde_json::from_reader(io::BufReader::new(std::fs::File::from(file)))?;
    // SAFETY: this process has one thread, so the child may run any code.
    #[allow(unsafe_code)]
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(become_supervisor(channel, &spec)),
        pid => {
            drop(channel);
            wait_for(pid)
        }
    }
}

fn become_supervisor(channel: Channel, spec: &SandboxSpec) -> i32 {
    let set_up = mounts::set_up(spec).map_err(|error| error.to_string()).and_then(|()| {
        Supervisor::new(channel_clone(&channel)?, spec)
            .map_err(|error| format!("cannot start the supervisor: {error}"))
    });
    match set_up {
        Ok(mut supervisor) => {
            if channel.send(&Ready::Yes, &[]).is_err() {
                return 0;
            }
            drop(channel);
            i32::from(supervisor.run().is_err())
        }
        Err(error) => {
            let _ = channel.send(&Ready::No(error), &[]);
            0
        }
    }
}

fn channel_clone(channel: &Channel) -> Result<Channel, String> {
    use std::os::fd::AsFd as _;
    channel.as_fd().try_clone_to_owned().map(Channel::from_fd).map_err(|error| error.to_string())
}

fn wait_for(pid: i32) -> io::Result<i32> {
    let mut status = 0;
    // SAFETY: `status` is valid for the call.
    #[allow(unsafe_code)]
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(libc::WEXITSTATUS(status))
}
