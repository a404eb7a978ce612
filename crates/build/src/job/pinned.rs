//! A plan out of a build record: the same inputs again, found by their hashes, nothing chosen anew.

use std::path::Path;
use std::time::Duration;

use archmill_archive::{Expected, Mirror, OpenedSuite, PoolFile, RepoSpec, package_stanza};
use archmill_deb::{Arch, Dsc, Release};
use archmill_emulate::find;
use archmill_emulate::twins::AccelerationPlan;
use archmill_sandbox::Limits;
use archmill_solve::{Base, IndexText, Order, Universe, solve};

use super::accelerate::fuses;
use super::draft::Draft;
use super::emulator::host_arch;
use super::error::{During as _, JobError};
use super::plan::{Mode, Plan, essential, mode, solve_request};
use super::session::{Request, Session};
use super::source::Source;
use crate::classify::Phase;
use crate::record::{BuildRecord, PackageInput, Repository, SourceFile, SourceInput};

/// What a mirror that has moved on leaves the user to do.
const GONE: &str =
    "a mirror keeps only current versions: give one that keeps old ones (a snapshot) with --mirror";

impl Request {
    /// What a record says was asked for.
    pub fn of_record(record: &BuildRecord) -> Result<Self, JobError> {
        let asked = &record.request;
        let ms = |ms: Option<u64>| ms.map(Duration::from_millis);
        Ok(Self {
            source: asked.source.clone(),
            suite: asked.suite.clone(),
            arch: archmill_emulate::find(&asked.arch)
                .map_err(|error| {
                    format!(
                        "the build record names an architecture that this archmill cannot build for: {error}"
                    )
                })
                .refused(Phase::Host)?,
            mode: match asked.mode.as_str() {
                "native" => Some(Mode::Native),
                "emulated" => Some(Mode::Emulated),
                "accelerated" => Some(Mode::Accelerated),
                "imported" => Some(Mode::Imported),
                _ => None,
            },
            build_type: Some(asked.build_type),
            profiles: asked.profiles.clone(),
            options: asked.options.clone(),
            no_check: false,
            jobs: asked.jobs,
            limits: Limits {
                total: ms(asked.limits.time_ms),
                silence: ms(asked.limits.silence_ms),
                memory: asked.limits.memory_bytes,
                processes: asked.limits.processes,
                disk: asked.limits.disk_bytes,
                log: asked.limits.log_bytes,
            },
            extra_depends: archmill_deb::Relations::default(),
            binnmu: asked.binnmu.clone(),
            patience: asked.patience,
            emulated_root: false,
        })
    }
}

/// The plan that a record tells of. `mirror` stands in for the archives that the record names.
pub fn plan_of_record(
    session: &Session<'_>,
    request: &Request,
    record: &BuildRecord,
    mirror: Option<&Mirror>,
    draft: &mut Draft,
) -> Result<Plan, JobError> {
    let Some(recorded) = &record.inputs.source else {
        let message = "the record names no source: its build failed before that was known";
        return Err(JobError::refused(Phase::FetchSource, message));
    };
    let suites: Vec<OpenedSuite> = record
        .inputs
        .repositories
        .iter()
        .map(|repository| OpenedSuite {
            spec: RepoSpec {
                uri: archive_uri(&repository.uri, mirror),
                suite: repository.suite.clone(),
                components: Vec::new(),
                signed_by: None,
                trusted: false,
                check_valid_until: false,
                architectures: Vec::new(),
                sources: true,
                binaries: true,
                priority: None,
            },
            release: Release::default(),
            release_sha256: repository.inrelease_sha256.clone().unwrap_or_default(),
            packages: Vec::new(),
            sources: Vec::new(),
        })
        .collect();
    draft.repositories = suites.iter().map(Repository::of).collect();
    draft.phases.begin(Phase::FetchSource);
    let source = source(session, request, recorded, &suites)?;
    draft.source = Some(source.clone());
    draft.phases.begin(Phase::FetchPackages);
    let arch: Arch = request.arch.debian.parse().during(Phase::Host)?;
    let (mode, personality_32) = mode(session, request)?;
    let (texts, index_suite) = texts(session, &record.inputs.packages, &suites)?;
    draft.phases.begin(Phase::Resolve);
    let universe = Universe::new(texts, &arch, &[]);
    let mut wanted = solve_request(&source, record.request.build_type, &arch, &request.all_profiles());
    wanted.base = recorded_base(&record.inputs.packages);
    let set = solve(&universe, &wanted).during(Phase::Resolve)?;
    same_packages(&set.packages, &record.inputs.packages)?;
    let order = Order::new(&universe, &set);
    let pre_depends = (0..set.packages.len()).map(|at| order.pre_depends_closure(at)).collect();
    draft.phases.begin(Phase::Host);
    let host = find(host_arch(session)).during(Phase::Host)?;
    let counts_on_rounding = record.inputs.acceleration.as_ref().is_some_and(|plan| plan.rounds_alike);
    if mode == Mode::Accelerated && counts_on_rounding && !fuses(host) {
        let message = "the record's acceleration plan is for a processor with FMA and AVX2, which this machine has not: \
                       twins would round otherwise; build it with --mode emulated or on another machine";
        return Err(JobError::refused(Phase::Host, message));
    }
    let emulator = match (mode, &record.inputs.emulator) {
        (Mode::Native | Mode::Imported, _) => None,
        (_, Some(emulator)) => {
            let mut emulator = emulator.clone();
            emulator.deb.uri = archive_uri(&emulator.deb.uri, mirror);
            let chosen = super::emulator::recorded(session, &emulator)?;
            Some(if mode == Mode::Accelerated { chosen.with_twins(session)? } else { chosen })
        }
        (_, None) => {
            return Err(JobError::new(
                Phase::Host,
                "the record is of an emulated build and names no emulator",
            ));
        }
    };
    draft.phases.end(None);
    Ok(Plan {
        source,
        build_type: record.request.build_type,
        suites,
        index_suite,
        essential: essential(&order, &set),
        set,
        order: order.configure_order(),
        pre_depends,
        mode,
        personality_32,
        emulator,
        acceleration: (mode == Mode::Accelerated)
            .then(|| record.inputs.acceleration.clone())
            .flatten()
            .map(|plan| twins_from(plan, &record.inputs.repositories, mirror)),
        acceleration_took: Duration::ZERO,
    })
}

