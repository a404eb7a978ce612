//! Compiles the code in `program/` and takes its one segment out.
//!
//! It is not part of the crate, as it must be position-independent without relocations and free of libraries.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=program");
    println!("cargo::rerun-if-changed=src/format.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let flat = out.join("program.bin");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("x86_64") {
        std::fs::write(flat, "").expect("OUT_DIR can be written to");
        return;
    }
    let elf = out.join("program.elf");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let target = std::env::var("TARGET").expect("cargo sets it");
    let status = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=bin", "--crate-name=program", "program/main.rs", "--target", &target])
        .args(["-Copt-level=2", "-Cpanic=abort", "-Crelocation-model=pic", "-Cdebuginfo=0", "-Coverflow-checks=off"])
        .args(["-Cforce-unwind-tables=no", "-Ctarget-cpu=x86-64", "-Ccodegen-units=1"])
        .args(["-Clink-args=-nostartfiles -nostdlib -static -no-pie -Wl,-T,program/flat.ld,--build-id=none,--no-eh-frame-hdr"])
        .arg("-o")
        .arg(&elf)
        .status()
        .expect("rustc can be run");
    assert!(status.success(), "program/ does not compile");
    let bytes = std::fs::read(&elf).expect("rustc made it");
    std::fs::write(flat, segment(&bytes)).expect("OUT_DIR can be written to");
}

/// The only PT_LOAD of an ELF file (elf(5)).
fn segment(elf: &[u8]) -> &[u8] {
    let number = |at: usize, size: usize| {
        elf[at..at + size].iter().rev().fold(0_usize, |value, byte| value << 8 | usize::from(*byte))
    };
    let (start, count) = (number(32, 8), number(56, 2));
    let headers = (0..count).map(|at| start + at * 56);
    let loads: Vec<usize> = headers.filter(|at| number(*at, 4) == 1).collect();
    let [load] = loads[..] else {
        panic!("program/ has {} segments, not one: has it writable data?", loads.len())
    };
    let (offset, filesz, memsz) = (number(load + 8, 8), number(load + 32, 8), number(load + 40, 8));
    assert_eq!(filesz, memsz, "program/ has data that is not in the file");
    // A table of pointers would be wrong wherever it is mapped.
    let names = String::from_utf8_lossy(elf);
    assert!(!names.contains(".data.rel.ro") && !names.contains(".got"), "program/ has addresses in its data");
    &elf[offset..offset + filesz]
}
