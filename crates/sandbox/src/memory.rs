//! Memory of other processes. A page that is not there, or not theirs to write, is an error and never a wait: what could
//! make the kernel wait (FUSE, userfaultfd(2) for the kernel's own accesses) is not to be had in a sandbox.
#![allow(unsafe_code)]

use std::io;

/// Reads what is there, at most the buffer's length; gives how much.
pub(crate) fn read(pid: u32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = remote(address, buffer.len())?;
    // SAFETY: the kernel writes into `buffer`, which is exclusively ours and as long as told; the other address is only
    // looked at in the other process.
    let count = unsafe { libc::process_vm_readv(number(pid)?, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Writes all of it.
pub(crate) fn write(pid: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = remote(address, bytes.len())?;
    // SAFETY: the kernel only reads from `bytes`; the other address is only looked at in the other process.
    let count =
        unsafe { libc::process_vm_writev(number(pid)?, &raw const local, 1, &raw const remote, 1, 0) };
    match usize::try_from(count) {
        Ok(count) if count == bytes.len() => Ok(()),
        // The first page was there and the next was not.
        Ok(_) => Err(io::Error::from_raw_os_error(libc::EFAULT)),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

fn remote(address: u64, length: usize) -> io::Result<libc::iovec> {
    let address = usize::try_from(address).map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
    Ok(libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: length })
}

fn number(pid: u32) -> io::Result<libc::pid_t> {
    pid.try_into().map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))
}
