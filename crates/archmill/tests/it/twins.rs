//! The target must not notice: questions asked in a real root, with twins and wholly emulated. The answers are the same, line by line, but for what [`KNOWN`] lists.

use std::path::Path;

use crate::made::Tree;
use crate::run::{archmill_in_step, network, said};

/// Questions that twins answer otherwise, and why.
const KNOWN: &[(&str, &str)] = &[
    (
        "perl @INC",
        "the modules of a twin are its own, and no path of its strings for local ones leads anywhere",
    ),
    ("perl -v", "names the machine that it was built for, in a string that changes with each version"),
    ("perl long double", "pack's D is the format of the machine's long double: 80 bits, not 128"),
    (
        "perl constants",
        "as with syscall: flags of system calls are the machine's, as perl calls the kernel itself",
    ),
    ("perl system calls", "syscall takes the machine's numbers, as syscall.ph says them"),
    (
        "awk not a number, in a file",
        "x86-64 makes negative ones, arm64 positive ones; only a script that is an argument is looked into",
    ),
    (
        "/proc/self/exe by a perl script",
        "the kernel's answer, which no argument of the twin tells of; $^X is right",
    ),
    (
        "/proc/PID/cmdline",
        "in the mode emulated, that of another process shows QEMU; accelerated it is as on the target",
    ),
    ("/proc/PID/cmdline of a program of the build", "the same"),
    (
        "gcc folders",
        "/usr/TRIPLET/include is one: the twin of g++ needs a link there, and nothing else is in it",
    ),
    ("bash aliases", "listed in the order of their first bytes, by their sign"),
    ("limit of stack told", "QEMU sets none; a twin does, and so do compilers that raise it"),
    (
        "changed in place and its time set back",
        "size and time of a program are all that is looked at when it starts; only root can",
    ),
    ("/dev", "the folders of the twins"),
];

/// The part of both scripts before the questions: a question is a name and commands.
const ASK: &str =
    "mkdir -p /tmp/asked; cd /tmp/asked; q() { echo \"== $1\"; ( eval \"$2\" ) 2>&1 </dev/null; echo; }\n";

/// Questions, and what they are asked in.
struct Asked {
    test: &'static str,
    script: &'static str,
    arch: &'static str,
    /// Build dependencies.
    needs: &'static str,
    /// Options, of the accelerated root alone and of both.
    accelerated: Vec<&'static str>,
    both: Vec<&'static str>,
}

/// Build dependencies of most of the questions, in one root, as it takes minutes to make that emulated.
pub(crate) const NEEDS: &str = "debhelper-compat (= 13), python3, pkgconf, gawk, gcc-14-plugin-dev, zlib1g-dev, libtool-bin, \
    libperl-dev, protobuf-compiler, swig, re2c, valac, libwayland-bin, libgio-2.0-dev-bin, libglib2.0-bin, qtbase5-dev-tools, \
    qt6-base-dev-tools, zip, unzip, rsync, desktop-file-utils, gtk-doc-tools, asciidoc-base, dh-python, python3-all-dev, \
    python3-setuptools, python3-sphinx, cython3, gobject-introspection, libgirepository1.0-dev, rustc, file, flex, bison, gperf, cpio, xxd";

impl Asked {
    fn new(test: &'static str, script: &'static str) -> Self {
        let needs = NEEDS;
        Self { test, script, arch: "arm64", needs, accelerated: Vec::new(), both: Vec::new() }
    }
}

fn answers(folder: &Path, asked: &Asked, mode: &str, options: &[&str]) -> Vec<(String, String)> {
    let own = folder.join(mode);
    std::fs::create_dir(&own).unwrap();
    let mut tree = Tree::new("asked", "true");
    tree.needs = asked.needs;
    let source = tree.write(&own);
    let shell = ["shell", &source, "--arch", asked.arch, "--mode", mode, "--no-source"];
    let before = [&shell[..], options, &asked.both].concat();
    let script = format!("{ASK}{}", asked.script);
    let (output, _) = archmill_in_step(&before, "trixie", &["--", "sh", "-c", &script], &own);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let parts = text.strip_prefix("== ").unwrap_or_default().split("\n== ");
    parts
        .filter_map(|part| part.split_once('\n'))
        .map(|(name, answer)| (name.to_owned(), usual(answer)))
        .collect()
}

