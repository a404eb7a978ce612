//! Opening suites of the recorded archive, and of what becomes of it in the wrong hands.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use archmill_archive::{Archives, Fetcher, Keyring, OpenedSuite, RepoSpec, SignedBy};
use jiff::Timestamp;

use crate::support::recorded::{sha256, test_key};
use crate::support::server::ALWAYS;
use crate::support::{Fault, Recorded, Server};
use crate::{Notes, impatient};

const PACKAGES: &str = "main/binary-amd64/Packages";

struct Case {
    recorded: Recorded,
    server: Server,
    cache: tempfile::TempDir,
    fetcher: Fetcher,
    notes: Notes,
}

impl Case {
    fn new() -> Self {
        let recorded = Recorded::copy();
        let server = Server::start(recorded.path());
        let cache = tempfile::tempdir().unwrap();
        Self { recorded, server, cache, fetcher: impatient(), notes: Notes::default() }
    }

    fn archives(&self) -> Archives<'_> {
        Archives {
            fetcher: &self.fetcher,
            folder: self.cache.path().to_owned(),
            keyring: Keyring::open(&test_key()).unwrap(),
            ignore_valid_until: false,
            allow_unsigned: false,
            max_age: Duration::ZERO,
            now: Timestamp::now(),
        }
    }

    fn spec(&self) -> RepoSpec {
        RepoSpec::new(&format!("{}/debian", self.server.url()), "trixie", &["main"])
    }

    fn open(&self) -> Result<OpenedSuite, String> {
        self.open_with(|_| {}, &self.spec())
    }

    fn open_with(
        &self,
        change: impl FnOnce(&mut Archives<'_>),
        spec: &RepoSpec,
    ) -> Result<OpenedSuite, String> {
        let mut archives = self.archives();
        change(&mut archives);
        archives.open(spec, "amd64", true, &self.notes).map_err(|error| error.to_string())
    }

    fn is_refused(&self, words: &[&str]) {
        let error = self.open().map(|opened| opened.release_sha256).unwrap_err();
        for word in words.iter().chain(&["trixie"]) {
            assert!(error.contains(word), "no {word:?} in {error}");
        }
    }

    fn by_hash_file(&self) -> PathBuf {
        let folder = self.recorded.file("dists/trixie/main/binary-amd64/by-hash/SHA256");
        fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
    }
}

#[test]
fn a_suite_is_opened_by_hash_and_asked_for_only_if_it_changed() {
    let case = Case::new();
    let opened = case.open().unwrap();
    let text = fs::read_to_string(&opened.packages[0].path).unwrap();
    assert!(text.contains("\nPackage: dash\n"));
    assert_eq!(sha256(text.as_bytes()), opened.packages[0].sha256);
    assert!(fs::read_to_string(&opened.sources[0].path).unwrap().contains("Package: greeting\n"));
    let indices = case.server.requests_of("main/");
    assert_eq!(indices.len(), 2);
    assert!(indices.iter().all(|request| request.path.contains("/by-hash/SHA256/")), "{indices:?}");
    case.server.forget();
    case.open().unwrap();
    let again = case.server.requests();
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(again[0].status, 304);
    // While it is fresh nothing is asked at all.
    case.open_with(|archives| archives.max_age = Duration::from_hours(1), &case.spec()).unwrap();
    assert_eq!(case.server.requests().len(), 1);
}

#[test]
fn a_mirror_without_by_hash_is_asked_for_plain_names() {
    let case = Case::new();
    fs::remove_file(case.by_hash_file()).unwrap();
    case.open().unwrap();
    assert!(case.server.requests_of("Packages.xz").iter().any(|request| request.status == 200));
}

#[test]
fn a_release_that_nobody_known_signed_is_refused() {
    let case = Case::new();
    let path = case.recorded.in_release("trixie");
    let good = fs::read_to_string(&path).unwrap();
    for (changed, words) in [
        (good.replace("Codename: trixie", "Codename: mallory"), "was changed after it was signed"),
        (case.recorded.release("trixie"), "it is not signed"),
        (String::new(), "it is not signed"),
        (format!("Origin: Mallory\n{good}"), "it is not signed"),
        ("<html>log in to the hotel's network</html>".to_owned(), "it is not signed"),
    ] {
        fs::write(&path, changed).unwrap();
        case.is_refused(&["cannot be trusted", words, "--keyring"]);
    }
    fs::write(&path, good).unwrap();
    let error = case
        .open_with(|archives| archives.keyring = Keyring::debian().unwrap(), &case.spec())
        .map(|opened| opened.release_sha256)
        .unwrap_err();
    assert!(error.contains("is by a key in the Debian archive keyring"), "{error}");
    case.open().unwrap();
}

