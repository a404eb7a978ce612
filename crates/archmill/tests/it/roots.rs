//! A root beside the one that mmdebstrap and apt make from the same packages: path, kind, mode, owner and content of
//! every file, the package database among them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use archmill_archive::{Mirror, Suite};

use crate::made::Tree;
use crate::run::{archmill_in_step, network, said};
use crate::support::recorded::sha256;
use crate::twins::NEEDS;

/// What may differ, and why. A path that ends with a slash stands for all that is below it.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("build/", "archmill's build folder"),
    ("run/", "state of the sandbox"),
    ("dev/", "archmill mounts its own"),
    ("proc", "a mount"),
    ("sys", "a mount"),
    ("etc/hostname", "of the sandbox; mmdebstrap copies the host's"),
    ("etc/hosts", "of the sandbox"),
    ("etc/resolv.conf", "a copy of the host's; builds have no network"),
    ("etc/fstab", "mmdebstrap leaves a comment"),
    ("etc/apt/sources.list", "apt is not run in a root of archmill's"),
    ("etc/apt/sources.list.d/", "as above"),
    ("etc/apt/apt.conf.d/99mmdebstrap", "what this test tells mmdebstrap's apt"),
    ("etc/passwd", "the build user"),
    ("etc/group", "the build user"),
    ("var/lib/apt/", "state of apt, which is not run"),
    ("var/cache/apt/", "cache of apt"),
    ("var/log/", "logs"),
    ("var/cache/ldconfig/", "holds inode numbers; mmdebstrap removes it"),
    ("var/cache/debconf/tmp.ci", "left by apt's preconfiguration"),
    ("var/cache/man/", "cache of man-db"),
    ("etc/machine-id", "of each machine"),
    (
        "usr/lib/python3/dist-packages/_distutils_hack/__pycache__/__init__.cpython-313.pyc",
        "python imports this module whenever it starts; compiled by that or by py3compile, whichever comes first, it \
         has other reference flags for the same code",
    ),
    ("var/lib/dpkg/diversions-old", "the last but one state, which depends on how many steps there were"),
    ("var/lib/dpkg/status-old", "as above"),
    ("var/cache/debconf/config.dat-old", "as above"),
    ("var/cache/debconf/templates.dat-old", "as above"),
];

/// Files whose lines may come in another order: that in which packages were unpacked.
const UNORDERED: &[&str] = &["var/lib/dpkg/triggers/File"];

/// Files that say on which day a password was set: that on which a root was made, and midnight may lie between the two.
const DATED: &[&str] = &["etc/shadow", "etc/shadow-"];

/// shadow(5) without the day.
fn undated(shadow: &[u8]) -> Vec<u8> {
    let line = |line: &[u8]| {
        let fields = line.split(|byte| *byte == b':').enumerate();
        let kept: Vec<&[u8]> =
            fields.map(|(at, field)| if at == 2 { b"day".as_slice() } else { field }).collect();
        kept.join(&b':')
    };
    shadow.split(|byte| *byte == b'\n').map(line).collect::<Vec<_>>().join(&b'\n')
}

/// What may differ between a root that twins had a hand in and one that was made emulated.
const WITH_TWINS: &[&str] = &[
    // Links that twins need are mounted with them.
    "usr/aarch64-linux-gnu/",
    "usr/include/c++/14/aarch64-linux-gnu",
    "usr/lib/gcc-cross",
    "usr/libexec/gcc-cross",
    // Inode numbers.
    "var/cache/ldconfig/",
    // Times.
    "var/log/",
    "run/",
    "dev/",
    "build/",
];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    kind: &'static str,
    mode: u32,
    owner: (u64, u64),
    /// SHA-256 of the content of a file; target of a link.
    content: Vec<u8>,
}

/// Reads a tar archive of a root. A hard link is the file that it leads to.
fn tree(archive: &[u8]) -> BTreeMap<PathBuf, Node> {
    let mut nodes: BTreeMap<PathBuf, Node> = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path: PathBuf = entry.path().unwrap().components().filter(|c| c.as_os_str() != ".").collect();
        let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned);
        let header = entry.header().clone();
        let kind = match header.entry_type() {
            tar::EntryType::Directory => "folder",
            tar::EntryType::Symlink => "link",
            tar::EntryType::Link => {
                let target = String::from_utf8(target.unwrap()).unwrap();
                let original = nodes[Path::new(target.trim_start_matches("./"))].clone();
                nodes.insert(path, original);
                continue;
            }
            tar::EntryType::Regular => "file",
            _ => "other",
        };
        let mut content = target.unwrap_or_default();
        entry.read_to_end(&mut content).unwrap();
        if UNORDERED.iter().any(|name| path == Path::new(name)) {
            let mut lines: Vec<&[u8]> = content.split_inclusive(|byte| *byte == b'\n').collect();
            lines.sort_unstable();
            content = lines.concat();
        }
        if DATED.iter().any(|name| path == Path::new(name)) {
            content = undated(&content);
        }
        if kind == "file" {
            content = sha256(&content).into_bytes();
        }
        let owner = (header.uid().unwrap(), header.gid().unwrap());
        nodes.insert(path, Node { kind, mode: header.mode().unwrap() & 0o7777, owner, content });
    }
    nodes
}

fn excepted(path: &Path, exceptions: &[&str]) -> bool {
    let path = path.to_str().unwrap_or_default();
    exceptions.iter().any(|exception| match exception.strip_suffix('/') {
        Some(folder) => path == folder || path.starts_with(exception),
        None => path == *exception,
    })
}

