//! What is asked for.

use archmill_deb::{Arch, Relation, Relations};

/// A set of packages to find: a base, and relations that must hold on top of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Relations that must hold, each with who asks.
    pub wanted: Vec<Wanted>,
    /// Packages that must not be there (Build-Conflicts).
    pub conflicts: Relations,
    /// What is there before anything is asked for.
    pub base: Base,
    /// Which alternatives of `wanted` count.
    pub alternatives: Alternatives,
    /// Which versions may be taken.
    pub versions: Versions,
    /// The architecture `wanted` is about where it names none: the host architecture of a cross
    /// build; the native one if `None`.
    pub arch: Option<Arch>,
}

/// Relations and who asks for them, for explanations: "dash" "build-depends on" ....
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The relations, reduced to what applies (architecture restrictions, build profiles).
    pub relations: Relations,
    /// Who asks.
    pub by: String,
    /// The verb of a sentence about it.
    pub verb: String,
}

impl Wanted {
    /// Build dependencies of a source package.
    pub fn build_depends(source: impl Into<String>, relations: Relations) -> Self {
        Self { relations, by: source.into(), verb: "build-depends on".to_owned() }
    }
}

/// The packages a root has before build dependencies are installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// All packages that are Essential: yes, with what they depend on.
    pub essential: bool,
    /// Also those of Priority: required.
    pub required: bool,
    /// Packages chosen together with these, where one of these names them: they decide alternatives of
    /// essential packages.
    pub preferred: Vec<String>,
    /// Packages added to that. Missing ones are an error.
    pub packages: Vec<String>,
}

impl Base {
    /// What a source package may take for granted (Policy 4.2): Essential packages and build-essential;
    /// for a cross build also `crossbuild-essential` for `host`, as sbuild and dose have it.
    pub fn build_essential(host: Option<&Arch>) -> Self {
        let cross = host.map(|host| format!("crossbuild-essential-{host}"));
        let packages = std::iter::once("build-essential".to_owned()).chain(cross).collect();
        Self { essential: true, packages, ..Self::default() }
    }

    /// What Debian's build machines start from, and `mmdebstrap --variant=buildd` makes: Essential and Priority:
    /// required packages, build-essential and apt, with a merged /usr.
    pub fn buildd() -> Self {
        Self {
            essential: true,
            required: true,
            // Not usrmerge, which converts an existing system and brings perl modules for that.
            preferred: vec!["usr-is-merged".to_owned()],
            packages: vec!["build-essential".to_owned(), "apt".to_owned()],
        }
    }
}

/// Which alternatives of a build dependency count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alternatives {
    /// The first, and those that follow it with the same name, as sbuild does on Debian's build
    /// machines so that builds do not depend on what happens to be installable.
    #[default]
    First,
    /// Any, in order, as `apt-get build-dep` does.
    All,
}

/// Which versions of a package may be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// Of each package the candidate alone: highest priority, then newest, as apt does.
    #[default]
    Candidate,
    /// The candidate first, others where it does not fit, as dose's checkers do.
    Any,
}

impl Request {
    /// Build dependencies of a source package in a root as on Debian's build machines.
    pub fn build(source: &str, build_depends: Relations) -> Self {
        Self {
            wanted: vec![Wanted::build_depends(source, build_depends)],
            conflicts: Relations(Vec::new()),
            base: Base::buildd(),
            alternatives: Alternatives::default(),
            versions: Versions::default(),
            arch: None,
        }
    }
}

impl Request {
    /// The relations of `wanted` as they count: with the alternatives that do, and, where sbuild's
    /// way is followed in a native build, without `:native`, which means nothing there.
    pub fn counting(&self, wanted: &Wanted) -> Relations {
        counting(&wanted.relations, self.alternatives, self.arch.is_some())
    }
}

/// See [`Request::counting`].
pub(crate) fn counting(relations: &Relations, alternatives: Alternatives, is_cross: bool) -> Relations {
    let as_sbuild = alternatives == Alternatives::First;
    let groups = relations.0.iter().map(|group| {
        let mut group = if as_sbuild { first(group) } else { group.clone() };
        if as_sbuild && !is_cross {
            for relation in &mut group {
                relation.qualifier.take_if(|qualifier| qualifier == "native");
            }
        }
        group
    });
    Relations(groups.collect())
}

/// The first alternative and those of its name that follow at once.
fn first(group: &[Relation]) -> Vec<Relation> {
    let name = group.first().map(|relation| &relation.name);
    group.iter().take_while(|relation| Some(&relation.name) == name).cloned().collect()
}
