//! Results of a replay on their way to readers: rows → tables of the replay's own → compared with what stands → all at once into the
//! tables that readers see.
//!
//! How all at once: the rows carry a revision of the replay's epoch. Merges stop, the replay's parts are attached beside the old ones,
//! where the views do not read them yet; one row in `store_epochs` makes the epoch visible, merges go on. Whatever a query reads, it reads
//! that row once.
//!
//! Promise: readers see the old results or the new ones. Rows that a replayed period has no more are replaced by empty ones.

mod statements;

use std::time::{Duration, Instant};

use clickhouse::Client;
use touchstream_runtime::settings::Settings;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

use crate::client;
use crate::derived::gather::{Gathered, Source};
use crate::error::SinkError;
use crate::insert::Inserter;
use crate::metrics::Metrics;
use statements::{RESULTS, ResultTable};

/// What the names of a replay's own tables begin with.
const PREFIX: &str = "replay_";
/// Longest wait for a statement that looks through a whole table.
const PATIENCE: Duration = Duration::from_secs(600);

/// The period whose results are exchanged, in whole minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayedPeriod {
    /// First minute.
    pub from: EventTime,
    /// The minute after the last.
    pub to: EventTime,
}

/// What a replay changes in one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableChange {
    /// Table.
    pub table: &'static str,
    /// Rows that the replay made.
    pub rows: u64,
    /// Of them, rows that show other numbers than before.
    pub changed: u64,
    /// Of them, rows that were not there.
    pub added: u64,
    /// Rows that were there and have no reason to be.
    pub vanished: u64,
}

/// Results that readers do not see yet.
pub struct Staging {
    client: Client,
    database: String,
    inserter: Inserter,
    topics: Vec<(String, Source, Decoder)>,
    gathered: Gathered,
    batch_rows: usize,
}

impl std::fmt::Debug for Staging {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Staging").field("database", &self.database).finish_non_exhaustive()
    }
}

impl Staging {
    /// Makes empty tables for the results; those that a replay before left behind are gone.
    ///
    /// # Errors
    /// When ClickHouse cannot be reached or refuses.
    pub async fn open(settings: &Settings) -> Result<Staging, SinkError> {
        let client = client::client(&settings.clickhouse)?;
        let database = settings.clickhouse.database.clone();
        let metrics = Metrics::new(&prometheus::Registry::new())?;
        let deadline = Duration::from_secs(settings.sink.insert_timeout_s);
        let inserter = Inserter::new(client.clone(), &database, deadline, metrics).with_prefix(PREFIX);
        let names = Topics::new(&settings.kafka.topic_prefix);
        let topics = [
            (names.windows(), Source::Windows),
            (names.minutes(), Source::Minutes),
            (names.checkouts(), Source::Checkouts),
            (names.conversations(), Source::Conversations),
            (names.answers(), Source::Answers),
        ]
        .map(|(name, source)| (name, source, source.decoder()));
        let staging = Staging {
            client,
            database,
            inserter,
            topics: topics.into(),
            gathered: Gathered::default(),
            batch_rows: settings.sink.batch_rows,
        };
        staging.drop_tables().await?;
        for table in RESULTS {
            let sql = format!("CREATE TABLE {} AS {}", staging.own(table), staging.theirs(table));
            staging.execute(&sql).await?;
        }
        Ok(staging)
    }

    /// Takes in a record that goes to `topic`; true once it is time to [`Staging::flush`]. Records of other topics are none of its business.
    ///
    /// # Errors
    /// When the record cannot be decoded.
    pub fn add(&mut self, topic: &str, value: &[u8]) -> Result<bool, SinkError> {
        let Some((_, source, decoder)) = self.topics.iter().find(|(name, ..)| name == topic) else {
            return Ok(false);
        };
        self.gathered.add(*source, decoder, value).map_err(|error| SinkError::Reject {
            message: format!("failed to read a result of the replay for {topic}: {error}"),
        })?;
        Ok(self.gathered.rows() >= self.batch_rows)
    }

    /// Writes what was taken in.
    ///
    /// # Errors
    /// When ClickHouse refuses.
    pub async fn flush(&mut self) -> Result<(), SinkError> {
        for insert in self.gathered.inserts()? {
            // Counts of data quality are not of a replay.
            if RESULTS.iter().any(|table| table.name == insert.table) {
                self.inserter.run(&insert).await?;
            }
        }
        Ok(())
    }

