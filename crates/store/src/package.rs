//! Packages and their states.

use archmill_plan::Moment;
use archmill_plan::ladder::Worked;
use archmill_plan::scheduler::Code;
use sqlx::{FromRow, QueryBuilder, Sqlite};

use crate::error::StoreError;
use crate::store::{Store, from_sql};

/// A source package for one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct PackageId(pub i64);

/// What a plan says of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Source package.
    pub source: String,
    /// Architecture or `all`.
    pub target: String,
    /// Component of the farm.
    pub component: String,
    /// Version of the source.
    pub version: String,
    /// Hash over all that goes into it.
    pub inputs: Option<String>,
    /// Whether its tests are left out.
    pub nocheck: bool,
}

/// What is known of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageRow {
    /// Its number.
    pub id: PackageId,
    /// Suite that it is built for.
    pub suite: String,
    /// What the last plan says of it.
    pub planned: Planned,
    /// What went into the build that its state is about.
    pub settled_inputs: Option<String>,
    /// Its state.
    pub state: Code,
    /// Why, in words.
    pub reason: String,
    /// The class of a failure.
    pub class: Option<String>,
    /// Since when.
    pub since: Moment,
    /// How it was built last.
    pub worked: Option<Worked>,
    /// Why it is held, if it is.
    pub held: Option<String>,
    /// Whether somebody asked for it to go first.
    pub prioritised: bool,
}

#[derive(FromRow)]
struct Raw {
    id: PackageId,
    suite: String,
    source: String,
    target: String,
    component: String,
    version: String,
    inputs: Option<String>,
    settled_inputs: Option<String>,
    state: String,
    reason: String,
    class: Option<String>,
    since: i64,
    worked_rung: Option<String>,
    worked_version: Option<String>,
    held: Option<String>,
    prioritised: bool,
    nocheck: bool,
}

impl TryFrom<Raw> for PackageRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let state = Code::named(&raw.state)
            .ok_or_else(|| StoreError::Unknown { what: "the state", value: raw.state.clone() })?;
        let worked = match (raw.worked_rung, raw.worked_version) {
            (Some(rung), Some(version)) => {
                let rung = rung.parse().map_err(|_| StoreError::Unknown { what: "the mode", value: rung })?;
                Some(Worked { rung, version: version.into() })
            }
            _ => None,
        };
        Ok(Self {
            id: raw.id,
            suite: raw.suite,
            planned: Planned {
                source: raw.source,
                target: raw.target,
                component: raw.component,
                version: raw.version,
                inputs: raw.inputs,
                nocheck: raw.nocheck,
            },
            settled_inputs: raw.settled_inputs,
            state,
            reason: raw.reason,
            class: raw.class,
            since: Moment(from_sql(raw.since)),
            worked,
            held: raw.held,
            prioritised: raw.prioritised,
        })
    }
}

impl Store {
    /// The packages of the last plan, or of one source package; by component, name and target.
    pub async fn packages(&self, source: Option<&str>) -> Result<Vec<PackageRow>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM package WHERE planned");
        if let Some(source) = source {
            query.push(" AND source = ").push_bind(source);
        }
        query.push(" ORDER BY suite, component, source, target");
        let rows: Vec<Raw> = query.build_query_as().fetch_all(&self.pool).await?;
        rows.into_iter().map(PackageRow::try_from).collect()
    }
}
