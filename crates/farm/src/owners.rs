//! Which source makes a package, by the indices of the suite.

use std::sync::Arc;

use rustc_hash::FxHashMap;

/// Sources that declare each package. A package that nobody declares may come from any source.
#[derive(Clone, Debug, Default)]
pub struct Owners(Arc<FxHashMap<Box<str>, Vec<Box<str>>>>);

impl<'s> FromIterator<(&'s str, &'s str)> for Owners {
    /// From names of packages, each with a source that declares it.
    fn from_iter<I: IntoIterator<Item = (&'s str, &'s str)>>(declared: I) -> Self {
        let mut owners: FxHashMap<Box<str>, Vec<Box<str>>> = FxHashMap::default();
        for (package, source) in declared {
            owners.entry(package.into()).or_default().push(source.into());
        }
        Self(Arc::new(owners))
    }
}

impl Owners {
    /// The source that a package belongs to, where that is not the given one. Debug symbols belong to what they are of.
    pub(crate) fn other(&self, package: &str, source: &str) -> Option<&str> {
        let name = package.strip_suffix("-dbgsym").unwrap_or(package);
        let owners = self.0.get(name)?;
        let is_owner = owners.iter().any(|owner| **owner == *source);
        owners.first().filter(|_| !is_owner).map(|owner| &**owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_belongs_to_every_source_that_declares_it_and_else_to_nobody() {
        let owners: Owners = [("libc6", "glibc"), ("both", "one"), ("both", "two")].into_iter().collect();
        assert_eq!(owners.other("libc6", "glibc"), None);
        assert_eq!(owners.other("libc6", "evil"), Some("glibc"));
        assert_eq!(owners.other("libc6-dbgsym", "evil"), Some("glibc"));
        assert_eq!(owners.other("both", "two"), None);
        assert_eq!(owners.other("new", "evil"), None);
    }
}
