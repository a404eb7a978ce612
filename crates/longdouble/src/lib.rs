//! The target's long double for twins that read and print numbers.
//!
//! C's long double has 80 bits on x86-64, 128 on 64-bit ARM and RISC-V, 64 on 32-bit ARM. A program that reads a number as one and
//! prints it (bash's printf does) so writes other digits: 0.1 is not quite 0.1 in any of them. The libraries here are loaded
//! before the C library. Their `strtold` reads a number as the target would and keeps it, besides giving the program one of
//! its own; and they have printf(3) print the kept one where a program prints the one that it was given
//! (`register_printf_specifier`, of the GNU C library). A program that computes with such numbers is not helped by that.
#![forbid(unsafe_code)]

/// The library, `library/` compiled apart by `build.rs`, for a target whose long double has so many bits. No bytes where archmill
/// itself is not for x86-64.
pub fn library(bits: u8) -> &'static [u8] {
    match bits {
        64 => include_bytes!(concat!(env!("OUT_DIR"), "/64.so")),
        128 => include_bytes!(concat!(env!("OUT_DIR"), "/128.so")),
        _ => &[],
    }
}

/// What it is called, by programs that want it loaded.
pub const NAME: &str = "liblongdouble.so";
