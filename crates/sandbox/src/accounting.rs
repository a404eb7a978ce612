//! What the processes of a sandbox use, by their own count: /proc of the sandbox shows no others.

use std::collections::HashMap;
use std::fs;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::program::Programs;
use crate::seccomp::{self, Call, Notification};
use crate::spec::{ExecutableUsage, LimitKind, Limits};
use crate::uname::Names;

/// Entries that are kept of the list of executables; the rest is one more entry.
const MOST: usize = 400;
/// Different executables that are told apart while a command runs: a hostile one could make any number.
const MOST_TOLD_APART: usize = 20_000;

/// Of one command.
#[derive(Default)]
pub(crate) struct Accounting {
    listeners: Vec<OwnedFd>,
    /// Of emulated and of native programs.
    by_path: HashMap<Vec<u8>, [Usage; 2]>,
    pub(crate) peak_memory: u64,
    pub(crate) limit: Option<LimitKind>,
}

/// Of one program.
#[derive(Debug, Default, Clone, Copy)]
struct Usage {
    count: u64,
    cpu: Duration,
}

impl Usage {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.cpu += other.cpu;
    }
}

/// What it takes to answer those that wait.
pub(crate) struct Answers {
    pub(crate) programs: Programs,
    /// The kernel's own names of the system but where these are given.
    pub(crate) names: Option<Names>,
}

/// All processes at a moment.
pub(crate) struct Sample {
    memory: u64,
    /// Processes and threads.
    processes: u64,
}

impl Sample {
    /// Looks at all processes but this one.
    pub(crate) fn take() -> Self {
        let page = rustix::param::page_size() as u64;
        let mut sample = Self { memory: 0, processes: 0 };
        for pid in pids().filter(|pid| *pid != 1) {
            let Ok(statm) = fs::read_to_string(format!("/proc/{pid}/statm")) else { continue };
            let number = |at: usize| {
                statm.split(' ').nth(at).and_then(|word| word.trim().parse::<u64>().ok()).unwrap_or(0)
            };
            // Resident without what is backed by files: those pages are shared and can be dropped.
            sample.memory += number(1).saturating_sub(number(2)) * page;
            sample.processes += threads(pid).unwrap_or(1);
        }
        sample
    }
}

impl Accounting {
    pub(crate) fn new(listener: Option<OwnedFd>) -> Self {
        let mut accounting = Self::default();
        accounting.listen(listener);
        accounting
    }

    /// Takes one more listener of processes that end.
    pub(crate) fn listen(&mut self, listener: Option<OwnedFd>) {
        if let Some(listener) = listener {
            seccomp::wake_synchronously(listener.as_fd());
            self.listeners.push(listener);
        }
    }

    pub(crate) fn listeners(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.listeners.iter().map(|listener| listener.as_fd())
    }

    /// The processes of a listener are all gone.
    pub(crate) fn forget(&mut self, listener: usize) {
        self.listeners.swap_remove(listener);
    }

    /// Answers one that waits.
    pub(crate) fn notified(&mut self, listener: usize, answers: &mut Answers) {
        let Some(fd) = self.listeners.get(listener) else { return };
        let Ok(notification) = seccomp::receive(fd.as_fd()) else { return };
        match (notification.call, &answers.names) {
            (Some(Call::End), _) => self.ends(listener, &notification, &mut answers.programs),
            (Some(Call::Uname(layout)), Some(names)) => names.answer(fd.as_fd(), &notification, layout),
            _ => {
                seccomp::let_go(fd.as_fd(), &notification);
            }
        }
    }

    /// A process is about to end: counts what it used, and lets it.
    fn ends(&mut self, listener: usize, notification: &Notification, programs: &mut Programs) {
        let cpu = cpu_time(notification.thread);
        let program = programs.of(notification.thread);
        // One whose call was interrupted comes again.
        if !seccomp::let_go(self.listeners[listener].as_fd(), notification) {
            return;
        }
        let Some(cpu) = cpu else { return };
        let used = Usage { count: 1, cpu };
        // Most are known, and then nothing is allocated.
        if let Some(usages) = self.by_path.get_mut(program.path) {
            usages[usize::from(program.native)].add(used);
        } else if self.by_path.len() < MOST_TOLD_APART {
            let usages = self.by_path.entry(program.path.to_vec()).or_default();
            usages[usize::from(program.native)].add(used);
        }
    }

    /// The same for all that wait, within 10 ms.
    pub(crate) fn notified_if_any(&mut self, answers: &mut Answers) {
        use rustix::event::{PollFd, PollFlags, poll};
        let timeout = rustix::time::Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
        let mut fds: Vec<_> =
            self.listeners().map(|listener| PollFd::from_borrowed_fd(listener, PollFlags::IN)).collect();
        let _ = poll(&mut fds, Some(&timeout));
        let ready: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        drop(fds);
        for (index, revents) in ready.iter().enumerate().rev() {
            if revents.contains(PollFlags::IN) {
                self.notified(index, answers);
            } else if !revents.is_empty() {
                self.forget(index);
            }
        }
    }

