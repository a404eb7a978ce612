//! Files of a running sandbox, for the caller.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::protocol::{Reply, Request};
use crate::sandbox::{Sandbox, SandboxError};

impl Sandbox {
    /// Opens a regular file for reading.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<File, SandboxError> {
        self.ask(&Request::Read(path.as_ref().to_owned()))?.1.map(File::from).ok_or(SandboxError::Gone)
    }

    /// Reads a file of at most `limit` bytes.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, SandboxError> {
        let mut content = Vec::new();
        self.open(path)?.take(limit).read_to_end(&mut content)?;
        Ok(content)
    }

    /// Makes or replaces a file, to be written through the descriptor.
    pub fn create(
        &self,
        path: impl AsRef<Path>,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> Result<File, SandboxError> {
        let request = Request::Write { path: path.as_ref().to_owned(), mode, uid, gid };
        self.ask(&request)?.1.map(File::from).ok_or(SandboxError::Gone)
    }

    /// Makes or replaces a file.
    pub fn write(
        &self,
        path: impl AsRef<Path>,
        content: &[u8],
        mode: u32,
        owner: (u32, u32),
    ) -> Result<(), SandboxError> {
        Ok(self.create(path, mode, owner.0, owner.1)?.write_all(content)?)
    }

    /// Makes a folder and those above it.
    pub fn make_folder(
        &self,
        path: impl AsRef<Path>,
        mode: u32,
        owner: (u32, u32),
    ) -> Result<(), SandboxError> {
        let path = path.as_ref().to_owned();
        self.ask(&Request::MakeFolder { path, mode, uid: owner.0, gid: owner.1 }).map(|_| ())
    }

    /// Names in a folder, sorted.
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Vec<String>, SandboxError> {
        match self.ask(&Request::List(path.as_ref().to_owned()))?.0 {
            Reply::Names(names) => Ok(names),
            _ => Err(SandboxError::Gone),
        }
    }

    /// Removes a file or a folder with all that is in it, if it is there.
    pub fn remove(&self, path: impl AsRef<Path>) -> Result<(), SandboxError> {
        self.ask(&Request::Remove(path.as_ref().to_owned())).map(|_| ())
    }

    fn ask(&self, request: &Request) -> Result<(Reply, Option<OwnedFd>), SandboxError> {
        let channel = self.channel()?;
        channel.send(request, &[])?;
        match channel.receive::<Reply>()? {
            None => Err(SandboxError::Gone),
            Some((Reply::Failed { what, not_found }, _)) => Err(SandboxError::Failed { what, not_found }),
            Some((reply, mut fds)) => Ok((reply, fds.pop())),
        }
    }
}
