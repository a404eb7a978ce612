//! Standard streams that are closed, and terminals that are none.

use std::fs;
use std::process::Stdio;

use crate::farm::{Farm, sandbox};
use crate::made::Tree;
use crate::run::said;

#[test]
fn a_build_goes_on_when_nobody_reads_what_it_says() {
    if !sandbox("a_build_goes_on_when_nobody_reads") {
        return;
    }
    let farm = Farm::warm();
    for more in [&[][..], &["--json"]] {
        let out = farm.new_out();
        let words = ["build", "greeting", "--arch", "amd64", "--out", out.to_str().unwrap()];
        let mut command = farm.command(&[&words, more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0), "{more:?}");
        let log = fs::read_to_string(out.join("greeting_1.0-1_amd64.build")).unwrap();
        assert!(log.contains("Status: successful"), "{log}");
    }
    let mut command = farm.command(&["build", "--help"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_ne!(child.wait().unwrap().code(), Some(101));
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    if !sandbox("an_answer_that_cannot_be_written") {
        return;
    }
    let farm = Farm::warm();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let out = farm.new_out();
    let words = ["build", "greeting", "--json", "--quiet", "--out", out.to_str().unwrap()];
    let output = farm.command(&words).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("cannot write to standard output"), "{}", said(&output));
}

#[test]
fn without_a_terminal_no_shell_is_started_after_a_failure_and_that_is_said() {
    if !sandbox("without_a_terminal_no_shell") {
        return;
    }
    let farm = Farm::warm();
    let tree = Tree::new("broken", "false").write(&farm.work());
    let built = farm.build(&tree, &["--shell-on-failure"]).failed(6, &["no shell is started"]);
    let built = built.recorded("build", "attempted");
    assert!(built.record()["warnings"].to_string().contains("no shell is started"));
    assert!(built.log().contains("W: no shell is started"));
    // The root is kept, where farm.toml says, and what is run there has the environment of the build.
    farm.configure(&format!("cache = \"{}\"\n", farm.cache().display()));
    let run = |arguments: &[&str]| {
        let output = farm.command(arguments).env_remove("ARCHMILL_CACHE").output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let told = ["--", "sh", "-c", "echo $HOME $USER $DEB_BUILD_OPTIONS"];
    let user = run(&[&["debug", "broken"][..], &told].concat());
    assert!(user.starts_with("/sbuild-nonexistent buildd parallel="), "{user}");
    let user = run(&[&["shell", "greeting", "--arch", "amd64"][..], &told].concat());
    assert!(user.starts_with("/sbuild-nonexistent buildd parallel="), "{user}");
    let root = run(&[&["debug", "broken", "--root"][..], &told].concat());
    assert!(root.starts_with("/root root parallel="), "{root}");
    for subcommand in [&["debug", "broken"][..], &["shell", "greeting", "--arch", "amd64"]] {
        let exit = [subcommand, &["--", "sh", "-c", "exit 7"]].concat();
        assert_eq!(farm.run(&exit).status.code(), Some(7), "{subcommand:?}");
    }
    // replay as well.
    let out = farm.new_out();
    let record = farm.build("greeting", &[]).succeeded().folder.join("build-record.json");
    run(&["replay", record.to_str().unwrap(), "--quiet", "--out", out.to_str().unwrap()]);
    farm.assert_nothing_left();
}
