//! Starting and reaping processes, from PID 1.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use crate::seccomp;
use crate::socket::Channel;
use crate::spec::Command;

pub(crate) struct Started {
    pub(crate) pid: i32,
}

pub(crate) struct Finished {
    pub(crate) pid: i32,
    pub(crate) wait_status: i32,
}

static SIGNAL_PIPE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn on_signal(_: libc::c_int) {
    let fd = SIGNAL_PIPE.load(Ordering::Relaxed);
    // SAFETY: write(2) is async-signal-safe; the byte lives long enough; a full pipe is as good as one byte more.
    #[allow(unsafe_code)]
    unsafe {
        libc::write(fd, b"c".as_ptr().cast(), 1);
    }
}

/// A pipe that gets a byte whenever a child ends.
pub(crate) fn signal_pipe() -> io::Result<OwnedFd> {
    use rustix::pipe::{PipeFlags, pipe_with};
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    SIGNAL_PIPE.store(write.into_raw_fd(), Ordering::Relaxed);
    // SAFETY: the handler only writes to a descriptor.
    #[allow(unsafe_code)]
    unsafe {
        libc::signal(libc::SIGCHLD, on_signal as *const () as libc::sighandler_t);
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
    Ok(read)
}

/// Starts a command on the three descriptors. With `account` its processes tell the supervisor when they end.
pub(crate) fn spawn(
    command: &Command,
    fds: &[OwnedFd],
    terminal: bool,
    account: bool,
) -> io::Result<(Started, Option<OwnedFd>)> {
    let program = find_program(command)?;
    let prepared = Prepared::new(command, &program, terminal, account)?;
    if fds.len() != 3 {
        return Err(io::Error::other("a command needs three descriptors"));
    }
    let (ours, theirs) = Channel::pair()?;
    // SAFETY: this process has one thread, so the child may run any code.
    #[allow(unsafe_code)]
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(ours);
            let error = prepared.become_it(fds, &theirs);
            let _ = theirs.send(&Some(error.raw_os_error().unwrap_or(libc::EIO)), &[]);
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(127) }
        }
        pid => {
            drop(theirs);
            let listener = started(&ours)?;
            Ok((Started { pid }, listener))
        }
    }
}

/// Waits for the child's words: its listener, then either nothing (exec closed the socket) or an error.
fn started(channel: &Channel) -> io::Result<Option<OwnedFd>> {
    let mut listener = None;
    while let Some((error, mut fds)) = channel.receive::<Option<i32>>()? {
        match error {
            Some(error) => return Err(io::Error::from_raw_os_error(error)),
            None => listener = fds.pop(),
        }
    }
    Ok(listener)
}

struct Prepared {
    program: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
    uid: u32,
    gid: u32,
    umask: u32,
    terminal: bool,
    account: bool,
}

impl Prepared {
    fn new(command: &Command, program: &str, terminal: bool, account: bool) -> io::Result<Self> {
        use std::os::unix::ffi::OsStrExt as _;
        let c = |text: &[u8]| CString::new(text).map_err(|_| io::Error::other("a zero byte in a command"));
        Ok(Self {
            program: c(program.as_bytes())?,
            argv: command.argv.iter().map(|word| c(word.as_bytes())).collect::<Result<_, _>>()?,
            env: command
                .env
                .iter()
                .map(|(name, value)| c(format!("{name}={value}").as_bytes()))
                .collect::<Result<_, _>>()?,
            cwd: c(command.cwd.as_os_str().as_bytes())?,
            uid: command.uid,
            gid: command.gid,
            umask: command.umask,
            terminal,
            account,
        })
    }

