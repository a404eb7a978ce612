//! Root for the build user, on request.

use std::time::{Duration, Instant};

use archmill_sandbox::{Command, Status};

use crate::world::{World, output, root_script, run, script};

fn in_tree(text: &str) -> Command {
    Command { cwd: "/build/tree".into(), ..script(text) }
}

fn arguments_environment_folder_streams_and_mask_pass_through() {
    let mut sandbox = World::with_gain_root().start();
    let text = "umask 027; export ODD='a b'; echo input | gain-root sh -c 'id -u; id -g; id -G; pwd; umask; echo \"$ODD|$1|$2|$3\"; cat; echo error >&2' name 'one two' '' '*'";
    assert_eq!(
        output(&mut sandbox, &in_tree(text)),
        "0\n0\n0\n/build/tree\n0027\na b|one two||*\ninput\nerror\n"
    );
}

fn exit_codes_and_signals_come_back() {
    let mut sandbox = World::with_gain_root().start();
    let text = "gain-root sh -c 'exit 42'; echo $?; gain-root sh -c 'kill -9 $$'; echo $?; gain-root sh -c 'kill -TERM $$'; echo $?; gain-root true; echo $?";
    let (exit, text) = run(&mut sandbox, &script(text));
    let codes: Vec<&str> = text.lines().filter(|line| line.parse::<u32>().is_ok()).collect();
    assert_eq!((exit.status, codes), (Status::Exited(0), vec!["42", "137", "143", "0"]), "{text}");
}

fn signals_for_the_client_reach_the_command() {
    let mut sandbox = World::with_gain_root().start();
    let text = "gain-root sh -c 'trap \"echo got; exit 7\" TERM; touch ready; while :; do sleep 0.1; done' & while [ ! -e ready ]; do sleep 0.1; done; kill -TERM $!; wait $!; echo $?";
    assert_eq!(output(&mut sandbox, &in_tree(text)), "got\n7\n");
}

fn what_cannot_be_run_says_why() {
    let mut sandbox = World::with_gain_root().start();
    let (exit, text) = run(&mut sandbox, &script("gain-root no-such-program"));
    assert_ne!(exit.status, Status::Exited(0));
    assert!(text.contains("gain-root: no-such-program is not in /bin:/usr/bin"), "{text}");
    let (_, text) = run(&mut sandbox, &script("gain-root /etc/passwd"));
    assert!(text.contains("gain-root: cannot run /etc/passwd: Permission denied"), "{text}");
}

fn nobody_else_may_ask() {
    let mut sandbox = World::with_gain_root().start();
    let (exit, text) = run(&mut sandbox, &Command { uid: 7, gid: 7, ..script("gain-root id") });
    assert_ne!(exit.status, Status::Exited(0));
    assert!(text.contains("only the build user and root may ask for root"), "{text}");
    assert_eq!(output(&mut sandbox, &root_script("gain-root id -u")), "0\n", "root may, though it need not");
}

fn the_tree_is_roots_meanwhile_and_the_build_users_again_afterwards() {
    let mut sandbox = World::with_gain_root().start();
    let text = "mkdir sub; echo x >sub/file; ln sub/file hard; ln -s /etc/passwd link; cp /bin/busybox tool; chmod 6755 tool; \
        gain-root sh -c 'touch new; chown 5:6 other 2>/dev/null; stat -c \"%n %u %g %a\" . sub sub/file hard link tool new'; \
        stat -c '%n %u %g %a' . sub sub/file hard link tool new; stat -c '%u %a' /etc/passwd";
    let text = output(&mut sandbox, &in_tree(text));
    let expected = |owner: &str| {
        format!(
            ". {owner} 755\nsub {owner} 755\nsub/file {owner} 644\nhard {owner} 644\nlink {owner} 777\ntool {owner} 6755\nnew {owner} 644\n"
        )
    };
    assert_eq!(text, format!("{}{}0 644\n", expected("0 0"), expected("2952 2952")));
}

fn owners_that_a_command_gave_on_purpose_stay() {
    let mut sandbox = World::with_gain_root().start();
    let text = "touch file; gain-root chown 5:6 file; stat -c '%u %g' file";
    assert_eq!(output(&mut sandbox, &in_tree(text)), "5 6\n");
}

fn the_tree_stays_roots_while_any_of_several_runs() {
    let mut sandbox = World::with_gain_root().start();
    let text = "touch file; gain-root sh -c 'touch go; sleep 3' & while [ ! -e go ]; do sleep 0.1; done; \
        gain-root true; stat -c %u file; gain-root gain-root id -u; stat -c %u file; wait; stat -c %u file";
    assert_eq!(output(&mut sandbox, &in_tree(text)), "0\n0\n0\n2952\n");
    let parallel = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do gain-root sh -c \"echo $i >f$i; sleep 0.$i\" & done; wait; cat f* | wc -l; stat -c %u . f* | sort -u";
    assert_eq!(output(&mut sandbox, &in_tree(parallel)), "12\n2952\n");
}

