//! What is compared: the sink; ClickHouse's own Kafka tables, each feeding its table through a materialized view; and rows that are
//! encoded already, sent straight to the engine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use touchstream_schemas::codec::Framing;
use touchstream_schemas::event::Family;

use crate::events::{self, Content};
use crate::machine::{Machine, Running, replace_in};
use crate::registry;
use crate::report::{Report, Runs};

/// Rounds of each comparison; `BENCH_ROUNDS` says otherwise.
const ROUNDS: usize = 3;
/// Events of a run; `BENCH_EVENTS` says otherwise.
const EVENTS: usize = 2_000_000;
/// Between these shares of the events a run is measured: groups form before, and the last blocks wait for their time-out after.
const MEASURED: (f64, f64) = (0.2, 0.8);
/// Rows of an insert of rows that are encoded already, and how many are under way at a time.
const DIRECT: (usize, usize) = (100_000, 2);
const DEADLINE: Duration = Duration::from_secs(150);

fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

fn prepare(machine: &Machine) {
    let framing = |family| Framing::Confluent(registry::id_of(family));
    let count = number("BENCH_EVENTS", EVENTS) as u64;
    events::prepare_framed(&machine.kafka, "cx", Content::Mix, count, 1, framing);
}

/// The sink alone, for a profiler to look at.
pub(crate) fn trial(machine: &mut Machine, report: &mut Report) {
    prepare(machine);
    let mut ours = Runs::new("sink");
    for round in 0..number("BENCH_ROUNDS", 1) {
        ours.add(sink(machine, round, report));
        empty(machine);
    }
    report.runs([ours]);
}

/// All three, in turn.
pub(crate) fn speed(machine: &mut Machine, report: &mut Report) {
    prepare(machine);
    let rounds = number("BENCH_ROUNDS", ROUNDS);
    make_queues(machine, rounds);
    let [mut ours, mut tables, mut direct] =
        ["sink", "Kafka tables of ClickHouse", "rows encoded already"].map(Runs::new);
    let mut bodies = Vec::new();
    for round in 0..rounds {
        ours.add(sink(machine, round, report));
        if bodies.is_empty() {
            bodies = encoded(machine);
        }
        empty(machine);
        tables.add(kafka_tables(machine, round, report));
        empty(machine);
        direct.add(straight(machine, &bodies, round));
        empty(machine);
    }
    report.target("sink ÷ ClickHouse's own Kafka tables", ours.rate() / tables.rate(), 4.0);
    report.target("sink ÷ inserting rows that are encoded already", ours.rate() / direct.rate(), 0.4);
    report.runs([ours, tables, direct]);
    report.note(format!(
        "{} events of four families, Confluent framing; 2 consumers a Kafka table with a thread each, blocks of up to 100,000 rows; rows encoded already: {} rows an \
         insert, {} inserts at a time.",
        number("BENCH_EVENTS", EVENTS),
        DIRECT.0,
        DIRECT.1
    ));
}

