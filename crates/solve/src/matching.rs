//! Which packages a relation means: names, versions, Provides and multi-arch.
//!
//! Sources: Debian Policy 7.1 to 7.6, the multiarch specification, and what dpkg and apt make of them.

use std::cmp::Ordering;

use archmill_deb::{MultiArch, Relation};

use crate::ids::{ArchId, PackageId};
use crate::universe::{Provider, Universe};
use crate::versions;

/// Who has the relation: it decides which architecture an unqualified name means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    Package(PackageId),
    /// A request, which asks as a package of this architecture would.
    Outside(ArchId),
}

impl Asker {
    fn arch(self, universe: &Universe) -> ArchId {
        match self {
            Self::Package(package) => universe.arch_of(package),
            Self::Outside(arch) => arch,
        }
    }
}

/// The architecture a relation is about.
#[derive(Clone, Copy)]
enum Wanted {
    /// No qualifier: the asker's own, or any for a package that is Multi-Arch: foreign.
    Own(ArchId),
    /// `:any`: Multi-Arch: allowed packages of every architecture.
    Any,
    /// `:native` and `:<arch>`: this one and nothing else.
    Exactly(ArchId),
    /// `:<arch>` of an architecture that the universe does not have.
    Unknown,
}

impl Wanted {
    fn of(universe: &Universe, asker: Asker, relation: &Relation) -> Self {
        match relation.qualifier.as_deref() {
            None => Self::Own(asker.arch(universe)),
            Some("any") => Self::Any,
            Some("native") => Self::Exactly(ArchId::NATIVE),
            Some(named) => match universe.arches.iter().position(|arch| arch.as_str() == named) {
                Some(position) => Self::Exactly(ArchId::new(position)),
                None => Self::Unknown,
            },
        }
    }

    fn takes(self, universe: &Universe, package: PackageId) -> bool {
        let multi_arch = universe.row(package).multi_arch;
        match self {
            Self::Own(arch) => universe.arch_of(package) == arch || multi_arch == MultiArch::Foreign,
            Self::Any => multi_arch == MultiArch::Allowed,
            Self::Exactly(arch) => universe.arch_of(package) == arch,
            Self::Unknown => false,
        }
    }

    /// A provided name is as good as the package's own, unless it names an architecture itself.
    fn takes_provided(self, universe: &Universe, provider: &Provider) -> bool {
        match (self, provider.arch) {
            (_, None) => self.takes(universe, provider.package),
            (Self::Own(arch) | Self::Exactly(arch), Some(named)) => arch == named,
            (Self::Any | Self::Unknown, Some(_)) => false,
        }
    }
}

/// Packages of which any one satisfies a dependency, ordered by id.
pub(crate) fn satisfying(universe: &Universe, asker: Asker, relation: &Relation) -> Box<[PackageId]> {
    let Some(name) = universe.names.find(&relation.name) else {
        return Box::default();
    };
    let wanted = Wanted::of(universe, asker, relation);
    let real = universe
        .packages_named(name)
        .filter(|&package| wanted.takes(universe, package) && version_fits(universe, package, relation));
    let provided = universe
        .providers_of(name)
        .iter()
        .filter(|provider| {
            wanted.takes_provided(universe, provider) && provided_fits(universe, provider, relation)
        })
        .map(|provider| provider.package);
    sorted(real.chain(provided))
}

/// Packages that a Conflicts or Breaks refuses.
///
/// Without a qualifier it is about every architecture. A package never refuses itself, nor what
/// provides the name by a package of its own name (Policy 7.6.2), nor, when it is Multi-Arch: same,
/// its own name in another architecture.
pub(crate) fn refused(universe: &Universe, asker: Asker, relation: &Relation) -> Box<[PackageId]> {
    let Some(name) = universe.names.find(&relation.name) else {
        return Box::default();
    };
    let exactly = match Wanted::of(universe, asker, relation) {
        Wanted::Own(_) | Wanted::Any => None,
        Wanted::Exactly(arch) => Some(arch),
        Wanted::Unknown => return Box::default(),
    };
    let in_scope = |package| exactly.is_none_or(|arch| universe.arch_of(package) == arch);
    let real = universe.packages_named(name).filter(|&package| {
        in_scope(package) && !own_name(universe, asker, package) && version_fits(universe, package, relation)
    });
    let provided = universe
        .providers_of(name)
        .iter()
        .filter(|provider| match provider.arch {
            Some(arch) => exactly.is_none_or(|wanted| wanted == arch),
            None => in_scope(provider.package),
        })
        .filter(|provider| provided_fits(universe, provider, relation))
        .map(|provider| provider.package)
        .filter(|&package| !same_name(universe, asker, package));
    sorted(real.chain(provided))
}

fn same_name(universe: &Universe, asker: Asker, package: PackageId) -> bool {
    match asker {
        Asker::Package(own) => universe.name_of(own) == universe.name_of(package),
        Asker::Outside(_) => false,
    }
}

fn own_name(universe: &Universe, asker: Asker, package: PackageId) -> bool {
    let Asker::Package(own) = asker else { return false };
    same_name(universe, asker, package)
        && (universe.row(own).slot == universe.row(package).slot
            || universe.row(own).multi_arch == MultiArch::Same)
}

/// Versions of a package for other architectures that cannot be installed beside this one: all,
/// unless it is Multi-Arch: same; then those of another version.
pub(crate) fn incompatible_siblings(universe: &Universe, package: PackageId) -> Box<[PackageId]> {
    let row = universe.row(package);
    let name = universe.name_of(package);
    let siblings = universe.packages_named(name).filter(|&other| universe.row(other).slot != row.slot);
    let version = |package| universe.package(package).version();
    let refused = siblings.filter(|&other| match row.multi_arch {
        MultiArch::Same => versions::compare(version(package), version(other)) != Ordering::Equal,
        MultiArch::No | MultiArch::Foreign | MultiArch::Allowed => true,
    });
    refused.collect()
}

fn version_fits(universe: &Universe, package: PackageId, relation: &Relation) -> bool {
    relation
        .constraint
        .as_ref()
        .is_none_or(|(op, wanted)| versions::holds(universe.package(package).version(), *op, wanted))
}

/// A provided name without a version satisfies no versioned relation (Policy 7.5).
fn provided_fits(universe: &Universe, provider: &Provider, relation: &Relation) -> bool {
    let Some((op, wanted)) = &relation.constraint else { return true };
    let text = universe.row(provider.package).text;
    provider.version.is_some_and(|version| versions::holds(universe.text_at(text, version), *op, wanted))
}

fn sorted(found: impl Iterator<Item = PackageId>) -> Box<[PackageId]> {
    let mut found: Vec<_> = found.collect();
    found.sort_unstable();
    found.dedup();
    found.into()
}
