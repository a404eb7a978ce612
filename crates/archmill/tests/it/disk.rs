//! Full disks and bare hosts: a small tmpfs over a folder, in a mount namespace of its own.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::farm::{Farm, sandbox};
use crate::run::said;

/// Runs a script with a mount namespace of its own, in which `folder` is a tmpfs; $1 is archmill.
fn with_tmpfs(farm: &Farm, folder: &Path, size: &str, script: &str) -> Output {
    fs::create_dir_all(folder).unwrap();
    let archmill = farm.command(&[]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    command.arg(format!("mount -t tmpfs -o size={size} tmpfs \"$2\" && {script}"));
    command.arg("sh").arg(archmill.get_program()).arg(folder).current_dir(farm.work());
    for (name, value) in archmill.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.output().unwrap()
}

#[test]
fn a_full_cache_is_named_and_nothing_half_made_is_used_once_there_is_room() {
    if !sandbox("a_full_cache") {
        return;
    }
    let farm = Farm::cold();
    let sizes = ["64k", "2m", "5m", "9m", "14m", "19m", "24m"];
    // Each run finds what the one before left on a disk that was too small for it.
    let run = |size: &&str| {
        format!(
            "mount -o remount,size={size} \"$2\"; \"$1\" build greeting --quiet --out {size}; echo \"{size} $?\";"
        )
    };
    let runs = sizes.iter().map(run).collect::<Vec<_>>().concat();
    let script = format!(
        "{{ {runs} mount -o remount,size=400m \"$2\"; exec \"$1\" build greeting --quiet --out last; }}"
    );
    let output = with_tmpfs(&farm, &farm.cache(), "64k", &script);
    let (codes, text) = (String::from_utf8_lossy(&output.stdout).into_owned(), said(&output));
    assert!(output.status.success(), "{codes}{text}");
    for (size, line) in sizes.iter().zip(codes.lines()) {
        assert_eq!(line, format!("{size} 9"), "{codes}{text}");
    }
    let messages: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("archmill: failed") || line.starts_with("archmill: cannot"))
        .collect();
    assert_eq!(messages.len(), sizes.len(), "{text}");
    let cache = farm.cache().display().to_string();
    for message in messages {
        assert!(message.to_lowercase().contains("no space left") && message.contains(&cache), "{message}");
    }
    let reference = Farm::warm().build("greeting", &[]).succeeded().packages();
    for (name, hash) in reference {
        let content = fs::read(farm.work().join("last").join(name)).unwrap();
        assert_eq!(crate::support::recorded::sha256(&content), hash);
    }
}

#[test]
fn a_host_without_a_debian_mirror_is_told_how_to_name_one() {
    if !sandbox("a_host_without_a_debian_mirror") {
        return;
    }
    let farm = Farm::cold();
    let empty = farm.work().join("empty.toml");
    fs::write(&empty, "").unwrap();
    let script = "exec \"$1\" build greeting --config empty.toml";
    let output = with_tmpfs(&farm, Path::new("/etc/apt"), "64k", script);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for words in ["names no Debian mirror", "--mirror URL", "farm.toml"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_full_disk_for_the_results_is_named() {
    if !sandbox("a_full_disk_for_the_results") {
        return;
    }
    let farm = Farm::warm();
    let out = farm.new_out();
    for size in ["4k", "16k", "40k"] {
        let script = "\"$1\" build greeting --quiet --out \"$2\"; code=$?; \
            test ! -e \"$2\"/build-record.json.new || echo build-record.json.new is left >&2; exit $code";
        let output = with_tmpfs(&farm, &out, size, script);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(9), "{size}: {text}");
        assert!(
            text.contains(out.to_str().unwrap()) && text.to_lowercase().contains("no space left"),
            "{size}: {text}"
        );
        assert!(!text.contains("build-record.json.new is left"), "{size}: {text}");
    }
    farm.assert_nothing_left();
}
