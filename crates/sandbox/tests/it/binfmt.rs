//! Emulators behind binfmt_misc: of the namespace, and of the host where a kernel has no other. The "emulator" is
//! busybox by another name, the "foreign program" a file that begins as nothing else does.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use archmill_sandbox::{Binfmt, HostUse, KernelVersion, Status, remove_stale_host_entries, run_task};
use serde_json::{Value, json};

use crate::tasks::Entries;
use crate::world::{World, base, is_root, map, output, root_script, run, script, skipped};

/// Where binfmt_misc is on any host.
const HOST: &str = "/proc/sys/fs/binfmt_misc";

/// An entry for files that begin with `magic`, for the applet `applet`.
fn entry(folder: &Path, applet: &str, magic: &str) -> Binfmt {
    let interpreter = folder.join(applet);
    if !interpreter.exists() {
        map().create_folder(folder).unwrap();
        fs::copy(base().join("root/bin/busybox"), &interpreter).unwrap();
        if is_root() {
            // As files of the cache are: of the namespace's root.
            std::os::unix::fs::chown(&interpreter, Some(map().host_uid(0)), Some(map().host_gid(0))).unwrap();
        }
    }
    entry_of(&interpreter, magic)
}

fn entry_of(interpreter: &Path, magic: &str) -> Binfmt {
    Binfmt {
        name: format!("archmill-{magic}"),
        line: format!(":archmill-{magic}:M::#{magic}::{}:FC", interpreter.display()),
        interpreter: interpreter.to_owned(),
    }
}

fn foreign(magic: &str, text: &str) -> Vec<u8> {
    format!("#{magic}\n{text}\n").into_bytes()
}

fn an_emulator_is_registered_in_the_namespace_and_nowhere_else() {
    let before = names(Path::new(HOST));
    let mut world = World::new();
    world.spec.binfmt = vec![entry(&base().join("interp-1"), "echo", "amtest1")];
    let mut sandbox = world.start();
    sandbox.write("/build/foreign", &foreign("amtest1", ""), 0o755, (0, 0)).unwrap();
    let (exit, text) = run(&mut sandbox, &crate::world::command(&["/build/foreign", "one", "two"]));
    assert_eq!((exit.status, text.as_str()), (Status::Exited(0), "/build/foreign one two\n"));
    // It is counted as the program, not as its emulator.
    let foreign_program = exit.executables.iter().find(|usage| usage.path == "/build/foreign");
    assert!(foreign_program.is_some_and(|usage| !usage.native), "{:?}", exit.executables);
    assert_eq!(names(Path::new(HOST)), before, "nothing on the host");
    assert_eq!(sandbox.notes(), [] as [String; 0]);
    assert_eq!(
        output(&mut sandbox, &script("cat /proc/sys/fs/binfmt_misc/archmill-amtest1 | head -n 1")),
        "enabled\n"
    );
    drop(sandbox);
    assert_eq!(names(Path::new(HOST)), before);
}

fn root_inside_can_neither_write_to_the_emulator_nor_unregister_it() {
    let mut world = World::new();
    let entry = entry(&base().join("interp-2"), "sh", "amtest2");
    let content = fs::read(&entry.interpreter).unwrap();
    world.spec.binfmt = vec![entry.clone()];
    let mut sandbox = world.start();
    let inside = "exec 9</proc/$$/exe; (echo poison >>/proc/$$/exe) 2>/dev/null && echo appended; (echo poison >/proc/$$/exe) 2>/dev/null && echo written; \
        (echo poison >/proc/self/fd/9) 2>/dev/null && echo reopened; chmod 777 /proc/$$/exe 2>/dev/null && echo changed; exit 0";
    sandbox.write("/build/foreign", &foreign("amtest2", inside), 0o755, (0, 0)).unwrap();
    let outer = "/build/foreign; cd /proc/sys/fs/binfmt_misc; mount -o remount,rw . 2>/dev/null; (echo -1 >archmill-amtest2) 2>/dev/null && echo unregistered; /build/foreign";
    assert_eq!(output(&mut sandbox, &root_script(outer)), "");
    drop(sandbox);
    assert_eq!(fs::read(&entry.interpreter).unwrap(), content);
}

/// A handler in perl that moves the beginning of its command line past its own path and the program's (PR_SET_MM_MAP of
/// prctl(2)), unless it is told to stay; and that goes on as a native program would, without AT_EXECFD in its auxiliary vector,
/// unless it is told that it is emulated.
const HANDOVER: &str = r#"
    my ($name, @arguments) = @ARGV;
    exit 0 if grep { $_ eq "stay" } @arguments;
    local $/; open my $file, "<", "/proc/self/stat"; my $stat = <$file>; $stat =~ s/^.*\) //s;
    my @stat = (0, 0, 0, split / /, $stat);
    open my $line, "<", "/proc/self/cmdline"; my @words = split /\0/, <$line>;
    my $arguments = $stat[48] + length($words[0]) + length($words[1]) + 2;
    open $line, "<", "/proc/self/auxv"; my @auxv = unpack "Q*", <$line>;
    my $ignored = (grep { $_ eq "emulated" } @arguments) ? 2 : 1;
    for (my $at = 0; $at < @auxv; $at += 2) { $auxv[$at] = $ignored if $auxv[$at] == 2 }
    my $auxv = pack "Q*", @auxv;
    my $map = pack("Q11PL2", @stat[26, 27, 45, 46, 47], syscall(12, 0), $stat[28], $arguments, @stat[49, 50, 51], $auxv, length $auxv, 0xffffffff);
    syscall(157, 35, 14, $map, length $map, 0) == 0 or die "prctl: $!";
    open $line, "<", "/proc/self/cmdline"; print join(" ", split /\0/, <$line>), "\n";
