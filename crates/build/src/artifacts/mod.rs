//! What a build made: checked against its .changes, and each package for what a build must not leave in it.

mod differ;
mod traces;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use archmill_deb::deb::{ControlArchive, DebError, DebReader};
use archmill_deb::members::{Bounds, Member};
use archmill_deb::{DocumentError, FileList, is_plain_name};
use sha2::{Digest as _, Sha256};

use crate::record::Artifact;

pub use differ::differences;
pub use traces::{Trace, What, in_source, leaks, shipped, traces};

/// Why results are not what they must be.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// A .changes or .buildinfo that is not one.
    #[error("{name} cannot be used: {source}")]
    Document {
        /// Its name.
        name: String,
        /// What is wrong.
        source: DocumentError,
    },
    /// It names a file in another folder.
    #[error("{changes} names {name:?}, which is not a plain file name")]
    Name {
        /// The .changes.
        changes: String,
        /// The name.
        name: String,
    },
    /// A file is not what .changes says.
    #[error("{name} is not what the .changes file says: {what}")]
    Mismatch {
        /// The file.
        name: String,
        /// Size or hash.
        what: String,
    },
    /// A package that cannot be read.
    #[error("{name} is not a usable package: {reason}")]
    Package {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A file in a package belongs to a user of the build machine.
    #[error(
        "{package} has /{path} with owner {uid}:{gid}, an id of the build and not of the system (fakeroot would have shown root); debian/rules must set the owner, for example with dh_fixperms or install -o root, or declare Rules-Requires-Root: no"
    )]
    Owner {
        /// The package.
        package: String,
        /// The file in it.
        path: String,
        /// Its owner.
        uid: u64,
        /// Its group.
        gid: u64,
    },
    /// A package for another architecture.
    #[error("{package} is for {found}, and {wanted} was asked for")]
    Architecture {
        /// The package.
        package: String,
        /// Its architecture.
        found: String,
        /// What was asked for.
        wanted: String,
    },
}

/// Reads a .changes and gives the names of the files that belong to it.
pub fn listed(name: &str, text: &str) -> Result<FileList, ArtifactError> {
    let list =
        FileList::parse(text).map_err(|source| ArtifactError::Document { name: name.to_owned(), source })?;
    match list.files.iter().find(|file| !is_plain_name(&file.name)) {
        Some(file) => Err(ArtifactError::Name { changes: name.to_owned(), name: file.name.clone() }),
        None => Ok(list),
    }
}

/// Hash and size of a file.
pub fn measure(path: &Path) -> Result<Artifact, ArtifactError> {
    let failed = |source| ArtifactError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size_bytes = 0;
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => break,
            count => {
                hash.update(&buffer[..count]);
                size_bytes += count as u64;
            }
        }
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Artifact { name, size_bytes, sha256: hex::encode(hash.finalize()) })
}

/// Checks the files of `list` in `folder`, and gives them with the .changes itself.
pub fn verify(folder: &Path, changes: &str, list: &FileList) -> Result<Vec<Artifact>, ArtifactError> {
    let mut artifacts = vec![measure(&folder.join(changes))?];
    for file in &list.files {
        let artifact = measure(&folder.join(&file.name))?;
        if artifact.sha256 != file.sha256 || artifact.size_bytes != file.size {
            let what = format!("it has {} bytes with SHA-256 {}", artifact.size_bytes, artifact.sha256);
            return Err(ArtifactError::Mismatch { name: file.name.clone(), what });
        }
        artifacts.push(artifact);
    }
    artifacts.sort();
    Ok(artifacts)
}

/// A package looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Its control file.
    pub control: String,
    /// Its members as `dpkg -c` lists them.
    pub listing: String,
}

/// Bytes of lists of packages that go into a log: a small package can have a million members.
pub const LONGEST_LISTING: usize = 16 << 20;

/// Checks owners and architecture of a package, and lists it in `room` bytes at most.
pub fn check_package(
    path: &Path,
    arch: &str,
    bounds: Bounds<'_>,
    room: usize,
) -> Result<Contents, ArtifactError> {
    let mut package = Package::open(path)?;
    let control = package.control()?;
    let control = control.files.get("control").map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
    let control = control.unwrap_or_default();
    let found = control.lines().find_map(|line| line.strip_prefix("Architecture:")).unwrap_or("").trim();
    if found != arch && found != "all" {
        let (package, found, wanted) = (package.name, found.to_owned(), arch.to_owned());
        return Err(ArtifactError::Architecture { package, found, wanted });
    }
    let name = package.name.clone();
    let (mut listing, mut left_out) = (String::new(), 0_u64);
    package.each_member(bounds, |member| {
        let line = line(member)?;
        let (uid, gid) = (member.header.uid().unwrap_or(0), member.header.gid().unwrap_or(0));
        if !is_system_id(uid) || !is_system_id(gid) {
            let path = member.path.display().to_string().trim_start_matches("./").to_owned();
            return Err(Problem::Known(ArtifactError::Owner { package: name.clone(), path, uid, gid }));
        }
        if left_out == 0 && listing.len() + line.len() < room {
            let _ = writeln!(listing, "{line}");
        } else {
            left_out += 1;
        }
        Ok(())
    })?;
    if left_out > 0 {
        let _ = writeln!(listing, "... and {left_out} more");
    }
    Ok(Contents { control, listing })
}

