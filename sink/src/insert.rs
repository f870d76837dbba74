//! One insert: identical bytes until ClickHouse has them. Rows are encoded once, results as an Arrow stream of a single record batch, raw
//! events as a block of ClickHouse's own format, so that it makes one block of them, and the token tells a repetition from new rows. What only a person can mend (the table was
//! altered, the user may not write any more) is said in log, metric and readiness, and waited for: nothing is lost meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};
use bytes::{Bytes, BytesMut};
use clickhouse::Client;
use touchstream_runtime::admin::Readiness;

use crate::check_table::{self, TableError};
use crate::client::{Class, classify, told};
use crate::error::SinkError;
use crate::metrics::Metrics;
use crate::raw::native::Block;

/// Pause after the first try that failed; the next is twice as long.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Pause between two tries while a person is waited for.
const BLOCKED: Duration = Duration::from_secs(2);
/// What is not ready while a person is waited for.
const PART: &str = "clickhouse";
/// After this long (a stopped process, a machine that slept) ClickHouse may have forgotten the token of a try that went through.
const TOKEN_TRUST: Duration = Duration::from_secs(60);
/// Bytes handed to the connection at once.
const PIECE: usize = 256 * 1024;
/// One INSERT is one block: minima that are never reached, and maxima no batch exceeds.
const SETTINGS: &[(&str, &str)] = &[
    ("async_insert", "0"),
    ("max_insert_threads", "1"),
    ("max_insert_block_size", "10000000"),
    ("min_insert_block_size_rows", "10000000"),
    ("min_insert_block_size_bytes", "10000000000"),
    ("input_format_parallel_parsing", "0"),
    ("input_format_skip_unknown_fields", "0"),
    ("input_format_arrow_allow_missing_columns", "0"),
    ("deduplicate_blocks_in_dependent_materialized_views", "1"),
    // Results of an import or a replay span more months than the 100 that are taken by default. Raw rows are inserted month by month anyway.
    ("max_partitions_per_insert_block", "0"),
];

/// Rows of one table, encoded.
#[derive(Clone, Debug)]
pub(crate) struct Insert {
    /// Name without the database.
    pub(crate) table: &'static str,
    /// Its rows.
    body: Body,
    /// Number of rows.
    pub(crate) rows: usize,
    /// Deduplication token; `None` where the table itself makes repetitions harmless.
    pub(crate) token: Option<String>,
}

/// Encoded rows.
#[derive(Clone, Debug)]
enum Body {
    /// An Arrow stream of these columns.
    Arrow(SchemaRef, Bytes),
    /// What `FORMAT Native` takes; a clone shares it.
    Native(Arc<Block>),
}

impl Insert {
    /// Encodes a batch, for a table that makes repetitions harmless.
    pub(crate) fn new(table: &'static str, batch: &RecordBatch) -> Result<Insert, SinkError> {
        let body = stream(batch).map_err(|source| SinkError::Arrow { table: table.to_owned(), source })?;
        Ok(Insert { table, body: Body::Arrow(batch.schema(), body), rows: batch.num_rows(), token: None })
    }

    /// Rows that are encoded already, with the token of this insert.
    pub(crate) fn of_block(table: &'static str, block: Block, token: String) -> Insert {
        Insert { table, rows: block.rows(), body: Body::Native(Arc::new(block)), token: Some(token) }
    }

    /// Bytes of its body.
    pub(crate) fn bytes(&self) -> usize {
        match &self.body {
            Body::Arrow(_, bytes) => bytes.len(),
            Body::Native(block) => block.bytes(),
        }
    }

    /// The rows, where parts of them can be inserted.
    pub(crate) fn block(&self) -> Option<&Block> {
        match &self.body {
            Body::Arrow(..) => None,
            Body::Native(block) => Some(block),
        }
    }

    fn schema(&self) -> &SchemaRef {
        match &self.body {
            Body::Arrow(schema, _) => schema,
            Body::Native(block) => block.schema(),
        }
    }
}

fn stream(batch: &RecordBatch) -> Result<Bytes, ArrowError> {
    let room = batch.get_array_memory_size() / 2;
    let mut writer = StreamWriter::try_new(Vec::with_capacity(room), &batch.schema())?;
    writer.write(batch)?;
    let mut body = writer.into_inner()?;
    body.shrink_to_fit();
    Ok(Bytes::from(body))
}