"#;

fn a_native_program_behind_the_emulator_is_counted_as_itself() {
    let mut world = World::with_gain_root();
    let interpreter = base().join("interp-7/perl");
    map().create_folder(interpreter.parent().unwrap()).unwrap();
    fs::copy("/usr/bin/perl", &interpreter).unwrap();
    let mut entry = entry_of(&interpreter, "amtwin");
    entry.line.push('P');
    world.spec.binfmt = vec![entry];
    let mut sandbox = world.start();
    sandbox.write("/build/twin", &foreign("amtwin", HANDOVER), 0o755, (0, 0)).unwrap();
    sandbox.write("/build/script", b"#!/build/twin -e\n", 0o755, (0, 0)).unwrap();
    let text = "/build/twin one; cd /build; ./twin two; ./script; /build/twin stay; ./twin stay; ./twin emulated; exit 0";
    let (exit, text) = run(&mut sandbox, &script(text));
    assert_eq!(text, "/build/twin one\n./twin two\n/build/twin -e ./script\n./twin emulated\n");
    let mut seen: Vec<(&str, u64, bool)> = exit
        .executables
        .iter()
        .filter(|usage| usage.path.ends_with("twin"))
        .map(|usage| (usage.path.as_str(), usage.count, usage.native))
        .collect();
    seen.sort_unstable();
    let expected =
        [("./twin", 1, true), ("./twin", 2, false), ("/build/twin", 1, false), ("/build/twin", 2, true)];
    assert_eq!(seen, expected, "{:?}", exit.executables);
    let shell = exit.executables.iter().find(|usage| usage.path == "/bin/busybox");
    assert!(shell.is_some_and(|usage| usage.native), "{:?}", exit.executables);
}

