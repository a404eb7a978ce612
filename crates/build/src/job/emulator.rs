//! Getting QEMU: found in an archive like every other package, verified, unpacked into the cache.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use archmill_archive::{Expected, OpenedSuite, PoolFile, Suite};
use archmill_deb::BinaryRecord;
use archmill_deb::control::stanzas;
use archmill_emulate::{
    Architecture, FLAGS, Program, address_space, binfmt_line, binfmt_name, candidates, cpu_model,
};
use archmill_sandbox::Binfmt;
use serde::{Deserialize, Serialize};

use super::error::{During as _, JobError};
use super::session::Session;
use crate::cache::name_of;
use crate::classify::Phase;
use crate::record::{Emulator, EmulatorDeb};
use crate::root::tasks::{UnpackArgs, UnpackJob};

/// How long a choice stands before newer suites are asked again.
const STANDS: Duration = Duration::from_hours(24);

/// An emulator in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// The program.
    pub program: PathBuf,
    /// What it is, for the build record.
    pub emulator: Emulator,
}

/// Variables that QEMU takes its settings from: CPU model and address space.
pub(super) const SETTINGS: [&str; 2] = ["QEMU_CPU", "QEMU_RESERVED_VA"];

impl Chosen {
    /// The binfmt_misc entry.
    pub fn binfmt(&self, arch: &Architecture) -> Result<Binfmt, JobError> {
        let line = binfmt_line(arch, &self.program).during(Phase::Host)?;
        Ok(Binfmt { name: binfmt_name(arch), line, interpreter: self.program.clone() })
    }

    /// Settings that the emulator takes from the environment.
    pub fn environment(&self) -> Vec<(String, String)> {
        let Emulator { cpu_model, address_space, .. } = &self.emulator;
        let settings = SETTINGS.into_iter().zip([cpu_model, address_space]);
        settings.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect()
    }
}

/// The emulator for `arch`: the one chosen lately, or the newest that is to be had.
pub(super) fn choose(session: &Session<'_>, arch: &Architecture) -> Result<Chosen, JobError> {
    let wanted = session.setup.qemu_suite.as_deref();
    let remembered =
        session.folder("lists").join(format!("qemu-{}-{}.json", arch.qemu, wanted.unwrap_or("newest")));
    let fresh = fs::metadata(&remembered)
        .and_then(|meta| meta.modified())
        .is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|age| age < STANDS));
    let known = fs::read(&remembered).ok().and_then(|json| serde_json::from_slice::<Chosen>(&json).ok());
    session.claim(known.iter().filter_map(|known| name_of(&known.program)))?;
    if let Some(mut known) = known.filter(|known| fresh && known.program.is_file()) {
        set_model(session, arch, &mut known);
        return Ok(known);
    }
    let mut refusals = Vec::new();
    for candidate in candidates(arch, wanted) {
        session.check_cancelled(Phase::Host)?;
        let found = Suite::find(&candidate.suite)
            .map_err(|error| error.to_string())
            .and_then(|suite| look(session, &suite, &candidate.programs, arch));
        match found {
            Ok(mut chosen) => {
                set_model(session, arch, &mut chosen);
                if let Ok(json) = serde_json::to_vec(&chosen) {
                    let _ = fs::write(&remembered, json);
                }
                return Ok(chosen);
            }
            Err(reason) => refusals.push(format!("{}: {reason}", candidate.suite)),
        }
    }
    Err(JobError::new(
        Phase::Host,
        format!("there is no QEMU for {} to be had: {}", arch.debian, refusals.join("; ")),
    ))
}

fn set_model(session: &Session<'_>, arch: &Architecture, chosen: &mut Chosen) {
    let given = session.setup.qemu_cpu.clone();
    chosen.emulator.cpu_model = given.or_else(|| cpu_model(arch).map(str::to_owned));
    chosen.emulator.address_space = address_space(arch).map(str::to_owned);
}

fn look(
    session: &Session<'_>,
    suite: &Suite,
    programs: &[Program],
    arch: &Architecture,
) -> Result<Chosen, String> {
    let archives = session.archives().map_err(|error| error.message)?;
    let host = host_arch(session);
    // The last of a suite's repositories is the most particular: backports, security.
    let mut specs = suite.repositories(&session.setup.mirror);
    if suite.name.ends_with("-backports") {
        specs = specs.split_off(specs.len() - 1);
    }
    let mut best: Option<(Candidate, &Program)> = None;
    for spec in specs {
        let opened =
            archives.open(&spec, host, false, &session.progress()).map_err(|error| error.to_string())?;
        for program in programs {
            if let Some(found) = newest(&opened, program.package)
                && best.as_ref().is_none_or(|(best, _)| found.version > best.version)
            {
                best = Some((found, program));
                break;
            }
        }
    }
    let (found, program) =
        best.ok_or_else(|| format!("it has no {}", programs.first().map_or("qemu", |p| p.package)))?;
    install(session, &suite.name, &found, program, arch)
}

