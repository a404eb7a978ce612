//! Reports of farms that are made up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::time::Duration;

use archmill_plan::Moment;
use archmill_plan::ladder::Rung;
use archmill_plan::scheduler::Code;
use archmill_report::{Baseline, Comparison, Memory, Outcome, Report, csv, page, text};
use archmill_store::{
    BuildEnd, BuildId, BuildRow, EndKind, NativeTime, NewBuild, PackageId, PackageRow, Planned, RunRow,
};

const MINUTE: u64 = 60_000;

/// A farm of one run on two processors, which every build is added to by hand.
#[derive(Default)]
struct Made {
    memory: Memory,
}

impl Made {
    fn new() -> Self {
        let run = |id, started, ended| RunRow {
            forecast: None,
            id,
            suite: "trixie".to_owned(),
            started: Moment(started * MINUTE),
            ended,
            processors: Some(2),
            slots: Some(2),
            later: Vec::new(),
        };
        // The first was killed, the second ended.
        let runs = vec![run(1, 0, None), run(2, 100, Some(Moment(150 * MINUTE)))];
        Self { memory: Memory { runs, ..Memory::default() } }
    }

    fn package(&mut self, source: &str, target: &str, state: Code, class: Option<&str>) -> PackageId {
        let id = PackageId(i64::try_from(self.memory.packages.len()).unwrap() + 1);
        self.memory.packages.push(PackageRow {
            id,
            suite: "trixie".to_owned(),
            planned: Planned {
                source: source.to_owned(),
                target: target.to_owned(),
                component: "main".to_owned(),
                version: "1".to_owned(),
                inputs: None,
                nocheck: source == "untested",
            },
            settled_inputs: None,
            state,
            reason: format!("{source} is {} <because>, \"so\"", state.name()),
            class: class.map(str::to_owned),
            since: Moment(0),
            worked: None,
            held: None,
            prioritised: false,
        });
        id
    }

    /// A build that took all of its slot, in minutes since the beginning.
    fn build(&mut self, package: PackageId, mode: &str, kind: EndKind, from: u64, to: u64) {
        let class = (kind == EndKind::Failed).then(|| "tests".to_owned());
        let time = Duration::from_millis((to - from) * MINUTE);
        self.memory.builds.push(BuildRow {
            id: BuildId(i64::try_from(self.memory.builds.len()).unwrap() + 1),
            new: NewBuild {
                package,
                run: if from < 100 { 1 } else { 2 },
                version: "1".to_owned(),
                inputs: None,
                rung: mode.parse::<Rung>().unwrap(),
                machine: "x86_64".to_owned(),
                width: 1,
                started: Moment(from * MINUTE),
                expected: time,
            },
            end: Some(BuildEnd {
                at: Moment(to * MINUTE),
                kind,
                class,
                message: None,
                advice: None,
                wall: Some(time),
                cpu: Some(time),
                build_cpu: Some(time),
                peak_memory_bytes: Some(1 << 20),
                compiler_emulated: false,
            }),
        });
    }

    fn report(&self) -> Report {
        Report::new(&self.memory, Moment(200 * MINUTE))
    }
}

/// Everything once: 11 packages.
fn everything() -> Made {
    let mut made = Made::new();
    let native = made.package("a", "amd64", Code::Succeeded, None);
    made.build(native, "native", EndKind::Built, 0, 10);
    let fast = made.package("a", "arm64", Code::Succeeded, None);
    made.build(fast, "accelerated", EndKind::Built, 0, 12);
    let slow = made.package("a", "armhf", Code::Succeeded, None);
    made.build(slow, "accelerated", EndKind::Failed, 10, 20);
    made.build(slow, "accelerated+patience", EndKind::Failed, 20, 30);
    made.build(slow, "emulated", EndKind::Built, 30, 70);
    let lost = made.package("b", "amd64", Code::Succeeded, None);
    made.build(lost, "native", EndKind::Lost, 70, 71);
    made.build(lost, "native", EndKind::Built, 100, 120);
    let imported = made.package("b", "arm64", Code::Succeeded, None);
    made.build(imported, "imported", EndKind::Built, 120, 121);
    let failed = made.package("b", "armhf", Code::Failed, Some("tests"));
    made.build(failed, "emulated", EndKind::Failed, 110, 150);
    made.package("c", "all", Code::Unresolvable, Some("dependencies"));
    made.package("untested", "arm64", Code::Scheduled, None);
    made.package("held", "arm64", Code::Locked, None);
    made.package("d", "amd64", Code::Failed, Some("source-missing"));
    made.package("e", "arm64", Code::Failed, Some("tests"));
    made
}

#[test]
fn every_package_is_counted_once_and_by_what_came_of_it() {
    let report = everything().report();
    let all: usize = report.cells.iter().map(archmill_report::Cell::total).sum();
    assert_eq!(all, report.packages.len());
    let count = |outcome: Outcome| report.cells.iter().filter_map(|cell| cell.outcomes.get(&outcome)).sum();
    let counts: Vec<usize> = Outcome::ALL.into_iter().map(count).collect();
    assert_eq!(counts, [4, 1, 3, 1, 1, 1]);
    let classes: Vec<(&str, usize)> =
        report.classes.iter().map(|class| (class.class.as_str(), class.total())).collect();
    assert_eq!(classes, [("tests", 2), ("dependencies", 1), ("source-missing", 1)]);
    assert_eq!(report.nocheck, ["untested"]);
}

