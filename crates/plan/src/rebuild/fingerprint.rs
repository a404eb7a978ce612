//! What is in a package, apart from the number of its rebuild.

use std::fmt;

use archmill_deb::without_binnmu;
use sha2::{Digest as _, Sha256};

use super::inputs::Lines;

/// A hash of what is in the packages of a build, the same for a rebuild that changed nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a .deb has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DebContents {
    /// Fields of its control file.
    pub fields: Vec<(String, String)>,
    /// Its members: path, and a hash over type, mode, owner and contents.
    pub files: Vec<(String, String)>,
}

/// Fields that tell of sizes, which the entry in the changelog changes.
const SIZES: [&str; 1] = ["Installed-Size"];

impl Fingerprint {
    /// Of all packages of a build.
    ///
    /// A binNMU changes by itself: the Version, the relations of packages of one source to each other, `Source`, the changelog
    /// (for each architecture in a file of its own) and the size. None of these count.
    pub fn of(packages: &[DebContents]) -> Self {
        let mut digests: Vec<[u8; 32]> = packages.iter().map(of_one).collect();
        digests.sort_unstable();
        let mut all = Sha256::new();
        for digest in &digests {
            all.update(digest);
        }
        Self(all.finalize().into())
    }
}

fn of_one(package: &DebContents) -> [u8; 32] {
    let version = field(package, "Version");
    let plain = without_binnmu(version);
    let mut hash = Lines(Sha256::new());
    let mut fields: Vec<(&str, String)> = package
        .fields
        .iter()
        .filter(|(name, _)| !SIZES.iter().any(|size| size.eq_ignore_ascii_case(name)))
        // `Source: foo (1-1)` is there where its version differs from the package's: in binNMUs.
        .filter(|(name, value)| !(name.eq_ignore_ascii_case("Source") && names_itself(package, value, plain)))
        .map(|(name, value)| (name.as_str(), value.replace(version, plain)))
        .map(|(name, value)| {
            (name, if name.eq_ignore_ascii_case("Source") { source(&value, plain) } else { value })
        })
        .collect();
    fields.sort_unstable();
    for (name, value) in &fields {
        hash.line(&["field", &name.to_ascii_lowercase(), value]);
    }
    let mut files: Vec<&(String, String)> =
        package.files.iter().filter(|(path, _)| !is_binnmu_changelog(path)).collect();
    files.sort_unstable();
    for (path, digest) in files {
        hash.line(&["file", path, digest]);
    }
    hash.0.finalize().into()
}

fn field<'d>(package: &'d DebContents, wanted: &str) -> &'d str {
    let found = package.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// Whether a Source field says no more than the name and version that the package has anyway.
fn names_itself(package: &DebContents, value: &str, plain: &str) -> bool {
    source(value, plain) == field(package, "Package")
}

/// A Source field without the version, where that is the package's own.
fn source(value: &str, plain: &str) -> String {
    let own = format!("({plain})");
    value.strip_suffix(&own).unwrap_or(value).trim_end().to_owned()
}

/// debhelper puts the entry of a binNMU into a file of its own (`changelog.Debian.arm64.gz`), as packages that are Multi-Arch: same
/// must not differ in the common one; others put it into that.
fn is_binnmu_changelog(path: &str) -> bool {
    let path = path.trim_start_matches('.');
    let Some((_, name)) = path.strip_prefix("/usr/share/doc/").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    name.starts_with("changelog.Debian")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deb(version: &str, source: Option<&str>, code: &str, changelog: &str) -> DebContents {
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        let mut fields = vec![
            pair("Package", "libfoo-dev"),
            pair("Version", version),
            pair("Depends", &format!("libfoo1 (= {version}), libc6-dev")),
            pair("Installed-Size", "100"),
        ];
        fields.extend(source.map(|source| pair("Source", source)));
        let files = vec![
            pair("./usr/lib/libfoo.a", code),
            pair("./usr/share/doc/libfoo-dev/changelog.Debian.arm64.gz", changelog),
        ];
        DebContents { fields, files }
    }

    fn of(deb: DebContents) -> Fingerprint {
        Fingerprint::of(&[deb])
    }

    #[test]
    fn a_binnmu_that_changed_nothing_has_the_same_fingerprint() {
        let plain = deb("1.0-1", Some("foo"), "code", "old");
        let again = deb("1.0-1+b2", Some("foo (1.0-1)"), "code", "new");
        assert_eq!(of(plain), of(again));
    }

    #[test]
    fn a_package_named_as_its_source_gets_a_source_field_by_a_binnmu() {
        let plain = deb("1.0-1", None, "code", "old");
        let again = deb("1.0-1+b1", Some("libfoo-dev (1.0-1)"), "code", "new");
        assert_eq!(of(plain), of(again));
    }

    #[test]
    fn other_code_or_another_version_counts() {
        let fingerprint = of(deb("1.0-1", Some("foo"), "code", ""));
        assert_ne!(fingerprint, of(deb("1.0-1+b1", Some("foo (1.0-1)"), "other code", "")));
        assert_ne!(fingerprint, of(deb("1.0-2", Some("foo"), "code", "")));
    }
}
