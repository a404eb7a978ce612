//! Running commands: what they are given, what comes back, what is left of them.

use std::time::{Duration, Instant};

use archmill_sandbox::{Command, SandboxError, Status};

use crate::world::{World, command, output, root_script, run, script};

fn exit_codes_and_signals_are_told_apart() {
    let mut sandbox = World::new().start();
    for code in [0, 1, 42, 255] {
        assert_eq!(run(&mut sandbox, &script(&format!("exit {code}"))).0.status, Status::Exited(code));
    }
    for signal in [1, 6, 9, 11, 15] {
        assert_eq!(
            run(&mut sandbox, &script(&format!("kill -{signal} $$"))).0.status,
            Status::Signaled(signal)
        );
    }
}

fn output_and_errors_come_in_the_order_they_were_written() {
    let mut sandbox = World::new().start();
    let text = "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done";
    let expected: String = (1..10).map(|i| format!("out {i}\nerr {i}\n")).collect();
    assert_eq!(output(&mut sandbox, &script(text)), expected);
}

fn no_byte_of_a_long_output_is_lost() {
    let mut sandbox = World::new().start();
    let mut count = 0_u64;
    let exit = sandbox
        .run(&script("head -c 100000000 /dev/zero"), &mut |bytes| count += bytes.len() as u64)
        .unwrap();
    assert_eq!((exit.status, count), (Status::Exited(0), 100_000_000));
}

fn the_environment_is_exactly_what_was_given() {
    let mut sandbox = World::new().start();
    let mut env = command(&["env"]);
    env.env.push(("ODD".to_owned(), "a=b\nc".to_owned()));
    assert_eq!(output(&mut sandbox, &env), "PATH=/bin:/usr/bin\nODD=a=b\nc\n");
}

fn folder_user_group_and_umask_are_what_was_given() {
    let mut sandbox = World::new().start();
    let command = Command {
        cwd: "/build".into(),
        uid: 7,
        gid: 8,
        umask: 0o27,
        ..script("pwd; id -u; id -g; id -G; umask; cd /tmp; echo >f; stat -c '%a %u %g' f")
    };
    assert_eq!(output(&mut sandbox, &command), "/build\n7\n8\n8\n0027\n640 7 8\n");
}

fn standard_input_is_empty_and_there_is_no_terminal() {
    let mut sandbox = World::new().start();
    assert_eq!(
        output(
            &mut sandbox,
            &script("cat; readlink /proc/self/fd/0; (echo >/dev/tty) 2>/dev/null || echo none")
        ),
        "/dev/null\nnone\n"
    );
}

fn signals_are_as_the_kernel_gives_them_to_a_first_process() {
    let mut sandbox = World::new().start();
    let text = output(&mut sandbox, &command(&["grep", "^Sig[BIC]", "/proc/self/status"]));
    let zero = "0000000000000000";
    assert_eq!(text, format!("SigBlk:\t{zero}\nSigIgn:\t{zero}\nSigCgt:\t{zero}\n"));
}

fn what_cannot_be_started_says_why() {
    let mut sandbox = World::new().start();
    let error = |sandbox: &mut archmill_sandbox::Sandbox, command: &Command| {
        sandbox.run(command, &mut |_| {}).unwrap_err()
    };
    let missing = error(&mut sandbox, &command(&["no-such-program"]));
    assert!(matches!(&missing, SandboxError::Failed { not_found: true, .. }), "{missing:?}");
    assert_eq!(
        missing.to_string(),
        "cannot start no-such-program in the sandbox: no-such-program is not in /bin:/usr/bin"
    );
    let folder = error(&mut sandbox, &Command { cwd: "/nowhere".into(), ..script("true") });
    assert!(folder.to_string().contains("cannot change into its folder"), "{folder}");
    sandbox.write("/tmp/text", b"\x7fnonsense", 0o755, (0, 0)).unwrap();
    let nonsense = error(&mut sandbox, &command(&["/tmp/text"]));
    assert!(nonsense.to_string().contains("cannot execute it: Exec format error"), "{nonsense}");
    assert_eq!(output(&mut sandbox, &script("echo still there")), "still there\n");
}

