use std::io::{Cursor, Read};

use archmill_deb::control::{Stanza, stanzas, strip_signature};
use archmill_deb::deb::{DebError, DebReader};
use archmill_deb::members::Bounds;
use archmill_deb::{BinaryRecord, Dsc, MultiArch, Release, SourceRecord};

const PACKAGES: &str = include_str!("fixtures/Packages");
const SOURCES: &str = include_str!("fixtures/Sources");
const DSC: &str = include_str!("fixtures/dash_0.5.12-12.dsc");
const IN_RELEASE: &str = include_str!("fixtures/InRelease");
const DEB: &[u8] = include_bytes!("fixtures/libaudit-common_all.deb");

fn package(name: &str) -> BinaryRecord<'static> {
    let records = stanzas(PACKAGES).map(|stanza| BinaryRecord::new(stanza.unwrap()).unwrap());
    records.into_iter().find(|record| record.package == name).unwrap()
}

fn sources() -> Vec<SourceRecord> {
    stanzas(SOURCES).map(|stanza| SourceRecord::new(&stanza.unwrap()).unwrap()).collect()
}

#[test]
fn a_packages_index_is_read() {
    let read: Vec<Stanza> = stanzas(PACKAGES).map(Result::unwrap).collect();
    assert_eq!(read.len(), 7);
    let dash = package("dash");
    assert!(dash.essential());
    assert_eq!((dash.architecture, dash.priority()), ("arm64", Some("required")));
    assert!(package("build-essential").build_essential());
    assert_eq!(package("libacl1-dev").multi_arch(), MultiArch::Same);

    let allegro = package("liballegro4.4t64");
    assert_eq!(allegro.source(), ("allegro4.4", "2:4.4.3.1-5"));
    assert_eq!(allegro.version().unwrap().to_string(), "2:4.4.3.1-5+b2");
    assert_eq!(allegro.provides().unwrap().to_string(), "liballegro4.4 (= 2:4.4.3.1-5+b2)");
    assert_eq!(allegro.size(), Some(426_460));
    assert_eq!(allegro.filename(), Some("pool/main/a/allegro4.4/liballegro4.4t64_4.4.3.1-5+b2_arm64.deb"));

    let acorn = package("node-acorn");
    assert_eq!(acorn.depends().unwrap().to_string(), "node-xtend, nodejs:any | nodejs (<< 12.22.5~dfsg-4~)");
    assert_eq!(acorn.breaks().unwrap().0.len(), 8);
}

#[test]
fn dependencies_are_written_as_they_are_in_the_index() {
    for stanza in stanzas(PACKAGES) {
        let record = BinaryRecord::new(stanza.unwrap()).unwrap();
        for field in ["Pre-Depends", "Depends", "Breaks", "Replaces", "Provides", "Conflicts"] {
            let text = record.stanza.get(field).unwrap_or("");
            assert_eq!(record.relations(field).unwrap().to_string(), text);
        }
    }
}

#[test]
fn a_sources_index_is_read() {
    let [dash, zlib, bash, colordiff] = &sources()[..] else { panic!("four sources") };
    assert_eq!((dash.directory.as_str(), dash.files.len()), ("pool/main/d/dash", 3));
    assert_eq!(dash.package_list, ["dash deb shells required arch=any essential=yes"]);
    assert_eq!(dash.testsuite, ["autopkgtest"]);
    assert!(colordiff.extra_source_only && !dash.extra_source_only);

    assert_eq!(zlib.binaries.len(), 12);
    assert_eq!(zlib.version.epoch(), 1);
    let build_depends = |arch: &str, profiles: &[&str]| {
        let profiles: Vec<String> = profiles.iter().map(|&profile| profile.to_owned()).collect();
        zlib.build_depends.reduce(&arch.parse().unwrap(), &profiles).to_string()
    };
    let common = "dpkg-dev (>= 1.22.5), debhelper (>= 13)";
    assert_eq!(build_depends("arm64", &[]), format!("{common}, autoconf"));
    assert_eq!(build_depends("amd64", &[]), format!("{common}, gcc-multilib, autoconf"));
    assert_eq!(build_depends("amd64", &["nobiarch"]), format!("{common}, autoconf"));

    assert_eq!(bash.build_conflicts.to_string(), "r-base-core");
    assert_eq!(bash.build_depends_indep.0.len(), 4);
    assert!(bash.builds_all() && bash.builds_for(&"riscv64".parse().unwrap()));
}

