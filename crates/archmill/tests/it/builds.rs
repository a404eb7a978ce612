//! Real packages of the real archive. bzip2 is used as it is small, has tests, and is no toy.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::run::{archmill, archmill_in_step, network, said};

fn build(arch: &str, out: &Path) -> Output {
    archmill_in_step(&["build", "bzip2", "--quiet", "--arch", arch, "--out", "result"], "trixie", &[], out).0
}

fn record(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("build-record.json")).unwrap()).unwrap()
}

/// Packages of a record by name, with their hashes.
fn packages(record: &Value) -> BTreeMap<String, String> {
    let artifacts = record["artifacts"].as_array().unwrap().iter();
    artifacts
        .map(|artifact| (artifact["name"].as_str().unwrap(), artifact["sha256"].as_str().unwrap()))
        .filter(|(name, _)| Path::new(name).extension().is_some_and(|ending| ending == "deb"))
        .map(|(name, sha256)| (name.to_owned(), sha256.to_owned()))
        .collect()
}

/// Built, for the right architecture, and everything in the packages owned by root.
fn check(output: &Output, folder: &Path, arch: &str, mode: &str) {
    assert!(output.status.success(), "{}", said(output));
    let record = record(folder);
    assert_eq!(record["request"]["mode"], mode);
    assert_eq!(record["outcome"]["status"], "successful");
    let packages = packages(&record);
    assert!(packages.keys().any(|name| name.starts_with("libbz2-1.0_")), "{packages:?}");
    for name in packages.keys() {
        let list = Command::new("dpkg-deb").arg("-c").arg(folder.join(name)).output().unwrap();
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        assert!(list.lines().all(|line| line.split_whitespace().nth(1) == Some("root/root")), "{list}");
        let field =
            Command::new("dpkg-deb").arg("-f").arg(folder.join(name)).arg("Architecture").output().unwrap();
        // A native build makes the architecture-independent packages too.
        let expected = if mode == "native" && name.ends_with("_all.deb") { "all" } else { arch };
        assert_eq!(String::from_utf8_lossy(&field.stdout).trim(), expected);
    }
    let log = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let log = log.filter(|path| path.extension().is_some_and(|ending| ending == "build")).last().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    for line in ["| Install package build dependencies", "| Build ", "| Summary", "Status: successful"] {
        assert!(log.contains(line), "no {line:?} in the log");
    }
}