#[test]
fn text_around_what_is_signed_counts_for_nothing() {
    let case = Case::new();
    let path = case.recorded.in_release("trixie");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{good}\nSHA256:\n {} 1 {PACKAGES}\n", "0".repeat(64))).unwrap();
    // Refused or left out, and never believed.
    if let Ok(opened) = case.open() {
        assert_ne!(opened.packages[0].sha256, "0".repeat(64));
    }
}

#[test]
fn a_refusal_leaves_what_was_good_before() {
    let case = Case::new();
    case.open().unwrap();
    let path = case.recorded.in_release("trixie");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace("Codename: trixie", "Codename: mallory")).unwrap();
    case.is_refused(&["was changed"]);
    fs::write(&path, good).unwrap();
    case.server.forget();
    case.open().unwrap();
    assert_eq!(case.server.requests()[0].status, 304, "what is kept is still the good one");
}

#[test]
fn a_repository_may_have_a_key_of_its_own_or_be_trusted_without() {
    let case = Case::new();
    let debian = |archives: &mut Archives<'_>| archives.keyring = Keyring::debian().unwrap();
    let mut spec = case.spec();
    spec.signed_by = Some(SignedBy::File(test_key()));
    case.open_with(debian, &spec).unwrap();
    spec.signed_by = Some(SignedBy::Key(fs::read_to_string(test_key()).unwrap()));
    case.open_with(debian, &spec).unwrap();
    spec.signed_by = None;
    spec.trusted = true;
    case.open_with(debian, &spec).unwrap();
    assert!(case.notes.text().contains("without a good signature, as told"), "{}", case.notes.text());
    spec.trusted = false;
    fs::write(case.recorded.in_release("trixie"), case.recorded.release("trixie")).unwrap();
    let unsigned = |archives: &mut Archives<'_>| archives.allow_unsigned = true;
    case.open_with(unsigned, &spec).unwrap();
}

#[test]
fn a_release_file_with_a_detached_signature_is_as_good() {
    let case = Case::new();
    let folder = case.recorded.file("dists/trixie");
    let text = case.recorded.release("trixie");
    fs::remove_file(folder.join("InRelease")).unwrap();
    fs::write(folder.join("Release"), &text).unwrap();
    case.is_refused(&["it is not signed"]);
    fs::write(folder.join("Release.gpg"), crate::keyring::detached(&text)).unwrap();
    case.open().unwrap();
    fs::write(folder.join("Release"), text.replace("Codename: trixie", "Codename: mallory")).unwrap();
    case.is_refused(&["was changed after it was signed"]);
}

#[test]
fn metadata_past_its_valid_until_is_refused_unless_told_otherwise() {
    let case = Case::new();
    let until = |release: String| {
        release.replace("Acquire-By-Hash", "Valid-Until: Sat, 01 Aug 2020 00:00:00 UTC\nAcquire-By-Hash")
    };
    case.recorded.resign("trixie", until);
    case.is_refused(&["has expired", "Sat, 01 Aug 2020", "--no-check-valid-until"]);
    case.open_with(|archives| archives.ignore_valid_until = true, &case.spec()).unwrap();
    let mut spec = case.spec();
    spec.check_valid_until = false;
    case.open_with(|_| {}, &spec).unwrap();
}

#[test]
fn metadata_of_the_future_is_refused() {
    let case = Case::new();
    case.recorded.resign("trixie", |release| redated(&release, "Sat, 01 Aug 2099 00:00:00 UTC"));
    case.is_refused(&["is dated Sat, 01 Aug 2099", "clock"]);
}

fn redated(release: &str, date: &str) -> String {
    let line =
        |line: &str| if line.starts_with("Date: ") { format!("Date: {date}\n") } else { format!("{line}\n") };
    release.lines().map(line).collect()
}

#[test]
fn a_mirror_cannot_go_back_to_what_it_had_before() {
    let case = Case::new();
    let old = fs::read(case.recorded.in_release("trixie")).unwrap();
    // As of today; the recorded one is from when it was recorded.
    case.recorded
        .edit_index("trixie", PACKAGES, |text| text + "\nPackage: fixed\nVersion: 2\nArchitecture: amd64\n");
    let now = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S UTC").to_string();
    case.recorded.resign("trixie", |release| redated(&release, &now));
    let new = case.open().unwrap();
    fs::write(case.recorded.in_release("trixie"), &old).unwrap();
    let kept = case.open().unwrap();
    assert_eq!(kept.release_sha256, new.release_sha256);
    assert!(case.notes.text().contains("older"), "{}", case.notes.text());
    // Nor by way of a detached signature.
    let folder = case.recorded.file("dists/trixie");
    fs::remove_file(folder.join("InRelease")).unwrap();
    let text = redated(&new_text(&case), "Sat, 01 Aug 2020 00:00:00 UTC");
    fs::write(folder.join("Release"), &text).unwrap();
    fs::write(folder.join("Release.gpg"), crate::keyring::detached(&text)).unwrap();
    assert_eq!(case.open().unwrap().release_sha256, new.release_sha256);
}

