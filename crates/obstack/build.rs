//! Assembles the library in `library/` and takes it out of the object file: rustc has no linker for i386, and none is needed.

use std::path::PathBuf;
use std::process::Command;

/// The section that is the library.
const SECTION: &[u8] = b"library\0";

fn main() {
    println!("cargo::rerun-if-changed=library");
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let library = folder.join("library.so");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("x86_64") {
        std::fs::write(library, "").expect("OUT_DIR can be written to");
        return;
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let target = std::env::var("TARGET").expect("cargo sets it");
    let object = folder.join("library.o");
    let status = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=lib", "--crate-name=library", "--emit=obj"])
        .args(["library/main.rs", "--target", &target, "-Ccodegen-units=1", "-o"])
        .arg(&object)
        .status()
        .expect("rustc can be run");
    assert!(status.success(), "library/ does not compile");
    let object = std::fs::read(object).expect("rustc made it");
    std::fs::write(library, section(&object).expect("the object file has the section"))
        .expect("OUT_DIR can be written to");
}

/// What the section of an ELF file of 64 bits has (elf(5)).
fn section(object: &[u8]) -> Option<&[u8]> {
    let number = |at: usize, size: usize| -> Option<usize> {
        let bytes = object.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
    };
    let (table, size) = (number(0x28, 8)?, number(0x3a, 2)?);
    let header = |index: usize| table + index * size;
    let names = number(header(number(0x3e, 2)?) + 0x18, 8)?;
    let is_it = |at: &usize| {
        number(*at, 4)
            .and_then(|name| object.get(names + name..))
            .is_some_and(|name| name.starts_with(SECTION))
    };
    let at = (0..number(0x3c, 2)?).map(header).find(is_it)?;
    let (offset, size) = (number(at + 0x18, 8)?, number(at + 0x20, 8)?);
    object.get(offset..offset + size)
}
