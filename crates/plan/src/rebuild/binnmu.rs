//! Versions and changelog entries of rebuilds without a change of source (deb-version(7), `+bN`).

use std::fmt;

/// A version without the number of a rebuild.
pub fn without_binnmu(version: &str) -> &str {
    match version.rsplit_once("+b") {
        Some((plain, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            plain
        }
        _ => version,
    }
}

/// The version for a rebuild: above every one that was ever published of this version, as what a version contains never
/// changes. `None` for packages for all architectures, which are not rebuilt under a number, as they would no longer fit the
/// packages of the same source for each architecture.
pub fn next_version<'v>(
    source_version: &str,
    published: impl IntoIterator<Item = &'v str>,
    is_all: bool,
) -> Option<String> {
    let number = |version: &str| {
        if version == source_version {
            return Some(0);
        }
        version.strip_prefix(source_version)?.strip_prefix("+b")?.parse::<u32>().ok()
    };
    let highest = published.into_iter().filter_map(number).max();
    match highest {
        // Never published: no rebuild, but the first build.
        None => Some(source_version.to_owned()),
        Some(_) if is_all => None,
        Some(highest) => Some(format!("{source_version}+b{}", highest.checked_add(1)?)),
    }
}

/// A rebuild; displays as the entry that goes on top of debian/changelog (deb-changelog(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinNmu<'b> {
    /// Source package.
    pub source: &'b str,
    /// Version with its number.
    pub version: &'b str,
    /// Suite it goes to.
    pub suite: &'b str,
    /// Architecture.
    pub arch: &'b str,
    /// Why: one sentence.
    pub reason: &'b str,
    /// Who signs: `Name <address>`.
    pub maintainer: &'b str,
    /// Date as in RFC 5322.
    pub date: &'b str,
}

impl fmt::Display for BinNmu<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, version, suite, arch, reason, maintainer, date } = self;
        write!(
            f,
            "{source} ({version}) {suite}; urgency=low, binary-only=yes\n\n  \
             * Binary-only non-maintainer upload for {arch}; no source changes.\n  * {reason}\n\n \
             -- {maintainer}  {date}\n\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_goes_up_and_none_is_used_twice() {
        let next = |published: &[&str]| next_version("1:2.0-3", published.iter().copied(), false);
        assert_eq!(next(&[]).as_deref(), Some("1:2.0-3"));
        assert_eq!(next(&["1:2.0-3"]).as_deref(), Some("1:2.0-3+b1"));
        assert_eq!(next(&["1:2.0-3+b9", "1:2.0-3", "1:2.0-3+b10"]).as_deref(), Some("1:2.0-3+b11"));
        assert_eq!(next(&["1:2.0-2+b5", "1:2.0-3+build1"]).as_deref(), Some("1:2.0-3"), "other versions");
        assert_eq!(next_version("1", ["1"], true), None);
    }

    #[test]
    fn only_a_number_at_the_end_is_that_of_a_rebuild() {
        assert_eq!(without_binnmu("1.0-1+b12"), "1.0-1");
        assert_eq!(without_binnmu("1.0-1+beta"), "1.0-1+beta");
        assert_eq!(without_binnmu("1.0+b1-1"), "1.0+b1-1");
    }

    #[test]
    fn the_entry_is_as_debian_writes_it() {
        let entry = BinNmu {
            source: "dash",
            version: "0.5.12-12+b1",
            suite: "trixie",
            arch: "arm64",
            reason: "Rebuild: libc6-dev changed.",
            maintainer: "archmill <farm@example.org>",
            date: "Thu, 26 Nov 2026 10:00:00 +0000",
        };
        assert_eq!(
            entry.to_string(),
            "dash (0.5.12-12+b1) trixie; urgency=low, binary-only=yes\n\n  * Binary-only non-maintainer upload for \
             arm64; no source changes.\n  * Rebuild: libc6-dev changed.\n\n -- archmill <farm@example.org>  Thu, 26 \
             Nov 2026 10:00:00 +0000\n\n"
        );
    }
}
