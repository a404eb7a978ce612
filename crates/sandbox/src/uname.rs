//! Answers to uname(2) for native programs in a root of another architecture: all as the kernel says it but the
//! machine, and so the same that an emulated program is told (QEMU's user emulation too passes on the kernel's
//! answer with the machine replaced; release and version stay the host's).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::memory;
use crate::seccomp::{self, Notification};
use crate::spec::Uname;

/// The forms that the kernel has had (<linux/utsname.h>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Six fields of 65 bytes.
    New,
    /// Five, without the domain.
    Old,
    /// Five of 9 bytes.
    Oldest,
}

/// What is answered.
pub(crate) struct Names {
    machine: String,
    /// The UTS namespace of the sandbox, and its number.
    own: OwnedFd,
    own_number: u64,
}

impl Names {
    pub(crate) fn new(uname: &Uname) -> io::Result<Self> {
        let own = std::fs::File::open("/proc/self/ns/uts")?;
        let own_number = std::os::unix::fs::MetadataExt::ino(&own.metadata()?);
        Ok(Self { machine: uname.machine.clone(), own: own.into(), own_number })
    }

    /// Answers, whatever the address is good for.
    pub(crate) fn answer(&self, listener: BorrowedFd<'_>, notification: &Notification, layout: Layout) {
        let names = self.of(notification.thread).and_then(|names| {
            // Its number was its own while its namespace was looked at. Who makes it another's from here to the next
            // line spoils a process of its own.
            if seccomp::waits(listener, notification) {
                Ok(names)
            } else {
                Err(io::Error::from_raw_os_error(libc::ESRCH))
            }
        });
        let written = names.and_then(|names| {
            memory::write(
                notification.thread,
                notification.argument,
                &structure(layout, &names, &self.machine),
            )
        });
        match written.as_ref().map_err(io::Error::raw_os_error) {
            Ok(()) => seccomp::answer(listener, notification, Ok(())),
            Err(Some(libc::EFAULT)) => seccomp::answer(listener, notification, Err(libc::EFAULT)),
            // Where nobody may write to others (kernel.yama.ptrace_scope=3), the kernel's own answer beats none.
            Err(_) => seccomp::let_go(listener, notification),
        };
    }

    /// What the kernel would say to this thread: it may have made itself a namespace with a host name of its own.
    fn of(&self, thread: u32) -> io::Result<libc::utsname> {
        let path = format!("/proc/{thread}/ns/uts");
        if std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&path)?) == self.own_number {
            return uname();
        }
        let other = std::fs::File::open(&path)?;
        move_into_link_name_space(other.as_fd(), Some(LinkNameSpaceType::HostNameAndNISDomainName))?;
        let names = uname();
        move_into_link_name_space(self.own.as_fd(), Some(LinkNameSpaceType::HostNameAndNISDomainName))?;
        names
    }
}

#[allow(unsafe_code)]
fn uname() -> io::Result<libc::utsname> {
    let mut names = MaybeUninit::zeroed();
    // SAFETY: the pointer is to a structure of the right size; zeros are valid for it.
    match unsafe { libc::uname(names.as_mut_ptr()) } {
        // SAFETY: as above.
        0 => Ok(unsafe { names.assume_init() }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The bytes that go to the caller; a field that is too long is cut, as the kernel does.
fn structure(layout: Layout, names: &libc::utsname, machine: &str) -> Vec<u8> {
    let (width, count) = match layout {
        Layout::New => (65, 6),
        Layout::Old => (65, 5),
        Layout::Oldest => (9, 5),
    };
    let text = |field: &[libc::c_char]| -> Vec<u8> {
        field.iter().map(|byte| byte.to_ne_bytes()[0]).take_while(|byte| *byte != 0).collect()
    };
    let fields = [
        text(&names.sysname),
        text(&names.nodename),
        text(&names.release),
        text(&names.version),
        machine.as_bytes().to_vec(),
        text(&names.domainname),
    ];
    let mut bytes = Vec::with_capacity(width * count);
    for mut field in fields.into_iter().take(count) {
        field.truncate(width - 1);
        field.resize(width, 0);
        bytes.extend(field);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_those_of_the_kernel() {
        let names = uname().unwrap();
        let new = structure(Layout::New, &names, "aarch64");
        assert_eq!(new.len(), size_of::<libc::utsname>());
        assert!(new.starts_with(b"Linux\0"));
        assert_eq!(&new[4 * 65..4 * 65 + 8], b"aarch64\0");
        assert_eq!(structure(Layout::Old, &names, "aarch64"), new[..325]);
        let oldest = structure(Layout::Oldest, &names, "loongarch64");
        assert_eq!((oldest.len(), &oldest[36..]), (45, &b"loongarc\0"[..]));
    }
}
