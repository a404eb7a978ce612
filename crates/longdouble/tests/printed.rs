//! What a program prints that has the libraries loaded.
#![allow(clippy::unwrap_used)]
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use std::process::Command;

/// What printf(1), which reads numbers as long double, prints.
fn printed(bits: u8, format: &str, number: &str) -> String {
    let path = std::env::temp_dir().join(format!("archmill-longdouble-{}-{bits}.so", std::process::id()));
    std::fs::write(&path, archmill_longdouble::library(bits)).unwrap();
    let output = Command::new("printf")
        .args([format, number])
        .env("LD_PRELOAD", &path)
        .env("LC_ALL", "C")
        .output()
        .expect("printf of coreutils is there");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn numbers_have_the_digits_that_they_have_on_the_target() {
    // Those that glibc prints on arm64 and armhf.
    assert_eq!(printed(128, "%.36f", "0.1"), "0.100000000000000000000000000000000005");
    assert_eq!(printed(64, "%.20f", "0.1"), "0.10000000000000000555");
    assert_eq!(printed(64, "%.17g", "1.005"), "1.0049999999999999");
    assert_eq!(printed(128, "%a", "0.1"), "0x1.999999999999999999999999999ap-4");
    assert_eq!(printed(64, "%a", "0.1"), "0x1.999999999999ap-4");
    assert_eq!(printed(64, "%+#9.0a|", "2"), " +0x1.p+1|");
    assert_eq!(printed(128, "%-20.3a|", "-3.3"), "-0x1.a66p+1         |");
    assert_eq!(printed(128, "%010.1e", "1e4000"), "01.0e+4000");
}
