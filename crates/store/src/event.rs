//! What the scheduler was told.

use archmill_plan::Moment;
use archmill_plan::scheduler::Event;

use crate::error::StoreError;
use crate::store::{Store, from_sql};

impl Store {
    /// The events of a run, in their order.
    pub async fn events(&self, run: i64) -> Result<Vec<(Moment, Event)>, StoreError> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT moment, event FROM event WHERE run = ? ORDER BY id")
                .bind(run)
                .fetch_all(&self.pool)
                .await?;
        let read = |(moment, text): (i64, String)| {
            let event = serde_json::from_str(&text)
                .map_err(|_| StoreError::Unknown { what: "the event", value: text })?;
            Ok((Moment(from_sql(moment)), event))
        };
        rows.into_iter().map(read).collect()
    }
}
