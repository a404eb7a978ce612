//! Control groups of sandboxes, where this host has any for us.

use std::path::PathBuf;

use crate::world::{World, output, root_script, script};

/// Groups that a process made and that are still there, wherever hierarchies are mounted.
pub(crate) fn of_maker(pid: u32) -> Vec<PathBuf> {
    let start = format!("{pid}-");
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if folder.ends_with("archmill") && entry.file_name().to_string_lossy().starts_with(&start) {
                found.push(entry.path());
            }
            pending.push(entry.path());
        }
    }
    found
}

fn a_sandbox_has_groups_of_its_own_which_go_with_it() {
    let world = World::new();
    let mut sandbox = world.start();
    if sandbox.accounting() == "supervisor" {
        assert_eq!(of_maker(std::process::id()), Vec::<PathBuf>::new());
        // For the copy of these tests that runs as an ordinary user, root's run has tested it.
        if crate::world::is_root() {
            crate::world::skipped("(privilege): no control groups can be made here");
        }
        return;
    }
    let own = of_maker(std::process::id());
    let with_outer: Vec<_> =
        own.iter().filter(|path| path.to_string_lossy().ends_with(&format!("-{}", sandbox.pid()))).collect();
    assert!(!with_outer.is_empty(), "{own:?}");
    for group in &with_outer {
        let text = std::fs::read_to_string(group.join("cgroup.procs")).unwrap();
        assert!(text.lines().any(|pid| pid == sandbox.pid().to_string()), "{text}");
    }
    // From inside they are the root of all groups.
    let seen =
        output(&mut sandbox, &script("grep -E ':(memory|pids):' /proc/self/cgroup | cut -d: -f3 | sort -u"));
    if sandbox.accounting() == "cgroup v1" {
        assert_eq!(seen, "/\n");
    }
    drop(sandbox);
    assert!(of_maker(std::process::id()).iter().all(|path| !with_outer.contains(&path)), "they are gone");
}

fn root_inside_cannot_change_its_groups() {
    let mut sandbox = World::new().start();
    let text = "mkdir /tmp/g; for kind in memory pids; do mount -t cgroup -o $kind none /tmp/g 2>/dev/null && echo $kind; done; mount -t cgroup2 none /tmp/g 2>/dev/null && echo v2; exit 0";
    assert_eq!(output(&mut sandbox, &root_script(text)), "");
}

fn without_control_groups_the_supervisor_counts() {
    let sandbox = World::new().without_cgroups().start();
    assert_eq!(sandbox.accounting(), "supervisor");
}

crate::tests![
    a_sandbox_has_groups_of_its_own_which_go_with_it,
    root_inside_cannot_change_its_groups,
    without_control_groups_the_supervisor_counts,
];
