//! Starting a command: namespaces of its own inside those of the sandbox, ids, descriptors, exec.
//!
//! The user namespace of a command is one below the supervisor's, with the same ids but the supervisor's own. So root
//! inside has no power over the supervisor, over the mounts that it made (they are locked, mount_namespaces(7)), over
//! the network, the control groups and the binfmt_misc of the sandbox.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::reexec::unshare;
use crate::seccomp::{self, Watch};
use crate::socket::Channel;
use crate::spec::Command;

/// The id of a sandbox that its supervisor keeps for itself: no command can take it. Debian Policy 9.2.2 forbids
/// its use.
pub(crate) const SUPERVISOR_ID: u32 = 65_535;

/// The ids of a command: all but the supervisor's. A line may not cross the parent's lines (user_namespaces(7)).
const MAP: &str = "0 0 1\n1 1 65534\n";

/// A started command.
pub(crate) struct Started {
    pub(crate) pid: i32,
    /// Tells of what is watched.
    pub(crate) listener: Option<OwnedFd>,
    pub(crate) inner: Inner,
}

/// The namespaces of a command, for others to join.
pub(crate) struct Inner {
    user: OwnedFd,
    mount: OwnedFd,
}

/// How a command is to be run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// The first descriptor becomes its controlling terminal.
    pub(crate) terminal: bool,
    /// What the supervisor is told of its processes.
    pub(crate) watch: Watch,
    /// Most processes and threads of it together.
    pub(crate) processes: Option<u64>,
}

impl Inner {
    fn of(pid: i32) -> io::Result<Self> {
        let open = |name: &str| File::open(format!("/proc/{pid}/ns/{name}")).map(OwnedFd::from);
        Ok(Self { user: open("user")?, mount: open("mnt")? })
    }

    pub(crate) fn fds(&self) -> [BorrowedFd<'_>; 2] {
        [self.user.as_fd(), self.mount.as_fd()]
    }

    /// Takes this process there, to the root folder.
    pub(crate) fn enter(&self) -> io::Result<()> {
        move_into_link_name_space(self.user.as_fd(), Some(LinkNameSpaceType::User))?;
        move_into_link_name_space(self.mount.as_fd(), Some(LinkNameSpaceType::Mount))?;
        Ok(())
    }
}

/// Words between the supervisor and the command to be.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Word {
    /// It is in its namespaces and waits for its ids.
    Unshared,
    /// They are there.
    Mapped,
    /// The listener comes along.
    Listener,
    /// It failed at this step.
    Failed(String, i32),
}

/// Starts a command on the three descriptors.
pub(crate) fn spawn(command: &Command, fds: &[OwnedFd], manner: Manner) -> io::Result<Started> {
    let program = find_program(command)?;
    let prepared = Prepared::new(command, &program, manner)?;
    let [stdin, stdout, stderr] = fds else {
        return Err(io::Error::other("a command needs three descriptors"));
    };
    let (ours, theirs) = Channel::pair()?;
    // SAFETY: this process has one thread, so the child may run any code.
    #[allow(unsafe_code)]
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(ours);
            let (what, error) = prepared.become_it([stdin, stdout, stderr], &theirs);
            let number = error.raw_os_error().unwrap_or(libc::EIO);
            let _ = theirs.send(&Word::Failed(what.to_owned(), number), &[]);
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(127) }
        }
        pid => {
            drop(theirs);
            follow(pid, &ours)
        }
    }
}

/// The supervisor's part, until exec closes the socket.
fn follow(pid: i32, channel: &Channel) -> io::Result<Started> {
    let mut listener = None;
    let mut inner = None;
    while let Some((word, mut fds)) = channel.receive::<Word>()? {
        match word {
            Word::Unshared => {
                let map = |file: &str| std::fs::write(format!("/proc/{pid}/{file}"), MAP);
                map("uid_map").and_then(|()| map("gid_map")).map_err(|error| {
                    io::Error::new(error.kind(), format!("cannot map the ids of its namespace: {error}"))
                })?;
                inner = Some(Inner::of(pid)?);
                channel.send(&Word::Mapped, &[])?;
            }
            Word::Listener => listener = fds.pop(),
            Word::Failed(what, number) => {
                let error = io::Error::from_raw_os_error(number);
                return Err(io::Error::new(error.kind(), format!("{what}: {error}")));
            }
            Word::Mapped => {}
        }
    }
    let inner = inner.ok_or_else(|| io::Error::other("it ended before it had its namespaces"))?;
    Ok(Started { pid, listener, inner })
}

/// A command with everything laid out for exec.
struct Prepared {
    program: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
    uid: u32,
    gid: u32,
    umask: u32,
    manner: Manner,
}

