//! Farms that build against their own results, and what they do for that: rebuilds under a number, imports.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::farm::{Farm, sandbox};
use crate::made::{Member, Tree, control, deb, publish};
use crate::run::said;

/// Each needs the one before; `same` takes nothing of it into its package.
fn trees(content: &'static str, version: &'static str) -> Vec<Tree<'static>> {
    let install = match content {
        "one" => "echo one > debian/first/usr/share/first/file",
        _ => "echo two > debian/first/usr/share/first/file",
    };
    vec![
        Tree { version, install, ..Tree::new("first", "true") },
        Tree {
            needs: "first",
            install: "cp /usr/share/first/file debian/copy/usr/share/copy/file",
            ..Tree::new("copy", "true")
        },
        Tree { needs: "first", ..Tree::new("same", "true") },
        Tree {
            needs: "copy",
            install: "cp /usr/share/copy/file debian/top/usr/share/top/file",
            ..Tree::new("top", "true")
        },
        Tree { needs: "same", ..Tree::new("last", "true") },
    ]
}

const FARM: &str = r#"
[farm]
suite = "trixie"
origin = "Tests"

[[farm.component]]
name = "main"
architectures = ["amd64"]
packages = ["first", "copy", "same", "top", "last"]

[farm.machines.x86_64]
slots = 2

[farm.settle]
first = "1s"
longest = "1s"
"#;

fn rebuild(farm: &Farm) -> Output {
    let config = farm.config().display().to_string();
    farm.run(&["rebuild", &config, "--state", "state"])
}

/// Versions of the packages in the farm's archive.
fn versions(farm: &Farm) -> BTreeMap<String, String> {
    let path = farm.work().join("state/archive/dists/trixie/main/binary-amd64/Packages");
    let text = fs::read_to_string(path).unwrap();
    let field = |stanza: &str, name: &str| {
        stanza.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
    };
    let stanzas = text.split("\n\n").filter(|stanza| !stanza.trim().is_empty());
    stanzas.map(|stanza| (field(stanza, "Package:"), field(stanza, "Version:"))).collect()
}

fn is(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
}

fn builds(farm: &Farm, package: &str) -> usize {
    let output = farm.run(&["status", package, "--json", "--state", "state"]);
    let packages: Value = serde_json::from_slice(&output.stdout).unwrap();
    packages[0]["builds"].as_array().unwrap().len()
}

/// A rebuild that ends well, and with these words.
fn rebuild_tells(farm: &Farm, words: &str) {
    let output = rebuild(farm);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains(words), "no {words:?} in {told} {}", said(&output));
}

