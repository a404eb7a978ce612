//! The source, from the host into the root: copied in and unpacked there, or taken as it was unpacked before.

use std::fs;
use std::path::{Path, PathBuf};

use archmill_deb::changelog::{BinNmu as Entry, newest_date};
use archmill_sandbox::{Command, Exit, Limits, Sandbox, Status};

use super::emulator::Chosen;
use super::error::{During as _, JobError};
use super::plan::Plan;
use super::run::{BUILD_FOLDER, BUILD_USER};
use super::session::{Request, Session};
use super::source::{Source, VERSION_CONTROL};
use super::unpacked;
use crate::classify::{Class, Phase};
use crate::command::PATH;
use crate::record::BinNmu;
use crate::report::Event;

/// Puts the source into the sandbox and unpacks it; gives its folder, and what the command that did it used.
pub fn unpack_source(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    sandbox: &mut Sandbox,
    output: &mut dyn FnMut(&[u8]),
) -> Result<(PathBuf, Exit), JobError> {
    let source = &plan.source;
    let folder = Path::new(BUILD_FOLDER).join(source.folder_name());
    if let Some(tree) = source.tree.as_ref().map(|tree| &tree.path) {
        session.step(&format!("copying {}", tree.display()));
        let argv = bring_tree(tree, source, &folder, sandbox)?;
        let exit = unpack_with(sandbox, request, plan, argv, output)?;
        sandbox.remove(Path::new(BUILD_FOLDER).join(TREE)).during(Phase::Unpack)?;
        return Ok((folder, exit));
    }
    for (file, path) in &source.files {
        copy_in(path, &file.name, sandbox)?;
    }
    let place = unpacked::claimed(session, plan)?;
    if let Some(place) = &place
        && unpacked::bring(place, sandbox).during(Phase::Unpack)?
    {
        output(format!("{} is taken as it was unpacked before\n", source.folder_name()).as_bytes());
        let extracted = unpack_with(sandbox, request, plan, unpacked::extract_command(), output);
        unpacked::clear(sandbox).during(Phase::Unpack)?;
        match extracted {
            // A damaged archive: it goes, and the source is unpacked anew.
            Err(error) if error.class == Class::Build => {
                fs::remove_file(place).during(Phase::Unpack)?;
                sandbox.remove(&folder).during(Phase::Unpack)?;
            }
            other => return Ok((folder, other?)),
        }
    }
    let dsc = source.files.first().map(|(file, _)| file.name.clone()).unwrap_or_default();
    let argv = ["dpkg-source", "--no-check", "-x", &dsc].map(str::to_owned).into_iter();
    let argv = argv.chain([folder.display().to_string()]).collect();
    let exit = unpack_with(sandbox, request, plan, argv, output)?;
    if let Some(place) = &place {
        unpack_with(sandbox, request, plan, unpacked::pack_command(&folder), output)?;
        // A tree that cannot be kept is unpacked again next time.
        if let Err(error) = unpacked::keep(place, sandbox) {
            session.report.event(Event::Warning(&format!("the unpacked source was not kept: {error}")));
        }
        unpacked::clear(sandbox).during(Phase::Unpack)?;
    }
    Ok((folder, exit))
}

/// Puts the entry of a rebuild without a change of source on top of debian/changelog.
pub(super) fn add_entry(
    request: &Request,
    plan: &Plan,
    binnmu: &BinNmu,
    folder: &Path,
    sandbox: &Sandbox,
) -> Result<(), JobError> {
    let path = folder.join("debian/changelog");
    let old = sandbox.read(&path, LARGEST_CHANGELOG).during(Phase::Unpack)?;
    let date = newest_date(&String::from_utf8_lossy(&old)).map(str::to_owned);
    let date = date.ok_or("debian/changelog has no entry with a date").during(Phase::Unpack)?;
    let record = &plan.source.record;
    let entry = Entry {
        source: &record.package,
        version: &request.version_of(&record.version.to_string()),
        suite: &request.suite,
        arch: request.arch.debian,
        reason: &binnmu.reason,
        maintainer: &binnmu.maintainer,
        date: &date,
    };
    let mut text = entry.to_string().into_bytes();
    text.extend(old);
    // Not through a link that the source has there.
    sandbox.remove(&path).during(Phase::Unpack)?;
    sandbox.write(&path, &text, 0o644, (BUILD_USER.1, BUILD_USER.1)).during(Phase::Unpack)
}

/// Changelogs that go back to the nineties have a megabyte.
const LARGEST_CHANGELOG: u64 = 64 << 20;

/// Name of the archive that a source tree travels in.
const TREE: &str = ".tree.tar";

/// Packs a source tree into the sandbox; gives the command that extracts it.
fn bring_tree(
    tree: &Path,
    source: &Source,
    folder: &Path,
    sandbox: &Sandbox,
) -> Result<Vec<String>, JobError> {
    let id = BUILD_USER.1;
    let archive = Path::new(BUILD_FOLDER).join(TREE);
    let target = sandbox.create(&archive, 0o644, id, id).during(Phase::Unpack)?;
    pack(tree, target)
        .map_err(|error| format!("cannot copy {}: {error}", tree.display()))
        .during(Phase::Unpack)?;
    copy_orig(tree, &source.record.package, source.record.version.upstream(), sandbox)?;
    sandbox.make_folder(folder, 0o755, (id, id)).during(Phase::Unpack)?;
    let (archive, folder) = (archive.display().to_string(), folder.display().to_string());
    Ok(["tar", "-xf", &archive, "-C", &folder].map(str::to_owned).to_vec())
}

