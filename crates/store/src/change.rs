//! Everything that is written while a farm is driven: each change is one transaction.

use archmill_plan::Moment;
use archmill_plan::ladder::Worked;
use archmill_plan::scheduler::{Code, Event};
use sqlx::{Sqlite, Transaction};

use crate::build::{BuildEnd, BuildId, NewBuild};
use crate::error::StoreError;
use crate::package::{PackageId, Planned};
use crate::store::to_sql;

/// A transaction; nothing of it counts until [`commit`](Self::commit).
#[derive(Debug)]
pub struct Change<'s> {
    pub(crate) transaction: Transaction<'s, Sqlite>,
}

impl Change<'_> {
    /// Makes it count.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }

    /// Forgets which packages of a suite are planned; what is planned comes after.
    pub async fn plan_anew(&mut self, suite: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE package SET planned = suite <> ? WHERE planned")
            .bind(suite)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// A package of the plan. What is known of it stays, and what was tried with other inputs no longer counts.
    pub async fn plan(
        &mut self,
        suite: &str,
        planned: &Planned,
        now: Moment,
    ) -> Result<PackageId, StoreError> {
        let id: PackageId = sqlx::query_scalar(
            "INSERT INTO package (suite, source, target, component, version, inputs, nocheck, state, reason, since) \
             VALUES (?, ?, ?, ?, ?, ?, ?, 'blocked', 'it is being planned', ?) \
             ON CONFLICT (suite, source, target) DO UPDATE SET \
             component = excluded.component, version = excluded.version, inputs = excluded.inputs, \
             nocheck = excluded.nocheck, planned = 1 \
             RETURNING id",
        )
        .bind(suite)
        .bind(&planned.source)
        .bind(&planned.target)
        .bind(&planned.component)
        .bind(&planned.version)
        .bind(&planned.inputs)
        .bind(planned.nocheck)
        .bind(to_sql(now.0))
        .fetch_one(&mut *self.transaction)
        .await?;
        sqlx::query(
            "UPDATE build SET settled = 1 WHERE package = ? AND ended IS NOT NULL AND NOT settled AND inputs IS NOT ?",
        )
        .bind(id)
        .bind(&planned.inputs)
        .execute(&mut *self.transaction)
        .await?;
        Ok(id)
    }

    /// A package is in another state. If that is the end of a build, `settled` has what went into it.
    pub async fn moved(
        &mut self,
        package: PackageId,
        state: Code,
        reason: &str,
        class: Option<&str>,
        settled: Option<&str>,
        now: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE package SET state = ?, reason = ?, class = ?, settled_inputs = ?, since = ? WHERE id = ?",
        )
        .bind(state.name())
        .bind(reason)
        .bind(class)
        .bind(settled)
        .bind(to_sql(now.0))
        .bind(package)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    /// Nothing that was tried counts for what is tried next.
    pub async fn start_over(&mut self, package: PackageId) -> Result<(), StoreError> {
        sqlx::query("UPDATE build SET settled = 1 WHERE package = ? AND ended IS NOT NULL AND NOT settled")
            .bind(package)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// A rung on which a package was built.
    pub async fn worked(&mut self, package: PackageId, worked: &Worked) -> Result<(), StoreError> {
        sqlx::query("UPDATE package SET worked_rung = ?, worked_version = ? WHERE id = ?")
            .bind(worked.rung.to_string())
            .bind(&*worked.version)
            .bind(package)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Why a package is held; `None` ends that.
    pub async fn hold(&mut self, package: PackageId, why: Option<&str>) -> Result<(), StoreError> {
        sqlx::query("UPDATE package SET held = ? WHERE id = ?")
            .bind(why)
            .bind(package)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Whether a package goes first.
    pub async fn prioritise(&mut self, package: PackageId, first: bool) -> Result<(), StoreError> {
        sqlx::query("UPDATE package SET prioritised = ? WHERE id = ?")
            .bind(first)
            .bind(package)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// A build starts.
    pub async fn start(&mut self, build: &NewBuild) -> Result<BuildId, StoreError> {
        let result = sqlx::query(
            "INSERT INTO build (package, run, version, inputs, rung, machine, width, started, expected_ms) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(build.package)
        .bind(build.run)
        .bind(&build.version)
        .bind(&build.inputs)
        .bind(build.rung.to_string())
        .bind(&build.machine)
        .bind(i64::from(build.width))
        .bind(to_sql(build.started.0))
        .bind(millis(build.expected))
        .execute(&mut *self.transaction)
        .await?;
        Ok(BuildId(result.last_insert_rowid()))
    }

    /// A build ended.
    pub async fn end(&mut self, build: BuildId, end: &BuildEnd) -> Result<(), StoreError> {
        let advice = end.advice.and_then(|advice| serde_json::to_string(&advice).ok());
        sqlx::query(
            "UPDATE build SET ended = ?, result = ?, class = ?, message = ?, advice = ?, wall_ms = ?, cpu_ms = ?, \
             build_cpu_ms = ?, peak_memory_bytes = ?, compiler_emulated = ? WHERE id = ?",
        )
        .bind(to_sql(end.at.0))
        .bind(end.kind.name())
        .bind(&end.class)
        .bind(&end.message)
        .bind(advice)
        .bind(end.wall.map(millis))
        .bind(end.cpu.map(millis))
        .bind(end.build_cpu.map(millis))
        .bind(end.peak_memory_bytes.map(to_sql))
        .bind(end.compiler_emulated)
        .bind(build)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    /// The scheduler is told something.
    pub async fn event(&mut self, run: i64, now: Moment, event: &Event) -> Result<(), StoreError> {
        let text = serde_json::to_string(event).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query("INSERT INTO event (run, moment, event) VALUES (?, ?, ?)")
            .bind(run)
            .bind(to_sql(now.0))
            .bind(text)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// A request was taken.
    pub async fn taken(&mut self, request: i64, now: Moment) -> Result<(), StoreError> {
        sqlx::query("UPDATE request SET done = ? WHERE id = ?")
            .bind(to_sql(now.0))
            .bind(request)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }
}

fn millis(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
