//! A seccomp filter that tells the supervisor of every process that is about to end (seccomp_unotify(2)).
//!
//! Only `exit_group` is notified and all else is allowed outright, which the kernel knows from a bitmap without
//! running the filter: other system calls cost nothing more. It needs no privilege beyond that of the
//! namespace's root and no_new_privs stays off, so set-uid programs in the root keep working. A build that
//! wants a listener of its own is refused by the kernel (EBUSY): there can be one per process.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd};

const NEW_LISTENER: libc::c_ulong = 1 << 3;
const SET_MODE_FILTER: libc::c_uint = 1;
const ALLOW: u32 = 0x7fff_0000;
const NOTIFY: u32 = 0x7fc0_0000;
const FLAG_CONTINUE: u32 = 1;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const AUDIT_ARCH_I386: u32 = 0x4000_0003;
const AUDIT_ARCH_AARCH64: u32 = 0xc000_00b7;
const AUDIT_ARCH_ARM: u32 = 0x4000_0028;

#[repr(C)]
#[derive(Clone, Copy)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    data: libc::seccomp_data,
}

#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

// _IOWR('!', 0, struct seccomp_notif) and _IOWR('!', 1, struct seccomp_notif_resp)
const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;

// _IOW('!', 4, __u64), SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
const SET_FLAGS: libc::c_ulong = 0x4008_2104;
const SYNC_WAKE_UP: libc::c_ulong = 1;

// The codes are eight bits wide; libc gives them as u32.
#[allow(clippy::cast_possible_truncation)]
const fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

#[allow(clippy::cast_possible_truncation)]
const fn jump_if(k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, jt, jf, k }
}

/// exit_group's number on each ABI that a process here may use.
const EXIT_GROUP: [(u32, u32); 4] =
    [(AUDIT_ARCH_X86_64, 231), (AUDIT_ARCH_I386, 252), (AUDIT_ARCH_AARCH64, 94), (AUDIT_ARCH_ARM, 248)];

/// For each ABI: if it is this one, compare the call's number and decide.
fn filter() -> Vec<libc::sock_filter> {
    let mut filter = Vec::new();
    for (arch, number) in EXIT_GROUP {
        filter.push(statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 4));
        filter.push(jump_if(arch, 0, 4));
        filter.push(statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0));
        filter.push(jump_if(number, 0, 1));
        filter.push(statement(libc::BPF_RET | libc::BPF_K, NOTIFY));
        filter.push(statement(libc::BPF_RET | libc::BPF_K, ALLOW));
    }
    filter.push(statement(libc::BPF_RET | libc::BPF_K, ALLOW));
    filter
}

/// Puts the filter on this process and its children to be, and gives the listener.
pub(crate) fn install() -> io::Result<OwnedFd> {
    let mut filter = filter();
    let program =
        libc::sock_fprog { len: u16::try_from(filter.len()).unwrap_or(0), filter: filter.as_mut_ptr() };
    // SAFETY: the program and the filter it points to outlive the call.
    let fd = unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, NEW_LISTENER, &raw const program) };
    match i32::try_from(fd) {
        // SAFETY: the kernel just made this descriptor, and nobody else owns it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes one notification: a process that is about to end.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> io::Result<(u64, u32)> {
    // SAFETY: the kernel wants the structure zeroed, and zeros are valid for it.
    let mut notification: Notification = unsafe { std::mem::zeroed() };
    // SAFETY: the structure has the size that the request number says.
    match unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut notification) } {
        0 => Ok((notification.id, notification.pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The supervisor is woken on the CPU of the process that ends, which waits for it anyway (Linux 6.6; else nothing changes).
pub(crate) fn wake_synchronously(listener: BorrowedFd<'_>) {
    // SAFETY: no pointers; this request takes flags by value.
    unsafe {
        libc::ioctl(listener.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP);
    }
}

/// Lets it end.
pub(crate) fn let_go(listener: BorrowedFd<'_>, id: u64) {
    let response = Response { id, value: 0, error: 0, flags: FLAG_CONTINUE };
    // SAFETY: the structure has the size that the request number says. A process that died meanwhile makes it fail,
    // which is fine.
    unsafe {
        libc::ioctl(listener.as_raw_fd(), SEND, &raw const response);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_in_the_request_numbers() {
        assert_eq!(size_of::<Notification>() as u64, (RECEIVE >> 16) & 0x3fff);
        assert_eq!(size_of::<Response>() as u64, (SEND >> 16) & 0x3fff);
    }

    /// Runs the filter as the kernel would.
    fn decide(arch: u32, number: u32) -> u32 {
        let filter = filter();
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = filter[at];
            at += 1;
            match u32::from(step.code) & 0x07 {
                libc::BPF_LD => accumulator = if step.k == 4 { arch } else { number },
                libc::BPF_JMP => at += usize::from(if accumulator == step.k { step.jt } else { step.jf }),
                _ => return step.k,
            }
        }
    }

    #[test]
    fn only_exit_group_is_notified_on_every_abi() {
        for (arch, number) in EXIT_GROUP {
            assert_eq!(decide(arch, number), NOTIFY, "{arch:x}");
            assert_eq!(decide(arch, 1), ALLOW, "{arch:x}");
        }
        assert_eq!(decide(0x1234, 231), ALLOW);
    }
}
