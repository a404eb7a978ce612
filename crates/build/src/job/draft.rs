//! What is known of a job while it goes on, so that a failure of any phase can be told with all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use archmill_sandbox::{Exit, cpu_used};
use jiff::Timestamp;

use super::source::Source;
use crate::classify::Phase;
use crate::record::{PhaseUse, Repository};

/// A job so far.
#[derive(Debug, Default)]
pub struct Draft {
    /// What each phase took.
    pub phases: Phases,
    /// The source, once it is found.
    pub source: Option<Source>,
    /// The repositories, as far as they were opened.
    pub repositories: Vec<Repository>,
    /// Packages of the acceleration plan that had no twin after all, and why.
    pub left_out: BTreeMap<String, String>,
}

/// Times of phases. Each comes once in a build; one that comes again is added to its entry, and in a record it would look
/// as if it went on at the same time as what was between.
#[derive(Debug, Default)]
pub struct Phases {
    done: Vec<PhaseUse>,
    running: Option<(Phase, Timestamp, (Duration, Duration))>,
}

impl Phases {
    /// A phase begins; the one before has ended.
    pub fn begin(&mut self, phase: Phase) {
        self.end(None);
        self.running = Some((phase, Timestamp::now(), cpu_used()));
    }

    /// The phase that runs ends. `exit` is of a command in a sandbox that is still there, whose CPU time is not yet
    /// among that of this process' children.
    pub fn end(&mut self, exit: Option<&Exit>) {
        let Some((phase, started, before)) = self.running.take() else { return };
        let now = cpu_used();
        let mut cpu = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
        if let Some(exit) = exit {
            cpu = (cpu.0 + exit.cpu_user, cpu.1 + exit.cpu_system);
        }
        let wall = Timestamp::now().duration_since(started).as_millis();
        self.add(PhaseUse {
            phase,
            started,
            wall_ms: u64::try_from(wall).unwrap_or(0),
            cpu_user_ms: ms(cpu.0),
            cpu_system_ms: ms(cpu.1),
            reused: Vec::new(),
        });
    }

    fn add(&mut self, new: PhaseUse) {
        match self.done.iter_mut().find(|done| done.phase == new.phase) {
            Some(done) => {
                done.wall_ms += new.wall_ms;
                done.cpu_user_ms += new.cpu_user_ms;
                done.cpu_system_ms += new.cpu_system_ms;
            }
            None => self.done.push(new),
        }
    }

    /// A phase used what was there already.
    pub fn reused(&mut self, phase: Phase, parts: &[String]) {
        if let Some(done) = self.done.iter_mut().find(|done| done.phase == phase) {
            done.reused = parts.to_vec();
        }
    }

    /// Time that some phases took together, milliseconds.
    pub fn wall_ms(&self, wanted: &[Phase]) -> u64 {
        self.done.iter().filter(|phase| wanted.contains(&phase.phase)).map(|phase| phase.wall_ms).sum()
    }

    /// All of them, in the order in which they began; none runs any more.
    pub fn take(&mut self) -> Vec<PhaseUse> {
        self.end(None);
        std::mem::take(&mut self.done)
    }
}

pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_that_comes_twice_is_one_entry_in_the_place_of_the_first() {
        let mut phases = Phases::default();
        for phase in [Phase::Root, Phase::FetchPackages, Phase::Root] {
            phases.begin(phase);
        }
        phases.end(None);
        phases.reused(Phase::Root, &["base".to_owned()]);
        let taken = phases.take();
        let order: Vec<Phase> = taken.iter().map(|phase| phase.phase).collect();
        assert_eq!(order, [Phase::Root, Phase::FetchPackages]);
        assert_eq!(taken[0].reused, ["base"]);
        assert!(phases.take().is_empty());
    }
}
