//! What a process runs: its executable, or for an emulator what that runs.
//!
//! This is asked for every process that ends, so it takes as few system calls as it can and allocates nothing.

use std::ffi::CStr;
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, open, openat, readlinkat_raw};

use crate::memory;

/// Longest path that is kept.
const LONGEST_PATH: usize = 1024;
/// What is read of a command line: the paths of emulator and program, and what else is looked at.
const COMMAND_LINE: usize = 4096;
/// Words of a native program's command line that may be the script it runs: each #! line puts two before it.
const SCRIPT_WITHIN: usize = 6;
/// The entry of the auxiliary vector that points to the path that was executed (getauxval(3)).
const AT_EXECFN: u64 = 31;
/// The one with the program's file, for an interpreter that was started for it.
const AT_EXECFD: u64 = 2;

/// A program that a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program<'a> {
    pub(crate) path: &'a [u8],
    /// The CPU runs it itself.
    pub(crate) native: bool,
}

/// Finds out.
pub(crate) struct Programs {
    /// Paths of emulators on the host.
    interpreters: Vec<PathBuf>,
    proc: OwnedFd,
    buffer: Box<[u8; COMMAND_LINE]>,
    path: Box<[u8; LONGEST_PATH]>,
}

impl Programs {
    pub(crate) fn new(interpreters: Vec<PathBuf>) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = open("/proc", flags, Mode::empty())?;
        Ok(Self {
            interpreters,
            proc,
            buffer: Box::new([0; COMMAND_LINE]),
            path: Box::new([0; LONGEST_PATH]),
        })
    }

    /// Of a process that is about to end and waits.
    pub(crate) fn of(&mut self, pid: u32) -> Program<'_> {
        if self.interpreters.is_empty() {
            let path = self.executable(pid);
            return Program { path: &self.path[..path], native: true };
        }
        let line = self.command_line(pid);
        // Where the emulator still stands first, its path need not be asked for.
        let first = &self.buffer[word(&self.buffer[..line], 0)];
        if self.interpreters.iter().any(|path| path.as_os_str().as_bytes() == first) {
            return self.emulated(line);
        }
        let path = self.executable(pid);
        if !self.is_interpreter(&self.path[..path]) {
            return Program { path: &self.path[..path], native: true };
        }
        let first = &self.buffer[word(&self.buffer[..line], 0)];
        if self.is_interpreter(first) {
            return self.emulated(line);
        }
        // The command line was made that of the program. Where the emulator handed over to a native one, it has not kept the
        // file of the target's.
        let (path, emulated) = self.executed(pid);
        let path = started(&self.buffer[..line], &self.path[..path]);
        Program { path, native: !emulated }
    }

    /// From a command line of interpreter, program, and the program's own arguments from argv[0] on.
    fn emulated(&self, line: usize) -> Program<'_> {
        let program = word(&self.buffer[..line], 1);
        let program = if program.is_empty() { word(&self.buffer[..line], 0) } else { program };
        let path = &self.buffer[program];
        Program { path: &path[..path.len().min(LONGEST_PATH)], native: false }
    }

    /// The emulator lives outside of the root, so its path here is not the one it was opened by: of a mount of its own
    /// it is the root.
    fn is_interpreter(&self, path: &[u8]) -> bool {
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        let name = path.rsplit(|byte| *byte == b'/').next();
        let is_name = |name: &[u8]| {
            self.interpreters.iter().any(|path| path.file_name().is_some_and(|own| own.as_bytes() == name))
        };
        path == b"/" || name.is_some_and(is_name)
    }

    /// Reads the path of the executable; gives its length.
    fn executable(&mut self, pid: u32) -> usize {
        with_name(pid, "exe", |name| readlinkat_raw(&self.proc, name, &mut self.path[..]))
    }

    /// Reads the beginning of the command line; gives its length.
    fn command_line(&mut self, pid: u32) -> usize {
        with_name(pid, "cmdline", |name| read_file(&self.proc, name, &mut self.buffer[..]))
    }

    /// Reads the path that was executed, as it was given; gives its length, and whether an emulator executes it.
    fn executed(&mut self, pid: u32) -> (usize, bool) {
        let mut vector = [0; 1024];
        let length = with_name(pid, "auxv", |name| read_file(&self.proc, name, &mut vector));
        let vector = &vector[..length];
        let emulated = entry(vector, AT_EXECFD).is_some();
        let Some(address) = entry(vector, AT_EXECFN) else { return (0, emulated) };
        let length = memory::read(pid, address, &mut self.path[..]).unwrap_or(0);
        (word(&self.path[..length], 0).end, emulated)
    }
}