fn a_command_of_any_length_can_be_run() {
    let mut sandbox = World::new().start();
    let mut long = command(&["sh", "-c", "echo ${#LONG} $#", "x"]);
    long.env.push(("LONG".to_owned(), "y".repeat(120_000)));
    long.argv.extend((0..2000).map(|number| format!("argument number {number:0>80}")));
    assert_eq!(output(&mut sandbox, &long), "120000 2000\n");
}

fn what_a_command_leaves_running_is_ended_with_it() {
    let mut sandbox = World::new().start();
    let began = Instant::now();
    let text = "setsid sh -c 'trap \"\" TERM HUP INT; (sleep 1000 &) ; sleep 1000' & (setsid setsid sleep 1000 &) & nohup sleep 1000 >/dev/null 2>&1 & sleep 0.3; exit 3";
    assert_eq!(run(&mut sandbox, &script(text)).0.status, Status::Exited(3));
    assert!(began.elapsed() < Duration::from_secs(120));
    assert_eq!(output(&mut sandbox, &script("ps | grep -c '[s]leep 1000'; true")), "0\n");
}

fn orphans_are_reaped_while_a_command_runs() {
    let mut sandbox = World::new().start();
    // Each inner shell leaves a child behind, which PID 1 inherits.
    let text = "for i in 1 2 3 4 5 6 7 8 9 10; do sh -c 'sleep 0.1 &'; done; sleep 1; grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l";
    assert_eq!(output(&mut sandbox, &script(text)), "0\n");
}

fn a_command_that_closed_its_output_is_waited_for() {
    let mut sandbox = World::new().start();
    assert_eq!(
        run(&mut sandbox, &script("exec >/dev/null 2>&1; sleep 1; exit 5")).0.status,
        Status::Exited(5)
    );
}

fn cancelling_ends_even_what_ignores_every_signal() {
    let world = World::new();
    let mut sandbox = world.start();
    let canceller = world.canceller.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        canceller.cancel();
    });
    let began = Instant::now();
    let stubborn = script("trap '' HUP INT QUIT TERM; while true; do sleep 1000; done");
    assert_eq!(run(&mut sandbox, &stubborn).0.status, Status::Cancelled);
    assert!(began.elapsed() < Duration::from_secs(120));
    thread.join().unwrap();
    assert_eq!(run(&mut sandbox, &script("true")).0.status, Status::Cancelled, "and every one that follows");
}

fn times_are_counted() {
    let mut sandbox = World::new().start();
    let (exit, _) =
        run(&mut sandbox, &script("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 0.5"));
    assert!(exit.wall >= Duration::from_millis(500));
    assert!(exit.cpu_user + exit.cpu_system > Duration::from_millis(50), "{exit:?}");
    let (idle, _) = run(&mut sandbox, &script("true"));
    assert!(idle.cpu_user < exit.cpu_user, "each command has its own");
}

fn files_of_one_command_are_there_for_the_next() {
    let mut sandbox = World::new().start();
    output(&mut sandbox, &root_script("echo kept >/build/file"));
    assert_eq!(output(&mut sandbox, &script("cat /build/file")), "kept\n");
}

crate::tests![
    exit_codes_and_signals_are_told_apart,
    output_and_errors_come_in_the_order_they_were_written,
    no_byte_of_a_long_output_is_lost,
    the_environment_is_exactly_what_was_given,
    folder_user_group_and_umask_are_what_was_given,
    standard_input_is_empty_and_there_is_no_terminal,
    signals_are_as_the_kernel_gives_them_to_a_first_process,
    what_cannot_be_started_says_why,
    a_command_of_any_length_can_be_run,
    what_a_command_leaves_running_is_ended_with_it,
    orphans_are_reaped_while_a_command_runs,
    a_command_that_closed_its_output_is_waited_for,
    cancelling_ends_even_what_ignores_every_signal,
    times_are_counted,
    files_of_one_command_are_there_for_the_next,
];