fn an_ordinary_user_on_an_old_kernel_is_told_what_to_do() {
    if is_root() {
        // Decided by who asks: the copy of these tests that runs as a user is the one that sees it.
        return;
    }
    let mut world = World::new();
    world.spec.binfmt = vec![entry(&base().join("interp-3"), "echo", "amtest3")];
    world.host.kernel = KernelVersion(6, 1);
    let error = world.try_start().unwrap_err().to_string();
    assert_eq!(
        error,
        "Linux 6.1 knows binfmt_misc for the whole host only, and only root may change that: run archmill as root, or boot Linux 6.7 or newer (for bookworm there is one in bookworm-backports)"
    );
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// In a task, that is in a user and mount namespace of its own: an instance of binfmt_misc that stands for a host's.
pub(crate) fn in_a_namespace(args: Value, _: &mut dyn FnMut(Value)) -> Result<Value, String> {
    let state: PathBuf = serde_json::from_value(args["state"].clone()).map_err(|error| error.to_string())?;
    let first: PathBuf = serde_json::from_value(args["first"].clone()).map_err(|error| error.to_string())?;
    let second: PathBuf =
        serde_json::from_value(args["second"].clone()).map_err(|error| error.to_string())?;
    let folder = Path::new(HOST);
    let register = |path: &Path, magic| Entries::register(folder, &state, &[entry_of(path, magic)]);
    let ours = || names(folder).into_iter().filter(|name| name.starts_with("archmill-")).collect::<Vec<_>>();

    if folder.join("register").exists() {
        // The real host has one mounted there.
        use rustix::mount::{MountFlags, mount};
        mount("binfmt_misc", folder, "binfmt_misc", MountFlags::empty(), None)
            .map_err(|error| error.to_string())?;
    }
    let one = register(&first, "amhost").map_err(|error| error.to_string())?;
    assert!(folder.join("register").exists(), "it was mounted");
    assert_eq!(ours().len(), 1);
    let program = state.join("foreign");
    fs::write(&program, foreign("amhost", "")).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = Command::new(&program).arg("x").output().map_err(|error| error.to_string())?;
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{} x\n", program.display()));

    // The same for another process: one entry. Another emulator for the same programs: refused.
    let again = register(&first, "amhost").map_err(|error| error.to_string())?;
    assert_eq!(ours().len(), 1);
    let refused = register(&second, "amhost").unwrap_err().to_string();
    assert!(refused.contains("by another archmill that is running"), "{refused}");
    // Other programs: one more.
    let other = register(&second, "amother").map_err(|error| error.to_string())?;
    assert_eq!(ours().len(), 2);
    drop(one);
    assert_eq!(ours().len(), 2, "still used");
    drop(again);
    drop(other);
    assert_eq!(ours(), Vec::<String>::new());

    // Entries of the host's own: one with the same emulator is used, another one is not touched.
    fs::write(
        folder.join("register"),
        entry_of(&first, "amhost").line.replacen("archmill-amhost", "qemu-test", 1),
    )
    .unwrap();
    let used = register(&first, "amhost").map_err(|error| error.to_string())?;
    assert_eq!(ours(), Vec::<String>::new());
    drop(used);
    let beside = register(&second, "amhost").map_err(|error| error.to_string())?;
    assert_eq!(ours().len(), 1);
    drop(beside);
    assert!(folder.join("qemu-test").exists());
    assert_eq!(names(&state).into_iter().filter(|name| name.contains(".users")).count(), 0);
    Ok(Value::Null)
}

fn the_host_is_registered_on_and_left_as_it_was_in_a_host_of_our_own() {
    let state = base().join("binfmt-state");
    map().create_folder(&state).unwrap();
    let first = entry(&base().join("interp-4"), "echo", "amhost").interpreter;
    let second = entry(&base().join("interp-5"), "echo", "amhost").interpreter;
    let args = json!({ "state": state, "first": first, "second": second });
    run_task(&map(), "host-binfmt", &args, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
}

/// Undoes what the test below does to the host, whatever happens.
struct HostAsItWas {
    mounted: bool,
    state: PathBuf,
}

impl Drop for HostAsItWas {
    fn drop(&mut self) {
        remove_stale_host_entries(Path::new(HOST), &self.state);
        if !self.mounted {
            let _ = Command::new("umount").arg(HOST).status();
        }
    }
}

/// As a process of its own: registers on the host, and waits to be killed.
pub(crate) fn wait_with_host_entry(words: &[String]) -> ExitCode {
    let entry = entry_of(Path::new(&words[1]), "amkill");
    let _held = Entries::register(Path::new(HOST), Path::new(&words[0]), &[entry]).unwrap();
    println!("registered");
    std::thread::sleep(std::time::Duration::from_secs(600));
    ExitCode::SUCCESS
}

fn on_an_old_kernel_root_registers_on_the_host_until_the_build_ends() {
    if !is_root() {
        return;
    }
    if !Path::new(HOST).is_dir() {
        skipped("(privilege): this kernel has no binfmt_misc");
        return;
    }
    let state = base().join("real-binfmt-state");
    fs::create_dir_all(&state).unwrap();
    let host = HostAsItWas { mounted: Path::new(HOST).join("register").exists(), state };
    let interpreter = entry(&base().join("interp-6"), "echo", "amold");
    let mut world = World::new();
    world.spec.binfmt = vec![interpreter.clone()];
    world.host = HostUse { kernel: KernelVersion(6, 1), binfmt_state: host.state.clone(), ..world.host };
    let mut sandbox = world.start();
    let note = sandbox.notes().last().unwrap();
    assert!(note.contains("this kernel has binfmt_misc for the whole host only"), "{note}");
    let ours = || {
        names(Path::new(HOST)).into_iter().filter(|name| name.starts_with("archmill-am")).collect::<Vec<_>>()
    };
    assert_eq!(ours().len(), 1);
    sandbox.write("/build/foreign", &foreign("amold", ""), 0o755, (0, 0)).unwrap();
    let (exit, text) = run(&mut sandbox, &crate::world::command(&["/build/foreign", "x"]));
    assert_eq!((exit.status, text.as_str()), (Status::Exited(0), "/build/foreign x\n"));
    assert!(exit.executables.iter().any(|usage| usage.path == "/build/foreign"), "{:?}", exit.executables);
    drop(sandbox);
    assert_eq!(ours(), Vec::<String>::new());

    // One that is killed leaves its entry, and the next takes it away.
    let mut child = Command::new("/proc/self/exe")
        .args([
            "--wait-with-host-entry",
            host.state.to_str().unwrap(),
            interpreter.interpreter.to_str().unwrap(),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "registered\n");
    remove_stale_host_entries(Path::new(HOST), &host.state);
    assert_eq!(ours().len(), 1, "it is in use");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ours().len(), 1);
    remove_stale_host_entries(Path::new(HOST), &host.state);
    assert_eq!(ours(), Vec::<String>::new());
}

crate::tests![
    an_emulator_is_registered_in_the_namespace_and_nowhere_else,
    root_inside_can_neither_write_to_the_emulator_nor_unregister_it,
    a_native_program_behind_the_emulator_is_counted_as_itself,
    an_ordinary_user_on_an_old_kernel_is_told_what_to_do,
    the_host_is_registered_on_and_left_as_it_was_in_a_host_of_our_own,
    on_an_old_kernel_root_registers_on_the_host_until_the_build_ends,
];
