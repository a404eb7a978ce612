//! What a farm's records say of builds.

use std::path::Path;
use std::time::Duration;

use archmill_build::record;
use archmill_farm::BuildFile;
use archmill_plan::predict::Traits;
use archmill_plan::simulate::{Seen, SeenEnd};
use archmill_store::{BuildId, EndKind, PackageId, Store};
use rustc_hash::FxHashMap;

/// All builds of the packages of the last plan, in the order in which they were started.
pub(crate) async fn seen(folder: &Path) -> anyhow::Result<Vec<Seen>> {
    let store = Store::read(folder).await?;
    let packages = store.packages(None).await?;
    let names: FxHashMap<PackageId, (String, String)> =
        packages.into_iter().map(|row| (row.id, (row.planned.source, row.planned.target))).collect();
    let mut seen = Vec::new();
    for build in store.all_builds().await? {
        let (Some((source, target)), Some(end)) = (names.get(&build.new.package), &build.end) else {
            continue;
        };
        let kind = match end.kind {
            EndKind::Built => SeenEnd::Built,
            EndKind::Failed | EndKind::Unresolvable => SeenEnd::Failed,
            EndKind::Transient | EndKind::Lost => SeenEnd::Transient,
            // Somebody wanted that.
            EndKind::Cancelled => continue,
        };
        let took: Duration = end.wall.max(end.cpu).unwrap_or_default();
        let traits = source_bytes(&store, build.id).await;
        let traits = traits.map(|source_bytes| Traits { source_bytes, installs: 0 });
        let (source, target) = (source.clone(), target.clone());
        seen.push(Seen { source, target, traits, rung: build.new.rung, took, end: kind });
    }
    Ok(seen)
}

/// Size of what was built, if its record is still there.
async fn source_bytes(store: &Store, build: BuildId) -> Option<u64> {
    let file = BuildFile::named(store, build, record::FILE).await.ok()??;
    let mut bytes = Vec::new();
    file.copy(store, 0, &mut bytes).await.ok()?;
    let record = record::parse(std::str::from_utf8(&bytes).ok()?, record::FILE).ok()?;
    let source = record.inputs.source?;
    let files = source.files.iter().chain(&source.dsc).map(|file| file.size_bytes);
    Some(files.sum()).filter(|bytes| *bytes > 0)
}
