//! Runs that are ended from outside, or that go on beside each other: nothing is lost and nothing is left.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

use crate::farm::{Farm, assert_no_cgroups_of, sandbox};
use crate::made::Tree;
use crate::support::Fault;
use crate::support::server::ALWAYS;

fn start(farm: &Farm, source: &str) -> Child {
    let out = farm.new_out();
    let mut command = farm.command(&["build", source, "--arch", "amd64", "--out", out.to_str().unwrap()]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Reads on until a line has `words` in it; gives the rest, which must be read on or the child would wait.
fn until<R: std::io::Read>(from: R, words: &str) -> BufReader<R> {
    let mut lines = BufReader::new(from);
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended before it said {words:?}");
    }
    lines
}

/// The exit code, once everything that it says is read.
fn code(
    mut child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<BufReader<ChildStderr>>,
) -> Option<i32> {
    let drain = |reader: &mut dyn std::io::Read| std::io::copy(reader, &mut std::io::sink());
    let errors = child.stderr.take();
    std::thread::scope(|scope| {
        scope.spawn(|| errors.map(|mut errors| drain(&mut errors)));
        scope.spawn(|| stderr.map(|mut errors| drain(&mut errors)));
        if let Some(mut output) = stdout {
            drain(&mut output).unwrap();
        }
        if let Some(mut output) = child.stdout.take() {
            drain(&mut output).unwrap();
        }
    });
    child.wait().unwrap().code()
}

#[test]
fn ctrl_c_and_sigterm_end_a_build_in_good_order() {
    if !sandbox("ctrl_c_and_sigterm") {
        return;
    }
    let farm = Farm::warm();
    let tree = Tree::new("sleeper", "echo now asleep; sleep 1000").write(&farm.work());
    for signal in [Signal::INT, Signal::TERM] {
        let mut child = start(&farm, &tree);
        let pid = child.id();
        let stdout = until(child.stdout.take().unwrap(), "now asleep");
        send(&child, signal);
        assert_eq!(code(child, Some(stdout), None), Some(130), "{signal:?}");
        farm.assert_nothing_left();
        assert_no_cgroups_of(pid);
    }
    // And the next build is none the worse for it.
    farm.build("greeting", &[]).succeeded();
}

#[test]
fn ctrl_c_while_the_root_is_made_leaves_nothing() {
    if !sandbox("ctrl_c_while_the_root_is_made") {
        return;
    }
    let farm = Farm::cold();
    for words in ["downloading packages", "unpacking", "installing"] {
        let mut child = start(&farm, "greeting");
        let pid = child.id();
        let stderr = until(child.stderr.take().unwrap(), words);
        send(&child, Signal::INT);
        assert_eq!(code(child, None, Some(stderr)), Some(130), "{words}");
        farm.assert_nothing_left();
        assert_no_cgroups_of(pid);
    }
    farm.build("greeting", &[]).succeeded();
}

#[test]
fn sigterm_is_heeded_while_a_server_does_not_answer() {
    if !sandbox("sigterm_while_a_server_does_not_answer") {
        return;
    }
    let farm = Farm::cold();
    for (stalled, words) in [("/InRelease", "reading package indexes"), ("/pool/", "downloading")] {
        farm.server.fault(stalled, ALWAYS, Fault::Stall);
        let mut child = start(&farm, "greeting");
        let stderr = until(child.stderr.take().unwrap(), words);
        std::thread::sleep(Duration::from_millis(300));
        let began = Instant::now();
        send(&child, Signal::TERM);
        assert_eq!(code(child, None, Some(stderr)), Some(130), "{stalled}");
        println!("{stalled}: ended after {:?}", began.elapsed());
        farm.assert_nothing_left();
        farm.server.mend();
    }
    farm.build("greeting", &[]).succeeded();
}

/// Moments of a cold build, in milliseconds, different in each run of the tests.
fn moments(count: u64, most: u64) -> Vec<u64> {
    let mut state = SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into();
    let mut next = || {
        state = u64::wrapping_mul(state, 6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn a_kill_at_any_moment_costs_no_more_than_the_work_of_that_run() {
    if !sandbox("a_kill_at_any_moment") {
        return;
    }
    let reference = Farm::warm().build("greeting", &[]).succeeded().packages();
    for round in 0..3 {
        let farm = Farm::cold();
        let mut moments = moments(4, 5000);
        moments.sort_unstable();
        println!("round {round}: killed after {moments:?} ms");
        for moment in &moments {
            let mut child = start(&farm, "greeting");
            let (stdout, stderr) =
                (child.stdout.take().map(BufReader::new), child.stderr.take().map(BufReader::new));
            std::thread::sleep(Duration::from_millis(*moment));
            // It may be through already; it is not waited for yet, so its id is still its own.
            let _ = kill_process(Pid::from_child(&child), Signal::KILL);
            let ended = code(child, stdout, stderr);
            assert!(ended.is_none() || ended == Some(0), "killed, or faster than that: {ended:?}");
        }
        let built = farm.build("greeting", &[]).succeeded();
        assert_eq!(built.packages(), reference);
        farm.assert_nothing_left();
    }
}

#[test]
fn two_at_once_with_one_empty_cache_both_build() {
    if !sandbox("two_at_once") {
        return;
    }
    let farm = Farm::cold();
    let (first, second) = std::thread::scope(|scope| {
        let build = || farm.build("greeting", &[]).succeeded().packages();
        let other = scope.spawn(build);
        (build(), other.join().unwrap())
    });
    assert_eq!(first, second);
    assert_eq!(first.len(), 2);
    farm.assert_nothing_left();
    // Each package was fetched once.
    for package in ["/dash_", "/libc6_", "/perl-base_"] {
        assert_eq!(farm.server.requests_of(package).len(), 1, "{package}");
    }
}
