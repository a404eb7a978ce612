//! What people ask for.

use archmill_plan::Moment;
use sqlx::FromRow;

use crate::error::StoreError;
use crate::store::{Store, from_sql, to_sql};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// Try again what failed.
    GiveBack,
    /// Start no build of it.
    Hold,
    /// The end of a hold.
    Release,
    /// It and what it waits for go first.
    Prioritise,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Its number.
    pub id: i64,
    /// What is asked for.
    pub kind: RequestKind,
    /// Source package.
    pub source: String,
    /// For this target, or for all of them.
    pub target: Option<String>,
    /// Why.
    pub why: String,
    /// When it was asked.
    pub asked: Moment,
}

impl RequestKind {
    const ALL: [Self; 4] = [Self::GiveBack, Self::Hold, Self::Release, Self::Prioritise];

    /// As the command is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GiveBack => "give-back",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Prioritise => "prioritise",
        }
    }
}

#[derive(FromRow)]
struct Raw {
    id: i64,
    kind: String,
    source: String,
    target: Option<String>,
    why: String,
    asked: i64,
}

impl Store {
    /// Leaves a request for the rebuild that runs, or the next one.
    pub async fn ask(
        &self,
        kind: RequestKind,
        source: &str,
        target: Option<&str>,
        why: &str,
        now: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO request (kind, source, target, why, asked) VALUES (?, ?, ?, ?, ?)")
            .bind(kind.name())
            .bind(source)
            .bind(target)
            .bind(why)
            .bind(to_sql(now.0))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Requests that nobody has taken yet, in their order.
    pub async fn requests(&self) -> Result<Vec<RequestRow>, StoreError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT id, kind, source, target, why, asked FROM request WHERE done IS NULL ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?;
        let read = |raw: Raw| {
            let kind = RequestKind::ALL.into_iter().find(|kind| kind.name() == raw.kind);
            let kind = kind.ok_or(StoreError::Unknown { what: "the request", value: raw.kind })?;
            let asked = Moment(from_sql(raw.asked));
            Ok(RequestRow { id: raw.id, kind, source: raw.source, target: raw.target, why: raw.why, asked })
        };
        rows.into_iter().map(read).collect()
    }
}
