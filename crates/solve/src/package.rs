//! One package of a universe, seen from outside.

use archmill_deb::{Arch, MultiArch};

use crate::ids::PackageId;
use crate::index::IndexText;
use crate::stanza;
use crate::universe::Universe;

/// One version of one package; reads the index it came from.
#[derive(Clone, Copy)]
pub struct PackageRef<'u> {
    pub(crate) universe: &'u Universe,
    pub(crate) id: PackageId,
}

impl<'u> PackageRef<'u> {
    /// Its id in the universe.
    pub fn id(self) -> PackageId {
        self.id
    }

    /// The Package field.
    pub fn name(self) -> &'u str {
        self.universe.names.get(self.universe.name_of(self.id))
    }

    /// The Version field as written.
    pub fn version(self) -> &'u str {
        let row = self.universe.row(self.id);
        self.universe.text_at(row.text, row.version)
    }

    /// The architecture it counts for: the native one when the field says `all`.
    pub fn arch(self) -> &'u Arch {
        &self.universe.arches[self.universe.arch_of(self.id).index()]
    }

    /// The Architecture field as written.
    pub fn architecture(self) -> &'u str {
        self.field("Architecture").unwrap_or_default()
    }

    /// The Multi-Arch field.
    pub fn multi_arch(self) -> MultiArch {
        self.universe.row(self.id).multi_arch
    }

    /// Whether it says `Essential: yes`.
    pub fn essential(self) -> bool {
        self.universe.row(self.id).essential
    }

    /// Name and version of the source package.
    pub fn source(self) -> (&'u str, &'u str) {
        let Some(source) = self.field("Source") else {
            return (self.name(), self.version());
        };
        match source.split_once('(') {
            Some((name, version)) => (name.trim(), version.trim_end_matches(')').trim()),
            None => (source.trim(), self.version()),
        }
    }

    /// The index it is from.
    pub fn index(self) -> &'u IndexText {
        &self.universe.texts[self.index_number()]
    }

    /// The number of that index among [`Universe::indices`].
    pub fn index_number(self) -> usize {
        usize::from(self.universe.row(self.id).text)
    }

    /// A field of its stanza, continuation lines as they are.
    pub fn field(self, name: &str) -> Option<&'u str> {
        stanza::field(self.stanza(), name)
    }

    /// Its whole stanza.
    pub fn stanza(self) -> &'u str {
        let row = self.universe.row(self.id);
        self.universe.text_at(row.text, row.stanza)
    }
}

impl std::fmt::Debug for PackageRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}={}", self.name(), self.arch(), self.version())
    }
}
