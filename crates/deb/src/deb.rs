//! Reading binary packages (deb(5)): an ar archive of `debian-binary`, `control.tar*` and `data.tar*`.
//!
//! A package is read from front to back, so that it can come from a pipe; give a buffered reader.

use std::collections::BTreeMap;
use std::io::{self, Read};

use crate::control::{ControlError, Stanza, stanzas};
use crate::members::OutOfBounds;

/// Most that a control archive may unpack to; real ones have a few kilobytes, the largest some megabytes.
const CONTROL_LIMIT: u64 = 64 << 20;

/// Most memory that unpacking xz may take; `xz -9` needs 65 MiB.
const XZ_MEMORY: u64 = 512 << 20;

/// What is wrong with a package.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// Reading failed.
    #[error("cannot read it: {0}")]
    Io(io::Error),
    /// It unpacks to more than is read.
    #[error("its data archive unpacks to more than {0} bytes")]
    TooLarge(u64),
    /// More members than are read.
    #[error("its data archive has more than {0} members")]
    TooManyMembers(u64),
    /// A name that no system can have.
    #[error("its data archive has a name of more than 64 KiB")]
    LongName,
    /// An extension of tar that dpkg does not take either.
    #[error(
        "its data archive has pax headers, which dpkg does not take; pack it with dpkg-deb, or tar --format=gnu"
    )]
    Pax,
    /// The caller ended it.
    #[error("reading it was ended")]
    Stopped,
    /// Not an ar archive.
    #[error("it is not a Debian package (no ar archive)")]
    NoArchive,
    /// A damaged member header.
    #[error("its archive is damaged: {0}")]
    Damaged(&'static str),
    /// A format of the future, or nonsense.
    #[error("it has format {0:?}, and only 2.0 can be read")]
    Format(String),
    /// A member is missing, or is not where it belongs.
    #[error("it has {found:?} where {wanted} must be")]
    Member {
        /// What must be there.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// A compression that is not known.
    #[error("its member {0:?} is compressed in an unknown way; gz, xz, zst, bz2 and none can be read")]
    Compression(String),
    /// A control archive of absurd size.
    #[error("its control archive unpacks to more than 64 MiB")]
    ControlTooLarge,
    /// A control member that is not a plain file.
    #[error("its control archive has {0:?}, which is not a file with a plain name")]
    ControlName(String),
    /// A control member that is there twice.
    #[error("its control archive has the file {0:?} twice")]
    ControlTwice(String),
    /// Nothing says what the package is.
    #[error("its control archive has no file named control")]
    NoControl,
    /// The control file is not text in UTF-8.
    #[error("its control file is not text in UTF-8")]
    NotText,
    /// The control file is malformed.
    #[error("its control file cannot be used: {0}")]
    Control(#[from] ControlError),
}

impl From<io::Error> for DebError {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<OutOfBounds>()) {
            Some(OutOfBounds::Bytes(most)) => Self::TooLarge(*most),
            Some(OutOfBounds::Stopped) => Self::Stopped,
            None => Self::Io(error),
        }
    }
}

/// The members of `control.tar`, with their permission bits.
#[derive(Debug, Default)]
pub struct ControlArchive {
    /// Content by name.
    pub files: BTreeMap<String, (u32, Vec<u8>)>,
}

impl ControlArchive {
    /// The text of the file `control`.
    pub fn control_text(&self) -> Result<&str, DebError> {
        let (_, content) = self.files.get("control").ok_or(DebError::NoControl)?;
        std::str::from_utf8(content).map_err(|_| DebError::NotText)
    }

    /// The stanza in the file `control`.
    pub fn stanza(&self) -> Result<Stanza<'_>, DebError> {
        Ok(stanzas(self.control_text()?).next().ok_or(DebError::NoControl)??)
    }
}

/// A package being read, from front to back.
#[derive(Debug)]
pub struct DebReader<R> {
    reader: R,
    control_read: bool,
}

#[derive(Debug)]
struct Member {
    name: String,
    size: u64,
}

impl<R: Read> DebReader<R> {
    /// Checks that this is a package.
    pub fn new(mut reader: R) -> Result<Self, DebError> {
        let mut magic = [0; 8];
        read_or(&mut reader, &mut magic, DebError::NoArchive)?;
        if &magic != b"!<arch>\n" {
            return Err(DebError::NoArchive);
        }
        let mut reader = Self { reader, control_read: false };
        let member = reader.header()?;
        if member.name != "debian-binary" || member.size > 1024 {
            return Err(DebError::Member { wanted: "debian-binary", found: member.name });
        }
        let mut format = Vec::new();
        reader.member(&member).read_to_end(&mut format)?;
        reader.pad(member.size)?;
        if !format.starts_with(b"2.") {
            return Err(DebError::Format(String::from_utf8_lossy(&format).trim().to_owned()));
        }
        Ok(reader)
    }

    /// Reads the control archive, which must be the next member.
    pub fn control(&mut self) -> Result<ControlArchive, DebError> {
        let member = self.next("control.tar")?;
        let mut packed = self.member(&member);
        let control = read_control(decompress(&member.name, &mut packed)?)?;
        io::copy(&mut packed, &mut io::sink())?;
        self.pad(member.size)?;
        self.control_read = true;
        if control.files.contains_key("control") { Ok(control) } else { Err(DebError::NoControl) }
    }

