//! What a run uses of the cache: claimed before it is looked for, and room for it where the disk gets full.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use archmill_archive::{FetchError, OpenedSuite, PoolFile, fetch_all};
use archmill_sandbox::cleanup::WorkFolder;

use super::error::{During as _, JobError};
use super::kept;
use super::session::Session;
use crate::cache::{self, Gate, Gone};
use crate::classify::Phase;
use crate::report::Event;

/// So much leaves the cache before it is looked whether there is room.
const AT_A_TIME: usize = 32;

impl Session<'_> {
    /// Says that this run works with these parts of the cache, such as `layers/KEY`, before it looks whether they are there.
    pub(crate) fn claim(&self, names: impl IntoIterator<Item = String>) -> Result<(), JobError> {
        let told = |error| format!("cannot write to {}: {error}", self.folder("locks").display());
        self.claim_all(names.into_iter().collect()).map_err(told).during(Phase::Host)
    }

    fn claim_all(&self, names: Vec<String>) -> io::Result<()> {
        self.claims.claim(names.iter().cloned()).or_else(|error| match error.kind() {
            // What others have left may make room for a line of text.
            io::ErrorKind::StorageFull => {
                self.make_room();
                self.claims.claim(names)
            }
            _ => Err(error),
        })
    }

    /// The same for the indices of a suite, which are read again when packages are compared.
    pub(super) fn claim_indices(&self, suite: &OpenedSuite) -> Result<(), JobError> {
        let indices = suite.packages.iter().chain(&suite.sources);
        self.claim(indices.map(|index| format!("lists/by-hash/{}", index.sha256)))
    }

    /// Nothing leaves the cache while this is held.
    pub(super) fn hold_cache(&self) -> Result<Gate, JobError> {
        self.claims.hold().during(Phase::Host)
    }

    /// Gets files, so many at a time; `what` is told if there is anything to download.
    pub(crate) fn fetch(
        &self,
        what: &str,
        files: &[PoolFile],
        parallel: usize,
    ) -> Result<Vec<PathBuf>, FetchError> {
        let pool = self.folder("pool");
        let path = |file: &PoolFile| file.path(Path::new("pool")).display().to_string();
        self.claim_all(files.iter().map(path).collect())
            .map_err(|source| FetchError::Local { path: self.folder("locks"), source })?;
        let missing = files.iter().filter(|file| !file.is_cached(&pool));
        let total = missing.map(|file| file.expected.size).sum();
        if total > 0 {
            self.report.event(Event::Begin { what, total, bytes: true });
        }
        let fetched = fetch_all(&self.fetcher, &pool, files, parallel, &self.progress());
        if total > 0 {
            self.report.event(Event::End);
        }
        fetched
    }

    /// Removes from the cache what was not used for longest until as much of its disk is free as there should be, or until all that is
    /// left is new or in use. A build may fit all the same, so what stands in the way is only told.
    pub(crate) fn make_room(&self) {
        if let Err(error) = self.try_to_make_room() {
            self.report.event(Event::Warning(&error));
        }
    }

    fn try_to_make_room(&self) -> Result<(), String> {
        let cache = &self.setup.cache;
        let wanted = self.setup.keep_free.unwrap_or_else(|| cache::default_keep_free(cache));
        if cache::has_room(cache, wanted) {
            return Ok(());
        }
        let told = |error: io::Error| format!("cannot make room in {}: {error}", cache.display());
        // Two would remove twice as much as is needed.
        let Some(_alone) = cache::alone(cache).map_err(told)? else { return Ok(()) };
        let gone = self.remove_from_cache(cache::RECENT, &|| cache::has_room(cache, wanted))?;
        if !gone.is_empty() {
            self.step(&format!("making room in {}: removed {}", cache.display(), in_words(&gone)));
        }
        if !cache::has_room(cache, wanted) {
            self.report.event(Event::Warning(&format!(
                "the disk of {} has less room than it should have, and nothing else can leave that cache: all of it is in use or was used within the last hour; \
                 make room, choose another folder with --cache, or less with --cache-keep-free",
                cache.display()
            )));
        }
        Ok(())
    }

    /// Removes from the cache what no run works with and none has used for so long; what that was, in words.
    pub fn remove_unused(&self, since: Duration) -> Result<String, String> {
        Ok(in_words(&self.remove_from_cache(since, &|| false)?))
    }

    fn remove_from_cache(&self, since: Duration, enough: &dyn Fn() -> bool) -> Result<Gone, String> {
        let cache = &self.setup.cache;
        let told = |error: io::Error| format!("cannot make room in {}: {error}", cache.display());
        let kept = || kept::in_use(&self.folder("failed"));
        let mut all = Gone::new();
        for entries in cache::unused(cache, since).chunks(AT_A_TIME) {
            if self.canceller.is_cancelled() || enough() {
                break;
            }
            // On a disk that is quite full no folder can be made until some files are gone.
            let trash = WorkFolder::create(&self.folder("work"), &self.map).ok();
            let taken = cache::take(cache, trash.as_ref().map(WorkFolder::path), entries, &kept);
            if let Some(trash) = &trash {
                self.remove(&[trash.path().to_owned()])?;
            }
            for (kind, count) in taken.map_err(told)? {
                *all.entry(kind).or_default() += count;
            }
        }
        cache::sweep_twins(cache).map_err(told)?;
        Ok(all)
    }
}

/// `layers of roots: 1, unpacked packages: 12`.
fn in_words(gone: &Gone) -> String {
    let parts: Vec<String> = gone.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}
