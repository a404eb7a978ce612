//! What rustc is shown of a library of macros.
#[path = "../library"]
#[allow(dead_code, unreachable_pub, unsafe_code, unsafe_op_in_unsafe_fn)]
#[allow(clippy::pedantic, reason = "as for the library, which is compiled apart")]
mod library {
    pub mod bytes;
    pub mod c;
    pub mod metadata;
}

use std::process::Command;

use library::metadata::described;
use library::{bytes, c};

/// A library with one section, `.rustc`.
fn library(section: &[u8]) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.rustc\0.shstrtab\0";
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(64, 0);
    let mut header = |name: u32, content: &[u8]| {
        let (start, mut header) = (file.len(), vec![0; 64]);
        file.extend_from_slice(content);
        header[..4].copy_from_slice(&name.to_le_bytes());
        header[24..32].copy_from_slice(&(start as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(content.len() as u64).to_le_bytes());
        header
    };
    let headers = [vec![0; 64], header(1, section), header(8, NAMES)].concat();
    let table = file.len() as u64;
    file.extend_from_slice(&headers);
    file[40..48].copy_from_slice(&table.to_le_bytes());
    for (at, value) in [(58, 64), (60, 3), (62, 2)] {
        file[at] = value;
    }
    file
}

/// A description whose root names a machine.
fn plain(version: u8, position: &[u8], before: &[u8], machine: &str) -> Vec<u8> {
    let name =
        [&[u8::try_from(machine.len()).expect("names are short")], machine.as_bytes(), b"\xc1"].concat();
    [&b"rust\0\0\0"[..], &[version], position, b"\x06rustc!\xc1", before, &name, b"hash and all else"]
        .concat()
}

#[test]
fn a_description_names_this_machine_and_is_else_what_it_was() {
    for machine in ["aarch64-unknown-linux-gnu", "riscv64gc-unknown-linux-gnu", "x86_64-unknown-linux-gnu"] {
        let of = |machine| plain(9, &24_u64.to_le_bytes(), b"\0", machine);
        let section = |plain: Vec<u8>| {
            [&b"rust\0\0\0\x09"[..], &(plain.len() as u64).to_le_bytes(), &plain, b"padding"].concat()
        };
        let shown = described(&library(&section(of(machine)))).unwrap();
        let wanted = section(of("x86_64-unknown-linux-gnu"));
        assert_eq!(shown.slice(), wanted.strip_suffix(b"padding").unwrap(), "{machine}");
    }
}

#[test]
fn a_compressed_description_is_read() {
    let of = |machine| plain(6, &20_u32.to_be_bytes(), b"\x06macros\xc1abcabcabc\0", machine);
    let snappy = b"\xff\x06\x00\x00sNaPpY";
    let frame = |kind: u8, content: &[u8]| {
        let size = u32::try_from(content.len() + 4).unwrap().to_le_bytes();
        [&[kind], &size[..3], b"\0\0\0\0", content].concat()
    };
    let whole = of("aarch64-unknown-linux-gnu");
    let (first, rest) = whole.split_at(whole.windows(3).position(|part| part == b"abc").unwrap() + 9);
    // The nine bytes are three and a copy of six, which reaches into itself.
    let literal = &first[..first.len() - 6];
    let sizes = [first.len(), literal.len() - 1].map(|size| u8::try_from(size).unwrap());
    let block = [&[sizes[0], 60 << 2, sizes[1]], literal, &[(6 - 4) << 2 | 1, 3]].concat();
    let section =
        [&b"rust\0\0\0\x06"[..], snappy, &frame(0, &block), &frame(0xfe, b"pad"), &frame(1, rest)].concat();
    let shown = described(&library(&section)).unwrap();
    // In frames that are not compressed, each with a checksum.
    let frames = shown.slice().strip_prefix(b"rust\0\0\0\x06").unwrap().strip_prefix(snappy).unwrap();
    assert_eq!(&frames[8..], of("x86_64-unknown-linux-gnu"));
}

#[test]
fn what_is_damaged_is_not_shown() {
    let section =
        |plain: &[u8]| [&b"rust\0\0\0\x09"[..], &(plain.len() as u64).to_le_bytes(), plain].concat();
    let whole = plain(9, &24_u64.to_le_bytes(), b"\0", "aarch64-unknown-linux-gnu");
    let file = library(&section(&whole));
    assert!(described(&file).is_some());
    for size in 0..file.len() {
        let _ = described(&file[..size]);
    }
    for at in 0..file.len() {
        let mut other = file.clone();
        other[at] ^= 0xff;
        let _ = described(&other);
    }
    for bad in [&b""[..], b"rust\0\0\0\x09", &section(b"rust\0\0\0\x09"), &section(&[0xff; 64])] {
        assert!(described(&library(bad)).is_none());
    }
}

#[test]
fn a_library_of_this_machine_is_shown_as_it_is() {
    let tmp = std::env::temp_dir().join(format!("archmill-macros-{}", std::process::id()));
    std::fs::create_dir_all(&tmp).unwrap();
    let source = tmp.join("m.rs");
    std::fs::write(
        &source,
        "#[proc_macro] pub fn m(x: proc_macro::TokenStream) -> proc_macro::TokenStream { x }",
    )
    .unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let made = Command::new(rustc)
        .args(["--edition=2021", "--crate-type=proc-macro", "--extern=proc_macro", "--out-dir"])
        .args([&tmp, &source])
        .status()
        .unwrap();
    assert!(made.success());
    let file = std::fs::read(tmp.join("libm.so")).unwrap();
    let shown = described(&file).unwrap();
    assert!(file.windows(shown.slice().len()).any(|part| part == shown.slice()));
    std::fs::remove_dir_all(&tmp).unwrap();
}