#[test]
fn arm64() {
    if !network("arm64") {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let output = build("arm64", tmp.path());
    check(&output, &tmp.path().join("result"), "arm64", "accelerated");
    let record = record(&tmp.path().join("result"));
    assert_eq!(record["inputs"]["emulator"]["binfmt_flags"], "FPC");
}

#[test]
fn armhf_by_its_obs_name() {
    if !network("armhf_by_its_obs_name") {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let output = build("armv7l", tmp.path());
    check(&output, &tmp.path().join("result"), "armhf", "accelerated");
    // What it writes is in memory, and all of one file system where it is.
    let script = "for folder in /build/* /tmp; do cd $folder; echo >file; mkdir sub; stat -c %d . file sub | sort -u | wc -l; done";
    let before = ["shell", "bzip2", "--arch", "armhf", "--no-source"];
    let (output, _) = archmill_in_step(&before, "trixie", &["--", "sh", "-c", script], tmp.path());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n1\n", "{}", said(&output));
}

#[test]
fn a_native_build_replayed_gives_the_same_bits() {
    if !network("a_native_build_replayed_gives_the_same_bits") {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let output = build("amd64", tmp.path());
    check(&output, &tmp.path().join("result"), "amd64", "native");
    let again = archmill(&["replay", "result/build-record.json", "--quiet", "--out", "again"], tmp.path());
    assert!(again.status.success(), "{}", said(&again));
    let (first, second) = (record(&tmp.path().join("result")), record(&tmp.path().join("again")));
    assert_eq!(packages(&first), packages(&second));
    assert_eq!(first["inputs"]["packages"], second["inputs"]["packages"]);
    assert!(said(&again).contains("the same bits"), "{}", said(&again));
}

#[test]
fn dpkg_finds_nothing_wrong_with_a_root() {
    if !network("dpkg_finds_nothing_wrong_with_a_root") {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let script = "dpkg --audit; dpkg --verify; echo checked";
    let shell = ["shell", "bzip2", "--arch", "amd64", "--no-source", "--root"];
    let (output, _) = archmill_in_step(&shell, "trixie", &["--", "sh", "-c", script], tmp.path());
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "checked\n");
}

/// A source tree that debhelper builds, with these files.
fn tree(folder: &Path, name: &str, needs: &str, files: &[(&str, &str)]) {
    let write = |file: &str, text: &str| {
        let path = folder.join(name).join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    let changelog = format!(
        "{name} (1.0) unstable; urgency=medium\n\n  * Test.\n\n -- A B <a@b.example>  Mon, 23 Nov 2026 10:00:00 +0000\n"
    );
    write("debian/changelog", &changelog);
    let control = format!(
        "Source: {name}\nMaintainer: A B <a@b.example>\nBuild-Depends: {needs}\nStandards-Version: 4.7.0\n\n\
         Package: {name}\nArchitecture: any\nDescription: a test\n Made by a test.\n"
    );
    write("debian/control", &control);
    write("debian/source/format", "3.0 (native)\n");
    for (file, text) in files {
        write(file, text);
    }
    let rules = folder.join(name).join("debian/rules");
    std::fs::set_permissions(rules, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn patience_gives_tests_more_time() {
    if !network("patience_gives_tests_more_time") {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let rules = "#!/usr/bin/make -f\n%:\n\tdh $@\noverride_dh_auto_configure override_dh_auto_build override_dh_auto_install:\n\
                 override_dh_auto_test:\n\
                 \tmeson setup m\n\tmeson test -C m && echo meson: passed || echo meson: failed\n\
                 \tcmake -B c && $(MAKE) -C c\n\t$(MAKE) -C c test && echo ctest: passed || echo ctest: failed\n\
                 \ttimeout 1 m/slow && echo timeout: passed || echo timeout: failed\n";
    let cmake = "cmake_minimum_required(VERSION 3.10)\nproject(slow C)\nenable_testing()\nadd_executable(slow slow.c)\n\
                 add_test(NAME slow COMMAND slow)\nset_tests_properties(slow PROPERTIES TIMEOUT 1)\n";
    let files = [
        ("debian/rules", rules),
        ("meson.build", "project('slow', 'c')\ntest('slow', executable('slow', 'slow.c'), timeout: 1)\n"),
        ("CMakeLists.txt", cmake),
        ("slow.c", "#include <unistd.h>\nint main(void) { sleep(3); return 0; }\n"),
    ];
    tree(tmp.path(), "slow", "debhelper-compat (= 13), meson, cmake", &files);
    for (more, outcome) in [(&[][..], "failed"), (&["--patience", "20"][..], "passed")] {
        let words = [&["build", "./slow", "--arch", "amd64", "--quiet", "--out", outcome], more].concat();
        let (output, _) = archmill_in_step(&words, "trixie", &[], tmp.path());
        assert!(output.status.success(), "{}", said(&output));
        let log = std::fs::read_to_string(tmp.path().join(outcome).join("slow_1.0_amd64.build")).unwrap();
        let has = |runner: &str| log.lines().any(|line| line == format!("{runner}: {outcome}"));
        assert!(["meson", "ctest", "timeout"].into_iter().all(has), "{outcome}: {log}");
    }
    assert_eq!(record(&tmp.path().join("passed"))["request"]["patience"], 20);
}

#[test]
fn a_failed_build_can_be_entered_where_it_failed() {
    if !network("a_failed_build_can_be_entered_where_it_failed") {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let files = [
        ("debian/rules", "#!/usr/bin/make -f\n%:\n\tdh $@\n"),
        ("Makefile", "all:\n\t$(MAKE) -C sub\n"),
        ("sub/Makefile", "all: x.o\nx.o: x.c\n\tcc -c x.c\n"),
        ("sub/x.c", "int f( {\n"),
    ];
    tree(tmp.path(), "broken", "debhelper-compat (= 13)", &files);
    let arguments = ["build", "./broken", "--arch", "amd64", "--quiet", "--out", "result"];
    let (failed, _) = archmill_in_step(&arguments, "trixie", &[], tmp.path());
    assert_eq!(failed.status.code(), Some(6), "{}", said(&failed));
    assert!(said(&failed).contains("x.c:1:"), "{}", said(&failed));
    assert_eq!(record(&tmp.path().join("result"))["outcome"]["class"], "build");
    let inside = archmill(&["debug", "broken", "--", "sh", "-c", "pwd; cat x.c"], tmp.path());
    assert!(inside.status.success(), "{}", said(&inside));
    let printed = String::from_utf8_lossy(&inside.stdout).into_owned();
    assert_eq!(printed, "/build/reproducible-path/broken-1.0/sub\nint f( {\n");
}