type Step = (&'static str, io::Error);

fn step(what: &'static str) -> impl Fn(io::Error) -> Step {
    move |error| (what, error)
}

impl Prepared {
    fn new(command: &Command, program: &str, manner: Manner) -> io::Result<Self> {
        use std::os::unix::ffi::OsStrExt as _;
        let c = |text: &[u8]| CString::new(text).map_err(|_| io::Error::other("a zero byte in a command"));
        let env = command.env.iter().map(|(name, value)| c(format!("{name}={value}").as_bytes()));
        Ok(Self {
            program: c(program.as_bytes())?,
            argv: command.argv.iter().map(|word| c(word.as_bytes())).collect::<Result<_, _>>()?,
            env: env.collect::<Result<_, _>>()?,
            cwd: c(command.cwd.as_os_str().as_bytes())?,
            uid: command.uid,
            gid: command.gid,
            umask: command.umask,
            manner,
        })
    }

    /// In the child: becomes the command, or says why not.
    fn become_it(&self, fds: [&OwnedFd; 3], channel: &Channel) -> Step {
        let result = self.isolate(channel).and_then(|()| {
            take_descriptors(fds, self.manner.terminal).map_err(step("cannot set up its descriptors"))?;
            listen(channel, &Word::Listener, self.manner.watch)
                .map_err(step("cannot watch its processes"))?;
            take_ids(self.uid, self.gid, self.umask).map_err(step("cannot take its user and group"))
        });
        if let Err(failed) = result {
            return failed;
        }
        // SAFETY: the string is live and ends with a zero.
        #[allow(unsafe_code)]
        if unsafe { libc::chdir(self.cwd.as_ptr()) } != 0 {
            return ("cannot change into its folder", io::Error::last_os_error());
        }
        ("cannot execute it", exec(&self.program, &self.argv, &self.env))
    }

    /// Namespaces of its own, and the ids for them.
    fn isolate(&self, channel: &Channel) -> Result<(), Step> {
        let failed = step("cannot get namespaces of its own");
        if let Some(most) = self.manner.processes {
            // Counted for all users of the namespace together, as it is made under this limit (ucounts).
            limit_processes(most).map_err(step("cannot limit its processes"))?;
        }
        unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS).map_err(&failed)?;
        // Else its files in /proc would not be the supervisor's to write. No command runs that could make use of it.
        make_dumpable();
        channel.send(&Word::Unshared, &[]).map_err(&failed)?;
        match channel.receive::<Word>().map_err(&failed)? {
            Some(_) => Ok(()),
            None => Err(failed(io::Error::other("the supervisor gave no ids"))),
        }
    }
}

/// Installs the filter that tells of what is watched, and sends its listener away.
pub(crate) fn listen<T: serde::Serialize>(channel: &Channel, word: &T, watch: Watch) -> io::Result<()> {
    if watch.any() {
        // A kernel without listeners: nothing is counted by executable, and that shows.
        if let Ok(listener) = seccomp::install(watch) {
            return channel.send(word, &[listener.as_fd()]);
        }
    }
    seccomp::refuse()
}

#[allow(unsafe_code)]
fn make_dumpable() {
    // SAFETY: no pointers.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
}

fn limit_processes(most: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    Ok(setrlimit(Resource::Nproc, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// A session of its own, signals as the kernel gives them to the first process, three descriptors. All others close
/// on exec.
#[allow(unsafe_code)]
pub(crate) fn take_descriptors(fds: [&OwnedFd; 3], terminal: bool) -> io::Result<()> {
    // SAFETY: pointers are to live structures of the kernel's sizes; this process has one thread.
    unsafe {
        libc::setsid();
        // The C library keeps two signals from its own functions; all zeros are the kernel's default action.
        let default = [0_u64; 4];
        for signal in 1..=64 {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null_mut::<u64>(), 8);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        if terminal {
            libc::ioctl(fds[0].as_raw_fd(), libc::TIOCSCTTY, 0);
        }
        // Where a given descriptor already is one of 0 to 2, dup2 onto it could close another; lift them first.
        let lifted = fds.map(|fd| libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 10));
        for (target, fd) in (0..).zip(lifted) {
            if libc::dup2(fd, target) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

#[allow(unsafe_code)]
pub(crate) fn take_ids(uid: u32, gid: u32, umask: u32) -> io::Result<()> {
    let groups = [gid];
    // SAFETY: the pointer is to a live array of the length given; this process has one thread.
    let failed = unsafe {
        libc::umask(umask);
        libc::setgroups(1, groups.as_ptr()) != 0
            || libc::setresgid(gid, gid, gid) != 0
            || libc::setresuid(uid, uid, uid) != 0
    };
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// execve(2), which only returns with an error.
#[allow(unsafe_code)]
pub(crate) fn exec(program: &CString, argv: &[CString], env: &[CString]) -> io::Error {
    let pointers = |words: &[CString]| -> Vec<*const libc::c_char> {
        words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: all pointers are to live, zero-terminated strings and arrays.
    unsafe {
        libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr());
    }
    io::Error::last_os_error()
}

fn find_program(command: &Command) -> io::Result<String> {
    let name = command.argv.first().ok_or_else(|| io::Error::other("an empty command"))?;
    let path = command.env.iter().find(|(key, _)| key == "PATH").map(|(_, value)| value.as_str());
    search(name, path)
}

/// Looks for a program in PATH, as execvp(3) does.
pub(crate) fn search(name: &str, path: Option<&str>) -> io::Result<String> {
    use std::os::unix::fs::PermissionsExt as _;
    if name.contains('/') {
        return Ok(name.to_owned());
    }
    let path = path.unwrap_or("/usr/bin:/bin");
    let executable = |path: &String| {
        std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let found = path.split(':').map(|folder| format!("{folder}/{name}")).find(executable);
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} is not in {path}")))
}