/// The base that a record tells of, by name: it does not follow from the packages, as priorities are the archive's.
fn recorded_base(packages: &[PackageInput]) -> Base {
    let base = packages.iter().filter(|package| package.base);
    Base { packages: base.map(|package| package.name.clone()).collect(), ..Base::default() }
}

/// Security updates are beside the main archive on a mirror, not in it.
fn archive_uri(recorded: &str, mirror: Option<&Mirror>) -> String {
    match mirror {
        Some(mirror) if recorded.trim_end_matches('/').ends_with("-security") => mirror.security.clone(),
        Some(mirror) => mirror.archive.clone(),
        None => recorded.to_owned(),
    }
}

/// The recorded plan, with its packages from `mirror`: they are named by their whole URIs.
fn twins_from(
    mut plan: AccelerationPlan,
    repositories: &[Repository],
    mirror: Option<&Mirror>,
) -> AccelerationPlan {
    let offers = plan.twins.iter_mut().map(|twin| &mut twin.offer).chain(&mut plan.libraries);
    for offer in offers {
        let recorded = repositories.iter().find_map(|repository| {
            let path = offer.filename.strip_prefix(repository.uri.as_str())?.strip_prefix('/')?;
            Some(format!("{}/{path}", archive_uri(&repository.uri, mirror)))
        });
        if let Some(filename) = recorded {
            offer.filename = filename;
        }
    }
    plan
}

fn source(
    session: &Session<'_>,
    request: &Request,
    recorded: &SourceInput,
    suites: &[OpenedSuite],
) -> Result<Source, JobError> {
    let place = recorded.repository.and_then(|number| suites.get(number)).zip(recorded.directory.as_ref());
    let source = if let (Some((suite, directory)), Some(recorded_dsc)) = (place, &recorded.dsc) {
        let base = format!("{}/{directory}", suite.spec.uri);
        let dsc = pool_file(&base, recorded_dsc);
        session.step(&format!("source {} {} of the record", recorded.package, recorded.version));
        let path = fetch(session, "downloading the .dsc", &[dsc], Phase::FetchSource)?.remove(0);
        let text = std::fs::read_to_string(&path).during(Phase::FetchSource)?;
        let mut record = Dsc::parse(&text)
            .map_err(|error| format!("{}: {error}", recorded_dsc.name))
            .during(Phase::FetchSource)?
            .record;
        record.directory.clone_from(directory);
        record.files.push(archmill_deb::SourceFile {
            name: recorded_dsc.name.clone(),
            size: recorded_dsc.size_bytes,
            sha256: recorded_dsc.sha256.clone(),
        });
        Source::fetch(session, record, &base, recorded.repository)?
    } else {
        Source::get(session, &request.source, &[])?
    };
    let had = source.files.iter().map(|(file, _)| (&file.name, &file.sha256));
    let wanted = recorded.dsc.iter().chain(&recorded.files).map(|file| (&file.name, &file.sha256));
    let (mut had, mut wanted): (Vec<_>, Vec<_>) = (had.collect(), wanted.collect());
    had.sort();
    wanted.sort();
    let tree = source.tree.as_ref().map(|tree| &tree.sha256);
    if had != wanted || tree != recorded.tree_sha256.as_ref() {
        let message = format!("{} is no longer the source that was built: its files differ", request.source);
        return Err(JobError::refused(Phase::FetchSource, message));
    }
    Ok(source)
}

fn pool_file(base: &str, file: &SourceFile) -> PoolFile {
    PoolFile {
        url: format!("{base}/{}", file.name),
        expected: Expected { sha256: file.sha256.clone(), size: file.size_bytes },
    }
}

