//! Many files at once.

use std::fs;

use archmill_archive::{Expected, NoProgress, PoolFile, fetch_all};

use crate::impatient;
use crate::support::recorded::sha256;
use crate::support::server::ALWAYS;
use crate::support::{Fault, Server};

fn served(count: usize) -> (tempfile::TempDir, Server, Vec<PoolFile>) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let files = (0..count).map(|number| {
        let content = format!("the content of file {number}\n").repeat(number + 1);
        fs::write(folder.path().join(format!("{number}.deb")), &content).unwrap();
        let expected = Expected { sha256: sha256(content.as_bytes()), size: content.len() as u64 };
        PoolFile { url: format!("{}/{number}.deb", server.url()), expected }
    });
    let files = files.collect();
    (folder, server, files)
}

#[test]
fn each_file_is_kept_under_its_hash_and_fetched_once() {
    let (_served, server, files) = served(20);
    let pool = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let paths = fetch_all(&impatient(), pool.path(), &files, 6, &NoProgress).unwrap();
        for (path, file) in paths.iter().zip(&files) {
            assert_eq!(sha256(&fs::read(path).unwrap()), file.expected.sha256);
        }
    }
    assert_eq!(server.requests().len(), 20);
}

#[test]
fn one_that_is_not_to_be_had_ends_it_and_the_others_are_kept() {
    let (_served, server, files) = served(20);
    server.fault("/7.deb", ALWAYS, Fault::Scramble);
    let pool = tempfile::tempdir().unwrap();
    let error = fetch_all(&impatient(), pool.path(), &files, 3, &NoProgress).unwrap_err().to_string();
    assert!(error.contains("/7.deb"), "{error}");
    assert!(!files[7].is_cached(pool.path()));
    assert!(files[0].is_cached(pool.path()));
    server.mend();
    fetch_all(&impatient(), pool.path(), &files, 3, &NoProgress).unwrap();
    assert!(files.iter().all(|file| file.is_cached(pool.path())));
}

#[test]
fn two_files_of_the_same_content_are_one() {
    let (_served, server, mut files) = served(1);
    files.push(files[0].clone());
    let pool = tempfile::tempdir().unwrap();
    let paths = fetch_all(&impatient(), pool.path(), &files, 2, &NoProgress).unwrap();
    assert_eq!(paths[0], paths[1]);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_file_that_the_disk_lost_is_fetched_again() {
    let (_served, server, files) = served(3);
    let pool = tempfile::tempdir().unwrap();
    fetch_all(&impatient(), pool.path(), &files, 2, &NoProgress).unwrap();
    let damaged = files[1].path(pool.path());
    fs::write(&damaged, vec![0; usize::try_from(files[1].expected.size).unwrap()]).unwrap();
    fetch_all(&impatient(), pool.path(), &files, 2, &NoProgress).unwrap();
    assert_eq!(sha256(&fs::read(&damaged).unwrap()), files[1].expected.sha256);
    assert_eq!(server.requests().len(), 4);
}
