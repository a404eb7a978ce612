//! Processes, from PID 1: reaping, ending, being out of their reach.

use std::io;
use std::os::fd::{AsFd, FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

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

/// A child that runs `child` and ends with its code, unless that becomes another program.
#[allow(unsafe_code)]
pub(crate) fn fork_with(child: impl FnOnce() -> i32) -> io::Result<i32> {
    // SAFETY: this process has one thread, so the child may run any code.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = child();
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(code) }
        }
        pid => Ok(pid),
    }
}

/// Waits for a child; gives what waitpid(2) says.
#[allow(unsafe_code)]
pub(crate) fn wait_for(pid: i32) -> io::Result<i32> {
    let mut status = 0;
    // SAFETY: `status` is valid for the call.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(status)
}

/// Sends a signal to a process, or with a negative number to a group.
#[allow(unsafe_code)]
pub(crate) fn signal(pid: i32, number: i32) {
    // SAFETY: no pointers.
    unsafe {
        libc::kill(pid, number);
    }
}

/// This process ends when its parent does, whatever it is busy with.
#[allow(unsafe_code)]
pub(crate) fn die_with_parent() {
    // SAFETY: no pointers.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
    }
}

/// Puts the supervisor out of reach of what it runs: nobody inside may trace it, open its files through /proc or send it
/// signals, root neither. Tracing needs power over the namespace in which this program was executed, which is
/// the host's (PR_SET_DUMPABLE(2const), ptrace(2)); signals and prlimit(2) go by ids, which no command can take.
#[allow(unsafe_code)]
pub(crate) fn armour() -> io::Result<()> {
    use crate::launch::SUPERVISOR_ID as ID;
    // SAFETY: no pointers.
    let failed = unsafe {
        libc::setresgid(ID, 0, ID) != 0
            || libc::setresuid(ID, 0, ID) != 0
            || libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) != 0
    };
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Closes all descriptors from 3 on but those.
#[allow(unsafe_code)]
pub(crate) fn close_all_but(kept: &mut [i32]) {
    kept.sort_unstable();
    let mut from: libc::c_uint = 3;
    for fd in kept.iter().filter_map(|fd| libc::c_uint::try_from(*fd).ok()).filter(|fd| *fd >= 3) {
        if fd > from {
            // SAFETY: no pointers. The caller names all descriptors that it goes on to use.
            unsafe { libc::syscall(libc::SYS_close_range, from, fd - 1, 0) };
        }
        from = fd + 1;
    }
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_close_range, from, libc::c_uint::MAX, 0) };
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
pub(crate) fn steal_fd(pidfd: impl AsFd, number: i32) -> io::Result<OwnedFd> {
    use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
    let fd = pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty())?;
    // SAFETY: `into_raw_fd` gives up ownership, which is taken here.
    Ok(unsafe { OwnedFd::from_raw_fd(fd.into_raw_fd()) })
}