    /// Tells what is new about the results, table by table, and adds an empty row of `revision` for every row of the period that the
    /// replay did not make.
    ///
    /// # Errors
    /// When ClickHouse cannot be reached or refuses.
    pub async fn compare(
        &mut self,
        period: ReplayedPeriod,
        revision: i64,
    ) -> Result<Vec<TableChange>, SinkError> {
        let mut changes = Vec::new();
        for table in RESULTS {
            let columns = self.columns(table).await?;
            let found = self.ask(&table.changes(&self.database, PREFIX, &columns)).await?;
            let number = |place: usize| found.first()?.get(place)?.parse::<u64>().ok();
            let [rows, added, changed] = [0, 1, 2].map(|place| number(place).unwrap_or_default());
            let before = self.count(table).await?;
            self.execute(&table.vanish(&self.database, PREFIX, &columns, period, revision)).await?;
            let vanished = self.count(table).await? - before;
            changes.push(TableChange { table: table.name, rows, changed, added, vanished });
        }
        Ok(changes)
    }

    /// Exchanges the results of all tables at once for readers, and tells how long that was in the making.
    ///
    /// # Errors
    /// When ClickHouse cannot be reached or refuses; nothing is visible then, or everything.
    pub async fn switch(&self, epoch: i64) -> Result<Duration, SinkError> {
        let began = Instant::now();
        let mut attached = Vec::new();
        for table in RESULTS {
            let parts = format!(
                "SELECT DISTINCT partition_id FROM system.parts WHERE active AND database = '{}' AND table = '{PREFIX}{}'",
                self.database, table.name
            );
            for row in self.ask(&parts).await? {
                attached.push((table, row.concat()));
            }
        }
        // A merge would let hidden rows replace those that still stand.
        for table in RESULTS {
            self.execute(&format!("SYSTEM STOP MERGES {}", self.theirs(table))).await?;
        }
        for (table, partition) in attached {
            let (theirs, own) = (self.theirs(table), self.own(table));
            self.execute(&format!("ALTER TABLE {theirs} ATTACH PARTITION ID '{partition}' FROM {own}"))
                .await?;
        }
        make_visible(&self.client, &self.database, epoch).await?;
        let took = began.elapsed();
        start_merges(&self.client, &self.database).await?;
        Ok(took)
    }

    /// Drops the replay's own tables.
    ///
    /// # Errors
    /// When ClickHouse refuses.
    pub async fn drop_tables(&self) -> Result<(), SinkError> {
        for table in RESULTS {
            self.execute(&format!("DROP TABLE IF EXISTS {} SYNC", self.own(table))).await?;
        }
        Ok(())
    }

    async fn count(&self, table: ResultTable) -> Result<u64, SinkError> {
        let found = self.ask(&format!("SELECT count() FROM {}", self.own(table))).await?;
        Ok(found.concat().concat().parse().unwrap_or_default())
    }

    async fn columns(&self, table: ResultTable) -> Result<Vec<statements::ColumnOf>, SinkError> {
        let rows = self.ask(&statements::columns(&self.database, table)).await?;
        Ok(rows.iter().filter_map(|row| statements::ColumnOf::parse(row)).collect())
    }

    fn own(&self, table: ResultTable) -> String {
        format!("{}.{PREFIX}{}", self.database, table.name)
    }

    fn theirs(&self, table: ResultTable) -> String {
        format!("{}.{}", self.database, table.name)
    }

    async fn execute(&self, sql: &str) -> Result<(), SinkError> {
        client::execute_within(&self.client, sql, PATIENCE).await.map_err(|source| query_error(sql, &source))
    }

    async fn ask(&self, sql: &str) -> Result<Vec<Vec<String>>, SinkError> {
        client::ask_within(&self.client, sql, PATIENCE).await.map_err(|source| query_error(sql, &source))
    }
}

/// Lets readers see the results up to `epoch`. The sink does it too before it writes results of an epoch: a replay that died between Kafka
/// and ClickHouse must not leave results hidden.
pub(crate) async fn make_visible(client: &Client, database: &str, epoch: i64) -> Result<(), SinkError> {
    let known = format!("SELECT greatest(max(epoch), 1) FROM {database}.store_epochs");
    let known = client::ask(client, &known).await.map_err(|source| query_error(&known, &source))?;
    if known.concat().concat().parse::<i64>().is_ok_and(|known| known < epoch) {
        let sql = format!("INSERT INTO {database}.store_epochs (epoch) VALUES ({epoch})");
        client::execute(client, &sql).await.map_err(|source| query_error(&sql, &source))?;
    }
    Ok(())
}

/// Lets merges go on. A replay that died in the exchange has left them stopped, until this or until ClickHouse starts anew.
pub(crate) async fn start_merges(client: &Client, database: &str) -> Result<(), SinkError> {
    for table in RESULTS {
        let sql = format!("SYSTEM START MERGES {database}.{}", table.name);
        client::execute(client, &sql).await.map_err(|source| query_error(&sql, &source))?;
    }
    Ok(())
}

fn query_error(sql: &str, source: &clickhouse::error::Error) -> SinkError {
    SinkError::Query { sql: sql.chars().take(200).collect(), message: source.to_string() }
}
