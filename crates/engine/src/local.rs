//! Child processes of this host, which outlive the one that started them: whoever comes after adopts them.
//!
//! What a command prints goes to the file `output` of its folder. The command holds a lock on that file for as long as it
//! lives, as the lock belongs to the open file that is its standard output. So whether it lives can be told by anybody at any
//! time, without process numbers, which are used again.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};

use crate::{EngineError, Exit, Task};

/// What a task says on standard output and error, in its folder.
pub const OUTPUT: &str = "output";
const PID: &str = "pid";
/// How often it is looked whether an adopted command still lives.
const POLL: Duration = Duration::from_millis(200);

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    folder: PathBuf,
    child: Option<Child>,
    pid: Option<Pid>,
}

/// Ends a command that somebody else waits for.
#[derive(Clone, Copy, Debug)]
pub struct Handle(Option<Pid>);

/// Starts a command, in a process group of its own: a Ctrl-C in the terminal is for the farm alone.
pub fn start(task: &Task) -> Result<Running, EngineError> {
    let failed = |what| move |error| EngineError { what, folder: task.folder.clone(), error };
    fs_err::create_dir_all(&task.folder).map_err(failed("make the folder of a build"))?;
    let output = File::create(task.folder.join(OUTPUT)).map_err(failed("write what a build prints"))?;
    flock(&output, FlockOperation::NonBlockingLockExclusive)
        .map_err(|error| failed("lock what a build prints")(error.into()))?;
    let second = output.try_clone().map_err(failed("write what a build prints"))?;
    let child = Command::new(&task.program)
        .args(&task.arguments)
        .current_dir(&task.folder)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(second)
        .process_group(0)
        .spawn()
        .map_err(failed("start a build"))?;
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        // Without it, whoever adopts the build can wait for it, but not end it.
        let _ = fs_err::write(task.folder.join(PID), format!("{}\n", pid.as_raw_nonzero()));
    }
    Ok(Running { folder: task.folder.clone(), child: Some(child), pid })
}

/// The command that was started in a folder by a process that is gone, if it still lives.
pub fn adopt(folder: &Path) -> Option<Running> {
    is_alive(folder).then(|| {
        let text = fs_err::read_to_string(folder.join(PID)).ok();
        let pid = text.and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
        Running { folder: folder.to_owned(), child: None, pid }
    })
}

fn is_alive(folder: &Path) -> bool {
    let Ok(output) = File::open(folder.join(OUTPUT)) else { return false };
    flock(&output, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

impl Running {
    /// What ends it.
    pub fn handle(&self) -> Handle {
        Handle(self.pid)
    }

    /// Waits for its end, and for that of whatever it left running with its standard output.
    pub async fn ended(mut self) -> Result<Exit, EngineError> {
        let exit = match &mut self.child {
            None => Exit::Unknown,
            Some(child) => {
                let status = child.wait().await.map_err(|error| EngineError {
                    what: "wait for a build",
                    folder: self.folder.clone(),
                    error,
                })?;
                match (status.code(), status.signal()) {
                    (Some(code), _) => Exit::Code(code),
                    (None, Some(signal)) => Exit::Signal(signal),
                    (None, None) => Exit::Unknown,
                }
            }
        };
        while is_alive(&self.folder) {
            tokio::time::sleep(POLL).await;
        }
        Ok(exit)
    }
}

impl Handle {
    /// Asks it to end, in good order.
    pub fn end(self) -> io::Result<()> {
        self.0.map_or(Ok(()), |pid| gone_is_fine(kill_process(pid, Signal::TERM)))
    }

    /// Ends it and all of its process group.
    pub fn kill(self) -> io::Result<()> {
        self.0.map_or(Ok(()), |pid| gone_is_fine(kill_process_group(pid, Signal::KILL)))
    }
}

fn gone_is_fine(result: Result<(), Errno>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shell(folder: &Path, script: &str) -> Task {
        Task {
            folder: folder.join("1"),
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
        }
    }

    #[tokio::test]
    async fn what_a_command_prints_and_how_it_ends_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let running = start(&shell(folder.path(), "echo out; echo error >&2; exit 3")).unwrap();
        assert_eq!(running.ended().await.unwrap(), Exit::Code(3));
        assert_eq!(fs_err::read_to_string(folder.path().join("1/output")).unwrap(), "out\nerror\n");
        assert!(adopt(&folder.path().join("1")).is_none());
        let missing = Task { program: "/nowhere".into(), ..shell(folder.path(), "") };
        assert!(start(&missing).unwrap_err().to_string().starts_with("cannot start a build in "));
    }

    #[tokio::test]
    async fn a_command_is_adopted_and_ended_by_others() {
        let folder = tempfile::tempdir().unwrap();
        // One process: a shell that has come to start another leaves that running, which is then waited for.
        let running = start(&shell(folder.path(), "exec sleep 600")).unwrap();
        let adopted = adopt(&folder.path().join("1")).unwrap();
        adopted.handle().end().unwrap();
        assert_eq!(running.ended().await.unwrap(), Exit::Signal(15));
        assert_eq!(adopted.ended().await.unwrap(), Exit::Unknown);
    }

    #[tokio::test]
    async fn what_a_command_leaves_running_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let running = start(&shell(folder.path(), "(sleep 0.5; echo late) & exit 0")).unwrap();
        assert_eq!(running.ended().await.unwrap(), Exit::Code(0));
        assert_eq!(fs_err::read_to_string(folder.path().join("1/output")).unwrap(), "late\n");
    }
}
