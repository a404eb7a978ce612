//! A build of a toolchain: the root, the script in it, what it leaves.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use archmill_sandbox::cleanup::WorkFolder;
use archmill_sandbox::{Command, Exit, Sandbox, Status};
use jiff::Timestamp;

use super::description::{Description, FILE, FORMAT, ProgramFile};
use super::error::ToolchainError;
use super::inputs::{Inputs, RECIPE};
use super::macros::{defaults_differ, differences};
use super::results;
use super::target::{Target, at};
use crate::classify::Phase;
use crate::command::PATH;
use crate::job::{self, BUILD_USER, Draft, JobError, Plan, Request, Session};
use crate::report::Event;
use crate::root::tasks::UnpackArgs;

/// Where the script and its results are, in the root.
const OUT: &str = "/build/toolchain";

/// A build under way.
pub(super) struct Run<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) request: &'a Request,
    pub(super) plan: &'a Plan,
    pub(super) target: &'a Target,
    /// Where the log goes, besides to who listens.
    pub(super) log: &'a Path,
}

/// What steps took together.
#[derive(Default)]
struct Used {
    wall: Duration,
    user: Duration,
    system: Duration,
}

impl Used {
    fn add(&mut self, exit: &Exit) {
        self.wall += exit.wall;
        self.user += exit.cpu_user;
        self.system += exit.cpu_system;
    }
}

