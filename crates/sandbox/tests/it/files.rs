//! File operations of the caller's, in a root where a build may have left anything.

use std::io::Read as _;
use std::path::PathBuf;

use archmill_sandbox::{Sandbox, SandboxError, Upper};

use crate::world::{World, output, root_script, script};

fn is_refused<T>(result: Result<T, SandboxError>) -> String {
    match result {
        Ok(_) => panic!("it was done"),
        Err(SandboxError::Failed { what, .. }) => what,
        Err(other) => panic!("{other}"),
    }
}

fn prepared() -> Sandbox {
    let mut sandbox = World::new().start();
    let text = "cd /tmp; mkdir real; echo inside >real/file; ln -s /etc/passwd link; ln -s /etc folder; ln -s /proc/1 self; \
        ln -s /nowhere broken; mkfifo pipe; ln -s real through; ln -s ../../../../../../etc up; ln -s loop loop";
    output(&mut sandbox, &script(text));
    sandbox
}

fn files_are_read_and_written_with_mode_and_owner() {
    let mut sandbox = prepared();
    assert_eq!(sandbox.read("/tmp/real/file", 100).unwrap(), b"inside\n");
    assert_eq!(sandbox.read("/tmp/through/file", 3).unwrap(), b"ins", "no more than asked for");
    sandbox.write("/tmp/real/new", b"text", 0o751, (2952, 12)).unwrap();
    assert_eq!(
        output(&mut sandbox, &script("stat -c '%a %u %g' /tmp/real/new; cat /tmp/real/new")),
        "751 2952 12\ntext"
    );
    sandbox.make_folder("/srv/a/b", 0o2750, (5, 6)).unwrap();
    assert_eq!(
        output(&mut sandbox, &script("stat -c '%n %a %u %g' /srv /srv/a /srv/a/b")),
        "/srv 755 0 0\n/srv/a 755 0 0\n/srv/a/b 2750 5 6\n"
    );
    assert_eq!(sandbox.list("/tmp/real").unwrap(), ["file", "new"]);
    assert!(sandbox.list("/").unwrap().contains(&"build".to_owned()));
    sandbox.remove("/tmp/real").unwrap();
    sandbox.remove("/tmp/real").unwrap();
    sandbox.remove("/tmp/not/there/at/all").unwrap();
    assert!(!sandbox.list("/tmp").unwrap().contains(&"real".to_owned()));
}

fn folders_in_memory_are_one_file_system_with_their_files() {
    let mut world = World::new();
    world.spec.root.upper = Upper::memory_above(32 << 20, ["tmp", "srv/new"].map(PathBuf::from).into());
    let mut sandbox = world.start();
    sandbox.write("/srv/new/file", b"text", 0o644, (0, 0)).unwrap();
    // By the file, its folder, and a folder in that.
    let text = "echo a >/tmp/file; mkdir /tmp/sub; stat -c %d /tmp /tmp/file /tmp/sub | sort -u | wc -l; \
        stat -c '%a %u %g' /tmp /srv/new; find /srv/new -xdev; cp /tmp/file /run/; stat -c %d / /tmp | sort -u | wc -l";
    assert_eq!(
        output(&mut sandbox, &root_script(text)),
        "1\n1777 0 0\n755 0 0\n/srv/new\n/srv/new/file\n2\n"
    );
}

fn what_is_not_there_is_told_apart() {
    let sandbox = prepared();
    let missing = sandbox.open("/tmp/missing").unwrap_err();
    assert!(matches!(missing, SandboxError::Failed { not_found: true, .. }));
    assert_eq!(
        missing.to_string(),
        "cannot read /tmp/missing in the sandbox: No such file or directory (os error 2)"
    );
}

fn the_last_component_is_never_followed() {
    let mut sandbox = prepared();
    assert!(is_refused(sandbox.open("/tmp/link")).contains("it is not a regular file"));
    is_refused(sandbox.list("/tmp/folder"));
    is_refused(sandbox.make_folder("/tmp/folder", 0o777, (2952, 2952)));
    is_refused(sandbox.make_folder("/tmp/broken", 0o777, (2952, 2952)));
    sandbox.write("/tmp/link", b"mine", 0o644, (0, 0)).unwrap();
    sandbox.remove("/tmp/folder").unwrap();
    let text = output(
        &mut sandbox,
        &root_script(
            "head -n 1 /etc/passwd; stat -c '%a %u' /etc; ls -d /etc /nowhere 2>/dev/null; cat /tmp/link",
        ),
    );
    assert_eq!(text, "root:x:0:0::/root:/bin/sh\n755 0\n/etc\nmine");
}

fn links_lead_nowhere_out_of_the_root() {
    let sandbox = prepared();
    let outside = std::env::current_exe().unwrap();
    for start in ["/tmp/up/..", "/tmp/folder/..", "/tmp/through/../../../.."] {
        is_refused(sandbox.open(format!("{start}{}", outside.display())));
    }
    // The supervisor's own descriptors lead below the overlay.
    for number in 3..30 {
        for path in [format!("/tmp/self/fd/{number}/etc"), format!("/proc/1/fd/{number}/..")] {
            is_refused(sandbox.list(&path));
        }
    }
    is_refused(sandbox.list("/tmp/self/root/etc"));
    is_refused(sandbox.open("/tmp/loop/x"));
}

fn nothing_waits_for_a_pipe_or_a_device() {
    let sandbox = prepared();
    assert!(is_refused(sandbox.open("/tmp/pipe")).contains("it is not a regular file"));
    is_refused(sandbox.open("/dev/zero"));
    is_refused(sandbox.open("/dev/tty"));
    is_refused(sandbox.open("/tmp"));
    sandbox.write("/tmp/pipe", b"now a file", 0o644, (0, 0)).unwrap();
    let mut text = String::new();
    sandbox.open("/tmp/pipe").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "now a file");
}

fn trees_of_any_depth_are_removed() {
    let mut sandbox = prepared();
    output(
        &mut sandbox,
        &script(
            "mkdir /tmp/top; cd /tmp/top; i=0; while [ $i -lt 400 ]; do mkdir deep; cd deep; i=$((i+1)); done",
        ),
    );
    sandbox.remove("/tmp/top").unwrap();
    assert!(!sandbox.list("/tmp").unwrap().contains(&"top".to_owned()));
}

crate::tests![
    files_are_read_and_written_with_mode_and_owner,
    folders_in_memory_are_one_file_system_with_their_files,
    what_is_not_there_is_told_apart,
    the_last_component_is_never_followed,
    links_lead_nowhere_out_of_the_root,
    nothing_waits_for_a_pipe_or_a_device,
    trees_of_any_depth_are_removed,
];
