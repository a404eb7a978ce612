//! What goes into builds, from the indices.

use archmill_solve::{BuildKinds, PackageId, SourceStanza, Universe};
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest as _, Sha256};

use crate::rebuild::{Dependency, Fingerprint, InputHash, Inputs, Strategy};

/// What else than the archive decides what comes out of builds.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which dependencies count.
    pub strategy: Strategy,
    /// Build profiles of all builds.
    pub profiles: Vec<String>,
    /// Names and values for all builds.
    pub common: Vec<(String, String)>,
    /// And for those of single sources, by name.
    pub of_source: FxHashMap<String, Vec<(String, String)>>,
}

/// The base set as one dependency: it is the same for all builds of a target.
const BASE: &str = "(base set)";

impl Settings {
    /// The base set of a target.
    pub(super) fn base(universe: &Universe, packages: &[PackageId]) -> Dependency {
        let dependencies = packages.iter().map(|&package| dependency(universe, package, false)).collect();
        let whole = Inputs { dependencies, ..Inputs::default() }.hash(Strategy::Transitive);
        Dependency {
            name: BASE.to_owned(),
            arch: universe.native().to_string(),
            contents: Fingerprint(whole.0),
            direct: false,
        }
    }

    /// Those of `packages` that a source itself names.
    pub(super) fn named<'p>(
        universe: &'p Universe,
        source: &SourceStanza<'p>,
        kinds: BuildKinds,
        packages: &'p [PackageId],
    ) -> impl Iterator<Item = PackageId> + 'p {
        let named: FxHashSet<&str> = source.depends(kinds).flat_map(names).collect();
        packages.iter().copied().filter(move |package| named.contains(universe.package(*package).name()))
    }

    /// The hash of what goes into a build. `packages` are those of its root beyond the base set, or some of that as well.
    pub(super) fn hash(
        &self,
        universe: &Universe,
        source: &SourceStanza<'_>,
        kinds: BuildKinds,
        packages: &[PackageId],
        (base, in_base): (&Dependency, &FxHashSet<PackageId>),
    ) -> InputHash {
        let named: FxHashSet<&str> = source.depends(kinds).flat_map(names).collect();
        let beyond = packages.iter().filter(|package| !in_base.contains(package));
        let of = |&package| dependency(universe, package, named.contains(universe.package(package).name()));
        let own = self.of_source.get(source.name).into_iter().flatten();
        let inputs = Inputs {
            source: source.name.to_owned(),
            version: source.version.to_owned(),
            dsc: source.dsc_sha256().to_owned(),
            dependencies: beyond.map(of).chain([base.clone()]).collect(),
            profiles: self.profiles.clone(),
            settings: self.common.iter().chain(own).cloned().collect(),
        };
        inputs.hash(self.strategy)
    }
}

/// A package of an index. The hash of the whole file stands for what is in it.
fn dependency(universe: &Universe, package: PackageId, direct: bool) -> Dependency {
    let package = universe.package(package);
    let contents = match package.field("SHA256").and_then(digest) {
        Some(digest) => digest,
        // Without a hash, what the index says of it.
        None => Sha256::digest(package.stanza()).into(),
    };
    Dependency {
        name: package.name().to_owned(),
        arch: package.architecture().to_owned(),
        contents: Fingerprint(contents),
        direct,
    }
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let hex = hex.trim();
    let mut digest = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// Names of packages in a relation field.
fn names(relations: &str) -> impl Iterator<Item = &str> {
    let name = |relation: &str| relation.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    relations
        .split([',', '|'])
        .map(str::trim)
        .map(move |relation| &relation[..name(relation).unwrap_or(relation.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_without_what_is_asked_of_them() {
        let read: Vec<&str> =
            names("debhelper-compat (= 13), gcc:native | g++-14 [arm64], po4a<!nodoc>").collect();
        assert_eq!(read, ["debhelper-compat", "gcc", "g++-14", "po4a"]);
    }

    #[test]
    fn digests_are_of_sixty_four_digits() {
        assert_eq!(digest(&"0a".repeat(32)), Some([10; 32]));
        for wrong in ["", "0a", &"zz".repeat(32), &"ä".repeat(32)] {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
    }
}
