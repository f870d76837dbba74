//! Bad tables, bad rows and bad records: a clear message, nothing lost, right again when mended.

#[expect(dead_code, reason = "other tests use the rest")]
mod harness;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Machine, Process, wait_for};
use rand::{Rng as _, SeedableRng as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use touchstream_runtime::kafka;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::event::FeedbackEvent;
use touchstream_schemas::time::EventTime;

const SOON: Duration = Duration::from_secs(60);

#[test]
#[ignore = "started by the other tests as a process of its own"]
fn role() {
    harness::play_role();
}

/// Sends events and remembers how many.
struct Sender {
    producer: ThreadedProducer<DefaultProducerContext>,
    encoder: Encoder,
    sent: usize,
    /// Of the last event. No single changed bit makes another's id of it.
    id: String,
}

impl Sender {
    fn new(machine: &Machine) -> Sender {
        let producer = kafka::producer(&machine.settings.kafka, "test").expect("no secret file").create();
        let encoder = Encoder::new(&avro::FEEDBACK_EVENT, Framing::SingleObject);
        Sender { producer: producer.expect("a producer"), encoder, sent: 0, id: String::new() }
    }

    fn event(&mut self, score: i32) -> Vec<u8> {
        self.event_at(EventTime::now().0, score)
    }

    fn event_at(&mut self, time: i64, score: i32) -> Vec<u8> {
        self.sent += 1;
        self.id = format!("e-{}-{}", self.sent, self.sent * 7_919 % 100_003);
        let now = EventTime::now().0;
        let json = format!(
            r#"{{"tenant":"shop","source":"web","id":"{}","type":"feedback.answered","time":{time},"received_at":{now},
                "touchpoint":"checkout","channel":"web","device":"mobile","locale":"de-DE","traffic":"human","consent":[],"extra":{{}},
                "survey_id":"s","metric":"nps","score":{score},"text":"fine"}}"#,
            self.id
        );
        let event: FeedbackEvent<'_> = serde_json::from_str(&json).expect("valid JSON of an event");
        self.encoder.encode(&event).expect("an event fits its schema")
    }

    fn send(&self, payload: &[u8]) {
        let record = BaseRecord::to("cx.feedback").partition(0).key("key").payload(payload);
        self.producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    }

    /// One good event.
    fn good(&mut self) {
        let payload = self.event(9);
        self.send(&payload);
        self.producer.flush(SOON).expect("Kafka takes it");
    }
}

async fn ddl(machine: &Machine, statement: &str) {
    assert!(
        machine.ask(&format!("ALTER TABLE cx.events_feedback {statement}")).await.is_some(),
        "{statement}"
    );
}

async fn rows(machine: &Machine, expected: usize, when: &str) {
    wait_for(when, SOON, async || {
        machine.number("SELECT count() FROM cx.events_feedback").await == Some(expected as u64)
    })
    .await;
}