    /// Whether a limit is reached.
    pub(crate) fn check(&mut self, sample: &Sample, limits: &Limits) -> Option<LimitKind> {
        self.peak_memory = self.peak_memory.max(sample.memory);
        let over = |limit: Option<u64>, value: u64| limit.is_some_and(|limit| value > limit);
        if over(limits.memory, sample.memory) {
            Some(LimitKind::Memory)
        } else if over(limits.processes, sample.processes) {
            Some(LimitKind::Processes)
        } else {
            None
        }
    }

    /// CPU time by executable; what was not seen to end (killed, or ended before it could be looked at) is
    /// the difference to `total`.
    pub(crate) fn executables(&self, total: Duration) -> Vec<ExecutableUsage> {
        let mut list: Vec<ExecutableUsage> = self
            .by_path
            .iter()
            .flat_map(|(path, usages)| {
                [false, true].into_iter().zip(usages).map(move |(native, usage)| (path, native, usage))
            })
            .filter(|(_, _, usage)| usage.count > 0)
            .map(|(path, native, usage)| ExecutableUsage {
                path: String::from_utf8_lossy(path).into_owned(),
                count: usage.count,
                cpu: usage.cpu,
                native,
            })
            .collect();
        list.sort_by(|a, b| b.cpu.cmp(&a.cpu).then_with(|| (&a.path, a.native).cmp(&(&b.path, b.native))));
        let rest = list.split_off(list.len().min(MOST));
        let seen: Duration = list.iter().map(|usage| usage.cpu).sum();
        let unseen = total.saturating_sub(seen);
        if !list.is_empty() && unseen > Duration::ZERO {
            let count = rest.iter().map(|usage| usage.count).sum();
            list.push(ExecutableUsage {
                path: "(others, killed or not seen)".to_owned(),
                count,
                cpu: unseen,
                native: false,
            });
        }
        list
    }
}

/// Numbers of all processes of the sandbox.
pub(crate) fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Threads of a process (proc_pid_stat(5): field 20).
fn threads(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(17)?.parse().ok()
}

/// CPU time of the process that a thread belongs to, all its threads together.
fn cpu_time(thread: u32) -> Option<Duration> {
    process_clock(thread).or_else(|| {
        let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
        let process = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
        process_clock(process.trim().parse().ok()?)
    })
}

/// Reads the CPU clock of a process (clock_getcpuclockid(3)); to the nanosecond, where /proc has hundredths of a second.
#[allow(unsafe_code)]
fn process_clock(pid: u32) -> Option<Duration> {
    /// CPUCLOCK_SCHED of <linux/posix-timers.h>.
    const SCHED: libc::clockid_t = 2;
    let clock = (!libc::clockid_t::try_from(pid).ok()? << 3) | SCHED;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for the call.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return None;
    }
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_limit_that_is_passed_is_named() {
        let limits = Limits { memory: Some(100), processes: Some(2), ..Limits::default() };
        let mut accounting = Accounting::new(None);
        assert_eq!(accounting.check(&Sample { memory: 100, processes: 2 }, &limits), None);
        assert_eq!(
            accounting.check(&Sample { memory: 50, processes: 3 }, &limits),
            Some(LimitKind::Processes)
        );
        assert_eq!(accounting.check(&Sample { memory: 101, processes: 3 }, &limits), Some(LimitKind::Memory));
        assert_eq!(accounting.peak_memory, 101);
    }

    #[test]
    fn the_clock_of_a_process_is_its_own_time() {
        let own = process_clock(std::process::id()).unwrap();
        assert!(own > Duration::ZERO && own < Duration::from_hours(1), "{own:?}");
        let (sent, received) = std::sync::mpsc::channel();
        std::thread::spawn(move || sent.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap());
        let thread = u32::try_from(received.recv().unwrap()).unwrap();
        assert_eq!(process_clock(thread), None, "a thread has no clock of a process");
    }

    #[test]
    fn time_that_nobody_was_seen_to_use_is_listed_too() {
        let mut accounting = Accounting::new(None);
        let usage = Usage { count: 2, cpu: Duration::from_secs(1) };
        accounting.by_path.insert(b"/bin/a".to_vec(), [Usage::default(), usage]);
        let list = accounting.executables(Duration::from_secs(5));
        assert_eq!((list[0].path.as_str(), list[0].native, list.len()), ("/bin/a", true, 2));
        assert_eq!(list.iter().map(|usage| usage.cpu).sum::<Duration>(), Duration::from_secs(5));
    }
}
