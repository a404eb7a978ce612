//! The caller's side of a sandbox.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use serde_json::Value;

use crate::cgroup::Cgroup;
use crate::idmap::IdMap;
use crate::inside::Ready;
use crate::protocol::{Ended, Reply, Request};
use crate::reexec::{Role, StartError, start};
use crate::socket::Channel;
use crate::spec::{Command, Exit, LimitKind, Limits, SandboxSpec, Status};

/// Why a sandbox does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It could not be set up.
    #[error("cannot set up the sandbox: {0}")]
    SetUp(String),
    /// An operation in it failed.
    #[error("{what}")]
    Failed {
        /// In words.
        what: String,
        /// Whether because something is not there.
        not_found: bool,
    },
    /// Its supervisor is gone.
    #[error("the sandbox ended unexpectedly; the kernel's log may say why (out of memory?)")]
    Gone,
    /// Talking to it failed.
    #[error("cannot talk to the sandbox: {0}")]
    Io(#[from] io::Error),
}

/// Ends what a sandbox runs, from another thread or a signal handler's thread.
#[derive(Debug, Clone, Default)]
pub struct Canceller(Arc<AtomicBool>);

impl Canceller {
    /// Ends the running command, and every one that would follow.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether that was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A running sandbox. Dropping it ends everything inside.
#[derive(Debug)]
pub struct Sandbox {
    child: Child,
    channel: Option<Channel>,
    canceller: Canceller,
    cgroup: Option<Cgroup>,
}

impl Sandbox {
    /// Starts a sandbox.
    pub fn start(map: &IdMap, spec: &SandboxSpec, canceller: Canceller) -> Result<Self, SandboxError> {
        let (child, channel) = start(Role::Sandbox, map)?;
        let cgroup = Cgroup::create(child.id());
        let mut sandbox = Self { child, channel: Some(channel), canceller, cgroup };
        let mut file = tempfile::tempfile()?;
        serde_json::to_writer(&mut file, spec).map_err(io::Error::from)?;
        io::Seek::rewind(&mut file)?;
        sandbox.channel()?.send(&Value::Null, &[file.as_fd()])?;
        match sandbox.channel()?.receive::<Ready>()? {
            Some((Ready::Yes, _)) => Ok(sandbox),
            Some((Ready::No(error), _)) => Err(SandboxError::SetUp(error)),
            None => {
                sandbox.finish();
                Err(SandboxError::Gone)
            }
        }
    }

    /// The process (as the host numbers it) whose root folder is that of the sandbox.
    pub fn pid(&self) -> u32 {
        let own = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
        let first = children.ok().and_then(|list| list.split_whitespace().next()?.parse().ok());
        first.unwrap_or(own)
    }

    /// How memory and processes are counted and limited.
    pub fn accounting(&self) -> &'static str {
        self.cgroup.as_ref().map_or("supervisor", Cgroup::flavour)
    }

    /// Runs a command to its end; `output` gets standard output and error as they come.
    pub fn run(&mut self, command: &Command, output: &mut dyn FnMut(&[u8])) -> Result<Exit, SandboxError> {
        if self.canceller.is_cancelled() {
            return Ok(cancelled());
        }
        if let Some(cgroup) = &mut self.cgroup {
            cgroup.limit(&command.limits);
        }
        let (read, write) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(io::Error::from)?;
        let null = File::open("/dev/null")?;
        let request = Request::Run { command: command.clone(), terminal: false };
        self.channel()?.send(&request, &[null.as_fd(), write.as_fd(), write.as_fd()])?;
        drop(write);
        let began = Instant::now();
        let mut watch =
            Watch { limits: command.limits.clone(), began, last_output: began, logged: 0, reached: None };
        let ended = self.follow(File::from(read), &mut watch, output)?;
        Ok(self.exit(ended, &watch))
    }

    /// Runs a command on the caller's terminal.
    pub fn run_interactive(&mut self, command: &Command) -> Result<Exit, SandboxError> {
        let terminal = crate::terminal::Terminal::open()?;
        let slave = terminal.slave();
        let request = Request::Run { command: command.clone(), terminal: true };
        self.channel()?.send(&request, &[slave.as_fd(), slave.as_fd(), slave.as_fd()])?;
        drop(slave);
        let began = Instant::now();
        terminal.relay(self.channel()?.as_fd())?;
        let watch = Watch { limits: Limits::default(), began, last_output: began, logged: 0, reached: None };
        match self.channel()?.receive::<Reply>()? {
            Some((Reply::Ended(ended), _)) => Ok(self.exit(ended, &watch)),
            Some((Reply::Failed { what, not_found }, _)) => Err(SandboxError::Failed { what, not_found }),
            _ => Err(SandboxError::Gone),
        }
    }

    fn exit(&self, ended: Ended, watch: &Watch) -> Exit {
        let killed_by_kernel = self.cgroup.as_ref().and_then(Cgroup::limit_reached);
        let status = match watch.reached {
            Some(status) => status,
            None => match ended.limit.or(killed_by_kernel) {
                Some(kind) => Status::Limit(kind),
                None if libc::WIFSIGNALED(ended.wait_status) => {
                    Status::Signaled(libc::WTERMSIG(ended.wait_status))
                }
                None => Status::Exited(libc::WEXITSTATUS(ended.wait_status)),
            },
        };
        Exit {
            status,
            wall: watch.began.elapsed(),
            cpu_user: ended.cpu_user,
            cpu_system: ended.cpu_system,
            peak_memory: ended.peak_memory,
            executables: ended.executables,
        }
    }

