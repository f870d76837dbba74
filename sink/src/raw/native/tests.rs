//! What the engine makes of a block is what it makes of the same rows as an Arrow stream, for every column of every family.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::builder::{ListBuilder, MapBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMillisecondArray,
};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use touchstream_local_clickhouse::{Password, ServerOptions};
use touchstream_local_parts::Progress;
use touchstream_runtime::settings;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::EventTime;

use super::*;
use crate::client;
use crate::insert::{Insert, Inserter, Outcome};
use crate::metrics::Metrics;
use crate::raw::{table_of, written};

/// More than an index of one byte tells apart.
const ROWS: usize = 700;
/// Rows of one batch; the last one is smaller.
const BATCH: usize = 300;
const SEED: u64 = 20_261_123;

/// Empty, short, longer than seven bits tell, beyond ASCII; of `kinds` different ones.
fn text(random: &mut StdRng, kinds: u32) -> String {
    match random.random_range(0..20) {
        0 => String::new(),
        1 => "ä\0\n'".repeat(random.random_range(1..80)),
        _ => format!("text {}", random.random_range(0..kinds)),
    }
}

fn some<T>(field: &Field, random: &mut StdRng, mut value: impl FnMut(&mut StdRng) -> T) -> Vec<Option<T>> {
    // Some columns are empty, as most are in life.
    let there = if field.is_nullable() { [0.0, 0.5, 1.0][random.random_range(0..3)] } else { 1.0 };
    (0..BATCH).map(|_| random.random_bool(there).then(|| value(random))).collect()
}

fn values(field: &Field, random: &mut StdRng) -> ArrayRef {
    let kinds = if random.random_bool(0.3) { 100_000 } else { 5 };
    match field.data_type() {
        DataType::Utf8 => Arc::new(StringArray::from(some(field, random, |random| text(random, kinds)))),
        DataType::Boolean => Arc::new(BooleanArray::from(some(field, random, StdRng::random))),
        DataType::Int32 => Arc::new(Int32Array::from(some(field, random, StdRng::random))),
        DataType::Int64 => Arc::new(Int64Array::from(some(field, random, StdRng::random))),
        DataType::Float64 => Arc::new(Float64Array::from(some(field, random, StdRng::random))),
        DataType::Timestamp(..) => {
            // Not so long ago that the tables' time to live is over.
            let now = EventTime::now().0;
            let moment = |random: &mut StdRng| now - random.random_range(0..1_000_000_000);
            Arc::new(TimestampMillisecondArray::from(some(field, random, moment)).with_timezone("UTC"))
        }
        DataType::Decimal128(precision, scale) => {
            let most = 10_i128.pow(u32::from(*precision));
            let amounts = some(field, random, |random| random.random_range(1 - most..most));
            Arc::new(
                Decimal128Array::from(amounts).with_precision_and_scale(*precision, *scale).expect("fits"),
            )
        }
        DataType::List(item) => {
            let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item.clone());
            for _ in 0..BATCH {
                (0..random.random_range(0..3)).for_each(|_| lists.values().append_value(text(random, kinds)));
                lists.append(true);
            }
            Arc::new(lists.finish())
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else { panic!("{entries}") };
            let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new())
                .with_keys_field(fields[0].clone())
                .with_values_field(fields[1].clone());
            for _ in 0..BATCH {
                for number in 0..random.random_range(0..3) {
                    maps.keys().append_value(format!("name {number}"));
                    maps.values().append_value(text(random, kinds));
                }
                maps.append(true).expect("as many values as names");
            }
            let maps = maps.finish();
            // The builder gives the pairs a name of its own.
            let data = maps.into_data().into_builder().data_type(field.data_type().clone());
            Arc::new(arrow_array::MapArray::from(data.build().expect("the same pairs")))
        }
        other => panic!("no values of {other}"),
    }
}

/// Rows in batches of an odd length, as they come from a decoder and as slices of something larger.
fn rows(schema: &SchemaRef, random: &mut StdRng) -> Vec<RecordBatch> {
    let mut left = ROWS;
    std::iter::from_fn(|| {
        let count = left.min(BATCH);
        left -= count;
        (count > 0).then(|| {
            let columns = schema.fields().iter().map(|field| values(field, random)).collect();
            let batch = RecordBatch::try_new(schema.clone(), columns).expect("columns of the schema");
            batch.slice(BATCH - count, count)
        })
    })
    .collect()
}

struct Engine {
    client: clickhouse::Client,
    inserter: Inserter,
    _directory: tempfile::TempDir,
}

