//! PID 1 of a sandbox: runs commands one at a time, reaps, watches limits, accounts, serves gain-root.
//!
//! One thread, one loop around poll(2), in which nothing may wait for what runs inside. It lives inside the root
//! that it watches over, so no path that a hostile build makes can lead it outside.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::accounting::{Accounting, Answers, Sample};
use crate::disk::{Disk, Written};
use crate::files;
use crate::gain_root::Service;
use crate::kernel::{KernelVersion, NPROC_PER_NAMESPACE};
use crate::launch::{Inner, Manner, Started, spawn};
use crate::process::{any_child, armour, cpu_used, kill_all, reap, signal_pipe};
use crate::program::Programs;
use crate::protocol::{Ended, Reply, Request};
use crate::seccomp::Watch;
use crate::socket::Channel;
use crate::spec::{LimitKind, Limits, SandboxSpec};
use crate::uname::Names;

/// How often memory and processes are looked at.
const SAMPLE: Duration = Duration::from_millis(250);

/// Processes that the kernel lets a command have beyond its limit, which is then seen to be passed: as many again, within
/// these. A bomb's shells end when they cannot fork, and what they leave, about three of five, has to be more than the
/// limit.
const LEAST_SLACK: u64 = 64;
const MOST_SLACK: u64 = 4096;

pub(crate) struct Supervisor {
    channel: Channel,
    signals: OwnedFd,
    gain_root: Option<Service>,
    watch: Watch,
    answers: Answers,
    disk: Disk,
    running: Option<Running>,
    gone: bool,
}

struct Running {
    pid: i32,
    inner: Inner,
    limits: Limits,
    accounting: Accounting,
    before: (Duration, Duration),
    next_sample: Instant,
}

impl Supervisor {
    pub(crate) fn new(channel: Channel, spec: &SandboxSpec, written: Written) -> io::Result<Self> {
        let watch = Watch { ends: spec.account_executables, uname: spec.uname.is_some() };
        let gain_root = spec.gain_root.clone().map(|config| Service::new(config, watch)).transpose()?;
        let interpreters = spec.binfmt.iter().map(|entry| entry.interpreter.clone()).collect();
        let names = spec.uname.as_ref().map(Names::new).transpose()?;
        // Before anything of a build can run.
        armour()?;
        Ok(Self {
            channel,
            signals: signal_pipe()?,
            gain_root,
            watch,
            answers: Answers { programs: Programs::new(interpreters)?, names },
            disk: Disk::new(written),
            running: None,
            gone: false,
        })
    }

