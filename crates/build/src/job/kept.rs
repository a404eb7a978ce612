//! The root of a failed build, kept for `archmill debug`: what the build wrote, over layers that are cached anyway.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use archmill_sandbox::cleanup::WorkFolder;
use archmill_sandbox::{Command, Sandbox, Upper};
use serde::{Deserialize, Serialize};

use super::emulator::{Chosen, SETTINGS};
use super::error::{During as _, JobError};
use super::plan::Plan;
use super::roots::Root;
use super::run::{self, BUILD_FOLDER, KEEP, Opening, UPPER};
use super::session::{Request, Session};
use crate::cache::name_of;
use crate::classify::{Phase, relevant_lines};

/// Most failed builds that are kept; the oldest go first.
const MOST: usize = 4;

/// A failed build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// Source package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Debian architecture.
    pub arch: String,
    /// Layers of the root, the topmost first.
    stack: Vec<PathBuf>,
    emulator: Option<Chosen>,
    personality_32: bool,
    /// Whether what was written is a copy of the build folder, as the root was in memory.
    in_memory: bool,
    /// The command that failed.
    pub argv: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// The folder in which it failed, as far as the log tells.
    pub folder: PathBuf,
    /// The lines of the log that say why.
    pub relevant_lines: Vec<String>,
}

impl Kept {
    pub(super) fn new(request: &Request, plan: &Plan, root: &Root, command: &Command, tail: &str) -> Self {
        Self {
            package: plan.source.record.package.clone(),
            version: plan.source.record.version.to_string(),
            arch: request.arch.debian.to_owned(),
            stack: root.stack.clone(),
            emulator: plan.emulator.clone(),
            personality_32: plan.personality_32,
            in_memory: request.arch.bits == 32 && plan.emulator.is_some(),
            argv: command.argv.clone(),
            env: command.env.clone(),
            folder: failing_folder(tail).unwrap_or_else(|| command.cwd.clone()),
            relevant_lines: relevant_lines(tail),
        }
    }

    /// Ends the sandbox and puts what it wrote where [`Kept::last`] finds it.
    pub(super) fn keep(
        &self,
        session: &Session<'_>,
        mut sandbox: Sandbox,
        work: &WorkFolder,
    ) -> Result<(), String> {
        let written = if self.in_memory {
            let copied = run::quietly(&mut sandbox, self.settings(), &["cp", "-a", "/build", KEEP]);
            sandbox.finish();
            copied?;
            work.path().join("keep")
        } else {
            sandbox.finish();
            work.path().join(UPPER)
        };
        let place = session.folder("failed");
        session.map.create_folder(&place).map_err(|error| error.to_string())?;
        let own = place.join(format!("{}_{}", self.package, self.arch));
        let mut gone: Vec<PathBuf> = vec![own.clone()];
        let mut others: Vec<_> = kept_folders(&place).into_iter().filter(|(_, path)| *path != own).collect();
        others.sort();
        gone.extend(others.iter().rev().skip(MOST - 1).map(|(_, path)| path.clone()));
        session.remove(&gone)?;
        session.map.create_folder(&own).map_err(|error| error.to_string())?;
        fs::rename(&written, own.join("written")).map_err(|error| error.to_string())?;
        let json = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        fs::write(own.join("kept.json"), json).map_err(|error| error.to_string())
    }

    /// The last failed build, of a package and an architecture if they are given.
    pub fn last(
        session: &Session<'_>,
        package: Option<&str>,
        arch: Option<&str>,
    ) -> Result<(Self, PathBuf), String> {
        let mut folders = kept_folders(&session.folder("failed"));
        folders.sort();
        let mut known = Vec::new();
        for (_, folder) in folders.into_iter().rev() {
            let path = folder.join("kept.json");
            let text = fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let kept: Self =
                serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            if package.is_none_or(|name| name == kept.package) && arch.is_none_or(|arch| arch == kept.arch) {
                return Ok((kept, folder));
            }
            known.push(format!("{} for {}", kept.package, kept.arch));
        }
        let list = if known.is_empty() {
            "none is kept; a build that fails leaves its root in the cache for this".to_owned()
        } else {
            format!("kept: {}", known.join(", "))
        };
        Err(format!("there is no such failed build ({list})"))
    }

