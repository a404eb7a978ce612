//! The lines of a failed build's log that a maintainer would look for.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::RegexSet;

/// Most lines that are returned.
pub const MOST_LINES: usize = 25;

/// Of these, lines that report what another program said before: make, debhelper, dpkg.
const MOST_REPORTS: usize = 8;

/// Most characters of one line.
const MOST_CHARS: usize = 400;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The reason: a compiler's error, a failed test, a crash.
    Cause,
    /// What tells which command failed because of it.
    Report,
}

/// The lines that say why a build failed, in their order: errors of compilers and linkers, failed
/// tests and their totals, crashes, then what make, debhelper and dpkg made of it, no line twice. At most
/// [`MOST_LINES`]; when there are more causes than fit, the last are kept. When nothing
/// looks like an error, the last lines that are not empty.
pub fn relevant_lines(tail: &str) -> Vec<String> {
    let lines: Vec<&str> = tail.lines().collect();
    let found: Vec<(usize, Kind)> =
        lines.iter().enumerate().filter_map(|(at, line)| kind(line).map(|kind| (at, kind))).collect();
    let last = |wanted: Kind, most: usize| {
        let of_kind: Vec<usize> =
            found.iter().filter(|(_, kind)| *kind == wanted).map(|(at, _)| *at).collect();
        of_kind[of_kind.len().saturating_sub(most)..].to_vec()
    };
    let mut chosen = last(Kind::Report, MOST_REPORTS);
    chosen.extend(last(Kind::Cause, MOST_LINES - MOST_REPORTS));
    chosen.sort_unstable();
    if chosen.is_empty() {
        let full: Vec<usize> = (0..lines.len()).filter(|&at| !lines[at].trim().is_empty()).collect();
        chosen = full[full.len().saturating_sub(MOST_REPORTS)..].to_vec();
    }
    let mut known = HashSet::new();
    chosen.retain(|&at| known.insert(lines[at]));
    let mut within_make = false;
    chosen.retain(|&at| {
        // Each make above the one that failed says the same once more.
        let (above, make) = (within_make, is_make(lines[at]));
        within_make = make;
        !(above && make)
    });
    chosen.into_iter().map(|at| shortened(lines[at])).collect()
}

/// Whether make says that a target failed.
fn is_make(line: &str) -> bool {
    line.starts_with("make") && line.contains("]: *** [")
}

fn shortened(line: &str) -> String {
    let line = line.trim_end();
    match line.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line.to_owned(),
    }
}

fn kind(line: &str) -> Option<Kind> {
    if NEITHER.is_match(line) {
        None
    } else if REPORT.is_match(line) {
        Some(Kind::Report)
    } else if CAUSE.is_match(line) {
        Some(Kind::Cause)
    } else {
        None
    }
}

/// Lines with the words of an error that are none.
static NEITHER: LazyLock<RegexSet> = LazyLock::new(|| {
    set(&[
        r"^\s*(PASS|XFAIL|SKIP|ok \d+)\b",
        r"^# (XFAIL|PASS|SKIP|TOTAL|XPASS):|^# (FAIL|ERROR): +0$",
        r"^checking ",
        r"Error \d+ \(ignored\)$",
        r"\b0 (failed|failures|errors|tests? failed)\b",
        r"not ok \d+.*# (TODO|SKIP)",
    ])
});

static REPORT: LazyLock<RegexSet> = LazyLock::new(|| {
    set(&[
        r"^(g?make|ninja|mingw32-make)(\[\d+\])?: (\*\*\*|build stopped)",
        r"^(dh|dh_[a-z_]+|dpkg(-[a-z]+)?): (fatal )?error: ",
        r"^E: ",
    ])
});

