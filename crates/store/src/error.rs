//! What can go wrong with a store.

use std::path::PathBuf;

/// The store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder or file of it.
    #[error("cannot use the farm's folder {}: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// Nothing was ever built there.
    #[error("there is no farm in {}; archmill rebuild makes one, and --state names its folder", .0.display())]
    NoFarm(PathBuf),
    /// Another rebuild runs in the same folder.
    #[error("another archmill rebuild is running in {}; end it first, or give this one a folder of its own with --state", .0.display())]
    Locked(PathBuf),
    /// Files that builds left.
    #[error(transparent)]
    Blobs(#[from] crate::blobs::BlobError),
    /// The database.
    #[error("the farm's database: {0}")]
    Sql(#[from] sqlx::Error),
    /// Tables of another program's version.
    #[error(
        "the farm's database cannot be brought to this version of archmill ({0}); was it made by a newer one?"
    )]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Something has to be written before it can be read, and whoever reads may not.
    #[error(
        "the farm in {} was left by another version of archmill, or by one that was killed, and you may not write there; run archmill status as its owner once",
        .0.display()
    )]
    Unsettled(PathBuf),
    /// A value that no version of archmill writes.
    #[error(
        "the farm's database has {what} {value:?}, which archmill does not know; was it written by a newer one?"
    )]
    Unknown {
        /// What it should be.
        what: &'static str,
        /// What it is.
        value: String,
    },
}