    /// Passes output on until the command has ended and its output is read.
    fn follow(
        &self,
        mut pipe: File,
        watch: &mut Watch,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<Ended, SandboxError> {
        let channel = self.channel()?;
        let mut buffer = vec![0; 1 << 16];
        let mut open = true;
        let mut ended = None;
        while open || ended.is_none() {
            let timeout = rustix::time::Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
            let mut fds = Vec::with_capacity(2);
            fds.push(PollFd::new(channel, if ended.is_some() { PollFlags::empty() } else { PollFlags::IN }));
            if open {
                fds.push(PollFd::new(&pipe, PollFlags::IN));
            }
            match poll(&mut fds, Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            let (said, output_ready) =
                (!fds[0].revents().is_empty(), fds.get(1).is_some_and(|fd| !fd.revents().is_empty()));
            drop(fds);
            if output_ready {
                match pipe.read(&mut buffer)? {
                    0 => open = false,
                    count => {
                        watch.output(count);
                        output(&buffer[..count]);
                    }
                }
            } else if said && ended.is_none() {
                ended = Some(reply(channel)?);
            } else if ended.is_some() {
                // Everything inside is dead, so no more can come; a descriptor kept elsewhere must not hold us.
                open = false;
            }
            if ended.is_none() && watch.due(&self.canceller) {
                channel.send(&Request::Kill, &[])?;
            }
        }
        ended.ok_or(SandboxError::Gone)
    }

    /// Opens a regular file for reading.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<File, SandboxError> {
        self.ask(&Request::Read(path.as_ref().to_owned()))?.1.map(File::from).ok_or(SandboxError::Gone)
    }

    /// Reads a file of at most `limit` bytes.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, SandboxError> {
        let mut content = Vec::new();
        self.open(path)?.take(limit).read_to_end(&mut content)?;
        Ok(content)
    }

    /// Makes or replaces a file, to be written through the descriptor.
    pub fn create(
        &self,
        path: impl AsRef<Path>,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> Result<File, SandboxError> {
        let request = Request::Write { path: path.as_ref().to_owned(), mode, uid, gid };
        self.ask(&request)?.1.map(File::from).ok_or(SandboxError::Gone)
    }

    /// Makes or replaces a file.
    pub fn write(
        &self,
        path: impl AsRef<Path>,
        content: &[u8],
        mode: u32,
        owner: (u32, u32),
    ) -> Result<(), SandboxError> {
        Ok(self.create(path, mode, owner.0, owner.1)?.write_all(content)?)
    }

    /// Makes a folder and those above it.
    pub fn make_folder(
        &self,
        path: impl AsRef<Path>,
        mode: u32,
        owner: (u32, u32),
    ) -> Result<(), SandboxError> {
        let path = path.as_ref().to_owned();
        self.ask(&Request::MakeFolder { path, mode, uid: owner.0, gid: owner.1 }).map(|_| ())
    }

    /// Names in a folder, sorted.
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Vec<String>, SandboxError> {
        match self.ask(&Request::List(path.as_ref().to_owned()))?.0 {
            Reply::Names(names) => Ok(names),
            _ => Err(SandboxError::Gone),
        }
    }

    /// Removes a file or a folder with all that is in it, if it is there.
    pub fn remove(&self, path: impl AsRef<Path>) -> Result<(), SandboxError> {
        self.ask(&Request::Remove(path.as_ref().to_owned())).map(|_| ())
    }

    fn ask(&self, request: &Request) -> Result<(Reply, Option<OwnedFd>), SandboxError> {
        let channel = self.channel()?;
        channel.send(request, &[])?;
        match channel.receive::<Reply>()? {
            None => Err(SandboxError::Gone),
            Some((Reply::Failed { what, not_found }, _)) => Err(SandboxError::Failed { what, not_found }),
            Some((reply, mut fds)) => Ok((reply, fds.pop())),
        }
    }

    fn channel(&self) -> Result<&Channel, SandboxError> {
        self.channel.as_ref().ok_or(SandboxError::Gone)
    }

    /// Ends everything inside and waits until it is gone.
    pub fn finish(&mut self) {
        if self.channel.take().is_some() {
            let _ = self.child.wait();
            if let Some(cgroup) = self.cgroup.take() {
                cgroup.remove();
            }
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.finish();
    }
}

fn reply(channel: &Channel) -> Result<Ended, SandboxError> {
    match channel.receive::<Reply>()? {
        Some((Reply::Ended(ended), _)) => Ok(ended),
        Some((Reply::Failed { what, not_found }, _)) => Err(SandboxError::Failed { what, not_found }),
        _ => Err(SandboxError::Gone),
    }
}

fn cancelled() -> Exit {
    Exit {
        status: Status::Cancelled,
        wall: Duration::ZERO,
        cpu_user: Duration::ZERO,
        cpu_system: Duration::ZERO,
        peak_memory: 0,
        executables: Vec::new(),
    }
}

/// The limits that the caller watches: time and output.
struct Watch {
    limits: Limits,
    began: Instant,
    last_output: Instant,
    logged: u64,
    reached: Option<Status>,
}

impl Watch {
    fn output(&mut self, count: usize) {
        self.last_output = Instant::now();
        self.logged += count as u64;
    }

    /// Whether the command must be ended now; true once.
    fn due(&mut self, canceller: &Canceller) -> bool {
        if self.reached.is_some() {
            return false;
        }
        let over =
            |limit: Option<Duration>, since: Instant| limit.is_some_and(|limit| since.elapsed() > limit);
        self.reached = if canceller.is_cancelled() {
            Some(Status::Cancelled)
        } else if over(self.limits.total, self.began) {
            Some(Status::Limit(LimitKind::Total))
        } else if over(self.limits.silence, self.last_output) {
            Some(Status::Limit(LimitKind::Silence))
        } else if self.limits.log.is_some_and(|limit| self.logged > limit) {
            Some(Status::Limit(LimitKind::Log))
        } else {
            None
        };
        self.reached.is_some()
    }
}
