//! What a farm knows and must not forget: packages and their states, builds, requests of people, events.
//!
//! SQLite, in one file of the farm's folder, and all SQL there is; and the files that builds left ([`Blobs`]). Whatever belongs together is one transaction
//! ([`Store::begin`]); what was committed survives a `kill -9` and a power cut. One rebuild at a time writes; any number of
//! other processes read, and leave requests.
#![forbid(unsafe_code)]

mod blobs;
mod build;
mod change;
mod error;
mod event;
mod file;
mod native;
mod package;
mod publication;
mod request;
mod run;
mod store;

pub use blobs::{Blob, BlobError, Blobs};
pub use build::{BuildEnd, BuildId, BuildRow, EndKind, NewBuild};
pub use change::Change;
pub use error::StoreError;
pub use file::KeptFile;
pub use native::NativeTime;
pub use package::{PackageId, PackageRow, Planned};
pub use publication::{Publication, Published};
pub use request::{RequestKind, RequestRow};
pub use run::{NewRun, RunForecast, RunRow};
pub use store::{Lock, Runs, Store};
