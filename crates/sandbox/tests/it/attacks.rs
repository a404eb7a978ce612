//! What a hostile build may try, as the build user and as root.

use archmill_sandbox::{Command, Status};

use crate::world::{World, output, root_script, run, script};

fn root_inside_can_neither_signal_nor_look_into_the_supervisor() {
    let mut sandbox = World::new().start();
    let text = "for s in TERM KILL STOP SEGV HUP INT CHLD PIPE; do kill -$s 1 2>/dev/null && echo \"$s was sent\"; done; \
        for f in fd environ mem maps root/ cwd/ exe map_files/; do ls /proc/1/$f >/dev/null 2>&1 && [ $f != environ ] && [ $f != mem ] && [ $f != maps ] && [ $f != exe ] && echo \"$f listed\"; done; \
        for f in environ mem maps exe; do head -c 1 /proc/1/$f >/dev/null 2>&1 && echo \"$f read\"; done; exit 0";
    assert_eq!(output(&mut sandbox, &root_script(text)), "");
    assert_eq!(output(&mut sandbox, &script("echo alive")), "alive\n");
}

fn root_inside_cannot_trace_or_limit_the_supervisor_or_take_its_descriptors() {
    let mut sandbox = World::with_gain_root().start();
    // ptrace(PTRACE_ATTACH and PTRACE_SEIZE), pidfd_open and pidfd_getfd, prlimit, process_vm_readv
    let text = r#"
        sub told { my ($name, $result) = @_; print "$name: ", ($result == -1 ? $! + 0 : "done"), "\n"; }
        told("attach", syscall(101, 16, 1, 0, 0));
        told("seize", syscall(101, 0x4206, 1, 0, 0));
        my $pidfd = syscall(434, 1, 0);
        told("getfd", syscall(438, $pidfd, 3, 0));
        my $none = pack("QQ", 0, 0);
        told("prlimit", syscall(302, 1, 7, $none, 0));
        my $buffer = "x" x 8; my $local = pack("PQ", $buffer, 8); my $remote = pack("QQ", 0x400000, 8);
        told("read", syscall(310, 1, $local, 1, $remote, 1, 0));
    "#;
    let as_root = Command { argv: vec!["perl".into(), "-e".into(), text.into()], ..root_script("") };
    assert_eq!(output(&mut sandbox, &as_root), "attach: 1\nseize: 1\ngetfd: 1\nprlimit: 1\nread: 1\n");
    assert_eq!(output(&mut sandbox, &script("gain-root id -u")), "0\n");
}

fn killing_everything_kills_no_more_than_the_command() {
    let mut sandbox = World::new().start();
    let _ = run(&mut sandbox, &root_script("kill -9 -1"));
    assert_eq!(output(&mut sandbox, &script("echo alive")), "alive\n");
}

fn root_inside_cannot_undo_the_mounts_or_reach_other_kernel_file_systems() {
    let mut sandbox = World::new().start();
    let text = "umount /proc 2>/dev/null && echo proc; umount /sys 2>/dev/null && echo sys; umount -l /dev 2>/dev/null && echo dev; \
        mount -o remount,rw /sys 2>/dev/null && echo rw; mkdir -p /tmp/m; \
        for kind in proc sysfs cgroup2 cgroup devtmpfs debugfs tracefs securityfs bpf; do mount -t $kind none /tmp/m 2>/dev/null && { echo $kind; umount /tmp/m; }; done; exit 0";
    assert_eq!(output(&mut sandbox, &root_script(text)), "");
    // What is within its own rights still works, as test suites want it.
    assert_eq!(
        output(
            &mut sandbox,
            &root_script("mount -t tmpfs none /tmp && touch /tmp/x && umount /tmp && echo yes")
        ),
        "yes\n"
    );
    assert_eq!(output(&mut sandbox, &script("unshare -r id -u 2>&1")), "0\n");
}

fn the_network_of_the_sandbox_is_not_for_root_inside_to_change() {
    let mut sandbox = World::new().start();
    let (exit, text) = run(&mut sandbox, &root_script("ip link set lo down"));
    assert_ne!(exit.status, Status::Exited(0), "{text}");
}

fn answers_longer_than_any_socket_takes_reach_the_caller() {
    let mut sandbox = World::new().start();
    let name = "n".repeat(240);
    output(
        &mut sandbox,
        &script(&format!(
            "mkdir /tmp/many; cd /tmp/many; i=0; while [ $i -lt 6000 ]; do : >{name}$i; i=$((i+1)); done"
        )),
    );
    assert_eq!(sandbox.list("/tmp/many").unwrap().len(), 6000);
    // So do the paths of executables.
    let text = format!(
        "d=/tmp/{name}/{name}/{name}; mkdir -p $d; cp /bin/busybox $d/0; i=1; while [ $i -lt 300 ]; do ln $d/0 $d/$i; $d/$i true 2>/dev/null; i=$((i+1)); done; :"
    );
    let (exit, text) = run(&mut sandbox, &script(&text));
    assert_eq!(exit.status, Status::Exited(0), "{text}");
    assert!(exit.executables.len() > 290, "{}", exit.executables.len());
}

fn a_listener_of_its_own_is_refused_to_a_build_and_the_count_goes_on() {
    let mut sandbox = World::with_gain_root().start();
    // seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, a filter that allows all) after no_new_privs
    let text = r#"syscall(157, 38, 1, 0, 0, 0); my $allow = pack("SCCL", 6, 0, 0, 0x7fff0000); my $program = pack("SxxxxxxP", 1, $allow); print syscall(317, 1, 8, $program) == -1 ? $! + 0 : "done", "\n";"#;
    let command = Command { argv: vec!["perl".into(), "-e".into(), text.into()], ..script("") };
    assert_eq!(output(&mut sandbox, &command), "16\n", "EBUSY");
}

fn sockets_to_the_hypervisor_are_refused() {
    // socket(AF_VSOCK, SOCK_STREAM), socket(AF_UNIX, SOCK_STREAM), io_uring_setup(1, 0)
    let text = r#"for my $call ([41, 40, 1, 0], [41, 1, 1, 0], [425, 1, 0, 0]) { my ($number, @of) = @$call; print syscall($number, @of) == -1 ? $! + 0 : "done", "\n"; }"#;
    let command = Command { argv: vec!["perl".into(), "-e".into(), text.into()], ..script("") };
    let text = output(&mut World::with_gain_root().start(), &command);
    assert_eq!(text, "97\ndone\n38\n", "EAFNOSUPPORT, a socket, ENOSYS");
}

fn a_set_uid_program_gives_root_of_the_sandbox_and_no_more() {
    let mut sandbox = World::new().start();
    output(&mut sandbox, &root_script("cp /bin/busybox /build/su && chmod 4755 /build/su"));
    let text =
        output(&mut sandbox, &script("/build/su id -u 2>/dev/null; grep NoNewPrivs /proc/self/status"));
    assert!(text.contains("NoNewPrivs:\t0"), "{text}");
}

crate::tests![
    root_inside_can_neither_signal_nor_look_into_the_supervisor,
    root_inside_cannot_trace_or_limit_the_supervisor_or_take_its_descriptors,
    killing_everything_kills_no_more_than_the_command,
    root_inside_cannot_undo_the_mounts_or_reach_other_kernel_file_systems,
    the_network_of_the_sandbox_is_not_for_root_inside_to_change,
    answers_longer_than_any_socket_takes_reach_the_caller,
    a_listener_of_its_own_is_refused_to_a_build_and_the_count_goes_on,
    a_set_uid_program_gives_root_of_the_sandbox_and_no_more,
    sockets_to_the_hypervisor_are_refused,
];
