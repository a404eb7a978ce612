//! PID 1 of a sandbox: runs commands one at a time, reaps, watches limits, accounts, serves gain-root.
//!
//! One thread, one loop around poll(2). It lives inside the root that it watches over, so no path that a
//! hostile build makes can lead it outside.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::accounting::{Accounting, Sample};
use crate::files;
use crate::gain_root::Service;
use crate::process::{Finished, Started, kill_all, reap, signal_pipe, spawn};
use crate::protocol::{Ended, Reply, Request};
use crate::socket::Channel;
use crate::spec::{Limits, SandboxSpec};

/// How often memory and processes are looked at.
const SAMPLE: Duration = Duration::from_millis(250);

pub(crate) struct Supervisor {
    channel: Channel,
    signals: OwnedFd,
    gain_root: Option<Service>,
    account: bool,
    interpreters: Vec<std::path::PathBuf>,
    running: Option<Running>,
    gone: bool,
}

struct Running {
    command: Started,
    limits: Limits,
    accounting: Accounting,
    before: (Duration, Duration),
    next_sample: Instant,
    next_disk: Instant,
}

impl Supervisor {
    pub(crate) fn new(channel: Channel, spec: &SandboxSpec) -> io::Result<Self> {
        Ok(Self {
            channel,
            signals: signal_pipe()?,
            gain_root: spec.gain_root.clone().map(Service::new).transpose()?,
            account: spec.account_executables,
            interpreters: spec.binfmt.iter().map(|entry| entry.interpreter.clone()).collect(),
            running: None,
            gone: false,
        })
    }

    /// Until the caller is gone.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        while !self.gone {
            let ready = self.wait()?;
            if ready.request {
                self.request()?;
            }
            if ready.notify
                && let Some(running) = &mut self.running
            {
                running.accounting.notified(&self.interpreters);
            }
            if ready.gain_root
                && let Some(service) = &mut self.gain_root
            {
                service.accept(self.account);
            }
            self.reap()?;
            self.sample();
        }
        kill_all();
        Ok(())
    }

    fn wait(&self) -> io::Result<Ready> {
        let timeout = self
            .running
            .as_ref()
            .map(|running| running.next_sample.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| rustix::time::Timespec::try_from(timeout).ok());
        let notify = self.running.as_ref().and_then(|running| running.accounting.listener());
        let mut fds =
            vec![PollFd::new(&self.channel, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        let notify_at = notify.map(|listener| {
            fds.push(PollFd::from_borrowed_fd(listener, PollFlags::IN));
            fds.len() - 1
        });
        let gain_at = self.gain_root.as_ref().map(|service| {
            fds.push(PollFd::from_borrowed_fd(service.as_fd(), PollFlags::IN));
            fds.len() - 1
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |at: usize| fds[at].revents().intersects(PollFlags::IN | PollFlags::HUP);
        let ready = Ready {
            request: is_ready(0),
            // A listener whose last process is gone only ever says HUP.
            notify: notify_at.is_some_and(|at| fds[at].revents().contains(PollFlags::IN)),
            gain_root: gain_at.is_some_and(is_ready),
        };
        if is_ready(1) {
            let mut drained = [0; 256];
            let _ = rustix::io::read(&self.signals, &mut drained);
        }
        Ok(ready)
    }

    fn request(&mut self) -> io::Result<()> {
        let Some((request, fds)) = self.channel.receive::<Request>()? else {
            self.gone = true;
            return Ok(());
        };
        match request {
            Request::Kill => {
                kill_all();
                Ok(())
            }
            Request::Run { command, terminal } => {
                let limits = command.limits.clone();
                match spawn(&command, &fds, terminal, self.account) {
                    Ok((started, listener)) => {
                        self.running = Some(Running {
                            command: started,
                            limits,
                            accounting: Accounting::new(listener),
                            before: crate::process::children_cpu(),
                            next_sample: Instant::now() + SAMPLE,
                            next_disk: Instant::now() + SAMPLE,
                        });
                        Ok(())
                    }
                    Err(error) => {
                        let what = format!(
                            "cannot start {}: {error}",
                            command.argv.first().map_or("", String::as_str)
                        );
                        let not_found = error.kind() == io::ErrorKind::NotFound;
                        self.channel.send(&Reply::Failed { what, not_found }, &[])
                    }
                }
            }
            other => {
                let (reply, fd) = files::serve(other);
                match fd {
                    Some(fd) => self.channel.send(&reply, &[fd.as_fd()]),
                    None => self.channel.send(&reply, &[]),
                }
            }
        }
    }

    fn reap(&mut self) -> io::Result<()> {
        while let Some(Finished { pid, wait_status }) = reap() {
            if let Some(service) = &mut self.gain_root
                && service.finished(pid, wait_status)
            {
                continue;
            }
            if self.running.as_ref().is_some_and(|running| running.command.pid == pid) {
                self.ended(wait_status)?;
            }
        }
        Ok(())
    }

    /// The command itself is gone; what it left behind goes as well.
    fn ended(&mut self, wait_status: i32) -> io::Result<()> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        kill_all();
        // Their last words want an answer, or they never end.
        while crate::process::any_child() {
            running.accounting.notified_if_any(&self.interpreters);
            while let Some(finished) = reap() {
                if let Some(service) = &mut self.gain_root {
                    service.finished(finished.pid, finished.wait_status);
                }
            }
        }
        let after = crate::process::children_cpu();
        let cpu_user = after.0.saturating_sub(running.before.0);
        let cpu_system = after.1.saturating_sub(running.before.1);
        let ended = Ended {
            wait_status,
            limit: running.accounting.limit,
            cpu_user,
            cpu_system,
            peak_memory: running.accounting.peak_memory,
            executables: running.accounting.executables(cpu_user + cpu_system),
        };
        self.channel.send(&Reply::Ended(ended), &[])
    }

    fn sample(&mut self) {
        let Some(running) = &mut self.running else { return };
        let now = Instant::now();
        if now < running.next_sample {
            return;
        }
        running.next_sample = now + SAMPLE;
        let sample = Sample::take();
        if running.limits.disk.is_some() && now >= running.next_disk {
            running.accounting.disk = files::disk_usage();
            // Walking a large tree takes time: spend at most a fiftieth on it.
            running.next_disk = now + SAMPLE.max(now.elapsed() * 50);
        }
        if let Some(kind) = running.accounting.check(&sample, &running.limits) {
            running.accounting.limit.get_or_insert(kind);
            kill_all();
        }
    }
}

struct Ready {
    request: bool,
    notify: bool,
    gain_root: bool,
}