/// The text of a fresh copy's Release.
fn new_text(_: &Case) -> String {
    Recorded::copy().release("trixie")
}

#[test]
fn an_index_that_is_not_the_one_that_was_signed_is_refused() {
    for fault in [Fault::Scramble, Fault::ShortenTo(100), Fault::Instead(b"Package: evil\n".to_vec())] {
        let case = Case::new();
        case.server.fault("binary-amd64", ALWAYS, fault);
        case.is_refused(&["is not what the archive's index says it is", "out of step"]);
        case.server.mend();
        case.open().unwrap();
    }
}

#[test]
fn an_index_that_decompresses_to_another_is_refused() {
    let case = Case::new();
    case.recorded.resign("trixie", |release| {
        let plain = |line: &str| line.ends_with(" main/binary-amd64/Packages");
        let swap = |line: &str| {
            if plain(line) { format!(" {} 77 {PACKAGES}\n", "0".repeat(64)) } else { format!("{line}\n") }
        };
        release.lines().map(swap).collect()
    });
    case.is_refused(&["does not decompress to the main/binary-amd64/Packages that it lists"]);
}

#[test]
fn an_index_that_is_garbage_inside_is_refused() {
    let case = Case::new();
    let garbage = b"this is no xz".to_vec();
    let path = case.recorded.file(&format!("dists/trixie/{PACKAGES}.xz"));
    fs::write(&path, &garbage).unwrap();
    fs::remove_file(case.by_hash_file()).unwrap();
    case.recorded.resign("trixie", |release| {
        let packed = |line: &str| line.ends_with("Packages.xz");
        let swap = |line: &str| {
            if packed(line) {
                format!(" {} {} {PACKAGES}.xz\n", sha256(&garbage), garbage.len())
            } else {
                format!("{line}\n")
            }
        };
        release.lines().map(swap).collect()
    });
    let error = case.open().map(|opened| opened.release_sha256).unwrap_err();
    assert!(error.contains("xz") || error.contains("format"), "{error}");
}

#[test]
fn a_component_that_is_not_there_is_answered_with_those_that_are() {
    let case = Case::new();
    let mut spec = case.spec();
    spec.components = vec!["mian".to_owned()];
    let error = case.open_with(|_| {}, &spec).map(|opened| opened.release_sha256).unwrap_err();
    assert!(error.contains("has no component mian; it has main"), "{error}");
}

#[test]
fn a_suite_that_is_not_there_and_a_mirror_that_is_down_are_errors_of_their_own() {
    let case = Case::new();
    let mut spec = case.spec();
    spec.suite = "forky".to_owned();
    let error = case.open_with(|_| {}, &spec).map(|opened| opened.release_sha256).unwrap_err();
    assert!(error.contains("forky") && error.contains("404"), "{error}");
    for (fault, words) in
        [(Fault::Status(503), "503"), (Fault::HangUp, "cannot fetch"), (Fault::Stall, "cannot fetch")]
    {
        let case = Case::new();
        case.server.fault("InRelease", ALWAYS, fault);
        case.is_refused(&[words]);
    }
}

#[test]
fn a_suite_given_for_another_is_told_of() {
    let case = Case::new();
    case.open().unwrap();
    assert_eq!(case.notes.text(), "");
    let folder = case.recorded.file("dists");
    fs::rename(folder.join("trixie"), folder.join("forky")).unwrap();
    let mut spec = case.spec();
    spec.suite = "forky".to_owned();
    case.open_with(|_| {}, &spec).unwrap();
    assert!(case.notes.text().contains("calls itself stable (trixie)"), "{}", case.notes.text());
}

#[test]
fn many_that_open_the_same_suite_at_once_all_can() {
    for _ in 0..5 {
        let case = Case::new();
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    // Each with the trust and the folder of its own process.
                    let opened = case.open().unwrap();
                    assert!(opened.packages[0].path.exists() && opened.sources[0].path.exists());
                });
            }
        });
    }
}

#[test]
fn an_answer_of_unchanged_to_one_who_has_nothing_is_an_error() {
    let case = Case::new();
    case.server.fault("InRelease", ALWAYS, Fault::Status(304));
    case.is_refused(&["304"]);
}