pub(super) fn fetch(
    session: &Session<'_>,
    what: &'static str,
    files: &[PoolFile],
    phase: Phase,
) -> Result<Vec<std::path::PathBuf>, JobError> {
    session.fetch(what, files, 4).map_err(|error| JobError::new(phase, format!("{error}; {GONE}")))
}

/// One index for each repository, of nothing but the packages of the record, as their own control files tell.
fn texts(
    session: &Session<'_>,
    packages: &[PackageInput],
    suites: &[OpenedSuite],
) -> Result<(Vec<IndexText>, Vec<Option<usize>>), JobError> {
    let file = |package: &PackageInput| PoolFile {
        url: match suites.get(package.repository) {
            Some(suite) => format!("{}/{}", suite.spec.uri, package.path),
            None => package.path.clone(),
        },
        expected: Expected { sha256: package.sha256.clone(), size: package.size_bytes },
    };
    let archived: Vec<PoolFile> =
        packages.iter().filter(|package| package.repository < suites.len()).map(file).collect();
    let paths = fetch(session, "downloading packages", &archived, Phase::FetchPackages)?;
    let mut paths = paths.into_iter();
    let mut content = vec![String::new(); suites.len()];
    let (mut texts, mut owners) = (Vec::new(), Vec::new());
    for package in packages {
        let stanza = |path: &Path| {
            package_stanza(path, &package.path)
                .map_err(|error| format!("{}: {error}", package.path))
                .during(Phase::FetchPackages)
        };
        if let Some(text) = content.get_mut(package.repository) {
            let path = paths.next().unwrap_or_default();
            text.push_str(&stanza(&path)?);
        } else {
            let stanza = stanza(Path::new(&package.path))?;
            texts.push(IndexText::local(stanza, package.path.clone()));
            owners.push(None);
        }
    }
    for (number, text) in content.into_iter().enumerate() {
        texts.push(IndexText::new(text, suites[number].spec.suite.clone()));
        owners.push(Some(number));
    }
    Ok((texts, owners))
}

fn same_packages(found: &[archmill_solve::Selected], recorded: &[PackageInput]) -> Result<(), JobError> {
    let mut found: Vec<String> = found
        .iter()
        .map(|package| format!("{} {} {} {}", package.name, package.version, package.arch, package.sha256))
        .collect();
    let mut wanted: Vec<String> = recorded
        .iter()
        .map(|package| format!("{} {} {} {}", package.name, package.version, package.arch, package.sha256))
        .collect();
    found.sort();
    wanted.sort();
    match wanted.iter().find(|package| found.binary_search(package).is_err()) {
        None => Ok(()),
        Some(package) => {
            let message = format!(
                "{package} of the record is not part of the root that its build dependencies ask for: was the record edited?"
            );
            Err(JobError::new(Phase::Resolve, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use archmill_emulate::twins::Offer;

    use super::*;

    #[test]
    fn the_base_of_a_replay_is_that_of_the_record_and_nothing_else() {
        let package = |name: &str, base: bool| PackageInput {
            name: name.to_owned(),
            version: "1".to_owned(),
            arch: "arm64".to_owned(),
            sha256: String::new(),
            size_bytes: 1,
            path: String::new(),
            repository: 0,
            base,
        };
        let packages = [package("login", true), package("debhelper", false), package("apt", true)];
        let expected = Base { packages: vec!["login".to_owned(), "apt".to_owned()], ..Base::default() };
        assert_eq!(recorded_base(&packages), expected);
    }

    #[test]
    fn twins_come_from_the_given_mirror_too() {
        let offer = |filename: &str| Offer {
            name: "libx".to_owned(),
            version: "1".to_owned(),
            arch: "amd64".to_owned(),
            source: "x".to_owned(),
            source_version: "1".to_owned(),
            depends: String::new(),
            built_using: String::new(),
            filename: filename.to_owned(),
            size: 1,
            sha256: String::new(),
            index: 0,
            folder: None,
        };
        let repository = |uri: &str| Repository {
            uri: uri.to_owned(),
            suite: "s".to_owned(),
            inrelease_sha256: None,
            date: None,
        };
        let repositories = [repository("http://a/debian"), repository("http://a/debian-security")];
        let plan = AccelerationPlan {
            libraries: [
                "http://a/debian/pool/x.deb",
                "http://a/debian-security/pool/y.deb",
                "http://b/pool/z.deb",
                "",
            ]
            .map(offer)
            .to_vec(),
            ..AccelerationPlan::default()
        };
        let from = |mirror: Option<&Mirror>| {
            let plan = twins_from(plan.clone(), &repositories, mirror);
            plan.libraries.into_iter().map(|offer| offer.filename).collect::<Vec<_>>()
        };
        let given = Mirror::given("http://m/d/", Some("http://s/e"));
        assert_eq!(
            from(Some(&given)),
            ["http://m/d/pool/x.deb", "http://s/e/pool/y.deb", "http://b/pool/z.deb", ""]
        );
        assert_eq!(from(None)[1], "http://a/debian-security/pool/y.deb");
    }
}