/// How tries to insert ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// ClickHouse has the rows.
    Stored,
    /// The last try was long ago and may have gone through: look for its rows before the next one.
    Unsure,
    /// ClickHouse refuses a value; nothing of this try is stored. Why.
    Refused(String),
}

/// Inserts rows; cheap to clone.
#[derive(Clone)]
pub(crate) struct Inserter {
    client: Client,
    database: String,
    /// What the tables' names begin with: nothing, or that of a replay's own tables.
    prefix: &'static str,
    deadline: Duration,
    token_trust: Duration,
    metrics: Metrics,
    /// Where it is said that a person is waited for; `None`: an error instead.
    waits: Option<Readiness>,
}

impl Inserter {
    /// Inserts into `database`; a try that takes longer than `deadline` counts as failed.
    pub(crate) fn new(client: Client, database: &str, deadline: Duration, metrics: Metrics) -> Inserter {
        let database = database.to_owned();
        Inserter { client, database, prefix: "", deadline, token_trust: TOKEN_TRUST, metrics, waits: None }
    }

    /// The same, waiting for a person instead of giving up.
    pub(crate) fn waiting(self, readiness: Readiness) -> Inserter {
        Inserter { waits: Some(readiness), ..self }
    }

    /// The same, into tables whose names begin with `prefix`.
    pub(crate) fn with_prefix(self, prefix: &'static str) -> Inserter {
        Inserter { prefix, ..self }
    }

    /// The client, for questions.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The database that the tables stand in.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Repeats the insert until it succeeds, whatever a repetition does: for tables that make it harmless.
    pub(crate) async fn run(&self, insert: &Insert) -> Result<(), SinkError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.run_while_fresh(insert, &mut pause).await? {
                Outcome::Stored => return Ok(()),
                Outcome::Unsure => {}
                Outcome::Refused(message) => self.blocked(insert.table, &message).await?,
            }
        }
    }

    /// Repeats the insert until it succeeds or is refused, or until the last try is so long ago that its token may be forgotten.
    pub(crate) async fn run_while_fresh(
        &self,
        insert: &Insert,
        pause: &mut Duration,
    ) -> Result<Outcome, SinkError> {
        let started = Instant::now();
        let now = || (Instant::now(), SystemTime::now());
        let mut tried = now();
        loop {
            // ClickHouse stores NULL where a text does not fit a nullable column of another type, so nobody else would notice.
            let error = match self.fits(insert).await {
                Ok(()) if since(tried) >= self.token_trust => return Ok(Outcome::Unsure),
                Ok(()) => {
                    tried = now();
                    let Err(error) = self.attempt(insert).await else { break };
                    error
                }
                Err(TableError::Query { source, .. }) => source,
                Err(error) => {
                    self.blocked(insert.table, &error.to_string()).await?;
                    continue;
                }
            };
            match classify(&error) {
                Class::Refused => return Ok(Outcome::Refused(error.to_string())),
                Class::Stop => self.blocked(insert.table, &told(&error)).await?,
                Class::Retry => {
                    self.metrics.insert_retries.inc();
                    tracing::warn!(table = insert.table, rows = insert.rows, %error, "insert failed, trying again");
                    tokio::time::sleep(jittered(*pause)).await;
                    *pause = (*pause * 2).min(LONGEST_PAUSE);
                }
            }
            // The table may forget tokens sooner than it should: whoever can look for the rows does so before each further try.
            if insert.token.is_some() || since(tried) >= self.token_trust {
                return Ok(Outcome::Unsure);
            }
        }
        self.free(insert.table);
        self.metrics.insert_seconds.observe(started.elapsed().as_secs_f64());
        self.metrics.rows.with_label_values(&[insert.table]).inc_by(insert.rows as u64);
        Ok(Outcome::Stored)
    }

    /// Whether the table is the one that is written.
    pub(crate) async fn fits(&self, insert: &Insert) -> Result<(), TableError> {
        let table = format!("{}{}", self.prefix, insert.table);
        check_table::check(&self.client, &self.database, &table, insert.schema()).await
    }

    /// Says that a person is needed for a table, and waits a moment.
    pub(crate) async fn blocked(&self, table: &str, message: &str) -> Result<(), SinkError> {
        let error = SinkError::Insert { table: table.to_owned(), message: message.to_owned() };
        let Some(readiness) = &self.waits else { return Err(error) };
        tracing::error!(table, %error, "waiting until this is mended; Kafka keeps what comes");
        readiness.not_ready(PART, error.to_string());
        self.metrics.blocked.with_label_values(&[table]).set(1);
        tokio::time::sleep(BLOCKED).await;
        Ok(())
    }

    /// Takes back that a person is needed for a table.
    fn free(&self, table: &str) {
        let Some(readiness) = &self.waits else { return };
        let blocked = self.metrics.blocked.with_label_values(&[table]);
        if blocked.get() != 0 {
            blocked.set(0);
            tracing::info!(table, "mended, going on");
            readiness.ready(PART);
        }
    }

    async fn attempt(&self, insert: &Insert) -> Result<(), clickhouse::error::Error> {
        let Insert { table, body, token, .. } = insert;
        let columns: Vec<String> =
            insert.schema().fields().iter().map(|field| format!("`{}`", field.name())).collect();
        let sql = format!(
            "INSERT INTO {}.{}{table} ({}) FORMAT {}",
            self.database,
            self.prefix,
            columns.join(", "),
            if let Body::Arrow(..) = body { "ArrowStream" } else { "Native" }
        );
        let mut request =
            self.client.insert_formatted_with(sql).with_timeouts(Some(self.deadline), Some(self.deadline));
        for (name, value) in SETTINGS {
            request = request.with_setting(*name, *value);
        }
        request = match token {
            Some(token) => request
                .with_setting("insert_deduplicate", "1")
                .with_setting("insert_deduplication_token", token),
            None => request.with_setting("insert_deduplicate", "0"),
        };
        match body {
            Body::Arrow(_, bytes) => {
                for start in (0..bytes.len()).step_by(PIECE) {
                    request.send(bytes.slice(start..bytes.len().min(start + PIECE))).await?;
                }
            }
            Body::Native(block) => {
                let mut piece = BytesMut::with_capacity(PIECE);
                for mut run in block.written().iter().map(|run| &run[..]) {
                    while !run.is_empty() {
                        let (now, later) = run.split_at(run.len().min(PIECE - piece.len()));
                        piece.extend_from_slice(now);
                        run = later;
                        if piece.len() == PIECE {
                            request.send(piece.split().freeze()).await?;
                            piece.reserve(PIECE);
                        }
                    }
                }
                request.send(piece.freeze()).await?;
            }
        }
        request.end().await
    }
}

