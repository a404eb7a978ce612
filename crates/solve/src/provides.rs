//! The Provides field: names, each perhaps with an exact version and an architecture.

/// One entry of a Provides field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Provided<'t> {
    pub(crate) name: &'t str,
    pub(crate) version: Option<&'t str>,
    pub(crate) arch: Option<&'t str>,
}

/// Entries of a field. One with another relation than `=` provides nothing, as for apt and dpkg
/// (Policy 7.5).
pub(crate) fn parse(field: &str) -> impl Iterator<Item = Provided<'_>> {
    field.split(',').filter_map(entry)
}

fn entry(text: &str) -> Option<Provided<'_>> {
    let (name, version) = match text.split_once('(') {
        None => (text.trim_ascii(), None),
        Some((name, relation)) => {
            let version = relation.split_once(')')?.0.trim_ascii().strip_prefix('=')?.trim_ascii();
            (name.trim_ascii(), Some(version))
        }
    };
    let (name, arch) = match name.split_once(':') {
        None => (name, None),
        Some((name, arch)) => (name, Some(arch)),
    };
    let version = version.filter(|version| !version.is_empty());
    (!name.is_empty()).then_some(Provided { name, version, arch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_architectures_are_kept_apart_from_the_name() {
        let found: Vec<_> = parse("a, b (= 1:2-3),\n c:arm64 (= 4), d (>= 5), ,").collect();
        assert_eq!(
            found,
            [
                Provided { name: "a", version: None, arch: None },
                Provided { name: "b", version: Some("1:2-3"), arch: None },
                Provided { name: "c", version: Some("4"), arch: Some("arm64") },
            ]
        );
    }
}