struct Candidate {
    version: archmill_deb::Version,
    uri: String,
    path: String,
    expected: Expected,
}

fn newest(opened: &OpenedSuite, package: &str) -> Option<Candidate> {
    let mut best: Option<Candidate> = None;
    for index in &opened.packages {
        let text = fs::read_to_string(&index.path).ok()?;
        let line = format!("Package: {package}\n");
        for (at, _) in
            text.match_indices(&line).filter(|(at, _)| *at == 0 || text.as_bytes()[at - 1] == b'\n')
        {
            let Some(Ok(stanza)) = stanzas(&text[at..]).next() else { continue };
            let Ok(record) = BinaryRecord::new(stanza) else { continue };
            let (Ok(version), Some(path), Some(size), Some(sha256)) =
                (record.version(), record.filename(), record.size(), record.sha256())
            else {
                continue;
            };
            if best.as_ref().is_none_or(|best| version > best.version) {
                let expected = Expected { sha256: sha256.to_owned(), size };
                best = Some(Candidate {
                    version,
                    uri: opened.spec.uri.clone(),
                    path: path.to_owned(),
                    expected,
                });
            }
        }
    }
    best
}

fn install(
    session: &Session<'_>,
    suite: &str,
    found: &Candidate,
    program: &Program,
    arch: &Architecture,
) -> Result<Chosen, String> {
    let deb = EmulatorDeb {
        uri: found.uri.clone(),
        path: found.path.clone(),
        sha256: found.expected.sha256.clone(),
        size_bytes: found.expected.size,
        program: program.path.clone(),
    };
    let version = found.version.to_string();
    let path = unpacked(session, &deb, &version, suite)?;
    let measured = crate::artifacts::measure(&path).map_err(|error| {
        format!("{} {version} has no static emulator for {}: {error}", program.package, arch.debian)
    })?;
    let emulator = Emulator {
        package: program.package.to_owned(),
        version,
        suite: suite.to_owned(),
        sha256: measured.sha256,
        cpu_model: None,
        address_space: None,
        binfmt_flags: FLAGS.to_owned(),
        deb,
    };
    Ok(Chosen { program: path, emulator })
}

/// The program out of its package, in the cache.
fn unpacked(session: &Session<'_>, deb: &EmulatorDeb, version: &str, suite: &str) -> Result<PathBuf, String> {
    session.claim([format!("unpacked/{}", deb.sha256)]).map_err(|error| error.to_string())?;
    let folder = session.folder("unpacked").join(&deb.sha256);
    let path = folder.join("files").join(&deb.program);
    if !path.is_file() {
        session.step(&format!("QEMU {version} from {suite}"));
        let expected = Expected { sha256: deb.sha256.clone(), size: deb.size_bytes };
        let file = PoolFile { url: format!("{}/{}", deb.uri, deb.path), expected };
        let fetched = session.fetch("downloading QEMU", &[file], 1);
        let deb = fetched.map_err(|error| error.to_string())?.remove(0);
        super::roots::unpack_into(session, &[(deb, folder)])?;
    }
    Ok(path)
}

/// The very emulator of a build record.
pub(super) fn recorded(session: &Session<'_>, emulator: &Emulator) -> Result<Chosen, JobError> {
    let program =
        unpacked(session, &emulator.deb, &emulator.version, &emulator.suite).during(Phase::FetchPackages)?;
    let measured = crate::artifacts::measure(&program).during(Phase::Host)?;
    if measured.sha256 != emulator.sha256 {
        let message = format!(
            "{} is not the emulator of the record: its SHA-256 is {} and should be {}",
            program.display(),
            measured.sha256,
            emulator.sha256
        );
        return Err(JobError::new(Phase::Host, message));
    }
    Ok(Chosen { program, emulator: emulator.clone() })
}

/// Debian's name for this machine.
pub(super) fn host_arch(session: &Session<'_>) -> &'static str {
    archmill_emulate::TABLE
        .iter()
        .find(|arch| arch.machine == session.host.machine)
        .map_or("amd64", |arch| arch.debian)
}

impl From<(PathBuf, PathBuf)> for UnpackJob {
    fn from((deb, folder): (PathBuf, PathBuf)) -> Self {
        Self { deb, folder }
    }
}

impl UnpackArgs {
    /// As many at a time as there are processors.
    pub fn new(jobs: Vec<UnpackJob>) -> Self {
        Self { jobs, parallel: std::thread::available_parallelism().map_or(1, usize::from) }
    }
}
