//! What native programs are told of the system in a root of another architecture.

use archmill_sandbox::{Command, Status, Uname};

use crate::world::{World, command, output, root_script, run, script};

/// As for a root of arm64, and as the kernel is asked without.
fn worlds() -> (World, World) {
    let mut world = World::with_gain_root();
    world.spec.uname = Some(Uname { machine: "aarch64".to_owned() });
    (world, World::with_gain_root())
}

fn the_machine_is_the_given_one_and_all_else_the_kernels() {
    let (world, plain) = worlds();
    let (mut sandbox, mut plain) = (world.start(), plain.start());
    assert_eq!(output(&mut sandbox, &script("uname -m; gain-root uname -m")), "aarch64\naarch64\n");
    assert_eq!(output(&mut sandbox, &root_script("uname -m")), "aarch64\n");
    for option in ["-s", "-n", "-r", "-v"] {
        let text = script(&format!("uname {option}; gain-root uname {option}"));
        assert_eq!(output(&mut sandbox, &text), output(&mut plain, &text), "{option}");
    }
    assert_eq!(
        output(&mut sandbox, &script("uname -n; cat /proc/sys/kernel/domainname")),
        "archmill\n(none)\n"
    );
    assert_ne!(output(&mut plain, &script("uname -m")), "aarch64\n");
}

fn it_does_not_take_accounting() {
    let (mut world, _) = worlds();
    world.spec.account_executables = false;
    let mut sandbox = world.start();
    let (exit, text) = run(&mut sandbox, &script("uname -m; gain-root uname -m"));
    assert_eq!((exit.status, text.as_str()), (Status::Exited(0), "aarch64\naarch64\n"));
    assert_eq!(exit.executables, []);
}

fn the_32_bit_personality_does_not_show_through() {
    let (mut world, _) = worlds();
    world.spec.uname = Some(Uname { machine: "armv7l".to_owned() });
    world.spec.personality_32 = true;
    assert_eq!(output(&mut world.start(), &script("uname -m")), "armv7l\n");
}

fn a_host_name_of_a_namespace_inside_is_told() {
    let (world, _) = worlds();
    let mut sandbox = world.start();
    let text = "unshare -r --uts sh -c 'hostname other; uname -n -m'; uname -n -m; unshare --uts sh -c 'hostname third; uname -n'";
    assert_eq!(output(&mut sandbox, &root_script(text)), "other aarch64\narchmill aarch64\nthird\n");
}

/// Calls the kernel by number: what perl says it answered, and what it wrote.
const CALLS: &str = r#"
    my $long = "x" x 400;
    print syscall(63, $long), " ", unpack("x260 Z65", $long), " ", substr($long, 390), "\n";
    foreach my $address (0, 8, 0x7fffffffffff, -1, -4096) { $! = 0; print syscall(63, $address), " ", $! + 0, "\n"; }
    # mmap: one page to write on and one not; then a read-only one
    my $page = syscall(9, 0, 8192, 3, 0x22, -1, 0);
    syscall(10, $page + 4096, 4096, 0);
    $! = 0; print syscall(63, $page + 4000), " ", $! + 0, "\n";
    print syscall(63, $page + 4096 - 390), "\n";
    syscall(10, $page, 4096, 1);
    $! = 0; print syscall(63, $page), " ", $! + 0, "\n";
"#;

fn an_address_that_is_not_to_be_written_to_is_an_error_and_no_more() {
    let (world, _) = worlds();
    let mut sandbox = world.start();
    let calls = Command { argv: vec!["perl".into(), "-e".into(), CALLS.into()], ..script("") };
    let bad = "-1 14\n".repeat(5);
    let expected = format!("0 aarch64 {}\n{bad}-1 14\n0\n-1 14\n", "x".repeat(10));
    assert_eq!(output(&mut sandbox, &calls), expected);
    assert_eq!(output(&mut sandbox, &script("uname -m")), "aarch64\n");
}

fn who_is_killed_while_asking_holds_nobody_up() {
    let (world, _) = worlds();
    let mut sandbox = world.start();
    // Many that ask without end, from threads of the kernel's making (vfork, clone) and killed at any moment.
    let asks = "my $b = 'x' x 400; fork; fork; alarm 2; syscall(63, $b) while 1;";
    let many = format!(
        "for i in 1 2 3 4 5 6; do perl -e \"{}\" & perl -e \"{}\" & kill -9 $!; done; wait; uname -m",
        asks.replace('$', "\\$"),
        asks.replace('$', "\\$")
    );
    assert!(output(&mut sandbox, &script(&many)).ends_with("aarch64\n"));
    // And those that are left when the command ends.
    let left = format!("perl -e \"{}\" & exit 0", asks.replace('$', "\\$"));
    let (exit, _) = run(&mut sandbox, &script(&left));
    assert_eq!(exit.status, Status::Exited(0));
    assert_eq!(output(&mut sandbox, &command(&["uname", "-m"])), "aarch64\n");
}

fn proc_cpuinfo_is_the_given_text_for_good() {
    let mut world = World::new();
    let text = "processor\t: 0\nBogoMIPS\t: 100.00\n".repeat(3000);
    world.spec.cpuinfo = Some(text.clone());
    let mut sandbox = world.start();
    assert_eq!(output(&mut sandbox, &script("cat /proc/cpuinfo")), text);
    let text_of_root = "umount /proc/cpuinfo 2>/dev/null && echo unmounted; mount -o remount,rw,bind /proc/cpuinfo 2>/dev/null && echo remounted; \
        (echo x >/proc/cpuinfo) 2>/dev/null && echo written; chmod 777 /proc/cpuinfo 2>/dev/null && echo changed; ls -l /proc/cpuinfo | cut -c 1-10; ls -A /dev/shm; head -n 1 /proc/cpuinfo";
    assert_eq!(output(&mut sandbox, &root_script(text_of_root)), "-rw-r--r--\nprocessor\t: 0\n");
    drop(sandbox);
    let host = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    assert!(!host.contains("BogoMIPS\t: 100.00"));
    let mut plain = World::new().start();
    assert_eq!(
        output(&mut plain, &script("grep -c ^processor /proc/cpuinfo")).trim(),
        host.matches("processor\t").count().to_string()
    );
}

crate::tests![
    the_machine_is_the_given_one_and_all_else_the_kernels,
    it_does_not_take_accounting,
    the_32_bit_personality_does_not_show_through,
    a_host_name_of_a_namespace_inside_is_told,
    an_address_that_is_not_to_be_written_to_is_an_error_and_no_more,
    who_is_killed_while_asking_holds_nobody_up,
    proc_cpuinfo_is_the_given_text_for_good,
];
