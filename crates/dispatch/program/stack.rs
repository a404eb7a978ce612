//! The stack that a program starts with: arguments, environment, auxiliary vector.

use crate::elf::Mapped;
use crate::sys;
use crate::text;

pub const AT_NULL: u64 = 0;
pub const AT_IGNORE: u64 = 1;
pub const AT_EXECFD: u64 = 2;
pub const AT_PHDR: u64 = 3;
pub const AT_PHNUM: u64 = 5;
pub const AT_BASE: u64 = 7;
pub const AT_FLAGS: u64 = 8;
pub const AT_ENTRY: u64 = 9;
pub const AT_SECURE: u64 = 23;

const PR_SET_MM: u64 = 35;
const PR_SET_MM_MAP: u64 = 14;

/// struct prctl_mm_map.
#[repr(C)]
struct Memory {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    auxv: *const u64,
    auxv_size: u32,
    exe_fd: u32,
}

/// Before anything is rewritten, `top` is where the kernel left it: argc, then QEMU, the path, argv\[0\] and the rest.
pub struct Stack {
    top: *mut u64,
    /// First word of the environment.
    pub environment: *mut *const u8,
    aux: *mut u64,
    /// Strings of the table are in use.
    pub keeps_table: bool,
    entry_point: u64,
    code: u64,
    /// Where the kernel put the strings of the environment.
    strings: (u64, u64),
}

impl Stack {
    pub unsafe fn at(top: *mut u64) -> Self {
        let environment = top.add(*top as usize + 2);
        let mut aux = environment;
        while *aux != 0 {
            aux = aux.add(1);
        }
        let mut strings = (0, 0);
        if aux > environment {
            let last = *aux.sub(1) as *const u8;
            strings = (*environment, last as u64 + text::length(last) as u64 + 1);
        }
        Self {
            top,
            environment: environment.cast(),
            aux: aux.add(1),
            keeps_table: false,
            entry_point: 0,
            code: 0,
            strings,
        }
    }

    pub unsafe fn argc(&self) -> usize {
        *self.top as usize
    }

    /// The program's own arguments, argv\[0\] first; null ends them.
    pub unsafe fn arguments(&self) -> *mut *const u8 {
        self.top.add(3).cast()
    }

    /// The path that the program was started by.
    pub unsafe fn path(&self) -> *const u8 {
        *self.arguments().sub(1)
    }

    pub unsafe fn aux(&self, wanted: u64) -> Option<u64> {
        let mut at = self.aux;
        while *at != AT_NULL {
            if *at == wanted {
                return Some(*at.add(1));
            }
            at = at.add(2);
        }
        None
    }

    unsafe fn set(&mut self, wanted: u64, value: u64) {
        let mut at = self.aux;
        while *at != AT_NULL {
            if *at == wanted {
                *at.add(1) = value;
            }
            at = at.add(2);
        }
    }

    /// The value of a variable.
    pub unsafe fn variable(&self, name: *const u8) -> Option<*const u8> {
        let mut at = self.environment;
        while !(*at).is_null() {
            let size = text::length(name);
            if text::starts(*at, name) && *(*at).add(size) == b'=' {
                return Some((*at).add(size + 1));
            }
            at = at.add(1);
        }
        None
    }

    /// Takes a variable out of the environment; its value.
    pub unsafe fn take(&mut self, name: *const u8) -> Option<*const u8> {
        let value = self.variable(name)?;
        let mut at = self.environment;
        while *at != value.sub(text::length(name) + 1) {
            at = at.add(1);
        }
        self.remove(at);
        Some(value)
    }

    /// Adds variables to the environment.
    pub unsafe fn add(&mut self, count: usize, string: impl Fn(usize) -> *const u8) {
        let words = self.environment.cast::<u64>().offset_from(self.top) as usize;
        let top = self.top.sub(count);
        sys::copy(self.top, top, words);
        self.top = top;
        self.environment = self.environment.sub(count);
        let mut at = 0;
        while at < count {
            *self.environment.add(at) = string(at);
            at += 1;
        }
        self.keeps_table = true;
    }

