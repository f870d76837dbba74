//! One insert: identical bytes until ClickHouse has them. A batch is encoded once as an Arrow stream of a single record batch,
//! so that ClickHouse makes one block of it, and the token tells a repetition from new rows.

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use bytes::Bytes;
use clickhouse::Client;

use crate::client::{Class, classify};
use crate::error::SinkError;
use crate::metrics::Metrics;

/// First and longest pause between two tries.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
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
];

/// Rows of one table, encoded.
#[derive(Clone, Debug)]
pub(crate) struct Insert {
    /// Name without the database.
    pub(crate) table: &'static str,
    /// Column list of the statement.
    columns: String,
    /// Arrow stream.
    body: Bytes,
    /// Number of rows.
    pub(crate) rows: usize,
    /// Deduplication token; `None` where the table itself makes repetitions harmless.
    pub(crate) token: Option<String>,
}

impl Insert {
    /// Encodes a batch.
    pub(crate) fn new(
        table: &'static str,
        batch: &RecordBatch,
        token: Option<String>,
    ) -> Result<Insert, SinkError> {
        let body = stream(batch).map_err(|source| SinkError::Arrow { table: table.to_owned(), source })?;
        let names: Vec<String> =
            batch.schema().fields().iter().map(|field| format!("`{}`", field.name())).collect();
        Ok(Insert { table, columns: names.join(", "), body, rows: batch.num_rows(), token })
    }
}

fn stream(batch: &RecordBatch) -> Result<Bytes, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    Ok(Bytes::from(writer.into_inner()?))
}

/// Inserts rows; cheap to clone.
#[derive(Clone)]
pub(crate) struct Inserter {
    client: Client,
    database: String,
    deadline: Duration,
    metrics: Metrics,
}

impl Inserter {
    /// Inserts into `database`; a try that takes longer than `deadline` counts as failed.
    pub(crate) fn new(client: Client, database: &str, deadline: Duration, metrics: Metrics) -> Inserter {
        Inserter { client, database: database.to_owned(), deadline, metrics }
    }

    /// The client, for questions.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The database that the tables stand in.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Repeats the insert until it succeeds.
    pub(crate) async fn run(&self, insert: &Insert) -> Result<(), SinkError> {
        let started = Instant::now();
        let mut pause = BACKOFF.0;
        loop {
            let Err(error) = self.attempt(insert).await else { break };
            if classify(&error) == Class::Stop {
                return Err(SinkError::Insert { table: insert.table.to_owned(), message: error.to_string() });
            }
            self.metrics.insert_retries.inc();
            tracing::warn!(table = insert.table, rows = insert.rows, %error, "insert failed, trying again");
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(BACKOFF.1);
        }
        self.metrics.insert_seconds.observe(started.elapsed().as_secs_f64());
        self.metrics.rows.with_label_values(&[insert.table]).inc_by(insert.rows as u64);
        Ok(())
    }

    async fn attempt(&self, insert: &Insert) -> Result<(), clickhouse::error::Error> {
        let Insert { table, columns, body, token, .. } = insert;
        let sql = format!("INSERT INTO {}.{table} ({columns}) FORMAT ArrowStream", self.database);
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
        for start in (0..body.len()).step_by(PIECE) {
            request.send(body.slice(start..body.len().min(start + PIECE))).await?;
        }
        request.end().await
    }
}

/// A pause between half of and the whole given one, so that many sinks do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let nanoseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    pause.mul_f64(0.5 + f64::from(nanoseconds % 1_000) / 2_000.0)
}
