//! Input that is broken, or made to do harm.

use std::fs;
use std::path::Path;

use crate::farm::{Farm, sandbox};
use crate::made::{Member, Tree, control, deb, dsc, source_package, tarball};
use crate::support::Fault;
use crate::support::recorded::sign;
use crate::support::server::ALWAYS;

#[test]
fn metadata_that_nobody_known_signed_is_refused() {
    if !sandbox("metadata_that_nobody_known_signed") {
        return;
    }
    let farm = Farm::cold();
    let path = farm.recorded.in_release("trixie");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace("Codename: trixie", "Codename: mallory")).unwrap();
    farm.build("greeting", &[])
        .failed(4, &["trixie", "was changed after it was signed"])
        .recorded("fetch", "given-back");
    fs::write(&path, "Origin: Debian\n").unwrap();
    farm.build("greeting", &[]).failed(4, &["it is not signed", "--allow-unsigned"]);
    fs::write(&path, good).unwrap();
    let debian = concat!(env!("CARGO_MANIFEST_DIR"), "/../archive/data/debian-archive-keyring.gpg");
    farm.build("greeting", &["--keyring", debian]).failed(4, &["is by a key in", "--keyring"]);
    farm.build("greeting", &["--keyring", "/nowhere.gpg"]).failed(2, &["/nowhere.gpg"]);
}

#[test]
fn metadata_past_its_date_is_refused_unless_told_otherwise() {
    if !sandbox("metadata_past_its_date") {
        return;
    }
    let farm = Farm::warm();
    farm.recorded.resign("trixie", |text| format!("Valid-Until: Sat, 01 Aug 2020 00:00:00 UTC\n{text}"));
    farm.build("greeting", &[]).failed(4, &["has expired", "--no-check-valid-until"]);
    farm.build("greeting", &["--no-check-valid-until"]).succeeded();
}

#[test]
fn files_that_are_not_those_of_the_index_are_refused() {
    if !sandbox("files_that_are_not_those_of_the_index") {
        return;
    }
    for (file, words) in [
        ("binary-amd64", &["trixie", "out of step"][..]),
        ("greeting_1.0-1.dsc", &["source greeting 1.0-1", "greeting_1.0-1.dsc", "out of step"]),
        ("greeting_1.0.orig.tar.xz", &["source greeting 1.0-1", "orig.tar.xz", "out of step"]),
        ("/dash_", &["dash_", "out of step"]),
    ] {
        let farm = Farm::cold();
        farm.server.fault(file, ALWAYS, Fault::Scramble);
        farm.build("greeting", &[]).failed(4, words).recorded("fetch", "given-back");
        farm.assert_nothing_left();
    }
}

#[test]
fn a_dsc_that_names_files_elsewhere_is_refused() {
    if !sandbox("a_dsc_that_names_files_elsewhere") {
        return;
    }
    let farm = Farm::cold();
    for name in ["/etc/passwd", "../secret.tar.xz", "a/../../secret.tar.xz", "sub/file.tar.xz"] {
        let path = dsc(&farm.work(), "evil", &[(name, b"content")]);
        farm.build(path.to_str().unwrap(), &[]).failed(4, &["evil_1.0.dsc", name]);
    }
}

#[test]
fn a_dsc_whose_files_are_others_is_refused() {
    if !sandbox("a_dsc_whose_files_are_others") {
        return;
    }
    let farm = Farm::cold();
    let path = dsc(&farm.work(), "other", &[("other_1.0.tar.xz", b"content")]);
    let name = path.to_str().unwrap();
    farm.build(name, &[]).failed(2, &["other_1.0.tar.xz", "No such file"]);
    fs::write(farm.work().join("other_1.0.tar.xz"), "CONTENT").unwrap();
    farm.build(name, &[]).failed(4, &["other_1.0.tar.xz", "is not the file that"]);
    fs::write(&path, "this is no .dsc").unwrap();
    farm.build(name, &[]).failed(4, &["other_1.0.dsc"]);
}

/// The files that a source package must have to be built.
fn debian(name: &str, rules: &str) -> Vec<(String, Vec<u8>)> {
    let tmp = tempfile::tempdir().unwrap();
    Tree::new(name, rules).write(tmp.path());
    let files = ["debian/changelog", "debian/control", "debian/source/format", "debian/rules"];
    let read = |file: &str| fs::read(tmp.path().join(name).join(file)).unwrap();
    files.iter().map(|file| (format!("{name}-1.0/{file}"), read(file))).collect()
}