#[test]
fn a_dsc_agrees_with_the_index() {
    let dsc = Dsc::parse(DSC).unwrap();
    let indexed = &sources()[0];
    assert_eq!(dsc.record.version, indexed.version);
    assert_eq!(dsc.record.build_depends, indexed.build_depends);
    assert_eq!(dsc.record.files[..], indexed.files[1..]);
    assert_eq!(dsc.record.format, "3.0 (quilt)");
    assert!(dsc.text.starts_with("Format: 3.0 (quilt)\n") && !dsc.text.contains("PGP"));
}

#[test]
fn a_release_file_is_read() {
    let release = Release::parse(&strip_signature(IN_RELEASE)).unwrap();
    assert_eq!((release.suite.as_str(), release.codename.as_str()), ("stable", "trixie"));
    assert_eq!(release.version.as_deref(), Some("13.8"));
    assert_eq!(release.date.as_deref(), Some("Sat, 21 Nov 2026 09:15:44 UTC"));
    assert_eq!(release.valid_until, None);
    assert_eq!(release.components, ["main", "contrib", "non-free-firmware", "non-free"]);
    assert!(release.architectures.contains(&"riscv64".to_owned()));
    assert!(release.acquire_by_hash && release.all_in_each_index && !release.not_automatic);
    let packages = &release.files["main/binary-arm64/Packages.xz"];
    assert_eq!(packages.size, 9_614_816);
    assert!(packages.sha256.starts_with("5b9a010e"));
}

#[test]
fn a_package_of_the_archive_is_read() {
    let mut reader = DebReader::new(DEB).unwrap();
    let control = reader.control().unwrap();
    assert_eq!(control.files.keys().collect::<Vec<_>>(), ["conffiles", "control", "md5sums"]);
    assert_eq!(control.files["conffiles"], (0o644, b"/etc/libaudit.conf\n".to_vec()));
    let stanza = control.stanza().unwrap();
    let record = BinaryRecord::new(stanza).unwrap();
    assert_eq!((record.package, record.version_text), ("libaudit-common", "1:4.0.2-2+deb13u1"));
    assert_eq!(data_names(reader).len(), 13);
}

#[test]
fn a_package_is_read_alike_in_every_compression() {
    let expected = data_names(DebReader::new(DEB).unwrap());
    for ending in ["gz", "zst"] {
        let repacked = repack(DEB, ending);
        let mut reader = DebReader::new(Cursor::new(repacked)).unwrap();
        assert!(reader.control().unwrap().control_text().unwrap().starts_with("Package: libaudit-common\n"));
        assert_eq!(data_names(reader), expected, "{ending}");
    }
}

fn data_names(reader: DebReader<impl Read>) -> Vec<String> {
    let mut names = Vec::new();
    let read = reader.each_member(Bounds::default(), |member| {
        names.push(member.path.display().to_string());
        Ok::<(), DebError>(())
    });
    read.unwrap();
    names
}

/// The same package with its xz members compressed in another way.
fn repack(deb: &[u8], ending: &str) -> Vec<u8> {
    let mut repacked = b"!<arch>\n".to_vec();
    let mut rest = &deb[8..];
    while rest.len() > 60 {
        let field = |range| std::str::from_utf8(&rest[range]).unwrap().trim();
        let (name, size): (&str, usize) = (field(0..16), field(48..58).parse().unwrap());
        let content = &rest[60..60 + size];
        let (name, content) = match name.strip_suffix("xz") {
            None => (name.to_owned(), content.to_vec()),
            Some(stem) => (format!("{stem}{ending}"), compress(&unxz(content), ending)),
        };
        let size_field = format!("{:<10}`\n", content.len());
        repacked.extend_from_slice(format!("{name:<16}").as_bytes());
        repacked.extend_from_slice(&rest[16..48]);
        repacked.extend_from_slice(size_field.as_bytes());
        repacked.extend_from_slice(&content);
        repacked.extend(vec![b'\n'; content.len() % 2]);
        rest = rest.get(60 + size + size % 2..).unwrap_or(&[]);
    }
    repacked
}

fn unxz(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    liblzma::read::XzDecoder::new(packed).read_to_end(&mut plain).unwrap();
    plain
}

fn compress(plain: &[u8], ending: &str) -> Vec<u8> {
    if ending == "zst" {
        return zstd::encode_all(plain, 3).unwrap();
    }
    let mut packed = Vec::new();
    let mut encoder = flate2::read::GzEncoder::new(plain, flate2::Compression::default());
    encoder.read_to_end(&mut packed).unwrap();
    packed
}
