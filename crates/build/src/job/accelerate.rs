//! Twins for a build root: the plan, and the folder that is mounted into the root.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use archmill_archive::{Expected, FetchError, OpenedSuite, PoolFile};
use archmill_deb::Arch;
use archmill_emulate::twins::{AccelerationPlan, Family, Host, Installed, Offer, Twin, builtin, parse, plan};
use archmill_emulate::{Architecture, Execution, find};
use archmill_sandbox::cleanup::WorkFolder;
use archmill_sandbox::{Mount, MountSource};
use archmill_solve::{IndexText, InstallSet, Universe};
use sha2::{Digest as _, Sha256};

use super::emulator::{Chosen, host_arch};
use super::error::{During as _, JobError};
use super::host_packages::{HostPackages, installed};
use super::session::Session;
use crate::classify::Phase;
use crate::report::Event;
use crate::root::twins::{EXTENSIONS, FORMAT, LINKS, LayArgs, left_out, preloaded};

/// What there is for a machine in the suites of a build.
struct OfHost {
    universe: Universe,
    arch: Arch,
    uris: Vec<String>,
}

/// The rules of twins: archmill's own, and those in files, which win over them.
pub fn twin_rules(files: &[PathBuf]) -> Result<Vec<Family>, String> {
    let mut families = builtin().map_err(|error| error.to_string())?;
    for path in files {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
        families.push(parse(&name, &text).map_err(|error| error.to_string())?);
    }
    Ok(families)
}

/// The acceleration plan for a root, and how long it took to make it of what the indices have.
pub(super) fn acceleration(
    session: &Session<'_>,
    arch: &Architecture,
    suites: &[OpenedSuite],
    universe: &Universe,
    set: &InstallSet,
) -> Result<(AccelerationPlan, Duration), JobError> {
    let host = find(host_arch(session)).during(Phase::Host)?;
    let mut of_hosts = vec![(host, of_host(session, host, suites)?)];
    // Programs of 32 bits are the CPU's own too, and have the word size of a target of 32 bits.
    let small = find("i386").during(Phase::Host)?;
    if arch.bits == small.bits && session.host.execution(small) != Execution::Emulated {
        of_hosts.push((small, of_host(session, small, suites)?));
    }
    let offers: Vec<(&Architecture, HostPackages<'_>)> = of_hosts
        .iter()
        .map(|(host, of)| {
            let OfHost { universe, arch, uris } = of;
            (*host, HostPackages { universe, arch, uris, cache: &session.setup.cache })
        })
        .collect();
    let begin = Instant::now();
    let installed: Vec<Installed> =
        set.packages.iter().map(|package| installed(universe.package(package.id), arch.debian)).collect();
    let families = twin_rules(&session.setup.twin_rules).during(Phase::Host)?;
    let hosts: Vec<Host<'_>> =
        offers.iter().map(|(arch, offers)| Host { arch, offers, fuses: fuses(arch) }).collect();
    let mut plan = plan(arch, &hosts, &installed, &families);
    let took = begin.elapsed();
    for name in &session.setup.without_twins {
        if !plan.twins.iter().any(|twin| twin.package == *name) {
            session.report.event(Event::Warning(&format!(
                "no package {name} of this root has a twin that --without-twin could leave out"
            )));
        }
    }
    plan.twins.retain(|twin| !session.setup.without_twins.contains(&twin.package));
    Ok((plan, took))
}

/// Whether the C library of this machine computes with fused multiplication and addition there: glibc does where the processor
/// has that and AVX2. Programs of 32 bits have the x87's floating point.
pub(super) fn fuses(arch: &Architecture) -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = std::is_x86_feature_detected!("fma") && std::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let has = arch.fuses;
    has && arch.bits == 64
}

