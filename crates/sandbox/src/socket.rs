//! Messages with file descriptors over a socket pair (SOCK_SEQPACKET: a message arrives whole or not at all).
//!
//! A long message travels in a file: what a socket takes at once is bounded by net.core.wmem_max, and a hostile build
//! can make answers (names in a folder, paths of executables) as long as it likes.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest message that travels in the socket itself.
const LONGEST: usize = 1 << 15;
/// Longest message at all.
const LONGEST_FILE: u64 = 1 << 28;
/// In place of a message: it is in the file that comes along, before all other descriptors.
const IN_FILE: &[u8] = b"@";
const MOST_FDS: usize = 4;

/// One end.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// Both ends.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(a), Self(b)))
    }

    /// Takes a descriptor for an end.
    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// The descriptor.
    pub(crate) fn into_fd(self) -> OwnedFd {
        self.0
    }

    /// Sends a message and descriptors.
    pub(crate) fn send<T: Serialize>(&self, message: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        if bytes.len() <= LONGEST {
            return self.send_bytes(&bytes, fds);
        }
        let mut file = File::from(memfd_create("archmill", MemfdFlags::CLOEXEC)?);
        file.write_all(&bytes)?;
        file.rewind()?;
        let all: Vec<_> = std::iter::once(file.as_fd()).chain(fds.iter().copied()).collect();
        self.send_bytes(IN_FILE, &all)
    }

    fn send_bytes(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(io::Error::other("too many descriptors in a message"));
        }
        sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits for a message; `None` when the other end is gone.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut bytes = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut slices = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CONNRESET) => return Ok(None),
                result => break result?.bytes,
            }
        };
        if received == 0 {
            return Ok(None);
        }
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        if &bytes[..received] == IN_FILE && !fds.is_empty() {
            let file = File::from(fds.remove(0));
            let message = serde_json::from_reader(io::BufReader::new(file.take(LONGEST_FILE)))?;
            return Ok(Some((message, fds)));
        }
        Ok(Some((serde_json::from_slice(&bytes[..received])?, fds)))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_may_be_longer_than_a_socket_takes() {
        let (a, b) = Channel::pair().unwrap();
        let text = "x".repeat(5 << 20);
        let null = File::open("/dev/null").unwrap();
        a.send(&text, &[null.as_fd(), null.as_fd(), null.as_fd()]).unwrap();
        let (received, fds) = b.receive::<String>().unwrap().unwrap();
        assert_eq!((received == text, fds.len()), (true, 3));
        drop(a);
        assert!(b.receive::<String>().unwrap().is_none());
    }
}
