//! Builds against the recorded archive: what comes out, and what options do.

use std::fs;

use serde_json::Value;

use crate::farm::{Farm, sandbox};
use crate::made::{Member, Tree, control, deb};
use crate::run::said;
use crate::support::recorded::test_key;

const BOTH: [&str; 2] = ["greeting-doc_1.0-1_all.deb", "greeting_1.0-1_amd64.deb"];

#[test]
fn a_package_is_built_by_name_again_from_the_cache_and_replayed_with_the_same_bits() {
    if !sandbox("a_package_is_built_by_name") {
        return;
    }
    let farm = Farm::cold();
    let first = farm.build("greeting", &[]).succeeded();
    assert_eq!(first.packages().into_keys().collect::<Vec<_>>(), BOTH);
    let record = first.record();
    assert_eq!(record["request"]["mode"], "native");
    assert_eq!(record["inputs"]["source"]["version"], "1.0-1");
    let root = |record: &Value| {
        let phases = record["phases"].as_array().unwrap().clone();
        phases.into_iter().find(|phase| phase["phase"] == "root").unwrap()
    };
    assert!(root(&record)["reused"].as_array().is_none_or(Vec::is_empty));
    assert_one_after_the_other(&record);
    let log = first.log();
    let sections = [
        "| greeting 1.0-1 (amd64) ",
        "| Fetch source files ",
        "| Install package build dependencies ",
        "| Build environment ",
        "| Build ",
        "\nhello, world\n",
        "| Changes ",
        "| Buildinfo ",
        "| Package contents ",
        "-rwxr-xr-x root/root ",
        "| Summary ",
        "Status: successful",
    ];
    let mut rest = log.as_str();
    for section in sections.iter().filter(|section| !section.contains("hello")) {
        let (_, after) =
            rest.split_once(section).unwrap_or_else(|| panic!("no {section:?} in order in {log}"));
        rest = after;
    }
    farm.assert_nothing_left();

    let second = farm.build("greeting", &[]).succeeded();
    assert_eq!(root(&second.record())["reused"], serde_json::json!(["base", "build dependencies"]));
    assert_eq!(first.packages(), second.packages());
    let before = "greeting-1.0 is taken as it was unpacked before";
    assert!(second.log().contains(before), "{}", second.log());

    // A damaged tree is unpacked anew, and kept again.
    let kept = fs::read_dir(farm.cache().join("sources")).unwrap().next().unwrap().unwrap().path();
    fs::write(&kept, "no archive").unwrap();
    let third = farm.build("greeting", &[]).succeeded();
    assert_eq!(first.packages(), third.packages());
    assert!(fs::metadata(&kept).unwrap().len() > 1000);

    let out = farm.new_out();
    let record = first.folder.join("build-record.json");
    let replayed = farm.run(&["replay", record.to_str().unwrap(), "--quiet", "--out", out.to_str().unwrap()]);
    assert!(replayed.status.success(), "{}", said(&replayed));
    assert!(said(&replayed).contains("the same bits"), "{}", said(&replayed));
    farm.assert_nothing_left();
}

/// No phase begins before the one before it has ended.
fn assert_one_after_the_other(record: &Value) {
    let mut ended = jiff::Timestamp::UNIX_EPOCH;
    for phase in record["phases"].as_array().unwrap() {
        let started: jiff::Timestamp = phase["started"].as_str().unwrap().parse().unwrap();
        assert!(started >= ended, "{record}");
        let took = phase["wall_ms"].as_i64().unwrap();
        ended = started + jiff::SignedDuration::from_millis(took);
    }
    assert!(record["phases"].as_array().unwrap().iter().any(|phase| phase["phase"] == "fetch-packages"));
}

#[test]
fn a_dsc_a_url_of_one_and_a_tree_give_the_same_packages() {
    if !sandbox("a_dsc_a_url_of_one_and_a_tree") {
        return;
    }
    let farm = Farm::warm();
    let by_name = farm.build("greeting=1.0-1", &[]).succeeded().packages();
    let dsc = farm.recorded.pool("greeting_1.0-1.dsc");
    assert_eq!(farm.build(dsc.to_str().unwrap(), &[]).succeeded().packages(), by_name);
    let url = format!("{}/pool/main/g/greeting/greeting_1.0-1.dsc", farm.mirror());
    assert_eq!(farm.build(&url, &[]).succeeded().packages(), by_name);
    farm.build(&url.replace("1.0-1", "1.0-9"), &[]).failed(2, &["greeting_1.0-9.dsc (404)"]);
    let tree = farm.greeting_tree();
    assert_eq!(farm.build(tree.to_str().unwrap(), &[]).succeeded().packages(), by_name);
    let out = farm.new_out();
    let here = farm
        .command(&["build", ".", "--arch", "x86_64", "--quiet", "--out"])
        .arg(&out)
        .current_dir(&tree)
        .output();
    assert!(here.as_ref().unwrap().status.success(), "{}", said(&here.unwrap()));
    assert!(out.join(BOTH[1]).exists());
    assert!(!tree.join("greeting").exists(), "the tree itself stays as it was");
}

