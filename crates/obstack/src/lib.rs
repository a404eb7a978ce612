//! The target's obstack(3) for twins of i386, which stand in for programs of other systems of 32 bits.
//!
//! A program that leaves it to the C library how its obstacks are aligned, and how much memory they take at a time, gets other
//! answers on other architectures: 4 and 4,064 bytes on i386; 8 and 4,072 where long double has 64 bits, as on ARM. What it
//! writes should not depend on that, but what the assembler writes does: the pieces that it divides its input into end where no
//! more fits, and line numbers are encoded otherwise from one piece to the next. The library here is loaded before the C
//! library and gives its answer for ARM.
#![forbid(unsafe_code)]

/// The library, `library/` assembled by `build.rs`, for a target of 32 bits whose long double has so many. No bytes where there is
/// none, and where archmill itself is not for x86-64.
pub fn library(long_double: u8) -> &'static [u8] {
    match long_double {
        64 => include_bytes!(concat!(env!("OUT_DIR"), "/library.so")),
        _ => &[],
    }
}

/// What it is called, by programs that want it loaded.
pub const NAME: &str = "libobstack.so";
