//! Preloaded into a rustc of this machine that compiles for another: lets it use procedural macros of that other machine.
//!
//! Three functions of the C library are given again. `open64` shows of a library of another machine what rustc wants
//! to know of it: the description in its section `.rustc`, made out to be for this machine (`metadata`). `dlopen` and `dlsym`
//! have such a library loaded by a program of its own machine (`server`), and make functions that hand each message over
//! (`bridge`).
//!
//! No library but the C library, whose symbols are meant without a version, and nothing that could unwind.
#![no_std]
#![allow(unsafe_op_in_unsafe_fn, reason = "all of this file is below the level where safety could be shown")]

mod bridge;
mod bytes;
mod c;
mod metadata;
mod server;

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};

use bytes::Bytes;

/// open(2) for large files, as Rust's library opens every file.
///
/// # Safety
///
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let file = c::openat(c::AT_FDCWD, path, flags | c::O_LARGEFILE, mode);
    let reads = flags & c::O_ACCMODE == 0;
    if file < 0 || !reads || !CStr::from_ptr(path).to_bytes().ends_with(b".so") || !is_foreign(file) {
        return file;
    }
    let Some(description) = Bytes::read(file).and_then(|bytes| metadata::described(bytes.slice())) else {
        return file;
    };
    let shown = c::memfd_create(c"macros".as_ptr(), (flags & c::O_CLOEXEC != 0) as c_uint);
    if shown < 0 || !c::write_all(shown, description.slice()) || c::lseek(shown, 0, 0) != 0 {
        c::fail(c"a library of macros could not be shown to it");
    }
    c::close(file);
    shown
}

/// Loads a library.
///
/// # Safety
///
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void {
    if !path.is_null() && CStr::from_ptr(path).to_bytes().contains(&b'/') {
        let file = c::openat(c::AT_FDCWD, path, c::O_CLOEXEC, 0);
        let foreign = file >= 0 && is_foreign(file);
        if file >= 0 {
            c::close(file);
        }
        if foreign {
            return bridge::library(CStr::from_ptr(path));
        }
    }
    let real: extern "C" fn(*const c_char, c_int) -> *mut c_void = core::mem::transmute(c::next(c"dlopen"));
    real(path, flags)
}

/// Finds a symbol.
///
/// # Safety
///
/// As of the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void {
    if let Some(path) = bridge::path_of(library) {
        return bridge::declared(path, CStr::from_ptr(name));
    }
    let real: extern "C" fn(*mut c_void, *const c_char) -> *mut c_void = core::mem::transmute(c::next(c"dlsym"));
    real(library, name)
}

/// Whether a file is a library of 64 bits, little-endian, of another machine (elf(5)).
unsafe fn is_foreign(file: c_int) -> bool {
    let mut head = [0_u8; 20];
    const X86_64: u8 = 62;
    c::pread(file, head.as_mut_ptr().cast(), head.len(), 0) == head.len() as isize
        && head.starts_with(b"\x7fELF\x02\x01")
        && head[16..18] == [3, 0]
        && head[18..20] != [X86_64, 0]
}

// Nothing here unwinds, but what was compiled elsewhere names the function that would see to it.
core::arch::global_asm!(".globl rust_eh_personality", ".hidden rust_eh_personality", "rust_eh_personality: ud2");

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe { c::fail(c"a library of macros was not understood") }
}
