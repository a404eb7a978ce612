//! `archmill check` and `archmill explain`, on index files.

use std::path::Path;

use crate::run::archmill;

const PACKAGES: &str = "\
Package: base-files
Version: 12
Architecture: arm64
Essential: yes

Package: build-essential
Version: 12.9
Architecture: arm64
Depends: gcc

Package: gcc
Version: 4:12
Architecture: arm64

Package: apt
Version: 2.6
Architecture: arm64

Package: debhelper
Version: 13
Architecture: all
Depends: perl (>= 5)

Package: perl
Version: 5.36
Architecture: arm64

Package: libopenjfx-java
Version: 11
Architecture: all
Depends: libopenjfx-jni

Package: damaged
Version: 1
Architecture: all
Depends: perl (>>
";
const SOURCES: &str = "\
Package: hello
Version: 2.10-3
Architecture: any
Build-Depends: debhelper (>= 9)

Package: openjfx
Version: 11-1
Architecture: any
Build-Depends: libopenjfx-java

Package: win
Version: 1
Architecture: i386

Package: torn
Version: 1
Architecture: any
Build-Depends: perl (>>
";

/// Standard output, standard error and exit code.
fn run(folder: &Path, arguments: &[&str]) -> (String, String, Option<i32>) {
    let (packages, sources) = (folder.join("Packages"), folder.join("Sources"));
    std::fs::write(&packages, PACKAGES).unwrap();
    std::fs::write(&sources, SOURCES).unwrap();
    let mut all = arguments.to_vec();
    all.extend(["--arch", "arm64", "--packages", packages.to_str().unwrap()]);
    all.extend(["--sources", sources.to_str().unwrap()]);
    let output = archmill(&all, folder);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn check_lists_what_cannot_be_built_and_says_why_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (out, err, code) = run(folder.path(), &["check"]);
    assert_eq!((out.as_str(), code), ("openjfx 11-1\n", Some(3)), "{err}");
    assert!(err.contains("those of 1 cannot; 1 more are for other architectures"), "{err}");
    assert!(err.contains("Packages, line 36: damaged: field Depends: cannot read the relation"), "{err}");
    let (out, ..) = run(folder.path(), &["check", "--explain"]);
    assert!(
        out.contains("libopenjfx-java 11 depends on libopenjfx-jni, which no package is or provides"),
        "{out}"
    );
    let (out, _, code) = run(folder.path(), &["check", "hello"]);
    assert_eq!((out.as_str(), code), ("", Some(0)));
}

#[test]
fn check_prints_all_verdicts_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let (out, ..) = run(folder.path(), &["check", "--json", "--explain"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["sources"]["not-installable"], 1);
    let verdicts: Vec<&str> =
        report["verdicts"].as_array().unwrap().iter().map(|one| one["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["installable", "not-installable", "other-architecture"]);
    assert_eq!(report["verdicts"][1]["why"]["reasons"][1]["by"]["package"]["name"], "libopenjfx-java");
    assert_eq!(report["problems"][0]["package"], "damaged");
}

#[test]
fn explain_names_the_chain_of_a_source_or_a_binary_package() {
    let folder = tempfile::tempdir().unwrap();
    for (name, first) in [
        ("openjfx", "openjfx build-depends on libopenjfx-java"),
        ("libopenjfx-java", "you ask for libopenjfx-java\n"),
    ] {
        let (out, _, code) = run(folder.path(), &["explain", name]);
        assert_eq!(code, Some(3));
        assert!(out.contains(first) && out.contains("libopenjfx-java 11 depends on libopenjfx-jni"), "{out}");
    }
    let (_, err, code) = run(folder.path(), &["explain", "helo"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("did you mean hello?"), "{err}");
    let (_, err, _) = run(folder.path(), &["explain", "libopenjfx-jav"]);
    assert!(err.contains("did you mean libopenjfx-java?"), "{err}");
}

#[test]
fn a_package_that_could_not_be_read_is_not_said_to_be_unknown() {
    let folder = tempfile::tempdir().unwrap();
    for (command, name) in [("explain", "damaged"), ("check", "torn")] {
        let (_, err, code) = run(folder.path(), &[command, name]);
        assert_eq!(code, Some(1));
        assert!(err.contains(&format!("\"{name}\" is in the indices but could not be read: ")), "{err}");
    }
}

#[test]
fn explain_lists_what_would_be_installed_and_what_asked_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (out, err, code) = run(folder.path(), &["explain", "hello", "--installs"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("can be installed: 2 packages on top of the 4 of the base"), "{out}");
    assert!(out.contains("debhelper 13 all <- hello build-depends on debhelper (>= 9)"), "{out}");
    assert!(out.contains("perl 5.36 arm64 <- debhelper 13 Depends perl (>= 5)"), "{out}");
}
