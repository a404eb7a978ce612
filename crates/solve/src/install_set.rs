//! A solution.

use archmill_deb::Arch;
use serde::{Deserialize, Serialize};

use crate::explain::relation_text;
use crate::goal::{Origin, Root};
use crate::ids::PackageId;
use crate::package::PackageRef;
use crate::trace::Asked;
use crate::universe::Universe;

/// Packages that satisfy a request, ordered by name and architecture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallSet {
    /// The packages.
    pub packages: Vec<Selected>,
    /// Packages of the base that had to go for the request; usually none.
    pub removed_from_base: Vec<Selected>,
}

/// One package of a solution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selected {
    /// Its id in the universe that was solved against; means nothing elsewhere.
    #[serde(skip)]
    pub id: PackageId,
    /// Package name.
    pub name: String,
    /// Version, as the index writes it.
    pub version: String,
    /// Architecture field: may be `all`.
    pub arch: Arch,
    /// Source package.
    pub source: String,
    /// Version of the source package.
    pub source_version: String,
    /// Path in the archive.
    pub filename: String,
    /// Size of the file in bytes; 0 if the index does not say.
    pub size: u64,
    /// SHA-256 of the file in hexadecimal digits; empty if the index does not say.
    pub sha256: String,
    /// Number of the index it is from, among [`Universe::indices`].
    pub index: usize,
    /// Whether it is Essential: yes.
    pub essential: bool,
    /// Whether it belongs to the base set.
    pub base: bool,
    /// The first relation that asked for it.
    pub installed_by: InstalledBy,
}

/// A relation that asked for a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledBy {
    /// A package with its version, or whoever made the request.
    pub by: String,
    /// "Depends", "Pre-Depends"; "Essential", "Priority" or "base" for roots of the base set; for
    /// those of the request, its verb.
    pub field: String,
    /// The relation as written.
    pub relation: String,
}

impl InstallSet {
    /// The packages of the base set.
    pub fn base(&self) -> impl Iterator<Item = &Selected> {
        self.packages.iter().filter(|package| package.base)
    }

    /// What comes on top of the base set.
    pub fn rest(&self) -> impl Iterator<Item = &Selected> {
        self.packages.iter().filter(|package| !package.base)
    }

    /// The package of a name; of several architectures the first.
    pub fn get(&self, name: &str) -> Option<&Selected> {
        let at = self.packages.partition_point(|package| package.name.as_str() < name);
        self.packages.get(at).filter(|package| package.name == name)
    }
}

impl Selected {
    pub(crate) fn new(package: PackageRef<'_>, base: bool, installed_by: InstalledBy) -> Self {
        let (source, source_version) = package.source();
        let text = |field: &str| package.field(field).unwrap_or_default().to_owned();
        Self {
            id: package.id(),
            name: package.name().to_owned(),
            version: package.version().to_owned(),
            arch: if package.architecture() == "all" { Arch::ALL } else { package.arch().clone() },
            source: source.to_owned(),
            source_version: source_version.to_owned(),
            filename: text("Filename"),
            size: package.field("Size").and_then(|size| size.parse().ok()).unwrap_or(0),
            sha256: text("SHA256"),
            index: package.index_number(),
            essential: package.essential(),
            base,
            installed_by,
        }
    }
}

impl InstalledBy {
    pub(crate) fn new<'g>(
        universe: &Universe,
        mut roots: impl Iterator<Item = &'g Root>,
        asked: Asked,
    ) -> Self {
        match asked {
            Asked::Root(number) => match roots.nth(number).map(|root| &root.origin) {
                Some(Origin::Wanted { by, verb, relation, .. }) => {
                    Self { by: by.clone(), field: verb.clone(), relation: relation.clone() }
                }
                Some(Origin::Base { field, relation }) => {
                    Self { by: "base".to_owned(), field: (*field).to_owned(), relation: relation.clone() }
                }
                None => Self::unknown(),
            },
            Asked::By(package, number) => {
                let reference = universe.package(package);
                let Some(group) = universe.deps(package).groups.get(number) else {
                    return Self::unknown();
                };
                Self {
                    by: format!("{} {}", reference.name(), reference.version()),
                    field: group.field.name().to_owned(),
                    relation: relation_text(universe, package, group.field, group.index),
                }
            }
        }
    }

    fn unknown() -> Self {
        Self { by: String::new(), field: String::new(), relation: String::new() }
    }
}