fn of_host(session: &Session<'_>, host: &Architecture, suites: &[OpenedSuite]) -> Result<OfHost, JobError> {
    let arch: Arch = host.debian.parse().during(Phase::Host)?;
    let archives = session.archives()?;
    let (mut texts, mut uris, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for suite in suites {
        session.check_cancelled(Phase::Indexes)?;
        let opened =
            archives.open(&suite.spec, host.debian, false, &session.progress()).during(Phase::Indexes)?;
        session.claim_indices(&opened)?;
        for index in &opened.packages {
            let text = fs::read_to_string(&index.path).during(Phase::Indexes)?;
            texts.push(IndexText::new(text, opened.spec.suite.clone()).with_priority(opened.priority()));
            uris.push(opened.spec.uri.clone());
            hashes.push(index.sha256.clone());
        }
    }
    let hashes: Vec<&str> = hashes.iter().map(String::as_str).collect();
    let universe = super::universe(&session.setup.cache, texts, &hashes, &arch, &[]);
    Ok(OfHost { universe, arch, uris })
}

impl Chosen {
    /// The same emulator, which starts twins where there are some.
    pub(super) fn with_twins(self, session: &Session<'_>) -> Result<Self, JobError> {
        let name = self.program.file_name().unwrap_or_default().to_owned();
        // Of this QEMU and this code: other versions of archmill have other code, and what processes run is not replaced.
        let code = hex::encode(Sha256::digest(archmill_dispatch::code()));
        let folder = format!("emulator-{}-{}", &self.emulator.sha256[..16], &code[..16]);
        session.claim([format!("twins/{folder}")])?;
        let folder = session.folder("twins").join(folder);
        let program = folder.join(&name);
        if !program.is_file() {
            let qemu = fs::read(&self.program).during(Phase::Host)?;
            let combined = archmill_dispatch::combine(&qemu).during(Phase::Host)?;
            session.map.create_folder(&folder).during(Phase::Host)?;
            // Moved into place when it is on the disk: one that is there is whole.
            let new = folder.join(format!("new-{}", std::process::id()));
            write_program(&new, &combined)
                .and_then(|()| fs::rename(&new, &program))
                .map_err(|error| format!("cannot write {}: {error}", program.display()))
                .during(Phase::Host)?;
        }
        Ok(Self { program, emulator: self.emulator })
    }
}

fn write_program(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(0o755))?;
    file.sync_all()
}

/// Twins for a root.
#[derive(Debug, Clone)]
pub struct Laid {
    /// The folder of programs, libraries and the table.
    pub folder: PathBuf,
    /// Packages of the plan that have no twin after all, and why: seen in their files.
    pub left_out: BTreeMap<String, String>,
}

/// The folder of twins for a root, from the cache or made, and what was found out in making it.
pub(super) fn lay(
    session: &Session<'_>,
    arch: &Architecture,
    plan: &AccelerationPlan,
    root: &[(String, PathBuf)],
) -> Result<Laid, JobError> {
    let folder = folder(session, arch, plan, root)?;
    let left_out = left_out(&folder).during(Phase::Root)?;
    for (package, reason) in &left_out {
        session.report.event(Event::Warning(&format!("{package} is emulated: {reason}")));
    }
    Ok(Laid { folder, left_out })
}

fn folder(
    session: &Session<'_>,
    arch: &Architecture,
    plan: &AccelerationPlan,
    root: &[(String, PathBuf)],
) -> Result<PathBuf, JobError> {
    let key = key(plan, arch.long_double, root);
    session.claim([format!("twins/{key}")])?;
    let place = session.folder("twins").join(&key);
    if place.join("table").is_file() {
        return Ok(place);
    }
    let mut offers: Vec<&Offer> = plan.twins.iter().map(|twin| &twin.offer).chain(&plan.libraries).collect();
    // One package may stand in for several.
    offers.sort_by(|a, b| a.sha256.cmp(&b.sha256));
    offers.dedup_by(|a, b| a.sha256 == b.sha256);
    session.claim(offers.iter().map(|offer| format!("unpacked/{}", offer.sha256)))?;
    fetch(session, &offers)?;
    session.step(&format!("laying out {} twins", plan.twins.len()));
    let work = WorkFolder::create(&session.folder("work"), &session.map).during(Phase::Root)?;
    let folder = work.path().join("twins");
    let pool = session.folder("twins").join("pool");
    session.map.create_folder(&pool).during(Phase::Root)?;
    session.map.create_folder(&folder).during(Phase::Root)?;
    let unpacked = |offer: &Offer| {
        offer.folder.clone().unwrap_or_else(|| session.folder("unpacked").join(&offer.sha256))
    };
    let args = LayArgs {
        twins: plan.twins.iter().map(|twin| (twin.clone(), unpacked(&twin.offer))).collect(),
        libraries: plan.libraries.iter().map(|offer| (offer.arch.clone(), unpacked(offer))).collect(),
        root: root.to_vec(),
        target: arch.triplet.to_owned(),
        long_double: arch.long_double,
        links: plan.links.clone(),
        pool: pool.clone(),
        folder: folder.clone(),
    };
    // Files that folders share are in no claim: none may go between being found and being linked.
    let _gate = session.hold_cache()?;
    let made = session.task("twins-lay", &args, &mut || {}).during(Phase::Root);
    // Another process may have been faster; what it made is the same.
    let moved = made.and_then(|()| match fs::rename(&folder, &place) {
        Err(error) if !place.join("table").is_file() => {
            Err(format!("cannot move twins to {}: {error}", place.display())).during(Phase::Root)
        }
        _ => Ok(()),
    });
    session.remove(&[work.path().to_owned()]).during(Phase::Root)?;
    moved.map(|()| place)
}

