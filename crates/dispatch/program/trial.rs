//! Twins that are only tried: what they cannot do is seen when they fail, and then the emulated program does it.

use crate::Table;
use crate::rules;
use crate::stack::Stack;
use crate::sys;

const PR_SET_PDEATHSIG: u64 = 1;
const SIGKILL: u64 = 9;

/// Goes on as the twin in a new process, with true. This one waits: where the twin succeeds, what it said is said and
/// nothing comes back; else all that it said is forgotten, and this process goes on with false.
pub unsafe fn begin(stack: &Stack, table: &Table, path: *const u8) -> bool {
    let reads = rules::reads_input(stack);
    if reads && !keep_input() {
        return false;
    }
    let (Some(output), Some(errors)) = (sys::memory_file(), sys::memory_file()) else { return false };
    match sys::fork() {
        None => {}
        Some(0) => {
            sys::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0);
            sys::dup2(output, 1);
            sys::dup2(errors, 2);
            return true;
        }
        Some(child) => {
            if sys::wait(child) == Some(0) {
                say(output, 1);
                say(errors, 2);
                sys::exit(0);
            }
            rules::log(stack, path, c"it was tried, and failed".as_ptr().cast());
            if reads {
                sys::rewind(0);
            }
        }
    }
    sys::close(output);
    sys::close(errors);
    false
}

/// Makes standard input a file in memory of all that there is to read, which can be read twice.
unsafe fn keep_input() -> bool {
    const ROOM: usize = 2048;
    let mut buffer = core::mem::MaybeUninit::<[u8; ROOM]>::uninit();
    let start = buffer.as_mut_ptr().cast::<u8>();
    let Some(kept) = sys::memory_file() else { return false };
    let Some(mut size) = sys::read(0, start, ROOM) else {
        sys::close(kept);
        return false;
    };
    while size > 0 {
        sys::write_all(kept, start, size);
        size = sys::read(0, start, ROOM).unwrap_or(0);
    }
    sys::rewind(kept);
    sys::dup2(kept, 0);
    sys::close(kept);
    true
}

unsafe fn say(file: i32, onto: i32) {
    let size = sys::fstat(file).map_or(0, |status| status.st_size as usize);
    if size > 0
        && let Some(start) = sys::mmap(core::ptr::null(), size, sys::PROT_READ, sys::MAP_PRIVATE, file, 0)
    {
        sys::write_all(onto, start, size);
    }
}