#[test]
fn a_tarball_cannot_write_outside_of_its_tree_or_make_devices() {
    if !sandbox("a_tarball_cannot_write_outside") {
        return;
    }
    let farm = Farm::warm();
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    let absolute = outside.path().to_str().unwrap();
    let through = format!("evil-1.0/link/{}", victim.file_name().unwrap().to_str().unwrap());
    let parent = format!("evil-1.0/../../../../../..{}", victim.display());
    let files = debian("evil", "true");
    let cases: [&[Member<'_>]; 3] = [
        &[Member::Link("evil-1.0/link", absolute), Member::File(&through, b"x")],
        &[Member::File(&parent, b"x")],
        &[Member::Device("evil-1.0/null")],
    ];
    for members in cases {
        let mut all = vec![Member::Folder("evil-1.0/")];
        all.extend(files.iter().map(|(name, content)| Member::Script(name, content)));
        let mut bytes = tarball(&all);
        // Members go on after the first ones: two blocks of zeros end an archive.
        bytes.truncate(bytes.len() - 1024);
        bytes.extend(tarball(members));
        let path = source_package(&farm.work(), "evil", &bytes);
        farm.build(path.to_str().unwrap(), &[])
            .failed(6, &["source evil cannot be unpacked"])
            .recorded("build", "attempted");
        assert!(!victim.exists());
    }
    farm.assert_nothing_left();
}

#[test]
fn limits_apply_while_the_source_is_unpacked() {
    if !sandbox("limits_apply_while_the_source_is_unpacked") {
        return;
    }
    let farm = Farm::warm();
    let zeros = vec![0; 200 << 20];
    let files = debian("bomb", "true");
    let mut members = vec![Member::Folder("bomb-1.0/")];
    members.extend(files.iter().map(|(name, content)| Member::Script(name, content)));
    members.push(Member::File("bomb-1.0/zeros", &zeros));
    let bytes = tarball(&members);
    let path = source_package(&farm.work(), "bomb", &bytes);
    let built = farm.build(path.to_str().unwrap(), &["--max-disk", "20M"]).failed(8, &["disk"]);
    assert_eq!(built.record()["outcome"]["phase"], "unpack");
    farm.assert_nothing_left();
}

/// A build that needs the package `evil` with these members.
fn with_package(farm: &Farm, name: &str, members: &[Member<'_>]) -> crate::farm::Built {
    let stanza = control(name, "1", "");
    farm.recorded.add_package(&format!("{name}_1_amd64.deb"), &stanza, &deb(&stanza, members));
    let source = format!("needs-{name}");
    let tree = Tree { needs: name, ..Tree::new(&source, "true") }.write(&farm.work());
    farm.age_metadata();
    farm.build(&tree, &[])
}

#[test]
fn a_package_made_to_do_harm_is_refused() {
    if !sandbox("a_package_made_to_do_harm") {
        return;
    }
    let farm = Farm::warm();
    let outside = tempfile::tempdir().unwrap();
    let absolute = outside.path().to_str().unwrap();
    let cases: [(&str, &[Member<'_>], &str); 6] = [
        (
            "evil-link",
            &[Member::Folder("./"), Member::Link("./out", absolute), Member::File("./out/victim", b"x")],
            "through out",
        ),
        ("evil-parent", &[Member::Folder("./"), Member::File("./../../victim", b"x")], "outside of the root"),
        ("evil-absolute", &[Member::Folder("./"), Member::File("/tmp/archmill-victim", b"x")], ""),
        ("evil-device", &[Member::Folder("./"), Member::Device("./null")], "a device"),
        ("evil-twice", &[Member::Folder("./"), Member::File("./a", b"x"), Member::File("./a", b"y")], ""),
        ("evil-swap", &[Member::Folder("./"), Member::Folder("./a/"), Member::Link("./a", absolute)], ""),
    ];
    for (name, members, words) in cases {
        with_package(&farm, name, members).failed(5, &[name, words]).recorded("root", "given-back");
        assert!(fs::read_dir(outside.path()).unwrap().next().is_none(), "{name}");
    }
    assert!(!Path::new("/tmp/archmill-victim").exists());
    farm.assert_nothing_left();
}

#[test]
fn a_package_that_is_none_is_refused() {
    if !sandbox("a_package_that_is_none") {
        return;
    }
    let farm = Farm::warm();
    farm.recorded.add_package("none_1_amd64.deb", &control("none", "1", ""), b"this is no package");
    let tree = Tree { needs: "none", ..Tree::new("needs-none", "true") }.write(&farm.work());
    farm.build(&tree, &[]).failed(5, &["is not a usable package"]);
    farm.assert_nothing_left();
}

#[test]
fn a_mirror_that_goes_back_is_not_believed() {
    if !sandbox("a_mirror_that_goes_back") {
        return;
    }
    let farm = Farm::warm();
    let path = farm.recorded.in_release("trixie");
    let old = fs::read(&path).unwrap();
    let stanza = control("fixed", "2", "");
    farm.recorded.add_package("fixed_2_amd64.deb", &stanza, &deb(&stanza, &[Member::Folder("./")]));
    let now = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S UTC").to_string();
    farm.recorded.resign("trixie", |text| {
        let line = |line: &str| {
            if line.starts_with("Date: ") { format!("Date: {now}\n") } else { format!("{line}\n") }
        };
        text.lines().map(line).collect()
    });
    let tree = Tree { needs: "fixed", ..Tree::new("needs-fixed", "true") }.write(&farm.work());
    farm.build(&tree, &[]).succeeded();
    fs::write(&path, old).unwrap();
    farm.age_metadata();
    let built = farm.build(&tree, &[]).succeeded();
    assert!(built.said().contains("older"), "{}", built.said());
}

#[test]
fn a_signature_by_another_key_of_the_same_name_is_refused() {
    if !sandbox("a_signature_by_another_key") {
        return;
    }
    let farm = Farm::cold();
    let mut params = pgp::composed::SecretKeyParamsBuilder::default();
    params.key_type(pgp::composed::KeyType::Ed25519Legacy).can_sign(true).can_certify(true);
    params
        .primary_user_id("archmill test archive (its secret key is public) <tests@archmill.example>".into());
    let key = params.build().unwrap().generate(rand::thread_rng()).unwrap();
    let secret = key.to_armored_string(pgp::composed::ArmorOptions::default()).unwrap();
    let text = farm.recorded.release("trixie");
    fs::write(farm.recorded.in_release("trixie"), sign(&text, &secret)).unwrap();
    farm.build("greeting", &[]).failed(4, &["none of its signatures"]);
}
