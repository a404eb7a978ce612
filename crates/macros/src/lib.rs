//! Procedural macros of the target for a rustc of this machine.
//!
//! A procedural macro is a library of the machine that rustc runs on, which a twin of rustc cannot load. It talks to rustc in
//! messages, though (`proc_macro::bridge` of Rust's library): buffers of bytes and functions of the C ABI that pass them. So the
//! library stays where it is and what it is: a small program of the target, emulated, loads it, and [`LIBRARY`], preloaded
//! into the twin, gives rustc functions that hand each buffer over and back. What is compiled depends on what the macros
//! say, which is said by the very code that would have said it without a twin.
//!
//! rustc also looks into such a library for what it declares, and takes only those for its own machine. It is shown that
//! description alone, with the name of the machine changed.
//!
//! What cannot be done this way ends the twin with an error, and it is the emulated rustc's turn (`tried` in the rules).
#![forbid(unsafe_code)]

/// The library that the twin of rustc is started with; `library/`, compiled apart by `build.rs`. No bytes where archmill itself is not
/// for x86-64.
pub const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/library.so"));
/// The program of the target, in Rust: compiled by the twin itself, once in each build, when a macro is met.
pub const SERVER: &str = include_str!("../server/main.rs");
/// What the library is called below the twins' prefix.
pub const LIBRARY_NAME: &str = "macros.so";
/// What the program is called there.
pub const SERVER_NAME: &str = "macros.rs";