#[test]
fn the_type_of_a_build_decides_what_is_built() {
    if !sandbox("the_type_of_a_build") {
        return;
    }
    let farm = Farm::warm();
    for (kind, packages, source) in [
        ("any", &BOTH[1..], false),
        ("all", &BOTH[..1], false),
        ("full", &BOTH[..], false),
        ("source", &[][..], true),
    ] {
        let built = farm.build("greeting", &["--build", kind]).succeeded();
        assert_eq!(built.packages().into_keys().collect::<Vec<_>>(), packages, "{kind}");
        assert_eq!(built.artifacts().contains_key("greeting_1.0-1.dsc"), source, "{kind}");
    }
    let tree = Tree::new("only-any", "true").write(&farm.work());
    let built = farm.build(&tree, &["--build", "all"]).failed(2, &["no packages for all architectures"]);
    assert!(!built.folder.exists());
}

#[test]
fn profiles_options_and_jobs_reach_the_build() {
    if !sandbox("profiles_options_and_jobs") {
        return;
    }
    let farm = Farm::warm();
    let plain = farm.build("greeting", &["--jobs", "3"]).succeeded().log();
    assert!(plain.contains("\noptions: parallel=3\n") && plain.contains("\nchecked\n"), "{plain}");
    let more = ["--profiles", "pkg.greeting.one,nodoc", "--build-options", "terse", "--no-check"];
    let log = farm.build("greeting", &more).succeeded().log();
    let line = |start: &str| log.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
    for word in ["terse", "nocheck"] {
        assert!(line("options: ").contains(word), "{log}");
    }
    for word in ["pkg.greeting.one", "nodoc", "nocheck"] {
        assert!(line("profiles: ").contains(word), "{log}");
    }
    assert!(!log.contains("\nchecked\n"));
}

#[test]
fn json_is_all_that_is_on_standard_output() {
    if !sandbox("json_is_all") {
        return;
    }
    let farm = Farm::warm();
    for more in [&["--json"][..], &["--json", "--build", "any"]] {
        let out = farm.new_out();
        let output = farm.run(&[&["build", "greeting", "--out", out.to_str().unwrap()], more].concat());
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(record["outcome"]["status"], "successful");
        assert!(said(&output).contains("dpkg-buildpackage"), "the log goes to standard error");
    }
    let failed = farm.run(&["build", "greting", "--json"]);
    let record: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!(record["outcome"]["class"], "request");
    let out = farm.new_out();
    let hooks = [
        "--hook",
        "host-pre=echo before",
        "--hook",
        "host-post=echo after $ARCHMILL_STATUS in $ARCHMILL_RESULTS",
    ];
    let hooked =
        farm.run(&[&["build", "greeting", "--json", "--out", out.to_str().unwrap()][..], &hooks].concat());
    serde_json::from_slice::<Value>(&hooked.stdout).unwrap();
    assert!(
        said(&hooked).contains("before\n")
            && said(&hooked).contains(&format!("after successful in {}\n", out.display())),
        "{}",
        said(&hooked)
    );
}