/// Runs a command that unpacks. A tarball can be as hostile as a build: it may grow without end, so limits apply.
fn unpack_with(
    sandbox: &mut Sandbox,
    request: &Request,
    plan: &Plan,
    argv: Vec<String>,
    output: &mut dyn FnMut(&[u8]),
) -> Result<Exit, JobError> {
    let mut said = Vec::new();
    let mut listen = |bytes: &[u8]| {
        output(bytes);
        said.extend_from_slice(bytes);
        if said.len() > 2 * REMEMBERED {
            said.drain(..said.len() - REMEMBERED);
        }
    };
    let exit = run(sandbox, plan, argv, Path::new(BUILD_FOLDER), request.limits.clone(), &mut listen)?;
    let failed = || {
        let said = String::from_utf8_lossy(&said);
        let why = reason(&said).map_or_else(String::new, |line| format!(": {line}"));
        format!("the source {} cannot be unpacked ({}){why}", plan.source.record.package, exit.status)
    };
    match exit.status {
        Status::Exited(0) => Ok(exit),
        Status::Cancelled => Err(JobError::cancelled(Phase::Unpack)),
        Status::Limit(kind) => Err(JobError::limit(Phase::Unpack, kind, failed())),
        _ => Err(JobError::new(Phase::Unpack, failed())),
    }
}

/// Bytes of a command's output that are searched for the reason of its failure.
const REMEMBERED: usize = 1 << 14;

/// The first complaint in what tar or dpkg-source said: what follows is mostly of its making.
fn reason(said: &str) -> Option<&str> {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let complaint = |line: &&str| {
        line.starts_with("tar: ") || line.starts_with("dpkg-source: error: ") || line.contains(": error: ")
    };
    lines().find(complaint).or_else(|| lines().next_back())
}

fn copy_in(from: &Path, name: &str, sandbox: &Sandbox) -> Result<(), JobError> {
    let failed =
        |error: std::io::Error| format!("cannot copy {} into the build root: {error}", from.display());
    let mut source = fs::File::open(from).map_err(failed).during(Phase::Unpack)?;
    let mut target = sandbox
        .create(Path::new(BUILD_FOLDER).join(name), 0o644, BUILD_USER.1, BUILD_USER.1)
        .during(Phase::Unpack)?;
    std::io::copy(&mut source, &mut target).map_err(failed).during(Phase::Unpack)?;
    Ok(())
}

fn pack(tree: &Path, target: fs::File) -> std::io::Result<()> {
    let mut builder = tar::Builder::new(std::io::BufWriter::new(target));
    builder.follow_symlinks(false);
    builder.mode(tar::HeaderMode::Complete);
    for entry in fs::read_dir(tree)? {
        let entry = entry?;
        let name = entry.file_name();
        // Version control is no part of the source; dpkg-source leaves it out too.
        if VERSION_CONTROL.iter().any(|vcs| name == *vcs) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            builder.append_dir_all(&name, entry.path())?;
        } else {
            builder.append_path_with_name(entry.path(), &name)?;
        }
    }
    builder.finish()
}

/// Upstream's tarballs beside a tree: `dpkg-source -b` wants them.
fn copy_orig(tree: &Path, package: &str, upstream: &str, sandbox: &Sandbox) -> Result<(), JobError> {
    let Some(parent) = tree.parent() else { return Ok(()) };
    let prefix = format!("{package}_{upstream}.orig");
    for entry in fs::read_dir(parent).during(Phase::Unpack)?.flatten() {
        // A folder of that name is somebody's unpacked upstream.
        let file = entry.path().is_file();
        if let Some(name) = entry.file_name().to_str().filter(|name| file && name.starts_with(&prefix)) {
            copy_in(&entry.path(), name, sandbox)?;
        }
    }
    Ok(())
}

/// Runs a command as the build user.
fn run(
    sandbox: &mut Sandbox,
    plan: &Plan,
    argv: Vec<String>,
    cwd: &Path,
    limits: Limits,
    output: &mut dyn FnMut(&[u8]),
) -> Result<Exit, JobError> {
    let mut env: Vec<(String, String)> = [
        ("PATH", PATH),
        ("LC_ALL", "C.UTF-8"),
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
        ("HOME", "/sbuild-nonexistent"),
        ("USER", BUILD_USER.0),
        ("LOGNAME", BUILD_USER.0),
        ("SHELL", "/bin/sh"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    env.extend(plan.emulator.iter().flat_map(Chosen::environment));
    let command =
        Command { argv, env, cwd: cwd.to_owned(), uid: BUILD_USER.1, gid: BUILD_USER.1, umask: 0o22, limits };
    sandbox.run(&command, output).during(Phase::Unpack)
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_first_complaint_is_the_reason() {
        let said = "dpkg-source: info: extracting x\ntar: x/a: Cannot open: Not a directory\ntar: Exiting with failure status\ndpkg-source: error: tar subprocess returned exit status 2\n";
        assert_eq!(reason(said), Some("tar: x/a: Cannot open: Not a directory"));
        assert_eq!(reason("odd\n\n"), Some("odd"));
        assert_eq!(reason(""), None);
    }
}