    /// Until the caller is gone.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        while !self.gone {
            let ready = self.wait()?;
            for listener in ready.waiting {
                if let Some(running) = &mut self.running {
                    running.accounting.notified(listener, &mut self.answers);
                }
            }
            // From the end, so that the numbers of those still to come stay true.
            for listener in ready.silent.into_iter().rev() {
                if let Some(running) = &mut self.running {
                    running.accounting.forget(listener);
                }
            }
            self.serve_gain_root(ready.client, &ready.brokers);
            if ready.request {
                self.request()?;
            }
            if ready.child {
                self.reap()?;
            }
            self.sample();
        }
        kill_all();
        Ok(())
    }

    fn wait(&self) -> io::Result<Ready> {
        let next = self.running.as_ref().map(|running| match running.limits.disk {
            Some(_) => running.next_sample.min(self.disk.next()),
            None => running.next_sample,
        });
        let timeout = next.map(|next| next.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| rustix::time::Timespec::try_from(timeout).ok());
        // Asked for every process that ends, so it is made at one go: these two, then those of the running command.
        let mut polled = Vec::with_capacity(16);
        polled.push(PollFd::new(&self.channel, PollFlags::IN));
        polled.push(PollFd::new(&self.signals, PollFlags::IN));
        let running = self.running.as_ref();
        let service = self.gain_root.as_ref().filter(|_| running.is_some());
        let pollable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        polled.extend(running.iter().flat_map(|running| running.accounting.listeners()).map(pollable));
        let client = polled.len();
        polled.extend(service.and_then(Service::listener).map(pollable));
        let brokers = polled.len();
        polled.extend(service.iter().flat_map(|service| service.channels()).map(|(_, fd)| pollable(fd)));
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let said = |index: usize| !polled[index].revents().is_empty();
        let mut ready = Ready {
            request: said(0),
            child: said(1),
            client: client < brokers && said(client),
            ..Ready::default()
        };
        for (listener, fd) in polled[2..client].iter().enumerate() {
            if fd.revents().contains(PollFlags::IN) {
                ready.waiting.push(listener);
            } else if !fd.revents().is_empty() {
                // A listener whose last process is gone only ever says HUP.
                ready.silent.push(listener);
            }
        }
        // A broker brings one thing; then it is silent until it is reaped.
        let pids = service.iter().flat_map(|service| service.channels()).map(|(pid, _)| pid);
        let brought = |fd: &PollFd<'_>| fd.revents().contains(PollFlags::IN);
        ready.brokers.extend(pids.zip(&polled[brokers..]).filter(|(_, fd)| brought(fd)).map(|(pid, _)| pid));
        if ready.child {
            let mut drained = [0; 256];
            let _ = rustix::io::read(&self.signals, &mut drained);
        }
        Ok(ready)
    }

    fn serve_gain_root(&mut self, client: bool, brokers: &[i32]) {
        let (Some(service), Some(running)) = (&mut self.gain_root, &mut self.running) else { return };
        for pid in brokers {
            running.accounting.listen(service.listener_of(*pid));
        }
        if client {
            service.accept(&running.inner);
        }
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
                let manner =
                    Manner { terminal, watch: self.watch, processes: process_limit(&command.limits) };
                match spawn(&command, &fds, manner) {
                    Ok(started) => {
                        self.running = Some(Running::new(started, command.limits));
                        Ok(())
                    }
                    Err(error) => {
                        let name = command.argv.first().map_or("", String::as_str);
                        let what = format!("cannot start {name} in the sandbox: {error}");
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
        while let Some(finished) = reap() {
            if self.gain_root.as_mut().is_some_and(|service| service.finished(finished.pid)) {
                continue;
            }
            if self.running.as_ref().is_some_and(|running| running.pid == finished.pid) {
                self.ended(finished.wait_status)?;
            }
        }
        Ok(())
    }

    /// The command itself is gone; what it left behind goes as well.
    fn ended(&mut self, wait_status: i32) -> io::Result<()> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        // A fork bomb may have ended the command itself before anybody looked.
        let last = running.accounting.check(&Sample::take(), &running.limits);
        kill_all();
        // Their last words want an answer, or they never end.
        while any_child() {
            kill_all();
            running.accounting.notified_if_any(&mut self.answers);
            while reap().is_some() {}
        }
        if let Some(service) = &mut self.gain_root {
            service.put_right();
        }
        let mut limit = running.accounting.limit.or(last);
        let counted = self.watch.ends || running.limits.disk.is_some();
        let disk = if counted { self.disk.total() } else { 0 };
        if let Some(most) = running.limits.disk.filter(|_| limit.is_none()) {
            // Who fills a small disk fast enough fails for want of space before anybody looks.
            limit = (disk > most).then_some(LimitKind::Disk);
        }
        let after = cpu_used();
        let cpu_user = after.0.saturating_sub(running.before.0);
        let cpu_system = after.1.saturating_sub(running.before.1);
        let ended = Ended {
            wait_status,
            limit,
            cpu_user,
            cpu_system,
            peak_memory: running.accounting.peak_memory,
            disk,
            executables: running.accounting.executables(cpu_user + cpu_system),
        };
        self.channel.send(&Reply::Ended(ended), &[])
    }

    fn sample(&mut self) {
        let Some(running) = &mut self.running else { return };
        let mut reached = None;
        if running.limits.disk.is_some_and(|most| self.disk.over(most)) {
            reached = Some(LimitKind::Disk);
        }
        let now = Instant::now();
        if now >= running.next_sample {
            running.next_sample = now + SAMPLE;
            reached = running.accounting.check(&Sample::take(), &running.limits).or(reached);
        }
        if let Some(kind) = reached {
            running.accounting.limit.get_or_insert(kind);
            kill_all();
        }
    }
}

/// What the kernel is told, where it counts for each user namespace: older ones count all of a user's processes.
fn process_limit(limits: &Limits) -> Option<u64> {
    let counts = KernelVersion::running() >= NPROC_PER_NAMESPACE;
    limits.processes.filter(|_| counts).map(|most| most.saturating_add(most.clamp(LEAST_SLACK, MOST_SLACK)))
}

impl Running {
    fn new(started: Started, limits: Limits) -> Self {
        Self {
            pid: started.pid,
            inner: started.inner,
            limits,
            accounting: Accounting::new(started.listener),
            before: cpu_used(),
            next_sample: Instant::now() + SAMPLE,
        }
    }
}

/// What was waited for and came.
#[derive(Default)]
struct Ready {
    request: bool,
    child: bool,
    /// Listeners, by number, with a process that waits for an answer.
    waiting: Vec<usize>,
    /// Listeners whose processes are gone.
    silent: Vec<usize>,
    client: bool,
    /// By process id.
    brokers: Vec<i32>,
}
