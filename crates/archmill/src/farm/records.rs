//! What a farm's records say of builds.

use std::path::Path;
use std::time::Duration;

use archmill_build::record;
use archmill_farm::{RESULTS, build_folder};
use archmill_plan::predict::Traits;
use archmill_plan::simulate::{Seen, SeenEnd};
use archmill_store::{BuildRow, EndKind, PackageId, Store};
use rustc_hash::FxHashMap;

/// All builds of the packages of the last plan, in the order in which they were started.
pub(crate) async fn seen(folder: &Path) -> anyhow::Result<Vec<Seen>> {
    let store = Store::open(folder).await?;
    let packages = store.packages(None).await?;
    let names: FxHashMap<PackageId, (String, String)> =
        packages.into_iter().map(|row| (row.id, (row.planned.source, row.planned.target))).collect();
    let of = |build: BuildRow| {
        let (source, target) = names.get(&build.new.package)?.clone();
        let end = build.end.as_ref()?;
        let kind = match end.kind {
            EndKind::Built => SeenEnd::Built,
            EndKind::Failed | EndKind::Unresolvable => SeenEnd::Failed,
            EndKind::Transient | EndKind::Lost => SeenEnd::Transient,
            // Somebody wanted that.
            EndKind::Cancelled => return None,
        };
        let took: Duration = end.wall.max(end.cpu).unwrap_or_default();
        let traits = source_bytes(&build_folder(store.folder(), build.id));
        let traits = traits.map(|source_bytes| Traits { source_bytes, installs: 0 });
        Some(Seen { source, target, traits, rung: build.new.rung, took, end: kind })
    };
    Ok(store.all_builds().await?.into_iter().filter_map(of).collect())
}

/// Size of what was built, if its record is still there.
fn source_bytes(folder: &Path) -> Option<u64> {
    let record = record::read(&folder.join(RESULTS).join("build-record.json")).ok()?;
    let source = record.inputs.source?;
    let files = source.files.iter().chain(&source.dsc).map(|file| file.size_bytes);
    Some(files.sum()).filter(|bytes| *bytes > 0)
}
