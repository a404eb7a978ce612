//! Loaded into a program of this machine before the C library: see the crate `archmill-longdouble`.
//!
//! No library but the C library, whose symbols are meant without a version, and nothing that could unwind.
#![no_std]
#![allow(unsafe_op_in_unsafe_fn, reason = "all of this file is below the level where safety could be shown")]

use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicBool, Ordering};

/// What was read last, as the target has it, and the number of 80 bits that the program was given for it.
#[repr(C, align(16))]
struct Last {
    value: UnsafeCell<[u8; 16]>,
    given: UnsafeCell<[u8; 16]>,
}

// SAFETY: as safe as errno was before threads. What reads and prints numbers here has one thread.
unsafe impl Sync for Last {}

static LAST: Last = Last { value: UnsafeCell::new([0; 16]), given: UnsafeCell::new([0; 16]) };
static READY: AtomicBool = AtomicBool::new(false);
const GIVEN: usize = 10;

/// `struct printf_info` of <printf.h>.
#[repr(C)]
#[derive(Clone, Copy)]
struct Info {
    precision: c_int,
    width: c_int,
    conversion: c_int,
    flags: u16,
    user: u16,
    pad: c_int,
}

const IS_LONG_DOUBLE: u16 = 1 << 0;
const ALTERNATE: u16 = 1 << 3;
const SPACE: u16 = 1 << 4;
const LEFT: u16 = 1 << 5;
const SIGN: u16 = 1 << 6;
#[cfg(bits = "128")]
const IS_BINARY128: u16 = 1 << 12;
/// printf(3) is to do it itself.
const NOT_MINE: c_int = -2;

type Print = unsafe extern "C" fn(*mut c_void, *const Info, *const *const c_void) -> c_int;
type Describe = unsafe extern "C" fn(*const Info, usize, *mut c_int, *mut c_int) -> c_int;

unsafe extern "C" {
    fn register_printf_specifier(conversion: c_int, print: Print, describe: Describe) -> c_int;
    #[cfg(bits = "128")]
    fn __printf_fp(stream: *mut c_void, info: *const Info, arguments: *const *const c_void) -> c_int;
    fn fwrite(bytes: *const u8, size: usize, count: usize, stream: *mut c_void) -> usize;
}

/// strtold(3): st(0) has the number of 80 bits; what has become of errno and the end is what the target's would have said.
///
/// # Safety
///
/// As of the C library's.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn strtold(text: *const c_char, end: *mut *mut c_char) {
    core::arch::naked_asm!(
        "push rbx",
        "push r12",
        "sub rsp, 24",
        "mov rbx, rdi",
        "mov r12, rsi",
        "call {prepare}",
        "call {errno}",
        "mov ecx, [rax]",
        "mov [rsp + 8], ecx",
        "mov rdi, rbx",
        "call {given}",
        "fstp tbyte ptr [rip + {last} + 16]",
        "call {errno}",
        "mov ecx, [rsp + 8]",
        "mov [rax], ecx",
        "mov rdi, rbx",
        "mov rsi, r12",
        "call {read}",
        "movups [rip + {last}], xmm0",
        "fld tbyte ptr [rip + {last} + 16]",
        "add rsp, 24",
        "pop r12",
        "pop rbx",
        "ret",
        prepare = sym prepare,
        errno = sym errno,
        given = sym given,
        read = sym read,
        last = sym LAST,
    )
}

/// The number for the program, in st(0).
#[unsafe(naked)]
unsafe extern "C" fn given(text: *const c_char) {
    #[cfg(bits = "128")]
    core::arch::naked_asm!("xor esi, esi", "jmp strtof64x@PLT");
    #[cfg(bits = "64")]
    core::arch::naked_asm!(
        "sub rsp, 8",
        "xor esi, esi",
        "call strtod@PLT",
        "movsd [rsp], xmm0",
        "fld qword ptr [rsp]",
        "add rsp, 8",
        "ret",
    );
}

/// The number as the target has it, in xmm0.
#[unsafe(naked)]
unsafe extern "C" fn read(text: *const c_char, end: *mut *mut c_char) {
    #[cfg(bits = "128")]
    core::arch::naked_asm!("jmp strtof128@PLT");
    #[cfg(bits = "64")]
    core::arch::naked_asm!("jmp strtod@PLT");
}

#[unsafe(naked)]
unsafe extern "C" fn errno() -> *mut c_int {
    core::arch::naked_asm!("jmp __errno_location@PLT");
}

