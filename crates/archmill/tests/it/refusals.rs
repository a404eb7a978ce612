//! What archmill says to input that it cannot use.

use crate::run::{archmill, said};

fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let tmp = tempfile::tempdir().unwrap();
    let output = archmill(arguments, tmp.path());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
}

const NOBODY: &str = "http://127.0.0.1:1/debian";

#[test]
fn an_unknown_architecture_or_suite_is_answered_with_the_nearest() {
    refused(&["build", "dash", "--mirror", NOBODY, "--arch", "arm46"], 2, &["arm46", "arm64"]);
    refused(&["build", "dash", "--mirror", NOBODY, "--suite", "trixi"], 4, &["did you mean trixie?"]);
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
    refused(&["replay", path.to_str().unwrap()], 1, &["99"]);
}

#[test]
fn there_is_nothing_to_debug_before_a_build_failed() {
    let tmp = tempfile::tempdir().unwrap();
    let cache = tmp.path().join("cache");
    refused(&["debug", "dash", "--cache", cache.to_str().unwrap()], 1, &["no such failed build"]);
}
