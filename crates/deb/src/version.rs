//! Version numbers (Debian Policy 5.6.12, deb-version(7)).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A version as given, compared as dpkg compares.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    text: String,
    epoch: u32,
    upstream: (usize, usize),
}

/// Why a text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a version: {problem} (Debian Policy 5.6.12)")]
pub struct VersionError {
    text: String,
    problem: &'static str,
}

/// A version without the number of a rebuild without a change of source (binNMU, `+bN`).
pub fn without_binnmu(version: &str) -> &str {
    match version.rsplit_once("+b") {
        Some((plain, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            plain
        }
        _ => version,
    }
}

impl Version {
    /// The number before the colon, 0 if there is none.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The part between epoch and revision.
    pub fn upstream(&self) -> &str {
        &self.text[self.upstream.0..self.upstream.1]
    }

    /// The part after the last hyphen.
    pub fn revision(&self) -> Option<&str> {
        self.text.get(self.upstream.1 + 1..)
    }

    /// Without epoch, as in file names.
    pub fn without_epoch(&self) -> &str {
        &self.text[self.upstream.0..]
    }

    /// As given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let bad = |problem| VersionError { text: text.to_owned(), problem };
        let (epoch, start) = match text.find(':') {
            None => (0, 0),
            Some(colon) => {
                let digits = &text[..colon];
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(bad("its epoch is not a number"));
                }
                // dpkg keeps the epoch in an int.
                let epoch = digits.parse::<i32>().map_err(|_| bad("its epoch is too large"))?;
                (epoch.unsigned_abs(), colon + 1)
            }
        };
        let end = text[start..].rfind('-').map_or(text.len(), |hyphen| start + hyphen);
        let upstream = &text[start..end];
        if upstream.is_empty() {
            return Err(bad("it has no upstream part"));
        }
        if !upstream.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-~:".contains(&byte)) {
            return Err(bad("its upstream part has a character that is not allowed"));
        }
        if end < text.len() {
            let revision = &text[end + 1..];
            if revision.is_empty() {
                return Err(bad("its revision is empty"));
            }
            if !revision.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+~".contains(&byte)) {
                return Err(bad("its revision has a character that is not allowed"));
            }
        }
        Ok(Self { text: text.to_owned(), epoch, upstream: (start, end) })
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.text
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_part(self.upstream(), other.upstream()))
            .then_with(|| compare_part(self.revision().unwrap_or(""), other.revision().unwrap_or("")))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.epoch.hash(state);
        canonical(self.upstream(), state);
        canonical(self.revision().unwrap_or(""), state);
    }
}

/// Hashes a part so that equal parts (`1.0` and `1.00`, `1.` and `1.0`) hash alike.
fn canonical<H: Hasher>(part: &str, state: &mut H) {
    let mut rest = part.as_bytes();
    while !rest.is_empty() {
        let text = rest.iter().take_while(|byte| !byte.is_ascii_digit()).count();
        let digits = rest[text..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = &rest[text..text + digits];
        let zeros = number.iter().take_while(|byte| **byte == b'0').count();
        let (word, number) = (&rest[..text], &number[zeros..]);
        rest = &rest[text + digits..];
        if word.is_empty() && number.is_empty() && rest.is_empty() {
            break;
        }
        word.hash(state);
        number.hash(state);
    }
}

/// Compares upstream parts or revisions: alternately non-digits and numbers.
fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        let text = |part: &[u8]| part.iter().take_while(|byte| !byte.is_ascii_digit()).count();
        let (split_a, split_b) = (text(a), text(b));
        let longest = split_a.max(split_b);
        for index in 0..longest {
            let weight = |part: &[u8], end: usize| if index < end { weight(part[index]) } else { 0 };
            match weight(a, split_a).cmp(&weight(b, split_b)) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        (a, b) = (&a[split_a..], &b[split_b..]);
        let number = |part: &[u8]| part.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number_a, number_b) = (number(a), number(b));
        match compare_numbers(&a[..number_a], &b[..number_b]) {
            Ordering::Equal => (a, b) = (&a[number_a..], &b[number_b..]),
            unequal => return unequal,
        }
    }
    Ordering::Equal
}

/// `~` before the end, the end before letters, letters before all else.
fn weight(byte: u8) -> i32 {
    match byte {
        b'~' => -1,
        byte if byte.is_ascii_alphabetic() => i32::from(byte),
        byte => i32::from(byte) + 256,
    }
}

