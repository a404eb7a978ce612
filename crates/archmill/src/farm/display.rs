//! What a rebuild shows: a line for each thing that happens and, in a terminal, what runs now and how long it will take.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use archmill_farm::{Forecast, Watch, log_of};
use archmill_plan::scheduler::{Build, Code, Scheduler};
use archmill_plan::{JobId, Moment};
use archmill_store::{BuildEnd, EndKind, RequestRow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// So many builds are shown; of more the number is told.
const SHOWN: usize = 8;

/// The display of a rebuild, on standard error.
pub(crate) struct Display {
    bar: Option<ProgressBar>,
}

impl Display {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style)
        });
        Self { bar }
    }

    /// Takes what runs off the screen.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        let now = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
        match &self.bar {
            Some(bar) => bar.println(format!("{now} {text}")),
            None => remark!("{now} {text}"),
        }
    }
}

impl Watch for Display {
    fn started(&mut self, scheduler: &Scheduler, job: JobId, build: &Build, adopted: bool) {
        let verb = if adopted { "is still being built" } else { "is being built" };
        let slots = if build.width > 1 { format!(" in {} slots", build.width) } else { String::new() };
        self.line(&format!(
            "{} {verb} ({}{slots}), about {}",
            name(scheduler, job),
            build.rung,
            time(build.expected)
        ));
    }

    fn ended(&mut self, scheduler: &Scheduler, job: JobId, build: &Build, end: &BuildEnd) {
        let took = end.wall.map(|wall| format!(" in {}", time(wall))).unwrap_or_default();
        let why = end.message.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        let what = match end.kind {
            EndKind::Built => format!("built{took} ({})", build.rung),
            EndKind::Failed => {
                format!("failed{took} ({}, {}){why}", build.rung, end.class.as_deref().unwrap_or("unknown"))
            }
            EndKind::Unresolvable => format!("cannot be built{why}"),
            EndKind::Transient | EndKind::Lost => format!("came to nothing, and not for its own fault{why}"),
            EndKind::Cancelled => "ended".to_owned(),
        };
        self.line(&format!("{} {what}", name(scheduler, job)));
    }

    fn requested(&mut self, request: &RequestRow, jobs: usize) {
        let target = request.target.as_deref().map(|target| format!(" for {target}")).unwrap_or_default();
        let what = format!("{} {}{target}", request.kind.name(), request.source);
        self.line(&match jobs {
            0 => format!("{what}: this rebuild has no such package"),
            1 => what,
            _ => format!("{what}: {jobs} builds"),
        });
    }

    fn stopping(&mut self, running: usize) {
        self.line(&match running {
            0 => "no more builds are started".to_owned(),
            _ => {
                format!("no more builds are started; {running} go on to their end. Once more ends them, too")
            }
        });
    }

    fn tick(
        &mut self,
        scheduler: &Scheduler,
        forecast: &dyn Fn() -> Option<Forecast>,
        folder: &dyn Fn(JobId) -> Option<Box<Path>>,
    ) {
        let Some(bar) = &self.bar else { return };
        let running = scheduler.running();
        let mut lines = Vec::new();
        for (job, build) in running.iter().take(SHOWN) {
            let phase = folder(*job).and_then(|folder| phase(&folder)).unwrap_or_default();
            let since = now().since(build.since);
            lines.push(format!(
                "  {} ({}) {} of about {}  {phase}",
                name(scheduler, *job),
                build.rung,
                time(since),
                time(build.expected)
            ));
        }
        if running.len() > SHOWN {
            lines.push(format!("  and {} more", running.len() - SHOWN));
        }
        let counts = scheduler.counts();
        let of = |code: Code| counts[code as usize].1;
        let all: usize = counts.iter().map(|(_, count)| count).sum();
        let open = of(Code::Blocked) + of(Code::Scheduled) + of(Code::Building) + of(Code::Finished);
        lines.push(format!(
            "{} of {all} done, {} failed, {open} to do{}",
            all - open,
            of(Code::Failed),
            forecast().map(|forecast| format!(", {}", left(&forecast))).unwrap_or_default()
        ));
        bar.set_message(lines.join("\n"));
    }
}

/// How long it will take, and what is known of that.
pub(crate) fn left(forecast: &Forecast) -> String {
    let about = time(forecast.left);
    match forecast.bounds {
        Some((least, most)) => format!("about {about} left ({} to {})", time(least), time(most)),
        None => format!("about {about} left"),
    }
}

fn name(scheduler: &Scheduler, job: JobId) -> String {
    let of = scheduler.graph().job(job);
    format!("{} {} {}", of.source, of.version, scheduler.graph().made_for(job))
}

/// The section of the log that a build is in. What a package prints may be long, so where its end has no heading it is the last of
/// those at the beginning.
fn phase(folder: &Path) -> Option<String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = std::fs::File::open(log_of(folder)?).ok()?;
    let length = file.metadata().ok()?.len();
    let mut part = |from: u64, size: u64| {
        file.seek(SeekFrom::Start(from)).ok()?;
        let mut bytes = Vec::new();
        (&mut file).take(size).read_to_end(&mut bytes).ok()?;
        last_section(&String::from_utf8_lossy(&bytes))
    };
    part(length.saturating_sub(TAIL), TAIL).or_else(|| part(0, HEAD))
}

/// How much of a log is looked at, at its end and at its beginning.
const TAIL: u64 = 1 << 14;
const HEAD: u64 = 1 << 17;

/// The title of the last section in a piece of a log, without the date behind it.
fn last_section(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().collect();
    let is_rule = |line: &str| line.starts_with("+--") && line.ends_with("--+");
    let title = |lines: &[&str]| match lines {
        [above, line, below] if above == below && is_rule(above) && line.len() == above.len() => {
            let inside = line.strip_prefix("| ")?.strip_suffix('|')?;
            Some(inside.split("  ").next().unwrap_or(inside).trim().to_owned())
        }
        _ => None,
    };
    lines.windows(3).rev().find_map(title)
}

pub(crate) fn now() -> Moment {
    Moment(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0))
}

/// Seconds, minutes or hours, whichever says enough.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5999 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_a_box_and_not_what_a_package_prints() {
        let rule = format!("+{}+", "-".repeat(78));
        let log = format!(
            "{rule}\n| Fetch source files                          Sun, 29 Nov 2026 01:03:30 +0000 |\n{rule}\nx\n\
             {rule}\n| Build                                        Sun, 29 Nov 2026 01:03:30 +0000 |\n{rule}\n\
             | a table |\n+----+\n| of tests |\nmore\n"
        );
        assert_eq!(last_section(&log).as_deref(), Some("Build"));
        assert_eq!(last_section("| nothing |\n"), None);
    }
}
