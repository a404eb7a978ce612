//! Bytes in memory of the C library.

use core::ffi::c_int;

use crate::c;

/// A list that grows.
pub struct Bytes {
    data: *mut u8,
    len: usize,
    capacity: usize,
}

impl Bytes {
    pub const fn new() -> Self {
        Self { data: core::ptr::dangling_mut(), len: 0, capacity: 0 }
    }

    /// The content of a file, from its beginning; its position stays.
    pub unsafe fn read(file: c_int) -> Option<Self> {
        let mut all = Self::new();
        loop {
            all.reserve(1 << 16);
            let got = c::pread(file, all.data.add(all.len).cast(), 1 << 16, all.len as i64);
            match got {
                0 => return Some(all),
                1.. => all.len += got as usize,
                _ => return None,
            }
        }
    }

    /// So many bytes, all zero.
    pub fn zeros(len: usize) -> Self {
        let mut bytes = Self::new();
        bytes.reserve(len);
        unsafe { core::ptr::write_bytes(bytes.data, 0, len) };
        bytes.len = len;
        bytes
    }

    pub fn reserve(&mut self, more: usize) {
        let Some(wanted) = self.len.checked_add(more) else {
            unsafe { c::fail(c"there is not so much memory") }
        };
        if wanted <= self.capacity {
            return;
        }
        let capacity = wanted.max(self.capacity * 2);
        unsafe {
            let old = if self.capacity == 0 { core::ptr::null_mut() } else { self.data.cast() };
            let data = c::realloc(old, capacity);
            if data.is_null() {
                c::fail(c"there is not enough memory");
            }
            self.data = data.cast();
        }
        self.capacity = capacity;
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.data.add(self.len), bytes.len()) };
        self.len += bytes.len();
    }

    pub fn slice(&self) -> &[u8] {
        unsafe { core::slice::from_raw_parts(self.data, self.len) }
    }

    pub fn slice_mut(&mut self) -> &mut [u8] {
        unsafe { core::slice::from_raw_parts_mut(self.data, self.len) }
    }

    /// Length, capacity and address, whose owner the caller is now.
    pub fn into_parts(self) -> (*mut u8, usize, usize) {
        let parts = (self.data, self.len, self.capacity);
        core::mem::forget(self);
        parts
    }

    pub unsafe fn from_parts(data: *mut u8, len: usize, capacity: usize) -> Self {
        Self { data, len, capacity }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        if self.capacity > 0 {
            unsafe { c::free(self.data.cast()) };
        }
    }
}
