//! Jobs of a graph and the rows of the store that they are.

use archmill_plan::graph::Graph;
use archmill_plan::rebuild::InputHash;
use archmill_plan::{JobId, JobKind, Moment};
use archmill_store::{PackageId, Planned, Store, StoreError};
use rustc_hash::{FxHashMap, FxHashSet};

/// Which row is which job.
pub(crate) struct Jobs {
    rows: FxHashMap<JobId, PackageId>,
    by_row: FxHashMap<PackageId, JobId>,
    inputs: FxHashMap<JobId, String>,
}

impl Jobs {
    /// Writes the plan down.
    pub(crate) async fn plan(
        store: &Store,
        suite: &str,
        graph: &Graph,
        inputs: &FxHashMap<JobId, InputHash>,
        nocheck: &FxHashSet<String>,
        now: Moment,
    ) -> Result<Self, StoreError> {
        let inputs: FxHashMap<JobId, String> =
            inputs.iter().map(|(job, hash)| (*job, hash.to_string())).collect();
        let (mut rows, mut by_row) = (FxHashMap::default(), FxHashMap::default());
        let mut change = store.begin().await?;
        change.plan_anew(suite).await?;
        for (id, job) in graph.jobs().filter(|(_, job)| job.kind == JobKind::Package) {
            let planned = Planned {
                source: job.source.to_string(),
                target: graph.target(job.target).to_string(),
                component: graph.components().get(job.component.index()).cloned().unwrap_or_default(),
                version: job.version.to_string(),
                inputs: inputs.get(&id).cloned(),
                nocheck: nocheck.contains(&*job.source),
            };
            let row = change.plan(suite, &planned, now).await?;
            rows.insert(id, row);
            by_row.insert(row, id);
        }
        change.commit().await?;
        Ok(Self { rows, by_row, inputs })
    }

    pub(crate) fn row(&self, job: JobId) -> Option<PackageId> {
        self.rows.get(&job).copied()
    }

    pub(crate) fn job(&self, row: PackageId) -> Option<JobId> {
        self.by_row.get(&row).copied()
    }

    /// The hash over what goes into a job.
    pub(crate) fn inputs(&self, job: JobId) -> Option<&str> {
        self.inputs.get(&job).map(String::as_str)
    }
}
