//! A seccomp filter that tells the supervisor of some system calls, which wait for its answer (seccomp_unotify(2)).
//!
//! Only `exit_group` and uname(2) are notified, where that is wanted; where native programs run among emulated ones,
//! limits of address space and data are taken for set; sockets to the hypervisor are refused, as no namespace is between a build
//! and those; and all else is allowed outright, which the kernel
//! knows from a bitmap without running the filter: other system calls cost next to nothing more (0.04 us). It needs no
//! privilege beyond that of the namespace's root and no_new_privs stays off, so set-uid programs in the root keep
//! working. A build that wants a listener of its own is refused by the kernel (EBUSY): there can be one per process.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd};

use crate::uname::Layout;

const NEW_LISTENER: libc::c_ulong = 1 << 3;
/// Once a call is received only a fatal signal ends its wait (Linux 5.19): else one that comes in between makes uname fail
/// with EINTR, and a process be counted twice.
const WAIT_KILLABLE: libc::c_ulong = 1 << 5;
const SET_MODE_FILTER: libc::c_uint = 1;
const ALLOW: u32 = 0x7fff_0000;
const NOTIFY: u32 = 0x7fc0_0000;
/// The call is not done and gives 0.
const DONE: u32 = 0x0005_0000;
/// The call is not done and gives the error number that is added.
const REFUSE: u32 = 0x0005_0000;
const FLAG_CONTINUE: u32 = 1;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const AUDIT_ARCH_I386: u32 = 0x4000_0003;
const AUDIT_ARCH_AARCH64: u32 = 0xc000_00b7;
const AUDIT_ARCH_ARM: u32 = 0x4000_0028;

/// What the supervisor is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watch {
    /// Processes that are about to end.
    pub(crate) ends: bool,
    /// Processes that ask for the names of the system.
    pub(crate) uname: bool,
}

/// A system call that is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// exit_group.
    End,
    /// uname, in one of its forms.
    Uname(Layout),
}

impl Watch {
    /// Whether there is anything to tell.
    pub(crate) fn any(self) -> bool {
        self.ends || self.uname
    }

    fn wants(self, call: Call) -> bool {
        match call {
            Call::End => self.ends,
            Call::Uname(_) => self.uname,
        }
    }
}

/// The numbers of the calls on each ABI that a process here may use.
const CALLS: [(u32, &[(u32, Call)]); 4] = [
    (AUDIT_ARCH_X86_64, &[(231, Call::End), (63, Call::Uname(Layout::New))]),
    (
        AUDIT_ARCH_I386,
        &[
            (252, Call::End),
            (122, Call::Uname(Layout::New)),
            (109, Call::Uname(Layout::Old)),
            (59, Call::Uname(Layout::Oldest)),
        ],
    ),
    (AUDIT_ARCH_AARCH64, &[(94, Call::End), (160, Call::Uname(Layout::New))]),
    (AUDIT_ARCH_ARM, &[(248, Call::End), (122, Call::Uname(Layout::New))]),
];

/// The numbers of socket(2) on each ABI; x86-64 has one more for x32. The socketcall(2) of i386 has its arguments in memory, where
/// a filter cannot see them.
const SOCKET: [(u32, &[u32]); 4] = [
    (AUDIT_ARCH_X86_64, &[41, X32 + 41]),
    (AUDIT_ARCH_I386, &[359]),
    (AUDIT_ARCH_AARCH64, &[198]),
    (AUDIT_ARCH_ARM, &[281]),
];
/// The same on every ABI.
const IO_URING_SETUP: u32 = 425;
/// The x32 calls have x86-64's numbers and this.
const X32: u32 = 0x4000_0000;

#[repr(C)]
#[derive(Clone, Copy)]
struct RawNotification {
    id: u64,
    pid: u32,
    flags: u32,
    data: libc::seccomp_data,
}

/// A thread in a system call, which waits for an answer.
#[derive(Debug)]
pub(crate) struct Notification {
    id: u64,
    pub(crate) thread: u32,
    /// None: one that nobody asked to be told of.
    pub(crate) call: Option<Call>,
    /// The call's first argument.
    pub(crate) argument: u64,
}

#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

// _IOWR('!', 0, struct seccomp_notif), _IOWR('!', 1, struct seccomp_notif_resp) and _IOW('!', 2, __u64)
const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const ID_VALID: libc::c_ulong = 0x4008_2102;

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

