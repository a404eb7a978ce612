//! From a source to the exact set of packages of its build root.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use archmill_archive::{OpenedSuite, Suite, package_stanza};
use archmill_deb::{Arch, Relations};
use archmill_emulate::Execution;
use archmill_emulate::twins::AccelerationPlan;
use archmill_solve::{IndexText, InstallSet, Order, Request as SolveRequest, Wanted, solve};
use serde::{Deserialize, Serialize};

use super::accelerate::acceleration;
use super::draft::Draft;
use super::emulator::{Chosen, choose};
use super::error::{During as _, JobError};
use super::session::{Request, Session, Setup};
use super::source::{Source, regular_file};
use crate::classify::Phase;
use crate::command::BuildType;
use crate::record::Repository;

/// How the target's programs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// By the CPU.
    Native,
    /// Tools by the CPU, as their twins; what the target alone has, by QEMU.
    Accelerated,
    /// Every instruction by QEMU.
    Emulated,
    /// Not at all: the archive's packages are taken as they are.
    Imported,
}

impl Mode {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Accelerated => "accelerated",
            Self::Emulated => "emulated",
            Self::Imported => "imported",
        }
    }
}

/// All that was decided before anything is made.
#[derive(Debug)]
pub struct Plan {
    /// The source.
    pub source: Source,
    /// Which packages to build.
    pub build_type: BuildType,
    /// Packages of the root.
    pub set: InstallSet,
    /// Where each comes from, by its number; numbers beyond are of packages given by hand.
    pub suites: Vec<OpenedSuite>,
    /// Which of `suites` an index number means.
    pub index_suite: Vec<Option<usize>>,
    /// Unpacking order of the base and of the rest, by position in the set.
    pub order: Vec<usize>,
    /// What must be configured before which preinst: see `archmill_solve::Order`.
    pub pre_depends: Vec<Vec<usize>>,
    /// Essential packages and what they need: configured before all others, which count on them.
    pub essential: Vec<usize>,
    /// The mode.
    pub mode: Mode,
    /// Whether the 32-bit personality is wanted.
    pub personality_32: bool,
    /// The emulator, unless native.
    pub emulator: Option<Chosen>,
    /// Which twins are used, if accelerated.
    pub acceleration: Option<AccelerationPlan>,
    /// How long it took to find out, the indices of this machine's packages read; nothing if a record told.
    pub acceleration_took: Duration,
}

/// Refuses what can be seen to be a mistake before anything is fetched or made.
pub fn check(setup: &Setup, request: &Request) -> Result<(), JobError> {
    setup.repositories(&request.suite).refused(Phase::Indexes)?;
    if let Some(suite) = &setup.qemu_suite {
        Suite::find(suite).map_err(|error| format!("--qemu-suite: {error}")).refused(Phase::Host)?;
    }
    super::source::check(&request.source).refused(Phase::FetchSource)?;
    for path in &setup.extra_packages {
        regular_file(path).map_err(|error| format!("--extra-package {error}")).refused(Phase::Resolve)?;
    }
    Ok(())
}

/// Opens the suites, finds the source, resolves its build dependencies and chooses the emulator.
pub fn plan(session: &Session<'_>, request: &Request, draft: &mut Draft) -> Result<Plan, JobError> {
    let arch: Arch = request.arch.debian.parse().during(Phase::Host)?;
    let (mut mode, personality_32) = mode(session, request)?;
    let setup = &session.setup;
    check(setup, request)?;
    let local = local_texts(setup)?;
    let specs = setup.repositories(&request.suite).refused(Phase::Indexes)?;
    draft.phases.begin(Phase::Indexes);
    session.step(&format!("reading package indexes of {}", request.suite));
    let archives = session.archives()?;
    let mut suites = Vec::new();
    for spec in &specs {
        session.check_cancelled(Phase::Indexes)?;
        let suite = archives.open(spec, arch.as_str(), true, &session.progress()).during(Phase::Indexes)?;
        session.claim_indices(&suite)?;
        draft.repositories.push(Repository::of(&suite));
        suites.push(suite);
    }
    draft.phases.begin(Phase::FetchSource);
    let source = Source::get(session, &request.source, &suites)?;
    fits_file_names(&source, request.arch.debian).refused(Phase::FetchSource)?;
    draft.source = Some(source.clone());
    if request.mode.is_none()
        && mode == Mode::Accelerated
        && session.needs_emulation(&source.record.package, request.arch.debian)
    {
        session.step("this source has failed with twins before, and is emulated as a whole");
        mode = Mode::Emulated;
    }
    draft.phases.begin(Phase::Resolve);
    let build_type = build_type(&source, request)?;
    let (texts, index_suite) = texts(&suites, local)?;
    let hashes: Vec<&str> =
        suites.iter().flat_map(|suite| &suite.packages).map(|index| index.sha256.as_str()).collect();
    let universe = super::universe(&session.setup.cache, texts, &hashes, &arch, &[]);
    session.step(&format!("resolving build dependencies of {}", source.record.package));
    let mut solve_request = solve_request(&source, build_type, &arch, &request.all_profiles());
    if !request.extra_depends.0.is_empty() {
        let relations = request.extra_depends.clone();
        solve_request.wanted.push(Wanted { relations, by: "the build".to_owned(), verb: "needs".to_owned() });
    }
    let set = solve(&universe, &solve_request).during(Phase::Resolve)?;
    let order = Order::new(&universe, &set);
    let pre_depends = (0..set.packages.len()).map(|at| order.pre_depends_closure(at)).collect();
    draft.phases.begin(Phase::Host);
    let mut acceleration_took = Duration::ZERO;
    let (emulator, acceleration) = match mode {
        Mode::Native | Mode::Imported => (None, None),
        Mode::Emulated => (Some(choose(session, request.arch)?), None),
        Mode::Accelerated => {
            let emulator = choose(session, request.arch)?.with_twins(session)?;
            let (plan, took) = acceleration(session, request.arch, &suites, &universe, &set)?;
            acceleration_took = took;
            (Some(emulator), Some(plan))
        }
    };
    draft.phases.end(None);
    let essential = essential(&order, &set);
    let order = order.configure_order();
    Ok(Plan {
        source,
        build_type,
        set,
        suites,
        index_suite,
        order,
        pre_depends,
        essential,
        mode,
        personality_32,
        emulator,
        acceleration,
        acceleration_took,
    })
}

