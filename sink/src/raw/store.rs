//! Stores the chunks of one range. Before a replay, ClickHouse is asked whether the chunk went through in the earlier life: one insert is
//! atomic, so a single row of it means all of it. The token then only guards against one still under way. The same is asked before a
//! try long after the last one. A chunk that ClickHouse refuses is stored in halves until its bad rows stand alone.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::check_table::TableError;
use crate::client::{self, Class};
use crate::error::SinkError;
use crate::insert::{FIRST_PAUSE, Insert, Inserter, Outcome};

/// Pause before a question is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// Rows of a range that are refused one by one; with more of them, it is not the rows.
const MOST_REFUSED: usize = 1_000;
/// Rows of a range were inserted after its first record was appended, up to clocks that differ.
const CLOCKS_DIFFER_MS: i64 = 300_000;

/// The rows of one range and month, and how to find out whether they are stored already.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// The insert.
    pub(crate) insert: Insert,
    /// Topic.
    pub(crate) topic: String,
    /// Partition.
    pub(crate) partition: i32,
    /// First and last offset of the range.
    pub(crate) offsets: (i64, i64),
    /// Append time of its first record.
    pub(crate) appended_at: i64,
    /// Month.
    pub(crate) month: u32,
    /// Ids of some of its rows.
    pub(crate) some_ids: Vec<String>,
}

/// What is known of a range before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// It may be stored from an earlier life.
    pub(crate) is_replay: bool,
    /// A chunk of it was refused: only halves are stored.
    pub(crate) is_split: bool,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// All is stored but these rows, by offset and ClickHouse's words.
    Stored(Vec<(i64, String)>),
    /// A chunk was refused, and its table is as it should be: a row is to blame.
    Refused,
}

/// Stores all chunks of a range, one after the other.
pub(crate) async fn store(
    inserter: Inserter,
    chunks: Arc<Vec<Chunk>>,
    before: Before,
) -> Result<Ended, SinkError> {
    let mut refused = Vec::new();
    for chunk in chunks.iter() {
        if before.is_split {
            halves(&inserter, chunk, &mut refused).await?;
        } else if !whole(&inserter, chunk, before.is_replay).await? {
            return Ok(Ended::Refused);
        }
    }
    Ok(Ended::Stored(refused))
}

/// Stores a chunk as one insert; false when a row of it is to blame that it cannot be.
async fn whole(inserter: &Inserter, chunk: &Chunk, is_replay: bool) -> Result<bool, SinkError> {
    if is_replay && is_stored(inserter, chunk).await? {
        return Ok(true);
    }
    let mut pause = FIRST_PAUSE;
    loop {
        let outcome = inserter.run_while_fresh(&chunk.insert, &mut pause).await?;
        if outcome == Outcome::Stored || is_stored(inserter, chunk).await? {
            return Ok(true);
        }
        if let Outcome::Refused(message) = outcome
            && table_fits(inserter, chunk).await?
        {
            tracing::warn!(table = chunk.insert.table, message, "rows are refused, looking for the bad ones");
            return Ok(false);
        }
    }
}

/// Whether the table is the one that is written, so that a row is to blame; waits for a person where it is not.
async fn table_fits(inserter: &Inserter, chunk: &Chunk) -> Result<bool, SinkError> {
    match inserter.fits(&chunk.insert).await {
        Ok(()) => Ok(true),
        Err(TableError::Query { source, .. }) if client::classify(&source) == Class::Retry => {
            tokio::time::sleep(PAUSE).await;
            Ok(false)
        }
        Err(error) => inserter.blocked(chunk.insert.table, &error.to_string()).await.map(|()| false),
    }
}

/// Stores a chunk in ever smaller halves. What is stored is counted first each time, so that going on after a crash stores nothing twice.
async fn halves(
    inserter: &Inserter,
    chunk: &Chunk,
    refused: &mut Vec<(i64, String)>,
) -> Result<(), SinkError> {
    let Some(rows) = chunk.insert.block() else { return Ok(()) };
    let offsets = rows.numbers("_offset");
    let token = chunk.insert.token.as_deref().unwrap_or_default();
    let mut pause = FIRST_PAUSE;
    let mut pending = vec![(0, rows.rows(), true)];
    while let Some((start, end, is_whole)) = pending.pop() {
        let count = end - start;
        let stored = count_stored(inserter, chunk, (offsets[start], offsets[end - 1])).await?;
        if stored == count {
            continue;
        }
        let middle = start.midpoint(end);
        if count > 1 && (is_whole || stored > 0) {
            pending.extend([(middle, end, false), (start, middle, false)]);
            continue;
        }
        let part = rows.part(start, end);
        let part = Insert::of_block(chunk.insert.table, part, format!("{token}:{start}-{end}"));
        match inserter.run_while_fresh(&part, &mut pause).await? {
            Outcome::Stored => {}
            Outcome::Unsure => pending.push((start, end, false)),
            Outcome::Refused(_) if !table_fits(inserter, chunk).await? => pending.push((start, end, false)),
            Outcome::Refused(_) if count > 1 => {
                pending.extend([(middle, end, false), (start, middle, false)]);
            }
            Outcome::Refused(message) if refused.len() >= MOST_REFUSED => {
                let message = format!("more than {MOST_REFUSED} rows of a range are refused: {message}");
                inserter.blocked(chunk.insert.table, &message).await?;
                pending.push((start, end, false));
            }
            Outcome::Refused(message) => refused.push((offsets[start], message)),
        }
    }
    Ok(())
}

/// Whether a chunk went through. Its ids tell its rows from those of a topic of the same name that is no more.
async fn is_stored(inserter: &Inserter, chunk: &Chunk) -> Result<bool, SinkError> {
    let mut ids = String::new();
    for id in &chunk.some_ids {
        let separator = if ids.is_empty() { "" } else { ", " };
        write!(ids, "{separator}'{}'", escaped(id)).expect("text can always grow");
    }
    let question = format!("{} AND id IN ({ids})", chunk.question(inserter, chunk.offsets));
    Ok(number(inserter, chunk, &question).await? > 0)
}

async fn count_stored(inserter: &Inserter, chunk: &Chunk, offsets: (i64, i64)) -> Result<usize, SinkError> {
    let question = format!(
        "{} AND _inserted_at >= fromUnixTimestamp64Milli({})",
        chunk.question(inserter, offsets),
        (chunk.appended_at - CLOCKS_DIFFER_MS).max(0)
    );
    number(inserter, chunk, &question).await
}

impl Chunk {
    fn question(&self, inserter: &Inserter, (min, max): (i64, i64)) -> String {
        format!(
            "SELECT count() FROM {}.{} WHERE _topic = '{}' AND _partition = {} AND _offset BETWEEN {min} AND {max} \
             AND toYYYYMM(time) = {}",
            inserter.database(),
            self.insert.table,
            escaped(&self.topic),
            self.partition,
            self.month
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

async fn number(inserter: &Inserter, chunk: &Chunk, question: &str) -> Result<usize, SinkError> {
    loop {
        let error = match client::ask(inserter.client(), question).await {
            Ok(rows) => return Ok(rows.first().and_then(|row| row.first()?.parse().ok()).unwrap_or(0)),
            Err(error) => error,
        };
        if client::classify(&error) == Class::Retry {
            tracing::warn!(table = chunk.insert.table, %error, "stored rows cannot be counted, trying again");
            tokio::time::sleep(PAUSE).await;
        } else {
            inserter.blocked(chunk.insert.table, &client::told(&error)).await?;
        }
    }
}
