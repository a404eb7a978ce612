//! Builds: those that run, and all that ever ran.

use std::time::Duration;

use archmill_plan::Moment;
use archmill_plan::ladder::{Advice, Rung};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, QueryBuilder, Sqlite};

use crate::error::StoreError;
use crate::package::PackageId;
use crate::store::{Store, from_sql};

/// A build, by the number that its folder has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct BuildId(pub i64);

/// A build that starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBuild {
    /// Of which package.
    pub package: PackageId,
    /// The rebuild that it is part of.
    pub run: i64,
    /// Version of the source.
    pub version: String,
    /// Hash over what goes in.
    pub inputs: Option<String>,
    /// How it is run.
    pub rung: Rung,
    /// Where.
    pub machine: String,
    /// In how many slots.
    pub width: u32,
    /// When it starts.
    pub started: Moment,
    /// How long it is predicted to take.
    pub expected: Duration,
}

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndKind {
    /// It succeeded.
    Built,
    /// It failed.
    Failed,
    /// Its build dependencies cannot be installed.
    Unresolvable,
    /// It came to nothing for no fault of the package.
    Transient,
    /// It was ended as it was asked for.
    Cancelled,
    /// It was killed together with the machine or with what watched it, and left nothing.
    Lost,
}

/// The end of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildEnd {
    /// When.
    pub at: Moment,
    /// How.
    pub kind: EndKind,
    /// The class of a failure.
    pub class: Option<String>,
    /// One sentence.
    pub message: Option<String>,
    /// What the class says about modes.
    pub advice: Option<Advice>,
    /// Time that passed.
    pub wall: Option<Duration>,
    /// CPU time of all of it.
    pub cpu: Option<Duration>,
    /// CPU time of dpkg-buildpackage alone.
    pub build_cpu: Option<Duration>,
    /// Most memory at one time.
    pub peak_memory_bytes: Option<u64>,
    /// Whether it was accelerated but for its compiler, whose toolchain was not made yet: what it took tells nothing of others.
    pub compiler_emulated: bool,
}

/// A build as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRow {
    /// Its number.
    pub id: BuildId,
    /// What was known at its start.
    pub new: NewBuild,
    /// What is known since its end.
    pub end: Option<BuildEnd>,
}

impl EndKind {
    const ALL: [Self; 6] =
        [Self::Built, Self::Failed, Self::Unresolvable, Self::Transient, Self::Cancelled, Self::Lost];

    /// One word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Failed => "failed",
            Self::Unresolvable => "unresolvable",
            Self::Transient => "transient",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

#[derive(FromRow)]
struct Raw {
    id: BuildId,
    package: PackageId,
    run: i64,
    version: String,
    inputs: Option<String>,
    rung: String,
    machine: String,
    width: i64,
    started: i64,
    expected_ms: i64,
    ended: Option<i64>,
    result: Option<String>,
    class: Option<String>,
    message: Option<String>,
    advice: Option<String>,
    wall_ms: Option<i64>,
    cpu_ms: Option<i64>,
    build_cpu_ms: Option<i64>,
    peak_memory_bytes: Option<i64>,
    compiler_emulated: bool,
}

impl TryFrom<Raw> for BuildRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let unknown = |what, value: &str| StoreError::Unknown { what, value: value.to_owned() };
        let rung = raw.rung.parse().map_err(|_| unknown("the mode", &raw.rung))?;
        let kind = match raw.result.as_deref() {
            None => None,
            Some(name) => Some(
                EndKind::ALL
                    .into_iter()
                    .find(|kind| kind.name() == name)
                    .ok_or_else(|| unknown("the result", name))?,
            ),
        };
        let advice = match &raw.advice {
            None => None,
            Some(text) => Some(serde_json::from_str(text).map_err(|_| unknown("the advice", text))?),
        };
        let time = |ms: Option<i64>| ms.map(|ms| Duration::from_millis(from_sql(ms)));
        let end = kind.zip(raw.ended).map(|(kind, at)| BuildEnd {
            at: Moment(from_sql(at)),
            kind,
            class: raw.class,
            message: raw.message,
            advice,
            wall: time(raw.wall_ms),
            cpu: time(raw.cpu_ms),
            build_cpu: time(raw.build_cpu_ms),
            peak_memory_bytes: raw.peak_memory_bytes.map(from_sql),
            compiler_emulated: raw.compiler_emulated,
        });
        let new = NewBuild {
            package: raw.package,
            run: raw.run,
            version: raw.version,
            inputs: raw.inputs,
            rung,
            machine: raw.machine,
            width: u32::try_from(raw.width).unwrap_or(1),
            started: Moment(from_sql(raw.started)),
            expected: Duration::from_millis(from_sql(raw.expected_ms)),
        };
        Ok(Self { id: raw.id, new, end })
    }
}

impl Store {
    /// Builds without an end.
    pub async fn underway(&self) -> Result<Vec<BuildRow>, StoreError> {
        self.builds_where(|query| {
            query.push("ended IS NULL");
        })
        .await
    }

    /// All builds there ever were, in the order in which they were started.
    pub async fn all_builds(&self) -> Result<Vec<BuildRow>, StoreError> {
        self.builds_where(|query| {
            query.push("TRUE");
        })
        .await
    }

    /// All builds of a package, in the order in which they were started.
    pub async fn builds_of(&self, package: PackageId) -> Result<Vec<BuildRow>, StoreError> {
        self.builds_where(|query| {
            query.push("package = ").push_bind(package);
        })
        .await
    }

    /// Failed builds on which depends what is tried next.
    pub async fn climbs(&self) -> Result<Vec<BuildRow>, StoreError> {
        self.builds_where(|query| {
            query.push("result = 'failed' AND NOT settled");
        })
        .await
    }

    /// All builds that ended before a rebuild began.
    pub async fn history(&self, run: i64) -> Result<Vec<BuildRow>, StoreError> {
        self.builds_where(|query| {
            query.push("run < ").push_bind(run);
            query.push(" AND ended <= (SELECT started FROM run WHERE id = ").push_bind(run).push(")");
        })
        .await
    }

    async fn builds_where(
        &self,
        condition: impl FnOnce(&mut QueryBuilder<Sqlite>),
    ) -> Result<Vec<BuildRow>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM build WHERE ");
        condition(&mut query);
        query.push(" ORDER BY id");
        let rows: Vec<Raw> = query.build_query_as().fetch_all(&self.pool).await?;
        rows.into_iter().map(BuildRow::try_from).collect()
    }
}