    /// Adds an argument behind the others.
    pub unsafe fn append(&mut self, argument: *const u8) {
        let words = *self.top as usize + 1;
        let top = self.top.sub(1);
        sys::copy(self.top, top, words);
        *top += 1;
        *top.add(words) = argument as u64;
        self.top = top;
        self.keeps_table = true;
    }

    /// Takes a variable out of the environment; what lies before it moves up.
    pub unsafe fn remove(&mut self, variable: *mut *const u8) {
        let words = variable.cast::<u64>().offset_from(self.top) as usize;
        sys::copy(self.top, self.top.add(1), words);
        self.top = self.top.add(1);
        self.environment = self.environment.add(1);
    }

    /// A program finds its stack aligned to 16 bytes (the ABI's 3.4.1). The auxiliary vector has to follow the
    /// environment, so all of it moves, down, where nothing is in the way.
    pub unsafe fn align(&mut self) {
        if self.top as u64 & 15 == 0 {
            return;
        }
        let mut end = self.aux;
        while *end != AT_NULL {
            end = end.add(2);
        }
        let top = self.top.sub(1);
        sys::copy(self.top, top, end.add(2).offset_from(self.top) as usize);
        self.top = top;
        self.environment = self.environment.sub(1);
        self.aux = self.aux.sub(1);
    }

    /// The two leading arguments go, and the auxiliary vector tells of the twin.
    pub unsafe fn rewrite(&mut self, program: &Mapped, base: u64) {
        let count = *self.top - 2;
        self.top = self.top.add(2);
        *self.top = count;
        self.set(AT_PHDR, program.phdr);
        self.set(AT_PHNUM, program.phnum);
        self.set(AT_ENTRY, program.entry);
        self.set(AT_BASE, base);
        self.set(AT_FLAGS, 0);
        let mut at = self.aux;
        while *at != AT_NULL {
            if *at == AT_EXECFD {
                *at = AT_IGNORE;
            }
            at = at.add(2);
        }
        self.entry_point = program.entry;
        self.code = program.start;
    }

    pub fn pointer(&self) -> u64 {
        self.top as u64
    }

    /// Lets /proc/PID/cmdline and auxv show what the program itself sees (prctl(2), PR_SET_MM_MAP; needs no privilege as
    /// the executable stays). Where the kernel refuses, these show more, and nothing else depends on it.
    pub unsafe fn tell_kernel(&self) {
        let mut end = self.aux;
        while *end != AT_NULL {
            end = end.add(2);
        }
        let auxv_size = (end.add(2).offset_from(self.aux) as u32) * 8;
        self.show(self.top.add(1).cast(), *self.top as usize, (self.code, self.entry_point), auxv_size);
    }

    /// The same where QEMU goes on: /proc/PID/cmdline shows what a process of the target would. The auxiliary vector stays:
    /// AT_EXECFD in it is how others know that the process is emulated.
    pub unsafe fn tell_kernel_of_emulated(&self) {
        let (Some(headers), Some(entry)) = (self.aux(AT_PHDR), self.aux(AT_ENTRY)) else { return };
        if self.argc() > 2 {
            self.show(self.arguments(), self.argc() - 2, (headers.min(entry), headers.max(entry)), 0);
        }
    }

    unsafe fn show(&self, arguments: *mut *const u8, count: usize, code: (u64, u64), auxv_size: u32) {
        if count == 0 {
            return;
        }
        let arg_start = *arguments as u64;
        // Arguments from the table are elsewhere; those that were added are behind all others.
        let mut last = arg_start as *const u8;
        let mut at = 0;
        while at < count {
            last = last.max(*arguments.add(at));
            at += 1;
        }
        let arg_end = last as u64 + text::length(last) as u64 + 1;
        let brk = sys::brk();
        let map = Memory {
            start_code: code.0,
            end_code: code.1,
            start_data: code.1,
            end_data: code.1,
            start_brk: brk,
            brk,
            start_stack: self.top as u64,
            arg_start,
            arg_end,
            env_start: self.strings.0,
            env_end: self.strings.1,
            auxv: if auxv_size > 0 { self.aux } else { core::ptr::null() },
            auxv_size,
            exe_fd: u32::MAX,
        };
        sys::prctl(PR_SET_MM, PR_SET_MM_MAP, &raw const map as u64, core::mem::size_of::<Memory>() as u64);
    }
}
