//! The universe of a set of indices, from the cache if they were read before.

use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use archmill_deb::Arch;
use archmill_solve::{IndexText, Universe};

/// How many tables are kept; those that were not used for the longest go first.
const KEPT: usize = 12;

/// Reads indices, or takes the tables that an earlier run left below `cache` for the very same ones.
///
/// `hashes` are the SHA-256 of the texts and name the tables; that they belong together is verified
/// with the texts themselves. A cache that cannot be used costs time and nothing else.
pub fn universe(
    cache: &Path,
    texts: Vec<IndexText>,
    hashes: &[&str],
    native: &Arch,
    foreign: &[Arch],
) -> Universe {
    let folder = cache.join("universes");
    let path = folder.join(name(&texts, hashes, native, foreign));
    if let Ok(bytes) = fs::read(&path) {
        // The texts are shared, so that this copies no text.
        if let Ok(universe) = Universe::from_bytes(&bytes, texts.clone(), native, foreign) {
            let _ = fs::File::open(&path).and_then(|file| file.set_modified(std::time::SystemTime::now()));
            return universe;
        }
    }
    let universe = Universe::new(texts, native, foreign);
    let _ = keep(&folder, &path, &universe.to_bytes());
    universe
}

fn name(texts: &[IndexText], hashes: &[&str], native: &Arch, foreign: &[Arch]) -> String {
    // Not seeded, so that the next run finds the same name.
    let mut state = std::hash::DefaultHasher::new();
    (hashes, native, foreign).hash(&mut state);
    for index in texts {
        (&index.origin, index.priority).hash(&mut state);
    }
    format!("{:016x}", state.finish())
}

/// Whole or not at all: written beside its place and moved there.
fn keep(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let new = path.with_extension(format!("new{}", std::process::id()));
    fs::write(&new, bytes).and_then(|()| fs::rename(&new, path)).inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })?;
    let mut old: Vec<(std::time::SystemTime, PathBuf)> = fs::read_dir(folder)?
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    old.sort_unstable();
    old.iter().rev().skip(KEPT).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder.join("universes")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn tables_are_used_again_and_damaged_ones_made_anew() {
        let cache = tempfile::tempdir().unwrap();
        let arch: Arch = "arm64".parse().unwrap();
        let texts = || vec![IndexText::new("Package: a\nVersion: 1\nArchitecture: all\n", "suite")];
        let read = || universe(cache.path(), texts(), &["h"], &arch, &[]).len();
        assert_eq!(read(), 1);
        let [file] = &files(cache.path())[..] else { panic!() };
        let written = fs::read(file).unwrap();
        assert_eq!(read(), 1);
        fs::write(file, &written[..written.len() / 2]).unwrap();
        assert_eq!(read(), 1);
        assert_eq!(fs::read(file).unwrap(), written);
    }

    #[test]
    fn only_so_many_tables_are_kept() {
        let cache = tempfile::tempdir().unwrap();
        let arch: Arch = "arm64".parse().unwrap();
        for number in 0..KEPT + 3 {
            universe(cache.path(), Vec::new(), &[&number.to_string()], &arch, &[]);
        }
        assert_eq!(files(cache.path()).len(), KEPT);
    }
}
