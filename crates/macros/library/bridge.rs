//! What rustc takes for a library of procedural macros: `proc_macro::bridge` of Rust's library, all of it `#[repr(C)]`.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_void};

use crate::bytes::Bytes;
use crate::{c, server};

#[repr(C)]
pub struct Buffer {
    data: *mut u8,
    len: usize,
    capacity: usize,
    reserve: extern "C" fn(Buffer, usize) -> Buffer,
    drop: extern "C" fn(Buffer),
}

#[repr(C)]
pub struct Config {
    input: Buffer,
    call: unsafe extern "C" fn(*mut c_void, Buffer) -> Buffer,
    env: *mut c_void,
    force_show_panics: bool,
}

impl From<Bytes> for Buffer {
    fn from(bytes: Bytes) -> Self {
        let (data, len, capacity) = bytes.into_parts();
        Self { data, len, capacity, reserve, drop: free }
    }
}

/// Only of buffers made here.
unsafe fn bytes(buffer: Buffer) -> Bytes {
    Bytes::from_parts(buffer.data, buffer.len, buffer.capacity)
}

extern "C" fn reserve(buffer: Buffer, more: usize) -> Buffer {
    let mut bytes = unsafe { bytes(buffer) };
    bytes.reserve(more);
    bytes.into()
}

extern "C" fn free(buffer: Buffer) {
    drop(unsafe { bytes(buffer) });
}

/// Puts what a buffer of anybody's has in it behind `to`.
unsafe fn put(to: &mut Bytes, buffer: Buffer) {
    let content = if buffer.len == 0 { &[] } else { core::slice::from_raw_parts(buffer.data, buffer.len) };
    server::put(to, content);
    (buffer.drop)(buffer);
}

/// Runs a macro.
unsafe fn run(number: usize, config: Config) -> Buffer {
    let mut message = Bytes::new();
    message.push(b"R");
    message.push(&(number as u32).to_le_bytes());
    message.push(&u32::from(config.force_show_panics).to_le_bytes());
    put(&mut message, config.input);
    server::say(message.slice());
    loop {
        let kind = server::byte();
        let content = server::string();
        match kind {
            b'E' => return content.into(),
            b'D' => {
                let answer = (config.call)(config.env, content.into());
                let mut message = Bytes::new();
                message.push(b"A");
                put(&mut message, answer);
                server::say(message.slice());
            }
            _ => c::fail(c"the program that has its macros said something else"),
        }
    }
}

/// A macro is a function without an argument that would tell which: there is one function for each.
extern "C" fn macro_number<const NUMBER: usize>(config: Config) -> Buffer {
    unsafe { run(NUMBER, config) }
}

type Run = extern "C" fn(Config) -> Buffer;

macro_rules! numbered {
    ($($row:literal)*) => { [$(numbered!(row $row)),*] };
    (row $row:literal) => { numbered!(cells $row; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15) };
    (cells $row:literal; $($cell:literal)*) => { [$(macro_number::<{ $row * 16 + $cell }> as Run),*] };
}

static RUNS: [[Run; 16]; 32] =
    numbered!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);

/// Counters of handles, which rustc alone counts in: enough of them for any version, of either width.
struct Counters<T>(UnsafeCell<[T; 64]>);
unsafe impl<T> Sync for Counters<T> {}
static NARROW: Counters<u32> = Counters(UnsafeCell::new([1; 64]));
static WIDE: Counters<u64> = Counters(UnsafeCell::new([1; 64]));

extern "C" fn narrow() -> *mut c_void {
    NARROW.0.get().cast()
}

extern "C" fn wide() -> *mut c_void {
    WIDE.0.get().cast()
}

/// Libraries that were asked for, and how many macros there are. rustc loads them one after the other.
struct Known {
    libraries: [*mut c_void; 256],
    count: usize,
    macros: usize,
}

struct State(UnsafeCell<Known>);
unsafe impl Sync for State {}
static KNOWN: State = State(UnsafeCell::new(Known { libraries: [core::ptr::null_mut(); 256], count: 0, macros: 0 }));

/// Stands for a library: its path.
pub unsafe fn library(path: &CStr) -> *mut c_void {
    let known = &mut *KNOWN.0.get();
    if known.count == known.libraries.len() {
        c::fail(c"it has too many libraries of macros");
    }
    let mut copy = Bytes::new();
    copy.push(path.to_bytes_with_nul());
    let library = copy.into_parts().0.cast();
    known.libraries[known.count] = library;
    known.count += 1;
    library
}

/// The path of such a library.
pub unsafe fn path_of(library: *mut c_void) -> Option<&'static CStr> {
    let known = &*KNOWN.0.get();
    known.libraries[..known.count].contains(&library).then(|| CStr::from_ptr(library.cast()))
}

/// What rustc finds under the symbol: a list of macros, by its address and length.
pub unsafe fn declared(path: &CStr, symbol: &CStr) -> *mut c_void {
    let known = &mut *KNOWN.0.get();
    let mut message = Bytes::new();
    message.push(b"L");
    server::put(&mut message, path.to_bytes());
    server::put(&mut message, symbol.to_bytes());
    server::say(message.slice());
    if server::byte() != 1 {
        c::fail(c"a library of macros was not understood");
    }
    let (width, by_function) = (server::byte(), server::byte() == 1);
    let counters = match (width == 8, by_function) {
        (true, true) => wide as *const () as u64,
        (false, true) => narrow as *const () as u64,
        (true, false) => wide() as u64,
        (false, false) => narrow() as u64,
    };
    let count = server::number();
    let mut list = Bytes::new();
    for _ in 0..count {
        let kind = server::byte();
        let name = text();
        let attributes = server::number();
        let mut texts = Bytes::new();
        for _ in 0..attributes {
            push(&mut texts, &text());
        }
        let Some(run) = RUNS.as_flattened().get(known.macros) else { c::fail(c"it has too many macros") };
        known.macros += 1;
        // A kind of its own size, then what is largest of all kinds: name, attributes, counters, function.
        push(&mut list, &[u64::from(kind)]);
        push(&mut list, &name);
        if kind == 0 {
            let address = texts.into_parts().0 as u64;
            push(&mut list, &[address, attributes as u64, counters, *run as usize as u64]);
        } else {
            push(&mut list, &[counters, *run as usize as u64, 0, 0]);
        }
    }
    let mut whole = Bytes::new();
    push(&mut whole, &[list.into_parts().0 as u64, count as u64]);
    whole.into_parts().0.cast()
}

/// A string that stays, as its address and length.
unsafe fn text() -> [u64; 2] {
    let (data, len, _) = server::string().into_parts();
    [data as u64, len as u64]
}

fn push(to: &mut Bytes, words: &[u64]) {
    for word in words {
        to.push(&word.to_le_bytes());
    }
}
