//! A cache on a disk that gets full: what leaves it, and that no build misses what left.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::farm::{Farm, sandbox};
use crate::made::Tree;
use crate::run::said;

/// More than any disk has.
const ALL: [&str; 2] = ["--cache-keep-free", "1000000T"];

/// As if nothing in the cache had been used for a day.
fn age(farm: &Farm) {
    let day_ago = SystemTime::now() - Duration::from_hours(24);
    for folder in ["layers", "unpacked", "pool", "sources", "lists/by-hash", "universes", "failed"] {
        for entry in fs::read_dir(farm.cache().join(folder)).into_iter().flatten().flatten() {
            let inner = fs::read_dir(entry.path()).into_iter().flatten().flatten();
            let inner = inner.filter(|_| folder == "pool").map(|inner| inner.path());
            for path in inner.chain([entry.path()]) {
                fs::File::open(path).unwrap().set_modified(day_ago).unwrap();
            }
        }
    }
}

/// What there is, but for locks and folders that have nothing in them.
fn count(farm: &Farm, folder: &str) -> usize {
    let entries = fs::read_dir(farm.cache().join(folder)).into_iter().flatten().flatten();
    let empty = |path: &Path| fs::read_dir(path).is_ok_and(|mut inner| inner.next().is_none());
    let lock = |path: &Path| path.extension().is_some_and(|ending| ending == "lock");
    entries.filter(|entry| !lock(&entry.path()) && !empty(&entry.path())).count()
}

/// Roots, in part or whole.
fn layers(farm: &Farm) -> usize {
    let entries = fs::read_dir(farm.cache().join("layers")).unwrap().flatten();
    entries.filter(|entry| entry.path().join("layer.json").is_file()).count()
}

fn reused(record: &serde_json::Value) -> bool {
    let phases = record["phases"].as_array().unwrap();
    phases.iter().any(|phase| phase["reused"].as_array().is_some_and(|parts| !parts.is_empty()))
}

#[test]
fn what_was_not_used_for_longest_makes_room_and_is_made_again() {
    if !sandbox("what_was_not_used_for_longest") {
        return;
    }
    let farm = Farm::warm();
    let before = farm.build("greeting", &[]).succeeded();
    assert!(reused(&before.record()));
    // All of it is new: a build that finds the disk too full takes nothing from the next one.
    let full = farm.build("greeting", &ALL).succeeded();
    assert!(reused(&full.record()));
    age(&farm);
    // What this one needs it uses, and what greeting needs besides goes.
    let tree = Tree::new("plain", "true").write(&farm.work());
    let other = farm.build(&tree, &ALL).succeeded();
    assert!(reused(&other.record()) && layers(&farm) == 1);
    assert!(other.said().contains("has less room than it should have"), "{}", other.said());
    let again = farm.build("greeting", &[]).succeeded();
    assert_eq!(again.packages(), before.packages());
    farm.assert_nothing_left();
}

#[test]
fn what_a_build_works_with_stays_until_it_has_ended() {
    if !sandbox("what_a_build_works_with") {
        return;
    }
    let farm = Farm::warm();
    let tree = Tree::new("sleeper", "echo now asleep\nsleep 5\ndpkg-deb --version").write(&farm.work());
    let out = farm.new_out();
    let mut command = farm.command(&["build", &tree, "--arch", "amd64", "--out", out.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("now asleep")));
    age(&farm);
    let cleared = farm.run(&["cache", "--clear"]);
    assert!(cleared.status.success(), "{}", said(&cleared));
    // The base and what greeting needs of it; the latter nobody works with.
    assert_eq!(layers(&farm), 1);
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
    let cleared = farm.run(&["cache", "--clear"]);
    let told = String::from_utf8_lossy(&cleared.stdout).into_owned();
    assert!(cleared.status.success() && told.contains("layers of roots: 1"), "{told}{}", said(&cleared));
    // Not tables of indices: other tests' caches have the very same files, and use them.
    for folder in ["layers", "unpacked", "pool", "sources"] {
        assert_eq!(count(&farm, folder), 0, "{folder}");
    }
    farm.build("greeting", &[]).succeeded();
    farm.assert_nothing_left();
}

#[test]
fn the_root_of_a_failed_build_stays_whole_as_long_as_it_is_kept() {
    if !sandbox("the_root_of_a_failed_build") {
        return;
    }
    let farm = Farm::warm();
    let tree = Tree::new("broken", "false").write(&farm.work());
    farm.build(&tree, &[]).failed(6, &[]);
    age(&farm);
    let kept = fs::File::open(farm.cache().join("failed/broken_amd64")).unwrap();
    kept.set_modified(SystemTime::now()).unwrap();
    let cleared = farm.run(&["cache", "--unused-for", "2h"]);
    assert!(cleared.status.success(), "{}", said(&cleared));
    let debugged = farm.run(&["debug", "broken", "--", "true"]);
    assert!(debugged.status.success(), "{}", said(&debugged));
    age(&farm);
    farm.run(&["cache", "--unused-for", "2h"]);
    let debugged = farm.run(&["debug", "broken", "--", "true"]);
    assert!(said(&debugged).contains("there is no such failed build"), "{}", said(&debugged));
}

#[test]
fn what_a_cache_holds_is_told() {
    if !sandbox("what_a_cache_holds") {
        return;
    }
    let farm = Farm::warm();
    let told = farm.run(&["cache"]);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.success(), "{}", said(&told));
    for words in ["layers of roots", "unpacked packages", "toolchains", "together"] {
        assert!(text.contains(words), "{text}");
    }
    let none = farm.run(&["cache", "--cache", "nowhere"]);
    assert!(said(&none).contains("there is no cache nowhere"), "{}", said(&none));
    assert_eq!(none.status.code(), Some(2));
    for wrong in [["--cache-keep-free", "much"], ["--unused-for", "long"]] {
        let refused = farm.run(&[&["cache"][..], &wrong[..]].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains(wrong[0]), "{}", said(&refused));
    }
}
