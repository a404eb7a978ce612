//! From what a build left to what the farm makes of it.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use archmill_build::classify::{Class, ExitCode, Limit, Phase};
use archmill_build::job::suspected;
use archmill_build::record::{self, BuildRecord, Outcome};
use archmill_build::toolchain;
use archmill_engine::Exit;
use archmill_engine::local::OUTPUT;
use archmill_plan::Moment;
use archmill_plan::ladder::{Advice, Mode, Rung};
use archmill_plan::scheduler::{End, Failure};
use archmill_store::{BuildEnd, EndKind};

use crate::rules::FailureRules;
use crate::{RESULTS, log_of};

/// How much of a log is looked at for the reason of a failure.
const TAIL: u64 = 1 << 16;

/// Classes of what is no fault of a package: it is tried again in the next run, whatever goes into it.
pub(crate) const TRANSIENT: [&str; 1] = ["transient"];

/// How a build ended: for the scheduler, and to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// For the scheduler.
    pub end: End,
    /// To be kept.
    pub kept: BuildEnd,
}

/// What a build came to that has ended. `asked` tells whether the farm asked it to end.
pub fn judge(
    folder: &Path,
    rung: Rung,
    exit: Exit,
    asked: bool,
    rules: &FailureRules,
    now: Moment,
) -> Verdict {
    let path = folder.join(RESULTS).join(record::FILE);
    let record = match record::read(&path) {
        Ok(record) => record,
        // Nothing else tells how it went, and the next try may leave one that can be read.
        Err(error) if path.exists() && !asked => {
            let end = End::Transient(error.to_string().into());
            return Verdict { kept: keep(&end, now), end };
        }
        Err(_) => return without_record(folder, exit, asked, now),
    };
    let tail = log_of(folder).map(|log| tail(&log)).unwrap_or_default();
    let wall = record.finished.duration_since(record.started).try_into().unwrap_or(Duration::ZERO);
    let cpu_of = |counts: &dyn Fn(Phase) -> bool| {
        let phases = record.phases.iter().filter(|phase| counts(phase.phase));
        Duration::from_millis(phases.map(|phase| phase.cpu_user_ms + phase.cpu_system_ms).sum::<u64>())
    };
    let cpu = cpu_of(&|_| true);
    let build_cpu = cpu_of(&|phase| phase == Phase::Build);
    let end = match end_of(&record, rung, &tail, wall.max(cpu), rules) {
        End::Transient(_) if asked && record.outcome.class == Some(Class::Cancelled) => End::Cancelled,
        end => end,
    };
    let mut kept = keep(&end, now);
    kept.wall = Some(wall);
    kept.cpu = Some(cpu);
    kept.build_cpu = Some(build_cpu).filter(|time| !time.is_zero());
    kept.peak_memory_bytes = Some(record.resources.peak_memory_bytes);
    let plan = record.inputs.acceleration.as_ref();
    kept.compiler_emulated =
        plan.is_some_and(|plan| plan.refused.iter().any(|refusal| refusal.toolchain.is_some()));
    Verdict { end, kept }
}

/// Whether a build was that of a toolchain, and made it.
pub(crate) fn made_toolchain(folder: &Path) -> bool {
    folder.join(RESULTS).join(toolchain::FILE).is_file()
}

/// What the build of a toolchain came to. There is one way to build it, so no class of failure names another.
pub(crate) fn judge_toolchain(folder: &Path, exit: Exit, asked: bool, now: Moment) -> Verdict {
    let read = || -> Option<Made> {
        serde_json::from_slice(&std::fs::read(folder.join(RESULTS).join(toolchain::FILE)).ok()?).ok()
    };
    let Some(Made { reused, wall_ms, cpu_user_ms, cpu_system_ms }) = read() else {
        let Verdict { end, .. } = without_record(folder, exit, asked, now);
        let end = match (end, exit) {
            (End::Transient(why), Exit::Code(code)) if !is_transient(code) => {
                failed("toolchain", why.into(), Advice::Stop)
            }
            (end, _) => end,
        };
        return Verdict { kept: keep(&end, now), end };
    };
    // What was made before tells nothing of how long that takes now.
    let cpu = Duration::from_millis(cpu_user_ms + cpu_system_ms);
    let wall = Duration::from_millis(wall_ms);
    let end = if reused { End::UpToDate } else { End::Built { took: wall.max(cpu) } };
    let mut kept = keep(&end, now);
    (kept.wall, kept.cpu) = (Some(wall).filter(|_| !reused), Some(cpu).filter(|_| !reused));
    Verdict { end, kept }
}

