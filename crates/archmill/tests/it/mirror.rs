//! A mirror that misbehaves.

use crate::farm::{Farm, sandbox};
use crate::support::Fault;
use crate::support::server::ALWAYS;

#[test]
fn faults_that_pass_are_not_noticed_and_downloads_are_gone_on_with() {
    if !sandbox("faults_that_pass") {
        return;
    }
    let farm = Farm::cold();
    farm.server.fault("trixie/InRelease", 1, Fault::HangUp);
    farm.server.fault("binary-amd64", 1, Fault::Status(503));
    farm.server.fault("/perl-base_", 2, Fault::CutAfter(300_000));
    farm.server.fault("/libc6_", 1, Fault::Status(500));
    farm.server.fault("/dash_", 1, Fault::CutAfter(0));
    farm.server.fault("orig.tar.xz", 2, Fault::HangUp);
    farm.build("greeting", &[]).succeeded();
    let ranges = farm.server.requests_of("/perl-base_").into_iter().map(|request| request.range);
    let expected = [None, Some("bytes=300000-".to_owned()), Some("bytes=600000-".to_owned())];
    assert_eq!(ranges.collect::<Vec<_>>(), expected);
    // Indices come by their hash.
    let indices = farm.server.requests_of("/main/");
    let indices = indices.iter().filter(|request| request.path.contains("dists/trixie/"));
    assert!(
        indices.clone().all(|request| request.path.contains("/by-hash/SHA256/")),
        "{:?}",
        indices.collect::<Vec<_>>()
    );
}

#[test]
fn faults_that_stay_end_the_build_and_are_named() {
    if !sandbox("faults_that_stay") {
        return;
    }
    for (file, fault, words) in [
        ("trixie/InRelease", Fault::Status(500), &["trixie", "500"][..]),
        ("trixie/InRelease", Fault::Status(404), &["trixie", "404"]),
        ("binary-amd64", Fault::CutAfter(1000), &["trixie", "broke off after 4000 of"]),
        ("trixie-security/InRelease", Fault::HangUp, &["trixie-security", "cannot fetch"]),
        (
            "orig.tar.xz",
            Fault::Status(404),
            &["source greeting 1.0-1", "orig.tar.xz is not on the mirror (404)", "--mirror"],
        ),
        ("/dash_", Fault::Status(502), &["/dash_", "502"]),
        ("/libc6_", Fault::ShortenTo(5000), &["/libc6_", "5000 bytes, and it should have"]),
    ] {
        let farm = Farm::cold();
        farm.server.fault(file, ALWAYS, fault);
        farm.build("greeting", &[]).failed(4, words).recorded("fetch", "given-back");
        farm.assert_nothing_left();
    }
}

#[test]
fn a_second_run_asks_whether_metadata_changed_and_fetches_nothing() {
    if !sandbox("a_second_run_asks") {
        return;
    }
    let farm = Farm::warm();
    farm.build("greeting", &[]).succeeded();
    farm.server.forget();
    // While it is fresh.
    farm.build("greeting", &[]).succeeded();
    assert_eq!(farm.server.requests(), []);
    farm.age_metadata();
    farm.build("greeting", &[]).succeeded();
    let requests = farm.server.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert!(
        requests.iter().all(|request| request.path.ends_with("InRelease") && request.status == 304),
        "{requests:?}"
    );
}
