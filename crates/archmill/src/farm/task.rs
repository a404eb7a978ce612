//! The command of one build of a farm: archmill itself, so that a build in a farm is a build by hand.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use archmill_engine::Task;
use archmill_farm::{Again, Order, RESULTS};
use archmill_plan::JobKind;
use archmill_plan::ladder::Mode;
use rustc_hash::FxHashSet;

use crate::cli::ArchiveArgs;
use crate::config::Config;
use crate::setup;
use crate::units::duration;

/// Patience stretches the limits of time by so much.
const STRETCH: u32 = 3;
/// And the limits of test runners by so much: what a package's own programs take longer under QEMU.
const TESTS: u32 = 10;
/// QEMUs that are tried where the usual one fails: the first that is not it.
const OTHER_QEMUS: [&str; 2] = ["trixie", "bookworm"];

/// What is the same for all builds of a rebuild.
pub(crate) struct Tasks {
    program: PathBuf,
    common: Vec<OsString>,
    /// Builds packages for all.
    native: String,
    other_qemu: &'static str,
    patient: Vec<OsString>,
    untested: FxHashSet<String>,
    maintainer: String,
}

impl Tasks {
    /// From the options and the configuration of the rebuild.
    pub(crate) fn new(
        suite: &str,
        archive: &ArchiveArgs,
        config: &Config,
        native: &str,
        untested: FxHashSet<String>,
        maintainer: String,
    ) -> anyhow::Result<Self> {
        let setup = setup::setup(archive)?.0;
        let qemu = setup.qemu_suite.as_deref();
        let other_qemu = OTHER_QEMUS.into_iter().find(|suite| Some(*suite) != qemu);
        Ok(Self {
            program: std::env::current_exe().context("cannot find the program that runs")?,
            common: common(suite, archive, &setup)?,
            native: native.to_owned(),
            other_qemu: other_qemu.unwrap_or(OTHER_QEMUS[0]),
            patient: patient(config)?,
            untested,
            maintainer,
        })
    }

    /// The command of a build.
    pub(crate) fn task(&self, order: &Order<'_>) -> Task {
        let Order { graph, job, build, again, folder } = *order;
        let of = graph.job(job);
        if let JobKind::Toolchain { of: source, makes } = &of.kind {
            let (source, jobs) = (format!("{source}={}", of.version), build.width.to_string());
            let words = ["toolchain", "build", &source, "--for", makes.as_str(), "--jobs", &jobs];
            let words = words.into_iter().chain(["--out", RESULTS, "--quiet"]).map(OsString::from);
            let arguments = words.chain(self.common.iter().cloned()).collect();
            return Task { folder: folder.to_owned(), program: self.program.clone(), arguments };
        }
        let target = graph.target(of.target).as_str();
        let (arch, kind) = if target == "all" { (&*self.native, "all") } else { (target, "any") };
        let mode = match build.rung.mode {
            Mode::Native => "native",
            Mode::Accelerated => "accelerated",
            Mode::Emulated | Mode::OtherQemu => "emulated",
            Mode::Imported => "imported",
        };
        // An import has no slot.
        let jobs = build.width.max(1).to_string();
        let source = format!("{}={}", of.source, of.version);
        let mut arguments: Vec<OsString> =
            ["build", &source, "--arch", arch, "--build", kind, "--mode", mode]
                .into_iter()
                .chain(["--jobs", &jobs, "--out", RESULTS, "--quiet"])
                .map(OsString::from)
                .collect();
        arguments.extend(self.common.iter().cloned());
        if build.rung.mode == Mode::OtherQemu {
            arguments.extend(["--qemu-suite".into(), self.other_qemu.into()]);
        }
        if build.rung.patient {
            arguments.extend(self.patient.iter().cloned());
        }
        if self.untested.contains(&*of.source) {
            arguments.push("--no-check".into());
        }
        if let Some(Again { number, reason }) = again.filter(|_| build.rung.mode != Mode::Imported) {
            arguments.extend(["--binnmu".into(), number.to_string().into()]);
            arguments.extend(reason.iter().flat_map(|reason| ["--binnmu-reason".into(), reason.into()]));
            arguments.extend(["--maintainer".into(), (&self.maintainer).into()]);
        }
        Task { folder: folder.to_owned(), program: self.program.clone(), arguments }
    }
}

/// Options that say where packages come from. Paths are made absolute, as a build runs in a folder of its own.
fn common(
    suite: &str,
    archive: &ArchiveArgs,
    setup: &archmill_build::job::Setup,
) -> anyhow::Result<Vec<OsString>> {
    let mut options: Vec<OsString> = Vec::new();
    let mut option = |name: &str, value: OsString| options.extend([OsString::from(name), value]);
    option("--suite", suite.into());
    option("--mirror", setup.mirror.archive.clone().into());
    option("--security-mirror", setup.mirror.security.clone().into());
    option("--cache", std::path::absolute(&setup.cache)?.into());
    if let Some(bytes) = setup.keep_free {
        option("--cache-keep-free", bytes.to_string().into());
    }
    for (name, path) in [("--keyring", &setup.keyring), ("--config", &archive.places.config)] {
        if let Some(path) = path {
            option(name, std::path::absolute(path)?.into());
        }
    }
    for text in &archive.repositories {
        let is_file = !text.starts_with("deb") && Path::new(text).is_file();
        let value = if is_file { std::path::absolute(text)?.into() } else { text.into() };
        option("--repository", value);
    }
    for (name, paths) in [("--extra-package", &archive.extra_packages), ("--twin-rules", &archive.twin_rules)]
    {
        for path in paths {
            option(name, std::path::absolute(path)?.into());
        }
    }
    for (name, words) in [
        ("--without-suite", &archive.without_suites),
        ("--without-twin", &archive.without_twins),
        ("--profiles", &archive.profiles),
    ] {
        for word in words {
            option(name, word.into());
        }
    }
    for (name, word) in [("--qemu-suite", &setup.qemu_suite), ("--qemu-cpu", &setup.qemu_cpu)] {
        if let Some(word) = word {
            option(name, word.into());
        }
    }
    for (name, is_set) in [
        ("--no-check-valid-until", archive.no_check_valid_until),
        ("--allow-unsigned", archive.allow_unsigned),
    ] {
        if is_set {
            options.push(name.into());
        }
    }
    Ok(options)
}

/// Limits of time, stretched.
fn patient(config: &Config) -> anyhow::Result<Vec<OsString>> {
    let stretched = |text: Option<&str>, default: &str| -> anyhow::Result<OsString> {
        let time: Duration = duration(text.unwrap_or(default))? * setup::PATIENCE * STRETCH;
        Ok(format!("{}s", time.as_secs()).into())
    };
    Ok(vec![
        "--max-time".into(),
        stretched(config.limits.time.as_deref(), setup::TIME)?,
        "--max-silence".into(),
        stretched(config.limits.silence.as_deref(), setup::SILENCE)?,
        "--patience".into(),
        TESTS.to_string().into(),
    ])
}
