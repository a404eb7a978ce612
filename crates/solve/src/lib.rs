//! Which binary packages a build needs, chosen as Debian's build machines choose them.
//!
//! A [`Universe`] is made from the texts of Packages indices; [`solve`] answers a [`Request`] with an
//! [`InstallSet`] or with [`Unsatisfiable`], which says in words why not. Nothing here does I/O.
//!
//! The answer is what `apt-get build-dep` would install into a clean root without Recommends: first
//! packages are chosen as apt chooses them, without search; where that ends in a contradiction, a
//! SAT solver (resolvo) finds a set, close to apt's choice, or proves that there is none.
#![forbid(unsafe_code)]

mod base;
mod cache;
mod check;
mod choose;
mod conflict;
mod explain;
mod goal;
mod graph;
mod ids;
mod index;
mod install_set;
mod load;
mod matching;
mod names;
mod order;
mod package;
mod provides;
mod rank;
mod relations;
mod request;
mod search;
mod solver;
mod sources;
mod stanza;
mod syntax;
mod trace;
mod universe;
mod unsatisfiable;
mod update;
mod verdicts;
mod versions;

pub use cache::CacheError;
pub use check::{CheckRules, Checker, Verdict};
pub use ids::PackageId;
pub use index::IndexText;
pub use install_set::{InstallSet, InstalledBy, Selected};
pub use load::LoadProblem;
pub use order::Order;
pub use package::PackageRef;
pub use request::{Alternatives, Base, Request, Versions, Wanted};
pub use solver::{Solver, solve};
pub use sources::{BuildKinds, SourceStanza, Sources};
pub use universe::Universe;
pub use unsatisfiable::{Outcome, PackageName, Reason, Subject, Unsatisfiable};
pub use update::Change;
pub use verdicts::{Updated, Verdicts};
