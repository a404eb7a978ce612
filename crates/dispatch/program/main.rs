//! The code that runs first in every process of a foreign program: runs the twin, or lets QEMU go on.
//!
//! It is no program of its own. Its single segment is added to a static QEMU (see `combine` in the crate), whose entry
//! point it takes. The kernel starts it, as the interpreter of binfmt_misc with the flags P and O, with the stack
//! `QEMU PATH ARGV0 ARGUMENT...` and the opened file in AT_EXECFD. Where the table has a twin for that very file,
//! and no rule is against it, the twin is mapped as the kernel would have done (execve(2), elf(5)) and entered;
//! else QEMU's own entry point is, with the stack as it was. So a twin costs no second execve(2), and nothing that is
//! not in the table costs more than a look into it.
//!
//! No libraries, no relocations, no writable data, no panics: it must run wherever it is mapped.
#![no_std]
#![no_builtins]
#![no_main]
#![allow(unsafe_op_in_unsafe_fn, reason = "all of this file is below the level where safety could be shown")]

mod elf;
mod rules;
mod stack;
mod sys;
mod text;
mod trial;
#[path = "../src/format.rs"]
#[allow(dead_code, reason = "the other half is for the writer")]
mod format;

use format::{ENTRY_SIZE, HEADER_SIZE, MAGIC};
use stack::Stack;

core::arch::global_asm!(
    // Found by its name; the writer puts the way to QEMU's entry point behind it.
    ".section .text.entry,\"ax\",@progbits",
    ".balign 16",
    "archmill_head:",
    ".ascii \"archmill-entry01\"",
    ".quad 0",
    ".globl _start",
    "_start:",
    // Room for what is added to the arguments and the environment.
    "mov rdi, rsp",
    "sub rsp, 4096",
    "and rsp, -16",
    "call {main}",
    "mov rsp, rdx",
    "test rax, rax",
    "jnz 2f",
    "lea rax, [rip + archmill_head]",
    "add rax, [rax + 16]",
    "2:",
    "xor edx, edx",
    "xor ebp, ebp",
    "jmp rax",
    main = sym main,
);

/// Where to go on: entry point (0: QEMU's) and stack pointer.
#[repr(C)]
pub struct Next {
    entry: u64,
    stack: u64,
}

unsafe extern "C" fn main(top: *mut u64) -> Next {
    let mut stack = Stack::at(top);
    let entry = match twin(&mut stack) {
        Some(entry) => entry,
        None => 0,
    };
    stack.align();
    if entry != 0 {
        stack.tell_kernel();
    } else {
        stack.tell_kernel_of_emulated();
    }
    Next { entry, stack: stack.pointer() }
}

unsafe fn twin(stack: &mut Stack) -> Option<u64> {
    // A set-id program gains rights, which libraries from elsewhere have no part in.
    if stack.argc() < 3 || stack.aux(stack::AT_SECURE) != Some(0) {
        return None;
    }
    let file = stack.aux(stack::AT_EXECFD)? as i32;
    let table = Table::open()?;
    let given_up = stack.take(format::EMULATE.as_ptr());
    rules::strip(stack, &table);
    let next = match given_up {
        None => run(stack, &table, file),
        Some(reason) => {
            rules::log_of(stack, file, reason);
            None
        }
    };
    if next.is_none() || !stack.keeps_table {
        sys::munmap(table.start, table.size);
    }
    next
}

unsafe fn run(stack: &mut Stack, table: &Table, file: i32) -> Option<u64> {
    let mut buffer = [core::mem::MaybeUninit::<u8>::uninit(); 1024];
    let path = sys::path_of(file, &mut buffer)?;
    let entry = table.find(path)?;
    let status = sys::fstat(file)?;
    // Another file of this name: upgraded, diverted or made by the build.
    if status.st_size as u64 != field(entry, format::SIZE) || status.st_mtime as u64 != field(entry, format::MTIME) {
        return None;
    }
    if let Some(reason) = rules::against(stack, table, entry) {
        rules::log(stack, path, reason);
        return None;
    }
    if entry.add(format::TRIED).cast::<u32>().read_unaligned() != 0 && !trial::begin(stack, table, path) {
        return None;
    }
    if entry.add(format::EXECUTED).cast::<u32>().read_unaligned() != 0 {
        return execute(stack, table, entry, file);
    }
    let program = elf::map(table.string(entry, format::PROGRAM)?)?;
    let mut start = program.entry;
    let mut base = 0;
    if program.dynamic {
        let loader = elf::map(table.string(table.start, format::LOADER)?)?;
        start = loader.entry;
        base = loader.base;
    }
    rules::arguments(stack, table, entry);
    rules::environment(stack, table, entry);
    stack.rewrite(&program, base);
    sys::close(file);
    Some(start)
}

/// Starts a twin that cannot be entered from here. Comes back only if the kernel refuses; then QEMU goes on.
unsafe fn execute(stack: &mut Stack, table: &Table, entry: *const u8, file: i32) -> Option<u64> {
    let program = table.string(entry, format::PROGRAM)?;
    rules::environment(stack, table, entry);
    sys::close_on_exec(file, true);
    sys::execve(program, stack.arguments(), stack.environment);
    sys::close_on_exec(file, false);
    rules::strip(stack, table);
    None
}

/// A number of 64 bits in a record.
unsafe fn field(record: *const u8, at: usize) -> u64 {
    record.add(at).cast::<u64>().read_unaligned()
}

/// The mapped table.
struct Table {
    start: *const u8,
    size: usize,
}

impl Table {
    unsafe fn open() -> Option<Self> {
        let file = sys::open(format::TABLE_PATH.as_ptr())?;
        let size = sys::fstat(file).map_or(0, |status| status.st_size as usize);
        // A copy of its own: programs write to their arguments and environment.
        let prot = sys::PROT_READ | sys::PROT_WRITE;
        let start = sys::mmap(core::ptr::null(), size, prot, sys::MAP_PRIVATE, file, 0);
        sys::close(file);
        let table = Self { start: start?, size };
        let right = size >= HEADER_SIZE && (table.start.cast::<u64>()).read_unaligned() == u64::from_le_bytes(MAGIC);
        if right {
            return Some(table);
        }
        sys::munmap(table.start, size);
        None
    }

    /// A string that a record refers to; offset 0 is none.
    unsafe fn string(&self, record: *const u8, at: usize) -> Option<*const u8> {
        let offset = record.add(at).cast::<u32>().read_unaligned() as usize;
        if offset == 0 || offset >= self.size { None } else { Some(self.start.add(offset)) }
    }

    /// The entry for a path.
    unsafe fn find(&self, path: *const u8) -> Option<*const u8> {
        let wanted = sys::hash(path);
        let (mut low, mut high) = (0, self.start.add(format::COUNT).cast::<u32>().read_unaligned() as usize);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = self.start.add(HEADER_SIZE + middle * ENTRY_SIZE);
            let hash = field(entry, format::HASH);
            if hash == wanted {
                let same = text::equal(self.string(entry, format::PATH)?, path);
                return if same { Some(entry) } else { None };
            }
            if hash < wanted { low = middle + 1 } else { high = middle }
        }
        None
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(127)
}