#[test]
fn modes_and_what_they_repaired() {
    let report = everything().report();
    let armhf = report.modes.iter().find(|modes| modes.target == "armhf").unwrap();
    assert_eq!(armhf.modes, [("emulated".parse().unwrap(), 1)]);
    let told: Vec<_> = report
        .mitigations
        .iter()
        .map(|of| (of.mode.to_string(), of.repaired.join(","), of.in_vain, of.cpu_ms / MINUTE))
        .collect();
    assert_eq!(
        told,
        [
            ("accelerated+patience".to_owned(), String::new(), 1, 10),
            ("emulated".to_owned(), "a armhf".to_owned(), 0, 40)
        ]
    );
}

#[test]
fn penalties_are_told_against_native_times_else_against_amd64() {
    let mut made = everything();
    let penalty = |report: &Report, target: &str| {
        let package =
            report.packages.iter().find(|package| package.source == "a" && package.target == target);
        package.unwrap().penalty.map(|penalty| ((penalty.times * 100.0).round() / 100.0, penalty.baseline))
    };
    let report = made.report();
    assert_eq!(penalty(&report, "amd64"), None);
    assert_eq!(penalty(&report, "arm64"), Some((1.2, Baseline::Amd64Cpu)));
    assert_eq!(penalty(&report, "armhf"), Some((4.0, Baseline::Amd64Cpu)));
    let time = |target: &str, version: Option<&str>, minutes, cpu: Option<u64>| NativeTime {
        source: "a".to_owned(),
        target: target.to_owned(),
        version: version.map(str::to_owned),
        wall: Duration::from_millis(minutes * MINUTE),
        cpu: cpu.map(|minutes| Duration::from_millis(minutes * MINUTE)),
    };
    made.memory.native = vec![
        time("arm64", None, 1, None),
        time("arm64", Some("1"), 3, Some(6)),
        time("armhf", None, 20, None),
        time("armhf", Some("0"), 1, None),
    ];
    let report = made.report();
    assert_eq!(penalty(&report, "arm64"), Some((2.0, Baseline::NativeCpu)));
    assert_eq!(penalty(&report, "armhf"), Some((2.0, Baseline::NativeWall)));
    assert_eq!(report.penalties.len(), 2);
}

#[test]
fn time_counts_runs_that_were_killed_until_their_last_build_ended() {
    let time = everything().report().time;
    assert_eq!(time.makespan_ms, (71 + 50) * MINUTE);
    assert_eq!(time.cpu_built_ms, (10 + 12 + 40 + 20 + 1) * MINUTE);
    assert_eq!(time.cpu_failed_ms, (10 + 10 + 40) * MINUTE);
    assert_eq!(time.cpu_lost_ms, MINUTE);
    let share = f64::from(83 + 60) / f64::from(2 * 121);
    assert!((time.use_of_processors.unwrap() - share).abs() < 1e-9);
    // Something is still to be built: there is no end yet.
    assert_eq!(time.pole, None);
}

#[test]
fn the_long_pole_is_told_when_all_is_done() {
    let mut made = everything();
    made.memory.packages.retain(|package| package.state != Code::Scheduled);
    let pole = made.report().time.pole.unwrap();
    assert_eq!((pole.source.as_str(), pole.target.as_str(), pole.alone_ms), ("b", "armhf", 29 * MINUTE));
}

#[test]
fn a_comparison_tells_what_got_worse_and_what_got_better() {
    let old = everything().report();
    let mut made = everything();
    made.memory.packages[0].state = Code::Failed;
    made.memory.packages[0].class = Some("build".to_owned());
    made.memory.packages[5].state = Code::Succeeded;
    made.memory.packages[10].class = Some("build".to_owned());
    made.memory.packages[8].planned.source = "new".to_owned();
    let comparison = Comparison::new(&made.report(), &old);
    let names = |changes: &[archmill_report::Change]| -> Vec<String> {
        changes.iter().map(|change| format!("{} {}", change.source, change.target)).collect()
    };
    assert_eq!(names(&comparison.regressions), ["a amd64"]);
    assert_eq!(names(&comparison.repairs), ["b armhf"]);
    assert_eq!(names(&comparison.other_reasons), ["e arm64"]);
    assert_eq!(
        (comparison.added, comparison.removed),
        (vec!["new arm64".to_owned()], vec!["held arm64".to_owned()])
    );
}

#[test]
fn a_report_that_was_kept_is_the_same_report() {
    let report = everything().report();
    let kept: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(kept, report);
}

#[test]
fn the_page_has_all_of_it_and_nothing_of_it_is_markup() {
    let mut report = everything().report();
    report.against = Some(Comparison::new(&report, &report));
    let logs = HashMap::from([(9, "logs/9.txt".to_owned())]);
    let page = page(&report, &logs);
    std::fs::write(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html"), &page).unwrap();
    assert!(page.contains("href=\"logs/9.txt\""));
    assert!(page.contains("&lt;because&gt;") && !page.contains("<because>"));
    for word in ["dependencies", "accelerated+patience", "untested", "NaN", "inf"] {
        assert_eq!(page.contains(word), !["NaN", "inf"].contains(&word), "{word}");
    }
    assert!(text(&report).contains("0 regressions"));
}

#[test]
fn the_table_has_a_line_for_each_package() {
    let report = everything().report();
    let table = String::from_utf8(csv(&report).unwrap()).unwrap();
    assert_eq!(table.lines().count(), report.packages.len() + 1);
    assert!(table.contains("\"a is succeeded <because>, \"\"so\"\"\""), "{table}");
}

#[test]
fn a_farm_that_has_built_nothing_has_a_report_too() {
    let report = Made::default().report();
    assert!(page(&report, &HashMap::new()).contains("Failures"));
    assert!(text(&report).contains("0 packages"));
}
