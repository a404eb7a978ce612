//! What builds left.

use sqlx::FromRow;

use crate::blobs::Blob;
use crate::build::BuildId;
use crate::change::Change;
use crate::error::StoreError;
use crate::store::{Store, from_sql, to_sql};

/// A file that a build left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFile {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub blob: Blob,
}

#[derive(FromRow)]
struct Raw {
    build: BuildId,
    name: String,
    sha256: String,
    size_bytes: i64,
}

impl From<Raw> for (BuildId, KeptFile) {
    fn from(Raw { build, name, sha256, size_bytes }: Raw) -> Self {
        (build, KeptFile { name, blob: Blob { sha256, size_bytes: from_sql(size_bytes) } })
    }
}

impl Store {
    /// What a build left, by name.
    pub async fn files_of(&self, build: BuildId) -> Result<Vec<KeptFile>, StoreError> {
        let query = "SELECT * FROM file WHERE build = ? ORDER BY name";
        let rows: Vec<Raw> = sqlx::query_as(query).bind(build).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| <(BuildId, KeptFile)>::from(row).1).collect())
    }

    /// What all builds left, by build and name.
    pub async fn all_files(&self) -> Result<Vec<(BuildId, KeptFile)>, StoreError> {
        let query = "SELECT * FROM file ORDER BY build, name";
        let rows: Vec<Raw> = sqlx::query_as(query).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

impl Change<'_> {
    /// A build left these.
    pub async fn keep(&mut self, build: BuildId, files: &[KeptFile]) -> Result<(), StoreError> {
        for KeptFile { name, blob } in files {
            sqlx::query("INSERT OR REPLACE INTO file (build, name, sha256, size_bytes) VALUES (?, ?, ?, ?)")
                .bind(build)
                .bind(name)
                .bind(&blob.sha256)
                .bind(to_sql(blob.size_bytes))
                .execute(&mut *self.transaction)
                .await?;
        }
        Ok(())
    }

    /// A file of a build is of no interest any more.
    pub async fn forget(&mut self, build: BuildId, name: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM file WHERE build = ? AND name = ?")
            .bind(build)
            .bind(name)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }
}
