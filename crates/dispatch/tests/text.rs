//! What the code that chooses makes of arguments: its own source, compiled for this test.
#![cfg(target_arch = "x86_64")]
#![allow(
    dead_code,
    unreachable_pub,
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "all of program/ is below the level where safety could be shown"
)]

use std::ffi::CString;
use std::ptr::null;

#[path = "../program/text.rs"]
mod text;

fn zero_ended(text: &str) -> CString {
    CString::new(text).expect("no text here has a zero")
}

/// Calls a function on arguments, parted by spaces, and words.
fn holds(function: unsafe fn(*mut *const u8, *const u8) -> bool, arguments: &str, words: &str) -> bool {
    let strings: Vec<CString> = arguments.split(' ').map(zero_ended).collect();
    let mut pointers: Vec<*const u8> = strings.iter().map(|string| string.as_ptr().cast()).collect();
    pointers.extend([null(), null()]);
    let words = zero_ended(words);
    unsafe { function(pointers.as_mut_ptr(), words.as_ptr().cast()) }
}

fn is_script(arguments: &str) -> bool {
    holds(text::is_script, arguments, "-B -u")
}

#[test]
fn a_script_stands_behind_known_options() {
    for script in ["setup.py build", "./gen.py", "-B gen.py", "-u -B gen.py", "-c print(1)", "-B -c pass"] {
        assert!(is_script(script), "{script}");
    }
    for other in ["", "-", "-m build", "-W gen.py", "-c", "-B", "-BE gen.py"] {
        assert!(!is_script(other), "{other}");
    }
}

#[test]
fn a_test_is_no_script() {
    for test in [
        "test.py",
        "tests/gen.py",
        "../tests/a.py",
        "a/test_b.py",
        "run-test.py",
        "run_tests.py",
        "runtests.py",
        "pytest.py",
        "unittest.py",
        "setup.py test",
        "-B setup.py tests",
        "-c import_test",
        "/usr/bin/pytest",
    ] {
        assert!(!is_script(test), "{test}");
    }
    for script in ["latest.py", "gen-installed-test.py", "contest/a.py", "setup.py build"] {
        assert!(is_script(script), "{script}");
    }
}

#[test]
fn a_rule_of_two_words_wants_the_whole_first_argument() {
    let starts = |arguments, rule| holds(text::first_starts, arguments, rule);
    assert!(starts("/usr/bin/meson setup", "/usr/bin/meson"));
    assert!(starts("-m build --wheel", "-m build"));
    assert!(starts("-m buildx", "-m build"));
    assert!(!starts("-mx build", "-m build"));
    assert!(!starts("-m", "-m build"));
}

#[test]
fn words_are_whole_or_beginnings() {
    let call = |function: unsafe fn(*const u8, *const u8) -> bool, text: &str, list: &str| {
        let (text, list) = (zero_ended(text), zero_ended(list));
        unsafe { function(text.as_ptr().cast(), list.as_ptr().cast()) }
    };
    assert!(call(text::is_word_of, "-u", "-B -u") && call(text::is_word_of, "-B", "-B -u"));
    assert!(!call(text::is_word_of, "-", "-B -u") && !call(text::is_word_of, "-Bx", "-B -u"));
    assert!(call(text::begins_like_word_of, "/bin/sh", "/usr/bin/ /bin/"));
    assert!(!call(text::begins_like_word_of, "/sbin/sh", "/usr/bin/ /bin/"));
    assert!(!call(text::begins_like_word_of, "anything", ""));
}
