//! Functions that run as root of a user namespace, with the host's mounts.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::idmap::IdMap;
use crate::reexec::{Role, StartError, start};
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
    #[error("the helper process for {0} died; look for the reason above and in the kernel's log")]
    Died(String),
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
    let (mut child, channel) = start(Role::Task, map)?;
    let result = converse(&channel, name, args, on_event);
    drop(channel);
    child.wait()?;
    result
}

fn converse(
    channel: &Channel,
    name: &str,
    args: &Value,
    on_event: &mut dyn FnMut(Value),
) -> Result<Value, TaskError> {
    // Arguments can be long (thousands of packages), a message cannot: they travel in a file.
    let mut file = tempfile::tempfile()?;
    serde_json::to_writer(&mut file, &Call { name: name.to_owned(), args: args.clone() })
        .map_err(io::Error::from)?;
    io::Seek::rewind(&mut file)?;
    channel.send(&Value::Null, &[std::os::fd::AsFd::as_fd(&file)])?;
    loop {
        match channel.receive::<Reply>()? {
            Some((Reply::Event(event), _)) => on_event(event),
            Some((Reply::Done(result), _)) => return result.map_err(TaskError::Failed),
            None => return Err(TaskError::Died(name.to_owned())),
        }
    }
}

/// In the copy: runs the task asked for.
pub(crate) fn serve(channel: &Channel, tasks: &[(&'static str, Task)]) -> io::Result<i32> {
    let Some((_, mut fds)) = channel.receive::<Value>()? else { return Ok(0) };
    let file = fds.pop().ok_or_else(|| io::Error::other("a call without arguments"))?;
    let call: Call = serde_json::from_reader(io::BufReader::new(std::fs::File::from(file)))?;
    let Some((_, task)) = tasks.iter().find(|(name, _)| *name == call.name) else {
        channel.send(&Reply::Done(Err(format!("there is no task {}", call.name))), &[])?;
        return Ok(0);
    };
    // A caller that is gone shows when an event cannot be sent; nobody waits for the rest then.
    let mut emit = |event| {
        if channel.send(&Reply::Event(event), &[]).is_err() {
            std::process::exit(1);
        }
    };
    let result = catch_unwind(AssertUnwindSafe(|| task(call.args, &mut emit)));
    let result = result.unwrap_or_else(|_| Err(format!("{} panicked", call.name)));
    channel.send(&Reply::Done(result), &[])?;
    Ok(0)
}
