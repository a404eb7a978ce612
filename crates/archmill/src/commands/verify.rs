//! `archmill verify`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use archmill_build::classify::ExitCode;
use archmill_build::job::{self, Hooks, Mode, Request, Session, plan};
use archmill_build::record::BuildRecord;

use crate::cli::VerifyArgs;
use crate::commands::build::{Output, build, results_beside};
use crate::setup;
use crate::ui::Terminal;

/// Builds in both modes and compares every package.
pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let (setup, config) = setup::setup(&args.archive)?;
    let mut request = setup::request(&args.source, &args.archive, &config)?;
    request.no_check = args.no_check;
    request.limits = setup::limits(&args.limits, &config, true)?;
    setup::results(args.out.as_deref())?;
    job::check(&setup, &request)?;
    let terminal = Terminal::new(true, true);
    let mut verifier = Verifier {
        without: setup.without_twins.clone(),
        session: Session::open(setup, &terminal, setup::canceller())?,
        request,
        terminal: &terminal,
        out: args.out.clone().unwrap_or_else(|| results_beside(&args.source).join("verify")),
    };
    let emulated = verifier.build(Mode::Emulated, "emulated", &[])?;
    let accelerated = verifier.build(Mode::Accelerated, "accelerated", &[])?;
    let differing = differing(&emulated, &accelerated);
    tell_times(&emulated, &accelerated);
    if differing.is_empty() {
        answer!("all {} packages are the same, bit for bit", packages(&emulated).len());
        return Ok(ExitCode::Success);
    }
    for name in &differing {
        answer!("{name} differs");
        let found = archmill_build::artifacts::differences(
            &verifier.out.join("emulated").join(name),
            &verifier.out.join("accelerated").join(name),
        );
        for line in found? {
            answer!("  {line}");
        }
    }
    if args.bisect {
        let culprit = verifier.bisect(&emulated, &accelerated)?;
        let place = if verifier.request.emulated_root { "" } else { " as the root is made" };
        answer!(
            "the twin of {culprit} makes the difference{place}; leave it out with --without-twin {culprit}"
        );
    }
    Ok(ExitCode::Acceleration)
}

struct Verifier<'a> {
    session: Session<'a>,
    request: Request,
    terminal: &'a Terminal,
    out: PathBuf,
    /// Twins that are left out anyway.
    without: Vec<String>,
}

impl Verifier<'_> {
    fn build(&mut self, mode: Mode, folder: &str, without: &[String]) -> anyhow::Result<BuildRecord> {
        self.request.mode = Some(mode);
        self.session.setup.without_twins = [&self.without, without].concat();
        let output = Output { out: Some(self.out.join(folder)), json: false, shell_on_failure: false };
        let (_, record) =
            build(&self.session, &self.request, &Hooks::default(), &output, self.terminal, &plan)?;
        if let Some(class) = record.outcome.class {
            bail!("the {folder} build failed ({class}): nothing to compare");
        }
        Ok(record)
    }

    /// Of the twins in order, the first with which the difference appears: half of them at a time.
    fn bisect(&mut self, emulated: &BuildRecord, accelerated: &BuildRecord) -> anyhow::Result<String> {
        let plan = accelerated.inputs.acceleration.as_ref().context("the record has no acceleration plan")?;
        let all: Vec<String> = plan.twins.iter().map(|twin| twin.package.clone()).collect();
        if all.is_empty() {
            bail!("the accelerated build has no twins: it differs for another reason");
        }
        // In the root of the emulated build, which need not be made again for each step, unless that is where it comes from.
        self.request.emulated_root = true;
        if !self.differs(emulated, &[], "in a root that was made emulated")? {
            self.request.emulated_root = false;
            if !self.differs(emulated, &[], "once more in a root that was made with twins")? {
                bail!("the difference comes and goes: the package is not reproducible");
            }
        }
        let (mut good, mut bad) = (0, all.len());
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            let what = format!("with {middle} of {} twins", all.len());
            if self.differs(emulated, &all[middle..], &what)? { bad = middle } else { good = middle }
        }
        Ok(all[bad - 1].clone())
    }

    /// Whether an accelerated build without these twins differs.
    fn differs(&mut self, emulated: &BuildRecord, without: &[String], what: &str) -> anyhow::Result<bool> {
        let record = self.build(Mode::Accelerated, "bisect", without)?;
        let same = differing(emulated, &record).is_empty();
        answer!("{what}: {}", if same { "the same" } else { "differs" });
        Ok(!same)
    }
}

fn packages(record: &BuildRecord) -> BTreeMap<&str, &str> {
    let debs = record.artifacts.iter().filter(|artifact| {
        Path::new(&artifact.name).extension().is_some_and(|ending| ending == "deb" || ending == "udeb")
    });
    debs.map(|artifact| (artifact.name.as_str(), artifact.sha256.as_str())).collect()
}

/// Names of packages that are not the same in both.
fn differing(one: &BuildRecord, other: &BuildRecord) -> Vec<String> {
    let (one, other) = (packages(one), packages(other));
    let names: std::collections::BTreeSet<&str> = one.keys().chain(other.keys()).copied().collect();
    names.into_iter().filter(|name| one.get(name) != other.get(name)).map(str::to_owned).collect()
}

fn tell_times(emulated: &BuildRecord, accelerated: &BuildRecord) {
    let cpu = |record: &BuildRecord| {
        let builds =
            record.phases.iter().filter(|phase| phase.phase == archmill_build::classify::Phase::Build);
        builds.map(|phase| phase.cpu_user_ms + phase.cpu_system_ms).sum::<u64>()
    };
    let (slow, fast) = (cpu(emulated), cpu(accelerated).max(1));
    let tenths = slow * 10 / fast;
    answer!(
        "dpkg-buildpackage took {}.{} s of CPU time emulated and {}.{} s accelerated: {}.{} times",
        slow / 1000,
        slow % 1000 / 100,
        fast / 1000,
        fast % 1000 / 100,
        tenths / 10,
        tenths % 10
    );
}
