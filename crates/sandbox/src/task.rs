//! Functions that run as root of a user namespace, with the host's mounts.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::idmap::IdMap;
use crate::reexec::{Role, StartError, start};
use crate::sandbox::Canceller;
use crate::socket::Channel;

/// A task: arguments, a way to tell of progress, and a result.
pub type Task = fn(args: Value, emit: &mut dyn FnMut(Value)) -> Result<Value, String>;

/// Why a task has no result.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It answered with an error.
    #[error("{0}")]
    Failed(String),
    /// It died.
    #[error(
        "the helper process for {0} died ({1}); look for the reason above and in the kernel's log (out of memory?)"
    )]
    Died(String, std::process::ExitStatus),
    /// The caller cancelled it.
    #[error("cancelled")]
    Cancelled,
    /// Talking to it failed.
    #[error("cannot talk to the helper process: {0}")]
    Io(#[from] io::Error),
}

#[derive(Debug, Serialize, Deserialize)]
struct Call {
    name: String,
    args: Value,
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Event(Value),
    Done(Result<Value, String>),
}

/// Runs the task `name` of those given to [`crate::init`].
pub fn run_task(
    map: &IdMap,
    name: &str,
    args: &Value,
    on_event: &mut dyn FnMut(Value),
) -> Result<Value, TaskError> {
    run_task_until(map, name, args, on_event, &Canceller::default())
}

/// The same, until `canceller` says that it is to end: what it was at is then left half done.
pub fn run_task_until(
    map: &IdMap,
    name: &str,
    args: &Value,
    on_event: &mut dyn FnMut(Value),
    canceller: &Canceller,
) -> Result<Value, TaskError> {
    let (mut child, channel) = start(Role::Task, map, &mut |_| {})?;
    let result = converse(&channel, name, args, on_event, canceller);
    // Without its caller it ends.
    drop(channel);
    let status = child.wait()?;
    match result {
        Err(TaskError::Died(name, _)) => Err(TaskError::Died(name, status)),
        other => other,
    }
}

fn converse(
    channel: &Channel,
    name: &str,
    args: &Value,
    on_event: &mut dyn FnMut(Value),
    canceller: &Canceller,
) -> Result<Value, TaskError> {
    channel.send(&Call { name: name.to_owned(), args: args.clone() }, &[])?;
    loop {
        if canceller.is_cancelled() {
            return Err(TaskError::Cancelled);
        }
        if !readable(channel)? {
            continue;
        }
        match channel.receive::<Reply>()? {
            Some((Reply::Event(event), _)) => on_event(event),
            Some((Reply::Done(result), _)) => return result.map_err(TaskError::Failed),
            None => return Err(TaskError::Died(name.to_owned(), std::process::ExitStatus::default())),
        }
    }
}

/// Waits a little for a word, or the end of the other side.
fn readable(channel: &Channel) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(channel, PollFlags::IN)];
    let wait = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    match poll(&mut fds, Some(&wait)) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// In the copy: runs the task asked for.
pub(crate) fn serve(channel: &Channel, tasks: &[(&'static str, Task)]) -> io::Result<i32> {
    let Some((call, _)) = channel.receive::<Call>()? else { return Ok(0) };
    let Some((_, task)) = tasks.iter().find(|(name, _)| *name == call.name) else {
        channel.send(&Reply::Done(Err(format!("there is no task {}", call.name))), &[])?;
        return Ok(0);
    };
    end_with_caller(channel)?;
    let mut emit = |event| {
        if channel.send(&Reply::Event(event), &[]).is_err() {
            std::process::exit(1);
        }
    };
    let result = catch_unwind(AssertUnwindSafe(|| task(call.args, &mut emit)));
    let result = result.unwrap_or_else(|reason| Err(format!("{} panicked: {}", call.name, said(&*reason))));
    channel.send(&Reply::Done(result), &[])?;
    Ok(0)
}

/// A thread that ends this process when the caller is gone: nobody waits for the rest then, and what is half done is
/// found by its lock.
fn end_with_caller(channel: &Channel) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    let channel = std::os::fd::AsFd::as_fd(channel).try_clone_to_owned()?;
    std::thread::spawn(move || {
        // No word is expected, only an end.
        let mut fds = [PollFd::new(&channel, PollFlags::empty())];
        while poll(&mut fds, None).is_err() {}
        // SAFETY: ends the process at once; other threads have nothing to put in order.
        #[allow(unsafe_code)]
        unsafe {
            libc::_exit(1)
        }
    });
    Ok(())
}

/// The message of a panic.
fn said(reason: &(dyn std::any::Any + Send)) -> &str {
    let text = reason.downcast_ref::<&str>().copied();
    text.or_else(|| reason.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
