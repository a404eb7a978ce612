//! Mapping a program as execve(2) does.

use core::mem::MaybeUninit;

use crate::sys;

const PAGE: u64 = 4096;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_PHDR: u32 = 6;
const ET_EXEC: u16 = 2;

#[repr(C)]
struct Header {
    ident: [u8; 16],
    kind: u16,
    machine: u16,
    version: u32,
    entry: u64,
    phoff: u64,
    shoff: u64,
    flags: u32,
    ehsize: u16,
    phentsize: u16,
    phnum: u16,
    rest: [u16; 3],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    vaddr: u64,
    paddr: u64,
    filesz: u64,
    memsz: u64,
    align: u64,
}

/// What was mapped, as the auxiliary vector tells it.
pub struct Mapped {
    pub entry: u64,
    pub base: u64,
    /// The first address.
    pub start: u64,
    pub phdr: u64,
    pub phnum: u64,
    /// It wants a dynamic linker.
    pub dynamic: bool,
}

/// Maps a program; nothing is left mapped of one that cannot be, save what the process would end with anyway.
pub unsafe fn map(path: *const u8) -> Option<Mapped> {
    let file = sys::open(path)?;
    let mapped = map_file(file);
    sys::close(file);
    mapped
}

unsafe fn map_file(file: i32) -> Option<Mapped> {
    let mut head = MaybeUninit::<[u8; 1024]>::uninit();
    let start = head.as_mut_ptr().cast::<u8>();
    let size = sys::pread(file, start, 1024, 0)?;
    let header = &*start.cast::<Header>();
    let end = header.phoff + u64::from(header.phnum) * 56;
    if size < 64 || header.phentsize != 56 || end > size as u64 {
        return None;
    }
    let segments = start.add(header.phoff as usize).cast::<Segment>();
    let count = header.phnum as usize;
    let (mut low, mut high, mut phdr, mut dynamic) = (u64::MAX, 0, 0, false);
    let mut at = 0;
    while at < count {
        let segment = &*segments.add(at);
        match segment.kind {
            PT_LOAD => {
                low = low.min(segment.vaddr & !(PAGE - 1));
                high = high.max(segment.vaddr + segment.memsz);
                if phdr == 0 && segment.offset <= header.phoff && header.phoff < segment.offset + segment.filesz {
                    phdr = segment.vaddr + header.phoff - segment.offset;
                }
            }
            PT_PHDR => phdr = segment.vaddr,
            PT_INTERP => dynamic = true,
            _ => {}
        }
        at += 1;
    }
    if low >= high {
        return None;
    }
    // Room for all of it first, so that nothing of it lands on something else.
    let fixed = header.kind == ET_EXEC;
    let room = sys::MAP_PRIVATE | sys::MAP_ANONYMOUS | sys::MAP_NORESERVE;
    let place = if fixed { sys::MAP_FIXED_NOREPLACE } else { 0 };
    let wanted = if fixed { low as *const u8 } else { core::ptr::null() };
    let got = sys::mmap(wanted, (high - low) as usize, sys::PROT_NONE, room | place, -1, 0)? as u64;
    let base = got.wrapping_sub(low);
    at = 0;
    while at < count {
        let segment = &*segments.add(at);
        if segment.kind == PT_LOAD && segment.memsz > 0 {
            load(file, segment, base)?;
        }
        at += 1;
    }
    Some(Mapped {
        entry: base.wrapping_add(header.entry),
        base,
        start: got,
        phdr: base.wrapping_add(phdr),
        phnum: u64::from(header.phnum),
        dynamic,
    })
}

unsafe fn load(file: i32, segment: &Segment, base: u64) -> Option<()> {
    let bit = |flag: u32, prot: i32| if segment.flags & flag != 0 { prot } else { 0 };
    let prot = bit(4, sys::PROT_READ) | bit(2, sys::PROT_WRITE) | bit(1, sys::PROT_EXEC);
    let start = base.wrapping_add(segment.vaddr);
    let skew = start & (PAGE - 1);
    let file_end = start + segment.filesz;
    let end = start + segment.memsz;
    let flags = sys::MAP_PRIVATE | sys::MAP_FIXED;
    if segment.filesz > 0 {
        let size = (segment.filesz + skew) as usize;
        sys::mmap((start - skew) as *const u8, size, prot, flags, file, segment.offset - skew)?;
    }
    if end > file_end {
        // All the rest of the last page of the file is zeroed, not only what the segment has of it: the dynamic linker's
        // first memory is there. What follows is memory of its own.
        let whole = (file_end + PAGE - 1) & !(PAGE - 1);
        if segment.filesz > 0 && segment.flags & 2 != 0 {
            sys::zero(file_end as *mut u8, (whole - file_end) as usize);
        }
        let from = if segment.filesz > 0 { whole } else { start - skew };
        if end > from {
            sys::mmap(from as *const u8, (end - from) as usize, prot, flags | sys::MAP_ANONYMOUS, -1, 0)?;
        }
    }
    Some(())
}