/// Numbers of any length.
fn compare_numbers(a: &[u8], b: &[u8]) -> Ordering {
    let strip = |digits: &[u8]| digits.iter().take_while(|digit| **digit == b'0').count();
    let (a, b) = (&a[strip(a)..], &b[strip(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::*;

    #[test]
    fn only_a_number_at_the_end_is_that_of_a_rebuild() {
        assert_eq!(without_binnmu("1.0-1+b12"), "1.0-1");
        assert_eq!(without_binnmu("1.0-1+beta"), "1.0-1+beta");
        assert_eq!(without_binnmu("1.0+b1-1"), "1.0+b1-1");
    }

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn hash(text: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        version(text).hash(&mut hasher);
        hasher.finish()
    }

    fn error(text: &str) -> &'static str {
        text.parse::<Version>().unwrap_err().problem
    }

    #[test]
    fn parts_are_told_apart() {
        let parts = |text| {
            let version = version(text);
            let revision = version.revision().map(str::to_owned);
            (version.epoch(), version.upstream().to_owned(), revision)
        };
        assert_eq!(parts("1.0"), (0, "1.0".to_owned(), None));
        assert_eq!(parts("2:1.0-3"), (2, "1.0".to_owned(), Some("3".to_owned())));
        assert_eq!(parts("1:2:3-4-5"), (1, "2:3-4".to_owned(), Some("5".to_owned())));
        assert_eq!(parts("0:0-0"), (0, "0".to_owned(), Some("0".to_owned())));
        assert_eq!(version("1:2.0-1").without_epoch(), "2.0-1");
        assert_eq!(version("1:2.0-1").to_string(), "1:2.0-1");
    }

    #[test]
    fn policy_order_of_tildes() {
        // Policy 5.6.12.1 gives this order.
        let sorted = ["1~~", "1~~a", "1~", "1", "1a"].map(version);
        assert!(sorted.is_sorted_by(|a, b| a < b), "{sorted:?}");
        assert!(version("1.0~beta1~svn1245") < version("1.0~beta1"));
        assert!(version("1.0~beta1") < version("1.0"));
    }

    #[test]
    fn order_of_dpkgs_own_tests() {
        // From dpkg's t-version.c and Dpkg_Version.t.
        for (earlier, later) in [
            ("0:0-0", "1:0-0"),
            ("0:0-0", "0:0-1"),
            ("0:0-9", "0:0-10"),
            ("0:a-0", "0:a1-0"),
            ("1.0-1", "1.0-2"),
            ("1.0-1", "1.0-10"),
            ("1.2.2", "1.2.3"),
            ("1.2.2", "1.2.2-0ubuntu1"),
            ("1.2.24", "1.3"),
            ("0.10", "1.0"),
            ("1.0", "1.0+"),
            ("1.0a", "1.0+"),
            ("1.0a", "1.0."),
            ("1.0a", "1.0b"),
            ("1.0A", "1.0a"),
            ("1.0+", "1.0.1"),
            ("1.0~rc1", "1.0"),
            ("1.0-1~bpo1", "1.0-1"),
            ("1.0-1", "1.0-1+b1"),
            ("1.0-1+b1", "1.0-1.1"),
            ("9999999999999999999998", "9999999999999999999999"),
            ("7:1", "10:0"),
        ] {
            assert!(version(earlier) < version(later), "{earlier} < {later}");
            assert!(version(later) > version(earlier), "{later} > {earlier}");
        }
    }

    #[test]
    fn different_texts_can_be_equal_versions() {
        for (a, b) in [
            ("1.0", "0:1.0"),
            ("1.0", "1.0-0"),
            ("1.0", "1.00"),
            ("1.0", "01.0"),
            ("1.", "1.0"),
            ("1.0-0", "1.0-00"),
            ("0", "00-0"),
            ("1a", "1a0"),
            ("001:1", "1:1"),
        ] {
            assert_eq!(version(a), version(b));
            assert_eq!(hash(a), hash(b), "{a} and {b} hash alike");
        }
        assert_ne!(version("1.0"), version("1.0~"));
        assert_ne!(hash("1.0"), hash("1.1"));
    }

    #[test]
    fn epochs_must_be_numbers_that_dpkg_can_hold() {
        assert_eq!(version("2147483647:1").epoch(), 2_147_483_647);
        assert_eq!(error("2147483648:1"), "its epoch is too large");
        for text in [":1", "a:1", "-1:1", "+1:1", " 1:1", "1a:1"] {
            assert_eq!(error(text), "its epoch is not a number", "{text}");
        }
    }

    #[test]
    fn empty_parts_are_refused() {
        for text in ["", "1:", "-1", "1:-1"] {
            assert_eq!(error(text), "it has no upstream part", "{text:?}");
        }
        assert_eq!(error("1-"), "its revision is empty");
        assert_eq!(error("1:1-"), "its revision is empty");
    }

    #[test]
    fn other_characters_are_refused() {
        for text in ["1 0", "1_0", "1/0", "1.0\n", "1\u{e4}", "1!", "0:1#1-1", "$(x)"] {
            assert_eq!(error(text), "its upstream part has a character that is not allowed", "{text}");
        }
        for text in ["1-1_1", "0:1-1:1", "1-\u{e4}", "1-1 "] {
            assert_eq!(error(text), "its revision has a character that is not allowed", "{text}");
        }
    }

    #[test]
    fn letters_may_come_first_as_dpkg_accepts() {
        assert!(version("a") < version("b"));
        assert!(version("0") < version("a"));
    }

    #[test]
    fn json_is_a_plain_text() {
        assert_eq!(serde_json::to_string(&version("1:2-3")).unwrap(), r#""1:2-3""#);
        assert!(serde_json::from_str::<Version>(r#""1 2""#).is_err());
    }
}