/// Calls with the path of a process's file below /proc. What cannot be read is empty.
fn with_name(pid: u32, file: &str, act: impl FnOnce(&CStr) -> rustix::io::Result<usize>) -> usize {
    let mut name = [0_u8; 32];
    // Cannot fail: numbers have ten digits at most.
    let _ = write!(&mut name[..], "{pid}/{file}");
    CStr::from_bytes_until_nul(&name).map_or(0, |name| act(name).unwrap_or(0))
}

fn read_file(folder: &OwnedFd, name: &CStr, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    let file = openat(folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::read(&file, buffer)
}

/// Where word `index` of a command line is.
fn word(line: &[u8], index: usize) -> Range<usize> {
    let mut start = 0;
    for _ in 0..index {
        match line[start..].iter().position(|byte| *byte == 0) {
            Some(length) => start += length + 1,
            None => return 0..0,
        }
    }
    let length = line[start..].iter().position(|byte| *byte == 0);
    start..length.map_or(line.len(), |length| start + length)
}

/// A value of the auxiliary vector of a 64-bit program.
fn entry(vector: &[u8], wanted: u64) -> Option<u64> {
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_ne_bytes);
    vector
        .chunks_exact(16)
        .find(|pair| number(&pair[..8]) == Some(wanted))
        .and_then(|pair| number(&pair[8..]))
}

/// The program that was started as `executed`, a relative path perhaps. For a script that is the script; the program is its
/// interpreter, whose path comes first in the command line and that of the script after it.
fn started<'a>(line: &'a [u8], executed: &'a [u8]) -> &'a [u8] {
    let mut words = line.split(|byte| *byte == 0);
    let first = words.next().unwrap_or_default();
    let is_script = first.starts_with(b"/") && words.take(SCRIPT_WITHIN).any(|word| word == executed);
    if executed.is_empty() || is_script { &first[..first.len().min(LONGEST_PATH)] } else { executed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command_line_are_found() {
        let line = b"/usr/bin/qemu\0/bin/ls\0\0-l\0";
        let words: Vec<&[u8]> = (0..5).map(|index| &line[word(line, index)]).collect();
        assert_eq!(words, [&b"/usr/bin/qemu"[..], b"/bin/ls", b"", b"-l", b""]);
        assert_eq!((word(line, 7), word(b"", 0), word(b"", 1)), (0..0, 0..0, 0..0));
        assert_eq!(word(b"cut off", 0), 0..7);
    }

    #[test]
    fn a_program_has_the_path_that_was_executed_and_a_script_its_interpreter() {
        let name = |line: &[u8], executed: &'static [u8]| started(line, executed).to_vec();
        assert_eq!(name(b"ls\0-l\0", b"/usr/bin/ls"), b"/usr/bin/ls");
        assert_eq!(name(b"../ls\0", b"../ls"), b"../ls");
        assert_eq!(name(b"/bin/sh\0-e\0/build/configure\0x\0", b"/build/configure"), b"/bin/sh");
        assert_eq!(name(b"/bin/sh\0./configure\0", b"./configure"), b"/bin/sh");
        assert_eq!(name(b"cat\0/bin/cat\0", b"/bin/cat"), b"/bin/cat");
        assert_eq!(name(b"ls\0", b""), b"ls");
    }

    #[test]
    fn this_process_is_named_by_each_of_its_files() {
        let own = std::process::id();
        let exe = std::env::current_exe().unwrap();
        let mut programs = Programs::new(Vec::new()).unwrap();
        assert_eq!(programs.of(own), Program { path: exe.as_os_str().as_bytes(), native: true });
        let (length, emulated) = programs.executed(own);
        assert!(!emulated);
        let executed = programs.path[..length].to_vec();
        assert!(executed.ends_with(exe.file_name().unwrap().as_bytes()), "{executed:?}");
        // As if the emulator had started it and then moved the command line on.
        let mut programs = Programs::new(vec![exe.with_file_name("other")]).unwrap();
        assert_eq!(programs.of(own), Program { path: exe.as_os_str().as_bytes(), native: true });
        // The host may have removed its file meanwhile.
        let programs = Programs::new(vec![exe.clone()]).unwrap();
        assert!(programs.is_interpreter(b"/ (deleted)") && !programs.is_interpreter(b"/usr/bin/ls"));
        let mut programs = Programs::new(vec![exe]).unwrap();
        assert!(!programs.of(own).native, "its command line begins with the interpreter");
    }
}
