//! The caller's side of a sandbox.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use crate::cgroup::Cgroup;
use crate::host_binfmt::{self, HostBinfmtError, HostEntries, Scope};
use crate::idmap::IdMap;
use crate::inside::{Ready, SetUp};
use crate::kernel::KernelVersion;
use crate::protocol::{Ended, Reply, Request};
use crate::reexec::{Role, StartError, start};
use crate::socket::Channel;
use crate::spec::{Command, Exit, LimitKind, Limits, SandboxSpec, Status};
use crate::watch::Watch;

/// Why a sandbox does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The kernel knows emulators for the whole host only, and that is not to be had.
    #[error(transparent)]
    Binfmt(#[from] HostBinfmtError),
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

    /// The same as a flag, for those who know nothing of sandboxes.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// What a sandbox uses of the host; tests leave some of it out.
#[derive(Debug, Clone)]
pub struct HostUse {
    /// The kernel, for what cannot be probed.
    pub kernel: KernelVersion,
    /// Use control groups where they can be had.
    pub control_groups: bool,
    /// The host's binfmt_misc, for kernels that have no other.
    pub binfmt: PathBuf,
    /// Where archmill processes tell each other what they have registered there.
    pub binfmt_state: PathBuf,
}

impl Default for HostUse {
    fn default() -> Self {
        Self {
            kernel: KernelVersion::running(),
            control_groups: true,
            binfmt: host_binfmt::FOLDER.into(),
            binfmt_state: host_binfmt::STATE.into(),
        }
    }
}

/// A running sandbox. Dropping it ends everything inside.
#[derive(Debug)]
pub struct Sandbox {
    child: Child,
    channel: Option<Channel>,
    canceller: Canceller,
    cgroup: Option<Cgroup>,
    host_entries: Option<HostEntries>,
}

impl Sandbox {
    /// Starts a sandbox.
    pub fn start(map: &IdMap, spec: &SandboxSpec, canceller: Canceller) -> Result<Self, SandboxError> {
        Self::start_with(map, spec, canceller, &HostUse::default())
    }

    /// Starts a sandbox that uses no more of the host than said.
    pub fn start_with(
        map: &IdMap,
        spec: &SandboxSpec,
        canceller: Canceller,
        host: &HostUse,
    ) -> Result<Self, SandboxError> {
        let root = rustix::process::geteuid().is_root();
        let host_entries = match host_binfmt::scope(host.kernel, root) {
            _ if spec.binfmt.is_empty() => None,
            Ok(Scope::Namespace) => None,
            Ok(Scope::Host) => Some(HostEntries::register(&host.binfmt, &host.binfmt_state, &spec.binfmt)?),
            Err(refused) => return Err(refused.into()),
        };
        let mut cgroup = None;
        let mut place = |pid| cgroup = host.control_groups.then(|| Cgroup::create(pid)).flatten();
        let (child, channel) = start(Role::Sandbox, map, &mut place)?;
        let mut sandbox = Self { child, channel: Some(channel), canceller, cgroup, host_entries };
        let set_up = SetUp { spec: spec.clone(), binfmt_of_host: sandbox.host_entries.is_some() };
        sandbox.channel()?.send(&set_up, &[])?;
        match sandbox.channel()?.receive::<Ready>()? {
            Some((Ready::Yes, _)) => Ok(sandbox),
            Some((Ready::No(error), _)) => Err(SandboxError::SetUp(error)),
            None => {
                sandbox.finish();
                Err(SandboxError::Gone)
            }
        }
    }

    /// A process (as the host numbers it) whose root folder is that of the sandbox, and which lives as long.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How memory and processes are counted and limited.
    pub fn accounting(&self) -> &'static str {
        self.cgroup.as_ref().map_or("supervisor", Cgroup::flavour)
    }

    /// What the user should know of how this sandbox uses the host.
    pub fn notes(&self) -> &[String] {
        self.host_entries.as_ref().map_or(&[], |entries| &entries.notes)
    }

    /// Runs a command to its end; `output` gets standard output and error as they come.
    pub fn run(&mut self, command: &Command, output: &mut dyn FnMut(&[u8])) -> Result<Exit, SandboxError> {
        if self.canceller.is_cancelled() {
            return Ok(exit_of(Status::Cancelled, Ended::default(), Duration::ZERO));
        }
        if let Some(cgroup) = &mut self.cgroup {
            cgroup.begin(&command.limits);
        }
        let (read, write) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(io::Error::from)?;
        let null = File::open("/dev/null")?;
        let request = Request::Run { command: command.clone(), terminal: false };
        self.channel()?.send(&request, &[null.as_fd(), write.as_fd(), write.as_fd()])?;
        drop(write);
        let mut watch = Watch::new(command.limits.clone());
        let ended = self.follow(File::from(read), &mut watch, output)?;
        Ok(self.exit(ended, &watch, &command.limits))
    }

    /// Runs a command on the caller's terminal.
    pub fn run_interactive(&mut self, command: &Command) -> Result<Exit, SandboxError> {
        if let Some(cgroup) = &mut self.cgroup {
            cgroup.begin(&command.limits);
        }
        let terminal = crate::terminal::Terminal::open()?;
        let slave = terminal.slave()?;
        let request = Request::Run { command: command.clone(), terminal: true };
        self.channel()?.send(&request, &[slave.as_fd(), slave.as_fd(), slave.as_fd()])?;
        drop(slave);
        let mut watch = Watch::new(command.limits.clone());
        let channel = self.channel()?;
        let canceller = self.canceller.clone();
        terminal.relay(channel.as_fd(), &mut || {
            if watch.due(&canceller, &mut |limits| held(self.cgroup.as_ref(), limits)) {
                channel.send(&Request::Kill, &[])?;
            }
            Ok(())
        })?;
        let ended = reply(channel)?;
        Ok(self.exit(ended, &watch, &command.limits))
    }

    fn exit(&mut self, ended: Ended, watch: &Watch, limits: &Limits) -> Exit {
        let held = held(self.cgroup.as_ref(), limits);
        let status = match watch.reached() {
            Some(status) => status,
            None => match ended.limit.or(held) {
                Some(kind) => Status::Limit(kind),
                None if libc::WIFSIGNALED(ended.wait_status) => {
                    Status::Signaled(libc::WTERMSIG(ended.wait_status))
                }
                None => Status::Exited(libc::WEXITSTATUS(ended.wait_status)),
            },
        };
        let counted = self.cgroup.as_mut().and_then(Cgroup::peak_memory);
        let mut exit = exit_of(status, ended, watch.began.elapsed());
        exit.peak_memory = counted.unwrap_or(exit.peak_memory);
        exit
    }

    /// Passes output on until the command has ended and its output is read.
    fn follow(
        &mut self,
        mut pipe: File,
        watch: &mut Watch,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<Ended, SandboxError> {
        let mut buffer = vec![0; 1 << 16];
        let mut open = true;
        let mut ended = None;
        while open || ended.is_none() {
            let channel = self.channel()?;
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
                        let within = watch.output(count);
                        output(&buffer[..within]);
                    }
                }
            } else if said && ended.is_none() {
                ended = match reply(channel) {
                    // Somebody who wants an end ended all of it at once.
                    Err(SandboxError::Gone)
                        if watch.reached().is_some() || watch.cancelled(&self.canceller) =>
                    {
                        Some(Ended::default())
                    }
                    other => Some(other?),
                };
            } else if ended.is_some() {
                // Everything inside is dead, so no more can come; a descriptor kept elsewhere must not hold us.
                open = false;
            }
            let mut by_kernel = |limits: &Limits| held(self.cgroup.as_ref(), limits);
            if ended.is_none() && watch.due(&self.canceller, &mut by_kernel) {
                self.channel()?.send(&Request::Kill, &[])?;
            } else if ended.is_none() && watch.hangs() {
                // With this process the supervisor goes, and with that everything.
                self.child.kill()?;
            }
        }
        ended.ok_or(SandboxError::Gone)
    }

    pub(crate) fn channel(&self) -> Result<&Channel, SandboxError> {
        self.channel.as_ref().ok_or(SandboxError::Gone)
    }

    /// Ends everything inside and waits until it is gone.
    pub fn finish(&mut self) {
        if self.channel.take().is_some() {
            let _ = self.child.wait();
            if let Some(cgroup) = self.cgroup.take() {
                cgroup.remove();
            }
            self.host_entries = None;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.finish();
    }
}

/// The limit that the kernel held.
fn held(cgroup: Option<&Cgroup>, limits: &Limits) -> Option<LimitKind> {
    cgroup.and_then(|cgroup| cgroup.limit_reached(limits))
}

fn reply(channel: &Channel) -> Result<Ended, SandboxError> {
    match channel.receive::<Reply>() {
        Ok(Some((Reply::Ended(ended), _))) => Ok(ended),
        Ok(Some((Reply::Failed { what, not_found }, _))) => Err(SandboxError::Failed { what, not_found }),
        _ => Err(SandboxError::Gone),
    }
}

fn exit_of(status: Status, ended: Ended, wall: Duration) -> Exit {
    Exit {
        status,
        wall,
        cpu_user: ended.cpu_user,
        cpu_system: ended.cpu_system,
        peak_memory: ended.peak_memory,
        disk: ended.disk,
        executables: ended.executables,
    }
}
