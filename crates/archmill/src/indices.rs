//! From options to what the solver works on: indices of a suite, or files that were given.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use archmill_archive::{Archives, Fetcher, Keyring, OpenedSuite, Progress, package_stanza};
use archmill_build::classify::Phase;
use archmill_build::job::JobError;
use archmill_build::job::universe;
use archmill_deb::{Arch, nearest};
use archmill_solve::{
    Alternatives, Base, BuildKinds, CheckRules, IndexText, LoadProblem, PackageRef, SourceStanza, Sources,
    Universe, Versions,
};

use crate::cli::{AlternativesArg, ArchiveArgs, BuildTypeArg, SolveArgs, VersionsArg};
use crate::setup;

/// What is solved against, and by which rules.
pub(crate) struct Indices {
    pub(crate) universe: Universe,
    pub(crate) sources: Sources,
    pub(crate) rules: CheckRules,
}

impl Indices {
    /// The architecture to build for.
    pub(crate) fn host(&self) -> &Arch {
        self.rules.host.as_ref().unwrap_or_else(|| self.universe.native())
    }

    /// A source package by name.
    pub(crate) fn source(&self, name: &str) -> anyhow::Result<SourceStanza<'_>> {
        self.sources.find(name).ok_or_else(|| self.unknown(name))
    }

    /// What could not be read of the indices.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &LoadProblem> {
        self.universe.problems().iter().chain(self.sources.problems())
    }

    /// Tells of what could not be read.
    pub(crate) fn warn(&self) {
        for problem in self.problems() {
            remark!("warning: {problem}");
        }
    }

    /// The error for a name that no source package has, with those that are like it.
    fn unknown(&self, name: &str) -> anyhow::Error {
        self.no_package(name, "source package", self.sources.current().map(|source| source.name))
    }

    /// The error for a name that neither a source nor a binary package has.
    pub(crate) fn unknown_to_all(&self, name: &str) -> anyhow::Error {
        let binaries = self.universe.packages().map(PackageRef::name);
        let sources = self.sources.current().map(|source| source.name);
        self.no_package(name, "source or binary package", sources.chain(binaries))
    }

    fn no_package<'n>(&self, name: &str, what: &str, names: impl Iterator<Item = &'n str>) -> anyhow::Error {
        if let Some(problem) = self.problems().find(|problem| problem.package == name) {
            return anyhow::anyhow!("{name:?} is in the indices but could not be read: {problem}");
        }
        let near = nearest(name, names);
        let hint =
            if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
        setup::Mistake(format!("there is no {what} {name:?} in the indices{hint}")).into()
    }
}

/// Opens the indices that the options name.
pub(crate) fn open(archive: &ArchiveArgs, solve: &SolveArgs) -> anyhow::Result<Indices> {
    let native = setup::architecture(solve.build_arch.as_deref().or(archive.arch.as_deref()))?;
    let native: Arch = native.debian.parse()?;
    let host = solve
        .host_arch
        .as_deref()
        .map(|name| -> anyhow::Result<Arch> { Ok(setup::architecture(Some(name))?.debian.parse()?) });
    // A cross build for the architecture that it runs on is none.
    let host = host.transpose()?.filter(|host| *host != native);
    let foreign: Vec<Arch> = host.iter().cloned().collect();
    let (universe, sources) = if solve.packages.is_empty() {
        of_suite(archive, &native, &foreign)?
    } else {
        (Universe::new(files(&solve.packages)?, &native, &foreign), files(&solve.sources)?)
    };
    Ok(Indices { universe, sources: Sources::new(sources), rules: rules(archive, solve, host) })
}

fn rules(archive: &ArchiveArgs, solve: &SolveArgs, host: Option<Arch>) -> CheckRules {
    let (arch, indep) = match archive.build {
        None | Some(BuildTypeArg::Full) => (true, true),
        Some(BuildTypeArg::Any) => (true, false),
        Some(BuildTypeArg::All) => (false, true),
        Some(BuildTypeArg::Source) => (false, false),
    };
    CheckRules {
        base: Base::build_essential(host.as_ref()),
        host,
        profiles: archive.profiles.clone(),
        kinds: BuildKinds { arch, indep },
        alternatives: match solve.alternatives {
            AlternativesArg::First => Alternatives::First,
            AlternativesArg::All => Alternatives::All,
        },
        versions: match solve.versions {
            VersionsArg::Candidate => Versions::Candidate,
            VersionsArg::Any => Versions::Any,
        },
    }
}

/// The packages of a suite for an architecture, and the texts of its source indices.
pub(crate) fn of_suite(
    args: &ArchiveArgs,
    native: &Arch,
    foreign: &[Arch],
) -> anyhow::Result<(Universe, Vec<IndexText>)> {
    let (setup, _) = setup::setup(args)?;
    let keyring = match &setup.keyring {
        Some(path) => Keyring::open(path),
        None => Keyring::debian(),
    };
    let folder = setup.cache.join("lists");
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the cache folder {}", folder.display()))?;
    let fetcher = Fetcher::new();
    let archives = Archives {
        fetcher: &fetcher,
        folder,
        keyring: keyring?,
        ignore_valid_until: setup.ignore_valid_until,
        allow_unsigned: setup.allow_unsigned,
        max_age: archmill_build::job::FRESH,
        now: jiff::Timestamp::now(),
    };
    let (mut packages, mut sources, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    let specs = setup.repositories(&args.suite).map_err(setup::Mistake)?;
    for (number, arch) in std::iter::once(native).chain(foreign).enumerate() {
        for spec in &specs {
            let suite = archives
                .open(spec, arch.as_str(), number == 0, &Notes)
                .map_err(|error| JobError::new(Phase::Indexes, error))?;
            read(&suite, &mut packages, &mut sources)?;
            hashes.extend(suite.packages.into_iter().map(|index| index.sha256));
        }
    }
    for path in &setup.extra_packages {
        let full = path.display().to_string();
        let stanza = package_stanza(path, &full)
            .map_err(|error| setup::Mistake(format!("--extra-package {full}: {error}")))?;
        packages.push(IndexText::local(stanza, full));
    }
    let hashes: Vec<&str> = hashes.iter().map(String::as_str).collect();
    Ok((universe(&setup.cache, packages, &hashes, native, foreign), sources))
}

fn read(
    suite: &OpenedSuite,
    packages: &mut Vec<IndexText>,
    sources: &mut Vec<IndexText>,
) -> anyhow::Result<()> {
    for (indices, texts) in [(&suite.packages, packages), (&suite.sources, sources)] {
        for index in indices {
            let text = text(&index.path)?;
            texts.push(IndexText::new(text, suite.spec.suite.clone()).with_priority(suite.priority()));
        }
    }
    Ok(())
}

fn files(paths: &[std::path::PathBuf]) -> anyhow::Result<Vec<IndexText>> {
    let read = |path: &std::path::PathBuf| {
        let text = text(path).map_err(|error| setup::Mistake(format!("{error:#}")))?;
        Ok(IndexText::new(text, path.display().to_string()))
    };
    paths.iter().map(read).collect()
}

/// A byte that is no UTF-8 must not cost the whole index.
fn text(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read the index {}", path.display()))?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Passes on what is worth knowing about downloads, and nothing of their progress.
struct Notes;

impl Progress for Notes {
    fn bytes(&self, _: u64) {}

    fn note(&self, text: &str) {
        remark!("warning: {text}");
    }
}
