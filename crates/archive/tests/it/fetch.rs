//! One file from a server with faults.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use archmill_archive::{Conditional, Expected, FetchError, Fetcher, NoProgress, Patience};

use crate::impatient;
use crate::support::recorded::sha256;
use crate::support::server::ALWAYS;
use crate::support::{Fault, Server};

/// A server with one file, and where it is to go.
struct Case {
    folder: tempfile::TempDir,
    server: Server,
    content: Vec<u8>,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        fs::create_dir(folder.path().join("served")).unwrap();
        fs::write(folder.path().join("served/file.deb"), &content).unwrap();
        let server = Server::start(&folder.path().join("served"));
        Self { folder, server, content }
    }

    fn faulty(times: usize, fault: Fault) -> Self {
        let case = Self::new();
        case.server.fault("file.deb", times, fault);
        case
    }

    fn expected(&self) -> Expected {
        Expected { sha256: sha256(&self.content), size: self.content.len() as u64 }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("pool/file")
    }

    fn url(&self) -> String {
        format!("{}/file.deb", self.server.url())
    }

    fn fetch(&self) -> Result<(), FetchError> {
        impatient().file(&self.url(), &self.target(), &self.expected(), &NoProgress)
    }

    /// It is there, whole.
    fn is_there(&self) {
        assert!(fs::read(self.target()).unwrap() == self.content);
        assert!(!self.target().with_extension("partial").exists());
    }

    /// It is not in place, not even in part.
    fn is_not_there(&self) {
        assert!(!self.target().exists());
    }

    fn requests(&self) -> usize {
        self.server.requests().len()
    }
}

#[test]
fn a_file_comes_whole() {
    let case = Case::new();
    case.fetch().unwrap();
    case.is_there();
    case.fetch().unwrap();
    assert_eq!(case.requests(), 1, "it was there already");
}

#[test]
fn a_fault_that_passes_is_not_noticed() {
    for (times, fault) in [
        (1, Fault::Status(500)),
        (3, Fault::Status(503)),
        (2, Fault::Status(429)),
        (3, Fault::HangUp),
        (1, Fault::CutAfter(0)),
        (3, Fault::CutAfter(70_000)),
        (1, Fault::Stall),
        (1, Fault::Scramble),
    ] {
        let case = Case::faulty(times, fault.clone());
        case.fetch().unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        case.is_there();
    }
}

#[test]
fn a_fault_that_stays_is_named_with_the_url() {
    for (fault, words, requests) in [
        (Fault::Status(404), "is not on the mirror (404)", 1),
        (Fault::Status(410), "is not on the mirror (404)", 1),
        (Fault::Status(403), "the mirror answers 403", 1),
        (Fault::Status(500), "the mirror answers 500", 4),
        (Fault::HangUp, "cannot fetch", 4),
        (Fault::Stall, "cannot fetch", 4),
        (Fault::CutAfter(0), "cannot fetch", 4),
        (Fault::ShortenTo(1000), "1000 bytes, and it should have 800000", 2),
        (Fault::PromiseMore(7), "800007 bytes, and it should have 800000", 2),
        (Fault::Scramble, "SHA-256", 2),
        (Fault::Drip(Duration::from_millis(20)), "comes at less than 1024 bytes in 0 seconds", 1),
    ] {
        let case = Case::faulty(ALWAYS, fault.clone());
        let error = case.fetch().unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(&case.url()), "{fault:?}: {error}");
        assert_eq!(case.requests(), requests, "{fault:?}");
        case.is_not_there();
    }
}

#[test]
fn a_file_that_always_breaks_off_is_asked_for_in_parts() {
    let case = Case::faulty(ALWAYS, Fault::CutAfter(100_000));
    let error = case.fetch().unwrap_err().to_string();
    assert!(error.contains("broke off after 400000 of 800000 bytes, 4 times"), "{error}");
    case.is_not_there();
    // What came is not lost: the next run goes on from there.
    case.server.mend();
    case.fetch().unwrap();
    case.is_there();
    let ranges: Vec<Option<String>> =
        case.server.requests().into_iter().map(|request| request.range).collect();
    let range = |from: usize| Some(format!("bytes={from}-"));
    assert_eq!(ranges, [None, range(100_000), range(200_000), range(300_000), range(400_000)]);
}

#[test]
fn a_server_that_does_not_resume_sends_the_file_from_the_start() {
    let case = Case::faulty(1, Fault::CutAfter(100_000));
    case.server.fault("file.deb", ALWAYS, Fault::IgnoreRange);
    case.fetch().unwrap();
    case.is_there();
    assert_eq!(case.server.requests()[1].range.as_deref(), Some("bytes=100000-"));
}

