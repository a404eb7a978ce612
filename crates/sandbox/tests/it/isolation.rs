//! What a command sees of the host: nothing.

use archmill_sandbox::Status;

use crate::world::{World, is_root, map, output, root_script, run, script};

fn every_namespace_is_its_own() {
    let mut sandbox = World::new().start();
    for name in ["user", "mnt", "pid", "ipc", "uts", "net", "cgroup"] {
        let inside = output(&mut sandbox, &script(&format!("readlink /proc/self/ns/{name}")));
        let outside = std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
        assert_ne!(inside.trim(), outside.to_str().unwrap(), "{name}");
    }
}

fn root_inside_is_nobody_outside() {
    let world = World::new();
    let mut sandbox = world.start();
    output(&mut sandbox, &root_script("echo x >/build/of-root"));
    let path = world.folder.join("upper/build/of-root");
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(path).unwrap());
    assert_eq!(owner, map().host_uid(0));
    assert_ne!(owner, 0, "never root of the host");
    // A process of root's inside, as the host sees it.
    let text = "read x </proc/self/uid_map; echo $x; sleep 0";
    assert_eq!(output(&mut sandbox, &root_script(text)).split_whitespace().next(), Some("0"));
}

fn no_path_of_the_host_is_reachable() {
    let mut sandbox = World::new().start();
    let secret = std::env::current_exe().unwrap();
    let text = format!(
        "for up in / /.. /../../.. /proc/1/root /proc/self/root; do ls $up{} 2>&1 && exit 1; done; ls /",
        secret.display()
    );
    let list = output(&mut sandbox, &root_script(&text));
    assert!(list.contains("bin") && list.contains("build"), "{list}");
    let mounts = output(&mut sandbox, &root_script("cat /proc/self/mountinfo"));
    for line in mounts.lines() {
        let point = line.split(' ').nth(4).unwrap();
        let own = ["/proc", "/sys", "/dev"].iter().any(|start| point.starts_with(start)) || point == "/";
        assert!(own, "{line}");
    }
}

fn proc_shows_only_processes_of_the_sandbox() {
    let mut sandbox = World::new().start();
    let numbers = output(&mut sandbox, &root_script("ls /proc | grep '^[0-9]' | sort -n"));
    let numbers: Vec<u32> = numbers.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers[0], 1);
    assert!(numbers.len() <= 6, "{numbers:?}");
    let own = std::process::id();
    let (exit, text) = run(&mut sandbox, &root_script(&format!("kill -0 {own} 2>&1")));
    assert_ne!(exit.status, Status::Exited(0), "{text}");
}

fn settings_of_the_kernel_cannot_be_written() {
    let mut sandbox = World::new().start();
    let text = "for f in kernel/core_pattern kernel/modprobe vm/drop_caches kernel/hostname kernel/panic fs/file-max kernel/threads-max net/ipv4/ip_forward; do \
        v=$(cat /proc/sys/$f 2>/dev/null); (echo \"${v:-1}\" >/proc/sys/$f) 2>/dev/null && echo $f; done; \
        for f in /sys/kernel/mm/ksm/run /sys/power/state /sys/class/net/lo/mtu /sys/kernel/uevent_helper; do (echo 1 >$f) 2>/dev/null && echo $f; done; \
        mount -o remount,rw /sys 2>/dev/null && echo remounted; (echo c >/proc/sysrq-trigger) 2>/dev/null; exit 0";
    assert_eq!(output(&mut sandbox, &script(text)), "");
    // Root's own namespace below the sandbox's has no power over these either.
    let by_root = output(&mut sandbox, &root_script(text));
    assert_eq!(by_root, "", "as root");
}

fn what_tells_of_the_host_is_masked_and_stays_so() {
    let mut sandbox = World::new().start();
    let text = "for f in /proc/kcore /proc/keys /proc/timer_list; do [ -e $f ] || { echo 0; continue; }; umount $f 2>/dev/null; head -c 10 $f | wc -c; done; ls -A /sys/firmware 2>/dev/null | wc -l";
    assert_eq!(output(&mut sandbox, &root_script(text)), "0\n0\n0\n0\n");
}

