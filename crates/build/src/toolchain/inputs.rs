//! All that goes into a toolchain, and the key that is made of it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::description::FORMAT;

/// The script that builds; a change of it makes another toolchain.
pub(super) const RECIPE: &str = include_str!("recipe.sh");

/// Everything that a toolchain is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Source package.
    pub source: String,
    /// Its version.
    pub version: String,
    /// Debian's name of the architecture whose compiler it is.
    pub arch: String,
    /// SHA-256 of the .dsc, in hexadecimal digits.
    pub dsc_sha256: String,
    /// What says how the target's compiler was configured.
    pub headers: Headers,
    /// SHA-256 of the script that built it.
    pub recipe_sha256: String,
    /// Packages of the root that it was built in, by name.
    pub packages: Vec<InputPackage>,
}

/// The target's package with the headers for plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headers {
    /// Name.
    pub package: String,
    /// Version of the binary package.
    pub version: String,
    /// SHA-256 of the .deb.
    pub sha256: String,
}

/// A package of the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InputPackage {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Architecture; may be `all`.
    pub arch: String,
    /// SHA-256 of the .deb.
    pub sha256: String,
}

impl Inputs {
    /// The key: the name of the folder in the cache.
    pub fn key(&self) -> String {
        let mut hash = Sha256::new();
        let mut line = |words: &[&str]| {
            hash.update(words.join(" "));
            hash.update("\n");
        };
        line(&["archmill toolchain", &FORMAT.to_string()]);
        line(&[&self.source, &self.version, &self.arch]);
        line(&[&self.dsc_sha256, &self.headers.sha256, &self.recipe_sha256]);
        let mut packages: Vec<&InputPackage> = self.packages.iter().collect();
        packages.sort();
        for package in packages {
            line(&[&package.name, &package.version, &package.arch, &package.sha256]);
        }
        hex::encode(&hash.finalize()[..16])
    }
}

/// SHA-256 of the script of this archmill, which is how it builds toolchains.
pub fn recipe_sha256() -> String {
    hex::encode(Sha256::digest(RECIPE))
}

#[cfg(test)]
pub(super) fn sample() -> Inputs {
    let package = |name: &str| InputPackage {
        name: name.to_owned(),
        version: "1".to_owned(),
        arch: "amd64".to_owned(),
        sha256: "aa".to_owned(),
    };
    Inputs {
        source: "gcc-12".to_owned(),
        version: "12.2.0-14+deb12u1".to_owned(),
        arch: "arm64".to_owned(),
        dsc_sha256: "bb".to_owned(),
        headers: Headers {
            package: "gcc-12-plugin-dev".to_owned(),
            version: "12.2.0-14+deb12u1".to_owned(),
            sha256: "cc".to_owned(),
        },
        recipe_sha256: recipe_sha256(),
        packages: vec![package("libc6"), package("libgmp10")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_everything_and_not_on_order() {
        let inputs = sample();
        let key = inputs.key();
        assert_eq!(key.len(), 32);
        let mut other = inputs.clone();
        other.packages.reverse();
        assert_eq!(other.key(), key);
        let changes: [fn(&mut Inputs); 7] = [
            |inputs| "gcc-13".clone_into(&mut inputs.source),
            |inputs| "12.2.0-14".clone_into(&mut inputs.version),
            |inputs| "armhf".clone_into(&mut inputs.arch),
            |inputs| "dd".clone_into(&mut inputs.dsc_sha256),
            |inputs| "dd".clone_into(&mut inputs.headers.sha256),
            |inputs| "dd".clone_into(&mut inputs.recipe_sha256),
            |inputs| "2".clone_into(&mut inputs.packages[0].version),
        ];
        for change in changes {
            let mut other = inputs.clone();
            change(&mut other);
            assert_ne!(other.key(), key);
        }
    }
}
