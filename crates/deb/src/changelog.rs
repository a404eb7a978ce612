//! Entries of debian/changelog (deb-changelog(5)).

use std::fmt;

/// A rebuild without a change of source; displays as the entry that goes on top of debian/changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinNmu<'b> {
    /// Source package.
    pub source: &'b str,
    /// Version with its number, such as `1.0-1+b2`.
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

/// The date of the newest entry, as it is written there.
pub fn newest_date(changelog: &str) -> Option<&str> {
    let trailer = changelog.lines().find_map(|line| line.strip_prefix(" -- "))?;
    let (_, date) = trailer.rsplit_once(">  ")?;
    Some(date.trim()).filter(|date| !date.is_empty())
}

/// Whether a text can be the maintainer of an entry: `Name <address>`, in one line.
pub fn is_maintainer(text: &str) -> bool {
    let parts = text.strip_suffix('>').and_then(|text| text.split_once(" <"));
    let plain = |part: &str| {
        !part.trim().is_empty() && !part.contains(['<', '>']) && !part.chars().any(char::is_control)
    };
    parts.is_some_and(|(name, address)| plain(name) && plain(address) && !address.contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let text = entry.to_string();
        assert_eq!(
            text,
            "dash (0.5.12-12+b1) trixie; urgency=low, binary-only=yes\n\n  * Binary-only non-maintainer upload for \
             arm64; no source changes.\n  * Rebuild: libc6-dev changed.\n\n -- archmill <farm@example.org>  Thu, 26 \
             Nov 2026 10:00:00 +0000\n\n"
        );
        assert_eq!(newest_date(&text), Some("Thu, 26 Nov 2026 10:00:00 +0000"));
    }

    #[test]
    fn what_is_no_entry_has_no_date() {
        assert_eq!(newest_date("a (1) unstable\n\n  * x\n"), None);
        assert_eq!(newest_date(" -- A <a@b>  \n"), None);
    }

    #[test]
    fn a_maintainer_has_a_name_and_an_address() {
        assert!(is_maintainer("A. B. <a@b.example>"));
        for wrong in ["", "a@b", "A <a@b> x", "A\nB <a@b>", " <a@b>", "A <>", "A <a b>"] {
            assert!(!is_maintainer(wrong), "{wrong:?}");
        }
    }
}