/// In words, each path that differs.
fn differences(
    ours: &BTreeMap<PathBuf, Node>,
    theirs: &BTreeMap<PathBuf, Node>,
    exceptions: &[&str],
) -> Vec<String> {
    let mut paths: Vec<&PathBuf> = ours.keys().chain(theirs.keys()).collect();
    paths.sort();
    paths.dedup();
    let told = |path: &&PathBuf| {
        let shown = path.display();
        match (ours.get(*path), theirs.get(*path)) {
            (Some(_), None) => Some(format!("{shown}: only in ours")),
            (None, Some(_)) => Some(format!("{shown}: only in theirs")),
            (Some(our), Some(their)) if our != their => {
                let what = if our.content == their.content { "" } else { ", content" };
                let short = |node: &Node| format!("{} {:o} {:?}", node.kind, node.mode, node.owner);
                Some(format!("{shown}: {} and {}{what}", short(our), short(their)))
            }
            _ => None,
        }
    };
    paths.into_iter().filter(|path| !excepted(path, exceptions)).filter_map(|path| told(&path)).collect()
}

/// Runs mmdebstrap, then `apt-get build-dep` in what it made.
fn theirs(suite: &str, package: &str) -> Vec<u8> {
    let mirror = Mirror::of_host(Path::new("/etc/apt")).unwrap();
    let specs = Suite::find(suite).unwrap().repositories(&mirror);
    let kinds = ["deb", "deb-src"].into_iter();
    let lines: Vec<String> = kinds
        .flat_map(|kind| specs.iter().map(move |spec| format!("{kind} {} {} main", spec.uri, spec.suite)))
        .collect();
    let tmp = tempfile::tempdir().unwrap();
    let sources = tmp.path().join("sources.list");
    std::fs::write(&sources, lines.join("\n") + "\n").unwrap();
    let hook = format!(
        "chroot \"$1\" apt-get -qq update && chroot \"$1\" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
         --no-install-recommends -o APT::Sandbox::User=root build-dep {package}"
    );
    // Of usrmerge, which converts a system, and usr-is-merged Debian's build machines have the latter.
    let choose = "mkdir -p \"$1/etc/apt/preferences.d\"; printf 'Package: usrmerge\\nPin: release *\\nPin-Priority: -1\\n' \
                  >\"$1/etc/apt/preferences.d/usrmerge\"";
    let output = Command::new("mmdebstrap")
        .args(["--quiet", "--mode=root", "--variant=buildd", "--architectures=amd64", "--format=tar"])
        .arg(if suite == "bookworm" {
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
        } else {
            "--quiet"
        })
        .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
        .arg(format!("--setup-hook={choose}"))
        .arg(format!("--customize-hook={hook}"))
        .arg("--customize-hook=rm \"$1/etc/apt/preferences.d/usrmerge\"")
        .args([suite, "-", "-"])
        .stdin(Stdio::from(std::fs::File::open(&sources).unwrap()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    output.stdout
}

/// A root of archmill's, and of which suite it is in the end.
fn ours(shell: &[&str], suite: &'static str, out: &Path) -> (BTreeMap<PathBuf, Node>, &'static str) {
    let script = "exec tar -C / --one-file-system --numeric-owner -cf - . 2>/dev/null";
    let shell = [&["shell", "--no-source", "--root"], shell].concat();
    let (output, suite) = archmill_in_step(&shell, suite, &["--", "sh", "-c", script], out);
    assert!(output.status.success(), "{}", said(&output));
    (tree(&output.stdout), suite)
}

fn compare(suite: &'static str, package: &str) {
    let tmp = tempfile::tempdir().unwrap();
    let (ours, suite) = ours(&[package, "--arch", "amd64"], suite, tmp.path());
    let theirs = tree(&theirs(suite, package));
    assert!(ours.len() > 10_000, "a root has more than {} files", ours.len());
    let exceptions: Vec<&str> = EXCEPTIONS.iter().map(|(path, _)| *path).collect();
    let differences = differences(&ours, &theirs, &exceptions);
    assert!(differences.is_empty(), "{suite} {package}:\n{}", differences.join("\n"));
}

fn may_run(test: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED (privilege): {test}; mmdebstrap is run as root");
        return false;
    }
    network(test)
}

/// libinih brings python and meson, whose modules are compiled when they are configured.
#[test]
fn a_root_of_trixie_equals_that_of_mmdebstrap() {
    if may_run("a_root_of_trixie_equals_that_of_mmdebstrap") {
        compare("trixie", "libinih");
    }
}

/// In bookworm the links into /usr are not in a package yet.
#[test]
fn a_root_of_bookworm_equals_that_of_mmdebstrap() {
    if may_run("a_root_of_bookworm_equals_that_of_mmdebstrap") {
        compare("bookworm", "hello");
    }
}

/// Scripts of packages run in twins where a root is made. With what most questions to twins need: Python's modules are compiled,
/// catalogues of XML registered, caches of fonts, icons and manual pages made.
#[test]
fn a_root_that_twins_had_a_hand_in_equals_an_emulated_one() {
    if !network("a_root_that_twins_had_a_hand_in_equals_an_emulated_one") {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let mut asked = Tree::new("asked", "true");
    asked.needs = NEEDS;
    let source = asked.write(tmp.path());
    let [accelerated, emulated] = ["accelerated", "emulated"]
        .map(|mode| ours(&[&source, "--arch", "arm64", "--mode", mode], "trixie", tmp.path()));
    assert_eq!(accelerated.1, emulated.1, "the mirror has changed in between");
    let [(accelerated, _), (emulated, _)] = [accelerated, emulated];
    assert!(emulated.len() > 10_000, "a root has more than {} files", emulated.len());
    // A link that twins need.
    let link = Path::new("usr/lib/gcc-cross");
    assert!(accelerated.contains_key(link) && !emulated.contains_key(link));
    let differences = differences(&accelerated, &emulated, WITH_TWINS);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
