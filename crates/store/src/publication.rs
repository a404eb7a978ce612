//! What the farm's own archive has.

use archmill_plan::Moment;
use sqlx::FromRow;

use crate::build::BuildId;
use crate::change::Change;
use crate::error::StoreError;
use crate::package::PackageId;
use crate::store::{Store, to_sql};

/// What the archive is given of a package.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Publication {
    /// Of which package.
    pub package: PackageId,
    /// What was built when.
    pub build: BuildId,
    /// Version of the source, with `+bN` where it was rebuilt without a change of that.
    pub version: String,
    /// Of what is in the packages, the number of a rebuild aside.
    pub fingerprint: String,
    /// As the archive's indices have them.
    pub stanzas: String,
}

/// What the archive has, or had, of a package of a suite.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Published {
    /// Source package.
    pub source: String,
    /// Architecture or `all`.
    pub target: String,
    /// Component of the farm.
    pub component: String,
    /// Whether the last plan of the suite has it.
    pub planned: bool,
    /// What it was given.
    #[sqlx(flatten)]
    pub publication: Publication,
    /// When that build began.
    #[sqlx(try_from = "i64")]
    pub began: Moment,
    /// When it was given.
    #[sqlx(try_from = "i64")]
    pub published: Moment,
}

impl Store {
    /// Everything that the archive of a suite was ever given, in that order; what was replaced is without stanzas.
    pub async fn published(&self, suite: &str) -> Result<Vec<Published>, StoreError> {
        let query = "SELECT package.source, package.target, package.component, package.planned, publication.*, build.started AS began FROM publication \
                     JOIN package ON package.id = publication.package JOIN build ON build.id = publication.build WHERE package.suite = ? ORDER BY publication.id";
        Ok(sqlx::query_as(query).bind(suite).fetch_all(&self.pool).await?)
    }

    /// The stanzas of all that archives have, of any suite.
    pub async fn all_stanzas(&self) -> Result<Vec<String>, StoreError> {
        let query = "SELECT stanzas FROM publication WHERE stanzas <> ''";
        Ok(sqlx::query_scalar(query).fetch_all(&self.pool).await?)
    }
}

impl Change<'_> {
    /// The archive is given something, in place of what it had of the package.
    pub async fn publish(&mut self, publication: &Publication, now: Moment) -> Result<(), StoreError> {
        sqlx::query("UPDATE publication SET stanzas = '' WHERE package = ? AND stanzas <> ''")
            .bind(publication.package)
            .execute(&mut *self.transaction)
            .await?;
        sqlx::query(
            "INSERT INTO publication (package, build, version, fingerprint, stanzas, published) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(publication.package)
        .bind(publication.build)
        .bind(&publication.version)
        .bind(&publication.fingerprint)
        .bind(&publication.stanzas)
        .bind(to_sql(now.0))
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }
}
