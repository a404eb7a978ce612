//! What one binary package ships, as read while it was unpacked.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is at one path of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A folder.
    Directory,
    /// A regular file (a hard link within the package is one too: both names share an inode in the cache).
    File,
    /// A symbolic link and what it points to.
    Symlink(RelPath),
}

/// One member of data.tar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Path below the root, without a leading slash.
    pub path: RelPath,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, set-id bits included.
    pub mode: u32,
    /// Numeric owner (Debian packages ship static ids only, Policy 9.2.2).
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Modification time in seconds since 1970.
    pub mtime: i64,
    /// Size in bytes of a regular file.
    #[serde(default)]
    pub size: u64,
}

/// All of a package, in the order of its data.tar (dpkg keeps that order in its file lists).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Members of data.tar.
    pub entries: Vec<Entry>,
    /// Names and permission bits of the members of control.tar.
    pub control: Vec<(String, u32)>,
}

/// A path as bytes: Debian's are UTF-8 with very few exceptions, which JSON cannot hold as strings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(pub PathBuf);

impl RelPath {
    /// The path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl<P: Into<PathBuf>> From<P> for RelPath {
    fn from(path: P) -> Self {
        Self(path.into())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Text(String),
    Bytes(Vec<u8>),
}

impl Serialize for RelPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => Stored::Bytes(self.0.as_os_str().as_bytes().to_vec()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Text(text) => Self(text.into()),
            Stored::Bytes(bytes) => Self(OsString::from_vec(bytes).into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_utf8_survives_json() {
        let path = RelPath(OsString::from_vec(vec![b'a', 0xff, b'/', b'b']).into());
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<RelPath>(&json).unwrap(), path);
        assert_eq!(serde_json::to_string(&RelPath::from("usr/bin")).unwrap(), "\"usr/bin\"");
    }
}