/// What `archmill toolchain build --out` leaves, as far as it is of interest here.
#[derive(serde::Deserialize)]
struct Made {
    reused: bool,
    wall_ms: u64,
    cpu_user_ms: u64,
    cpu_system_ms: u64,
}

/// Whether an exit code tells of what is no fault of what was built.
fn is_transient(code: i32) -> bool {
    [ExitCode::Fetch, ExitCode::Host, ExitCode::Cancelled].iter().any(|of| i32::from(of.code()) == code)
}

/// A build that was ended before it could write its record, or refused what was asked for.
fn without_record(folder: &Path, exit: Exit, asked: bool, now: Moment) -> Verdict {
    let output = tail(&folder.join(OUTPUT));
    let last = output.lines().rev().find_map(|line| line.trim().strip_prefix("archmill: "));
    let message = last.unwrap_or("it left no build record").to_owned();
    let end = match exit {
        _ if asked => End::Cancelled,
        // What is wrong with the request is wrong with it the next time too.
        Exit::Code(2) => failed("request", message, Advice::Stop),
        Exit::Code(_) => End::Transient(message.into()),
        Exit::Signal(signal) => End::Transient(format!("it was ended by signal {signal}").into()),
        Exit::Unknown => End::Transient("it was killed and left no build record".into()),
    };
    Verdict { kept: keep(&end, now), end }
}

/// What is kept of an end, durations aside.
pub(crate) fn keep(end: &End, now: Moment) -> BuildEnd {
    let (kind, class, message, advice) = match end {
        End::Built { .. } | End::UpToDate => (EndKind::Built, None, None, None),
        End::Failed(failure, advice) => {
            (EndKind::Failed, Some(&*failure.class), Some(&*failure.why), Some(*advice))
        }
        End::Unresolvable(why) => (EndKind::Unresolvable, Some("dependencies"), Some(&**why), None),
        End::Transient(why) => (EndKind::Transient, None, Some(&**why), None),
        End::Cancelled => (EndKind::Cancelled, None, None, None),
    };
    BuildEnd {
        at: now,
        kind,
        class: class.map(str::to_owned),
        message: message.map(str::to_owned),
        advice,
        wall: None,
        cpu: None,
        build_cpu: None,
        peak_memory_bytes: None,
        compiler_emulated: false,
    }
}

fn end_of(record: &BuildRecord, rung: Rung, tail: &str, took: Duration, rules: &FailureRules) -> End {
    let outcome = &record.outcome;
    let Some(class) = outcome.class else { return End::Built { took } };
    let message = outcome.message.clone().unwrap_or_else(|| "it says nothing".to_owned());
    match class {
        Class::Dependencies => End::Unresolvable(message.into()),
        Class::Fetch if is_source_missing(outcome) => failed("source-missing", message, Advice::Stop),
        Class::Fetch | Class::Host | Class::Cancelled => End::Transient(message.into()),
        Class::Limit(limit) => failed(&class.to_string(), message, beyond_limit(limit, rung)),
        _ => by_log(outcome, class, message, rung, tail, rules),
    }
}