    /// In the child: becomes the command, or says why not.
    #[allow(unsafe_code)]
    fn become_it(&self, fds: &[OwnedFd], channel: &Channel) -> io::Error {
        let pointers = |words: &[CString]| -> Vec<*const libc::c_char> {
            words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (argv, env) = (pointers(&self.argv), pointers(&self.env));
        // SAFETY: all pointers are to live, zero-terminated strings and arrays; this process has one thread.
        unsafe {
            libc::setsid();
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            if self.terminal {
                libc::ioctl(fds[0].as_raw_fd(), libc::TIOCSCTTY, 0);
            }
            // Where a given descriptor already is one of 0 to 2, dup2 onto it could close another; lift them first.
            let lifted =
                [0, 1, 2].map(|index: usize| libc::fcntl(fds[index].as_raw_fd(), libc::F_DUPFD_CLOEXEC, 10));
            for (target, fd) in (0..).zip(lifted) {
                if libc::dup2(fd, target) < 0 {
                    return io::Error::last_os_error();
                }
            }
            if self.account
                && let Ok(listener) = seccomp::install()
            {
                use std::os::fd::AsFd as _;
                if let Err(error) = channel.send(&None::<i32>, &[listener.as_fd()]) {
                    return error;
                }
            }
            libc::umask(self.umask);
            let groups = [self.gid];
            if libc::setgroups(1, groups.as_ptr()) != 0
                || libc::setresgid(self.gid, self.gid, self.gid) != 0
                || libc::setresuid(self.uid, self.uid, self.uid) != 0
                || libc::chdir(self.cwd.as_ptr()) != 0
            {
                return io::Error::last_os_error();
            }
            libc::execve(self.program.as_ptr(), argv.as_ptr(), env.as_ptr());
        }
        io::Error::last_os_error()
    }
}

fn find_program(command: &Command) -> io::Result<String> {
    let name = command.argv.first().ok_or_else(|| io::Error::other("an empty command"))?;
    if name.contains('/') {
        return Ok(name.clone());
    }
    let path = command.env.iter().find(|(key, _)| key == "PATH").map_or("/usr/bin:/bin", |(_, value)| value);
    let found = path
        .split(':')
        .map(|folder| format!("{folder}/{name}"))
        .find(|path| std::path::Path::new(path).exists());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} is not in {path}")))
}

/// Takes the ids and descriptors that gain-root lends: see `gain_root`.
#[allow(unsafe_code)]
pub(crate) fn fork_with(child: impl FnOnce() -> io::Error) -> io::Result<i32> {
    // SAFETY: this process has one thread, so the child may run any code.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let error = child();
            eprintln!("gain-root: {error}");
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(126) }
        }
        pid => Ok(pid),
    }
}

/// A child that has ended, if any.
#[allow(unsafe_code)]
pub(crate) fn reap() -> Option<Finished> {
    let mut wait_status = 0;
    // SAFETY: the pointer is valid for the call.
    let pid = unsafe { libc::waitpid(-1, &raw mut wait_status, libc::WNOHANG) };
    (pid > 0).then_some(Finished { pid, wait_status })
}

/// Whether any child is left, ended or not.
#[allow(unsafe_code)]
pub(crate) fn any_child() -> bool {
    // SAFETY: an all-zero siginfo is valid, and the pointer is valid for the call.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_ALL, 0, &raw mut info, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) == 0
    }
}

/// Ends every process of the sandbox but this one.
#[allow(unsafe_code)]
pub(crate) fn kill_all() {
    // SAFETY: no pointers. From PID 1, -1 means all others of the namespace and never the caller.
    unsafe {
        libc::kill(-1, libc::SIGKILL);
    }
}

/// User and system time of children that were waited for.
pub(crate) fn children_cpu() -> (Duration, Duration) {
    usage(libc::RUSAGE_CHILDREN)
}

/// User and system CPU time of this process so far, with that of all children (tasks, sandboxes) that have ended.
pub fn cpu_used() -> (Duration, Duration) {
    let (own, children) = (usage(libc::RUSAGE_SELF), children_cpu());
    (own.0 + children.0, own.1 + children.1)
}

#[allow(unsafe_code)]
fn usage(who: libc::c_int) -> (Duration, Duration) {
    // SAFETY: an all-zero rusage is valid, and the pointer is valid for the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(who, &raw mut usage);
        usage
    };
    let time = |value: libc::timeval| {
        Duration::from_secs(u64::try_from(value.tv_sec).unwrap_or(0))
            + Duration::from_micros(u64::try_from(value.tv_usec).unwrap_or(0))
    };
    (time(usage.ru_utime), time(usage.ru_stime))
}

/// Duplicates descriptor `number` of another process.
#[allow(unsafe_code)]
pub(crate) fn steal_fd(pid: i32, number: i32) -> io::Result<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("no process"))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let fd = pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty())?;
    // SAFETY: `into_raw_fd` gives up ownership, which is taken here.
    Ok(unsafe { OwnedFd::from_raw_fd(fd.into_raw_fd()) })
}