/// Rows a second while rows appear in the tables.
fn watch(machine: &Machine) -> f64 {
    let total = number("BENCH_EVENTS", EVENTS) as f64;
    let (began, mut first) = (Instant::now(), None);
    loop {
        let rows = machine.rows() as f64;
        match first {
            None if rows >= total * MEASURED.0 => first = Some((Instant::now(), rows)),
            Some((at, before)) if rows >= total * MEASURED.1 => {
                return (rows - before) / (Instant::now() - at).as_secs_f64();
            }
            _ => {}
        }
        assert!(began.elapsed() < DEADLINE, "{rows} of {total} rows after {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

fn sink(machine: &Machine, round: usize, report: &mut Report) -> f64 {
    let total = number("BENCH_EVENTS", EVENTS) as u64;
    let before = machine.rows();
    assert_eq!(before, 0, "the tables are empty");
    let settings = format!("group = \"bench-{round}\"\n[schemas]\nregistry_url = \"{}\"\n", machine.registry);
    let (engine_before, began) = (machine.engine_cpu(), Instant::now());
    let sink = machine.service("sink", &settings);
    let rate = watch(machine);
    while machine.rows() < total && began.elapsed() < DEADLINE {
        std::thread::sleep(Duration::from_millis(25));
    }
    assert_eq!(machine.rows(), total, "every event is a row");
    let per_row = |seconds: f64| seconds * 1e6 / total as f64;
    report.note(format!(
        "Sink, round {}: all {total} rows after {:.1} s; {:.2} µs of CPU a row in the sink, {:.2} in the engine; {} parts.",
        round + 1,
        began.elapsed().as_secs_f64(),
        per_row(sink.cpu_seconds()),
        per_row(machine.engine_cpu() - engine_before),
        machine.ask("SELECT count() FROM system.parts WHERE active AND database = 'cx' AND table LIKE 'events_%'"),
    ));
    report.limit(
        &format!("highest resident memory of the sink in MiB, round {}", round + 1),
        mebibytes(&sink),
        300.0,
    );
    rate
}

fn mebibytes(process: &Running) -> f64 {
    process.memory("VmHWM") as f64 / f64::from(1 << 20)
}

fn empty(machine: &Machine) {
    for family in Family::ALL {
        machine.ask(&format!("TRUNCATE TABLE cx.events_{}", family.name()));
    }
}

/// Columns of a table that an event has, by name and type.
fn columns(machine: &Machine, family: Family) -> Vec<(String, String)> {
    let sql = format!(
        "SELECT name, type FROM system.columns WHERE database = 'cx' AND table = 'events_{}' AND NOT startsWith(name, '_') \
         ORDER BY position FORMAT TabSeparatedRaw",
        family.name()
    );
    let rows = machine.ask(&sql);
    rows.lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

/// Makes the Kafka tables. The server lets nobody create tables that reach outside, so their definitions are changed while it rests.
fn make_queues(machine: &mut Machine, rounds: usize) {
    for family in Family::ALL {
        let list: Vec<String> =
            columns(machine, family).iter().map(|(name, kind)| format!("`{name}` {kind}")).collect();
        for round in 0..rounds {
            let name = family.name();
            machine
                .ask(&format!("CREATE TABLE cx.queue_{name}_{round} ({}) ENGINE = Memory", list.join(", ")));
        }
    }
    machine.stop_engine();
    for family in Family::ALL {
        for round in 0..rounds {
            let name = family.name();
            let file = machine.engine_data().join(format!("metadata/cx/queue_{name}_{round}.sql"));
            let engine = format!(
                "ENGINE = Kafka SETTINGS kafka_broker_list = '{}', kafka_topic_list = 'cx.{name}', \
                 kafka_group_name = 'tables-{name}-{round}', kafka_format = 'AvroConfluent', kafka_num_consumers = 2, \
                 kafka_thread_per_consumer = 1, kafka_max_block_size = 100000, kafka_poll_max_batch_size = 100000, format_avro_schema_registry_url = '{}'",
                machine.kafka.brokers, machine.registry
            );
            replace_in(&file, "ENGINE = Memory", &engine);
        }
    }
    machine.start_engine();
}

fn kafka_tables(machine: &Machine, round: usize, report: &mut Report) -> f64 {
    let (before, began) = (machine.engine_cpu(), Instant::now());
    for family in Family::ALL {
        let name = family.name();
        let list: Vec<String> =
            columns(machine, family).into_iter().map(|(name, _)| format!("`{name}`")).collect();
        machine.ask(&format!(
            "CREATE MATERIALIZED VIEW cx.feed_{name}_{round} TO cx.events_{name} AS SELECT {}, _topic, \
             toInt32(queue._partition) AS _partition, toInt64(queue._offset) AS _offset FROM cx.queue_{name}_{round} AS queue",
            list.join(", ")
        ));
    }
    let rate = watch(machine);
    report.note(format!(
        "Kafka tables, round {}: {:.2} µs of CPU a row in the engine, {:.0} % of one core while they read.",
        round + 1,
        (machine.engine_cpu() - before) * 1e6 / machine.rows() as f64,
        (machine.engine_cpu() - before) / began.elapsed().as_secs_f64() * 100.0,
    ));
    for family in Family::ALL {
        machine.ask(&format!("DROP TABLE cx.feed_{}_{round} SYNC", family.name()));
        machine.ask(&format!("DROP TABLE cx.queue_{}_{round} SYNC", family.name()));
    }
    rate
}

/// An insert of rows that are encoded already.
struct Body {
    parameters: String,
    rows: usize,
    bytes: Vec<u8>,
}

/// All rows as ClickHouse itself writes them, in the order of Kafka.
fn encoded(machine: &Machine) -> Vec<Body> {
    let mut bodies = Vec::new();
    for family in Family::ALL {
        let name = family.name();
        let mut names: Vec<String> =
            columns(machine, family).into_iter().map(|(name, _)| format!("`{name}`")).collect();
        names.extend(["_topic", "_partition", "_offset"].map(str::to_owned));
        let names = names.join(", ");
        let total: usize = machine.ask(&format!("SELECT count() FROM cx.events_{name}")).parse().unwrap_or(0);
        for start in (0..total).step_by(DIRECT.0) {
            let sql = format!(
                "SELECT {names} FROM cx.events_{name} ORDER BY _partition, _offset LIMIT {} OFFSET {start} FORMAT ArrowStream \
                 SETTINGS output_format_arrow_compression_method = 'none', output_format_arrow_string_as_string = 1, \
                 output_format_arrow_low_cardinality_as_dictionary = 0, max_block_size = {}, max_threads = 1",
                DIRECT.0, DIRECT.0
            );
            let bytes = machine.bytes("", sql.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
            let statement = format!("INSERT INTO cx.events_{name} ({names}) FORMAT ArrowStream");
            bodies.push(Body {
                parameters: format!(
                    "query={}&async_insert=0&max_insert_threads=1&max_insert_block_size=10000000&min_insert_block_size_rows=10000000\
                     &min_insert_block_size_bytes=10000000000&insert_deduplicate=1",
                    percent(&statement)
                ),
                rows: DIRECT.0.min(total - start),
                bytes,
            });
        }
    }
    bodies
}

fn percent(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn straight(machine: &Machine, bodies: &[Body], round: usize) -> f64 {
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..DIRECT.1 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(body) = bodies.get(number) else { return };
                    let parameters =
                        format!("{}&insert_deduplication_token=straight-{round}-{number}", body.parameters);
                    machine.post(&parameters, &body.bytes).unwrap_or_else(|error| panic!("{error}"));
                }
            });
        }
    });
    let rows: usize = bodies.iter().map(|body| body.rows).sum();
    assert_eq!(machine.rows(), rows as u64, "every row was inserted");
    rows as f64 / began.elapsed().as_secs_f64()
}
