//! One hash over everything that goes into a build.

use sha2::{Digest as _, Sha256};

use super::Fingerprint;

/// What counts as a change of dependencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Any package of the build root.
    #[default]
    Transitive,
    /// Packages that the source itself names.
    Direct,
    /// None: only the source and the settings count.
    Local,
}

/// A package of the build root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// The architecture it is for, or `all`.
    pub arch: String,
    /// What is in it. Its version does not count by itself: a rebuild that leaves the same contents changes nothing.
    pub contents: Fingerprint,
    /// Whether the source itself names it.
    pub direct: bool,
}

/// Everything that goes into a build. How it is run (native, with twins, emulated) does not: the packages are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Source package.
    pub source: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its .dsc.
    pub dsc: String,
    /// Packages of the build root.
    pub dependencies: Vec<Dependency>,
    /// Build profiles.
    pub profiles: Vec<String>,
    /// DEB_BUILD_OPTIONS and whatever else may change what comes out, as name and value.
    pub settings: Vec<(String, String)>,
}

/// The hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputHash(pub [u8; 32]);

impl std::fmt::Display for InputHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Inputs {
    /// The hash of what counts. The order of dependencies, profiles and settings does not.
    pub fn hash(&self, strategy: Strategy) -> InputHash {
        let mut hash = Lines(Sha256::new());
        hash.line(&["source", &self.source, &self.version, &self.dsc]);
        let mut lines: Vec<Vec<&str>> = Vec::new();
        let counts = |dependency: &&Dependency| match strategy {
            Strategy::Transitive => true,
            Strategy::Direct => dependency.direct,
            Strategy::Local => false,
        };
        let contents: Vec<(&Dependency, String)> = self
            .dependencies
            .iter()
            .filter(counts)
            .map(|dependency| (dependency, dependency.contents.to_string()))
            .collect();
        for (dependency, contents) in &contents {
            lines.push(vec!["dependency", &dependency.name, &dependency.arch, contents]);
        }
        lines.extend(self.profiles.iter().map(|profile| vec!["profile", profile]));
        lines.extend(self.settings.iter().map(|(name, value)| vec!["setting", name, value]));
        lines.sort_unstable();
        for line in &lines {
            hash.line(line);
        }
        InputHash(hash.0.finalize().into())
    }
}

/// Hashes lists of strings so that no two lists look alike: each string comes after its length.
pub(super) struct Lines(pub(super) Sha256);

impl Lines {
    pub(super) fn line(&mut self, words: &[&str]) {
        self.0.update((words.len() as u64).to_le_bytes());
        for word in words {
            self.0.update((word.len() as u64).to_le_bytes());
            self.0.update(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        let dependency = |name: &str, direct, byte| Dependency {
            name: name.to_owned(),
            arch: "arm64".to_owned(),
            contents: Fingerprint([byte; 32]),
            direct,
        };
        Inputs {
            source: "dash".to_owned(),
            version: "0.5.12-12".to_owned(),
            dependencies: vec![dependency("debhelper", true, 1), dependency("libc6", false, 2)],
            profiles: vec!["nodoc".to_owned(), "nocheck".to_owned()],
            ..Inputs::default()
        }
    }

    #[test]
    fn order_does_not_count() {
        let mut other = inputs();
        other.dependencies.reverse();
        other.profiles.reverse();
        assert_eq!(other.hash(Strategy::Transitive), inputs().hash(Strategy::Transitive));
    }

    #[test]
    fn strategies_differ_in_which_dependencies_count() {
        let changed = |number: usize, strategy| {
            let mut other = inputs();
            other.dependencies[number].contents = Fingerprint([9; 32]);
            other.hash(strategy) != inputs().hash(strategy)
        };
        let of = |strategy| [changed(0, strategy), changed(1, strategy)];
        assert_eq!(of(Strategy::Transitive), [true, true]);
        assert_eq!(of(Strategy::Direct), [true, false]);
        assert_eq!(of(Strategy::Local), [false, false]);
    }

    #[test]
    fn a_word_cannot_be_taken_for_two() {
        let with = |profiles: &[&str]| {
            let profiles = profiles.iter().map(|&profile| profile.to_owned()).collect();
            Inputs { profiles, ..inputs() }.hash(Strategy::Local)
        };
        assert_ne!(with(&["ab", "c"]), with(&["a", "bc"]));
    }
}