fn no_device_can_be_made_and_the_usual_ones_work() {
    let mut sandbox = World::new().start();
    for node in ["b 8 0", "c 1 1", "c 5 1"] {
        let (exit, text) = run(
            &mut sandbox,
            &root_script(&format!("mknod /build/node {node} && cat /build/node | head -c 1")),
        );
        assert_ne!(exit.status, Status::Exited(0), "{node}: {text}");
    }
    let text = "head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; echo x >/dev/null; echo x >/dev/full || echo full; ls /dev | tr '\\n' ' '";
    let devices = output(&mut sandbox, &script(text));
    assert!(devices.starts_with("4\n4\n"), "{devices}");
    assert!(devices.contains("full\n"), "{devices}");
    assert_eq!(
        devices.lines().last().unwrap(),
        "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero "
    );
}

fn there_is_loopback_and_no_other_network() {
    let mut sandbox = World::new().start();
    let interfaces = output(&mut sandbox, &script("tail -n +3 /proc/net/dev | cut -d: -f1"));
    assert_eq!(interfaces.trim(), "lo");
    let text = "(echo hello | nc -l -p 4321 >/dev/null) & sleep 0.5; nc 127.0.0.1 4321 </dev/null; ping -c 1 -W 2 1.1.1.1 2>&1 | tail -n 1";
    let (_, text) = run(&mut sandbox, &script(text));
    assert!(text.contains("hello"), "loopback must be up: {text}");
    assert!(output(&mut sandbox, &script("ip route 2>/dev/null | wc -l")).trim() == "0");
}

fn the_host_name_is_given_and_another_one_stays_inside() {
    let before = rustix::system::uname().nodename().to_owned();
    let mut sandbox = World::new().start();
    assert_eq!(output(&mut sandbox, &script("hostname")), "archmill\n");
    let _ = run(&mut sandbox, &root_script("hostname other"));
    assert_eq!(rustix::system::uname().nodename(), before.as_c_str());
}

fn the_mount_table_of_the_host_does_not_change() {
    let table = || {
        let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        text.lines().filter(|line| line.contains("archmill")).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = table();
    let mut sandbox = World::new().start();
    output(&mut sandbox, &root_script("mount -t tmpfs none /tmp"));
    assert_eq!(table(), before);
    drop(sandbox);
    assert_eq!(table(), before);
}

fn a_32_bit_personality_is_told_by_uname() {
    assert_eq!(output(&mut World::new().start(), &script("uname -m")), "x86_64\n");
    let mut world = World::new();
    world.spec.personality_32 = true;
    assert_eq!(output(&mut world.start(), &script("uname -m")), "i686\n");
}

fn the_callers_umask_and_descriptors_stay_outside() {
    use std::os::fd::{AsRawFd as _, IntoRawFd as _};
    // One that a careless parent left open, of a folder of the host.
    let folder = std::fs::File::open("/").unwrap();
    let leaked = rustix::io::dup(&folder).unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    let number = leaked.as_raw_fd();
    let mut sandbox = World::new().start();
    let list = output(&mut sandbox, &script("exec ls /proc/self/fd"));
    // The fourth is that with which ls reads the folder.
    assert_eq!(list, "0\n1\n2\n3\n", "descriptor {number} of the caller");
    drop(leaked);
    let _ = folder.into_raw_fd();
}

fn started_by_root_its_ids_are_far_from_those_of_people() {
    if is_root() {
        assert!(map().host_uid(0) >= 100_000);
        assert_eq!(map().host_uid(1), map().host_uid(0) + 1);
    }
}

crate::tests![
    every_namespace_is_its_own,
    root_inside_is_nobody_outside,
    no_path_of_the_host_is_reachable,
    proc_shows_only_processes_of_the_sandbox,
    settings_of_the_kernel_cannot_be_written,
    what_tells_of_the_host_is_masked_and_stays_so,
    no_device_can_be_made_and_the_usual_ones_work,
    there_is_loopback_and_no_other_network,
    the_host_name_is_given_and_another_one_stays_inside,
    the_mount_table_of_the_host_does_not_change,
    a_32_bit_personality_is_told_by_uname,
    the_callers_umask_and_descriptors_stay_outside,
    started_by_root_its_ids_are_far_from_those_of_people,
];
