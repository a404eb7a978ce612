use super::*;
use crate::classify::{Class, Limit, Phase};
use crate::command::BuildType;

fn sha256(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn source() -> SourceInput {
    SourceInput {
        package: "dash".to_owned(),
        version: "0.5.12-12".to_owned(),
        dsc: Some(SourceFile { name: "dash_0.5.12-12.dsc".into(), size_bytes: 1957, sha256: sha256('b') }),
        tree_sha256: None,
        files: vec![],
        repository: Some(0),
        directory: Some("pool/main/d/dash".to_owned()),
    }
}

fn record() -> BuildRecord {
    let package = |name: &str, version: &str, arch: &str| PackageInput {
        name: name.to_owned(),
        version: version.to_owned(),
        arch: arch.to_owned(),
        sha256: sha256('a'),
        size_bytes: 1234,
        path: format!("pool/main/x/{name}/{name}_{version}_{arch}.deb"),
        repository: 0,
        base: false,
    };
    BuildRecord {
        format_version: FORMAT_VERSION,
        archmill_version: "0.1.0".to_owned(),
        started: "2026-11-23T21:26:07Z".parse().unwrap(),
        finished: "2026-11-23T21:28:07.5Z".parse().unwrap(),
        request: Request {
            source: "dash".to_owned(),
            suite: "trixie".to_owned(),
            arch: "arm64".to_owned(),
            mode: "emulated".to_owned(),
            build_type: BuildType::Any,
            profiles: vec!["nodoc".to_owned()],
            options: vec!["nocheck".to_owned()],
            jobs: std::num::NonZeroUsize::new(2).unwrap(),
            limits: LimitSettings { silence_ms: Some(9_000_000), ..LimitSettings::default() },
            hooks: vec![],
            environment: vec![],
            binnmu: None,
            patience: None,
        },
        inputs: Inputs {
            acceleration: None,
            source: Some(source()),
            repositories: vec![Repository {
                uri: "http://deb.example.org/debian".to_owned(),
                suite: "trixie".to_owned(),
                inrelease_sha256: Some(sha256('c')),
                date: Some("2026-11-22T09:00:00Z".parse().unwrap()),
            }],
            packages: vec![package("dash", "0.5.12-12", "arm64"), package("debhelper", "13.24.2", "all")],
            emulator: Some(Emulator {
                package: "qemu-user".to_owned(),
                version: "1:10.0.2+ds-2".to_owned(),
                suite: "trixie".to_owned(),
                sha256: sha256('d'),
                cpu_model: Some("cortex-a53".to_owned()),
                address_space: Some("0x400000000000".to_owned()),
                binfmt_flags: "FPC".to_owned(),
                deb: EmulatorDeb {
                    uri: "http://deb.example.org/debian".to_owned(),
                    path: "pool/main/q/qemu/qemu-user_10.0.2+ds-2_amd64.deb".to_owned(),
                    sha256: sha256('e'),
                    size_bytes: 30_000_000,
                    program: "usr/bin/qemu-aarch64".to_owned(),
                },
            }),
            host: Host {
                kernel: "6.12.57+deb13-amd64".to_owned(),
                arch: "amd64".to_owned(),
                cpu_model: "Example CPU".to_owned(),
                processors: 2,
                memory_bytes: 1 << 32,
                accounting: "cgroup-v2".to_owned(),
            },
        },
        phases: vec![PhaseUse {
            phase: Phase::Build,
            started: "2026-11-23T21:26:37Z".parse().unwrap(),
            wall_ms: 90_000,
            cpu_user_ms: 80_000,
            cpu_system_ms: 4_000,
            reused: vec![],
        }],
        resources: Resources {
            choices: Vec::new(),
            peak_memory_bytes: 123_456_789,
            executables: vec![ExecutableUse {
                path: "/usr/bin/perl".into(),
                count: 31,
                cpu_ms: 12_345,
                native: false,
            }],
            ..Resources::default()
        },
        outcome: Outcome {
            relevant_lines: vec!["make: *** [Makefile:3: all] Error 1".to_owned()],
            exit_code: Some(2),
            ..Outcome::failure(Phase::Build, Class::Limit(Limit::Silence), "no output for 150 minutes")
        },
        artifacts: vec![Artifact {
            name: "dash_0.5.12-12_arm64.build".into(),
            size_bytes: 10,
            sha256: sha256('e'),
        }],
        warnings: vec!["the suite sid is past its Valid-Until".to_owned()],
    }
}

#[test]
fn the_format_is_documented_by_example() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&record()).unwrap());
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("build-record.json");
    write(&record(), &path).unwrap();
    assert_eq!(read(&path).unwrap(), record());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no unfinished file is left");
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let text = r#"{"format_version": 2, "outcome": "something else altogether"}"#;
    let error = parse(text, "record.json").unwrap_err().to_string();
    insta::assert_snapshot!(error, @"record.json is a build record of format version 2, and this archmill reads up to 1; use the archmill that wrote it or a later one");
}

#[test]
fn unknown_fields_are_tolerated() {
    let mut json = serde_json::to_value(record()).unwrap();
    json["later"] = true.into();
    json["inputs"]["host"]["later"] = true.into();
    assert_eq!(parse(&json.to_string(), "record.json").unwrap(), record());
}

#[test]
fn what_is_no_record_is_an_error_with_its_place() {
    let error = parse("{\n  \"format_version\": 1\n}", "record.json").unwrap_err().to_string();
    assert!(error.starts_with("record.json is not a build record of archmill: missing field"), "{error}");
    assert!(
        read(std::path::Path::new("/nonexistent/x.json"))
            .unwrap_err()
            .to_string()
            .contains("/nonexistent/x.json")
    );
}