#[test]
fn a_wrong_beginning_from_an_earlier_run_costs_one_more_request() {
    let case = Case::new();
    let partial = case.target().with_extension("partial");
    fs::create_dir_all(partial.parent().unwrap()).unwrap();
    fs::write(&partial, vec![1; 5000]).unwrap();
    case.fetch().unwrap();
    case.is_there();
    assert_eq!(case.requests(), 2);
    // Longer than the file can be.
    let case = Case::new();
    fs::create_dir_all(case.target().parent().unwrap()).unwrap();
    fs::write(case.target().with_extension("partial"), vec![1; 900_000]).unwrap();
    case.fetch().unwrap();
    case.is_there();
}

#[test]
fn a_whole_file_of_an_earlier_run_needs_no_request() {
    let case = Case::new();
    fs::create_dir_all(case.target().parent().unwrap()).unwrap();
    fs::write(case.target().with_extension("partial"), &case.content).unwrap();
    case.fetch().unwrap();
    case.is_there();
    assert_eq!(case.requests(), 0);
}

#[test]
fn many_that_want_the_same_file_fetch_it_once() {
    let case = Case::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| case.fetch().unwrap());
        }
    });
    case.is_there();
    assert_eq!(case.requests(), 1);
}

#[test]
fn a_file_url_and_a_plain_path_are_read_from_the_disk() {
    let case = Case::new();
    let path = case.folder.path().join("served/file.deb");
    for url in
        [format!("file://{}", path.display()), format!("file:{}", path.display()), path.display().to_string()]
    {
        let _ = fs::remove_file(case.target());
        impatient().file(&url, &case.target(), &case.expected(), &NoProgress).unwrap();
        case.is_there();
    }
    assert_eq!(case.requests(), 0);
    let missing = impatient().file(
        "file:/nowhere/file.deb",
        &case.target().with_extension("other"),
        &case.expected(),
        &NoProgress,
    );
    assert!(missing.unwrap_err().is_not_found());
}

#[test]
fn a_document_is_asked_for_with_what_tells_whether_it_is_the_same() {
    let case = Case::new();
    let Conditional::New { content, validator } = impatient().document(&case.url(), None, 1 << 30).unwrap()
    else {
        panic!("there is none yet")
    };
    assert!(content == case.content);
    let again = impatient().document(&case.url(), validator.as_deref(), 1 << 30).unwrap();
    assert!(matches!(again, Conditional::Unchanged), "{again:?}");
    assert_eq!(case.server.requests()[1].status, 304);
    fs::write(case.folder.path().join("served/file.deb"), "another").unwrap();
    let changed = impatient().document(&case.url(), validator.as_deref(), 1 << 30).unwrap();
    assert!(matches!(changed, Conditional::New { content, .. } if content == b"another"));
}

#[test]
fn a_document_that_breaks_off_stalls_or_drips_is_an_error() {
    for (fault, words) in [
        (Fault::CutAfter(10), "cannot fetch"),
        (Fault::PromiseMore(3), "cannot fetch"),
        (Fault::Stall, "cannot fetch"),
        (Fault::Drip(Duration::from_millis(20)), "comes at less than 1024 bytes"),
    ] {
        let case = Case::faulty(ALWAYS, fault.clone());
        let error = impatient().document(&case.url(), None, 1 << 30).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(&case.url()), "{fault:?}: {error}");
    }
}

#[test]
fn who_waits_for_a_server_can_be_told_to_give_up() {
    for fault in [Fault::Stall, Fault::Drip(Duration::from_millis(5)), Fault::Status(503)] {
        let case = Case::faulty(ALWAYS, fault.clone());
        // With so much patience that the test would not end otherwise.
        let patience = Patience { window: Duration::from_hours(1), pause: Duration::from_hours(1) };
        let flag = Arc::new(AtomicBool::new(false));
        let fetcher = Fetcher::with_patience(patience).cancelled_by(Arc::clone(&flag));
        let asked = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            flag.store(true, Ordering::Relaxed);
        });
        let result = fetcher.file(&case.url(), &case.target(), &case.expected(), &NoProgress);
        assert!(matches!(result, Err(FetchError::Cancelled)), "{fault:?}: {result:?}");
        let document = fetcher.document(&case.url(), None, 1 << 20);
        assert!(matches!(document, Err(FetchError::Cancelled)), "{fault:?}: {document:?}");
        case.is_not_there();
        asked.join().unwrap();
    }
}
