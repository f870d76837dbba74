//! Raw events are stored exactly once while sinks are killed at random moments and the engine once, with copies and undecodable
//! records among them.

#[expect(dead_code, reason = "other tests use the rest")]
mod harness;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::{Machine, wait_for};
use rand::{Rng as _, SeedableRng as _};
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use touchstream_runtime::kafka;
use touchstream_runtime::settings::Settings;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::event::FeedbackEvent;
use touchstream_schemas::time::EventTime;

/// At least so many; they go on coming until the last kill.
const EVENTS: usize = 20_000;
const KILLS: usize = 12;
/// The run proves something only if ranges were replayed.
const REPLAYS: usize = 3;
/// How fast a machine is decides what a kill meets; so there may be more of them, but not for ever.
const MOST_KILLS: usize = 60;
const ROWS: &str = "SELECT count() FROM cx.events_feedback";

#[test]
#[ignore = "started by the other tests as a process of its own"]
fn role() {
    harness::play_role();
}

fn encoded(encoder: &mut Encoder, id: &str, time: EventTime) -> Vec<u8> {
    // The struct is borrowed from JSON, so that only the fields that matter here are written out.
    let json = format!(
        r#"{{"tenant":"shop","source":"web","id":"{id}","type":"feedback.answered","time":{0},"received_at":{1},
            "touchpoint":"checkout","channel":"web","device":"mobile","traffic":"human","consent":["analytics"],
            "extra":{{"page":"thanks"}},"survey_id":"s","submission_id":"{id}","metric":"nps","score":9,
            "text":"fine"}}"#,
        time.0,
        EventTime::now().0,
    );
    let event: FeedbackEvent<'_> = serde_json::from_str(&json).expect("valid JSON of an event");
    encoder.encode(&event).expect("an event fits its schema")
}

fn producer(settings: &Settings) -> ThreadedProducer<rdkafka::producer::DefaultProducerContext> {
    kafka::producer(&settings.kafka, "test").expect("no secret file").create().expect("a producer")
}

