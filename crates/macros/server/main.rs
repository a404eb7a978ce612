//! Loads procedural macros and runs them for a rustc that is of another machine: see the crate `archmill-macros`.
//!
//! Compiled by the rustc of the build root, so for old ones too. Speaks over the socket whose number is its argument:
//! numbers of 32 bits and strings with their length before them, little-endian.
//!
//! `L` path symbol: loads the library, and answers 1, the width of its counters, whether they are found by a function, the number
//! of macros, and each macro's kind, name and attributes; or 0.
//! `R` macro show-panics input: runs the macro. It answers `D` request for each question of the macro to rustc, whose
//! answer it waits for, and `E` output at the end.

use std::ffi::{CString, OsStr};
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::raw::{c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::FromRawFd;
use std::os::unix::net::UnixStream;

extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

// proc_macro::bridge, all of it #[repr(C)].

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
    call: extern "C" fn(*mut c_void, Buffer) -> Buffer,
    env: *mut c_void,
    force_show_panics: bool,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Client {
    counters: usize,
    run: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Text {
    data: *const u8,
    len: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Derive {
    name: Text,
    attributes: Text,
    client: Client,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Other {
    name: Text,
    client: Client,
}

#[repr(C)]
#[derive(Clone, Copy)]
union Macro {
    derive: Derive,
    other: Other,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Declared {
    kind: u32,
    of: Macro,
}

fn buffer(bytes: Vec<u8>) -> Buffer {
    let mut bytes = ManuallyDrop::new(bytes);
    Buffer { data: bytes.as_mut_ptr(), len: bytes.len(), capacity: bytes.capacity(), reserve, drop: free }
}

/// Only of buffers made here.
fn bytes(buffer: Buffer) -> Vec<u8> {
    unsafe { Vec::from_raw_parts(buffer.data, buffer.len, buffer.capacity) }
}

extern "C" fn reserve(given: Buffer, more: usize) -> Buffer {
    let mut bytes = bytes(given);
    bytes.reserve(more);
    buffer(bytes)
}

extern "C" fn free(given: Buffer) {
    drop(bytes(given));
}

/// What a buffer of anybody's has in it.
fn content(given: Buffer) -> Vec<u8> {
    let copy = if given.len == 0 { Vec::new() } else { unsafe { std::slice::from_raw_parts(given.data, given.len) }.to_vec() };
    (given.drop)(given);
    copy
}

struct Wire(UnixStream);

impl Wire {
    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.0.read_exact(&mut byte).ok().map(|()| byte[0])
    }

    fn number(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.read_exact(&mut bytes).expect("rustc has ended");
        u32::from_le_bytes(bytes)
    }

    fn string(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.number() as usize];
        self.0.read_exact(&mut bytes).expect("rustc has ended");
        bytes
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("rustc has ended");
    }

    fn answer(&mut self, kind: u8, content: &[u8]) {
        let mut all = Vec::with_capacity(content.len() + 5);
        all.push(kind);
        put(&mut all, content);
        self.say(&all);
    }
}

fn put(to: &mut Vec<u8>, string: &[u8]) {
    to.extend_from_slice(&(string.len() as u32).to_le_bytes());
    to.extend_from_slice(string);
}

/// A question of the macro to rustc.
extern "C" fn ask(wire: *mut c_void, question: Buffer) -> Buffer {
    let wire = unsafe { &mut *wire.cast::<Wire>() };
    let question = content(question);
    wire.answer(b'D', &question);
    // Anything else is a macro inside of a macro, which has no answer here.
    if wire.byte() != Some(b'A') {
        std::process::exit(1);
    }
    buffer(wire.string())
}

/// What is allowed with memory that lies in one mapping, by /proc/self/maps.
fn allowed(address: usize, size: usize, maps: &str) -> Option<&str> {
    let number = |text: &str| usize::from_str_radix(text, 16).ok();
    let end = address.checked_add(size)?;
    maps.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (first, last) = words.next()?.split_once('-')?;
        let inside = number(first)? <= address && end <= number(last)?;
        if inside { words.next() } else { None }
    })
}

/// Whether there is code at an address: whoever's bridge is another has something else there.
fn is_code(address: usize, maps: &str) -> bool {
    allowed(address, 1, maps).map_or(false, |how| how.contains('x'))
}

fn is_data(address: usize, size: usize, maps: &str) -> bool {
    allowed(address, size, maps).is_some()
}

/// The text, if it is a name.
fn text(given: Text, maps: &str) -> Option<Vec<u8>> {
    if given.len > 4096 || !is_data(given.data as usize, given.len, maps) {
        return None;
    }
    let text = unsafe { std::slice::from_raw_parts(given.data, given.len) }.to_vec();
    std::str::from_utf8(&text).ok()?;
    Some(text)
}

/// What a library declares, as the answer tells it.
fn load(path: &[u8], symbol: &[u8], macros: &mut Vec<usize>) -> Option<Vec<u8>> {
    let path = CString::new(OsStr::from_bytes(path).as_bytes()).ok()?;
    let symbol = CString::new(symbol).ok()?;
    // RTLD_LAZY, as rustc does.
    let library = unsafe { dlopen(path.as_ptr(), 1) };
    if library.is_null() {
        return None;
    }
    let declared = unsafe { dlsym(library, symbol.as_ptr()) }.cast::<Text>();
    if declared.is_null() {
        return None;
    }
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let declared = unsafe { *declared };
    let size = std::mem::size_of::<Declared>();
    if declared.len > 4096 || !is_data(declared.data as usize, declared.len * size, &maps) {
        return None;
    }
    let all = unsafe { std::slice::from_raw_parts(declared.data.cast::<Declared>(), declared.len) };
    let mut answer = Vec::new();
    let (mut width, mut function) = (0, false);
    for one in all {
        let (name, attributes, client) = match one.kind {
            0 => unsafe { (one.of.derive.name, one.of.derive.attributes, one.of.derive.client) },
            1 | 2 => unsafe { (one.of.other.name, Text { data: std::ptr::null(), len: 0 }, one.of.other.client) },
            _ => return None,
        };
        if !is_code(client.run, &maps) {
            return None;
        }
        function = is_code(client.counters, &maps);
        let counters = if function {
            let get: extern "C" fn() -> *const [u32; 2] = unsafe { std::mem::transmute(client.counters) };
            get()
        } else {
            client.counters as *const [u32; 2]
        };
        if !is_data(counters as usize, 8, &maps) {
            return None;
        }
        // All of them begin at 1 and grow with each use.
        width = if unsafe { *counters }[1] == 0 { 8 } else { 4 };
        macros.push(client.run);
        answer.push(one.kind as u8);
        put(&mut answer, &text(name, &maps)?);
        if attributes.len > 4096 || attributes.len > 0 && !is_data(attributes.data as usize, attributes.len * std::mem::size_of::<Text>(), &maps) {
            return None;
        }
        answer.extend_from_slice(&(attributes.len as u32).to_le_bytes());
        for number in 0..attributes.len {
            let attribute = unsafe { *attributes.data.cast::<Text>().add(number) };
            put(&mut answer, &text(attribute, &maps)?);
        }
    }
    let mut whole = vec![1, width, function as u8];
    whole.extend_from_slice(&(all.len() as u32).to_le_bytes());
    whole.extend_from_slice(&answer);
    Some(whole)
}

fn main() {
    let socket = std::env::args().nth(1).and_then(|text| text.parse().ok()).expect("the number of a socket");
    let mut wire = Wire(unsafe { UnixStream::from_raw_fd(socket) });
    let mut macros = Vec::new();
    while let Some(kind) = wire.byte() {
        if kind == b'L' {
            let (path, symbol) = (wire.string(), wire.string());
            let known = macros.len();
            let answer = load(&path, &symbol, &mut macros).unwrap_or_else(|| {
                macros.truncate(known);
                vec![0]
            });
            wire.say(&answer);
        } else if kind == b'R' {
            let number = wire.number() as usize;
            let force_show_panics = wire.number() != 0;
            let input = buffer(wire.string());
            let run: extern "C" fn(Config) -> Buffer = unsafe { std::mem::transmute(macros[number]) };
            let env = (&mut wire as *mut Wire).cast();
            let output = content(run(Config { input, call: ask, env, force_show_panics }));
            wire.answer(b'E', &output);
        } else {
            return;
        }
    }
}
