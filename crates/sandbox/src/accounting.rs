//! What the processes of a sandbox use, by their own count: /proc of the sandbox shows no others.

use std::collections::HashMap;
use std::fs;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use crate::seccomp;
use crate::spec::{ExecutableUsage, LimitKind, Limits};

/// Entries that are kept of the list of executables; the rest is one more entry.
const MOST: usize = 400;

/// Of one command.
pub(crate) struct Accounting {
    listener: Option<OwnedFd>,
    by_path: HashMap<String, (u64, u64)>,
    pub(crate) peak_memory: u64,
    pub(crate) disk: u64,
    pub(crate) limit: Option<LimitKind>,
}

/// All processes at a moment.
pub(crate) struct Sample {
    memory: u64,
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
            sample.processes += 1;
        }
        sample
    }
}

impl Accounting {
    pub(crate) fn new(listener: Option<OwnedFd>) -> Self {
        Self { listener, by_path: HashMap::new(), peak_memory: 0, disk: 0, limit: None }
    }

    pub(crate) fn listener(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(|listener| listener.as_fd())
    }

    /// A process is about to end: counts what it used, and lets it.
    pub(crate) fn notified(&mut self, interpreters: &[PathBuf]) {
        let Some(listener) = &self.listener else { return };
        let Ok((id, pid)) = seccomp::receive(listener.as_fd()) else { return };
        if let Some(ticks) = cpu_ticks(pid) {
            let usage = self.by_path.entry(program(pid, interpreters)).or_default();
            usage.0 += 1;
            usage.1 += ticks;
        }
        seccomp::let_go(listener.as_fd(), id);
    }

    /// The same if one waits, within 10 ms.
    pub(crate) fn notified_if_any(&mut self, interpreters: &[PathBuf]) {
        use rustix::event::{PollFd, PollFlags, poll};
        let timeout = rustix::time::Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
        let Some(listener) = &self.listener else {
            std::thread::sleep(Duration::from_millis(2));
            return;
        };
        let mut fds = [PollFd::new(listener, PollFlags::IN)];
        if poll(&mut fds, Some(&timeout)).is_ok_and(|count| count > 0)
            && fds[0].revents().contains(PollFlags::IN)
        {
            self.notified(interpreters);
        } else {
            std::thread::sleep(Duration::from_millis(2));
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
        } else if over(limits.disk, self.disk) {
            Some(LimitKind::Disk)
        } else {
            None
        }
    }

    /// CPU time by executable; what was not seen to end (killed, or ended before it could be looked at) is
    /// the difference to `total`.
    pub(crate) fn executables(&self, total: Duration) -> Vec<ExecutableUsage> {
        let tick = 1000 / rustix::param::clock_ticks_per_second().max(1);
        let mut list: Vec<ExecutableUsage> = self
            .by_path
            .iter()
            .map(|(path, (count, ticks))| ExecutableUsage {
                path: path.clone(),
                count: *count,
                cpu: Duration::from_millis(ticks * tick),
            })
            .collect();
        list.sort_by(|a, b| b.cpu.cmp(&a.cpu).then_with(|| a.path.cmp(&b.path)));
        let rest = list.split_off(list.len().min(MOST));
        let seen: Duration = list.iter().map(|usage| usage.cpu).sum();
        let unseen = total.saturating_sub(seen);
        if !list.is_empty() && unseen > Duration::ZERO {
            let count = rest.iter().map(|usage| usage.count).sum();
            list.push(ExecutableUsage {
                path: "(others, killed or not seen)".to_owned(),
                count,
                cpu: unseen,
            });
        }
        list
    }
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// User and system time of a process, in clock ticks (proc_pid_stat(5): fields 14 and 15).
fn cpu_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// What a process runs: its executable, or for an emulator what that runs.
fn program(pid: u32, interpreters: &[PathBuf]) -> String {
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let name = exe.file_name();
    // The emulator lives outside of the root, so its path here is not the one it was opened by.
    if !interpreters.is_empty() && interpreters.iter().any(|interpreter| interpreter.file_name() == name) {
        let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // Interpreter, program, then the program's own arguments from argv[0] on.
        if let Some(program) = cmdline.split(|byte| *byte == 0).nth(1).filter(|program| !program.is_empty()) {
            return String::from_utf8_lossy(program).into_owned();
        }
    }
    exe.to_string_lossy().into_owned()
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
    fn time_that_nobody_was_seen_to_use_is_listed_too() {
        let mut accounting = Accounting::new(None);
        accounting.by_path.insert("/bin/a".into(), (2, 100));
        let list = accounting.executables(Duration::from_secs(5));
        assert_eq!(list[0].path, "/bin/a");
        assert_eq!(list.iter().map(|usage| usage.cpu).sum::<Duration>(), Duration::from_secs(5));
    }
}
