//! The database and its folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, FlockOperation, access, flock};
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::blobs::{BlobError, Blobs};
use crate::change::Change;
use crate::error::StoreError;

const DATABASE: &str = "farm.sqlite";
const LOCK: &str = "lock";
const BLOBS: &str = "blobs";
/// SQLite's write-ahead log; there while a process has the database open.
const LOG: &str = "farm.sqlite-wal";
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
/// Other processes hold the database for milliseconds; one that is stopped must not stop a farm for ever.
const BUSY: Duration = Duration::from_mins(1);

/// A farm's memory.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: SqlitePool,
    blobs: Blobs,
    folder: PathBuf,
}

/// The right to drive the farm of a folder; ends with the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Whether a rebuild runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// One does.
    Yes,
    /// None does.
    No,
}

impl Store {
    /// Opens the farm of a folder, and makes it if there is none.
    pub async fn make(folder: &Path) -> Result<Self, StoreError> {
        fs_err::create_dir_all(folder.join("builds")).map_err(|error| at(folder, error))?;
        Self::connect(folder, true).await
    }

    /// Opens the farm of a folder.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        if !folder.join(DATABASE).is_file() {
            return Err(StoreError::NoFarm(folder.to_owned()));
        }
        if !may_write(folder) {
            return Err(at(folder, rustix::io::Errno::ACCESS.into()));
        }
        Self::connect(folder, false).await
    }

    /// Opens the farm of a folder for reading: whoever may not write there can do that too.
    pub async fn read(folder: &Path) -> Result<Self, StoreError> {
        let database = folder.join(DATABASE);
        if !database.is_file() || may_write(folder) {
            return Self::open(folder).await;
        }
        File::open(&database).map_err(|error| at(folder, error))?;
        let options = SqliteConnectOptions::new()
            .filename(&database)
            .read_only(true)
            // Where nobody has it open there is no log beside it, and none can be made.
            .immutable(!folder.join(LOG).exists())
            .busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let has = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&pool).await;
        // It fails where the last user was killed: what is in the log has yet to be put into the database.
        if has.ok().flatten() != MIGRATIONS.iter().map(|migration| migration.version).max() {
            return Err(StoreError::Unsettled(folder.to_owned()));
        }
        let blobs = Blobs::local(&folder.join(BLOBS)).map_err(BlobError::Store)?;
        Ok(Self { pool, blobs, folder: folder.to_owned() })
    }

    async fn connect(folder: &Path, make: bool) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(folder.join(DATABASE))
            .create_if_missing(make)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        // One connection: what is written is read, in order.
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        MIGRATIONS.run(&pool).await?;
        let blobs = folder.join(BLOBS);
        fs_err::create_dir_all(&blobs).map_err(|error| at(folder, error))?;
        let blobs = Blobs::local(&blobs).map_err(BlobError::Store)?;
        Ok(Self { pool, blobs, folder: folder.to_owned() })
    }

    /// The files that builds left.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The right to drive it, if nobody has it.
    pub fn lock(&self) -> Result<Lock, StoreError> {
        let file = self.lock_file()?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Locked(self.folder.clone())),
            Err(error) => Err(at(&self.folder, error.into())),
        }
    }

    /// Whether a rebuild runs.
    pub fn runs(&self) -> Result<Runs, StoreError> {
        let path = self.folder.join(LOCK);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Runs::No),
            Err(error) => return Err(at(&self.folder, error)),
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Runs::No),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(Runs::Yes),
            Err(error) => Err(at(&self.folder, error.into())),
        }
    }

    fn lock_file(&self) -> Result<File, StoreError> {
        let path = self.folder.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(path);
        file.map_err(|error| at(&self.folder, error))
    }

    /// A transaction.
    pub async fn begin(&self) -> Result<Change<'_>, StoreError> {
        // Not deferred: a reader that becomes a writer may be refused, one that is a writer from the start waits.
        Ok(Change { transaction: self.pool.begin_with("BEGIN IMMEDIATE").await? })
    }
}

/// Its files are made anew by whoever opens it, so both have to be writable.
fn may_write(folder: &Path) -> bool {
    [folder, &folder.join(DATABASE)].into_iter().all(|path| access(path, Access::WRITE_OK).is_ok())
}

fn at(folder: &Path, error: std::io::Error) -> StoreError {
    StoreError::Folder { folder: folder.to_owned(), error }
}

/// SQLite's integers have a sign.
pub(crate) fn to_sql(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn from_sql(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
