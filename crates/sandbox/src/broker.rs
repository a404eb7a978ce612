//! One client of gain-root: a child of the supervisor that listens to it, runs its command and answers.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, MemfdFlags, fcntl_lock, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::launch::{self, Inner};
use crate::process::{fork_with, signal, steal_fd, wait_for};
use crate::seccomp::Watch;
use crate::socket::Channel;
use crate::spec::GainRoot;
use crate::tree::change_owner;

/// Longest command line, in bytes; that of Linux, less the environment.
const LONGEST: u32 = 1 << 20;
/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a command may take to end once its client is gone.
const GRACE: Duration = Duration::from_secs(2);

/// Who has the tree: it is root's while any command of the build user's runs as root. POSIX locks (fcntl(2)) carry the
/// state between brokers, so that one that is killed lets go of it.
pub(crate) struct Turns {
    /// Held while owners change.
    mutex: OwnedFd,
    /// Shared by all whose commands run.
    running: OwnedFd,
}

impl Turns {
    pub(crate) fn new() -> io::Result<Self> {
        let file = || memfd_create("archmill-turns", MemfdFlags::CLOEXEC);
        Ok(Self { mutex: file()?, running: file()? })
    }

    pub(crate) fn fds(&self) -> [BorrowedFd<'_>; 2] {
        [self.mutex.as_fd(), self.running.as_fd()]
    }

    /// Gives the tree to root, unless it is already.
    fn enter(&self, config: &GainRoot) -> io::Result<()> {
        fcntl_lock(&self.mutex, FlockOperation::LockExclusive)?;
        if fcntl_lock(&self.running, FlockOperation::NonBlockingLockExclusive).is_ok() {
            change_owner(&config.tree, (config.uid, config.gid), (0, 0));
        }
        fcntl_lock(&self.running, FlockOperation::LockShared)?;
        Ok(fcntl_lock(&self.mutex, FlockOperation::Unlock)?)
    }

    /// Gives it back, if nobody else needs it.
    pub(crate) fn leave(&self, config: &GainRoot) -> io::Result<()> {
        fcntl_lock(&self.mutex, FlockOperation::LockExclusive)?;
        if fcntl_lock(&self.running, FlockOperation::NonBlockingLockExclusive).is_ok() {
            change_owner(&config.tree, (0, 0), (config.uid, config.gid));
        }
        fcntl_lock(&self.running, FlockOperation::Unlock)?;
        Ok(fcntl_lock(&self.mutex, FlockOperation::Unlock)?)
    }
}

pub(crate) struct Broker<'a> {
    pub(crate) client: UnixStream,
    pub(crate) config: &'a GainRoot,
    pub(crate) turns: &'a Turns,
    pub(crate) inner: &'a Inner,
    pub(crate) watch: Watch,
    pub(crate) channel: Channel,
}

/// What a client wants, and what it lends.
struct Ask {
    argv: Vec<CString>,
    env: Vec<CString>,
    path: Option<String>,
    cwd: OwnedFd,
    fds: [OwnedFd; 3],
    umask: u32,
    uid: u32,
}

