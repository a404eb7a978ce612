//! Archives that are written, read with what reads any other.

use std::fs;
use std::path::{Path, PathBuf};

use archmill_archive::{
    Archives, Compress, Keyring, OpenedSuite, Publisher, RepoSpec, SigningKey, SuiteNames, Unit,
    parse_repository_line,
};
use jiff::{SignedDuration, Timestamp};

use crate::support::recorded::fixtures;
use crate::{Notes, impatient};

const UNIT: Unit<'static> = Unit { component: "main", target: "amd64", source: "dash" };

struct Written {
    folder: tempfile::TempDir,
    now: Timestamp,
}

impl Written {
    fn new() -> Self {
        // Dates are of seconds, and nobody takes a Release file that is older than the one before.
        Self { folder: tempfile::tempdir().unwrap(), now: Timestamp::now() - SignedDuration::from_hours(1) }
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    fn publisher(&self) -> Publisher {
        let key = SigningKey::open_or_make(&self.folder.path().join("secret"), "Tests").unwrap();
        let names = SuiteNames { origin: "Tests".to_owned(), suite: "trixie".to_owned() };
        let arches = ["amd64", "arm64"].map(str::to_owned).to_vec();
        Publisher::open(&self.archive(), key, names, arches, &["main".to_owned()]).unwrap()
    }

    fn write(&mut self, publisher: &mut Publisher, compress: Compress) {
        self.now += SignedDuration::from_secs(1);
        publisher.write(self.now, compress).unwrap();
    }

    fn spec(&self, key: &Path) -> RepoSpec {
        let archive = self.archive();
        let line =
            format!("deb [signed-by={} priority=990] file:{} trixie main", key.display(), archive.display());
        parse_repository_line(&line).unwrap()
    }

    fn open(&self, arch: &str, key: &Path) -> Result<OpenedSuite, String> {
        let folder = self.folder.path().join("lists");
        fs::create_dir_all(folder.join("by-hash")).unwrap();
        let archives = Archives {
            fetcher: &impatient(),
            folder,
            keyring: Keyring::debian().unwrap(),
            ignore_valid_until: false,
            allow_unsigned: false,
            max_age: std::time::Duration::from_hours(1),
            now: Timestamp::now(),
        };
        archives.open(&self.spec(key), arch, true, &Notes::default()).map_err(|error| error.to_string())
    }

    /// The text of an index, and its hash.
    fn packages(&self, arch: &str) -> (String, String) {
        let opened = self.open(arch, &self.archive().join("key.asc")).unwrap();
        assert_eq!(opened.priority(), 990);
        let [index] = &opened.packages[..] else { panic!("{opened:?}") };
        (fs::read_to_string(&index.path).unwrap(), index.sha256.clone())
    }
}

/// Some package.
fn package() -> PathBuf {
    let mut folders = vec![fixtures().join("archive/debian/pool")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "deb") {
                return path;
            }
        }
    }
    panic!("the recorded archive has no package");
}

#[test]
fn what_is_written_is_read_and_each_time_anew() {
    let mut written = Written::new();
    let mut publisher = written.publisher();
    written.write(&mut publisher, Compress::No);
    let (nothing, first) = written.packages("amd64");
    assert_eq!(nothing, "");
    let stanzas = Publisher::take(&written.archive(), UNIT, &[package()]).unwrap();
    publisher.put(UNIT, stanzas.clone());
    publisher
        .put(Unit { target: "all", source: "a", ..UNIT }, "Package: a\nArchitecture: all\n\n".to_owned());
    written.write(&mut publisher, Compress::No);
    // No matter how young the one before was.
    let (text, _) = written.packages("amd64");
    assert_eq!(text, format!("Package: a\nArchitecture: all\n\n{stanzas}"), "by source");
    assert_eq!(written.packages("arm64").0, "Package: a\nArchitecture: all\n\n");
    let filename = stanzas.lines().find_map(|line| line.strip_prefix("Filename: ")).unwrap();
    assert!(filename.starts_with("pool/main/d/dash/"), "{filename}");
    let pooled = written.archive().join(filename);
    assert_eq!(fs::read(&pooled).unwrap(), fs::read(package()).unwrap());
    // Who read the Release file before finds what it named.
    let by_hash = written.archive().join("dists/trixie/main/binary-amd64/by-hash/SHA256");
    assert!(by_hash.join(first).is_file());
    for number in 0..20 {
        publisher.put(UNIT, format!("Package: n{number}\n\n"));
        written.write(&mut publisher, Compress::No);
    }
    let kept = fs::read_dir(&by_hash).unwrap().count();
    assert!((2..=10).contains(&kept), "{kept} versions of the index are there");
    assert!(written.packages("amd64").0.ends_with("Package: n19\n\n"));
}

