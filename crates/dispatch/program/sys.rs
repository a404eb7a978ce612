//! System calls of x86-64 Linux, and strings.

use core::arch::asm;
use core::mem::MaybeUninit;

pub const PROT_NONE: i32 = 0;
pub const PROT_READ: i32 = 1;
pub const PROT_WRITE: i32 = 2;
pub const PROT_EXEC: i32 = 4;
pub const MAP_PRIVATE: i32 = 2;
pub const MAP_FIXED: i32 = 0x10;
pub const MAP_ANONYMOUS: i32 = 0x20;
pub const MAP_NORESERVE: i32 = 0x4000;
pub const MAP_FIXED_NOREPLACE: i32 = 0x10_0000;

const READ: u64 = 0;
const WRITE: u64 = 1;
const OPEN: u64 = 2;
const CLOSE: u64 = 3;
const FSTAT: u64 = 5;
const MMAP: u64 = 9;
const MUNMAP: u64 = 11;
const BRK: u64 = 12;
const PREAD: u64 = 17;
const EXECVE: u64 = 59;
const POLL: u64 = 7;
const LSEEK: u64 = 8;
const DUP2: u64 = 33;
const FORK: u64 = 57;
const WAIT4: u64 = 61;
const FCNTL: u64 = 72;
const ACCESS: u64 = 21;
const READLINK: u64 = 89;
const PRCTL: u64 = 157;
const EXIT_GROUP: u64 = 231;
const MEMFD_CREATE: u64 = 319;

const EINTR: i64 = -4;
const EAGAIN: i64 = -11;

const O_CLOEXEC: u64 = 0o2_000_000;
const O_APPEND: u64 = 0o2000;
const O_WRONLY: u64 = 1;
const O_NONBLOCK: u64 = 0o4000;

/// struct stat of x86-64.
#[repr(C)]
pub struct Stat {
    st_dev: u64,
    st_ino: u64,
    st_nlink: u64,
    st_mode: u32,
    st_uid: u32,
    st_gid: u32,
    pad: u32,
    st_rdev: u64,
    pub st_size: i64,
    st_blksize: i64,
    st_blocks: i64,
    st_atime: i64,
    st_atime_nsec: i64,
    pub st_mtime: i64,
    rest: [i64; 7],
}

