//! What a farm may forget: results that newer ones replaced, old logs, packages that its archive no longer has.
//!
//! What is known of builds stays in the database: when, how, for how long, and why they failed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use archmill_engine::local::OUTPUT;
use archmill_plan::Moment;
use archmill_store::{BuildId, BuildRow, EndKind, KeptFile, PackageId, Store};

use crate::{FarmError, LOG_ENDING};

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Results of so many builds of each package: of the last that succeeded.
    pub results: usize,
    /// Logs and records of builds that ended no longer ago; all if `None`. Those of the last build of each package, and of
    /// builds whose results are kept, stay in any case.
    pub logs: Option<Duration>,
}

/// What was, or would be, removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// Builds of which nothing is left but what the database knows.
    pub builds: u64,
    /// Builds whose results are gone, and whose logs are not.
    pub results: u64,
    /// Packages that the archive no longer has.
    pub packages: u64,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// Whether it is done, or only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remove {
    /// It is done.
    Really,
    /// It is told what would be.
    Not,
}

/// Whether files are removed: not while builds that were started may read what the archive had before, and others are being kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archive {
    /// It is: nobody builds.
    Idle,
    /// It is left alone.
    InUse,
}

/// Removes what is not to be kept. Whatever ends it early, it can be done again.
pub async fn gc(
    store: &Store,
    keep: Keep,
    archive: Archive,
    remove: Remove,
    now: Moment,
) -> Result<Freed, FarmError> {
    let builds = store.all_builds().await?;
    let doomed = doomed(&builds, keep, now);
    let mut freed = Freed::default();
    let mut touched: BTreeMap<BuildId, Doomed> = BTreeMap::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut forgotten: Vec<(BuildId, String)> = Vec::new();
    for (build, KeptFile { name, blob }) in store.all_files().await? {
        match doomed.get(&build) {
            Some(what) if *what == Doomed::All || !is_told(&name) => {
                touched.insert(build, *what);
                forgotten.push((build, name));
            }
            _ => {
                used.insert(blob.sha256);
            }
        }
    }
    for what in touched.values() {
        match what {
            Doomed::All => freed.builds += 1,
            Doomed::Results => freed.results += 1,
        }
    }
    if remove == Remove::Really {
        let mut change = store.begin().await?;
        for (build, name) in &forgotten {
            change.forget(*build, name).await?;
        }
        change.commit().await?;
    }
    if archive == Archive::Idle {
        // While somebody builds, files are there that are not written down yet.
        for blob in store.blobs().all().await?.into_iter().filter(|blob| !used.contains(&blob.sha256)) {
            freed.bytes += blob.size_bytes;
            if remove == Remove::Really {
                store.blobs().remove(&blob.sha256).await?;
            }
        }
        let (packages, bytes) = unlisted(store, remove).await?;
        freed.packages += packages;
        freed.bytes += bytes;
    }
    Ok(freed)
}

/// What of a build goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doomed {
    All,
    Results,
}

/// What goes, by the number of the build. Builds are in the order in which they were started.
fn doomed(builds: &[BuildRow], keep: Keep, now: Moment) -> BTreeMap<BuildId, Doomed> {
    let mut of_package: BTreeMap<PackageId, Vec<&BuildRow>> = BTreeMap::new();
    for build in builds {
        of_package.entry(build.new.package).or_default().push(build);
    }
    let mut doomed = BTreeMap::new();
    for builds in of_package.values() {
        let has_results =
            |build: &&&BuildRow| build.end.as_ref().is_some_and(|end| end.kind == EndKind::Built);
        let kept: BTreeSet<BuildId> =
            builds.iter().rev().filter(has_results).take(keep.results).map(|build| build.id).collect();
        let last = builds.last().map(|build| build.id);
        for build in builds {
            let Some(end) = &build.end else { continue };
            if kept.contains(&build.id) {
                continue;
            }
            let is_old = keep.logs.is_some_and(|age| now.since(end.at) > age);
            let what = if is_old && last != Some(build.id) { Doomed::All } else { Doomed::Results };
            doomed.insert(build.id, what);
        }
    }
    doomed
}

