//! Versions of rebuilds without a change of source (deb-version(7), `+bN`).

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
}
