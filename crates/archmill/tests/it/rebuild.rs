//! Rebuilds: what is built, what is not built again, and what becomes of one that is killed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use crate::farm::{Farm, sandbox};
use crate::made::{Tree, publish};
use crate::run::said;

/// A farm with a state of its own.
struct Rebuilds {
    farm: Farm,
}

impl Rebuilds {
    fn of(trees: &[Tree<'_>]) -> Self {
        let farm = Farm::warm();
        // What came to nothing is tried again at once: nobody is waited for here.
        farm.configure("[farm.retry]\nfirst = \"1s\"\nlongest = \"1s\"\n");
        publish(&farm.recorded, trees);
        Self { farm }
    }

    fn state(&self) -> PathBuf {
        self.farm.work().join("state")
    }

    /// A command about the state.
    fn ask(&self, words: &[&str]) -> Output {
        let state = self.state().display().to_string();
        self.farm.run(&[words, &["--state", &state]].concat())
    }

    fn rebuild(&self, packages: &[&str]) -> Output {
        self.ask(&[&["rebuild", "--arch", "amd64", "--slots", "2"], packages].concat())
    }

    /// One that goes on while the test does.
    fn begin(&self, packages: &[&str]) -> Child {
        let state = self.state().display().to_string();
        let words = [&["rebuild", "--arch", "amd64", "--slots", "2", "--state", &state], packages].concat();
        let mut command = self.farm.command(&words);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// State and class of each package.
    fn states(&self) -> BTreeMap<String, (String, Option<String>)> {
        let output = self.ask(&["status", "--json"]);
        assert!(output.status.success(), "{}", said(&output));
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let of = |row: &Value| {
            (text(&row["source"]).unwrap(), (text(&row["state"]).unwrap(), text(&row["class"])))
        };
        status["packages"].as_array().unwrap().iter().map(of).collect()
    }

    /// The results of a package's builds, in order.
    fn builds(&self, package: &str) -> Vec<String> {
        let output = self.ask(&["status", package, "--json"]);
        let packages: Value = serde_json::from_slice(&output.stdout).unwrap();
        let builds = packages[0]["builds"].as_array().unwrap();
        builds.iter().map(|build| build["result"].as_str().unwrap_or("running").to_owned()).collect()
    }

    /// The kept records of a package's builds.
    fn records(&self, package: &str) -> Vec<Value> {
        let output = self.ask(&["status", package, "--json"]);
        let packages: Value = serde_json::from_slice(&output.stdout).unwrap();
        let builds = packages[0]["builds"].as_array().unwrap();
        let files = builds.iter().flat_map(|build| build["files"].as_array().unwrap());
        let record = |file: &Value| {
            let sha256 = file["sha256"].as_str().unwrap();
            serde_json::from_slice(
                &fs::read(self.state().join("blobs").join(&sha256[..2]).join(sha256)).unwrap(),
            )
        };
        files.filter(|file| file["name"] == "build-record.json").map(|file| record(file).unwrap()).collect()
    }

    /// The folders of builds that run.
    fn folders(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state().join("builds")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn state(name: &str, class: Option<&str>) -> (String, Option<String>) {
    (name.to_owned(), class.map(str::to_owned))
}

#[test]
fn each_package_comes_to_an_end_and_is_not_built_again() {
    if !sandbox("each_package_comes_to_an_end") {
        return;
    }
    let rebuilds = Rebuilds::of(&[
        Tree::new("good", "true"),
        Tree::new("bad", "echo not today; exit 3"),
        Tree { needs: "no-such-package", ..Tree::new("lonely", "true") },
        Tree::new("gone", "true"),
    ]);
    fs::remove_file(rebuilds.farm.recorded.pool("gone_1.0.tar.xz")).unwrap();
    let all = ["greeting", "good", "bad", "lonely", "gone"];
    let output = rebuilds.rebuild(&all);
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
    let states = rebuilds.states();
    let of = |name: &str| states[name].clone();
    assert_eq!(of("greeting"), state("succeeded", None));
    assert_eq!(of("good"), state("succeeded", None));
    assert_eq!(of("bad"), state("failed", Some("build")));
    assert_eq!(of("lonely"), state("unresolvable", Some("dependencies")));
    assert_eq!(of("gone"), state("failed", Some("source-missing")));
    assert_eq!(rebuilds.builds("lonely"), [""; 0]);

    let again = rebuilds.rebuild(&all);
    assert!(String::from_utf8_lossy(&again.stdout).contains("; 0 builds in this run"), "{again:?}");
    assert_eq!(rebuilds.states(), states);

    let log = rebuilds.ask(&["log", "bad"]);
    assert!(String::from_utf8_lossy(&log.stdout).contains("not today"), "{log:?}");
    let nothing = rebuilds.ask(&["log", "lonely"]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(said(&nothing).contains("there is no build of lonely"), "{}", said(&nothing));

    let out = rebuilds.farm.work().join("results");
    let results = rebuilds.ask(&["results", "good", "--out", out.to_str().unwrap()]);
    assert!(results.status.success(), "{}", said(&results));
    assert!(out.join("good_1.0_amd64.deb").is_file() && out.join("build-record.json").is_file());
    let listed = answered(&rebuilds.ask(&["results", "good", "--arch", "amd64"]));
    assert!(listed.contains(" good_1.0_amd64.deb\n"), "{listed}");
    let nothing = rebuilds.ask(&["results", "bad"]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(said(&nothing).contains("there is no build that succeeded of bad"), "{}", said(&nothing));

    // Only what is given back is built again.
    assert!(rebuilds.ask(&["give-back", "bad"]).status.success());
    rebuilds.rebuild(&all);
    assert_eq!(rebuilds.builds("bad"), ["failed", "failed"]);
    assert_eq!(rebuilds.builds("good"), ["built"]);

    // What goes in has changed: that alone is built again.
    publish(&rebuilds.farm.recorded, &[Tree::new("late", "true")]);
    fs::write(rebuilds.farm.recorded.file("pool/main/t/test/gone_1.0.tar.xz"), "x").unwrap();
    rebuilds.farm.age_metadata();
    let more = rebuilds.rebuild(&[&all[..], &["late"]].concat());
    assert!(String::from_utf8_lossy(&more.stdout).contains("; 1 builds in this run"), "{more:?}");
    rebuilds.farm.assert_nothing_left();
}

fn answered(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_report_tells_what_came_of_it_and_what_changed() {
    if !sandbox("a_report_tells") {
        return;
    }
    let rebuilds = Rebuilds::of(&[Tree::new("good", "true"), Tree::new("bad", "echo not today; exit 3")]);
    let nowhere = rebuilds.ask(&["report"]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", said(&nowhere));
    rebuilds.rebuild(&["good", "bad"]);
    let page = rebuilds.farm.work().join("page");
    let output = rebuilds.ask(&["report", "--html", page.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    let html = fs::read_to_string(page.join("index.html")).unwrap();
    let log = html.split("href=\"").find_map(|rest| rest.strip_prefix("logs/")?.split('"').next());
    let log = fs::read_to_string(page.join("logs").join(log.unwrap())).unwrap();
    assert!(log.contains("not today"), "{log}");
    assert_eq!(fs::read_to_string(page.join("packages.csv")).unwrap().lines().count(), 3);
    let kept: Value = serde_json::from_slice(&fs::read(page.join("report.json")).unwrap()).unwrap();
    assert_eq!(kept["cells"][0]["outcomes"], serde_json::json!({ "built": 1, "failed": 1 }));

    let against = page.join("report.json");
    let output = rebuilds.ask(&["report", "--against", against.to_str().unwrap()]);
    assert!(answered(&output).contains("0 regressions, 0 repairs"), "{output:?}");
    let worse = rebuilds.farm.work().join("worse.json");
    let text = kept.to_string().replace("\"outcome\":\"built\"", "\"outcome\":\"failed\"");
    fs::write(&worse, text).unwrap();
    let output = rebuilds.ask(&["report", "--against", worse.to_str().unwrap()]);
    assert!(answered(&output).contains("good amd64 is built again"), "{output:?}");
    fs::write(&worse, "{}").unwrap();
    let output = rebuilds.ask(&["report", "--against", worse.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("is no report"), "{}", said(&output));

    // A simulation that takes its world from these records.
    let simulated = rebuilds.farm.work().join("simulated.toml");
    let farm = "[farm]\n[[farm.component]]\nname = \"all\"\narchitectures = [\"amd64\"]\nmade-up = 50\n\
                [farm.machines.x86_64]\nslots = 2\n";
    fs::write(&simulated, farm).unwrap();
    let state = rebuilds.state().display().to_string();
    let output = rebuilds.farm.run(&["simulate", simulated.to_str().unwrap(), "--from", &state]);
    assert!(
        answered(&output).contains("from 2 builds of 1 sources: 0 of these jobs as they were"),
        "{output:?}"
    );
    assert!(answered(&output).contains("failed 2"), "half of what was built failed: {output:?}");
    let output = rebuilds.farm.run(&["simulate", simulated.to_str().unwrap(), "--from", "/nowhere"]);
    assert_eq!(output.status.code(), Some(2));

    let times = rebuilds.farm.work().join("times.csv");
    for (lines, code, words) in [
        ("package,architecture,seconds\ngood,arm64,12.5\n", 0, "1 times"),
        ("package,architecture,seconds\ngood,arm65,12.5\n", 2, "line 2"),
        ("package,seconds\ngood,12.5\n", 2, "names the columns"),
    ] {
        fs::write(&times, lines).unwrap();
        let output = rebuilds.ask(&["import-times", times.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        let all = said(&output) + &answered(&output);
        assert!(all.contains(words), "{all}");
    }
}

#[test]
fn held_packages_wait_and_requests_have_to_fit() {
    if !sandbox("held_packages_wait") {
        return;
    }
    let rebuilds = Rebuilds::of(&[Tree::new("good", "true"), Tree::new("second", "true")]);
    let nowhere = rebuilds.ask(&["hold", "good"]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", said(&nowhere));
    assert!(rebuilds.rebuild(&["good"]).status.success());
    let unknown = rebuilds.ask(&["give-back", "second"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(said(&unknown).contains("has no second"), "{}", said(&unknown));
    assert!(rebuilds.ask(&["hold", "good", "--reason", "the moon is full"]).status.success());
    assert!(rebuilds.ask(&["give-back", "good"]).status.success());
    rebuilds.rebuild(&["good", "second"]);
    assert_eq!(rebuilds.builds("good"), ["built"]);
    let status = rebuilds.ask(&["status", "good"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("locked") && status.contains("the moon is full"), "{status}");
    assert!(rebuilds.ask(&["release", "good", "--arch", "amd64"]).status.success());
    assert!(rebuilds.rebuild(&["good", "second"]).status.success());
    assert_eq!(rebuilds.builds("good"), ["built"], "it had succeeded before it was held");
}

#[test]
fn whoever_may_not_write_can_read_what_is_known() {
    if !sandbox("whoever_may_not_write_can_read") {
        return;
    }
    let rebuilds = Rebuilds::of(&[Tree::new("good", "true"), Tree::new("bad", "exit 3")]);
    rebuilds.rebuild(&["good", "bad"]);
    assert!(rebuilds.ask(&["hold", "good"]).status.success());
    let text = |words: &[&str]| answered(&rebuilds.ask(words));
    assert!(text(&["status"]).contains("asked for and not taken up yet: hold"), "{}", text(&["status"]));
    let failed = text(&["status", "--failed"]);
    assert!(failed.contains("bad amd64: failed") && !failed.contains("good"), "{failed}");
    let several = text(&["status", "bad", "good", "--arch", "amd64"]);
    assert!(several.contains("good 1.0") && several.contains("bad 1.0"), "{several}");
    assert_eq!(rebuilds.ask(&["log", "nosuch"]).status.code(), Some(2));

    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED (privilege): whoever_may_not_write_can_read_what_is_known; it needs root");
        return;
    }
    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let state = open.path().join("state");
    let copied = Command::new("cp").arg("-r").arg(rebuilds.state()).arg(&state).status().unwrap();
    assert!(copied.success());
    let config = open.path().join("farm.toml");
    fs::write(&config, "").unwrap();
    // Where the tests are may be closed to others.
    let program = open.path().join("archmill");
    fs::copy(env!("CARGO_BIN_EXE_archmill"), &program).unwrap();
    let as_nobody = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.args(words).arg("--state").arg(&state).arg("--config").arg(&config);
        command.uid(65534).gid(65534).current_dir(open.path()).output().unwrap()
    };
    for words in [&["status"][..], &["status", "good"], &["report"], &["log", "good"], &["results", "good"]] {
        let output = as_nobody(words);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
        assert!(!output.stdout.is_empty(), "{words:?}");
    }
    let output = as_nobody(&["hold", "good"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("Permission denied"), "{}", said(&output));
}

#[test]
fn only_one_drives_a_farm_and_what_it_left_running_is_adopted() {
    if !sandbox("what_it_left_running_is_adopted") {
        return;
    }
    let rebuilds = Rebuilds::of(&[Tree::new("slow", "sleep 4")]);
    let mut first = rebuilds.begin(&["slow"]);
    until(|| rebuilds.folders().iter().any(|folder| folder.join("output").is_file()));
    let second = rebuilds.rebuild(&["slow"]);
    assert_ne!(second.status.code(), Some(0));
    assert!(said(&second).contains("another archmill"), "{}", said(&second));
    kill_process(Pid::from_child(&first), Signal::KILL).unwrap();
    first.wait().unwrap();
    assert_eq!(rebuilds.builds("slow"), ["running"]);
    let third = rebuilds.rebuild(&["slow"]);
    assert!(third.status.success(), "{}", said(&third));
    assert!(said(&third).contains("slow 1.0 amd64 is still being built"), "{}", said(&third));
    assert_eq!(rebuilds.builds("slow"), ["built"]);
}

/// The farm is killed at 50 moments, and every third time one of its builds or all of them, too.
#[test]
fn nothing_is_lost_and_nothing_repeated_whenever_what_is_killed() {
    const KILLS: u32 = 50;
    if !sandbox("nothing_is_lost_and_nothing_repeated") {
        return;
    }
    let names: Vec<String> = (0..24).map(|number| format!("package{number}")).collect();
    let trees: Vec<Tree<'_>> = names.iter().map(|name| Tree::new(name, "sleep 0.2")).collect();
    let rebuilds = Rebuilds::of(&trees);
    let packages: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut random = rand::rngs::StdRng::seed_from_u64(5);
    let mut cut_short = 0;
    for kill in 0..KILLS {
        let mut child = rebuilds.begin(&packages);
        let moment = Instant::now() + Duration::from_millis(random.gen_range(0..1500));
        while Instant::now() < moment && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        cut_short += u32::from(child.try_wait().unwrap().is_none());
        // Before the farm, which sees it then, or after.
        let before = random.gen_bool(0.5);
        let builds = |share: f64, random: &mut rand::rngs::StdRng| {
            for folder in rebuilds.folders() {
                let pid = fs::read_to_string(folder.join("pid")).unwrap_or_default();
                if let (Ok(pid), true) = (pid.trim().parse(), runs(&folder) && random.gen_bool(share)) {
                    let _ = kill_process_group(Pid::from_raw(pid).unwrap(), Signal::KILL);
                }
            }
        };
        let share = if kill % 6 == 0 { 1.0 } else { 0.5 };
        if kill % 3 == 0 && before {
            builds(share, &mut random);
        }
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        child.wait().unwrap();
        if kill % 3 == 0 && !before {
            builds(share, &mut random);
        }
    }
    println!("{cut_short} of {KILLS} kills met a rebuild that was not done");
    let last = rebuilds.rebuild(&packages);
    assert!(last.status.success(), "{}", said(&last));
    // What the farm says, and what it kept of builds.
    assert!(rebuilds.folders().is_empty());
    let mut records: BTreeMap<String, u32> = BTreeMap::new();
    for name in &packages {
        for record in rebuilds.records(name) {
            if record["outcome"]["status"] == "successful" {
                *records
                    .entry(record["inputs"]["source"]["package"].as_str().unwrap().to_owned())
                    .or_default() += 1;
            }
        }
    }
    let states = rebuilds.states();
    for name in &packages {
        assert_eq!(states[*name], state("succeeded", None), "{name}");
        assert_eq!(records.get(*name), Some(&1), "{name}");
        let mut builds = rebuilds.builds(name);
        assert_eq!(builds.pop().as_deref(), Some("built"), "{name}");
        assert!(builds.iter().all(|end| end == "lost" || end == "transient"), "{name}: {builds:?}");
    }
    let again = rebuilds.rebuild(&packages);
    assert!(String::from_utf8_lossy(&again.stdout).contains("; 0 builds in this run"), "{again:?}");
    rebuilds.farm.assert_nothing_left();
}

/// Whether a build runs: the number of a process that is gone may be another's by now.
fn runs(folder: &Path) -> bool {
    let output = fs::File::open(folder.join("output"));
    output.is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err())
}

fn until(condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < end, "it did not come to that in a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}
