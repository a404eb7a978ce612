//! Packages made here, whole and broken. A real one is read in tests/it.

use std::io::{Cursor, Write};

use super::*;
use crate::members::Bounds;

const CONTROL: &str = "Package: hello\nVersion: 1\nArchitecture: all\n";

fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        writeln!(bytes, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, "100644", content.len()).unwrap();
        bytes.extend_from_slice(content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

fn entry(kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header
}

fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = entry(tar::EntryType::Regular, content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn control_tar() -> Vec<u8> {
    tar_of(&[("./control", CONTROL.as_bytes()), ("./md5sums", b"")])
}

fn deb(control_name: &str, control: &[u8]) -> Vec<u8> {
    let data = tar_of(&[("./usr/hello", b"hi")]);
    ar(&[("debian-binary", b"2.0\n"), (control_name, control), ("data.tar", &data)])
}

fn open(bytes: Vec<u8>) -> Result<DebReader<Cursor<Vec<u8>>>, DebError> {
    DebReader::new(Cursor::new(bytes))
}

fn control_error(control: &[u8]) -> String {
    open(deb("control.tar", control)).unwrap().control().unwrap_err().to_string()
}

fn paths(reader: DebReader<impl Read>, bounds: Bounds<'_>) -> Result<Vec<String>, DebError> {
    let mut paths = Vec::new();
    reader.each_member(bounds, |member| {
        paths.push(member.path.display().to_string());
        Ok::<(), DebError>(())
    })?;
    Ok(paths)
}

fn data_error(data: &[u8], bounds: Bounds<'_>) -> String {
    let control = control_tar();
    let packed = zstd::encode_all(data, 1).unwrap();
    let parts: [(&str, &[u8]); 3] =
        [("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar.zst", &packed)];
    paths(open(ar(&parts)).unwrap(), bounds).unwrap_err().to_string()
}

#[test]
fn every_compression_is_read() {
    let plain = control_tar();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&plain).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
    xz.write_all(&plain).unwrap();
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bz2.write_all(&plain).unwrap();
    for (name, packed) in [
        ("control.tar", plain.clone()),
        ("control.tar/", plain.clone()),
        ("control.tar.gz", gz.finish().unwrap()),
        ("control.tar.xz", xz.finish().unwrap()),
        ("control.tar.bz2", bz2.finish().unwrap()),
        ("control.tar.zst", zstd::encode_all(&plain[..], 3).unwrap()),
    ] {
        let mut reader = open(deb(name, &packed)).unwrap();
        let control = reader.control().unwrap();
        assert_eq!(control.stanza().unwrap().get("Package"), Some("hello"), "{name}");
        assert_eq!(control.files["md5sums"], (0o644, Vec::new()), "{name}");
        assert_eq!(paths(reader, Bounds::default()).unwrap(), ["usr/hello"], "{name}");
    }
}

#[test]
fn data_can_be_read_without_control() {
    let reader = open(deb("control.tar.zst", b"not zst")).unwrap();
    assert_eq!(paths(reader, Bounds::default()).unwrap(), ["usr/hello"]);
}

#[test]
fn members_for_extensions_are_passed_over() {
    let (control, data) = (control_tar(), tar_of(&[]));
    let parts: [(&str, &[u8]); 5] = [
        ("debian-binary", b"2.1\n"),
        ("_gpgorigin", b"odd"),
        ("control.tar", &control),
        ("_more", b""),
        ("data.tar", &data),
    ];
    let mut reader = open(ar(&parts)).unwrap();
    assert!(reader.control().is_ok());
    assert!(paths(reader, Bounds::default()).unwrap().is_empty());
}

#[test]
fn what_is_no_package_is_refused() {
    for bytes in [&b""[..], b"!<arch", b"PK\x03\x04 and so on", b"!<arch>\r\n..."] {
        assert_eq!(
            open(bytes.to_vec()).unwrap_err().to_string(),
            "it is not a Debian package (no ar archive)"
        );
    }
    let other = open(ar(&[("control.tar", b"")])).unwrap_err();
    assert_eq!(other.to_string(), r#"it has "control.tar" where debian-binary must be"#);
    let future = open(ar(&[("debian-binary", b"3.0\n")])).unwrap_err();
    assert_eq!(future.to_string(), r#"it has format "3.0", and only 2.0 can be read"#);
}

#[test]
fn members_must_be_in_order() {
    let (control, data) = (control_tar(), tar_of(&[]));
    let swapped = ar(&[("debian-binary", b"2.0\n"), ("data.tar", &data), ("control.tar", &control)]);
    let error = open(swapped).unwrap().control().unwrap_err();
    assert_eq!(error.to_string(), r#"it has "data.tar" where control.tar must be"#);
    let without = ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control)]);
    let error = open(without).unwrap().data().err().unwrap();
    assert_eq!(error.to_string(), "its archive is damaged: it ends before its last member");
}

#[test]
fn an_unknown_compression_is_named() {
    for name in ["control.tar.lz4", "control.tarx", "control.tar.gz2"] {
        let error = open(deb(name, b"")).unwrap().control().unwrap_err();
        assert!(matches!(&error, DebError::Compression(named) if named == name), "{error}");
    }
}

#[test]
fn damaged_headers_are_refused() {
    let whole = deb("control.tar", &control_tar());
    let header = 8 + 60 + 4;
    for (at, with, problem) in [
        (header + 58, &b"x"[..], "a member header has no end mark"),
        (header + 48, b"-1", "a member's size is no number"),
        (header + 48, b"+1", "a member's size is no number"),
        (header + 48, b"          ", "a member's size is no number"),
        (header, b"\xff", "a member's name is no text"),
    ] {
        let mut bytes = whole.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        let error = open(bytes).unwrap().control().unwrap_err();
        assert_eq!(error.to_string(), format!("its archive is damaged: {problem}"));
    }
}

#[test]
fn an_absurd_size_is_not_allocated() {
    let mut bytes = deb("control.tar", &control_tar());
    bytes[8 + 60 + 4 + 48..][..10].copy_from_slice(b"9999999999");
    let error = open(bytes).unwrap().control().unwrap_err();
    assert_eq!(error.to_string(), "cannot read it: the package is cut short");
}

#[test]
fn a_package_cut_short_is_never_taken_for_whole() {
    let whole = deb("control.tar", &control_tar());
    let read_all = |bytes: Vec<u8>| -> Result<(), DebError> {
        let mut reader = open(bytes)?;
        reader.control()?;
        paths(reader, Bounds::default()).map(|_| ())
    };
    assert!(read_all(whole.clone()).is_ok());
    // The tar reader stops at the first block of zeros, so the padding at the end is not looked at.
    for length in (0..whole.len() - 512).step_by(7) {
        assert!(read_all(whole[..length].to_vec()).is_err(), "{length} of {} bytes", whole.len());
    }
}

#[test]
fn damage_after_the_last_entry_is_seen() {
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
    xz.write_all(&control_tar()).unwrap();
    let mut packed = xz.finish().unwrap();
    let end = packed.len() - 1;
    packed[end] ^= 1;
    assert!(open(deb("control.tar.xz", &packed)).unwrap().control().is_err());
}

#[test]
fn a_control_archive_that_unpacks_to_gigabytes_is_refused() {
    let zeros = io::repeat(0).take(CONTROL_LIMIT + 1024);
    let mut tar = entry(tar::EntryType::Regular, CONTROL_LIMIT - 1);
    tar.set_path("control").unwrap();
    tar.set_cksum();
    let unpacked = io::Cursor::new(tar.as_bytes().to_vec()).chain(zeros);
    let packed = zstd::encode_all(unpacked, 1).unwrap();
    assert!(packed.len() < 100_000);
    let error = open(deb("control.tar.zst", &packed)).unwrap().control().unwrap_err();
    assert_eq!(error.to_string(), "its control archive unpacks to more than 64 MiB");
}

#[test]
fn sizes_that_overflow_are_refused() {
    let mut tar = Vec::new();
    for (name, size) in [("a", 1), ("control", u64::MAX - 1)] {
        let mut header = entry(tar::EntryType::Regular, size);
        header.set_path(name).unwrap();
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(&[0; 512]);
    }
    // Which of the two comes first is the tar reader's affair.
    let error = control_error(&tar);
    assert!(error.contains("unpacks to more than 64 MiB") || error.starts_with("cannot read it"), "{error}");
}

#[test]
fn only_plain_files_may_be_in_control() {
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Char, tar::EntryType::Fifo] {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = entry(kind, 0);
        header.set_path("postinst").unwrap();
        header.set_link_name("control").unwrap();
        header.set_cksum();
        builder.append(&header, io::empty()).unwrap();
        let error = control_error(&builder.into_inner().unwrap());
        assert!(error.ends_with(r#""postinst", which is not a file with a plain name"#), "{kind:?}: {error}");
    }
    for name in ["../control", "/etc/passwd", "a/b", ".hidden", "new\nline", "././control", ".."] {
        let mut header = entry(tar::EntryType::Regular, 0);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        let tar = [&header.as_bytes()[..], &[0; 1024]].concat();
        assert!(control_error(&tar).ends_with("which is not a file with a plain name"), "{name}");
    }
}

#[test]
fn control_must_be_there_once_and_be_text() {
    assert_eq!(control_error(&tar_of(&[("md5sums", b"")])), "its control archive has no file named control");
    let twice = tar_of(&[("control", b"A: 1"), ("./control", b"A: 2")]);
    assert_eq!(control_error(&twice), r#"its control archive has the file "control" twice"#);
    let stanza = |content: &[u8]| {
        let control = open(deb("control.tar", &tar_of(&[("control", content)]))).unwrap().control().unwrap();
        control.stanza().map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(stanza(b"\xff"), "its control file is not text in UTF-8");
    assert_eq!(stanza(b"\n"), "its control archive has no file named control");
    assert!(stanza(b"no colon").starts_with("its control file cannot be used: line 1"));
}

#[test]
fn names_that_do_not_fit_into_a_header_are_read() {
    let (long, target) = ("n".repeat(300), "t".repeat(300));
    let mut builder = tar::Builder::new(Vec::new());
    let mut link = entry(tar::EntryType::Symlink, 0);
    builder.append_link(&mut link, format!("./{long}"), &target).unwrap();
    builder.append_data(&mut entry(tar::EntryType::Regular, 2), "./short", &b"hi"[..]).unwrap();
    let data = builder.into_inner().unwrap();
    let control = control_tar();
    let parts: [(&str, &[u8]); 3] =
        [("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &data)];
    let mut found = Vec::new();
    let read = open(ar(&parts)).unwrap().each_member(Bounds::default(), |member| {
        let mut text = String::new();
        member.content.read_to_string(&mut text)?;
        found.push((member.path.display().to_string(), member.link, text));
        Ok::<(), DebError>(())
    });
    read.unwrap();
    assert_eq!(found[0], (format!("./{long}"), Some(target.into()), String::new()));
    assert_eq!(found[1], ("short".to_owned(), None, "hi".to_owned()));
}

#[test]
fn a_data_archive_without_bounds_is_refused() {
    let mut endless = entry(tar::EntryType::GNULongName, 4 << 30);
    endless.set_path("././@LongLink").unwrap();
    endless.set_cksum();
    let mut tar = endless.as_bytes().to_vec();
    tar.extend(vec![b'a'; 1 << 20]);
    let all = Bounds::default();
    assert_eq!(data_error(&tar, all), "its data archive has a name of more than 64 KiB");
    let mut pax = entry(tar::EntryType::XHeader, 0);
    pax.set_cksum();
    assert!(data_error(pax.as_bytes(), all).contains("pax headers, which dpkg does not take"));
    let many = tar_of(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
    assert_eq!(data_error(&many, Bounds { members: 2, ..all }), "its data archive has more than 2 members");
    assert_eq!(
        data_error(&many, Bounds { bytes: 2048, ..all }),
        "its data archive unpacks to more than 2048 bytes"
    );
    assert_eq!(data_error(&many, Bounds { stop: &|| true, ..all }), "reading it was ended");
}
