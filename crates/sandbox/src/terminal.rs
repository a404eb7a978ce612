//! The caller's terminal lent to a command inside: a pseudo-terminal and a relay.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
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

    pub(crate) fn slave(&self) -> OwnedFd {
        self.slave.as_fd().try_clone_to_owned().unwrap_or_else(|_| {
            self.master.as_fd().try_clone_to_owned().unwrap_or_else(|_| std::process::abort())
        })
    }

    /// Passes bytes both ways until `done` can be read.
    pub(crate) fn relay(mut self, done: BorrowedFd<'_>) -> io::Result<()> {
        let stdin = io::stdin();
        let mut buffer = [0; 4096];
        let mut reading = true;
        loop {
            if let Ok(size) = tcgetwinsize(&stdin) {
                let _ = tcsetwinsize(&self.master, size);
            }
            let timeout = rustix::time::Timespec { tv_sec: 0, tv_nsec: 300_000_000 };
            let mut fds =
                vec![PollFd::from_borrowed_fd(done, PollFlags::IN), PollFd::new(&self.master, PollFlags::IN)];
            if reading {
                fds.push(PollFd::new(&stdin, PollFlags::IN));
            }
            match poll(&mut fds, Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ready = |at: usize| fds.get(at).is_some_and(|fd: &PollFd<'_>| !fd.revents().is_empty());
            let (ended, output, input) = (ready(0), ready(1), ready(2));
            drop(fds);
            if output {
                let count = self.master.read(&mut buffer).unwrap_or(0);
                io::stdout().write_all(&buffer[..count])?;
                io::stdout().flush()?;
                if count > 0 {
                    continue;
                }
            }
            if ended {
                return Ok(());
            }
            if input {
                match rustix::io::read(&stdin, &mut buffer).unwrap_or(0) {
                    0 => {
                        reading = false;
                        // End of file, as a terminal says it.
                        let _ = self.master.write_all(&[4]);
                    }
                    count => self.master.write_all(&buffer[..count])?,
                }
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