/// A package (deb(5)) with this control file and nothing in it.
fn deb(folder: &Path, control: &str) -> PathBuf {
    let mut header = tar::Header::new_gnu();
    header.set_size(control.len() as u64);
    header.set_mode(0o644);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, "./control", control.as_bytes()).unwrap();
    let mut deb = b"!<arch>\n".to_vec();
    let control = builder.into_inner().unwrap();
    for (name, content) in
        [("debian-binary", &b"2.0\n"[..]), ("control.tar", &control), ("data.tar", &[0; 1024])]
    {
        deb.extend(
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len()).into_bytes(),
        );
        deb.extend(content);
    }
    let path = folder.join("a_1_amd64.deb");
    fs::write(&path, deb).unwrap();
    path
}

#[test]
fn a_package_says_nothing_of_others_nor_of_where_it_is() {
    let written = Written::new();
    let plain = "Package: a\nVersion: 1\nArchitecture: amd64\n";
    for (control, words) in [
        (format!("{plain}\nPackage: libc6\nVersion: 99\nArchitecture: amd64\n"), "more than one paragraph"),
        (format!("{plain}Filename: ../../etc/passwd\n"), "has the field Filename"),
        (format!("{plain}sha256: {}\n", "0".repeat(64)), "has the field SHA256"),
        ("Package: a\nVersion: 1\n".to_owned(), "no field Architecture"),
    ] {
        let path = deb(written.folder.path(), &control);
        let error = Publisher::take(&written.archive(), UNIT, &[path]).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let path = deb(written.folder.path(), plain);
    let error =
        Publisher::take(&written.archive(), Unit { source: "../x", ..UNIT }, std::slice::from_ref(&path))
            .unwrap_err();
    assert!(error.to_string().contains("no name of a source"), "{error}");
    assert!(!written.archive().join("pool").exists(), "nothing of that is in the pool");
    Publisher::take(&written.archive(), UNIT, &[path]).unwrap();
}

#[test]
fn packed_indices_are_those_of_the_plain_ones() {
    let mut written = Written::new();
    let mut publisher = written.publisher();
    publisher.put(UNIT, "Package: dash\n\n".to_owned());
    written.write(&mut publisher, Compress::Gzip);
    let release = || fs::read_to_string(written.archive().join("dists/trixie/Release")).unwrap();
    assert_eq!(release().matches("Packages.gz").count(), 2);
    let packed = fs::read(written.archive().join("dists/trixie/main/binary-amd64/Packages.gz")).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut text).unwrap();
    assert_eq!(text, "Package: dash\n\n");
    // One that is older than its plain one is worse than none.
    publisher.put(UNIT, "Package: dash\nVersion: 2\n\n".to_owned());
    written.write(&mut publisher, Compress::No);
    let release = || fs::read_to_string(written.archive().join("dists/trixie/Release")).unwrap();
    assert_eq!(release().matches("Packages.gz").count(), 1);
    assert!(!written.archive().join("dists/trixie/main/binary-amd64/Packages.gz").exists());
    written.write(&mut publisher, Compress::Gzip);
    let release = fs::read_to_string(written.archive().join("dists/trixie/Release")).unwrap();
    assert_eq!(release.matches("Packages.gz").count(), 2);
    // Nothing changed: nothing is written.
    let before = fs::metadata(written.archive().join("dists/trixie/InRelease")).unwrap().modified().unwrap();
    written.write(&mut publisher, Compress::Gzip);
    let after = fs::metadata(written.archive().join("dists/trixie/InRelease")).unwrap().modified().unwrap();
    assert_eq!(before, after);
}

#[test]
fn only_the_key_that_wrote_it_is_believed() {
    let mut written = Written::new();
    let mut publisher = written.publisher();
    written.write(&mut publisher, Compress::No);
    let other = Written::new();
    let error = written.open("amd64", &other.publisher().key()).unwrap_err();
    assert!(error.contains("is by a key in"), "{error}");
    let path = written.archive().join("dists/trixie/InRelease");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Origin: Tests", "Origin: Rests")).unwrap();
    let error = written.open("amd64", &written.archive().join("key.asc")).unwrap_err();
    assert!(error.contains("changed after it was signed"), "{error}");
    // The key is made once, and a file that is none is not overwritten.
    assert_eq!(written.publisher().key(), written.archive().join("key.asc"));
    fs::write(written.folder.path().join("secret"), "nonsense").unwrap();
    let error = SigningKey::open_or_make(&written.folder.path().join("secret"), "Tests").unwrap_err();
    assert!(error.to_string().contains("cannot sign with the key"), "{error}");
    assert_eq!(fs::read_to_string(written.folder.path().join("secret")).unwrap(), "nonsense");
}