async fn said(machine: &Machine, words: &[&str]) {
    let began = Instant::now();
    loop {
        let log = machine.sink_log();
        if log.lines().any(|line| words.iter().all(|word| line.contains(word))) {
            return;
        }
        assert!(began.elapsed() < SOON, "{words:?} does not stand in the sink's log:\n{log}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_named_loses_nothing_and_passes_when_it_is_mended() {
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut machine = Machine::start(true, "").await;
    wrong_settings(&mut machine).await;
    touchstream_sink::migrate(&machine.settings, false).await.expect("migrations apply");
    let admin = format!("127.0.0.1:{}", harness::free_port());
    machine.change_sinks(|text| text.replace("127.0.0.1:0", &admin));
    let mut sink = machine.start_sink();
    let mut sender = Sender::new(&machine);
    sender.good();
    rows(&machine, 1, "the first event").await;

    altered_tables(&machine, &mut sender).await;
    full_disk(&machine, &mut sender, &admin).await;
    let bad = bad_rows(&machine, &mut sender).await;
    let damaged = damaged_records(&machine, &mut sender, seed).await;
    assert!(sink.is_running(), "seed {seed}: nothing of this ends the sink:\n{}", machine.sink_log());

    drains(&mut machine, &mut sender, sink).await;

    let found = harness::rejected(&machine.settings);
    let because = |reason: &str| -> BTreeSet<&Vec<u8>> {
        let is_it = |(place, _): &(&Vec<String>, _)| place.last().is_some_and(|last| last == reason);
        found.iter().filter(is_it).map(|(_, bytes)| bytes).collect()
    };
    assert_eq!(because("refused_by_clickhouse"), bad.iter().collect(), "with the bytes that were sent");
    assert!(!because("time").is_empty(), "ClickHouse knows no year 2603: {found:?}");
    assert_eq!(found.len(), bad.len() + damaged, "seed {seed}: every record is a row or filed");
}

/// What was taken in is stored before the end: the next start finds no intent, and nothing comes twice.
async fn drains(machine: &mut Machine, sender: &mut Sender, sink: Process) {
    let before = machine.number("SELECT count() FROM cx.events_feedback").await.expect("an answer");
    for _ in 0..5_000 {
        let payload = sender.event(9);
        sender.send(&payload);
    }
    sender.producer.flush(SOON).expect("Kafka takes them");
    assert!(sink.terminate().await, "it ends well:\n{}", machine.sink_log());
    let _sink = machine.start_sink();
    rows(machine, usize::try_from(before).expect("it fits") + 5_000, "all events after a restart").await;
    said(machine, &["partitions assigned", "raw events", "replays=0"]).await;
}

/// Wrong at the start: the sink ends with a message that names what is wrong.
async fn wrong_settings(machine: &mut Machine) {
    let ends = async |mut sink: Process, machine: &Machine, words: &[&str]| {
        wait_for("the end of the sink", SOON, async || !sink.is_running()).await;
        said(machine, words).await;
    };
    machine.change_sinks(|text| text.replace("\"secret\"", "\"wrong\""));
    let sink = machine.start_sink();
    ends(sink, machine, &["uthentication"]).await;
    machine.change_sinks(|text| text.replace("[clickhouse]\n", "[clickhouse]\ndatabase = \"nowhere\"\n"));
    let sink = machine.start_sink();
    ends(sink, machine, &["nowhere.events_"]).await;
}

async fn altered_tables(machine: &Machine, sender: &mut Sender) {
    ddl(machine, "DROP COLUMN text").await;
    sender.good();
    said(machine, &["waiting until this is mended", "events_feedback", "column text"]).await;
    ddl(machine, "ADD COLUMN text Nullable(String)").await;
    rows(machine, sender.sent, "what waited for the column").await;

    ddl(machine, "ADD COLUMN added Nullable(String) FIRST").await;
    ddl(machine, "MODIFY COLUMN score Nullable(Int32) AFTER tenant").await;
    sender.good();
    rows(machine, sender.sent, "an event in a table with an added and a moved column").await;
    let wrong =
        machine.number("SELECT countIf(score != 9 OR isNotNull(added)) FROM cx.events_feedback").await;
    assert_eq!(wrong, Some(0), "nothing shifts");

    ddl(machine, "DROP COLUMN locale").await;
    ddl(machine, "ADD COLUMN locale Nullable(Int64)").await;
    sender.good();
    said(machine, &["waiting until this is mended", "column locale is Nullable(Int64), expected String"])
        .await;
    ddl(machine, "DROP COLUMN locale").await;
    ddl(machine, "ADD COLUMN locale LowCardinality(Nullable(String))").await;
    rows(machine, sender.sent, "what waited for the type").await;
}

/// ClickHouse refuses inserts while less is free than the table asks for, with the error of a full disk, which may be real: root can
/// give the engine a small one of its own (`on_a_disk_that_is_full`).
async fn full_disk(machine: &Machine, sender: &mut Sender, admin: &str) {
    ddl(machine, "MODIFY SETTING min_free_disk_bytes_to_perform_insert = 1000000000000000000").await;
    sender.good();
    said(machine, &["waiting until this is mended", "events_feedback", "disk is full"]).await;
    sender.good();
    shows(admin, "touchstream_sink_blocked{table=\"events_feedback\"} 1").await;
    ddl(machine, "RESET SETTING min_free_disk_bytes_to_perform_insert").await;
    rows(machine, sender.sent, "what waited for space").await;
    shows(admin, "touchstream_sink_blocked{table=\"events_feedback\"} 0").await;
}

async fn shows(admin: &str, line: &str) {
    wait_for(line, SOON, async || {
        let url = format!("http://{admin}/metrics");
        let text = tokio::task::spawn_blocking(move || ureq::get(url).call()?.body_mut().read_to_string());
        text.await.expect("asking does not panic").is_ok_and(|text| text.lines().any(|found| found == line))
    })
    .await;
}

/// A disk of memory for the engine, until the test ends.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount(place: std::path::PathBuf) -> Option<SmallDisk> {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=256m", "tmpfs"]).arg(&place).status();
        mounted.is_ok_and(|status| status.success()).then_some(SmallDisk(place))
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.0.join("ballast")
    }

    /// Nothing else finds room any more.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.ballast()).expect("a file fits");
        while file.write_all(&[0; 1 << 16]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

/// The same as [`full_disk`] with a disk that is full in truth, where this test runs as root.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_disk_that_is_full_everything_waits() {
    let mut machine = Machine::start(true, "").await;
    machine.kill_engine();
    let Some(disk) = SmallDisk::mount(machine.engine_data()) else {
        eprintln!("this user may not mount a disk: only the table's own limit is tested");
        return;
    };
    machine.start_engine().await;
    touchstream_sink::migrate(&machine.settings, false).await.expect("migrations apply");
    let mut sink = machine.start_sink();
    let mut sender = Sender::new(&machine);
    sender.good();
    rows(&machine, 1, "the first event").await;
    disk.fill();
    for _ in 0..100 {
        sender.good();
    }
    said(&machine, &["waiting until this is mended", "events_feedback", "disk is full"]).await;
    assert!(sink.is_running(), "{}", machine.sink_log());
    std::fs::remove_file(disk.ballast()).expect("the file can be removed");
    rows(&machine, sender.sent, "what waited for space").await;
    let once = machine.number("SELECT uniqExact(id) FROM cx.events_feedback").await;
    assert_eq!(once, Some(sender.sent as u64), "each once");
}

/// A row that violates a constraint is filed, its neighbours are stored. The records of such rows.
async fn bad_rows(machine: &Machine, sender: &mut Sender) -> Vec<Vec<u8>> {
    ddl(machine, "ADD CONSTRAINT three CHECK score != 3").await;
    let before = sender.sent;
    let mut bad = Vec::new();
    for number in 0..100 {
        let payload = sender.event(if number % 40 == 7 { 3 } else { 9 });
        sender.send(&payload);
        if number % 40 == 7 {
            bad.push(payload);
        }
    }
    rows(machine, before + 97, "the neighbours of bad rows").await;
    ddl(machine, "DROP CONSTRAINT three").await;
    sender.sent = before + 97;
    bad
}

async fn damaged_records(machine: &Machine, sender: &mut Sender, seed: u64) -> usize {
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    // A changed bit may make a time of long ago, whose row would soon be deleted.
    ddl(machine, "REMOVE TTL").await;
    let before = machine.number("SELECT count() FROM cx.events_feedback").await.expect("an answer");
    sender.sent += 1_000_000;
    let far = sender.event_at(20_000_000_000_000, 9);
    sender.send(&far);
    let mut total = 1;
    for _ in 0..300 {
        let mut payload = sender.event(9);
        match random.random_range(0..3) {
            0 => payload.truncate(random.random_range(0..payload.len())),
            1 => payload.extend(std::iter::repeat_n(7, random.random_range(1..200_000))),
            _ => {
                let bit = random.random_range(0..payload.len() * 8);
                payload[bit / 8] ^= 1 << (bit % 8);
            }
        }
        sender.send(&payload);
        total += 1;
    }
    sender.good();
    wait_for("the good event behind damaged ones", SOON, async || {
        let id = format!("SELECT count() FROM cx.events_feedback WHERE id = '{}'", sender.id);
        machine.number(&id).await == Some(1)
    })
    .await;
    let stored = machine.number("SELECT count() FROM cx.events_feedback").await.expect("an answer");
    total + 1 - usize::try_from(stored - before).expect("rows are not lost")
}
