//! Source trees with something odd in or beside them.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;

use serde_json::Value;

use crate::farm::{Farm, sandbox};
use crate::made::Tree;
use crate::run::said;

#[test]
fn what_no_source_package_can_have_is_refused_by_name() {
    if !sandbox("what_no_source_package_can_have") {
        return;
    }
    let farm = Farm::warm();
    let tree = Tree::new("odd", "true").write(&farm.work());
    let folder = farm.work().join("odd");
    let fifo = |name: &str| {
        let made = Command::new("mkfifo").arg(folder.join(name)).status().unwrap();
        assert!(made.success());
    };
    fifo("pipe");
    let built = farm.build(&tree, &[]).failed(2, &["./odd/pipe is a FIFO, a socket or a device"]);
    assert!(!built.folder.exists());
    fs::remove_file(folder.join("pipe")).unwrap();
    let socket = UnixListener::bind(folder.join("socket")).unwrap();
    farm.build(&tree, &[]).failed(2, &["./odd/socket is a FIFO, a socket or a device"]);
    drop(socket);
    fs::remove_file(folder.join("socket")).unwrap();
    for name in ["debian/changelog", "debian/control"] {
        fs::rename(folder.join(name), folder.join("kept")).unwrap();
        fifo(name);
        farm.build(&tree, &[]).failed(2, &[name, "is not a regular file"]);
        fs::rename(folder.join("kept"), folder.join(name)).unwrap();
    }
    farm.build(&tree, &[]).succeeded();
}

#[test]
fn a_folder_with_the_name_of_an_upstream_tarball_is_none() {
    if !sandbox("a_folder_with_the_name_of_an_upstream_tarball") {
        return;
    }
    let farm = Farm::warm();
    let tree = farm.greeting_tree();
    fs::create_dir(farm.work().join("greeting_1.0.orig")).unwrap();
    farm.build(tree.to_str().unwrap(), &[]).succeeded();
}

#[test]
fn a_version_that_no_file_name_can_hold_is_refused() {
    if !sandbox("a_version_that_no_file_name_can_hold") {
        return;
    }
    let farm = Farm::warm();
    let tree = Tree::new("long", "true").write(&farm.work());
    let changelog = farm.work().join("long/debian/changelog");
    let text = fs::read_to_string(&changelog).unwrap();
    fs::write(&changelog, text.replace("(1.0)", &format!("({})", "1".repeat(300)))).unwrap();
    let built = farm.build(&tree, &[]).failed(2, &["a version of 300 characters", "255"]);
    assert!(!built.folder.exists());
    fs::write(&changelog, text.replace("(1.0)", &format!("({})", "1".repeat(150)))).unwrap();
    farm.build(&tree, &[]).succeeded();
}

#[test]
fn a_record_for_an_unknown_architecture_is_refused() {
    if !sandbox("a_record_for_an_unknown_architecture") {
        return;
    }
    let farm = Farm::warm();
    let record = farm.build("greeting", &[]).succeeded().folder.join("build-record.json");
    let text = fs::read_to_string(&record).unwrap().replace("\"arch\": \"amd64\"", "\"arch\": \"amd65\"");
    fs::write(&record, text).unwrap();
    let output = farm.run(&["replay", record.to_str().unwrap()]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("build record") && text.contains("amd65"), "{text}");
}

#[test]
fn results_of_a_tree_that_is_the_folder_are_beside_it_and_it_is_replayed_while_it_is_the_same() {
    if !sandbox("results_of_a_tree_that_is_the_folder") {
        return;
    }
    let farm = Farm::warm();
    Tree::new("inside", "true").write(&farm.work());
    let tree = farm.work().join("inside");
    let run = |arguments: &[&str]| farm.command(arguments).current_dir(&tree).output().unwrap();
    let output = run(&["build", ".", "--arch", "amd64", "--quiet"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read_dir(&tree).unwrap().count(), 1, "nothing but debian");
    let path = farm.work().join("inside_1.0_amd64/build-record.json");
    let record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let source = &record["inputs"]["source"];
    assert_eq!((&source["package"], &source["version"]), (&"inside".into(), &"1.0".into()));
    assert_eq!((source["tree_sha256"].as_str().unwrap().len(), &source["dsc"]), (64, &Value::Null));
    let out = farm.new_out();
    let again = ["replay", path.to_str().unwrap(), "--quiet", "--out", out.to_str().unwrap()];
    let output = run(&again);
    assert!(output.status.success() && said(&output).contains("the same bits"), "{}", said(&output));
    fs::write(tree.join("more"), "").unwrap();
    let output = run(&again);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("no longer the source that was built"), "{}", said(&output));
}

#[test]
fn a_source_that_was_built_can_be_built_from() {
    if !sandbox("a_source_that_was_built") {
        return;
    }
    let farm = Farm::warm();
    let made = farm.build("greeting", &["--build", "source"]).succeeded();
    assert!(made.artifacts().contains_key("greeting_1.0.orig.tar.xz"));
    let dsc = made.folder.join("greeting_1.0-1.dsc");
    farm.build(dsc.to_str().unwrap(), &[]).succeeded();
}
