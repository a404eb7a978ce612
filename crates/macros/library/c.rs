//! The C library.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};

pub const AT_FDCWD: c_int = -100;
pub const O_ACCMODE: c_int = 3;
pub const O_LARGEFILE: c_int = 0o100_000;
pub const O_CLOEXEC: c_int = 0o2_000_000;
const O_WRONLY_APPEND: c_int = 1 | 0o2000;

unsafe extern "C" {
    pub fn openat(folder: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int;
    pub fn pread(file: c_int, to: *mut c_void, size: usize, at: i64) -> isize;
    fn read(file: c_int, to: *mut c_void, size: usize) -> isize;
    fn write(file: c_int, from: *const c_void, size: usize) -> isize;
    fn send(socket: c_int, from: *const c_void, size: usize, flags: c_int) -> isize;
    pub fn lseek(file: c_int, to: i64, whence: c_int) -> i64;
    pub fn close(file: c_int) -> c_int;
    pub fn memfd_create(name: *const c_char, flags: c_uint) -> c_int;
    pub fn access(path: *const c_char, mode: c_int) -> c_int;
    pub fn rename(from: *const c_char, to: *const c_char) -> c_int;
    pub fn fork() -> c_int;
    pub fn execv(path: *const c_char, arguments: *const *const c_char) -> c_int;
    pub fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
    pub fn getpid() -> c_int;
    pub fn dup2(file: c_int, onto: c_int) -> c_int;
    pub fn fcntl(file: c_int, what: c_int, argument: c_int) -> c_int;
    pub fn socketpair(domain: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int;
    pub fn _exit(status: c_int) -> !;
    pub fn realloc(old: *mut c_void, size: usize) -> *mut c_void;
    pub fn free(memory: *mut c_void);
    fn dlvsym(library: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void;
}

/// What there would be of this name without this library. Every C library for x86-64 has it under its first version.
pub unsafe fn next(name: &CStr) -> *mut c_void {
    const RTLD_NEXT: *mut c_void = -1_isize as *mut c_void;
    let found = dlvsym(RTLD_NEXT, name.as_ptr(), c"GLIBC_2.2.5".as_ptr());
    if found.is_null() {
        fail(c"its C library is another");
    }
    found
}

/// Ends this rustc, with a note of why; the emulated one runs then.
pub unsafe fn fail(why: &CStr) -> ! {
    let notes = openat(AT_FDCWD, c"/dev/.twins.log/choices".as_ptr(), O_WRONLY_APPEND | O_CLOEXEC, 0);
    let mut line = [0_u8; 200];
    let mut size = 0;
    for part in [&b"/usr/bin/rustc\t"[..], why.to_bytes(), b"\n"] {
        let room = part.len().min(line.len() - size);
        line[size..size + room].copy_from_slice(&part[..room]);
        size += room;
    }
    if notes >= 0 {
        write(notes, line.as_ptr().cast(), size);
    }
    _exit(101)
}

pub unsafe fn write_all(file: c_int, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let written = write(file, bytes.as_ptr().cast(), bytes.len());
        if written <= 0 {
            return false;
        }
        bytes = &bytes[written as usize..];
    }
    true
}

pub unsafe fn send_all(socket: c_int, mut bytes: &[u8]) -> bool {
    const MSG_NOSIGNAL: c_int = 0x4000;
    while !bytes.is_empty() {
        let sent = send(socket, bytes.as_ptr().cast(), bytes.len(), MSG_NOSIGNAL);
        // A signal may come between; anything else is the end of the other side.
        if sent == 0 || sent < 0 && !interrupted() {
            return false;
        }
        bytes = &bytes[sent.max(0) as usize..];
    }
    true
}

/// Fills `to`, or tells that it could not.
pub unsafe fn read_all(file: c_int, mut to: &mut [u8]) -> bool {
    while !to.is_empty() {
        let got = read(file, to.as_mut_ptr().cast(), to.len());
        if got == 0 || got < 0 && !interrupted() {
            return false;
        }
        to = &mut to[got.max(0) as usize..];
    }
    true
}

unsafe fn interrupted() -> bool {
    const EINTR: c_int = 4;
    unsafe extern "C" {
        fn __errno_location() -> *mut c_int;
    }
    *__errno_location() == EINTR
}