/// What the log tells counts for more than where it failed; except that twins are the first suspects, as emulating what they
/// replace costs less than anything else that may help.
fn by_log(
    outcome: &Outcome,
    class: Class,
    message: String,
    rung: Rung,
    tail: &str,
    rules: &FailureRules,
) -> End {
    let found = match class {
        Class::Build | Class::Root | Class::Tests => rules.find(tail, rung.mode),
        _ => None,
    };
    let Some(found) = found else {
        let why = match outcome.relevant_lines.first() {
            Some(line) => format!("{message}: {}", line.trim()),
            None => message,
        };
        return failed(class.name(), why, advice(outcome, class, rung, tail));
    };
    let by_twins = class != Class::Tests && rung.mode == Mode::Accelerated && suspected(outcome, tail);
    let advice = match found.advice {
        _ if by_twins => Advice::Try(Mode::Emulated),
        Advice::Patience => patience(rung),
        advice => advice,
    };
    failed(&found.class, found.why, advice)
}

/// A file of the source that the mirror does not have will not be there in an hour either.
fn is_source_missing(outcome: &Outcome) -> bool {
    let absent = |message: &String| message.contains("(404)");
    outcome.phase == Some(Phase::FetchSource) && outcome.message.as_ref().is_some_and(absent)
}

fn failed(class: &str, why: String, advice: Advice) -> End {
    End::Failed(Failure { class: class.into(), why: why.into() }, advice)
}

fn beyond_limit(limit: Limit, rung: Rung) -> Advice {
    match limit {
        // One CPU needs less memory and fewer processes, too.
        Limit::Time | Limit::Silence | Limit::Memory | Limit::Processes => patience(rung),
        Limit::Disk | Limit::Log => Advice::Stop,
    }
}

fn advice(outcome: &Outcome, class: Class, rung: Rung, tail: &str) -> Advice {
    match class {
        Class::Acceleration => Advice::Try(Mode::Emulated),
        Class::Build | Class::Root if rung.mode == Mode::Accelerated && suspected(outcome, tail) => {
            Advice::Try(Mode::Emulated)
        }
        Class::Build | Class::Root if rung.mode.is_emulating() && crashed(outcome, tail) => {
            Advice::Try(Mode::OtherQemu)
        }
        // Under emulation, time is what tests lack most often.
        Class::Tests if rung.mode.is_emulating() => patience(rung),
        _ => Advice::Stop,
    }
}

/// Without a word that a rule knows.
fn crashed(outcome: &Outcome, tail: &str) -> bool {
    outcome.signal.is_some() || tail.contains("qemu: fatal")
}

/// More time; where that was given, another mode.
fn patience(rung: Rung) -> Advice {
    match (rung.patient, rung.mode) {
        (false, _) => Advice::Patience,
        (true, Mode::Accelerated) => Advice::Try(Mode::Emulated),
        (true, Mode::Emulated) => Advice::Try(Mode::OtherQemu),
        (true, _) => Advice::Beyond,
    }
}

