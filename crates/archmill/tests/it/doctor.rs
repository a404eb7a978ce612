//! What archmill says of the host that it is on.

use crate::run::archmill;

#[test]
fn each_need_is_told_with_what_was_found() {
    let tmp = tempfile::tempdir().unwrap();
    let output = archmill(&["doctor"], tmp.path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for need in
        ["kernel", "range of ids", "user namespaces", "binfmt_misc", "sandbox", "disk space", "Debian mirror"]
    {
        assert!(
            text.lines().any(|line| line.get(5..).is_some_and(|line| line.starts_with(need))),
            "{need}: {text}"
        );
    }
    assert!(text.contains("This host can build"), "{text}");
}

#[test]
fn the_findings_as_json_are_the_same() {
    let tmp = tempfile::tempdir().unwrap();
    let output = archmill(&["doctor", "--json"], tmp.path());
    let findings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(findings.iter().any(|finding| finding["need"] == "Debian mirror"));
    let sandbox = findings.iter().find(|finding| finding["need"] == "sandbox").unwrap();
    assert_eq!(sandbox["required"], true);
    assert!(
        sandbox["met"].as_bool().unwrap() && sandbox["text"].as_str().unwrap().starts_with("works"),
        "{sandbox}"
    );
}

#[test]
fn a_cache_that_cannot_be_used_fails_the_check() {
    let tmp = tempfile::tempdir().unwrap();
    // A file where a folder is wanted.
    std::fs::write(tmp.path().join("file"), "").unwrap();
    let cache = tmp.path().join("file/cache");
    let output = archmill(&["doctor", "--cache", cache.to_str().unwrap()], tmp.path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(9), "{text}");
    assert!(text.contains("FAIL sandbox") && text.contains("This host cannot build yet"), "{text}");
}
