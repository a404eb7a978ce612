//! From where a build stopped and what it printed to the class of its failure.

use std::sync::LazyLock;

use regex::RegexSet;

use super::class::{Class, Limit, Phase};

/// How a phase ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its program exited with this status.
    Exited(i32),
    /// Its program was ended by this signal.
    Signaled(i32),
    /// A limit was reached.
    Limit(Limit),
    /// The user ended it.
    Cancelled,
    /// archmill itself could not go on; the error says why.
    Error,
}

/// The class of a failure in `phase`, given the last output of programs in the root, or for
/// [`End::Error`] the error's text.
///
/// A build that failed while its tests ran is of class [`Class::Tests`], also when a test program did
/// not compile: building it again without tests would help.
pub fn classify(phase: Phase, end: End, tail: &str) -> Class {
    match end {
        End::Cancelled => return Class::Cancelled,
        End::Limit(limit) => return Class::Limit(limit),
        End::Exited(_) | End::Signaled(_) | End::Error => {}
    }
    match phase {
        _ if disk_is_full(end, tail) => Class::Host,
        Phase::Host => Class::Host,
        Phase::Indexes | Phase::FetchSource | Phase::FetchPackages => Class::Fetch,
        Phase::Resolve => Class::Dependencies,
        Phase::Root => Class::Root,
        Phase::Hook => Class::Hook,
        Phase::Build if lacks_dependencies(tail) => Class::Dependencies,
        Phase::Build if failed_in_tests(tail) => Class::Tests,
        Phase::Unpack | Phase::Build | Phase::Artifacts => Class::Build,
    }
}

/// Lines, counted from the end, in which the reason for the end is looked for. A parallel make goes on
/// printing what its other jobs do for a while.
const LAST_LINES: usize = 400;

fn last_lines(tail: &str) -> impl Iterator<Item = &str> {
    tail.lines().rev().take(LAST_LINES)
}

/// Whether what failed was the package's test suite.
fn failed_in_tests(tail: &str) -> bool {
    // The first of these from the end decides: a helper that failed says so after its program did.
    last_lines(tail).find_map(verdict).unwrap_or(false)
}

/// What a line says about the command that failed: `Some(true)` for tests, `Some(false)` for another
/// one, `None` for a line that does not tell.
fn verdict(line: &str) -> Option<bool> {
    static TESTS: LazyLock<RegexSet> = LazyLock::new(|| {
        set(&[
            r"^dh_auto_test: error: ",
            r"^make(\[\d+\])?: \*\*\* \[[^\]]*\b(override_|execute_(before|after)_)?dh_auto_test[^\]]*\] ",
            // Automake's targets, and the usual names in hand-written files.
            r"^make(\[\d+\])?: \*\*\* \[([^\]]*: )?[^\]]*\b(check|check-[a-z-]+|check-(am|recursive|local|TESTS)|tests?|test-suite\.log|runtests?|testsuite|installcheck)(-stamp|-arch|-indep)?\] ",
            r"^E: pybuild .*: test: plugin .* failed",
            r"^dh_(python3|ruby) --.*: error: .*test",
        ])
    });
    static OTHERS: LazyLock<RegexSet> = LazyLock::new(|| {
        set(&[
            r"^dh_[a-z_]+: error: ",
            r"^E: pybuild .*: (clean|configure|build|install): plugin .* failed",
            r"^make(\[\d+\])?: \*\*\* \[[^\]]*\b(override_|execute_(before|after)_)dh_[a-z_]+[^\]]*\] ",
        ])
    });
    if TESTS.is_match(line) {
        Some(true)
    } else if OTHERS.is_match(line) {
        Some(false)
    } else {
        None
    }
}

fn lacks_dependencies(tail: &str) -> bool {
    last_lines(tail).any(|line| {
        line.starts_with("dpkg-checkbuilddeps: error: Unmet build dependencies")
            || line.starts_with("dpkg-checkbuilddeps: error: unmet build dependencies")
    })
}

/// Whether archmill or a tool of the build, rather than a test that expects it, met a full disk.
fn disk_is_full(end: End, tail: &str) -> bool {
    static FULL: LazyLock<RegexSet> = LazyLock::new(|| {
        set(&[
            r"^(dpkg(-deb|-source|-genchanges|-genbuildinfo)?|tar|cp|install|mv|ar|as|ld|xz|gzip|strip|objcopy|cc1(plus)?|rustc|/tmp/\S+\.s)\b.*: No space left on device$",
            r"(fatal error|final link failed|error writing to .*|can't write \d+ bytes to section .*): .*No space left on device$",
        ])
    });
    // archmill's own errors have no tool's name before them.
    let own =
        |line: &str| end == End::Error && (line.contains("No space left") || line.contains("disk is full"));
    last_lines(tail).any(|line| FULL.is_match(line) || own(line))
}