/// The end of a file; nothing where it cannot be read.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ACCELERATED: Rung = Mode::Accelerated.rung();

    fn advised(class: Class, rung: Rung, tail: &str) -> Advice {
        advice(&Outcome::failure(Phase::Build, class, "x"), class, rung, tail)
    }

    #[test]
    fn what_is_wrong_with_a_record_is_told() {
        let tmp = tempfile::tempdir().unwrap();
        let judged = || {
            let rules = FailureRules::builtin().unwrap();
            judge(tmp.path(), ACCELERATED, Exit::Code(0), false, &rules, Moment(1)).kept
        };
        assert_eq!(judged().message.unwrap(), "it left no build record");
        std::fs::create_dir(tmp.path().join(RESULTS)).unwrap();
        std::fs::write(tmp.path().join(RESULTS).join(record::FILE), "{").unwrap();
        let kept = judged();
        assert_eq!(kept.kind, EndKind::Transient);
        assert!(kept.message.unwrap().contains("is not a build record of archmill"));
    }

    #[test]
    fn the_class_of_a_failure_names_the_next_mode() {
        assert_eq!(advised(Class::Build, ACCELERATED, "error: no such thing"), Advice::Stop);
        assert_eq!(advised(Class::Build, ACCELERATED, "x: wrong ELF class"), Advice::Try(Mode::Emulated));
        assert_eq!(
            advised(Class::Build, Mode::Emulated.rung(), "qemu: fatal: x"),
            Advice::Try(Mode::OtherQemu)
        );
        assert_eq!(advised(Class::Tests, ACCELERATED, ""), Advice::Patience);
        assert_eq!(advised(Class::Tests, Mode::Accelerated.patient(), ""), Advice::Try(Mode::Emulated));
        assert_eq!(advised(Class::Tests, Mode::Native.rung(), ""), Advice::Stop);
        assert_eq!(advised(Class::Acceleration, ACCELERATED, ""), Advice::Try(Mode::Emulated));
        assert_eq!(beyond_limit(Limit::Time, ACCELERATED), Advice::Patience);
        assert_eq!(beyond_limit(Limit::Log, ACCELERATED), Advice::Stop);
    }

    #[test]
    fn what_the_log_tells_names_the_class_and_twins_are_suspected_first() {
        let end = |class, rung, tail: &str| {
            let outcome = Outcome::failure(Phase::Build, class, "it failed");
            let rules = FailureRules::builtin().unwrap();
            match by_log(&outcome, class, "it failed".to_owned(), rung, tail, &rules) {
                End::Failed(failure, advice) => (failure.class.to_string(), advice),
                end => panic!("{end:?}"),
            }
        };
        let crash = "qemu: uncaught target signal 11 (Segmentation fault) - core dumped";
        let is = |class: &str, advice| (class.to_owned(), advice);
        assert_eq!(end(Class::Build, ACCELERATED, crash), is("target-crash", Advice::Try(Mode::Emulated)));
        let emulated = Mode::Emulated.rung();
        assert_eq!(end(Class::Build, emulated, crash), is("target-crash", Advice::Try(Mode::OtherQemu)));
        assert_eq!(end(Class::Tests, ACCELERATED, crash), is("target-crash", Advice::Try(Mode::OtherQemu)));
        let slow = "1/1 Test exe TIMEOUT 30.02 s";
        assert_eq!(end(Class::Build, ACCELERATED, slow), is("test-timeout", Advice::Patience));
        let patient = Mode::Accelerated.patient();
        assert_eq!(end(Class::Tests, patient, slow), is("test-timeout", Advice::Try(Mode::Emulated)));
        assert_eq!(end(Class::Build, Mode::Native.rung(), slow), is("build", Advice::Stop));
        assert_eq!(
            end(Class::Acceleration, ACCELERATED, slow),
            is("acceleration", Advice::Try(Mode::Emulated))
        );
    }

    #[test]
    fn without_a_record_a_build_is_tried_again_unless_it_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("output"), "x\narchmill: no source package \"y\"\n").unwrap();
        let rules = FailureRules::builtin().unwrap();
        let end = |exit, asked| judge(folder.path(), ACCELERATED, exit, asked, &rules, Moment(5)).end;
        let refused = end(Exit::Code(2), false);
        assert_eq!(refused, failed("request", "no source package \"y\"".to_owned(), Advice::Stop));
        assert_eq!(end(Exit::Signal(9), false), End::Transient("it was ended by signal 9".into()));
        assert_eq!(end(Exit::Signal(15), true), End::Cancelled);
        assert!(matches!(end(Exit::Unknown, false), End::Transient(_)));
    }

    #[test]
    fn only_a_source_that_is_not_there_is_missing() {
        let outcome = |phase, message: &str| Outcome::failure(phase, Class::Fetch, message);
        assert!(is_source_missing(&outcome(
            Phase::FetchSource,
            "http://x/y is not on the mirror (404); try"
        )));
        assert!(!is_source_missing(&outcome(Phase::FetchPackages, "http://x/y is not on the mirror (404)")));
        assert!(!is_source_missing(&outcome(Phase::FetchSource, "http://x/y: the server answers 503")));
    }
}