/// Limits of address space and data that native programs set are not set, as QEMU sets none of those of its own (a
/// limit that the target's program could live with, the emulator cannot): else what a native shell starts would fail.
fn unlimited() -> Vec<libc::sock_filter> {
    let load = |argument: u32| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 16 + 8 * argument);
    let done = || statement(libc::BPF_RET | libc::BPF_K, DONE);
    let allow = || statement(libc::BPF_RET | libc::BPF_K, ALLOW);
    let (data, space) = (libc::RLIMIT_DATA, libc::RLIMIT_AS);
    vec![
        // setrlimit(resource, new)
        jump_if(160, 0, 5),
        load(0),
        jump_if(data, 1, 0),
        jump_if(space, 0, 1),
        done(),
        allow(),
        // prlimit64(pid, resource, new, old), which asks if there is nothing new
        jump_if(302, 0, 7),
        load(2),
        jump_if(0, 4, 0),
        load(1),
        jump_if(data, 1, 0),
        jump_if(space, 0, 1),
        done(),
        allow(),
    ]
}

/// AF_VSOCK is in no network namespace: a virtual machine's host, or its other services, would answer a build. io_uring makes
/// sockets that no filter sees; it looks like a kernel without it, as it does to programs in QEMU.
fn refused(arch: u32) -> Vec<libc::sock_filter> {
    let refuse = |error: i32| statement(libc::BPF_RET | libc::BPF_K, REFUSE | error.cast_unsigned());
    let numbers = SOCKET.iter().filter(|(known, _)| *known == arch).flat_map(|(_, numbers)| *numbers);
    let mut filter: Vec<libc::sock_filter> = numbers
        .flat_map(|number| {
            [
                jump_if(*number, 0, 4),
                statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 16),
                jump_if(libc::AF_VSOCK.cast_unsigned(), 0, 1),
                refuse(libc::EAFNOSUPPORT),
                statement(libc::BPF_RET | libc::BPF_K, ALLOW),
            ]
        })
        .collect();
    for number in [IO_URING_SETUP, X32 + IO_URING_SETUP] {
        filter.extend([jump_if(number, 0, 1), refuse(libc::ENOSYS)]);
    }
    filter
}

/// For each ABI: if it is this one, compare the call's number and decide.
fn filter(watch: Watch) -> Vec<libc::sock_filter> {
    let mut filter = Vec::new();
    for (arch, calls) in CALLS {
        let mut decide = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
        for (number, _) in calls.iter().filter(|(_, call)| watch.wants(*call)) {
            decide.push(jump_if(*number, 0, 1));
            decide.push(statement(libc::BPF_RET | libc::BPF_K, NOTIFY));
        }
        decide.extend(refused(arch));
        if watch.uname && arch == AUDIT_ARCH_X86_64 {
            decide.extend(unlimited());
        }
        decide.push(statement(libc::BPF_RET | libc::BPF_K, ALLOW));
        filter.push(statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 4));
        filter.push(jump_if(arch, 0, u8::try_from(decide.len()).unwrap_or(u8::MAX)));
        filter.extend(decide);
    }
    filter.push(statement(libc::BPF_RET | libc::BPF_K, ALLOW));
    filter
}

