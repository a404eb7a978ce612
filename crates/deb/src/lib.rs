//! Debian's formats: versions, relations between packages, control data, indices, source and binary packages.
//!
//! Nothing here does I/O beyond a reader that it is given. What comes from outside may be hostile:
//! every parser answers with a value or with an error that names what is wrong and where.
#![forbid(unsafe_code)]

mod arch;
pub mod changelog;
pub mod control;
pub mod deb;
mod documents;
pub mod members;
mod nearest;
mod paths;
mod record;
pub mod relation;
mod release;
mod source;
mod version;

pub use arch::{Arch, ArchError};
pub use documents::{BuildInfo, Changes, DocumentError, Dsc, FileList};
pub use nearest::nearest;
pub use paths::{is_archive_path, is_plain_name};
pub use record::{BinaryRecord, MultiArch, RecordError};
pub use relation::{Op, Relation, RelationError, Relations, Term};
pub use release::{IndexFile, Release, ReleaseError};
pub use source::{SourceFile, SourceRecord};
pub use version::{Version, VersionError, without_binnmu};