#[inline(always)]
unsafe fn call(number: u64, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> i64 {
    let result: i64;
    asm!(
        "syscall",
        inlateout("rax") number as i64 => result,
        in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
        lateout("rcx") _, lateout("r11") _,
        options(nostack),
    );
    result
}

fn ok(result: i64) -> Option<u64> {
    if result < 0 { None } else { Some(result as u64) }
}

pub unsafe fn open(path: *const u8) -> Option<i32> {
    ok(call(OPEN, path as u64, O_CLOEXEC, 0, 0, 0, 0)).map(|file| file as i32)
}

pub unsafe fn open_to_append(path: *const u8) -> Option<i32> {
    ok(call(OPEN, path as u64, O_CLOEXEC | O_APPEND | O_WRONLY | O_NONBLOCK, 0, 0, 0, 0))
        .map(|file| file as i32)
}

pub unsafe fn exists(path: *const u8) -> bool {
    call(ACCESS, path as u64, 0, 0, 0, 0, 0) == 0
}

pub unsafe fn close(file: i32) {
    call(CLOSE, file as u64, 0, 0, 0, 0, 0);
}

pub unsafe fn write(file: i32, from: *const u8, size: usize) {
    call(WRITE, file as u64, from as u64, size as u64, 0, 0, 0);
}

/// All of it, unless nobody can take it any more.
pub unsafe fn write_all(file: i32, mut from: *const u8, mut size: usize) {
    while size > 0 {
        match call(WRITE, file as u64, from as u64, size as u64, 0, 0, 0) {
            EINTR => {}
            EAGAIN => wait_for(file, POLLOUT),
            written if written > 0 => {
                from = from.add(written as usize);
                size -= written as usize;
            }
            _ => return,
        }
    }
}

/// What the file has next, at most so much; 0 at its end, nothing where it cannot be read.
pub unsafe fn read(file: i32, to: *mut u8, size: usize) -> Option<usize> {
    loop {
        match call(READ, file as u64, to as u64, size as u64, 0, 0, 0) {
            EINTR => {}
            EAGAIN => wait_for(file, POLLIN),
            result => return ok(result).map(|got| got as usize),
        }
    }
}

/// Back to the beginning of a file.
pub unsafe fn rewind(file: i32) {
    call(LSEEK, file as u64, 0, 0, 0, 0, 0);
}

const POLLIN: u64 = 1;
const POLLOUT: u64 = 4;

unsafe fn wait_for(file: i32, event: u64) {
    // struct pollfd.
    let wanted = [file as u64 | event << 32];
    call(POLL, wanted.as_ptr() as u64, 1, u64::MAX, 0, 0, 0);
}

/// A file in memory.
pub unsafe fn memory_file() -> Option<i32> {
    const MFD_CLOEXEC: u64 = 1;
    ok(call(MEMFD_CREATE, c"trial".as_ptr() as u64, MFD_CLOEXEC, 0, 0, 0, 0)).map(|file| file as i32)
}

pub unsafe fn dup2(file: i32, onto: i32) {
    call(DUP2, file as u64, onto as u64, 0, 0, 0, 0);
}

/// 0 in the new process.
pub unsafe fn fork() -> Option<u64> {
    ok(call(FORK, 0, 0, 0, 0, 0, 0))
}

/// The status of a process when it has ended.
pub unsafe fn wait(process: u64) -> Option<i32> {
    let mut status = MaybeUninit::<i32>::uninit();
    loop {
        match call(WAIT4, process, status.as_mut_ptr() as u64, 0, 0, 0, 0) {
            EINTR => {}
            result => return ok(result).map(|_| status.assume_init()),
        }
    }
}

pub unsafe fn fstat(file: i32) -> Option<Stat> {
    let mut status = MaybeUninit::<Stat>::uninit();
    ok(call(FSTAT, file as u64, status.as_mut_ptr() as u64, 0, 0, 0, 0))?;
    Some(status.assume_init())
}

pub unsafe fn mmap(
    at: *const u8,
    size: usize,
    prot: i32,
    flags: i32,
    file: i32,
    offset: u64,
) -> Option<*const u8> {
    let file = file as i64 as u64;
    ok(call(MMAP, at as u64, size as u64, prot as u64, flags as u64, file, offset)).map(|at| at as *const u8)
}

pub unsafe fn munmap(at: *const u8, size: usize) {
    call(MUNMAP, at as u64, size as u64, 0, 0, 0, 0);
}

pub unsafe fn brk() -> u64 {
    call(BRK, 0, 0, 0, 0, 0, 0) as u64
}

pub unsafe fn pread(file: i32, to: *mut u8, size: usize, offset: u64) -> Option<usize> {
    ok(call(PREAD, file as u64, to as u64, size as u64, offset, 0, 0)).map(|size| size as usize)
}

pub unsafe fn execve(path: *const u8, arguments: *mut *const u8, environment: *mut *const u8) {
    call(EXECVE, path as u64, arguments as u64, environment as u64, 0, 0, 0);
}

pub unsafe fn close_on_exec(file: i32, yes: bool) {
    const F_SETFD: u64 = 2;
    call(FCNTL, file as u64, F_SETFD, yes as u64, 0, 0, 0);
}

pub unsafe fn prctl(option: u64, a: u64, b: u64, c: u64) {
    call(PRCTL, option, a, b, c, 0, 0);
}

pub fn exit(code: u8) -> ! {
    loop {
        // SAFETY: it does not come back.
        unsafe { call(EXIT_GROUP, code as u64, 0, 0, 0, 0, 0) };
    }
}

/// The path of an open file, by the kernel, with a zero at its end.
pub unsafe fn path_of(file: i32, buffer: &mut [MaybeUninit<u8>; 1024]) -> Option<*const u8> {
    // "/proc/self/fd/" and the digits, made of numbers: a string would be data, though read-only data is fine too.
    let mut name = [0u8; 32];
    let prefix = b"/proc/self/fd/";
    let mut at = 0;
    while at < 14 {
        *name.as_mut_ptr().add(at) = *prefix.as_ptr().add(at);
        at += 1;
    }
    let (mut digits, mut rest) = (1, file / 10);
    while rest > 0 {
        digits += 1;
        rest /= 10;
    }
    let (mut place, mut rest) = (at + digits, file);
    while place > at {
        place -= 1;
        *name.as_mut_ptr().add(place) = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let start = buffer.as_mut_ptr().cast::<u8>();
    let length = ok(call(READLINK, name.as_ptr() as u64, start as u64, 1023, 0, 0, 0))?;
    if length >= 1023 {
        return None;
    }
    *start.add(length as usize) = 0;
    Some(start)
}

/// The hash that the table is ordered by.
pub unsafe fn hash(mut string: *const u8) -> u64 {
    let mut hash = crate::format::HASH_START;
    while *string != 0 {
        hash = crate::format::hash_step(hash, *string);
        string = string.add(1);
    }
    hash
}

/// Copies words, which may overlap.
pub unsafe fn copy(from: *const u64, to: *mut u64, count: usize) {
    let mut done = 0;
    while done < count {
        let at = if (to as usize) <= from as usize { done } else { count - 1 - done };
        to.add(at).write(from.add(at).read());
        done += 1;
    }
}

pub unsafe fn copy_bytes(from: *const u8, to: *mut u8, count: usize) {
    let mut at = 0;
    while at < count {
        *to.add(at) = *from.add(at);
        at += 1;
    }
}

pub unsafe fn zero(from: *mut u8, count: usize) {
    asm!("rep stosb", inout("rdi") from => _, in("al") 0_u8, inout("rcx") count => _, options(nostack));
}

#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