/// Without names of temporary files and what QEMU itself says.
fn usual(answer: &str) -> String {
    let lines = answer.lines().filter(|line| !line.starts_with("qemu: uncaught target signal"));
    let named = lines.map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
    let mut parts = named.split("/tmp/cc");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| format!("{text}/tmp/cc{}", part.get(6..).unwrap_or_default()))
}

fn compare(asked: &Asked) {
    if !network(asked.test) {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let emulated = answers(tmp.path(), asked, "emulated", &[]);
    let accelerated = answers(tmp.path(), asked, "accelerated", &asked.accelerated);
    assert!(emulated.len() > 2, "{emulated:?}");
    let names =
        |answers: &[(String, String)]| answers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&emulated), names(&accelerated));
    let is_known = |name: &str| KNOWN.iter().any(|(known, _)| *known == name);
    // Of some questions the answer is known.
    let told = emulated.iter().filter(|(name, _)| !is_known(name)).chain(&accelerated);
    // Neither may a question be one that the shell cannot read.
    let wrong: Vec<_> = told
        .filter(|(_, answer)| {
            ["not as on the hardware", "Syntax error: ", "unexpected operator"]
                .iter()
                .any(|part| answer.contains(part))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let mut differences = Vec::new();
    for ((name, wanted), (_, found)) in emulated.iter().zip(&accelerated) {
        if wanted != found && !is_known(name) {
            differences.push(format!("{name}:\n{}", difference(wanted, found)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn difference(wanted: &str, found: &str) -> String {
    let only = |mark: char, of: &str, other: &str| {
        let lines = of.lines().filter(|line| !other.lines().any(|there| there == *line));
        lines.map(|line| format!("  {mark} {line}\n")).collect::<Vec<_>>().concat()
    };
    let lines = format!("{}{}", only('-', wanted, found), only('+', found, wanted));
    // The same lines, in another order or more often.
    if lines.is_empty() { format!("  emulated {wanted:?}\n  accelerated {found:?}\n") } else { lines }
}

#[test]
fn tools_tell_of_the_targets_machine() {
    compare(&Asked::new("tools_tell_of_the_targets_machine", include_str!("twins/machine.sh")));
}

#[test]
fn compilers_are_those_of_the_target() {
    compare(&Asked::new("compilers_are_those_of_the_target", include_str!("twins/compiler.sh")));
}

/// As in bookworm, whose cross compilers are out of step.
#[test]
fn linkers_do_without_a_twin_of_the_compiler() {
    let compilers = ["cpp-14-aarch64-linux-gnu", "gcc-14-aarch64-linux-gnu", "g++-14-aarch64-linux-gnu"];
    let without = compilers.into_iter().flat_map(|name| ["--without-twin", name]).collect();
    let asked = Asked::new("linkers_do_without_a_twin_of_the_compiler", include_str!("twins/linker.sh"));
    compare(&Asked { accelerated: without, ..asked });
}

#[test]
fn bytes_have_the_sign_that_they_have_on_the_target() {
    compare(&Asked::new("bytes_have_the_sign_that_they_have_on_the_target", include_str!("twins/bytes.sh")));
}

#[test]
fn libraries_and_limits_that_a_build_sets_are_heeded() {
    compare(&Asked::new(
        "libraries_and_limits_that_a_build_sets_are_heeded",
        include_str!("twins/loading.sh"),
    ));
}

#[test]
fn programs_start_as_they_are_started() {
    compare(&Asked::new("programs_start_as_they_are_started", include_str!("twins/starts.sh")));
}

#[test]
fn a_tool_that_is_another_file_is_no_twin() {
    let asked = Asked::new("a_tool_that_is_another_file_is_no_twin", include_str!("twins/files.sh"));
    compare(&Asked { both: vec!["--root"], ..asked });
}

/// A string of rules that is not in the program may be there in another form, and tell of this machine.
#[test]
fn a_twin_without_the_string_that_rules_name_is_left_out() {
    if !network("a_twin_without_the_string_that_rules_name_is_left_out") {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let rules = tmp.path().join("rules.toml");
    let text = "family = \"own\"\nabout = \"a string that there is not\"\n[[twin]]\npackage = \"sed\"\n\
        programs = [\"usr/bin/sed\"]\nstrings = [[\"usr/bin/sed\", \"x86_64-odd-linux\", \"{triplet}\"]]\n";
    std::fs::write(&rules, text).unwrap();
    let source = Tree::new("plain", "sed -n 's/.*/a/p' /etc/hostname").write(tmp.path());
    let rules = rules.display().to_string();
    let out = tmp.path().join("out").display().to_string();
    let build = ["build", &source, "--arch", "arm64", "--twin-rules", &rules, "--out", &out];
    let (output, _) = archmill_in_step(&build, "trixie", &[], tmp.path());
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    let why = "usr/bin/sed of the twin has no \"x86_64-odd-linux\" in it";
    assert!(told.contains(&format!("sed is emulated: {why}")), "{told}");
    let record = std::fs::read_to_string(tmp.path().join("out/build-record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let plan = &record["inputs"]["acceleration"];
    let names = |list: &str| -> Vec<String> {
        let of = plan[list].as_array().unwrap().iter();
        of.map(|one| one["package"].as_str().unwrap().to_owned()).collect()
    };
    assert!(!names("twins").contains(&"sed".to_owned()), "{plan}");
    assert!(names("twins").contains(&"tar".to_owned()), "{plan}");
    assert!(names("refused").iter().any(|name| name.starts_with("sed ")), "{plan}");
    let used = record["resources"]["executables"].as_array().unwrap();
    let sed = used.iter().find(|one| one["path"] == "/usr/bin/sed").unwrap();
    assert_eq!(sed["native"], false, "{sed}");
}

/// A script that has written something cannot be left to the emulated Python, and a build may not heed that it failed.
#[test]
fn what_a_twin_left_undone_fails_the_build() {
    if !network("what_a_twin_left_undone_fails_the_build") {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let script =
        "python3 -c 'print(1, flush=True); import math; open(\"x\", \"w\").write(str(math.erf(1)))' || true";
    let source = Tree { needs: "python3", ..Tree::new("undone", script) }.write(tmp.path());
    let out = tmp.path().join("out").display().to_string();
    let build = ["build", &source, "--arch", "arm64", "--mode", "accelerated", "--out", &out];
    let (output, _) = archmill_in_step(&build, "trixie", &[], tmp.path());
    let told = said(&output);
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("a twin could not do what it was to do"), "{told}");
    let record = std::fs::read_to_string(tmp.path().join("out/build-record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["outcome"]["class"], "acceleration", "{record}");
}

#[test]
fn rustc_is_that_of_the_target() {
    compare(&Asked::new("rustc_is_that_of_the_target", include_str!("twins/rust.sh")));
}

/// In a root of its own: with clang the C++ compiler has no twin.
#[test]
fn clang_is_that_of_the_target() {
    let needs = "debhelper-compat (= 13), clang-19, lld-19, llvm-19, clang, lld";
    let asked = Asked::new("clang_is_that_of_the_target", include_str!("twins/clang.sh"));
    compare(&Asked { needs, ..asked });
}

#[test]
fn generators_write_what_those_of_the_target_write() {
    compare(&Asked::new(
        "generators_write_what_those_of_the_target_write",
        include_str!("twins/generators.sh"),
    ));
}

#[test]
fn python_is_that_of_the_target() {
    compare(&Asked::new("python_is_that_of_the_target", include_str!("twins/python.sh")));
}

#[test]
fn tools_for_32_bits_are_those_of_the_target() {
    let asked = Asked::new("tools_for_32_bits_are_those_of_the_target", include_str!("twins/armhf.sh"));
    compare(&Asked { arch: "armhf", needs: "debhelper-compat (= 13)", ..asked });
}

/// A package with what [`KNOWN`] tells of awk in it.
#[test]
fn verify_names_the_twin_that_makes_a_difference() {
    if !network("verify_names_the_twin_that_makes_a_difference") {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let mut tree = Tree::new("odd", "echo 'BEGIN { print log(-1) }' >nan");
    tree.install = "mawk -f nan >debian/odd/usr/share/odd/nan";
    let source = tree.write(tmp.path());
    let (output, _) =
        archmill_in_step(&["verify", &source, "--arch", "arm64", "--bisect"], "trixie", &[], tmp.path());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(10), "{told}{}", said(&output));
    assert!(told.contains("odd_1.0_arm64.deb differs"), "{told}");
    assert!(told.contains("usr/share/odd/nan"), "{told}");
    assert!(told.contains("the twin of mawk makes the difference;"), "{told}");
}
