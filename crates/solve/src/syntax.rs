//! Whether relation fields can be read.

use archmill_deb::Relations;
use rustc_hash::FxHashSet;

/// The comma-separated parts of a field.
pub(crate) fn split(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim_ascii).filter(|text| !text.is_empty())
}

/// Parts of fields that were found good: most stand in many packages.
#[derive(Debug, Default)]
pub(crate) struct Known<'t> {
    good: FxHashSet<&'t str>,
}

impl<'t> Known<'t> {
    /// What is wrong with a field, if anything.
    pub(crate) fn problem(&mut self, value: &'t str) -> Option<String> {
        split(value).find_map(|part| {
            if self.good.contains(part) {
                return None;
            }
            match Relations::parse(part) {
                Ok(_) => {
                    self.good.insert(part);
                    None
                }
                Err(error) => Some(error.to_string()),
            }
        })
    }
}
