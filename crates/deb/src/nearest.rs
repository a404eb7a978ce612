//! "Did you mean": names that are close to one that is not there.

/// Up to three of `candidates` that are closest to `wanted`, the closest first.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (wanted.chars().count() / 3).clamp(1, 3);
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(wanted.len()) <= limit)
        .map(|candidate| (strsim::damerau_levenshtein(wanted, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn close_names_are_found_the_closest_first() {
        let names = ["bookworm", "trixie", "trixi", "sid", "bullseye", "forky"];
        assert_eq!(nearest("trixe", names), ["trixi", "trixie"]);
        assert_eq!(nearest("bokworm", names), ["bookworm"]);
        assert_eq!(nearest("sdi", names), ["sid"]);
    }

    #[test]
    fn names_that_have_nothing_in_common_are_not_suggested() {
        assert!(nearest("warty", ["bookworm", "sid"]).is_empty());
        assert!(nearest("", ["sid", "a"]).len() <= 1);
    }

    #[test]
    fn at_most_three_are_suggested_and_none_twice() {
        assert_eq!(nearest("liba", ["libd", "libc", "libb", "libb", "libe"]), ["libb", "libc", "libd"]);
    }
}
