//! Jobs of a graph and the rows of the store that they are.

use archmill_plan::graph::Graph;
use archmill_plan::rebuild::{InputHash, Strategy, next_version};
use archmill_plan::{JobId, JobKind, Moment};
use archmill_store::{PackageId, Planned, Published, Store, StoreError};
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest as _, Sha256};

/// What goes into jobs.
#[derive(Clone, Debug, Default)]
pub struct JobInputs {
    /// Hashes over what does not depend on the farm's own results.
    pub hashes: FxHashMap<JobId, InputHash>,
    /// With the strategy "direct": of which jobs the results count, in place of all that a job needs.
    pub named: FxHashMap<JobId, Vec<JobId>>,
}

/// What a farm's own archive has of each job.
#[derive(Debug, Default)]
pub(crate) struct OwnResults {
    strategy: Strategy,
    fingerprints: FxHashMap<JobId, String>,
    /// Every version that there ever was, with the numbers of rebuilds.
    versions: FxHashMap<JobId, Vec<String>>,
}

/// Which row is which job.
pub(crate) struct Jobs {
    rows: FxHashMap<JobId, PackageId>,
    by_row: FxHashMap<PackageId, JobId>,
    inputs: JobInputs,
    results: Option<OwnResults>,
}

impl OwnResults {
    /// From what the store knows of a suite.
    pub(crate) fn new(strategy: Strategy, graph: &Graph, published: &[Published]) -> Self {
        let mut by_name = FxHashMap::default();
        for (id, job) in graph.jobs().filter(|(_, job)| job.kind == JobKind::Package) {
            by_name.insert((&*job.source, graph.target(job.target).as_str()), id);
        }
        let mut results = Self { strategy, ..Self::default() };
        for row in published {
            if let Some(job) = by_name.get(&(row.source.as_str(), row.target.as_str())) {
                results.add(*job, &row.publication.version, &row.publication.fingerprint);
            }
        }
        results
    }

    fn add(&mut self, job: JobId, version: &str, fingerprint: &str) {
        self.fingerprints.insert(job, fingerprint.to_owned());
        let versions = self.versions.entry(job).or_default();
        if versions.iter().all(|known| known != version) {
            versions.push(version.to_owned());
        }
    }
}

impl Jobs {
    /// Writes the plan down.
    pub(crate) async fn plan(
        store: &Store,
        suite: &str,
        graph: &Graph,
        inputs: JobInputs,
        results: Option<OwnResults>,
        nocheck: &FxHashSet<String>,
        now: Moment,
    ) -> Result<Self, StoreError> {
        let mut jobs = Self { rows: FxHashMap::default(), by_row: FxHashMap::default(), inputs, results };
        let mut change = store.begin().await?;
        change.plan_anew(suite).await?;
        for (id, job) in graph.jobs().filter(|(_, job)| job.kind == JobKind::Package) {
            let planned = Planned {
                source: job.source.to_string(),
                target: graph.target(job.target).to_string(),
                component: graph.components().get(job.component.index()).cloned().unwrap_or_default(),
                version: job.version.to_string(),
                inputs: jobs.inputs(graph, id),
                nocheck: nocheck.contains(&*job.source),
            };
            let row = change.plan(suite, &planned, now).await?;
            jobs.rows.insert(id, row);
            jobs.by_row.insert(row, id);
        }
        change.commit().await?;
        Ok(jobs)
    }

    pub(crate) fn row(&self, job: JobId) -> Option<PackageId> {
        self.rows.get(&job).copied()
    }

    pub(crate) fn job(&self, row: PackageId) -> Option<JobId> {
        self.by_row.get(&row).copied()
    }

    /// The hash over what would go into a job now. What the farm makes itself counts by what is in it, so that a rebuild
    /// that changed nothing changes nothing here either.
    pub(crate) fn inputs(&self, graph: &Graph, job: JobId) -> Option<String> {
        let hash = self.inputs.hashes.get(&job)?.to_string();
        let Some(results) = &self.results else { return Some(hash) };
        let mut made: Vec<JobId> = match results.strategy {
            Strategy::Transitive => graph.needs(job).to_vec(),
            Strategy::Direct => self.inputs.named.get(&job).cloned().unwrap_or_default(),
            Strategy::Local => Vec::new(),
        };
        // The base set is what is in it.
        for base in made.clone() {
            if graph.job(base).kind == JobKind::BaseSet {
                made.extend(graph.needs(base));
            }
        }
        made.sort_unstable();
        made.dedup();
        let mut sum = Sha256::new();
        sum.update(&hash);
        for on in made {
            // Of what has no result yet there is the seed's.
            let Some(fingerprint) = results.fingerprints.get(&on) else { continue };
            let of = graph.job(on);
            sum.update(format!("\n{} {} {fingerprint}", of.source, graph.target(of.target)));
        }
        Some(hex::encode(sum.finalize()))
    }

    /// What the archive has of a job.
    pub(crate) fn fingerprint(&self, job: JobId) -> Option<&str> {
        self.results.as_ref()?.fingerprints.get(&job).map(String::as_str)
    }

    /// Every version that the archive ever had of a job.
    pub(crate) fn versions(&self, job: JobId) -> Vec<String> {
        let versions = self.results.as_ref().and_then(|results| results.versions.get(&job));
        versions.cloned().unwrap_or_default()
    }

    /// The archive has something else of a job now.
    pub(crate) fn published(&mut self, job: JobId, version: &str, fingerprint: &str) {
        if let Some(results) = &mut self.results {
            results.add(job, version, fingerprint);
        }
    }

    /// The version that the next build of a job has.
    pub(crate) fn next_version(&self, graph: &Graph, job: JobId) -> NextVersion {
        let versions = self.results.as_ref().and_then(|results| results.versions.get(&job));
        let of = graph.job(job);
        let is_all = graph.target(of.target).as_str() == "all";
        let published = versions.into_iter().flatten().map(String::as_str);
        let Some(next) = next_version(&of.version, published, is_all) else { return NextVersion::None };
        let number = next.strip_prefix(&*of.version).and_then(|rest| rest.strip_prefix("+b"));
        match number.and_then(|number| number.parse().ok()) {
            Some(number) => NextVersion::Numbered(number),
            None => NextVersion::OfSource,
        }
    }
}

/// See [`Jobs::next_version`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextVersion {
    /// That of the source.
    OfSource,
    /// With the number of a rebuild after it, as that of the source was published before.
    Numbered(u32),
    /// There is none: packages for all have no number.
    None,
}
