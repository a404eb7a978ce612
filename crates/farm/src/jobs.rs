//! Jobs of a graph and the rows of the store that they are.

use archmill_plan::graph::Graph;
use archmill_plan::rebuild::{InputHash, Strategy, next_version};
use archmill_plan::{JobId, JobKind, Moment};
use archmill_store::{PackageId, Planned, Publication, Published, Store, StoreError};
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest as _, Sha256};

/// So many packages are named as the reason of a rebuild.
const NAMED: usize = 5;

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
    current: FxHashMap<JobId, OwnResult>,
    /// Every version that there ever was, with the numbers of rebuilds.
    versions: FxHashMap<JobId, Vec<String>>,
}

/// What the archive has of a job now.
#[derive(Clone, Debug)]
pub(crate) struct OwnResult {
    /// Version of the source, with the number of a rebuild.
    pub(crate) version: String,
    pub(crate) fingerprint: String,
    /// When its build began: what was published later did not go into it.
    pub(crate) began: Moment,
    pub(crate) published: Moment,
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
                let Publication { version, fingerprint, .. } = row.publication.clone();
                let (began, published) = (row.began, row.published);
                results.add(*job, OwnResult { version, fingerprint, began, published });
            }
        }
        results
    }

    fn add(&mut self, job: JobId, result: OwnResult) {
        let versions = self.versions.entry(job).or_default();
        if !versions.contains(&result.version) {
            versions.push(result.version.clone());
        }
        self.current.insert(job, result);
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
        for (id, job) in graph.jobs().filter(|(_, job)| job.kind != JobKind::BaseSet) {
            let planned = Planned {
                source: job.source.to_string(),
                target: graph.made_for(id).to_string(),
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
        let mut sum = Sha256::new();
        sum.update(&hash);
        for on in self.counted(graph, job, results.strategy) {
            // Of what has no result yet there is the seed's.
            let Some(OwnResult { fingerprint, .. }) = results.current.get(&on) else { continue };
            let of = graph.job(on);
            sum.update(format!("\n{} {} {fingerprint}", of.source, graph.target(of.target)));
        }
        Some(hex::encode(sum.finalize()))
    }

    /// The jobs whose results go into a job, as far as they count.
    fn counted(&self, graph: &Graph, job: JobId, strategy: Strategy) -> Vec<JobId> {
        let mut made: Vec<JobId> = match strategy {
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
        made
    }

    /// Why a job is built again without a change of its source: what changed since, of all that goes in.
    pub(crate) fn reason(&self, graph: &Graph, job: JobId) -> Option<String> {
        let results = self.results.as_ref()?;
        let began = results.current.get(&job)?.began;
        let mut changed: Vec<String> = self
            .counted(graph, job, results.strategy)
            .into_iter()
            .filter_map(|on| Some((on, results.current.get(&on)?)))
            .filter(|(_, result)| result.published > began)
            .map(|(on, result)| format!("{} {}", graph.job(on).source, result.version))
            .collect();
        changed.sort_unstable();
        // One source has results for the architecture and for all.
        changed.dedup();
        let more = changed.len().saturating_sub(NAMED);
        changed.truncate(NAMED);
        let list = match (more, &changed[..]) {
            (_, []) => return None,
            (0, [only]) => only.clone(),
            (0, [rest @ .., last]) => format!("{} and {last}", rest.join(", ")),
            (more, named) => format!("{} and {more} more", named.join(", ")),
        };
        Some(format!("Rebuild with {list}."))
    }

    /// What the archive has of a job.
    pub(crate) fn fingerprint(&self, job: JobId) -> Option<&str> {
        Some(&self.results.as_ref()?.current.get(&job)?.fingerprint)
    }

    /// Every version that the archive ever had of a job.
    pub(crate) fn versions(&self, job: JobId) -> Vec<String> {
        let versions = self.results.as_ref().and_then(|results| results.versions.get(&job));
        versions.cloned().unwrap_or_default()
    }

    /// The archive has something else of a job now.
    pub(crate) fn published(&mut self, job: JobId, result: OwnResult) {
        if let Some(results) = &mut self.results {
            results.add(job, result);
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
