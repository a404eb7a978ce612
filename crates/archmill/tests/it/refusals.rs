//! What archmill says to input that it cannot use.

use crate::run::{archmill, said};

fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let tmp = tempfile::tempdir().unwrap();
    let output = archmill(arguments, tmp.path());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    let made = std::fs::read_dir(tmp.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(made.collect::<Vec<_>>(), ["farm.toml"], "nothing is made");
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
}

const NOBODY: &str = "http://127.0.0.1:1/debian";

#[test]
fn an_unknown_architecture_or_suite_is_answered_with_the_nearest() {
    refused(&["build", "dash", "--mirror", NOBODY, "--arch", "arm46"], 2, &["arm46", "arm64"]);
    refused(&["build", "dash", "--mirror", NOBODY, "--suite", "trixi"], 2, &["did you mean trixie?"]);
}

#[test]
fn a_mirror_that_does_not_answer_is_named() {
    refused(&["build", "dash", "--mirror", NOBODY, "--arch", "amd64"], 4, &[NOBODY]);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    refused(
        &["build", "dash", "--mirror", NOBODY, "--hook", "after=true"],
        2,
        &["there is no phase \"after\"", "post-build"],
    );
    refused(&["build", "dash", "--mirror", NOBODY, "--jobs", "0"], 2, &["--jobs", "1 or more"]);
    refused(&["build", "dash", "--mirror", NOBODY, "--max-memory", "much"], 2, &["much"]);
}

#[test]
fn a_record_that_is_none_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("build-record.json");
    std::fs::write(&path, "{\"format_version\": 99}").unwrap();
    refused(&["replay", path.to_str().unwrap()], 2, &["99"]);
    refused(&["replay", "nowhere.json"], 2, &["nowhere.json: No such file"]);
}

#[test]
fn there_is_nothing_to_debug_before_a_build_failed() {
    let tmp = tempfile::tempdir().unwrap();
    let cache = tmp.path().join("cache");
    refused(&["debug", "dash", "--cache", cache.to_str().unwrap()], 2, &["no such failed build"]);
}

#[test]
fn what_is_not_there_is_refused_before_anything_is_asked_of_a_mirror() {
    let build = |more: &[&str], words: &[&str]| {
        refused(&[&["build", "--mirror", NOBODY, "--arch", "amd64"], more].concat(), 2, words);
    };
    build(&["./nowhere.dsc"], &["cannot read ./nowhere.dsc: No such file"]);
    build(&["./nowhere"], &["./nowhere is neither a .dsc file nor a folder"]);
    build(&["."], &["./debian/changelog", "is no Debian source tree"]);
    build(&["dash", "--extra-package", "nowhere.deb"], &["--extra-package", "nowhere.deb"]);
    build(&["dash", "--keyring", "nowhere.gpg"], &["--keyring", "nowhere.gpg"]);
    build(&["dash", "--twin-rules", "nowhere.toml"], &["--twin-rules", "nowhere.toml"]);
    build(&["dash", "--keyring", "/etc/passwd"], &["--keyring: cannot read the keyring /etc/passwd"]);
    build(&["dash", "--twin-rules", "/etc/passwd"], &["--twin-rules: "]);
    build(&["dash", "--security-mirror", "none"], &["--security-mirror: \"none\" is no URL"]);
    build(&["dash", "--without-suite", "trixi"], &["--without-suite: trixi is no suite", "trixie-security"]);
    build(&["dash", "--qemu-suite", "trixi"], &["--qemu-suite", "did you mean trixie?"]);
    build(&["dash", "--max-time", "5x"], &["--max-time", "\"5x\" is no time; write 90s, 15m, 6h or 2d"]);
    build(&["dash", "--out", "farm.toml"], &["--out farm.toml", "results need a folder"]);
    build(&["dash", "--repository", "http://x trixie main"], &["\"http://x trixie main\""]);
}

#[test]
fn a_mistake_is_told_once_and_usage_asks_for_no_option_that_a_variable_gives() {
    let tmp = tempfile::tempdir().unwrap();
    let output = archmill(&["replay", "nowhere.json"], tmp.path());
    assert_eq!(said(&output).matches("No such file").count(), 1, "{}", said(&output));
    let output = archmill(&["build"], tmp.path());
    assert!(!said(&output).contains("--cache"), "{}", said(&output));
}

#[test]
fn a_shell_without_a_terminal_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::write(tmp.path().join("farm.toml"), "").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_archmill"))
        .args(["shell", "dash", "--mirror", NOBODY])
        .stdin(std::process::Stdio::null())
        .env("ARCHMILL_CONFIG", tmp.path().join("farm.toml"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("no terminal") && said(&output).contains("-- COMMAND"),
        "{}",
        said(&output)
    );
}