/// Puts the filter on this process and its children to be, and gives the listener.
pub(crate) fn install(watch: Watch) -> io::Result<OwnedFd> {
    let listener = |flags| {
        let fd = install_with(watch, flags)?;
        // SAFETY: the kernel just made this descriptor, and nobody else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    };
    listener(NEW_LISTENER | WAIT_KILLABLE).or_else(|_| listener(NEW_LISTENER))
}

/// Puts a filter on that tells of nothing.
pub(crate) fn refuse() -> io::Result<()> {
    install_with(Watch { ends: false, uname: false }, 0).map(drop)
}

fn install_with(watch: Watch, flags: libc::c_ulong) -> io::Result<i32> {
    let mut filter = filter(watch);
    let program =
        libc::sock_fprog { len: u16::try_from(filter.len()).unwrap_or(0), filter: filter.as_mut_ptr() };
    // SAFETY: the program and the filter it points to outlive the call.
    let fd = unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, &raw const program) };
    match i32::try_from(fd) {
        Ok(fd) if fd >= 0 => Ok(fd),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes one notification.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> io::Result<Notification> {
    // SAFETY: the kernel wants the structure zeroed, and zeros are valid for it.
    let mut raw: RawNotification = unsafe { std::mem::zeroed() };
    // SAFETY: the structure has the size that the request number says.
    match unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut raw) } {
        0 => Ok(Notification {
            id: raw.id,
            thread: raw.pid,
            call: call(raw.data.arch, raw.data.nr.cast_unsigned()),
            argument: raw.data.args[0],
        }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn call(arch: u32, number: u32) -> Option<Call> {
    let (_, calls) = CALLS.iter().find(|(known, _)| *known == arch)?;
    calls.iter().find(|(known, _)| *known == number).map(|(_, call)| *call)
}

/// Whether the thread still waits, so that its number is its own.
pub(crate) fn waits(listener: BorrowedFd<'_>, notification: &Notification) -> bool {
    // SAFETY: the request reads a number of 64 bits, which outlives the call.
    unsafe { libc::ioctl(listener.as_raw_fd(), ID_VALID, &raw const notification.id) == 0 }
}

/// The supervisor is woken on the CPU of the thread that waits for it anyway (Linux 6.6; else nothing changes).
pub(crate) fn wake_synchronously(listener: BorrowedFd<'_>) {
    // SAFETY: no pointers; this request takes flags by value.
    unsafe {
        libc::ioctl(listener.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP);
    }
}

/// Has the kernel do the call after all; whether the thread was still there.
pub(crate) fn let_go(listener: BorrowedFd<'_>, notification: &Notification) -> bool {
    send(listener, &Response { id: notification.id, value: 0, error: 0, flags: FLAG_CONTINUE })
}

/// Ends the call: with 0, or with an error number.
pub(crate) fn answer(listener: BorrowedFd<'_>, notification: &Notification, result: Result<(), i32>) -> bool {
    let error = result.err().map_or(0, |number| -number);
    send(listener, &Response { id: notification.id, value: 0, error, flags: 0 })
}

fn send(listener: BorrowedFd<'_>, response: &Response) -> bool {
    // SAFETY: the structure has the size that the request number says. A process that died meanwhile makes it fail,
    // which is fine.
    unsafe { libc::ioctl(listener.as_raw_fd(), SEND, std::ptr::from_ref(response)) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_in_the_request_numbers() {
        assert_eq!(size_of::<RawNotification>() as u64, (RECEIVE >> 16) & 0x3fff);
        assert_eq!(size_of::<Response>() as u64, (SEND >> 16) & 0x3fff);
    }

    fn decide(watch: Watch, arch: u32, number: u32) -> u32 {
        decide_with(watch, arch, number, [0; 4])
    }

    /// Runs the filter as the kernel would.
    fn decide_with(watch: Watch, arch: u32, number: u32, arguments: [u32; 4]) -> u32 {
        let filter = filter(watch);
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = filter[at];
            at += 1;
            match u32::from(step.code) & 0x07 {
                libc::BPF_LD => {
                    accumulator = match step.k {
                        0 => number,
                        4 => arch,
                        place => arguments[(place as usize - 16) / 8],
                    }
                }
                libc::BPF_JMP => at += usize::from(if accumulator == step.k { step.jt } else { step.jf }),
                _ => return step.k,
            }
        }
    }

    #[test]
    fn only_what_is_watched_is_notified_on_every_abi() {
        for (ends, uname) in [(true, false), (false, true), (true, true)] {
            let watch = Watch { ends, uname };
            for (arch, calls) in CALLS {
                for (number, call) in calls {
                    let wanted = if watch.wants(*call) { NOTIFY } else { ALLOW };
                    assert_eq!(decide(watch, arch, *number), wanted, "{arch:x} {call:?}");
                }
                assert_eq!(decide(watch, arch, 1), ALLOW, "{arch:x}");
            }
            assert_eq!(decide(watch, 0x1234, 231), ALLOW);
        }
    }

    #[test]
    fn sockets_to_the_hypervisor_are_refused_on_every_abi() {
        let watch = Watch { ends: true, uname: true };
        for (arch, numbers) in SOCKET {
            for number in numbers {
                let socket = |family| decide_with(watch, arch, *number, [family, 1, 0, 0]);
                assert_eq!(socket(40), REFUSE + 97, "{arch:x}: AF_VSOCK");
                assert_eq!([1, 2, 10, 16].map(socket), [ALLOW; 4], "{arch:x}");
            }
            assert_eq!(decide(watch, arch, 425), REFUSE + 38, "{arch:x}: io_uring_setup");
        }
    }

    #[test]
    fn native_programs_limit_no_address_space_among_emulated_ones() {
        let foreign = Watch { ends: false, uname: true };
        let set = |watch, number, arguments| decide_with(watch, AUDIT_ARCH_X86_64, number, arguments);
        for resource in 0..16 {
            let wanted = if [2, 9].contains(&resource) { DONE } else { ALLOW };
            assert_eq!(set(foreign, 160, [resource, 1, 0, 0]), wanted, "setrlimit {resource}");
            assert_eq!(set(foreign, 302, [0, resource, 1, 0]), wanted, "prlimit64 {resource}");
            assert_eq!(set(foreign, 302, [0, resource, 0, 1]), ALLOW, "to ask for {resource}");
            assert_eq!(set(Watch { ends: true, uname: false }, 160, [resource, 1, 0, 0]), ALLOW);
        }
    }

    #[test]
    fn a_number_is_read_by_its_abi() {
        assert_eq!(call(AUDIT_ARCH_X86_64, 63), Some(Call::Uname(Layout::New)));
        assert_eq!(call(AUDIT_ARCH_I386, 59), Some(Call::Uname(Layout::Oldest)));
        assert_eq!(call(AUDIT_ARCH_X86_64, 59), None, "execve");
    }
}