/// The engine with all tables, and one more like each of raw events.
async fn engine() -> Engine {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("a bound address");
    drop(listener);
    let library = touchstream_local_parts::clickhouse(&Progress::silent()).expect("the engine's library");
    let options =
        ServerOptions::new(library, directory.path().join("clickhouse"), address, Password::new("secret"));
    tokio::spawn(touchstream_local_clickhouse::serve(options, |_| {}, std::future::pending()));
    let config = directory.path().join("touchstream.toml");
    std::fs::write(&config, format!("[clickhouse]\nurl = \"http://{address}\"\npassword = \"secret\"\n"))
        .expect("the test's directory can be written");
    let settings = settings::load(Some(&config)).expect("the test's settings are valid").settings;
    let client = client::client(&settings.clickhouse).expect("no certificate");
    let began = std::time::Instant::now();
    while client::ask(&client, "SELECT 1").await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "the engine answers");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    crate::migrate(&settings, false).await.expect("all objects can be made");
    for family in Family::ALL {
        let name = table_of(family);
        client::execute(&client, &format!("CREATE TABLE cx.arrow_{name} AS cx.{name}"))
            .await
            .expect("a twin");
    }
    let metrics = Metrics::new(&prometheus::Registry::new()).expect("an empty registry");
    let inserter = Inserter::new(client.clone(), "cx", Duration::from_secs(30), metrics);
    Engine { client, inserter, _directory: directory }
}

impl Engine {
    async fn number(&self, question: &str) -> u64 {
        let rows =
            client::ask(&self.client, question).await.unwrap_or_else(|error| panic!("{question}: {error}"));
        rows[0][0].parse().expect("a number")
    }

    async fn insert(&self, table: &'static str, block: Block, token: &str) {
        let insert = Insert::of_block(table, block, token.to_owned());
        let outcome = self.inserter.run_while_fresh(&insert, &mut Duration::from_millis(50)).await;
        assert_eq!(outcome.expect("nobody is waited for"), Outcome::Stored, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_what_an_arrow_stream_stores() {
    let engine = engine().await;
    let random = &mut StdRng::seed_from_u64(SEED);
    for (name, schema) in written().expect("known types") {
        let schema = Arc::new(schema);
        let mut block = Block::new(schema.clone()).expect("known types");
        let batches = rows(&schema, random);
        batches.iter().for_each(|batch| block.append(batch));
        block.finish();
        let offsets = block.numbers("_offset");
        let of_batch = |batch: &RecordBatch| {
            let column = batch.column_by_name("_offset").expect("written with every row");
            column.as_primitive::<Int64Type>().values().to_vec()
        };
        assert_eq!(offsets, batches.iter().flat_map(of_batch).collect::<Vec<_>>());

        let arrow = arrow_select::concat::concat_batches(&schema, &batches).expect("one schema");
        let twin: &'static str = format!("arrow_{name}").leak();
        engine.inserter.run(&Insert::new(twin, &arrow).expect("a batch")).await.expect("it is stored");
        let difference = |table: &str| {
            let columns: Vec<String> =
                schema.fields().iter().map(|field| format!("`{}`", field.name())).collect();
            let columns = columns.join(", ");
            format!(
                "SELECT count() FROM (SELECT {columns} FROM cx.{table} EXCEPT ALL SELECT {columns} FROM cx.{twin})"
            )
        };
        engine.insert(name, block.clone(), "whole").await;
        assert_eq!(engine.number(&format!("SELECT count() FROM cx.{name}")).await, ROWS as u64);
        assert_eq!(engine.number(&difference(name)).await, 0, "{name} as a whole");
        // The same in parts, as after a refusal: the first of one row, one of none but missing values is as good as any.
        client::execute(&engine.client, &format!("TRUNCATE TABLE cx.{name}"))
            .await
            .expect("it can be emptied");
        for (start, end) in [(0, 1), (1, 2), (2, 255), (255, 600), (600, ROWS)] {
            engine.insert(name, block.part(start, end), &format!("{start} to {end}")).await;
        }
        assert_eq!(engine.number(&format!("SELECT count() FROM cx.{name}")).await, ROWS as u64);
        assert_eq!(engine.number(&difference(name)).await, 0, "{name} in parts");

        let by_dictionary = engine
            .number(&format!(
                "SELECT countIf((position(type, 'LowCardinality') = 0) != (name IN ('{}'))) FROM system.columns \
                 WHERE database = 'cx' AND table = '{name}' AND position(type, 'String') > 0",
                PLAIN.join("', '")
            ))
            .await;
        assert_eq!(
            by_dictionary, 0,
            "texts of {name} that are written in another way than the table holds them"
        );
    }
}
