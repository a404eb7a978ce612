//! What is left when a caller dies: nothing that runs, and nothing that the next start does not remove.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use archmill_sandbox::cleanup::{WorkFolder, forget, stale};

use crate::world::{World, base, eventually, map, remove, run, script};

/// As a process of its own: a sandbox in which something runs that only death ends.
pub(crate) fn wait_in_sandbox(work: &str) -> ExitCode {
    let folder = WorkFolder::create(Path::new(work), &map()).unwrap();
    map().create_folder(&folder.path().join("upper")).unwrap();
    let mut sandbox = World::new().start();
    let text = "trap '' HUP INT TERM; (setsid sleep 4711 &); (setsid setsid sh -c 'trap \"\" TERM; sleep 4711') & echo ready; sleep 4711";
    sandbox
        .run(&script(text), &mut |bytes| {
            println!("{} {}", crate::world::base().display(), String::from_utf8_lossy(bytes).trim());
        })
        .unwrap();
    ExitCode::SUCCESS
}

/// As a process of its own: a task that takes long.
pub(crate) fn wait_in_task() -> ExitCode {
    let _ =
        archmill_sandbox::run_task(&map(), "wait", &serde_json::json!(600), &mut |event| println!("{event}"));
    ExitCode::SUCCESS
}

fn start_this(words: &[&str]) -> (Child, String) {
    let mut child = Command::new("/proc/self/exe").args(words).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().to_owned())
}

/// Processes below this one, however far, that the host knows by what they run.
fn running(word: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())).count()
}

fn nothing_outlives_a_caller_that_was_killed() {
    let work = base().join("killed");
    map().create_folder(&work).unwrap();
    let before = running("4711");
    let (mut caller, line) = start_this(&["--wait-in-sandbox", work.to_str().unwrap()]);
    let (its_base, said) = line.split_once(' ').unwrap();
    assert_eq!(said, "ready");
    eventually("the processes run", || running("4711") >= before + 3);
    assert_eq!(stale(&work), Vec::<std::path::PathBuf>::new(), "a folder in use is no leftover");
    caller.kill().unwrap();
    caller.wait().unwrap();
    let began = Instant::now();
    eventually("all processes are gone", || running("4711") == before);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    // The folder that it worked in is found by its lock.
    let left = stale(&work);
    assert_eq!(left.len(), 1);
    remove(&left[0]);
    // Its control groups go with the next start, once the kernel has let go of the last process.
    eventually("nothing is left", || {
        forget(&left);
        crate::cgroups::of_maker(caller.id()).is_empty()
    });
    assert_eq!(std::fs::read_dir(&work).unwrap().count(), 0);
    remove(Path::new(its_base));
}

fn a_task_ends_when_its_caller_is_killed() {
    let (mut caller, pid) = start_this(&["--wait-in-task"]);
    let task = Path::new("/proc").join(&pid);
    assert!(task.exists());
    caller.kill().unwrap();
    caller.wait().unwrap();
    eventually("the task is gone", || !task.exists());
}

fn a_supervisor_that_hangs_is_ended_with_all_it_runs() {
    let world = World::new();
    let mut sandbox = world.start();
    run(&mut sandbox, &script("true"));
    // PID 1 of the sandbox, stopped from outside as nobody inside can.
    let outer = sandbox.pid();
    let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).unwrap();
    let supervisor: i32 = children.trim().parse().unwrap();
    let stop = rustix::process::Signal::STOP;
    rustix::process::kill_process(rustix::process::Pid::from_raw(supervisor).unwrap(), stop).unwrap();
    let began = Instant::now();
    drop(sandbox);
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
    assert!(!Path::new(&format!("/proc/{supervisor}")).exists());
}

fn a_sandbox_goes_when_the_process_that_holds_it_is_killed() {
    let mut sandbox = World::new().start();
    let outer = rustix::process::Pid::from_raw(i32::try_from(sandbox.pid()).unwrap()).unwrap();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        rustix::process::kill_process(outer, rustix::process::Signal::KILL).unwrap();
    });
    let before = running("4712");
    let error = sandbox.run(&script("sleep 4712"), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("ended unexpectedly"), "{error}");
    killer.join().unwrap();
    eventually("its processes are gone", || running("4712") == before);
}

fn an_interrupt_at_the_callers_terminal_is_for_the_caller_alone() {
    // A terminal sends it to all of a process group.
    let sandbox = World::new().start();
    let [own, outer] =
        ["self".to_owned(), sandbox.pid().to_string()].map(|process| group_and_session(&process));
    assert_ne!(own.0, outer.0);
    assert_ne!(own.1, outer.1);
}

/// The process group and session of a process, 0 where these were made outside of our PID namespace (as a container's
/// first process may find them): getpgid(2) of rustix cannot tell of that. See `proc_pid_stat(5)`.
fn group_and_session(process: &str) -> (u32, u32) {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}

fn a_folder_that_is_released_is_no_leftover() {
    let work = base().join("released");
    map().create_folder(&work).unwrap();
    let folder = WorkFolder::create(&work, &map()).unwrap();
    map().create_folder(&folder.path().join("kept")).unwrap();
    let path = folder.release().unwrap();
    assert!(path.join("kept").is_dir());
    assert_eq!(stale(&work), Vec::<std::path::PathBuf>::new());
    assert_eq!(std::fs::read_dir(&work).unwrap().count(), 1, "no lock is left");
}

fn many_sandboxes_at_a_time_do_not_meet() {
    let threads: Vec<_> = (0..6)
        .map(|number| {
            std::thread::spawn(move || {
                let mut sandbox = World::new().start();
                let text = format!("echo {number} >/tmp/own; sleep 1; cat /tmp/own; ls /tmp; ps | wc -l");
                (number, run(&mut sandbox, &script(&text)).1)
            })
        })
        .collect();
    for thread in threads {
        let (number, text) = thread.join().unwrap();
        assert_eq!(text.lines().take(2).collect::<Vec<_>>(), [number.to_string().as_str(), "own"]);
    }
}

crate::tests![
    nothing_outlives_a_caller_that_was_killed,
    a_task_ends_when_its_caller_is_killed,
    a_supervisor_that_hangs_is_ended_with_all_it_runs,
    a_sandbox_goes_when_the_process_that_holds_it_is_killed,
    an_interrupt_at_the_callers_terminal_is_for_the_caller_alone,
    a_folder_that_is_released_is_no_leftover,
    many_sandboxes_at_a_time_do_not_meet,
];