/// Time passed by the clock that passed more: one of them may stand still while a machine sleeps.
fn since((monotonic, wall): (Instant, SystemTime)) -> Duration {
    monotonic.elapsed().max(wall.elapsed().unwrap_or_default())
}

/// A pause between half of and the whole given one, so that many sinks do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let nanoseconds =
        SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    pause.mul_f64(0.5 + f64::from(nanoseconds % 1_000) / 2_000.0)
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int64Array};

    use super::*;

    #[tokio::test]
    async fn a_try_long_ago_is_looked_for_before_it_is_repeated() {
        // Nobody listens at port 0: every try fails and may be repeated.
        let client = Client::default().with_url("http://127.0.0.1:0");
        let metrics = Metrics::new(&prometheus::Registry::new()).expect("an empty registry");
        let mut inserter = Inserter::new(client, "cx", Duration::from_secs(1), metrics.clone());
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let batch = RecordBatch::try_from_iter([("a", column)]).expect("one column");
        let mut block = Block::new(batch.schema()).expect("one column");
        block.append(&batch);
        let insert = Insert::of_block("events_app", block, "token".to_owned());
        let mut pause = FIRST_PAUSE;
        let unsure = inserter.run_while_fresh(&insert, &mut pause).await;
        assert!(
            matches!(unsure, Ok(Outcome::Unsure)),
            "its rows are looked for before the next try: {unsure:?}"
        );
        assert_eq!(pause, FIRST_PAUSE * 2);
        let insert = Insert::new("events_app", &batch).expect("a batch");
        let soon =
            tokio::time::timeout(Duration::from_millis(500), inserter.run_while_fresh(&insert, &mut pause))
                .await;
        assert!(soon.is_err(), "a repetition is harmless: {soon:?}");
        assert!(metrics.insert_retries.get() >= 2);
        inserter.token_trust = Duration::ZERO;
        let late =
            tokio::time::timeout(Duration::from_secs(10), inserter.run_while_fresh(&insert, &mut pause))
                .await;
        assert!(matches!(late, Ok(Ok(Outcome::Unsure))), "{late:?}");
    }
}
