//! Runs the inserts of one round side by side. Before a replay, ClickHouse is asked whether the insert went through in the earlier
//! life: one insert is atomic, so a single row of it means all of it. The token then only guards against one still under way. The
//! same is asked before a try long after the last one.

use std::time::Duration;

use tokio::task::JoinSet;

use super::range::Place;
use crate::client;
use crate::error::SinkError;
use crate::insert::{Insert, Inserter, Outcome};
use crate::ledger::Intent;
use crate::parts::Parts;

/// An insert and how to find out whether it is stored already.
pub(crate) struct Planned {
    /// The insert.
    pub(crate) insert: Insert,
    /// Counts its rows that are stored.
    pub(crate) question: String,
    /// Whether it may be stored from an earlier life.
    pub(crate) is_replay: bool,
}

/// What happened.
pub(crate) enum Step {
    /// One insert ended.
    Stored(Result<(), SinkError>),
    /// All ended.
    Done,
    /// Nothing within the given time.
    Waiting,
}

/// Counts the rows of a range and month that are stored.
pub(crate) fn stored_question(inserter: &Inserter, place: Place<'_>, month: u32) -> String {
    let Place { topic, partition, table, intent } = place;
    let Intent { min, max, .. } = intent;
    let topic = topic.replace('\\', "\\\\").replace('\'', "\\'");
    format!(
        "SELECT count() FROM {}.{table} WHERE _topic = '{topic}' AND _partition = {partition} \
         AND _offset BETWEEN {min} AND {max} AND toYYYYMM(time) = {month}",
        inserter.database()
    )
}

/// Starts the inserts.
pub(crate) fn start(parts: &Parts, inserts: Vec<Planned>) -> JoinSet<Result<(), SinkError>> {
    let mut running = JoinSet::new();
    for Planned { insert, question, is_replay } in inserts {
        let inserter = parts.inserter.clone();
        let work = async move {
            if is_replay && is_stored(&inserter, &insert, &question).await? {
                return Ok(());
            }
            while inserter.run_while_fresh(&insert).await? == Outcome::Unsure {
                if is_stored(&inserter, &insert, &question).await? {
                    break;
                }
            }
            Ok(())
        };
        running.spawn_on(work, &parts.runtime);
    }
    running
}

/// Waits for the next insert to end, for at most `wait`.
pub(crate) async fn next(running: &mut JoinSet<Result<(), SinkError>>, wait: Duration) -> Step {
    match tokio::time::timeout(wait, running.join_next()).await {
        Ok(Some(Ok(result))) => Step::Stored(result),
        Ok(Some(Err(_))) => Step::Stored(Err(SinkError::Thread("insert"))),
        Ok(None) => Step::Done,
        Err(_) => Step::Waiting,
    }
}

async fn is_stored(inserter: &Inserter, insert: &Insert, question: &str) -> Result<bool, SinkError> {
    loop {
        let error = match client::ask(inserter.client(), question).await {
            Ok(rows) => {
                let stored: u64 = rows.first().and_then(|row| row.first()?.parse().ok()).unwrap_or(0);
                if stored > 0 && stored != insert.rows as u64 {
                    // Retention or erasure may have taken rows since.
                    tracing::warn!(
                        table = insert.table,
                        stored,
                        expected = insert.rows,
                        "a range is stored in part"
                    );
                }
                return Ok(stored > 0);
            }
            Err(error) => error,
        };
        if client::classify(&error) == client::Class::Stop {
            return Err(SinkError::Insert { table: insert.table.to_owned(), message: error.to_string() });
        }
        tracing::warn!(table = insert.table, %error, "stored rows cannot be counted, trying again");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