/// Perl that connects; the rest is up to `then`.
fn client(then: &str) -> String {
    format!(
        "perl -MSocket -e 'socket(my $s, PF_UNIX, SOCK_STREAM, 0); connect($s, pack_sockaddr_un(\"/run/archmill/root\")) or die; $| = 1; {then}'"
    )
}

fn a_client_that_says_nothing_holds_up_nobody() {
    let mut sandbox = World::with_gain_root().start();
    let silent = client("sleep 1000");
    let began = Instant::now();
    let text = format!("{silent} & {silent} & {silent} & sleep 1; gain-root id -u; echo done");
    assert_eq!(output(&mut sandbox, &script(&text)), "0\ndone\n");
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
    // More of them than are listened to at a time, for as long as they may keep silent.
    let many = client(
        "my @s = ($s); for (1..150) { socket(my $t, PF_UNIX, SOCK_STREAM, 0); connect($t, pack_sockaddr_un(\"/run/archmill/root\")); push @s, $t; } sleep 1000",
    );
    let text = format!("{many} & sleep 1; gain-root id -u");
    assert_eq!(output(&mut sandbox, &script(&text)), "0\n");
}

fn garbage_is_refused_and_half_a_word_is_no_harm() {
    let mut sandbox = World::with_gain_root().start();
    let answer = "shutdown($s, 1); local $/; print <$s>, \"\\n\"";
    let long = client(&format!("syswrite($s, pack(\"N\", 0xffffffff)); {answer}"));
    assert_eq!(output(&mut sandbox, &script(&long)), "the command line is longer than 1048576 bytes\n");
    let half = client(&format!("syswrite($s, pack(\"N\", 100) . \"half\"); {answer}"));
    assert_eq!(output(&mut sandbox, &script(&half)), "the client closed before it said what to run\n");
    let empty = client("syswrite($s, pack(\"N\", 0)); local $/; print <$s>, \"\\n\"");
    assert_eq!(output(&mut sandbox, &script(&empty)), " is not in /bin:/usr/bin\n");
    let binary = client(
        "syswrite($s, pack(\"N\", 4) . \"\\xff\\xfe\\x00\\x01\"); local $/; print length(<$s>) > 0, \"\\n\"",
    );
    assert_eq!(output(&mut sandbox, &script(&binary)), "1\n");
    assert_eq!(output(&mut sandbox, &script("gain-root id -u")), "0\n");
}

fn the_command_ends_when_its_client_is_killed_and_the_tree_comes_back() {
    let mut sandbox = World::with_gain_root().start();
    sandbox.write("/tmp/stubborn", b"touch go; trap '' TERM; sleep 1000; sleep 1000", 0o755, (0, 0)).unwrap();
    let text = "n=1000; gain-root sh /tmp/stubborn & while [ ! -e go ]; do sleep 0.1; done; kill -9 $!; \
        i=0; while ps | grep -q \"[s]leep $n\" && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done; ps | grep -c \"[s]leep $n\"; sleep 0.5; stat -c %u go";
    assert_eq!(output(&mut sandbox, &in_tree(text)), "0\n2952\n");
}

fn the_tree_comes_back_when_the_build_ends_while_root_works() {
    let mut sandbox = World::with_gain_root().start();
    output(
        &mut sandbox,
        &in_tree("gain-root sh -c 'touch go; sleep 1000' & while [ ! -e go ]; do sleep 0.1; done"),
    );
    assert_eq!(
        output(&mut sandbox, &in_tree("stat -c %u go; ps | grep -c '[s]leep 1000'; true")),
        "2952\n0\n"
    );
}

fn a_command_has_no_descriptors_but_the_three() {
    let mut sandbox = World::with_gain_root().start();
    assert_eq!(
        output(&mut sandbox, &script("exec 5</etc/passwd; gain-root ls /proc/self/fd")),
        "0\n1\n2\n3\n"
    );
}

crate::tests![
    arguments_environment_folder_streams_and_mask_pass_through,
    exit_codes_and_signals_come_back,
    signals_for_the_client_reach_the_command,
    what_cannot_be_run_says_why,
    nobody_else_may_ask,
    the_tree_is_roots_meanwhile_and_the_build_users_again_afterwards,
    owners_that_a_command_gave_on_purpose_stay,
    the_tree_stays_roots_while_any_of_several_runs,
    a_client_that_says_nothing_holds_up_nobody,
    garbage_is_refused_and_half_a_word_is_no_harm,
    the_command_ends_when_its_client_is_killed_and_the_tree_comes_back,
    the_tree_comes_back_when_the_build_ends_while_root_works,
    a_command_has_no_descriptors_but_the_three,
];
