//! Toolchains in the cache: `toolchains/<key>/` with `files/`, `manifest.json` and `control/` as any unpacked package
//! has them, and `toolchain.json` beside them.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::inputs::Inputs;

/// Version of `toolchain.json`. Others are not read.
pub const FORMAT: u32 = 1;
/// The folder of toolchains, below the cache folder.
pub(super) const FOLDER: &str = "toolchains";
/// The description in the folder of each, and what `archmill toolchain build --out` leaves.
pub const FILE: &str = "toolchain.json";

/// What `toolchain.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// [`FORMAT`].
    pub format: u32,
    /// Name of its folder; see [`Inputs::key`].
    pub key: String,
    /// Everything that it was made of; source, version and target among it.
    pub inputs: Inputs,
    /// GNU triplet of the target, as gcc was configured.
    pub triplet: String,
    /// All that it has.
    pub files: Vec<ProgramFile>,
    /// Libraries of this machine that its programs load, those that libraries need included.
    pub libraries: Vec<Library>,
    /// When it was made.
    pub made: Timestamp,
    /// Time of the build from start to end, in milliseconds.
    pub wall_ms: u64,
    /// CPU time of the build in user mode, in milliseconds.
    pub cpu_user_ms: u64,
    /// CPU time of the build in the kernel, in milliseconds.
    pub cpu_system_ms: u64,
}

/// A file of a toolchain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFile {
    /// Path as on the target, without a leading slash; it is in `files/`.
    pub path: String,
    /// SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Names (DT_SONAME) of the libraries that it asks for itself.
    pub needs: Vec<String>,
}

/// A library of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// Its name as programs ask for it.
    pub soname: String,
    /// The package that has it.
    pub package: String,
    /// Version of that.
    pub version: String,
    /// SHA-256 of its .deb.
    pub sha256: String,
}

/// A toolchain in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is.
    pub description: Description,
}

impl Toolchain {
    /// The one in `folder`, if a finished one is there that this archmill understands.
    pub(super) fn open(folder: &Path) -> Option<Self> {
        let json = fs::read(folder.join(FILE)).ok()?;
        let description: Description = serde_json::from_slice(&json).ok()?;
        let whole = description.format == FORMAT && folder.join("manifest.json").is_file();
        whole.then(|| Self { folder: folder.to_owned(), description })
    }

    /// The tree with its programs, at the paths that they have on the target.
    pub fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// SHA-256 over the paths and hashes of its files, in hexadecimal digits: what a package has that of its file for.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for file in &self.description.files {
            hash.update(format!("{}  {}\n", file.sha256, file.path));
        }
        hex::encode(hash.finalize())
    }

    /// The first file that is not what the description says, if there is one. Reads all of them.
    pub fn damaged(&self) -> Option<&str> {
        let files = self.files();
        let whole = |file: &&ProgramFile| {
            let measured = crate::artifacts::measure(&files.join(&file.path));
            measured.is_ok_and(|measured| measured.sha256 == file.sha256)
        };
        self.description.files.iter().find(|file| !whole(file)).map(|file| file.path.as_str())
    }
}

/// All toolchains of a cache, the newest first.
pub fn list(cache: &Path) -> Vec<Toolchain> {
    let entries = fs::read_dir(cache.join(FOLDER)).into_iter().flatten().flatten();
    let mut found: Vec<Toolchain> = entries.filter_map(|entry| Toolchain::open(&entry.path())).collect();
    found.sort_by_key(|toolchain| std::cmp::Reverse(toolchain.description.made));
    found
}

/// The newest toolchain for `arch` (Debian's name) that was made from exactly this version of a source package.
pub fn find(cache: &Path, source: &str, version: &str, arch: &str) -> Option<Toolchain> {
    list(cache).into_iter().find(|toolchain| {
        let inputs = &toolchain.description.inputs;
        (inputs.source.as_str(), inputs.version.as_str(), inputs.arch.as_str()) == (source, version, arch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::inputs::sample;

    fn described(seconds: i64) -> Description {
        Description {
            format: FORMAT,
            key: sample().key(),
            inputs: sample(),
            triplet: "aarch64-linux-gnu".to_owned(),
            files: vec![ProgramFile {
                path: "usr/lib/gcc/aarch64-linux-gnu/12/cc1".to_owned(),
                sha256: "ee".to_owned(),
                size_bytes: 7,
                needs: vec!["libc.so.6".to_owned()],
            }],
            libraries: vec![Library {
                soname: "libc.so.6".to_owned(),
                package: "libc6".to_owned(),
                version: "2.36-9".to_owned(),
                sha256: "ff".to_owned(),
            }],
            made: Timestamp::from_second(seconds).unwrap(),
            wall_ms: 1,
            cpu_user_ms: 2,
            cpu_system_ms: 3,
        }
    }

    fn put(cache: &Path, name: &str, description: &Description) {
        let folder = cache.join(FOLDER).join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("manifest.json"), "{}").unwrap();
        fs::write(folder.join(FILE), serde_json::to_vec(description).unwrap()).unwrap();
    }

    #[test]
    fn a_description_is_read_as_it_was_written() {
        let tmp = tempfile::tempdir().unwrap();
        put(tmp.path(), "one", &described(1));
        let found = find(tmp.path(), "gcc-12", "12.2.0-14+deb12u1", "arm64").unwrap();
        assert_eq!(found.description, described(1));
        assert_eq!(found.files(), tmp.path().join("toolchains/one/files"));
        assert_eq!(found.sha256().len(), 64);
    }

    #[test]
    fn a_changed_file_is_noticed() {
        let tmp = tempfile::tempdir().unwrap();
        let mut description = described(1);
        let content = hex::encode(<sha2::Sha256 as sha2::Digest>::digest("cc1"));
        description.files[0].sha256 = content;
        put(tmp.path(), "one", &description);
        let toolchain = list(tmp.path()).remove(0);
        let program = toolchain.files().join(&description.files[0].path);
        assert_eq!(toolchain.damaged(), Some(description.files[0].path.as_str()));
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, "cc1").unwrap();
        assert_eq!(toolchain.damaged(), None);
        fs::write(&program, "cc2").unwrap();
        assert!(toolchain.damaged().is_some());
    }

    #[test]
    fn only_the_very_version_for_the_very_architecture_is_found() {
        let tmp = tempfile::tempdir().unwrap();
        assert_eq!(find(tmp.path(), "gcc-12", "12.2.0-14+deb12u1", "arm64"), None);
        put(tmp.path(), "one", &described(1));
        for (source, version, arch) in [
            ("gcc-13", "12.2.0-14+deb12u1", "arm64"),
            ("gcc-12", "12.2.0-14", "arm64"),
            ("gcc-12", "12.2.0-14+deb12u1", "armhf"),
        ] {
            assert_eq!(find(tmp.path(), source, version, arch), None);
        }
    }

    #[test]
    fn of_several_the_newest_is_taken_and_what_is_not_whole_is_passed_over() {
        let tmp = tempfile::tempdir().unwrap();
        put(tmp.path(), "old", &described(1));
        put(tmp.path(), "new", &described(2));
        put(tmp.path(), "later format", &Description { format: FORMAT + 1, ..described(3) });
        put(tmp.path(), "half", &described(4));
        fs::remove_file(tmp.path().join("toolchains/half/manifest.json")).unwrap();
        fs::create_dir_all(tmp.path().join("toolchains/empty")).unwrap();
        let found = find(tmp.path(), "gcc-12", "12.2.0-14+deb12u1", "arm64").unwrap();
        assert_eq!(found.folder.file_name().unwrap(), "new");
    }
}
