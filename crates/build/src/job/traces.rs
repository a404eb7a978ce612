//! What must not be in packages that twins had part in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use archmill_deb::Arch;
use archmill_deb::members::Bounds;
use archmill_emulate::Architecture;

use super::error::{During as _, JobError};
use super::finish::Progress;
use super::import::published;
use super::plan::Plan;
use super::session::{Request, Session};
use crate::artifacts::{self, Trace, What};
use crate::classify::Phase;

/// Nothing of the twins may be in what was built.
pub(super) fn check_traces(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    packages: &[String],
    bounds: Bounds<'_>,
    progress: &mut Progress<'_>,
) -> Result<(), JobError> {
    let host = archmill_emulate::find(super::emulator::host_arch(session)).during(Phase::Host)?;
    let mut traces = Vec::new();
    for name in packages {
        let found = artifacts::traces(&progress.out.join(name), host.elf_machine, host.triplet, bounds);
        traces.extend(found.during(Phase::Artifacts)?);
    }
    if traces.is_empty() {
        return Ok(());
    }
    let unpacked: Vec<_> =
        plan.set.packages.iter().map(|package| session.folder("unpacked").join(&package.sha256)).collect();
    let mut known = artifacts::shipped(&traces, &unpacked);
    if let Some(source) = super::unpacked::place(session, plan) {
        known.extend(artifacts::in_source(&traces, &source));
    }
    traces.retain(|trace| !known.contains(&trace.sha256));
    let (triplets, traces): (Vec<Trace>, Vec<Trace>) =
        traces.into_iter().partition(|trace| trace.what == What::Triplet);
    if !triplets.is_empty() {
        let mentioned = upstream(session, request, plan, &triplets, host, bounds);
        progress.warnings.extend(artifacts::leaks(&triplets, &mentioned, host.triplet));
    }
    let Some(trace) = traces.first() else { return Ok(()) };
    let what = if trace.what == What::HostProgram {
        format!("is a program for {}", host.debian)
    } else {
        format!("mentions {}", archmill_dispatch::PREFIX)
    };
    let message = format!(
        "{} has /{}, which {what}: twins left it there; build with --mode emulated, and find which with: archmill verify --bisect",
        trace.package,
        trace.path.display()
    );
    let mut error = JobError::new(Phase::Artifacts, message);
    error.class = crate::classify::Class::Acceleration;
    Err(error)
}

/// The files that mention this machine's triplet in the archive's own packages of the same versions, by package. What cannot be had
/// is not there: the build is no worse for it.
fn upstream(
    session: &Session<'_>,
    request: &Request,
    plan: &Plan,
    triplets: &[Trace],
    host: &Architecture,
    bounds: Bounds<'_>,
) -> BTreeMap<String, BTreeSet<PathBuf>> {
    let names: BTreeSet<&str> = triplets.iter().map(|trace| trace.package.as_str()).collect();
    let arch = request.arch.debian.parse::<Arch>().ok();
    let packages = arch.and_then(|arch| published(session, &plan.suites, &arch, &names).ok());
    let mentions = |(name, path): (String, PathBuf)| {
        let found = artifacts::traces(&path, host.elf_machine, host.triplet, bounds).ok()?;
        let mentions = found.into_iter().filter(|trace| trace.what == What::Triplet);
        Some((name, mentions.map(|trace| trace.path).collect()))
    };
    packages.unwrap_or_default().into_iter().filter_map(mentions).collect()
}
