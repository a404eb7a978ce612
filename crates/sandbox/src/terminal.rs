//! The caller's terminal lent to a command inside: a pseudo-terminal and a relay.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

pub(crate) struct Terminal {
    master: File,
    slave: OwnedFd,
    /// Settings to put back, if standard input is a terminal.
    before: Option<Termios>,
}

impl Terminal {
    pub(crate) fn open() -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let slave = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty())?;
        let stdin = io::stdin();
        let before = stdin.is_terminal().then(|| tcgetattr(&stdin)).transpose()?;
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        }
        Ok(Self { master: File::from(master), slave, before })
    }

    pub(crate) fn slave(&self) -> io::Result<OwnedFd> {
        self.slave.as_fd().try_clone_to_owned()
    }

    /// Passes bytes both ways until `done` can be read; `now_and_then` is called several times a second.
    pub(crate) fn relay(
        self,
        done: BorrowedFd<'_>,
        now_and_then: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        // A program that does not read must not keep its output from being shown: nothing here may block.
        rustix::io::ioctl_fionbio(&self.master, true)?;
        let stdin = io::stdin();
        let mut buffer = [0; 4096];
        let mut pending: Vec<u8> = Vec::new();
        let mut reading = true;
        loop {
            if let Ok(size) = tcgetwinsize(&stdin) {
                let _ = tcsetwinsize(&self.master, size);
            }
            now_and_then()?;
            let ready = self.wait(done, &pending, reading)?;
            if ready.output {
                let count = rustix::io::read(&self.master, &mut buffer).unwrap_or(0);
                io::stdout().write_all(&buffer[..count])?;
                io::stdout().flush()?;
                if count > 0 {
                    continue;
                }
            }
            if ready.done {
                return Ok(());
            }
            if ready.input {
                match rustix::io::read(&stdin, &mut buffer).unwrap_or(0) {
                    0 => {
                        reading = false;
                        // End of file, as a terminal says it.
                        pending.push(4);
                    }
                    count => pending.extend_from_slice(&buffer[..count]),
                }
            }
            if !pending.is_empty() {
                let taken = rustix::io::write(&self.master, &pending).unwrap_or(0);
                pending.drain(..taken);
            }
        }
    }

    fn wait(&self, done: BorrowedFd<'_>, pending: &[u8], reading: bool) -> io::Result<Ready> {
        let stdin = io::stdin();
        let timeout = rustix::time::Timespec { tv_sec: 0, tv_nsec: 300_000_000 };
        let wanted = if pending.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        let mut fds = vec![PollFd::from_borrowed_fd(done, PollFlags::IN), PollFd::new(&self.master, wanted)];
        if reading && pending.is_empty() {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |at: usize, not: PollFlags| {
            fds.get(at).is_some_and(|fd: &PollFd<'_>| !fd.revents().difference(not).is_empty())
        };
        Ok(Ready {
            done: ready(0, PollFlags::empty()),
            output: ready(1, PollFlags::OUT),
            input: ready(2, PollFlags::empty()),
        })
    }
}

struct Ready {
    done: bool,
    output: bool,
    input: bool,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
