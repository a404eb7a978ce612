//! Each limit ends a command with its own name, whether the kernel counts or the supervisor.

use std::time::{Duration, Instant};

use archmill_sandbox::{Command, Exit, LimitKind, Limits, Status, Upper};

use crate::world::{World, output, root_script, run, script};

fn ended_by(kind: LimitKind, world: &World, command: Command, limits: Limits) -> Exit {
    let mut sandbox = world.start();
    let began = Instant::now();
    let command = Command { limits, ..command };
    let (exit, text) = run(&mut sandbox, &command);
    let text: String = text.chars().take(2000).collect();
    assert_eq!(exit.status, Status::Limit(kind), "with {}: {text}", sandbox.accounting());
    assert!(began.elapsed() < Duration::from_secs(600), "{:?}", began.elapsed());
    assert_eq!(
        output(&mut sandbox, &script("echo next")),
        "next\n",
        "another command runs as if nothing was"
    );
    exit
}

/// With control groups where there are any, and without.
fn both(kind: LimitKind, command: &Command, limits: &Limits) {
    ended_by(kind, &World::new(), command.clone(), limits.clone());
    ended_by(kind, &World::new().without_cgroups(), command.clone(), limits.clone());
}

fn total_time_is_limited_though_there_is_output() {
    let limits = Limits { total: Some(Duration::from_secs(2)), ..Limits::default() };
    both(LimitKind::Total, &script("while :; do echo x; sleep 0.1; done"), &limits);
}

fn time_without_output_is_limited() {
    let limits = Limits { silence: Some(Duration::from_secs(2)), ..Limits::default() };
    let began = Instant::now();
    both(LimitKind::Silence, &script("for i in 1 2 3; do echo x; sleep 1; done; sleep 1000"), &limits);
    assert!(began.elapsed() > Duration::from_secs(8), "it spoke for three seconds, and was silent for two");
}

fn output_is_limited() {
    let limits = Limits { log: Some(1 << 20), ..Limits::default() };
    both(LimitKind::Log, &script("yes"), &limits);
}

fn memory_is_limited() {
    let limits = Limits { memory: Some(200 << 20), ..Limits::default() };
    both(
        LimitKind::Memory,
        &script("awk 'BEGIN { s = \"x\"; while (1) s = s s }'; sleep 1; echo on"),
        &limits,
    );
}

fn memory_of_many_small_processes_is_limited() {
    let limits = Limits { memory: Some(200 << 20), ..Limits::default() };
    let one = "awk 'BEGIN { s = \"x\"; while (length(s) < 20000000) s = s s; system(\"sleep 20\") }'";
    let many = format!("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do {one} & done; wait");
    both(LimitKind::Memory, &script(&many), &limits);
}

fn a_fork_bomb_is_ended() {
    let limits = Limits { processes: Some(100), ..Limits::default() };
    // Its shells end when they cannot fork any more; most of what they started stays, so that it is seen at any time.
    let bomb = "b() { sleep 1000 & sleep 1000 & sleep 1000 & b | b; }; b & sleep 1000";
    both(LimitKind::Processes, &script(bomb), &limits);
    // Also one of root, who changes the user for each process.
    let hopping = "n=1; while [ $n -lt 3000 ]; do echo u$n:x:$n:$n::/:/bin/sh >>/etc/passwd; su u$n -c 'sleep 1000' & n=$((n+1)); done; sleep 1000";
    both(LimitKind::Processes, &root_script(hopping), &limits);
}

fn disk_space_is_limited_wherever_it_is_written() {
    let limits = Limits { disk: Some(50 << 20), ..Limits::default() };
    both(LimitKind::Disk, &script("cat /dev/zero >/build/../tmp/big"), &limits);
    let hidden = "mkdir -p /var/lib/hidden && i=0; while :; do head -c 1000000 /dev/zero >/var/lib/hidden/$i; i=$((i+1)); done";
    ended_by(LimitKind::Disk, &World::new(), root_script(hidden), limits.clone());
    ended_by(LimitKind::Disk, &World::new(), script("cat /dev/zero >/dev/shm/big; sleep 100"), limits);
}

fn disk_space_of_deep_trees_and_of_files_without_a_name_counts() {
    let limits = Limits { disk: Some(50 << 20), ..Limits::default() };
    let deep =
        "cd /tmp; i=0; while [ $i -lt 300 ]; do mkdir deep; cd deep; i=$((i+1)); done; cat /dev/zero >big";
    ended_by(LimitKind::Disk, &World::new(), script(deep), limits.clone());
    let unlinked = "exec 3>/tmp/f; rm /tmp/f; cat /dev/zero | head -c 400000000 >&3; sleep 1000";
    ended_by(LimitKind::Disk, &World::new(), script(unlinked), limits);
}

fn a_fast_writer_into_memory_is_ended_by_the_limit_and_not_for_want_of_space() {
    for _ in 0..3 {
        let mut world = World::new();
        world.spec.root.upper = Upper::memory_above(32 << 20, Vec::new());
        let limits = Limits { disk: Some(32 << 20), ..Limits::default() };
        ended_by(LimitKind::Disk, &world, script("cat /dev/zero >/tmp/big"), limits);
    }
}

fn hard_links_are_counted_once_and_what_fits_is_let_through() {
    let mut sandbox = World::new().start();
    let text =
        "cd /tmp; head -c 30000000 /dev/zero >big; for i in 1 2 3 4 5; do ln big link$i; done; sleep 1";
    let limits = Limits { disk: Some(50 << 20), ..Limits::default() };
    assert_eq!(run(&mut sandbox, &Command { limits, ..script(text) }).0.status, Status::Exited(0));
}

fn a_limit_on_disk_space_holds_when_the_command_ends_before_anybody_looked() {
    let limits = Limits { disk: Some(1 << 20), ..Limits::default() };
    both(LimitKind::Disk, &script("head -c 3000000 /dev/zero >/tmp/small"), &limits);
}

fn the_peak_of_memory_is_that_of_one_command() {
    for world in [World::new(), World::new().without_cgroups()] {
        let mut sandbox = world.start();
        let text = "awk 'BEGIN { s = \"x\"; while (length(s) < 60000000) s = s s; system(\"sleep 1\") }'";
        let (large, _) = run(&mut sandbox, &script(text));
        assert!(large.peak_memory > 60 << 20, "{}: {}", sandbox.accounting(), large.peak_memory);
        let (small, _) = run(&mut sandbox, &script("sleep 1"));
        assert!(small.peak_memory < 40 << 20, "{}: {}", sandbox.accounting(), small.peak_memory);
    }
}

crate::tests![
    total_time_is_limited_though_there_is_output,
    time_without_output_is_limited,
    output_is_limited,
    memory_is_limited,
    memory_of_many_small_processes_is_limited,
    a_fork_bomb_is_ended,
    disk_space_is_limited_wherever_it_is_written,
    disk_space_of_deep_trees_and_of_files_without_a_name_counts,
    a_fast_writer_into_memory_is_ended_by_the_limit_and_not_for_want_of_space,
    hard_links_are_counted_once_and_what_fits_is_let_through,
    a_limit_on_disk_space_holds_when_the_command_ends_before_anybody_looked,
    the_peak_of_memory_is_that_of_one_command,
];
