//! Twins that are only tried: what they cannot do is seen when they fail, and then the emulated program does it.

use crate::Table;
use crate::rules;
use crate::sys;

const PR_SET_PDEATHSIG: u64 = 1;
const SIGKILL: u64 = 9;

/// Goes on as the twin in a new process, with true. This one waits: where the twin succeeds, what it said is said and
/// nothing comes back; else all that it said is forgotten, and this process goes on with false.
pub unsafe fn begin(table: &Table, path: *const u8) -> bool {
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
            rules::log(table, path, c"it was tried, and failed".as_ptr().cast());
        }
    }
    sys::close(output);
    sys::close(errors);
    false
}

unsafe fn say(file: i32, onto: i32) {
    let size = sys::fstat(file).map_or(0, |status| status.st_size as usize);
    if size > 0
        && let Some(start) = sys::mmap(core::ptr::null(), size, sys::PROT_READ, sys::MAP_PRIVATE, file, 0)
    {
        sys::write_all(onto, start, size);
    }
}