/// What the package says of itself, log and record: small, and what people look for.
fn is_told(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or(name, |(_, ending)| ending);
    [LOG_ENDING, OUTPUT, "json", "changes", "buildinfo", "dsc"].contains(&ending)
}

/// The size of what is on the disk only here.
fn own_size(metadata: &fs::Metadata) -> u64 {
    if metadata.is_dir() || metadata.nlink() > 1 { 0 } else { metadata.blocks() * 512 }
}

/// Packages in the pool that no index lists.
async fn unlisted(store: &Store, remove: Remove) -> Result<(u64, u64), FarmError> {
    let archive = store.folder().join("archive");
    let stanzas = store.all_stanzas().await?;
    let listed: BTreeSet<PathBuf> = stanzas
        .iter()
        .flat_map(|stanzas| stanzas.lines())
        .filter_map(|line| line.strip_prefix("Filename: "))
        .map(|place| archive.join(place.trim()))
        .collect();
    let (mut packages, mut bytes) = (0, 0);
    let mut folders = vec![archive.join("pool")];
    while let Some(folder) = folders.pop() {
        let failed = |error| FarmError::Remove { path: folder.clone(), error };
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let metadata = fs::symlink_metadata(&path).map_err(failed)?;
            if metadata.is_dir() {
                folders.push(path);
            } else if !listed.contains(&path) {
                packages += 1;
                bytes += own_size(&metadata);
                if remove == Remove::Really {
                    fs::remove_file(&path).map_err(failed)?;
                }
            }
        }
    }
    Ok((packages, bytes))
}

#[cfg(test)]
mod tests {
    use archmill_plan::ladder::Mode;
    use archmill_store::{BuildEnd, NewBuild};

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    /// Of package 1, which ended a day after the other each; `None` runs.
    fn builds(ends: &[Option<EndKind>]) -> Vec<BuildRow> {
        let build = |(number, kind): (usize, &Option<EndKind>)| BuildRow {
            id: BuildId(i64::try_from(number).unwrap()),
            new: NewBuild {
                package: PackageId(1),
                run: 1,
                version: "1".to_owned(),
                inputs: None,
                rung: Mode::Native.rung(),
                machine: String::new(),
                width: 1,
                started: Moment(0),
                expected: Duration::ZERO,
            },
            end: kind.map(|kind| BuildEnd {
                at: Moment(0) + DAY * u32::try_from(number).unwrap(),
                kind,
                class: None,
                message: None,
                advice: None,
                wall: None,
                cpu: None,
                build_cpu: None,
                peak_memory_bytes: None,
                compiler_emulated: false,
            }),
        };
        ends.iter().enumerate().map(build).collect()
    }

    fn goes(ends: &[Option<EndKind>], keep: Keep, days: u32) -> Vec<(i64, Doomed)> {
        doomed(&builds(ends), keep, Moment(0) + DAY * days)
            .into_iter()
            .map(|(id, what)| (id.0, what))
            .collect()
    }

    #[test]
    fn the_last_results_stay_and_with_them_their_logs() {
        let (built, failed) = (Some(EndKind::Built), Some(EndKind::Failed));
        let keep = Keep { results: 1, logs: None };
        let ends = [built, built, failed, None];
        assert_eq!(goes(&ends, keep, 9), [(0, Doomed::Results), (2, Doomed::Results)]);
        assert_eq!(goes(&ends, Keep { results: 2, ..keep }, 9), [(2, Doomed::Results)]);
        let old = Keep { results: 1, logs: Some(DAY * 2) };
        assert_eq!(goes(&ends, old, 3), [(0, Doomed::All), (2, Doomed::Results)]);
        assert_eq!(goes(&ends, old, 9), [(0, Doomed::All), (2, Doomed::All)]);
        assert_eq!(
            goes(&[failed, failed], old, 9),
            [(0, Doomed::All), (1, Doomed::Results)],
            "the last stays"
        );
        assert_eq!(goes(&[None], Keep { results: 0, logs: Some(DAY) }, 99), []);
    }
}
