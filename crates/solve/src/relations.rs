//! What a package asks for and refuses, as sets of packages of the universe.

use archmill_deb::{Relation, Relations};

use crate::ids::{ArchId, NameId, PackageId};
use crate::matching::{self, Asker};
use crate::universe::Universe;

/// The field a relation is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Field {
    PreDepends,
    Depends,
    Conflicts,
    Breaks,
    /// What multi-arch implies between architectures of one name.
    MultiArch,
}

impl Field {
    /// Those that packages have, in the order in which they are read.
    pub(crate) const OF_PACKAGES: [Self; 4] =
        [Self::PreDepends, Self::Depends, Self::Conflicts, Self::Breaks];

    /// Whether it asks for packages, rather than refusing them.
    pub(crate) fn is_positive(self) -> bool {
        matches!(self, Self::PreDepends | Self::Depends)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PreDepends => "Pre-Depends",
            Self::Depends => "Depends",
            Self::Conflicts => "Conflicts",
            Self::Breaks => "Breaks",
            Self::MultiArch => "Multi-Arch",
        }
    }

    /// As a verb, for sentences.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::PreDepends => "pre-depends on",
            Self::Depends => "depends on",
            Self::Conflicts => "conflicts with",
            Self::Breaks => "breaks",
            Self::MultiArch => "cannot be installed together with",
        }
    }
}

/// Relations of one package or one request.
#[derive(Debug, Default)]
pub(crate) struct Deps {
    pub(crate) groups: Box<[Group]>,
    pub(crate) negatives: Box<[Negative]>,
}

/// Alternatives of which one must be installed.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) field: Field,
    /// Which group of that field it is, for its text.
    pub(crate) index: u16,
    pub(crate) alternatives: Box<[Alternative]>,
}

/// One alternative: everything in the universe that satisfies it.
#[derive(Debug)]
pub(crate) struct Alternative {
    /// The name asked for, when the universe has it.
    pub(crate) name: Option<NameId>,
    /// Whether an architecture was asked for too.
    pub(crate) qualified: bool,
    pub(crate) targets: Box<[PackageId]>,
}

impl Alternative {
    /// The name that is preferred to others that provide it. To apt, `foo:any` and `foo:native` are
    /// names of their own that foo provides like everybody else; so then there is none.
    pub(crate) fn preferred_name(&self) -> Option<NameId> {
        self.name.filter(|_| !self.qualified)
    }
}

/// Packages that must not be installed.
#[derive(Debug)]
pub(crate) struct Negative {
    pub(crate) field: Field,
    pub(crate) index: u16,
    pub(crate) targets: Box<[PackageId]>,
}

impl Group {
    /// All that satisfy it, alternatives in order.
    pub(crate) fn targets(&self) -> impl Iterator<Item = PackageId> + '_ {
        self.alternatives.iter().flat_map(|alternative| alternative.targets.iter().copied())
    }
}

impl Deps {
    pub(crate) fn of_package(universe: &Universe, package: PackageId) -> Self {
        let asker = Asker::Package(package);
        let mut deps = Collected::default();
        for field in Field::OF_PACKAGES {
            // What cannot be read was left out when the universe was made.
            let relations = Relations::parse(universe.relation_field(package, field)).unwrap_or_default();
            if field.is_positive() {
                deps.positive(universe, asker, field, &relations);
            } else {
                deps.negative(universe, asker, field, &relations);
            }
        }
        let siblings = matching::incompatible_siblings(universe, package);
        if !siblings.is_empty() {
            deps.negatives.push(Negative { field: Field::MultiArch, index: 0, targets: siblings });
        }
        deps.finish()
    }

    /// Relations asked for from outside, as if by a package of this architecture.
    pub(crate) fn of_request(
        universe: &Universe,
        arch: ArchId,
        relations: &Relations,
        conflicts: &Relations,
    ) -> Self {
        let mut deps = Collected::default();
        deps.positive(universe, Asker::Outside(arch), Field::Depends, relations);
        deps.negative(universe, Asker::Outside(arch), Field::Conflicts, conflicts);
        deps.finish()
    }
}

#[derive(Default)]
struct Collected {
    groups: Vec<Group>,
    negatives: Vec<Negative>,
}

impl Collected {
    fn positive(&mut self, universe: &Universe, asker: Asker, field: Field, relations: &Relations) {
        for (index, group) in (0..).zip(&relations.0) {
            let alternatives = group.iter().map(|relation| alternative(universe, asker, relation)).collect();
            self.groups.push(Group { field, index, alternatives });
        }
    }

    fn negative(&mut self, universe: &Universe, asker: Asker, field: Field, relations: &Relations) {
        for (index, group) in (0..).zip(&relations.0) {
            // Alternatives have no meaning here; each is refused.
            for relation in group {
                let targets = matching::refused(universe, asker, relation);
                if !targets.is_empty() {
                    self.negatives.push(Negative { field, index, targets });
                }
            }
        }
    }

    fn finish(self) -> Deps {
        Deps { groups: self.groups.into(), negatives: self.negatives.into() }
    }
}

fn alternative(universe: &Universe, asker: Asker, relation: &Relation) -> Alternative {
    Alternative {
        name: universe.names.find(&relation.name),
        qualified: relation.qualifier.is_some(),
        targets: matching::satisfying(universe, asker, relation),
    }
}
