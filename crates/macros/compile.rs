//! Compiles a library that is loaded into programs of other systems: it needs no library but whatever C library is there, and no
//! version of that, so that one compiled on a newer system can be loaded on an older. Not part of a crate, as it has no standard
//! library. Shared by build scripts.

use std::path::PathBuf;
use std::process::Command;

/// Compiles `library/main.rs` to `name` in `OUT_DIR`, with more arguments for rustc; no bytes where archmill is not for x86-64.
pub(crate) fn library(name: &str, more: &[&str]) {
    println!("cargo::rerun-if-changed=library");
    println!("cargo::rerun-if-changed=build.rs");
    let library = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join(name);
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("x86_64") {
        std::fs::write(library, "").expect("OUT_DIR can be written to");
        return;
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let target = std::env::var("TARGET").expect("cargo sets it");
    let status = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=cdylib", "--crate-name=library"])
        .args(["library/main.rs", "--target", &target])
        .args(["-Copt-level=2", "-Cpanic=abort", "-Cdebuginfo=0", "-Cstrip=symbols", "-Ccodegen-units=1"])
        .args(["-Ctarget-cpu=x86-64", "-Cforce-unwind-tables=no"])
        // Symbols without a version are those of any C library.
        .args(["-Clink-args=-nostdlib -nostartfiles -Wl,--build-id=none,--hash-style=gnu"])
        .args(more)
        .arg("-o")
        .arg(&library)
        .status()
        .expect("rustc can be run");
    assert!(status.success(), "library/ does not compile");
}
