//! The members of a data archive, one after the other and within bounds: a package of a few megabytes can unpack to
//! terabytes, have names of gigabytes, or never come to an end.
//!
//! What may be in it is what dpkg takes (deb(5)): plain tar and the long names of GNU tar, no pax headers.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use crate::deb::{DebError, DebReader};

/// Longest name that is taken; Linux opens none of more than 4096 bytes.
const LONGEST_NAME: u64 = 1 << 16;

/// How much of a data archive is read.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// Most bytes that it may unpack to, headers included.
    pub bytes: u64,
    /// Most members.
    pub members: u64,
    /// Asked now and then: whether to stop.
    pub stop: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for Bounds<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bounds")
            .field("bytes", &self.bytes)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

impl Default for Bounds<'_> {
    /// More than any package of Debian's archive has: 64 GiB, a million members.
    fn default() -> Self {
        Self { bytes: 64 << 30, members: 1_000_000, stop: &|| false }
    }
}

/// A file, folder or link in a package.
pub struct Member<'a> {
    /// Its header; names that do not fit there are in `path` and `link`.
    pub header: &'a tar::Header,
    /// As it is written in the archive, mostly with `./` before it.
    pub path: PathBuf,
    /// What it is a link to.
    pub link: Option<PathBuf>,
    /// Its content.
    pub content: &'a mut dyn Read,
}

impl std::fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("path", &self.path).field("link", &self.link).finish_non_exhaustive()
    }
}

/// Why reading ended before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutOfBounds {
    #[error("its data archive unpacks to more than {0} bytes")]
    Bytes(u64),
    #[error("reading it was ended")]
    Stopped,
}

impl<R: Read> DebReader<R> {
    /// Calls `visit` for each member of the data archive. The control archive is passed over if it has not been read.
    pub fn each_member<E: From<DebError>>(
        self,
        bounds: Bounds<'_>,
        mut visit: impl FnMut(Member<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let reader = Bounded { reader: self.data()?, left: bounds.bytes, bounds };
        let mut archive = tar::Archive::new(reader);
        let (mut long_name, mut long_link) = (None, None);
        let mut count = 0;
        for entry in archive.entries().map_err(DebError::from)?.raw(true) {
            let mut entry = entry.map_err(DebError::from)?;
            let header = entry.header().clone();
            match header.entry_type() {
                tar::EntryType::GNULongName => {
                    long_name = Some(read_name(&mut entry)?);
                    continue;
                }
                tar::EntryType::GNULongLink => {
                    long_link = Some(read_name(&mut entry)?);
                    continue;
                }
                tar::EntryType::XHeader | tar::EntryType::XGlobalHeader => return Err(DebError::Pax.into()),
                _ => {}
            }
            count += 1;
            if count > bounds.members {
                return Err(DebError::TooManyMembers(bounds.members).into());
            }
            let path = long_name.take().unwrap_or_else(|| header.path_bytes().into_owned());
            let link =
                long_link.take().or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
            visit(Member {
                header: &header,
                path: to_path(path),
                link: link.filter(|link| !link.is_empty()).map(to_path),
                content: &mut entry,
            })?;
        }
        Ok(())
    }
}

fn to_path(bytes: Vec<u8>) -> PathBuf {
    OsString::from_vec(bytes).into()
}

fn read_name(entry: &mut impl Read) -> Result<Vec<u8>, DebError> {
    let mut name = Vec::new();
    entry.take(LONGEST_NAME + 1).read_to_end(&mut name)?;
    if name.len() as u64 > LONGEST_NAME {
        return Err(DebError::LongName);
    }
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    name.truncate(end);
    Ok(name)
}

struct Bounded<'a, R> {
    reader: R,
    left: u64,
    bounds: Bounds<'a>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.bounds.stop)() {
            return Err(io::Error::other(OutOfBounds::Stopped));
        }
        let count = self.reader.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(OutOfBounds::Bytes(self.bounds.bytes))),
        }
        Ok(count)
    }
}