/// A package being read.
struct Package {
    name: String,
    reader: DebReader<BufReader<File>>,
}

/// Why reading it ends.
enum Problem {
    /// With the package.
    Bad(String),
    /// Found by who reads it.
    Known(ArtifactError),
}

impl From<DebError> for Problem {
    fn from(error: DebError) -> Self {
        Self::Bad(error.to_string())
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        DebError::from(error).into()
    }
}

impl Package {
    fn open(path: &Path) -> Result<Self, ArtifactError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = File::open(path).map_err(|source| ArtifactError::Io { path: path.to_owned(), source })?;
        match DebReader::new(BufReader::new(file)) {
            Ok(reader) => Ok(Self { name, reader }),
            Err(error) => Err(ArtifactError::Package { name, reason: error.to_string() }),
        }
    }

    fn control(&mut self) -> Result<ControlArchive, ArtifactError> {
        self.reader
            .control()
            .map_err(|error| ArtifactError::Package { name: self.name.clone(), reason: error.to_string() })
    }

    fn each_member(
        self,
        bounds: Bounds<'_>,
        mut visit: impl FnMut(&mut Member<'_>) -> Result<(), Problem>,
    ) -> Result<(), ArtifactError> {
        let name = self.name;
        self.reader.each_member(bounds, |mut member| visit(&mut member)).map_err(|problem| match problem {
            Problem::Bad(reason) => ArtifactError::Package { name, reason },
            Problem::Known(error) => error,
        })
    }
}

/// Ids that Debian gives out once for all systems (Policy 9.2.2): 0-99, 60000-64999 and nobody.
fn is_system_id(id: u64) -> bool {
    id < 100 || (60_000..65_000).contains(&id) || id == 65_534
}

fn line(member: &Member<'_>) -> io::Result<String> {
    let header = member.header;
    let kind = match header.entry_type() {
        tar::EntryType::Directory => 'd',
        tar::EntryType::Symlink => 'l',
        tar::EntryType::Link => 'h',
        _ => '-',
    };
    let owner = |name: io::Result<Option<&str>>, id: u64| match name {
        Ok(Some(name)) if !name.is_empty() => name.to_owned(),
        _ => id.to_string(),
    };
    let user = owner(header.username().map_err(io::Error::other), header.uid()?);
    let group = owner(header.groupname().map_err(io::Error::other), header.gid()?);
    let time = jiff::Timestamp::from_second(i64::try_from(header.mtime()?).unwrap_or(0)).unwrap_or_default();
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string();
    let owners = format!("{user}/{group}");
    let mut text = format!("{kind}{} {owners} ", permissions(header.mode()?));
    let size = header.size()?.to_string();
    let width = (18_usize).saturating_sub(owners.len()).max(size.len());
    let _ = write!(text, "{size:>width$} {time} {}", member.path.display());
    if let Some(target) = &member.link {
        let arrow = if kind == 'l' { "->" } else { "link to" };
        let _ = write!(text, " {arrow} {}", target.display());
    }
    Ok(text)
}

fn permissions(mode: u32) -> String {
    let mut text: String =
        (0..9).rev().map(|bit| if mode >> bit & 1 == 1 { ['x', 'w', 'r'][bit % 3] } else { '-' }).collect();
    for (bit, at, letter) in [(11, 2, 's'), (10, 5, 's'), (9, 8, 't')] {
        if mode >> bit & 1 == 1 {
            let executable = text.as_bytes()[at] == b'x';
            let letter = if executable { letter } else { letter.to_ascii_uppercase() };
            text.replace_range(at..=at, &letter.to_string());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_shown_as_ls_shows_them() {
        assert_eq!(permissions(0o755), "rwxr-xr-x");
        assert_eq!(permissions(0o4755), "rwsr-xr-x");
        assert_eq!(permissions(0o2644), "rw-r-Sr--");
        assert_eq!(permissions(0o1777), "rwxrwxrwt");
    }

    #[test]
    fn ids_of_people_are_not_those_of_the_system() {
        assert!(is_system_id(0) && is_system_id(42) && is_system_id(65_534));
        assert!(!is_system_id(100) && !is_system_id(1000) && !is_system_id(2952));
    }

    #[test]
    fn a_changes_file_may_not_name_files_elsewhere() {
        let hash = "0".repeat(64);
        let text = format!("Source: a\nChecksums-Sha256:\n {hash} 1 ../x.deb\n");
        assert!(listed("a.changes", &text).is_err());
    }
}