/// A set of patterns that are constants of this file; one that does not compile matches nothing, and
/// the tests would show it.
fn set(patterns: &[&str]) -> RegexSet {
    RegexSet::new(patterns).unwrap_or_else(|_| RegexSet::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(tail: &str) -> Class {
        classify(Phase::Build, End::Exited(2), tail)
    }

    #[test]
    fn a_full_disk_is_the_hosts_fault_in_every_phase() {
        let error = "cannot write /var/cache/archmill/pool/x: No space left on device (os error 28)";
        for phase in [Phase::Indexes, Phase::FetchPackages, Phase::Root, Phase::Artifacts] {
            assert_eq!(classify(phase, End::Error, error), Class::Host);
        }
    }

    #[test]
    fn phases_before_the_build_have_a_class_of_their_own() {
        let class = |phase| classify(phase, End::Error, "");
        assert_eq!(class(Phase::Host), Class::Host);
        assert_eq!(class(Phase::Indexes), Class::Fetch);
        assert_eq!(class(Phase::FetchSource), Class::Fetch);
        assert_eq!(class(Phase::Resolve), Class::Dependencies);
        assert_eq!(class(Phase::FetchPackages), Class::Fetch);
        assert_eq!(class(Phase::Root), Class::Root);
        assert_eq!(class(Phase::Unpack), Class::Build);
        assert_eq!(class(Phase::Artifacts), Class::Build);
    }

    #[test]
    fn limits_and_the_user_come_first() {
        let tail = "dh_auto_test: error: make -j2 check returned exit code 2\n";
        assert_eq!(classify(Phase::Build, End::Limit(Limit::Memory), tail), Class::Limit(Limit::Memory));
        assert_eq!(classify(Phase::Root, End::Cancelled, tail), Class::Cancelled);
    }

    #[test]
    fn debhelper_tells_that_tests_failed() {
        assert_eq!(
            build(
                "make[1]: *** [Makefile:1018: check-am] Error 2\n\
                 make[1]: Leaving directory '/build/reproducible-path/bc-1.07.1'\n\
                 dh_auto_test: error: make -j2 check \"TESTSUITEFLAGS=-j2 --verbose\" VERBOSE=1 returned exit code 2\n\
                 make: *** [debian/rules:9: binary-arch] Error 25\n\
                 dpkg-buildpackage: error: debian/rules binary-arch subprocess returned exit status 2\n"
            ),
            Class::Tests
        );
    }

    #[test]
    fn tests_run_by_hand_are_seen_by_their_target() {
        for target in [
            "Makefile:312: test",
            "debian/rules:40: override_dh_auto_test",
            "check-TESTS",
            "Makefile:8: check-recursive",
            "debian/rules:58: build/check",
        ] {
            let tail = format!(
                "FAIL: one\nmake[3]: *** [{target}] Error 1\nmake: *** [debian/rules:12: build] Error 2\n"
            );
            assert_eq!(build(&tail), Class::Tests, "{target}");
        }
    }

    #[test]
    fn a_file_that_merely_has_test_in_its_name_is_no_test() {
        for target in [
            "Makefile:312: src/test.o",
            "Makefile:20: latest",
            "CMakeFiles/test_lib.dir/build.make:76: a.o",
            "checksum.o",
        ] {
            let tail = format!("make[3]: *** [{target}] Error 1\n");
            assert_eq!(build(&tail), Class::Build, "{target}");
        }
    }

    #[test]
    fn a_compile_error_after_the_tests_is_no_test_failure() {
        assert_eq!(
            build(
                "make[1]: [Makefile:10: check] Error 1 (ignored)\n\
                 dh_auto_install: error: cd build && make install returned exit code 2\n\
                 make: *** [debian/rules:9: binary-arch] Error 25\n"
            ),
            Class::Build
        );
    }

    #[test]
    fn python_tests_are_seen() {
        assert_eq!(
            build(
                "E: pybuild pybuild:389: test: plugin pyproject failed with: exit code=1: cd build; python3.13 -m pytest\n"
            ),
            Class::Tests
        );
        assert_eq!(
            build("E: pybuild pybuild:389: build: plugin distutils failed with: exit code=1\n"),
            Class::Build
        );
    }

    #[test]
    fn missing_dependencies_are_not_the_packages_fault() {
        assert_eq!(
            build("dpkg-checkbuilddeps: error: Unmet build dependencies: libfoo-dev (>= 2)\n"),
            Class::Dependencies
        );
    }

    #[test]
    fn a_full_disk_is_the_hosts_fault_unless_a_test_plays_it() {
        assert_eq!(
            build("cc1: fatal error: error writing to /tmp/ccX.s: No space left on device\n"),
            Class::Host
        );
        assert_eq!(
            build("dpkg-deb: error: failed to write (control member): No space left on device\n"),
            Class::Host
        );
        assert_eq!(
            build("ok 3 - write reports No space left on device\nmake[1]: *** [Makefile:3: check] Error 1\n"),
            Class::Tests
        );
    }
}
