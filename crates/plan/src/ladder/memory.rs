//! What worked last time.

use serde::{Deserialize, Serialize};

use super::{Mode, Rung};

/// The rung on which a package was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worked {
    /// The rung.
    pub rung: Rung,
    /// The version of the source.
    pub version: Box<str>,
}

impl Worked {
    /// Where to start with a version of the source.
    ///
    /// A new version is tried before it is imported: what the old one could not do may be mended.
    pub fn start(&self, version: &str) -> Option<Rung> {
        Some(self.rung).filter(|rung| rung.mode != Mode::Imported || *self.version == *version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_version_is_not_imported_without_a_try() {
        let worked = |mode: Mode| Worked { rung: mode.rung(), version: "1".into() };
        assert_eq!(worked(Mode::Emulated).start("2"), Some(Mode::Emulated.rung()));
        assert_eq!(worked(Mode::Imported).start("1"), Some(Mode::Imported.rung()));
        assert_eq!(worked(Mode::Imported).start("2"), None);
    }
}
