//! The outcome of a dpkg-buildpackage that failed.

use std::time::Duration;

use archmill_sandbox::{Exit, LimitKind, Limits, Status as ExitStatus};

use crate::classify::{Class, End, Phase, classify, relevant_lines};
use crate::record::Outcome;

/// What the end of dpkg-buildpackage means, if it is no good one.
pub(super) fn failure(exit: &Exit, limits: &Limits, tail: &str) -> Outcome {
    let end = match exit.status {
        ExitStatus::Exited(code) => End::Exited(code),
        ExitStatus::Signaled(signal) => End::Signaled(signal),
        ExitStatus::Cancelled => End::Cancelled,
        ExitStatus::Limit(kind) => End::Limit(kind.into()),
    };
    let class: Class = classify(Phase::Build, end, tail);
    let which = match exit.status {
        ExitStatus::Limit(kind) => option_of(kind, limits),
        _ => String::new(),
    };
    let message = format!("dpkg-buildpackage: {}{which}", exit.status);
    let mut outcome = Outcome::failure(Phase::Build, class, message);
    outcome.relevant_lines = relevant_lines(tail);
    match exit.status {
        ExitStatus::Exited(code) => outcome.exit_code = Some(code),
        ExitStatus::Signaled(signal) => outcome.signal = Some(signal),
        _ => {}
    }
    outcome
}

/// The option that sets a limit, as it would be given.
fn option_of(kind: LimitKind, limits: &Limits) -> String {
    let time = |limit: Option<Duration>| limit.map(|limit| format!("{}s", limit.as_secs()));
    let size = |limit: Option<u64>| {
        limit.map(|limit| {
            let units = [(30, "G"), (20, "M"), (10, "K")];
            let unit = units.iter().find(|(shift, _)| limit % (1 << shift) == 0);
            unit.map_or_else(|| limit.to_string(), |(shift, unit)| format!("{}{unit}", limit >> shift))
        })
    };
    let (option, value) = match kind {
        LimitKind::Total => ("--max-time", time(limits.total)),
        LimitKind::Silence => ("--max-silence", time(limits.silence)),
        LimitKind::Memory => ("--max-memory", size(limits.memory)),
        LimitKind::Processes => ("--max-processes", limits.processes.map(|limit| limit.to_string())),
        LimitKind::Disk => ("--max-disk", size(limits.disk)),
        LimitKind::Log => ("--max-log", size(limits.log)),
    };
    value.map_or_else(String::new, |value| format!(" ({option} {value})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_as_it_would_be_given() {
        let limits = Limits {
            total: Some(Duration::from_secs(90)),
            log: Some(200 << 10),
            disk: Some(3 << 30),
            memory: Some(1001),
            ..Limits::default()
        };
        assert_eq!(option_of(LimitKind::Total, &limits), " (--max-time 90s)");
        assert_eq!(option_of(LimitKind::Log, &limits), " (--max-log 200K)");
        assert_eq!(option_of(LimitKind::Disk, &limits), " (--max-disk 3G)");
        assert_eq!(option_of(LimitKind::Memory, &limits), " (--max-memory 1001)");
        assert_eq!(option_of(LimitKind::Silence, &limits), "");
    }
}