    /// The data archive; see [`Self::each_member`].
    pub(crate) fn data<'a>(mut self) -> Result<Box<dyn Read + 'a>, DebError>
    where
        R: 'a,
    {
        if !self.control_read {
            let member = self.next("control.tar")?;
            self.skip(&member)?;
        }
        let member = self.next("data.tar")?;
        decompress(&member.name, MemberReader { reader: self.reader, left: member.size })
    }

    fn next(&mut self, wanted: &'static str) -> Result<Member, DebError> {
        loop {
            let member = self.header()?;
            if member.name.starts_with(wanted) {
                return Ok(member);
            }
            // Names with an underscore are for future extensions and passed over (deb(5)).
            if !member.name.starts_with('_') {
                return Err(DebError::Member { wanted, found: member.name });
            }
            self.skip(&member)?;
        }
    }

    fn member(&mut self, member: &Member) -> MemberReader<&mut R> {
        MemberReader { reader: &mut self.reader, left: member.size }
    }

    fn skip(&mut self, member: &Member) -> Result<(), DebError> {
        io::copy(&mut self.member(member), &mut io::sink())?;
        self.pad(member.size)
    }

    fn header(&mut self) -> Result<Member, DebError> {
        let mut header = [0; 60];
        read_or(&mut self.reader, &mut header, DebError::Damaged("it ends before its last member"))?;
        if &header[58..] != b"`\n" {
            return Err(DebError::Damaged("a member header has no end mark"));
        }
        let text = |range: std::ops::Range<usize>| std::str::from_utf8(&header[range]).map(str::trim_end);
        let name = text(0..16).map_err(|_| DebError::Damaged("a member's name is no text"))?;
        let size = text(48..58).ok().filter(|size| size.bytes().all(|byte| byte.is_ascii_digit()));
        let size = size.and_then(|size| size.parse().ok());
        let size = size.ok_or(DebError::Damaged("a member's size is no number"))?;
        Ok(Member { name: name.strip_suffix('/').unwrap_or(name).to_owned(), size })
    }

    /// Members start at even offsets.
    fn pad(&mut self, size: u64) -> Result<(), DebError> {
        if size.is_multiple_of(2) {
            return Ok(());
        }
        read_or(&mut self.reader, &mut [0; 1], DebError::Damaged("it is cut short"))
    }
}

/// Fills `buffer`; where the reader ends before, that is `short`.
fn read_or(reader: &mut impl Read, buffer: &mut [u8], short: DebError) -> Result<(), DebError> {
    reader.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => short,
        _ => error.into(),
    })
}

/// Reads a member to its end and no further; that the package ends before is an error (unlike with `take`).
#[derive(Debug)]
struct MemberReader<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for MemberReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.reader.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the package is cut short"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn decompress<'a, R: Read + 'a>(name: &str, reader: R) -> Result<Box<dyn Read + 'a>, DebError> {
    Ok(match name.split_once(".tar").map(|(_, ending)| ending) {
        Some("") => Box::new(reader),
        Some(".gz") => Box::new(flate2::read::MultiGzDecoder::new(reader)),
        Some(".xz") => {
            let concatenated = liblzma::stream::CONCATENATED;
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, concatenated);
            Box::new(liblzma::read::XzDecoder::new_stream(reader, stream.map_err(io::Error::from)?))
        }
        Some(".zst") => Box::new(zstd::Decoder::new(reader)?),
        Some(".bz2") => Box::new(bzip2::read::MultiBzDecoder::new(reader)),
        _ => return Err(DebError::Compression(name.to_owned())),
    })
}

fn read_control(unpacked: impl Read) -> Result<ControlArchive, DebError> {
    let mut archive = tar::Archive::new(unpacked.take(CONTROL_LIMIT + 1));
    let control = read_entries(&mut archive);
    let mut rest = archive.into_inner();
    // What follows the last entry is read as well: its end is where damage shows.
    let end = if control.is_ok() { io::copy(&mut rest, &mut io::sink()).map(|_| ()) } else { Ok(()) };
    if rest.limit() == 0 {
        return Err(DebError::ControlTooLarge);
    }
    end?;
    control
}

fn read_entries(archive: &mut tar::Archive<impl Read>) -> Result<ControlArchive, DebError> {
    let mut control = ControlArchive::default();
    let mut total = 0_u64;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        let path = entry.path()?.to_string_lossy().into_owned();
        let name = path.strip_prefix("./").unwrap_or(&path);
        if !kind.is_file() || !is_control_name(name) {
            return Err(DebError::ControlName(name.chars().take(200).collect()));
        }
        // Of a sparse file this is the size with its holes, which are filled when it is read.
        total = total.saturating_add(entry.size());
        if total > CONTROL_LIMIT {
            return Err(DebError::ControlTooLarge);
        }
        let mode = entry.header().mode()? & 0o7777;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        if control.files.insert(name.to_owned(), (mode, content)).is_some() {
            return Err(DebError::ControlTwice(name.to_owned()));
        }
    }
    Ok(control)
}

fn is_control_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.bytes().all(plain)
}

#[cfg(test)]
#[path = "deb_tests.rs"]
mod tests;
