//! Source trees as dpkg-source left them, kept in the cache: under emulation dpkg-source takes longer than all else
//! that comes before a build whose root is cached.
//!
//! A tree is kept as a tar archive, made in the root right after unpacking and extracted in the root: what a source
//! does to whoever unpacks it, it does there. Its name is made of the .dsc's hash, the version of dpkg-dev and the twins that had
//! a hand in it: a build that is emulated has none that they unpacked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use archmill_sandbox::Sandbox;
use sha2::{Digest as _, Sha256};

use super::error::JobError;
use super::plan::Plan;
use super::run::{BUILD_FOLDER, BUILD_USER};
use super::session::Session;
use crate::root::twins::FORMAT;

/// The archive's name in the root.
const ARCHIVE: &str = ".source.tar";
/// Sources larger than this (packed) are not kept: what is saved is less than the disk space is worth.
const LARGEST: u64 = 32 << 20;

/// Where the tree of a plan's source is or will be kept; `None` for what is not kept.
pub(super) fn place(session: &Session<'_>, plan: &Plan) -> Option<PathBuf> {
    // Which twins there are is not told apart: a root has tar, gzip, xz and dpkg-source or it has not.
    let twins = plan.acceleration.as_ref().map(|_| FORMAT);
    let (dsc, _) = plan.source.files.first()?;
    let packed: u64 = plan.source.files.iter().map(|(file, _)| file.size).sum();
    if packed > LARGEST {
        return None;
    }
    let dpkg = plan.set.get("dpkg-dev").map(|package| package.version.as_str()).unwrap_or_default();
    let text =
        format!("archmill source 2\n{}\n{dpkg}\n{}\n{twins:?}\n", dsc.sha256, plan.source.folder_name());
    let name = format!("{}.tar", &hex::encode(Sha256::digest(text))[..32]);
    Some(session.folder("sources").join(name))
}

/// The same for whoever uses it, until the run ends.
pub(super) fn claimed(session: &Session<'_>, plan: &Plan) -> Result<Option<PathBuf>, JobError> {
    let place = place(session, plan);
    let name = place.as_ref().and_then(|place| place.file_name());
    session.claim(name.map(|name| format!("sources/{}", name.to_string_lossy())))?;
    Ok(place)
}

/// The command that packs the unpacked tree; times to the nanosecond, as make compares them.
pub(super) fn pack_command(folder: &Path) -> Vec<String> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    ["tar", "--format=posix", "-C", BUILD_FOLDER, "-cf", &format!("{BUILD_FOLDER}/{ARCHIVE}"), &name]
        .map(str::to_owned)
        .to_vec()
}

/// The command that gives the tree again.
pub(super) fn extract_command() -> Vec<String> {
    ["tar", "-C", BUILD_FOLDER, "-xpf", &format!("{BUILD_FOLDER}/{ARCHIVE}")].map(str::to_owned).to_vec()
}

/// Puts a kept archive into the root; whether there is one.
pub(super) fn bring(place: &Path, sandbox: &Sandbox) -> io::Result<bool> {
    let mut kept = match fs::File::open(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    let path = Path::new(BUILD_FOLDER).join(ARCHIVE);
    let mut target = sandbox.create(path, 0o644, BUILD_USER.1, BUILD_USER.1).map_err(io::Error::other)?;
    io::copy(&mut kept, &mut target)?;
    Ok(true)
}

/// Keeps the archive that was made in the root: under another name until it is whole.
pub(super) fn keep(place: &Path, sandbox: &Sandbox) -> io::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut made = sandbox.open(Path::new(BUILD_FOLDER).join(ARCHIVE)).map_err(io::Error::other)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    io::copy(&mut made, &mut temporary)?;
    temporary.persist(place).map_err(|error| error.error)?;
    Ok(())
}

/// Takes the archive out of the root again.
pub(super) fn clear(sandbox: &Sandbox) -> Result<(), archmill_sandbox::SandboxError> {
    sandbox.remove(Path::new(BUILD_FOLDER).join(ARCHIVE))
}