/// strfromd(3) of the number.
#[unsafe(naked)]
unsafe extern "C" fn format(buffer: *mut u8, size: usize, format: *const u8, value: *const [u8; 16]) -> c_int {
    #[cfg(bits = "128")]
    core::arch::naked_asm!("movups xmm0, [rcx]", "jmp strfromf128@PLT");
    #[cfg(bits = "64")]
    core::arch::naked_asm!("movsd xmm0, [rcx]", "jmp strfromd@PLT");
}

/// With the first number, as printf(3) takes longer from then on.
unsafe extern "C" fn prepare() {
    if !READY.swap(true, Ordering::Relaxed) {
        for conversion in b"aAeEfFgG" {
            register_printf_specifier((*conversion).into(), print, describe);
        }
    }
}

/// What arguments these want: printf(3) knows.
unsafe extern "C" fn describe(_: *const Info, _: usize, _: *mut c_int, _: *mut c_int) -> c_int {
    -1
}

unsafe extern "C" fn print(stream: *mut c_void, info: *const Info, arguments: *const *const c_void) -> c_int {
    let info = *info;
    let (wanted, given) = ((*arguments).cast::<[u8; GIVEN]>(), LAST.given.get().cast::<[u8; GIVEN]>());
    if info.flags & IS_LONG_DOUBLE == 0 || *wanted != *given {
        return NOT_MINE;
    }
    if info.conversion == b'a'.into() || info.conversion == b'A'.into() {
        return print_hexadecimal(stream, &info);
    }
    // A number of 64 bits is the same with 80.
    #[cfg(bits = "64")]
    return NOT_MINE;
    #[cfg(bits = "128")]
    {
        let value: *const c_void = LAST.value.get().cast();
        __printf_fp(stream, &Info { flags: info.flags | IS_BINARY128, ..info }, &value)
    }
}

/// Text that is put together.
struct Line {
    bytes: [u8; 1024],
    size: usize,
}

impl Line {
    fn put(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.size) {
            *place = byte;
            self.size += 1;
        }
    }

    fn put_all(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.put(*byte);
        }
    }
}

/// Which digit is the first, and so which number the exponent is, differs with 80 bits.
unsafe fn print_hexadecimal(stream: *mut c_void, info: &Info) -> c_int {
    let mut wanted = [0; 16];
    let mut at = 0;
    let mut put = |byte: u8| {
        wanted[at] = byte;
        at += 1;
    };
    put(b'%');
    if info.precision >= 0 {
        put(b'.');
        let mut unit = 1_000_000_000;
        while unit > 1 && info.precision / unit == 0 {
            unit /= 10;
        }
        while unit > 0 {
            put(b'0' + (info.precision / unit % 10) as u8);
            unit /= 10;
        }
    }
    put(info.conversion as u8);
    let mut buffer = [0; 512];
    let size = format(buffer.as_mut_ptr(), buffer.len(), wanted.as_ptr(), LAST.value.get());
    let Some(text) = usize::try_from(size).ok().filter(|size| *size < buffer.len()).map(|size| &buffer[..size]) else {
        return NOT_MINE;
    };
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let is_number = digits.starts_with(b"0x") || digits.starts_with(b"0X");
    let (start, rest) = digits.split_at(if is_number { 2 } else { 0 });
    let mut line = Line { bytes: [0; 1024], size: 0 };
    let sign = match info.flags {
        _ if negative => Some(b'-'),
        flags if flags & SIGN != 0 => Some(b'+'),
        flags if flags & SPACE != 0 => Some(b' '),
        _ => None,
    };
    let point = is_number && info.flags & ALTERNATE != 0 && !rest.contains(&b'.');
    let size = digits.len() + usize::from(sign.is_some()) + usize::from(point);
    let fill = usize::try_from(info.width).unwrap_or(0).saturating_sub(size);
    if size + fill > line.bytes.len() {
        return NOT_MINE;
    }
    let left = info.flags & LEFT != 0;
    let zeros = is_number && !left && info.pad == b'0'.into();
    for _ in 0..if left || zeros { 0 } else { fill } {
        line.put(b' ');
    }
    if let Some(sign) = sign {
        line.put(sign);
    }
    line.put_all(start);
    for _ in 0..if zeros { fill } else { 0 } {
        line.put(b'0');
    }
    for (number, byte) in rest.iter().enumerate() {
        line.put(*byte);
        if point && number == 0 {
            line.put(b'.');
        }
    }
    for _ in 0..if left { fill } else { 0 } {
        line.put(b' ');
    }
    if fwrite(line.bytes.as_ptr(), 1, line.size, stream) == line.size { line.size as c_int } else { -1 }
}

// Named by code that could unwind, which there is none of.
core::arch::global_asm!(".globl rust_eh_personality", ".hidden rust_eh_personality", "rust_eh_personality: ud2");

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn abort() -> !;
    }
    // SAFETY: it may be called at any time.
    unsafe { abort() }
}
