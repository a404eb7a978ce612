//! One unit of work.

use std::fmt;

use archmill_deb::Arch;

use crate::ids::{ComponentId, TargetId};
use crate::predict::Traits;

/// A source package to be built for one target, or what else builds wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Source package; empty for a base set.
    pub source: Box<str>,
    /// Its version; empty for a base set.
    pub version: Box<str>,
    /// What it is built for.
    pub target: TargetId,
    /// The component it is of.
    pub component: ComponentId,
    /// What kind of work it is.
    pub kind: JobKind,
    /// What its duration can be guessed from.
    pub traits: Traits,
}

/// What kind of work a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Packages of a source.
    Package,
    /// A compiler of the target's very version that runs on this farm's x86-64 machines.
    Toolchain {
        /// Its source package. That of the job has [`TOOLCHAIN`] after it, as it takes another time than the package.
        of: Box<str>,
        /// The architecture it makes code for.
        makes: Arch,
    },
    /// No work: a milestone that is reached when all packages of the target's base set are built. It stands for the hundred
    /// and more needs that every build has in common.
    BaseSet,
}

/// What stands after the source package in the name of a toolchain.
pub const TOOLCHAIN: &str = "-toolchain";

impl Job {
    /// The job in words, its target by name: "dash for arm64".
    pub fn describe<'j>(&'j self, target: &'j Arch) -> impl fmt::Display + 'j {
        struct Words<'j>(&'j Job, &'j Arch);
        impl fmt::Display for Words<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match &self.0.kind {
                    JobKind::Package => write!(f, "{} for {}", self.0.source, self.1),
                    JobKind::Toolchain { of, makes } => write!(f, "the toolchain {of} for {makes}"),
                    JobKind::BaseSet => write!(f, "the base set of {}", self.1),
                }
            }
        }
        Words(self, target)
    }
}