/// Sends events with copies (5 %) and three undecodable records among them, until all were sent and faults are over; some lie in another
/// month.
async fn produce(settings: Settings, seed: u64, is_over: Arc<AtomicBool>) -> HashSet<String> {
    let producer = producer(&settings);
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut encoder = Encoder::new(&avro::FEEDBACK_EVENT, Framing::SingleObject);
    let mut ids = HashSet::new();
    let mut recent: Vec<(i32, String, Vec<u8>)> = Vec::new();
    let send = |partition: i32, key: &str, payload: &[u8]| {
        let record = BaseRecord::to("cx.feedback").partition(partition).key(key).payload(payload);
        producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    };
    for number in (0..).take_while(|number| *number < EVENTS || !is_over.load(Ordering::Relaxed)) {
        let partition = i32::from(random.random_bool(0.3));
        let id = format!("event-{number}");
        let age = if random.random_bool(0.2) { 40 * 86_400_000 } else { random.random_range(0..10_000) };
        let payload = encoded(&mut encoder, &id, EventTime(EventTime::now().0 - age));
        send(partition, &id, &payload);
        recent.push((partition, id.clone(), payload));
        ids.insert(id);
        if random.random_bool(0.05) {
            let (partition, id, payload) = &recent[random.random_range(0..recent.len())];
            send(*partition, id, payload);
        }
        match number {
            5_000 => send(0, "framing", b"this is no Avro"),
            9_000 => send(1, "cut", &recent[0].2[..40]),
            15_000 => send(0, "long", &[recent[0].2.as_slice(), b"rest"].concat()),
            _ => {}
        }
        // Later ones only keep the sinks busy: on a slow machine the rest must not grow without end.
        if number % if number < EVENTS { 500 } else { 20 } == 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    producer.flush(Duration::from_secs(120)).expect("Kafka takes the events");
    ids
}

/// Assignments at which a sink found a range that it had to store again.
fn replays(machine: &Machine) -> usize {
    let logs = machine.sink_logs();
    logs.lines().filter(|line| line.contains("replays=") && !line.contains("replays=0")).count()
}

/// Kills a sink soon after it has stored something, again and again; returns how often.
async fn kill_at_random(machine: &mut Machine, seed: u64) -> usize {
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut kills = 0;
    while kills < KILLS || (replays(machine) < REPLAYS && kills < MOST_KILLS) {
        let before = machine.number(ROWS).await.expect("the engine answers");
        let sink = machine.start_sink();
        wait_for("rows of this sink", Duration::from_secs(90), async || {
            machine.number(ROWS).await.is_some_and(|rows| rows > before)
        })
        .await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
        if kills == KILLS / 2 {
            machine.kill_engine();
            tokio::time::sleep(Duration::from_millis(random.random_range(50..500))).await;
            machine.start_engine().await;
        }
        sink.kill();
        kills += 1;
    }
    kills
}

fn rejected(machine: &Machine) -> HashSet<Vec<(String, Vec<u8>)>> {
    let config = kafka::consumer(&machine.settings.kafka, "test", "test").expect("no secret file");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut start = rdkafka::TopicPartitionList::new();
    start.add_partition_offset("cx.rejected", 0, rdkafka::Offset::Beginning).expect("a valid offset");
    consumer.assign(&start).expect("an assignment");
    let mut found = HashSet::new();
    while let Some(polled) = consumer.poll(Duration::from_secs(10)) {
        let Ok(message) = polled else { break };
        let headers = message.headers().expect("rejected records have headers");
        let place =
            headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()));
        found.insert(place.collect());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_one_row_through_kills_copies_and_corrupt_records() {
    let seed = rand::random();
    eprintln!("seed {seed}");
    let mut machine = Machine::start(true, "batch_rows = 300\nbatch_age_ms = 50\n").await;
    let applied = touchstream_sink::migrate(&machine.settings, false).await.expect("migrations apply");
    assert!(!applied.is_empty());

    let is_over = Arc::new(AtomicBool::new(false));
    let producing = tokio::spawn(produce(machine.settings.clone(), seed, is_over.clone()));
    let kills = kill_at_random(&mut machine, seed).await;
    is_over.store(true, Ordering::Relaxed);
    let ids = producing.await.expect("all events were sent");

    // Faults are over: everything must arrive now, and nothing twice.
    let sink = machine.start_sink();
    wait_for("every event", Duration::from_secs(120), async || {
        machine.number(ROWS).await.is_some_and(|rows| rows >= ids.len() as u64)
    })
    .await;
    let rows = machine
        .ask("SELECT count(), uniqExact(id), uniqExact(_topic, _partition, _offset), uniqExact(toYYYYMM(time)) FROM cx.events_feedback")
        .await
        .expect("an answer");
    assert_eq!(rows, format!("{0}\t{0}\t{0}\t2\n", ids.len()), "seed {seed}");
    let wrong = machine
        .number("SELECT countIf(score != 9 OR text != 'fine' OR extra['page'] != 'thanks' OR consent != ['analytics'] OR NOT startsWith(id, 'event-')) FROM cx.events_feedback")
        .await;
    assert_eq!(wrong, Some(0), "every column holds what was sent");
    assert_eq!(rejected(&machine).len(), 3, "seed {seed}: three records cannot be decoded");
    let replays = replays(&machine);
    eprintln!("{kills} kills, {replays} assignments with replays");
    assert!(replays >= REPLAYS, "seed {seed}: {replays} replays in {kills} kills");

    // A fresh event is visible soon.
    let producer = producer(&machine.settings);
    let mut encoder = Encoder::new(&avro::FEEDBACK_EVENT, Framing::SingleObject);
    let payload = encoded(&mut encoder, "fresh", EventTime::now());
    let sent = std::time::Instant::now();
    producer
        .send(BaseRecord::to("cx.feedback").key("fresh").payload(&payload))
        .map_err(|(error, _)| error)
        .expect("room");
    wait_for("the fresh event", Duration::from_secs(60), async || {
        machine.number("SELECT count() FROM cx.events_feedback WHERE id = 'fresh'").await == Some(1)
    })
    .await;
    eprintln!("visible after {:?}", sent.elapsed());
    wait_for("its freshness", Duration::from_secs(60), async || {
        machine
            .number("SELECT count() FROM cx.data_quality WHERE family = 'feedback' AND freshness_s > 0")
            .await
            >= Some(1)
    })
    .await;
    sink.kill();
}