fn key(plan: &AccelerationPlan, long_double: u8, root: &[(String, PathBuf)]) -> String {
    let mut hash = Sha256::new();
    hash.update("archmill twins\n");
    hash.update(serde_json::to_vec(plan).unwrap_or_default());
    hash.update(digest(&plan.twins, long_double));
    for (name, folder) in root {
        hash.update(format!("{name} {}\n", folder.display()));
    }
    hex::encode(&hash.finalize()[..16])
}

/// Of what these twins are and how they start, wherever they are from. Not of the libraries that they load: those are of the
/// versions that the root's are of.
pub(super) fn digest(twins: &[Twin], long_double: u8) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{FORMAT}\n"));
    hash.update(archmill_dispatch::code());
    for mut twin in twins.iter().cloned() {
        twin.offer.filename.clear();
        twin.offer.index = 0;
        hash.update(serde_json::to_vec(&twin).unwrap_or_default());
    }
    if twins.iter().any(|twin| twin.macros) {
        hash.update(archmill_macros::LIBRARY);
        hash.update(archmill_macros::SERVER);
    }
    for library in preloaded(twins, long_double) {
        hash.update(library);
    }
    if twins.iter().any(|twin| twin.extensions.is_some()) {
        hash.update(EXTENSIONS);
    }
    hex::encode(&hash.finalize()[..16])
}

fn fetch(session: &Session<'_>, offers: &[&Offer]) -> Result<(), JobError> {
    let folder = |offer: &Offer| session.folder("unpacked").join(&offer.sha256);
    let missing: Vec<&&Offer> = offers
        .iter()
        .filter(|offer| offer.folder.is_none() && !folder(offer).join("manifest.json").is_file())
        .collect();
    let files: Vec<PoolFile> = missing
        .iter()
        .map(|offer| PoolFile {
            url: offer.filename.clone(),
            expected: Expected { sha256: offer.sha256.clone(), size: offer.size },
        })
        .collect();
    let debs = session.fetch("downloading twins", &files, 6);
    let debs = debs.map_err(|error| {
        // Not of what the build needs, but of what makes it fast.
        let remedy = match error {
            FetchError::NotFound { .. } | FetchError::Mismatch { .. } => {
                "; it is for a twin, and --mode emulated builds without twins"
            }
            _ => "",
        };
        JobError::new(Phase::FetchPackages, format!("{error}{remedy}"))
    })?;
    let jobs: Vec<(PathBuf, PathBuf)> =
        debs.into_iter().zip(missing.iter().map(|offer| folder(offer))).collect();
    super::roots::unpack_into(session, &jobs).during(Phase::Root)
}

/// The layer with what twins need in the root itself, if they need something.
pub(super) fn layer(twins: &Path) -> Option<PathBuf> {
    Some(twins.join(LINKS)).filter(|links| links.is_dir())
}

/// What a sandbox with twins has mounted.
pub(super) fn mounts(twins: &Path) -> [Mount; 2] {
    let target = |path: &str| PathBuf::from(path.trim_start_matches('/'));
    [
        Mount {
            target: target(archmill_dispatch::PREFIX),
            source: MountSource::Bind { from: twins.to_owned(), writable: false },
        },
        Mount {
            target: target(archmill_dispatch::NOTES),
            // For whoever starts a program: a line for a choice, or a program that runs macros.
            source: MountSource::Tmpfs { size: 32 << 20, mode: 0o1777 },
        },
    ]
}
