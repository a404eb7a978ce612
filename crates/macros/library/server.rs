//! The program of the other machine that has the macros.

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicI32, Ordering};

use crate::bytes::Bytes;
use crate::c;

/// Compiled once in each build. The folders are those of `archmill-dispatch`; a test of `archmill-build` holds them together.
const PROGRAM: &CStr = c"/dev/.twins.log/macros";
const SOURCE: &CStr = c"/dev/.twins/macros.rs";

/// The socket; rustc asks one thing at a time.
static SOCKET: AtomicI32 = AtomicI32::new(-1);

pub unsafe fn say(bytes: &[u8]) {
    if SOCKET.load(Ordering::Relaxed) < 0 {
        SOCKET.store(started(), Ordering::Relaxed);
    }
    if !c::send_all(SOCKET.load(Ordering::Relaxed), bytes) {
        c::fail(c"the program that has its macros ended");
    }
}

pub unsafe fn hear(to: &mut [u8]) {
    if !c::read_all(SOCKET.load(Ordering::Relaxed), to) {
        c::fail(c"the program that has its macros ended");
    }
}

pub unsafe fn byte() -> u8 {
    let mut byte = [0];
    hear(&mut byte);
    byte[0]
}

pub unsafe fn number() -> usize {
    let mut bytes = [0; 4];
    hear(&mut bytes);
    u32::from_le_bytes(bytes) as usize
}

pub unsafe fn string() -> Bytes {
    let mut bytes = Bytes::zeros(number());
    hear(bytes.slice_mut());
    bytes
}

/// A string as the other side reads it.
pub fn put(to: &mut Bytes, string: &[u8]) {
    to.push(&(string.len() as u32).to_le_bytes());
    to.push(string);
}

unsafe fn started() -> c_int {
    const AF_UNIX: c_int = 1;
    const STREAM_CLOEXEC: c_int = 1 | c::O_CLOEXEC;
    const F_SETFD: c_int = 2;
    if c::access(PROGRAM.as_ptr(), 1) != 0 {
        compile();
    }
    let mut pair = [0; 2];
    if c::socketpair(AF_UNIX, STREAM_CLOEXEC, 0, pair.as_mut_ptr()) != 0 {
        c::fail(c"there is no socket for its macros");
    }
    let mut digits = [0_u8; 12];
    let number = decimal(pair[1], &mut digits);
    match c::fork() {
        0 => {
            c::fcntl(pair[1], F_SETFD, 0);
            let arguments = [PROGRAM.as_ptr(), number, core::ptr::null()];
            c::execv(PROGRAM.as_ptr(), arguments.as_ptr());
            c::_exit(127)
        }
        process => {
            if process < 0 {
                c::fail(c"there is no process for its macros");
            }
            c::close(pair[1]);
            pair[0]
        }
    }
}

/// By the rustc of the root, which is the twin again.
unsafe fn compile() {
    const RUSTC: &CStr = c"/usr/bin/rustc";
    // Others may be at it as well: whole or not at all.
    let mut new = Bytes::new();
    let mut digits = [0_u8; 12];
    new.push(PROGRAM.to_bytes());
    new.push(b".");
    new.push(CStr::from_ptr(decimal(c::getpid(), &mut digits)).to_bytes_with_nul());
    let path: *const c_char = new.slice().as_ptr().cast();
    let arguments = [
        RUSTC.as_ptr(),
        c"--edition=2021".as_ptr(),
        c"--crate-name=macros".as_ptr(),
        c"-Copt-level=2".as_ptr(),
        c"-Cstrip=symbols".as_ptr(),
        c"--cap-lints=allow".as_ptr(),
        c"-o".as_ptr(),
        path,
        SOURCE.as_ptr(),
        core::ptr::null(),
    ];
    let process = c::fork();
    if process == 0 {
        let nothing = c::openat(c::AT_FDCWD, c"/dev/null".as_ptr(), 2, 0);
        for standard in 0..3 {
            c::dup2(nothing, standard);
        }
        c::execv(RUSTC.as_ptr(), arguments.as_ptr());
        c::_exit(127)
    }
    let mut status = 0;
    let ended = process > 0 && c::waitpid(process, &raw mut status, 0) == process && status == 0;
    if !ended || c::rename(path, PROGRAM.as_ptr()) != 0 {
        c::fail(c"the program for its macros does not compile");
    }
}

/// The digits of a number that is not negative, with a zero behind them.
fn decimal(mut number: c_int, digits: &mut [u8; 12]) -> *const c_char {
    let mut at = digits.len() - 1;
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return digits[at..].as_ptr().cast();
        }
    }
}