    /// The build's environment; of its emulator too.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut settings = self.env.clone();
        let own = self.emulator.iter().flat_map(Chosen::environment);
        settings.retain(|(name, _)| !SETTINGS.contains(&name.as_str()));
        settings.extend(own);
        settings
    }

    /// Whether the target's programs run in an emulator.
    pub fn emulated(&self) -> bool {
        self.emulator.is_some()
    }

    /// The root as the failure left it.
    pub fn open(&self, session: &Session<'_>, folder: &Path, work: &WorkFolder) -> Result<Sandbox, JobError> {
        let own = folder.file_name().map(|name| format!("failed/{}", name.to_string_lossy()));
        let programs = self.emulator.iter().map(|chosen| &chosen.program);
        session.claim(self.stack.iter().chain(programs).filter_map(|path| name_of(path)).chain(own))?;
        if let Some(layer) = self.stack.iter().find(|layer| !layer.exists()) {
            let message = format!("{} is no longer in the cache: build again", layer.display());
            return Err(JobError::new(Phase::Root, message));
        }
        let written = folder.join("written");
        if !written.is_dir() {
            let message = format!("{} is no longer in the cache: build again", folder.display());
            return Err(JobError::new(Phase::Root, message));
        }
        let upper = if self.in_memory {
            // What was kept is copied back: the kept state itself stays as it was.
            run::in_memory(None)
        } else {
            Upper::Folder {
                upper: written.clone(),
                work: run::part(session, work, "overlay")?,
                volatile: false,
            }
        };
        let opening = Opening {
            arch: archmill_emulate::find(&self.arch).during(Phase::Host)?,
            stack: self.stack.clone(),
            upper,
            emulator: self.emulator.as_ref(),
            personality_32: self.personality_32,
            twins: None,
            cpuinfo: None,
        };
        if !self.in_memory {
            return run::open(session, opening, work);
        }
        let mut sandbox = run::open_with(session, opening, work, &written)?;
        run::prepare(&sandbox).during(Phase::Root)?;
        let from = format!("{KEEP}/build");
        run::quietly(&mut sandbox, self.settings(), &["cp", "-a", &from, "/"]).during(Phase::Root)?;
        Ok(sandbox)
    }
}

/// The folders of failed builds, with when each was written.
fn kept_folders(place: &Path) -> Vec<(std::time::SystemTime, PathBuf)> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter_map(|path| Some((fs::metadata(path.join("kept.json")).ok()?.modified().ok()?, path)))
        .collect()
}

/// What the kept roots of failed builds need of the cache.
pub(super) fn in_use(place: &Path) -> Vec<PathBuf> {
    let read = |(_, folder): (_, PathBuf)| {
        serde_json::from_slice::<Kept>(&fs::read(folder.join("kept.json")).ok()?).ok()
    };
    let kept = kept_folders(place).into_iter().filter_map(read);
    kept.flat_map(|kept| kept.stack.into_iter().chain(kept.emulator.map(|chosen| chosen.program))).collect()
}

/// The folder of the innermost make that failed: the last it said that it entered.
fn failing_folder(tail: &str) -> Option<PathBuf> {
    let mut entered: HashMap<&str, &str> = HashMap::new();
    let mut found: Option<(&str, &str)> = None;
    for line in tail.lines() {
        let Some((maker, text)) = line.split_once(": ").filter(|(maker, _)| maker.starts_with("make")) else {
            continue;
        };
        if let Some(folder) = text.strip_prefix("Entering directory '") {
            entered.insert(maker, folder.trim_end_matches('\''));
        } else if text.starts_with("*** ") {
            // Makes further out say the same after the innermost; their names are shorter or equal.
            let inner = found.is_none_or(|(known, _)| maker.len() >= known.len() && maker >= known);
            if let Some(folder) = entered.get(maker).filter(|_| inner) {
                found = Some((maker, folder));
            }
        }
    }
    found.map(|(_, folder)| PathBuf::from(folder)).filter(|folder| folder.starts_with(BUILD_FOLDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_make_tells_the_folder() {
        let tail = "make[1]: Entering directory '/build/reproducible-path/dash-1'\n\
                    make[2]: Entering directory '/build/reproducible-path/dash-1/src'\n\
                    make[2]: *** [Makefile:1: x.o] Error 1\n\
                    make[2]: Leaving directory '/build/reproducible-path/dash-1/src'\n\
                    make[1]: *** [Makefile:2: all] Error 2\n\
                    make: *** [debian/rules:3: binary] Error 2\n";
        assert_eq!(failing_folder(tail), Some("/build/reproducible-path/dash-1/src".into()));
        assert_eq!(failing_folder("make: *** [x] Error 1\n"), None);
        let elsewhere = "make[1]: Entering directory '/etc'\nmake[1]: *** [x] Error 1\n";
        assert_eq!(failing_folder(elsewhere), None);
    }
}