pub(super) fn essential(order: &Order, set: &InstallSet) -> Vec<usize> {
    let packages = set.packages.iter().enumerate().filter(|(_, package)| package.essential);
    order.closure(packages.map(|(at, _)| at).collect())
}

impl Request {
    /// Profiles, with `nocheck` where the tests are left out.
    pub fn all_profiles(&self) -> Vec<String> {
        // A word may hold several, as the environment variable does.
        let words = self.profiles.iter().flat_map(|word| word.split([' ', ',']));
        let mut profiles: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
        if self.no_check && !profiles.iter().any(|profile| profile == "nocheck") {
            profiles.push("nocheck".to_owned());
        }
        profiles
    }

    /// Words for DEB_BUILD_OPTIONS, with `nocheck` where the tests are left out.
    pub fn all_options(&self) -> Vec<String> {
        let mut options = self.options.clone();
        if self.no_check && !options.iter().any(|option| option == "nocheck") {
            options.push("nocheck".to_owned());
        }
        options
    }
}

pub(super) fn mode(session: &Session<'_>, request: &Request) -> Result<(Mode, bool), JobError> {
    match (request.mode, session.host.execution(request.arch)) {
        (Some(Mode::Imported), _) => {
            let message = "nothing is built of what is imported; only archmill build takes --mode imported";
            Err(JobError::refused(Phase::Host, message))
        }
        (Some(Mode::Native), Execution::Emulated) => {
            let message = format!(
                "this machine ({}) cannot run programs of {} natively; leave --mode out, or say --mode emulated",
                session.host.machine, request.arch.debian
            );
            Err(JobError::refused(Phase::Host, message))
        }
        (Some(Mode::Emulated | Mode::Accelerated), Execution::Native { .. })
            if request.arch.machine == session.host.machine =>
        {
            let message = format!(
                "{} is what this machine runs, so its programs would never reach an emulator; leave --mode out",
                request.arch.debian
            );
            Err(JobError::refused(Phase::Host, message))
        }
        (None | Some(Mode::Native), Execution::Native { personality_32 }) => {
            Ok((Mode::Native, personality_32))
        }
        (None | Some(Mode::Accelerated), _) if session.host.machine == "x86_64" => {
            Ok((Mode::Accelerated, false))
        }
        (Some(Mode::Accelerated), _) => {
            Err(JobError::refused(Phase::Host, "twins are for x86-64 machines; say --mode emulated"))
        }
        _ => Ok((Mode::Emulated, false)),
    }
}

pub(super) fn build_type(source: &Source, request: &Request) -> Result<BuildType, JobError> {
    let record = &source.record;
    let arch: Arch = request.arch.debian.parse().during(Phase::Host)?;
    let has_any = record.architectures.iter().any(|wildcard| wildcard != "all" && arch.matches(wildcard));
    let by_default = request.binnmu.as_ref().map(|_| BuildType::Any);
    let build_type = request.build_type.or(by_default).unwrap_or_else(|| {
        let indep = record.build_indep_architecture.as_deref();
        BuildType::by_default(arch.as_str(), indep, has_any, record.builds_all())
    });
    if request.binnmu.is_some() && build_type != BuildType::Any {
        // The packages for all would have to be the same on every architecture, and have no number.
        let message = "--binnmu makes packages for one architecture again; say --build any, or leave it out";
        return Err(JobError::refused(Phase::Resolve, message));
    }
    nothing_comes_of(build_type, has_any, record.builds_all(), arch.as_str())
        .map_err(|problem| {
            let architectures = record.architectures.join(" ");
            format!("{} {} {problem} (its architectures: {architectures})", record.package, record.version)
        })
        .refused(Phase::Resolve)?;
    Ok(build_type)
}