impl Run<'_> {
    /// Builds in a working folder; gives the finished toolchain's folder there.
    pub(super) fn build(
        &self,
        inputs: &Inputs,
        work: &WorkFolder,
        draft: &mut Draft,
    ) -> Result<PathBuf, ToolchainError> {
        let mut file = fs::File::create(self.log).map_err(at("write", self.log))?;
        let mut log = |bytes: &[u8]| {
            // A log that cannot be written, for want of space, is no reason to fail.
            let _ = file.write_all(bytes);
            self.session.report.event(Event::Log(bytes));
        };
        let root = job::make_root(self.session, self.request, self.plan, &mut draft.phases, &mut log)?;
        let mut sandbox = job::open_sandbox(self.session, self.request, self.plan, &root, work)?;
        let (folder, _) = job::unpack_source(self.session, self.request, self.plan, &mut sandbox, &mut log)?;
        let used = self.steps(&mut sandbox, &folder, &mut log)?;
        let deb = work.path().join("toolchain.deb");
        take(&sandbox, &deb)?;
        let needed = read(&sandbox, "needed")?;
        let libraries = read(&sandbox, "libraries")?;
        sandbox.finish();
        let new = work.path().join("toolchain");
        let arguments = UnpackArgs::new(vec![(deb, new.clone()).into()]);
        self.session.task("root-unpack", &arguments, &mut || {}).map_err(ToolchainError::Results)?;
        let description = Description {
            format: FORMAT,
            key: inputs.key(),
            inputs: inputs.clone(),
            triplet: self.target.triplet().to_owned(),
            files: program_files(&new.join("files"), &needed)?,
            libraries: results::libraries(&libraries, &inputs.packages).map_err(ToolchainError::Results)?,
            made: Timestamp::now(),
            wall_ms: ms(used.wall),
            cpu_user_ms: ms(used.user),
            cpu_system_ms: ms(used.system),
        };
        let json = serde_json::to_vec_pretty(&description)
            .map_err(|error| ToolchainError::Results(error.to_string()))?;
        fs::write(new.join(FILE), json).map_err(at("write", &new.join(FILE)))?;
        Ok(new)
    }

    /// The script, step by step. What configure found is held against the target's before the long one.
    fn steps(
        &self,
        sandbox: &mut Sandbox,
        folder: &Path,
        log: &mut dyn FnMut(&[u8]),
    ) -> Result<Used, ToolchainError> {
        let id = BUILD_USER.1;
        sandbox.make_folder(OUT, 0o755, (id, id)).map_err(sandbox_failed)?;
        let script = format!("{OUT}/recipe.sh");
        let write = |name: &str, text: &str| {
            sandbox.write(Path::new(OUT).join(name), text.as_bytes(), 0o644, (id, id)).map_err(sandbox_failed)
        };
        write("recipe.sh", RECIPE)?;
        write("native-configargs.h", &self.target.said.configargs)?;
        write("control", &self.control())?;
        let mut configure = vec!["configure".to_owned()];
        configure.extend(self.target.arguments.for_host(self.request.arch.triplet));
        let mut used = Used::default();
        let mut step = |sandbox: &mut Sandbox, words: Vec<String>| -> Result<(), ToolchainError> {
            let argv = ["bash", &script].map(str::to_owned).into_iter().chain(words).collect();
            used.add(&self.step(sandbox, folder, argv, log)?);
            Ok(())
        };
        step(sandbox, configure)?;
        let native = &self.target.said;
        let mut different = differences(&native.auto_host, &read(sandbox, "auto-host.h")?);
        different.extend(defaults_differ(&native.configargs, &read(sandbox, "configargs.h")?));
        if !different.is_empty() {
            return Err(ToolchainError::Different { differences: different });
        }
        step(sandbox, vec!["compile".to_owned()])?;
        step(sandbox, vec!["collect".to_owned()])?;
        Ok(used)
    }

    /// One step; `argv` is of the script and names the step after that.
    fn step(
        &self,
        sandbox: &mut Sandbox,
        folder: &Path,
        argv: Vec<String>,
        log: &mut dyn FnMut(&[u8]),
    ) -> Result<Exit, ToolchainError> {
        let Target { source, version, arch, .. } = self.target;
        let name = argv.get(2).cloned().unwrap_or_default();
        self.session.check_cancelled(Phase::Build)?;
        self.session.step(&format!("{name}: {source} {version} for {}", arch.debian));
        let command = Command {
            argv,
            env: self.environment(),
            cwd: folder.to_owned(),
            uid: BUILD_USER.1,
            gid: BUILD_USER.1,
            umask: 0o22,
            limits: self.request.limits.clone(),
        };
        let exit = sandbox.run(&command, log).map_err(sandbox_failed)?;
        let failed = || {
            let log = self.log.display();
            format!("step {name} of {source} {version} failed ({}); the log is in {log}", exit.status)
        };
        match exit.status {
            Status::Exited(0) => Ok(exit),
            Status::Cancelled => Err(JobError::cancelled(Phase::Build).into()),
            Status::Limit(kind) => Err(JobError::limit(Phase::Build, kind, failed()).into()),
            _ => Err(JobError::new(Phase::Build, failed()).into()),
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        let value = |name: &str| self.target.arguments.value(name).unwrap_or_default().to_owned();
        let jobs = self.request.jobs.to_string();
        [
            ("PATH", PATH.to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("HOME", "/sbuild-nonexistent".to_owned()),
            ("ARCH", self.target.arch.debian.to_owned()),
            ("TARGET", self.target.triplet().to_owned()),
            ("VERSION", self.target.said.version_folder.clone()),
            ("PREFIX", value("program-prefix")),
            ("SUFFIX", value("program-suffix")),
            ("LIBEXEC", value("libexecdir")),
            ("JOBS", jobs),
            ("OUT", OUT.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The package that the programs travel in. It is for this machine and cannot be installed beside the archive's.
    fn control(&self) -> String {
        let Target { source, version, arch, .. } = self.target;
        format!(
            "Package: archmill-{source}-for-{}\nVersion: {version}\nArchitecture: {}\nMaintainer: archmill\n\
             Description: programs of the compiler {source} of {}, for this machine\n",
            arch.debian, self.request.arch.debian, arch.debian
        )
    }
}

/// A list that the script left, or a header.
fn read(sandbox: &Sandbox, name: &str) -> Result<String, ToolchainError> {
    let bytes = sandbox.read(Path::new(OUT).join(name), 16 << 20).map_err(sandbox_failed)?;
    String::from_utf8(bytes).map_err(|error| ToolchainError::Results(format!("{name}: {error}")))
}

fn take(sandbox: &Sandbox, deb: &Path) -> Result<(), ToolchainError> {
    let mut from = sandbox.open(Path::new(OUT).join("toolchain.deb")).map_err(sandbox_failed)?;
    let mut to = fs::File::create(deb).map_err(at("write", deb))?;
    io::copy(&mut from, &mut to).map(|_| ()).map_err(at("write", deb))
}

/// Every file below `files`, which has been unpacked from a package; `needed` says what each asks for.
fn program_files(files: &Path, needed: &str) -> Result<Vec<ProgramFile>, ToolchainError> {
    let mut needs = results::needs(needed);
    let mut found = Vec::new();
    let mut folders = vec![files.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(at("read", &folder))? {
            let path = entry.map_err(at("read", &folder))?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let measured = crate::artifacts::measure(&path)
                .map_err(|error| ToolchainError::Results(error.to_string()))?;
            let name = path.strip_prefix(files).unwrap_or(&path).to_string_lossy().into_owned();
            let needs = needs.remove(&name).unwrap_or_default();
            found.push(ProgramFile {
                path: name,
                sha256: measured.sha256,
                size_bytes: measured.size_bytes,
                needs,
            });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn sandbox_failed(error: archmill_sandbox::SandboxError) -> ToolchainError {
    JobError::new(Phase::Build, error).into()
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_with_what_they_need() {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir_all(tmp.path().join("usr/bin")).unwrap();
        fs::write(tmp.path().join("usr/bin/x"), "x").unwrap();
        fs::write(tmp.path().join("usr/a"), "a").unwrap();
        let files = program_files(tmp.path(), "usr/bin/x\tlibc.so.6\n").unwrap();
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["usr/a", "usr/bin/x"]);
        assert_eq!((files[1].needs.as_slice(), files[1].size_bytes), (&["libc.so.6".to_owned()][..], 1));
    }
}