impl Broker<'_> {
    /// From the client's first word to the answer.
    pub(crate) fn run(mut self) -> i32 {
        // The supervisor's handler writes to a pipe that is closed here.
        reset_child_signal();
        let answer = match self.ask().and_then(|ask| self.serve(ask)) {
            Ok(status) if libc::WIFSIGNALED(status) => format!("signal {}", libc::WTERMSIG(status)),
            Ok(status) => format!("exit {}", libc::WEXITSTATUS(status)),
            Err(error) => error.to_string(),
        };
        // A client that does not read loses its answer, and nobody waits.
        let _ = self.client.set_nonblocking(true);
        let _ = self.client.write_all(answer.as_bytes());
        0
    }

    fn ask(&mut self) -> io::Result<Ask> {
        let peer = rustix::net::sockopt::socket_peercred(&self.client)?;
        let (pid, uid) = (peer.pid, peer.uid.as_raw());
        if uid != self.config.uid && uid != 0 {
            return Err(io::Error::other("only the build user and root may ask for root"));
        }
        let pidfd = peer_pidfd(&self.client, pid)?;
        let argv = self.words()?;
        let number = pid.as_raw_nonzero();
        let environ = std::fs::read(format!("/proc/{number}/environ"))?;
        let entries = environ.split(|byte| *byte == 0).filter(|entry| entry.contains(&b'='));
        let env: Vec<CString> = entries.filter_map(|entry| CString::new(entry).ok()).collect();
        let path = env.iter().find_map(|entry| entry.to_str().ok()?.strip_prefix("PATH=")).map(str::to_owned);
        let status = std::fs::read_to_string(format!("/proc/{number}/status"))?;
        let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        let ask = Ask {
            argv,
            env,
            path,
            cwd: open_folder(&format!("/proc/{number}/cwd"))?,
            fds: [steal_fd(&pidfd, 0)?, steal_fd(&pidfd, 1)?, steal_fd(&pidfd, 2)?],
            umask: umask.and_then(|text| u32::from_str_radix(text.trim(), 8).ok()).unwrap_or(0o22),
            uid,
        };
        // What was read is the client's only if its number was its own all the time.
        if readable(pidfd.as_fd(), Some(Duration::ZERO))? {
            return Err(io::Error::other("the client is gone"));
        }
        Ok(ask)
    }

    /// The words of the command, within a time.
    fn words(&mut self) -> io::Result<Vec<CString>> {
        let deadline = Instant::now() + PATIENCE;
        let mut length = [0; 4];
        self.read_exact(&mut length, deadline)?;
        let length = u32::from_be_bytes(length);
        if length > LONGEST {
            return Err(io::Error::other(format!("the command line is longer than {LONGEST} bytes")));
        }
        let mut words = vec![0; length as usize];
        self.read_exact(&mut words, deadline)?;
        let words = words.split(|byte| *byte == 0).map(CString::new);
        words.collect::<Result<_, _>>().map_err(|_| io::Error::other("a zero byte in a word"))
    }

    fn read_exact(&mut self, mut buffer: &mut [u8], deadline: Instant) -> io::Result<()> {
        while !buffer.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if !readable(self.client.as_fd(), Some(left))? && left.is_zero() {
                return Err(io::Error::other("the client did not say what to run"));
            }
            self.client.set_nonblocking(true)?;
            match self.client.read(buffer) {
                Ok(0) => return Err(io::Error::other("the client closed before it said what to run")),
                Ok(count) => buffer = &mut buffer[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn serve(&mut self, ask: Ask) -> io::Result<i32> {
        let owns_tree = ask.uid != 0;
        if owns_tree {
            self.turns.enter(self.config)?;
        }
        let result = self.start(&ask).and_then(|pid| {
            drop(ask);
            self.attend(pid)
        });
        if owns_tree {
            self.turns.leave(self.config)?;
        }
        result
    }

    fn start(&self, ask: &Ask) -> io::Result<i32> {
        let name = ask.argv.first().and_then(|name| name.to_str().ok()).unwrap_or("");
        let program = launch::search(name, ask.path.as_deref())?;
        let program = CString::new(program).map_err(|_| io::Error::other("a zero byte in a name"))?;
        let (ours, theirs) = Channel::pair()?;
        let pid = fork_with(|| {
            let error = self.become_it(ask, &program);
            let _ = theirs.send(&error.raw_os_error().unwrap_or(libc::EIO), &[]);
            127
        })?;
        drop(theirs);
        // Nothing but an end if exec worked.
        match ours.receive::<i32>()? {
            None => Ok(pid),
            Some((number, _)) => {
                wait_for(pid)?;
                let error = io::Error::from_raw_os_error(number);
                Err(io::Error::other(format!("cannot run {}: {error}", program.to_string_lossy())))
            }
        }
    }

    fn become_it(&self, ask: &Ask, program: &CString) -> io::Error {
        let [stdin, stdout, stderr] = &ask.fds;
        let prepared = self
            .inner
            .enter()
            .and_then(|()| Ok(rustix::process::fchdir(&ask.cwd)?))
            .and_then(|()| launch::take_descriptors([stdin, stdout, stderr], false))
            .and_then(|()| launch::listen(&self.channel, &(), self.watch))
            .and_then(|()| launch::take_ids(0, 0, ask.umask));
        match prepared {
            Ok(()) => launch::exec(program, &ask.argv, &ask.env),
            Err(error) => error,
        }
    }

    /// Until the command ends. Signals go to it; it goes if the client does.
    fn attend(&mut self, pid: i32) -> io::Result<i32> {
        let raw = Pid::from_raw(pid).ok_or_else(|| io::Error::other("no process"))?;
        let pidfd = pidfd_open(raw, PidfdFlags::empty())?;
        let mut words = Vec::new();
        loop {
            let mut fds = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(&self.client, PollFlags::IN)];
            match poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let (ended, said) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
            if ended {
                return wait_for(pid);
            }
            let mut buffer = [0; 256];
            if !said {
                continue;
            }
            match self.client.read(&mut buffer) {
                Ok(count) if count > 0 && words.len() < 4096 => {
                    words.extend_from_slice(&buffer[..count]);
                    while let Some(end) = words.iter().position(|byte| *byte == b'\n') {
                        let line: Vec<u8> = words.drain(..=end).collect();
                        if let Some(number) = signal_number(&line[..end]) {
                            // What a terminal sends goes to all that runs in front.
                            let group = [libc::SIGINT, libc::SIGQUIT].contains(&number);
                            signal(if group { -pid } else { pid }, number);
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return end(pid, pidfd.as_fd()),
            }
        }
    }
}

/// Ends a command whose client is gone.
fn end(pid: i32, pidfd: BorrowedFd<'_>) -> io::Result<i32> {
    signal(-pid, libc::SIGTERM);
    if !readable(pidfd, Some(GRACE))? {
        signal(-pid, libc::SIGKILL);
    }
    wait_for(pid)
}

/// Signals that a client passes on.
fn signal_number(name: &[u8]) -> Option<i32> {
    Some(match name {
        b"HUP" => libc::SIGHUP,
        b"INT" => libc::SIGINT,
        b"QUIT" => libc::SIGQUIT,
        b"TERM" => libc::SIGTERM,
        b"USR1" => libc::SIGUSR1,
        b"USR2" => libc::SIGUSR2,
        _ => return None,
    })
}

/// Whether there is something to read, or an end.
fn readable(fd: BorrowedFd<'_>, within: Option<Duration>) -> io::Result<bool> {
    let timeout = within.and_then(|within| rustix::time::Timespec::try_from(within).ok());
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    match poll(&mut fds, timeout.as_ref()) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn open_folder(path: &str) -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    Ok(File::options().read(true).custom_flags(flags).open(path)?.into())
}

/// A descriptor of the process that connected: by SO_PEERPIDFD (Linux 6.5), else by its number.
#[allow(unsafe_code)]
fn peer_pidfd(client: &UnixStream, pid: Pid) -> io::Result<OwnedFd> {
    use std::os::fd::{AsRawFd as _, FromRawFd as _};
    let mut fd: libc::c_int = -1;
    let mut length: libc::socklen_t = 4;
    // SAFETY: both pointers are to live integers of the sizes told.
    let result = unsafe {
        libc::getsockopt(
            client.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            (&raw mut fd).cast(),
            &raw mut length,
        )
    };
    if result == 0 && fd >= 0 {
        // SAFETY: the kernel just made this descriptor, and nobody else owns it.
        return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// <asm-generic/socket.h>
const SO_PEERPIDFD: libc::c_int = 77;

#[allow(unsafe_code)]
fn reset_child_signal() {
    // SAFETY: no pointers but the handler's constant.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
    }
}
