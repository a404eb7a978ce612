//! What native builds took elsewhere.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use crate::error::StoreError;
use crate::store::{Store, from_sql, to_sql};

/// A native build that was not made by this farm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeTime {
    /// Source package.
    pub source: String,
    /// Architecture.
    pub target: String,
    /// Version of the source; any if it is not known.
    pub version: Option<String>,
    /// Time that passed.
    pub wall: Duration,
    /// CPU time, where it is known.
    pub cpu: Option<Duration>,
}

#[derive(FromRow)]
struct Raw {
    source: String,
    target: String,
    version: Option<String>,
    wall_ms: i64,
    cpu_ms: Option<i64>,
}

impl Store {
    /// All times of native builds elsewhere.
    pub async fn native_times(&self) -> Result<Vec<NativeTime>, StoreError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT source, target, version, wall_ms, cpu_ms FROM native_time ORDER BY source, target, version",
        )
        .fetch_all(&self.pool)
        .await?;
        let time = |ms: i64| Duration::from_millis(from_sql(ms));
        let row = |raw: Raw| NativeTime {
            source: raw.source,
            target: raw.target,
            version: raw.version,
            wall: time(raw.wall_ms),
            cpu: raw.cpu_ms.map(time),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Takes times in, all or none of them; what was known of the same versions is replaced. `origin` says where they are from.
    pub async fn learn_native_times(&self, times: &[NativeTime], origin: &str) -> Result<(), StoreError> {
        let millis = |time: Duration| to_sql(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let mut change = self.begin().await?;
        for time in times {
            sqlx::query("DELETE FROM native_time WHERE source = ? AND target = ? AND version IS ?")
                .bind(&time.source)
                .bind(&time.target)
                .bind(&time.version)
                .execute(&mut *change.transaction)
                .await?;
            sqlx::query(
                "INSERT INTO native_time (source, target, version, wall_ms, cpu_ms, origin) VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(&time.source)
            .bind(&time.target)
            .bind(&time.version)
            .bind(millis(time.wall))
            .bind(time.cpu.map(millis))
            .bind(origin)
            .execute(&mut *change.transaction)
            .await?;
        }
        change.commit().await
    }
}