#[test]
fn a_farm_builds_against_its_own_results_and_again_only_what_they_change() {
    if !sandbox("a_farm_builds_against_its_own_results") {
        return;
    }
    let farm = Farm::warm();
    farm.configure(FARM);
    publish(&farm.recorded, &trees("one", "1.0"));
    // Nobody but the farm has first, so what needs it can only be planned once it is there.
    rebuild_tells(&farm, "succeeded 5; 5 builds in this run");
    let all = [("first", "1.0"), ("copy", "1.0"), ("same", "1.0"), ("top", "1.0"), ("last", "1.0")];
    assert_eq!(versions(&farm), is(&all));
    rebuild_tells(&farm, "; 0 builds in this run");

    publish(&farm.recorded, &trees("two", "1.1")[..1]);
    farm.age_metadata();
    rebuild_tells(&farm, "succeeded 5; 4 builds in this run");
    let all = [("first", "1.1"), ("copy", "1.0+b1"), ("same", "1.0"), ("top", "1.0+b1"), ("last", "1.0")];
    assert_eq!(versions(&farm), is(&all));
    let counted = ["first", "copy", "same", "top", "last"].map(|package| builds(&farm, package));
    assert_eq!(counted, [2, 2, 2, 2, 1]);
    rebuild_tells(&farm, "; 0 builds in this run");

    // What newer results replaced need not be kept.
    let pooled = |file: &str| farm.work().join("state/archive/pool/main/f/first").join(file).is_file();
    assert!(pooled("first_1.0_amd64.deb") && pooled("first_1.1_amd64.deb"));
    let gc = |more: &[&str]| {
        let output = farm.run(&[&["gc", "--state", "state"], more].concat());
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let what = "the results of 4 builds, all of 0 others, and 3 packages of the archive";
    assert!(gc(&["--dry-run"]).starts_with(&format!("would remove {what}")), "{}", gc(&["--dry-run"]));
    assert!(pooled("first_1.0_amd64.deb"));
    assert!(gc(&[]).starts_with(&format!("removed {what}")));
    assert!(!pooled("first_1.0_amd64.deb") && pooled("first_1.1_amd64.deb"));
    assert!(gc(&[]).starts_with("removed the results of 0 builds, all of 0 others, and 0 packages"));
    assert!(farm.run(&["log", "first", "--state", "state"]).status.success());
    rebuild_tells(&farm, "; 0 builds in this run");

    // Who trusts the farm's key can use the archive as any other.
    let told = String::from_utf8_lossy(&rebuild(&farm).stdout).into_owned();
    let line = told.lines().find_map(|line| line.strip_prefix("the farm's archive: ")).unwrap();
    let archive = farm.work().join("state/archive");
    farm.configure("");
    publish(
        &farm.recorded,
        &[Tree { needs: "top (= 1.0+b1)", ..Tree::new("user", "grep two /usr/share/top/file") }],
    );
    farm.age_metadata();
    farm.build("user", &["--repository", line]).succeeded();
    let packed = archive.join("dists/trixie/main/binary-amd64/Packages.gz");
    assert!(packed.is_file(), "for those who are far away");
    let secret = farm.work().join("state/archive-key.asc");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(secret).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_the_farm_writes_can_be_lost_and_is_written_again() {
    if !sandbox("what_the_farm_writes_can_be_lost") {
        return;
    }
    let farm = Farm::warm();
    farm.configure(&FARM.replace(r#"["first", "copy", "same", "top", "last"]"#, r#"["first", "copy"]"#));
    publish(&farm.recorded, &trees("one", "1.0"));
    rebuild_tells(&farm, "succeeded 2; 2 builds in this run");
    // As a power cut may leave it.
    fs::remove_dir_all(farm.work().join("state/archive/dists")).unwrap();
    rebuild_tells(&farm, "; 0 builds in this run");
    assert_eq!(versions(&farm), is(&[("first", "1.0"), ("copy", "1.0")]));
}

#[test]
fn names_that_an_archive_cannot_have_are_refused() {
    let farm = Farm::cold();
    for (from, to, words) in [
        (r#"name = "main""#, r#"name = "../x""#, "the component \"../x\""),
        (r#"origin = "Tests""#, r#"origin = "a\nb""#, "origin = "),
        (r#"origin = "Tests""#, r#"maintainer = "nobody""#, "is not NAME <ADDRESS>"),
    ] {
        farm.configure(&FARM.replace(from, to));
        let output = rebuild(&farm);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    farm.configure(FARM);
    let config = farm.config().display().to_string();
    let output = farm.run(&["rebuild", &config, "--state", "a state"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("give another --state"), "{}", said(&output));
}

#[test]
fn a_package_is_built_again_under_a_number() {
    if !sandbox("a_package_is_built_again_under_a_number") {
        return;
    }
    let farm = Farm::warm();
    let words =
        ["--binnmu", "2", "--binnmu-reason", "Because of a test.", "--maintainer", "A B <a@b.example>"];
    let built = farm.build("greeting", &words).succeeded();
    let names: Vec<String> = built.packages().into_keys().collect();
    assert!(!names.is_empty() && names.iter().all(|name| name.contains("+b2_amd64")), "{names:?}");
    let changes = built.artifacts().into_keys().find(|name| name.ends_with(".changes")).unwrap();
    let changes = fs::read_to_string(built.folder.join(changes)).unwrap();
    for line in ["Binary-Only: yes", "Because of a test.", "Changed-By: A B <a@b.example>"] {
        assert!(changes.contains(line), "no {line:?} in {changes}");
    }
    // Nothing depends on when it is built.
    assert_eq!(farm.build("greeting", &words).succeeded().packages(), built.packages());
    // And a record tells all of it.
    let record = built.folder.join("build-record.json").display().to_string();
    let again = farm.new_out().display().to_string();
    let replayed = farm.run(&["replay", &record, "--out", &again, "--quiet"]);
    assert!(replayed.status.success(), "{}", said(&replayed));
    assert!(said(&replayed).contains("+b2_amd64.deb: the same bits"), "{}", said(&replayed));
    farm.build("greeting", &["--binnmu", "1", "--build", "all"])
        .failed(2, &["--binnmu makes packages for one"]);
    farm.build("greeting", &["--binnmu", "1", "--maintainer", "me"])
        .failed(2, &["--maintainer", "is not NAME"]);
    farm.build("greeting", &["--binnmu", "0"]).failed(2, &["--binnmu"]);
}

#[test]
fn the_archives_packages_are_taken_in_place_of_a_build() {
    let farm = Farm::cold();
    publish(&farm.recorded, &[Tree::new("ready", "false"), Tree::new("absent", "true")]);
    let place = [Member::Folder("./"), Member::File("./ready", b"upstream's")];
    for (name, source, version) in
        [("ready", "ready", "1.0"), ("ready-tool", "ready (1.0)", "1.0+b3"), ("other", "ready (0.9)", "0.9")]
    {
        let control = format!("{}Source: {source}\n", control(name, version, ""));
        let file = format!("{name}_{version}_amd64.deb");
        farm.recorded.add_package(&file, &control, &deb(&control, &place));
    }
    // Not even the source has to be there.
    fs::remove_file(farm.recorded.file("pool/main/t/test/ready_1.0.dsc")).unwrap();
    let built = farm.build("ready", &["--mode", "imported"]).succeeded();
    let names: Vec<String> = built.artifacts().into_keys().collect();
    assert_eq!(names, ["ready-tool_1.0+b3_amd64.deb", "ready_1.0_amd64.deb"]);
    assert_eq!(built.record()["request"]["mode"], "imported");
    assert!(built.log().contains("ready_1.0_amd64.deb: imported, not built here"), "{}", built.log());
    farm.build("absent", &["--mode", "imported"]).failed(2, &["no packages of absent 1.0 for amd64"]);
    farm.build("ready", &["--mode", "imported", "--binnmu", "1"]).failed(2, &["--binnmu"]);
    let output = farm.run(&["shell", "ready", "--arch", "amd64", "--mode", "imported", "--", "true"]);
    assert_eq!(output.status.code(), Some(2));
    // A package that is not what the index says is not taken.
    fs::write(Path::new(&farm.recorded.file("pool/main/t/test/ready_1.0_amd64.deb")), "x").unwrap();
    fs::remove_dir_all(farm.cache().join("pool")).unwrap();
    farm.build("ready", &["--mode", "imported"]).failed(4, &["ready_1.0_amd64.deb"]);
}
