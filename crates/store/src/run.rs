//! Rebuilds, from the start to the end of each.

use archmill_plan::scheduler::Known;
use archmill_plan::{JobId, Moment};
use sqlx::FromRow;

use crate::error::StoreError;
use crate::native::NativeTime;
use crate::store::{Store, from_sql, to_sql};

/// A rebuild that begins.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'r> {
    /// What is rebuilt.
    pub suite: &'r str,
    /// What is known of jobs before anything happens.
    pub known: &'r [(JobId, Known)],
    /// What native builds took elsewhere.
    pub native: &'r [NativeTime],
    /// Processors of the host.
    pub processors: u32,
    /// Builds that it has room for.
    pub slots: u32,
    /// Suites that are rebuilt after it.
    pub later: &'r [String],
}

/// A rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its number.
    pub id: i64,
    /// What was rebuilt.
    pub suite: String,
    /// When it began.
    pub started: Moment,
    /// When it ended; `None` if it still runs, or was killed.
    pub ended: Option<Moment>,
    /// Processors of the host.
    pub processors: Option<u32>,
    /// Builds that it had room for.
    pub slots: Option<u32>,
    /// When it was last predicted to end.
    pub forecast: Option<RunForecast>,
    /// Suites that are rebuilt after it, by the same command.
    pub later: Vec<String>,
}

/// When a rebuild is predicted to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunForecast {
    /// As of when.
    pub at: Moment,
    /// The end.
    pub end: Moment,
    /// The earliest and the latest, four times out of five.
    pub bounds: Option<(Moment, Moment)>,
}

#[derive(FromRow)]
struct Raw {
    id: i64,
    suite: String,
    started: i64,
    ended: Option<i64>,
    processors: Option<u32>,
    slots: Option<u32>,
    later: String,
    forecast_at: Option<i64>,
    expected_end: Option<i64>,
    earliest_end: Option<i64>,
    latest_end: Option<i64>,
}

impl Raw {
    fn forecast(&self) -> Option<RunForecast> {
        let moment = |value: i64| Moment(from_sql(value));
        let bounds = self.earliest_end.zip(self.latest_end);
        Some(RunForecast {
            at: moment(self.forecast_at?),
            end: moment(self.expected_end?),
            bounds: bounds.map(|(earliest, latest)| (moment(earliest), moment(latest))),
        })
    }
}

impl Store {
    /// Notes that a rebuild begins, and what it knows of jobs then. Builds that ended by then are its history.
    pub async fn begin_run(&self, run: &NewRun<'_>, now: Moment) -> Result<i64, StoreError> {
        let encode = |error: serde_json::Error| sqlx::Error::Encode(error.into());
        let result = sqlx::query(
            "INSERT INTO run (suite, known, native, processors, slots, later, started) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(run.suite)
        .bind(serde_json::to_string(run.known).map_err(encode)?)
        .bind(serde_json::to_string(run.native).map_err(encode)?)
        .bind(run.processors)
        .bind(run.slots)
        .bind(run.later.join(" "))
        .bind(to_sql(now.0))
        .execute(&self.pool)
        .await?;
        Ok(result.last_insert_rowid())
    }

    /// All rebuilds, in the order in which they began.
    pub async fn all_runs(&self) -> Result<Vec<RunRow>, StoreError> {
        let rows: Vec<Raw> =
            sqlx::query_as(
                "SELECT id, suite, started, ended, processors, slots, later, forecast_at, expected_end, earliest_end, latest_end \
                 FROM run ORDER BY id",
            )
                .fetch_all(&self.pool)
                .await?;
        let row = |raw: Raw| RunRow {
            forecast: raw.forecast(),
            id: raw.id,
            suite: raw.suite,
            started: Moment(from_sql(raw.started)),
            ended: raw.ended.map(|ended| Moment(from_sql(ended))),
            processors: raw.processors,
            slots: raw.slots,
            later: raw.later.split(' ').filter(|suite| !suite.is_empty()).map(str::to_owned).collect(),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// The number of the last rebuild that began.
    pub async fn last_run(&self) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar("SELECT max(id) FROM run").fetch_one(&self.pool).await?)
    }

    /// What a rebuild knew of jobs when it began.
    pub async fn known_in(&self, run: i64) -> Result<Vec<(JobId, Known)>, StoreError> {
        let text: String =
            sqlx::query_scalar("SELECT known FROM run WHERE id = ?").bind(run).fetch_one(&self.pool).await?;
        serde_json::from_str(&text)
            .map_err(|_| StoreError::Unknown { what: "what a rebuild knew", value: text })
    }

    /// What native builds elsewhere were known to take when a rebuild began.
    pub async fn native_times_in(&self, run: i64) -> Result<Vec<NativeTime>, StoreError> {
        let text: String =
            sqlx::query_scalar("SELECT native FROM run WHERE id = ?").bind(run).fetch_one(&self.pool).await?;
        serde_json::from_str(&text)
            .map_err(|_| StoreError::Unknown { what: "times of native builds", value: text })
    }

    /// Notes when a rebuild is predicted to end.
    pub async fn foretell(&self, run: i64, forecast: &RunForecast) -> Result<(), StoreError> {
        let (earliest, latest) = forecast.bounds.unzip();
        sqlx::query(
            "UPDATE run SET forecast_at = ?, expected_end = ?, earliest_end = ?, latest_end = ? WHERE id = ?",
        )
        .bind(to_sql(forecast.at.0))
        .bind(to_sql(forecast.end.0))
        .bind(earliest.map(|moment| to_sql(moment.0)))
        .bind(latest.map(|moment| to_sql(moment.0)))
        .bind(run)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that it ended.
    pub async fn end_run(&self, run: i64, now: Moment) -> Result<(), StoreError> {
        sqlx::query("UPDATE run SET ended = ? WHERE id = ?")
            .bind(to_sql(now.0))
            .bind(run)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