#[test]
fn hooks_run_at_their_phases() {
    if !sandbox("hooks_run_at_their_phases") {
        return;
    }
    let farm = Farm::warm();
    let hooks: Vec<String> = ["setup", "pre-build", "post-build", "failed"]
        .iter()
        .map(|phase| format!("{phase}=echo {phase} by $(id -u) in $(pwd); test -f /etc/debian_version"))
        .chain(["host-pre", "host-post"].map(|phase| format!("{phase}=echo {phase} >> hooks")))
        .collect();
    let options: Vec<&str> = hooks.iter().flat_map(|hook| ["--hook", hook]).collect();
    let log = farm.build("greeting", &options).succeeded().log();
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text:?} in {log}"));
    assert!(at("\nsetup by 0 in ") < at("\npre-build by 0 in "));
    assert!(at("\npre-build by 0 in ") < at("dpkg-buildpackage: info"));
    assert!(at("dpkg-buildpackage: info") < at("\npost-build by 0 in "));
    assert!(!log.contains("\nfailed by 0"));
    assert_eq!(fs::read_to_string(farm.work().join("hooks")).unwrap(), "host-pre\nhost-post\n");

    let broken = Tree::new("broken", "false").write(&farm.work());
    let log = farm.build(&broken, &options).failed(6, &[]).log();
    assert!(log.contains("\nfailed by 0 in ") && !log.contains("\npost-build by 0"), "{log}");
}

#[test]
fn a_hook_that_fails_ends_the_build() {
    if !sandbox("a_hook_that_fails") {
        return;
    }
    let farm = Farm::warm();
    for phase in ["host-pre", "setup", "pre-build", "post-build", "host-post"] {
        let hook = format!("{phase}=echo it went wrong; exit 3");
        let built =
            farm.build("greeting", &["--hook", &hook]).failed(11, &[phase, "hook", "exit 3", "failed"]);
        match phase {
            "host-pre" => assert!(!built.folder.exists()),
            "host-post" => assert_eq!(built.packages().into_keys().collect::<Vec<_>>(), BOTH),
            _ => {
                let built = built.failed(11, &["(hook)", "  it went wrong\n"]).recorded("hook", "failed");
                let kept = if phase == "post-build" { &BOTH[..] } else { &[] };
                assert_eq!(built.packages().into_keys().collect::<Vec<_>>(), kept, "{phase}");
            }
        }
    }
    // What the build itself failed of is not hidden by a hook.
    let broken = Tree::new("broken", "false").write(&farm.work());
    farm.build(&broken, &["--hook", "failed=exit 3"])
        .failed(6, &["warning: the failed hook"])
        .recorded("build", "attempted");
    farm.assert_nothing_left();
}

/// A package with a program that a build can need.
fn tool(version: &str) -> Vec<u8> {
    let script = format!("#!/bin/sh\necho tool {version}\n");
    let members = [
        Member::Folder("./"),
        Member::Folder("./usr/"),
        Member::Folder("./usr/bin/"),
        Member::Script("./usr/bin/tool", script.as_bytes()),
    ];
    deb(&control("tool", version, ""), &members)
}

fn needs_tool(farm: &Farm) -> String {
    Tree { needs: "tool", ..Tree::new("needs-tool", "tool") }.write(&farm.work())
}

#[test]
fn a_package_given_by_hand_wins_over_the_archives() {
    if !sandbox("a_package_given_by_hand") {
        return;
    }
    let farm = Farm::warm();
    let tree = needs_tool(&farm);
    farm.recorded.add_package("tool_1_amd64.deb", &control("tool", "1", ""), &tool("1"));
    assert!(farm.build(&tree, &[]).succeeded().log().contains("\ntool 1\n"));
    fs::write(farm.work().join("tool.deb"), tool("0.5")).unwrap();
    assert!(farm.build(&tree, &["--extra-package", "tool.deb"]).succeeded().log().contains("\ntool 0.5\n"));
    farm.build(&tree, &["--extra-package", "nowhere.deb"]).failed(2, &["nowhere.deb", "No such file"]);
    fs::write(farm.work().join("no.deb"), "no package").unwrap();
    let built = farm.build(&tree, &["--extra-package", "no.deb"]).failed(2, &["no.deb"]);
    assert!(!built.folder.exists());
    let unnamed = deb("Version: 1\nArchitecture: amd64\n", &[Member::Folder("./")]);
    fs::write(farm.work().join("unnamed.deb"), unnamed).unwrap();
    farm.build(&tree, &["--extra-package", "unnamed.deb"]).failed(2, &["unnamed.deb", "no field Package"]);
}

