//! CPU time by executable.

use std::time::Duration;

use archmill_sandbox::{Exit, Mount, MountSource, Status};

use crate::world::{World, command, run, script};

fn count_of(exit: &Exit, path: &str) -> (u64, Duration) {
    let found = exit.executables.iter().find(|usage| usage.path == path);
    found.map_or((0, Duration::ZERO), |usage| (usage.count, usage.cpu))
}

/// Burns about a tenth of a second.
const BURN: &str = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";

fn every_process_is_counted_and_times_add_up_to_the_total() {
    let mut sandbox = World::new().start();
    let text = format!(
        "cp /bin/busybox /tmp/busybox; i=0; while [ $i -lt 200 ]; do /tmp/busybox true; i=$((i+1)); done; /tmp/busybox sh -c '{BURN}'; {BURN}"
    );
    let (exit, text) = run(&mut sandbox, &script(&text));
    assert_eq!(exit.status, Status::Exited(0), "{text}");
    let total = exit.cpu_user + exit.cpu_system;
    assert_eq!(count_of(&exit, "/tmp/busybox").0, 201, "{exit:?}");
    let sum: Duration = exit.executables.iter().map(|usage| usage.cpu).sum();
    assert!(sum.abs_diff(total) < total / 10 + Duration::from_millis(20), "{sum:?} of {total:?}");
    let named: Duration =
        exit.executables.iter().filter(|usage| usage.path.starts_with('/')).map(|usage| usage.cpu).sum();
    assert!(named > total / 2, "{named:?} of {total:?} have a name");
}

fn a_script_is_counted_as_its_interpreter() {
    let mut sandbox = World::new().start();
    sandbox.write("/tmp/script", b"#!/bin/busybox sh\nexit 0\n", 0o755, (0, 0)).unwrap();
    let (exit, _) = run(&mut sandbox, &command(&["/tmp/script"]));
    assert_eq!(exit.status, Status::Exited(0));
    assert_eq!(count_of(&exit, "/bin/busybox").0, 1, "{exit:?}");
    assert!(exit.executables.iter().all(|usage| usage.native || usage.path.starts_with('(')), "{exit:?}");
}

fn what_was_killed_is_in_the_rest() {
    let mut sandbox = World::new().start();
    let text = "cp /bin/busybox /tmp/busybox; /tmp/busybox sh -c 'while :; do :; done' & sleep 2; kill -9 $!; wait; exit 0";
    let (exit, _) = run(&mut sandbox, &script(text));
    assert_eq!(count_of(&exit, "/tmp/busybox").0, 0);
    assert!(count_of(&exit, "(others, killed or not seen)").1 > Duration::from_millis(20), "{exit:?}");
}

fn a_thread_that_ends_the_process_is_counted_with_the_time_of_all() {
    let mut world = World::with_gain_root();
    let from = std::env::current_exe().unwrap();
    world
        .spec
        .mounts
        .push(Mount { target: "host/it".into(), source: MountSource::Bind { from, writable: false } });
    let mut sandbox = world.start();
    let (exit, text) = run(&mut sandbox, &command(&["/host/it", "--exit-from-a-thread"]));
    assert_eq!(exit.status, Status::Exited(4), "{text}");
    let (count, cpu) = count_of(&exit, "/host/it");
    assert_eq!(count, 1, "{exit:?}");
    assert!(cpu > Duration::from_millis(250), "{cpu:?}");
}

/// In the sandbox: several threads burn time, and one that is not the first ends the process.
pub(crate) fn exit_from_a_thread() -> std::process::ExitCode {
    let burn = || {
        use rustix::time::{ClockId, clock_gettime};
        while clock_gettime(ClockId::ThreadCPUTime).tv_nsec < 300_000_000 {}
    };
    std::thread::spawn(burn).join().unwrap();
    let _ = std::thread::spawn(move || {
        burn();
        std::process::exit(4)
    })
    .join();
    std::process::ExitCode::FAILURE
}

fn what_runs_as_root_is_counted_too() {
    let mut sandbox = World::with_gain_root().start();
    let text = "cp /bin/busybox /tmp/busybox; for i in 1 2 3; do gain-root sh -c '/tmp/busybox true; /tmp/busybox true'; done";
    let (exit, text) = run(&mut sandbox, &script(text));
    assert_eq!(exit.status, Status::Exited(0), "{text}");
    assert_eq!(count_of(&exit, "/tmp/busybox").0, 6, "{exit:?}");
}

fn without_it_nothing_is_listed() {
    let mut world = World::new();
    world.spec.account_executables = false;
    let (exit, _) = run(&mut world.start(), &script("true"));
    assert_eq!(exit.executables, []);
}

crate::tests![
    every_process_is_counted_and_times_add_up_to_the_total,
    a_script_is_counted_as_its_interpreter,
    what_was_killed_is_in_the_rest,
    a_thread_that_ends_the_process_is_counted_with_the_time_of_all,
    what_runs_as_root_is_counted_too,
    without_it_nothing_is_listed,
];
