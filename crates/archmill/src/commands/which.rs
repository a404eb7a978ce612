//! Which build of a farm is meant.

use archmill_store::{BuildRow, Store};

use crate::cli::WhichArgs;
use crate::setup::{self, Mistake};

/// The last build that options can mean, of those that `counts` lets count; `what` names these.
pub(super) async fn find(
    store: &Store,
    args: &WhichArgs,
    what: &str,
    counts: impl Fn(&BuildRow) -> bool,
) -> anyhow::Result<BuildRow> {
    let WhichArgs { source, arch, suite, build: number } = args;
    let target = setup::target(arch.as_deref())?;
    let rows = store.packages(Some(source)).await?;
    if rows.is_empty() {
        return Err(Mistake(format!("the farm in {} has no {source}", store.folder().display())).into());
    }
    let mut builds = Vec::new();
    for row in rows {
        let of_suite = suite.as_ref().is_none_or(|suite| *suite == row.suite);
        if of_suite && target.is_none_or(|target| row.planned.target == target) {
            builds.extend(store.builds_of(row.id).await?);
        }
    }
    let is_meant = |build: &BuildRow| number.map_or_else(|| counts(build), |number| build.id.0 == number);
    let wanted = builds.into_iter().filter(is_meant).max_by_key(|build| build.id);
    let of = || {
        let number = number.map(|number| format!(" with the number {number}")).unwrap_or_default();
        let target = target.map(|target| format!(" for {target}")).unwrap_or_default();
        format!(
            "there is no {what} of {source}{target}{number} in {}; archmill status {source} tells which there are, and --build N means any of them",
            store.folder().display()
        )
    };
    wanted.ok_or_else(|| Mistake(of()).into())
}