#[test]
fn another_repository_is_a_line_or_a_file() {
    if !sandbox("another_repository") {
        return;
    }
    let (farm, other) = (Farm::warm(), Farm::cold());
    other.recorded.add_package("tool_2_amd64.deb", &control("tool", "2", ""), &tool("2"));
    let tree = needs_tool(&farm);
    farm.build(&tree, &[]).failed(3, &["tool"]).recorded("dependencies", "dep-wait");
    let key = test_key().display().to_string();
    let line = format!("deb [signed-by={key}] {} trixie main", other.mirror());
    assert!(farm.build(&tree, &["--repository", &line]).succeeded().log().contains("\ntool 2\n"));
    let stanza =
        format!("Types: deb\nURIs: {}\nSuites: trixie\nComponents: main\nSigned-By: {key}\n", other.mirror());
    fs::write(farm.work().join("other.sources"), stanza).unwrap();
    assert!(farm.build(&tree, &["--repository", "other.sources"]).succeeded().log().contains("\ntool 2\n"));
    farm.configure(&format!("repositories = [{line:?}]\n"));
    assert!(farm.build(&tree, &[]).succeeded().log().contains("\ntool 2\n"));
}

#[test]
fn the_mirror_is_given_by_option_or_file_and_a_misspelt_key_is_refused() {
    if !sandbox("the_mirror_is_given") {
        return;
    }
    let farm = Farm::warm();
    farm.configure("mirrror = \"http://x\"\n");
    farm.build("greeting", &[]).failed(2, &["mirrror", "did you mean `mirror`?", "farm.toml"]);
    let empty = farm.work().join("empty.toml");
    fs::write(&empty, "").unwrap();
    let key = test_key().display().to_string();
    let options = ["--config", empty.to_str().unwrap(), "--mirror", &farm.mirror(), "--keyring", &key];
    farm.build("greeting", &options).succeeded();
    // From the folder, without a server.
    let plain = farm.recorded.file("").display().to_string();
    let options =
        ["--config", empty.to_str().unwrap(), "--mirror", &format!("file://{plain}"), "--keyring", &key];
    farm.build("greeting", &options).succeeded();
}

#[test]
fn build_dependencies_that_cannot_be_had_are_explained() {
    if !sandbox("build_dependencies_that_cannot_be_had") {
        return;
    }
    let farm = Farm::warm();
    let chain = deb(&control("halfway", "1", "nowhere (>= 2)"), &[Member::Folder("./")]);
    farm.recorded.add_package("halfway_1_amd64.deb", &control("halfway", "1", "nowhere (>= 2)"), &chain);
    let tree = Tree { needs: "m4, halfway", ..Tree::new("waits", "true") }.write(&farm.work());
    farm.build(&tree, &[]).failed(3, &["waits", "halfway", "nowhere"]).recorded("dependencies", "dep-wait");
    let tree = Tree { needs: "m4 (>= 99)", ..Tree::new("ahead", "true") }.write(&farm.work());
    farm.build(&tree, &[]).failed(3, &["ahead", "m4", "99"]).recorded("dependencies", "dep-wait");
}

#[test]
fn what_is_not_in_the_archive_is_answered_with_the_nearest_names() {
    if !sandbox("what_is_not_in_the_archive") {
        return;
    }
    let farm = Farm::warm();
    for (name, words) in [
        ("greting", &["no source package greting", "did you mean greeting?"][..]),
        ("greeting=9", &["no version 9 ", "there is greeting=1.0-1 in trixie"]),
    ] {
        let built = farm.build(name, &[]).failed(2, words);
        assert!(!built.folder.exists(), "there is nothing to put into it");
    }
    // A suite that there is, and that the mirror has not: with --out whoever asked finds out why.
    farm.build("greeting", &["--suite", "forky"])
        .failed(4, &["forky", "404"])
        .recorded("fetch", "given-back");
    let before = fs::read_dir(farm.work()).unwrap().count();
    let output = farm.run(&["build", "greeting", "--suite", "forky"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert_eq!(fs::read_dir(farm.work()).unwrap().count(), before, "no folder for what was not found");
}

#[test]
fn files_left_to_the_build_user_are_refused_and_those_of_root_stay_roots() {
    if !sandbox("files_left_to_the_build_user") {
        return;
    }
    let farm = Farm::warm();
    let owned =
        Tree { install: "chown 2952:2952 debian/owned/usr/share/owned/file", ..Tree::new("owned", "true") };
    let tree = owned.write(&farm.work());
    farm.build(&tree, &[]).failed(6, &["usr/share/owned/file", "2952:2952", "an id of the build"]);
    let tree = Tree::new("rooted", "true").write(&farm.work());
    let log = farm.build(&tree, &[]).succeeded().log();
    assert!(
        log.lines().any(|line| line.contains("root/root") && line.ends_with("usr/share/rooted/file")),
        "{log}"
    );
}
