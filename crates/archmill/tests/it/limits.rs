//! Each limit ends a build with its own outcome, and nothing of the build goes on.

use crate::farm::{Farm, sandbox};
use crate::made::Tree;

fn over(limit: &str, options: &[&str], build: &str) {
    if !sandbox(limit) {
        return;
    }
    let farm = Farm::warm();
    let tree = Tree::new("greedy", build).write(&farm.work());
    let class = format!("{{\"limit\":\"{limit}\"}}");
    farm.build(&tree, options).failed(8, &[limit]).recorded(&class, "attempted");
    farm.assert_nothing_left();
}

#[test]
fn time() {
    over("time", &["--max-time", "4s"], "while :; do echo busy; sleep 1; done");
}

#[test]
fn silence() {
    over("silence", &["--max-silence", "4s"], "sleep 1000");
}

#[test]
fn memory() {
    over("memory", &["--max-memory", "100M"], "perl -e '$$all = \"a\" x (1 << 30); sleep 1000'");
}

#[test]
fn processes() {
    over("processes", &["--max-processes", "40"], "for n in $$(seq 200); do sleep 1000 & done; wait");
}

#[test]
fn disk() {
    over("disk", &["--max-disk", "40M"], "head -c 300000000 /dev/zero > big; sleep 1000");
}

#[test]
fn log() {
    over("log", &["--max-log", "200K"], "yes");
    if !sandbox("log") {
        return;
    }
    let farm = Farm::warm();
    let tree = Tree::new("greedy", "yes").write(&farm.work());
    let log = farm.build(&tree, &["--max-log", "200K"]).failed(8, &["(--max-log 200K)"]).log();
    let (output, _) = log.split_once("\nE: dpkg-buildpackage: ended by the limit on log size").unwrap();
    let (_, output) = output.split_once("Command: dpkg-buildpackage").unwrap();
    let output = output.split_once('\n').unwrap().1.len();
    // That, and what archmill says of the end.
    assert!((200 << 10..201 << 10).contains(&output), "{output}");
}

#[test]
fn a_build_within_its_limits_is_built() {
    if !sandbox("a_build_within_its_limits") {
        return;
    }
    let farm = Farm::warm();
    let tree = Tree::new("modest", "head -c 1000000 /dev/zero > small").write(&farm.work());
    let limits = [
        ["--max-time", "10m"],
        ["--max-silence", "10m"],
        ["--max-memory", "500M"],
        ["--max-processes", "200"],
        ["--max-disk", "100M"],
        ["--max-log", "1M"],
    ];
    farm.build(&tree, &limits.concat()).succeeded();
}

#[test]
fn limits_of_the_file_count_unless_options_say_otherwise() {
    if !sandbox("limits_of_the_file") {
        return;
    }
    let farm = Farm::warm();
    farm.configure("[limits]\nsilence = \"4s\"\n");
    let tree = Tree::new("slow", "sleep 8").write(&farm.work());
    farm.build(&tree, &[]).failed(8, &["silence"]);
    farm.build(&tree, &["--max-silence", "10m"]).succeeded();
}