static CAUSE: LazyLock<RegexSet> = LazyLock::new(|| {
    set(&[
        // Compilers: file:line:column: error: ..., cc1: error: ..., rustc's error[E0308]: ...
        r"(^|: )(fatal |internal compiler )?error(\[E\d+\])?: ",
        r"\binternal compiler error\b",
        r"^(error|ERROR|FATAL|fatal): ",
        // Linkers.
        r"undefined reference to|multiple definition of|: cannot find -l|relocation truncated to fit|^collect2: error",
        // What debhelper lacks comes as warnings before its error; patches that do not fit.
        r"^dh_[a-z_]+: warning: (Cannot find |.* exists in debian/tmp but is not installed)",
        r"^dpkg-gensymbols: warning: .* doesn't match completely|^Hunk #\d+ FAILED",
        // Perl, the tools of coreutils, Go.
        r"^Can't (locate|load|open|exec) |^syntax error at |^[a-z-]+: cannot |^panic: ",
        // Programs that end a build: configure, cmake, meson, tracebacks.
        r"^configure: error:|^CMake Error|^meson\.build:\d+:\d+: ERROR:",
        r"^[A-Za-z_.]*(Error|Exception): ",
        r"^Segmentation fault|^Aborted|^Illegal instruction|^Bus error|^Killed|\(core dumped\)|terminated by signal|^qemu: |^QEMU internal",
        r"Killed signal terminated program|virtual memory exhausted|Cannot allocate memory|No space left on device",
        r"No such file or directory$|: (command )?not found$|Permission denied$",
        // Tests: automake, TAP, ctest, pytest, cargo, go, meson.
        r"^(FAIL|ERROR|XPASS)\b|^# (FAIL|ERROR|XPASS): +[1-9]",
        r"^E   +\S|^not ok \d+|^\s*FAILED\b|^--- FAIL: |^=+ .*\b[1-9]\d* (failed|errors?)\b.* =+$",
        r"^\s*\d+ - .*\((Failed|Timeout|SEGFAULT|Subprocess aborted|Child aborted|Not Run|ILLEGAL)\)$",
        r"\b[1-9]\d* tests? failed\b|^[1-9]\d* of \d+ tests? failed|^Ok: +\d|^(Fail|Timeout): +[1-9]|^test result: FAILED",
        r"^\s*\d+/\d+ .*\b(FAIL|TIMEOUT|ERROR)\b|^thread '.*' .*panicked at",
        r"[Aa]ssertion .*failed|stack smashing detected",
    ])
});

/// A set of patterns that are constants of this file; one that does not compile matches nothing, and
/// the tests would show it.
fn set(patterns: &[&str]) -> RegexSet {
    RegexSet::new(patterns).unwrap_or_else(|_| RegexSet::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tail: &str) -> String {
        relevant_lines(tail).join("\n")
    }

    #[test]
    fn all_patterns_compile() {
        assert!(!NEITHER.is_empty() && !REPORT.is_empty() && !CAUSE.is_empty());
    }

    #[test]
    fn a_compile_error_and_who_reported_it() {
        insta::assert_snapshot!(shown(include_str!("../../tests/data/log/compile-error.txt")));
    }

    #[test]
    fn an_automake_test_suite() {
        insta::assert_snapshot!(shown(include_str!("../../tests/data/log/automake-tests.txt")));
    }

    #[test]
    fn a_crash_in_the_emulator() {
        insta::assert_snapshot!(shown(
            "cc -o t t.o\n./t\nqemu: uncaught target signal 11 (Segmentation fault) - core dumped\n\
             Segmentation fault\nmake[1]: *** [Makefile:7: all] Error 139\n"
        ), @r"
        qemu: uncaught target signal 11 (Segmentation fault) - core dumped
        Segmentation fault
        make[1]: *** [Makefile:7: all] Error 139
        ");
    }

    #[test]
    fn many_causes_leave_the_last_and_the_reports() {
        let errors: Vec<String> = (0..100).map(|n| format!("a.c:{n}:1: error: no\n")).collect();
        let tail = errors.concat() + "make: *** [debian/rules:4: build] Error 2\n";
        let lines = relevant_lines(&tail);
        assert_eq!(lines.len(), MOST_LINES - MOST_REPORTS + 1);
        assert_eq!(lines[0], "a.c:83:1: error: no");
        assert!(lines[lines.len() - 1].starts_with("make: ***"));
    }

    #[test]
    fn without_an_error_the_last_lines_are_shown() {
        assert_eq!(relevant_lines("one\n\ntwo\n\n"), ["one", "two"]);
        assert!(relevant_lines("").is_empty());
    }

    #[test]
    fn lines_that_merely_mention_errors_are_left_out() {
        let calm = "PASS: error: handling\nchecking for error: no\ngcc -Werror=format-security -c error.c\n\
                    # FAIL:  0\n1..3\nok 1 - gives error: x\ntest result: ok. 3 passed; 0 failed; 0 ignored\n";
        let lines = relevant_lines(&format!("{calm}ld: cannot find -lfoo: No such file or directory\n"));
        assert_eq!(lines, ["ld: cannot find -lfoo: No such file or directory"]);
    }

    #[test]
    fn what_is_missing_is_told_and_not_only_that_something_is() {
        let causes = [
            "dh_install: warning: Cannot find (any matches for) \"usr/bin/x\" (tried in ., debian/tmp)",
            "dh_missing: warning: usr/share/x exists in debian/tmp but is not installed to anywhere",
            "Can't locate Foo/Bar.pm in @INC (you may need to install the Foo::Bar module)",
            "cp: cannot stat 'x': No such file or directory",
            "E   assert 1 == 2",
            "Hunk #1 FAILED at 7.",
        ];
        for cause in causes {
            let lines =
                relevant_lines(&format!("make[1]: Entering directory '/build'\n{cause}\nlast line\n"));
            assert_eq!(lines, [cause]);
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let lines = relevant_lines(&format!("error: {}\n", "ü".repeat(1000)));
        assert_eq!(lines[0].chars().count(), MOST_CHARS + 4);
    }
}