/// Refuses a type of build for which the source has no packages.
fn nothing_comes_of(build_type: BuildType, has_any: bool, has_all: bool, arch: &str) -> Result<(), String> {
    let something = build_type == BuildType::Source
        || (build_type.builds_any() && has_any)
        || (build_type.builds_all() && has_all);
    match build_type {
        _ if something => Ok(()),
        BuildType::All if has_any => {
            Err("has no packages for all architectures, so --build all builds nothing; say --build any"
                .to_owned())
        }
        BuildType::Any if has_all => {
            Err(format!("has no packages for {arch}, so --build any builds nothing; say --build all"))
        }
        _ => Err(format!("builds nothing for {arch}")),
    }
}

pub(super) fn texts(
    suites: &[OpenedSuite],
    local: Vec<IndexText>,
) -> Result<(Vec<IndexText>, Vec<Option<usize>>), JobError> {
    let (mut texts, mut owners) = (Vec::new(), Vec::new());
    for (number, suite) in suites.iter().enumerate() {
        for index in &suite.packages {
            let text = fs::read_to_string(&index.path).during(Phase::Indexes)?;
            texts.push(IndexText::new(text, suite.spec.suite.clone()).with_priority(suite.priority()));
            owners.push(Some(number));
        }
    }
    owners.extend(local.iter().map(|_| None));
    texts.extend(local);
    Ok((texts, owners))
}

/// Packages given by hand.
fn local_texts(setup: &Setup) -> Result<Vec<IndexText>, JobError> {
    let read = |path: &PathBuf| -> Result<IndexText, String> {
        let full = fs::canonicalize(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let full = full.display().to_string();
        let stanza = package_stanza(path, &full).map_err(|error| format!("{full}: {error}"))?;
        Ok(IndexText::local(stanza, full))
    };
    let texts: Result<_, String> = setup.extra_packages.iter().map(read).collect();
    texts.map_err(|error| format!("--extra-package {error}")).refused(Phase::Resolve)
}

/// A version may be as long as it likes; a file name may not.
fn fits_file_names(source: &Source, arch: &str) -> Result<(), String> {
    const MOST: usize = 255;
    let record = &source.record;
    let names = std::iter::once(&record.package).chain(&record.binaries);
    let longest = names.map(String::len).max().unwrap_or(0);
    // As it is while it is copied, and of a package of debug symbols.
    let around = format!(".-dbgsym__{arch}.buildinfo.new").len();
    let version = record.version.without_epoch().len();
    if longest + version + around <= MOST {
        return Ok(());
    }
    Err(format!(
        "{} cannot be built: with a version of {version} characters, names of what is built are longer than the {MOST} \
         bytes that a file name can have",
        record.package
    ))
}

pub(super) fn solve_request(
    source: &Source,
    build_type: BuildType,
    arch: &Arch,
    profiles: &[String],
) -> SolveRequest {
    let record = &source.record;
    let mut depends = record.build_depends.reduce(arch, profiles).0;
    let mut conflicts = record.build_conflicts.reduce(arch, profiles).0;
    if build_type.builds_any() {
        depends.extend(record.build_depends_arch.reduce(arch, profiles).0);
        conflicts.extend(record.build_conflicts_arch.reduce(arch, profiles).0);
    }
    if build_type.builds_all() {
        depends.extend(record.build_depends_indep.reduce(arch, profiles).0);
        conflicts.extend(record.build_conflicts_indep.reduce(arch, profiles).0);
    }
    let mut request = SolveRequest::build(&record.package, Relations(depends));
    request.conflicts = Relations(conflicts);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_of_build_that_makes_nothing_is_refused() {
        let refused = |build_type, any, all| nothing_comes_of(build_type, any, all, "arm64").unwrap_err();
        assert!(refused(BuildType::All, true, false).contains("say --build any"));
        assert!(refused(BuildType::Any, false, true).contains("say --build all"));
        assert_eq!(refused(BuildType::Full, false, false), "builds nothing for arm64");
        for (build_type, any, all) in [
            (BuildType::Any, true, false),
            (BuildType::All, false, true),
            (BuildType::Full, false, true),
            (BuildType::Full, true, false),
            (BuildType::Source, false, false),
        ] {
            assert_eq!(nothing_comes_of(build_type, any, all, "arm64"), Ok(()));
        }
    }
}
