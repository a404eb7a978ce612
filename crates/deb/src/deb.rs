//! Reading binary packages (deb(5)): an ar archive of `debian-binary`, `control.tar*` and `data.tar*`.

use std::collections::BTreeMap;
use std::io::{self, Read};

/// Most that a control archive may unpack to; real ones have a few kilobytes, the largest some megabytes.
const CONTROL_LIMIT: u64 = 64 << 20;

/// What is wrong with a package.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// Reading failed.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
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
    #[error("its member {0:?} is compressed in an unknown way")]
    Compression(String),
    /// A control archive of absurd size.
    #[error("its control archive unpacks to more than 64 MiB")]
    ControlTooLarge,
    /// A control member that is not a plain file.
    #[error("its control archive has {0:?}, which is not a plain file name")]
    ControlName(String),
}

/// The members of `control.tar`, with their permission bits.
#[derive(Debug, Default)]
pub struct ControlArchive {
    /// Content by name.
    pub files: BTreeMap<String, (u32, Vec<u8>)>,
}

/// A package being read, from front to back.
#[derive(Debug)]
pub struct DebReader<R> {
    reader: R,
    control_read: bool,
}

struct Member {
    name: String,
    size: u64,
}

impl<R: Read> DebReader<R> {
    /// Checks that this is a package.
    pub fn new(mut reader: R) -> Result<Self, DebError> {
        let mut magic = [0; 8];
        reader.read_exact(&mut magic).map_err(|_| DebError::NoArchive)?;
        if &magic != b"!<arch>\n" {
            return Err(DebError::NoArchive);
        }
        let mut reader = Self { reader, control_read: false };
        let member = reader.header()?;
        if member.name != "debian-binary" || member.size > 1024 {
            return Err(DebError::Member { wanted: "debian-binary", found: member.name });
        }
        let mut format = vec![0; usize::try_from(member.size).unwrap_or(0)];
        reader.reader.read_exact(&mut format)?;
        reader.pad(member.size)?;
        if !format.starts_with(b"2.") {
            return Err(DebError::Format(String::from_utf8_lossy(&format).trim().to_owned()));
        }
        Ok(reader)
    }

    /// Reads the control archive.
    pub fn control(&mut self) -> Result<ControlArchive, DebError> {
        let member = self.next("control.tar")?;
        let mut control = ControlArchive::default();
        {
            let mut limited = (&mut self.reader).take(member.size);
            let unpacked = decompress(&member.name, &mut limited)?.take(CONTROL_LIMIT + 1);
            let mut archive = tar::Archive::new(unpacked);
            let mut total = 0;
            for entry in archive.entries()? {
                let mut entry = entry?;
                if entry.header().entry_type().is_dir() {
                    continue;
                }
                let name = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
                let plain = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
                if !plain || !entry.header().entry_type().is_file() {
                    return Err(DebError::ControlName(name));
                }
                total += entry.size();
                if total > CONTROL_LIMIT {
                    return Err(DebError::ControlTooLarge);
                }
                let mode = entry.header().mode()?;
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                control.files.insert(name, (mode, content));
            }
            drop(archive);
            io::copy(&mut limited, &mut io::sink())?;
        }
        self.pad(member.size)?;
        self.control_read = true;
        if !control.files.contains_key("control") {
            return Err(DebError::Member { wanted: "a control file", found: "none".to_owned() });
        }
        Ok(control)
    }

    /// The data archive, to be read entry by entry.
    pub fn data(mut self) -> Result<tar::Archive<Box<dyn Read>>, DebError>
    where
        R: 'static,
    {
        if !self.control_read {
            self.control()?;
        }
        let member = self.next("data.tar")?;
        let limited = self.reader.take(member.size);
        Ok(tar::Archive::new(decompress(&member.name, limited)?))
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
            io::copy(&mut (&mut self.reader).take(member.size), &mut io::sink())?;
            self.pad(member.size)?;
        }
    }

    fn header(&mut self) -> Result<Member, DebError> {
        let mut header = [0; 60];
        self.reader
            .read_exact(&mut header)
            .map_err(|_| DebError::Damaged("it ends before its last member"))?;
        if &header[58..] != b"`\n" {
            return Err(DebError::Damaged("a member header has no end mark"));
        }
        let text = |range: std::ops::Range<usize>| std::str::from_utf8(&header[range]).map(str::trim);
        let name = text(0..16).map_err(|_| DebError::Damaged("a member's name is no text"))?;
        let size = text(48..58).ok().and_then(|size| size.parse().ok());
        let size = size.ok_or(DebError::Damaged("a member's size is no number"))?;
        Ok(Member { name: name.trim_end_matches('/').to_owned(), size })
    }

    fn pad(&mut self, size: u64) -> Result<(), DebError> {
        if size % 2 == 1 {
            let mut newline = [0; 1];
            self.reader.read_exact(&mut newline).map_err(|_| DebError::Damaged("it is cut short"))?;
        }
        Ok(())
    }
}

fn decompress<'a, R: Read + 'a>(name: &str, reader: R) -> Result<Box<dyn Read + 'a>, DebError> {
    Ok(match name.rsplit_once(".tar").map(|(_, ending)| ending) {
        Some("") => Box::new(reader),
        Some(".gz") => Box::new(flate2::read::MultiGzDecoder::new(reader)),
        Some(".xz") => Box::new(liblzma::read::XzDecoder::new_multi_decoder(reader)),
        Some(".zst") => Box::new(zstd::Decoder::new(reader)?),
        Some(".bz2") => Box::new(bzip2::read::MultiBzDecoder::new(reader)),
        _ => return Err(DebError::Compression(name.to_owned())),
    })
}
