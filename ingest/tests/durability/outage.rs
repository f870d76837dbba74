//! One outage at a time: the spool takes over, outlives its process, tells damage, fills up, and empties in order.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use sha2::{Digest, Sha256};
use touchstream_ingest::{NewKey, create_key};
use touchstream_runtime::settings::load;
use touchstream_schemas::topics::Topics;

use crate::bench::{Ingest, Kafka, PATIENCE, PREFIX, wait_for};
use crate::client::{post, post_as};
use crate::verify::{check, read_app};

/// Everything that one client sent, all under one key.
#[derive(Default)]
struct Session {
    sent: HashMap<String, i64>,
    accepted: HashSet<String>,
}

impl Session {
    /// The next `count` events as a body.
    fn body(&mut self, count: usize, filler: usize) -> (Vec<String>, String) {
        let mut ids = Vec::new();
        let filler = "x".repeat(filler);
        let events: Vec<String> = (0..count)
            .map(|_| {
                let seq = i64::try_from(self.sent.len()).unwrap();
                let id = format!("e-{seq}");
                self.sent.insert(id.clone(), seq);
                ids.push(id.clone());
                format!(
                    r#"{{"id":"{id}","type":"app.screen_viewed","context":{{"session_id":"s","seq":{seq}}},"data":{{"name":"home","f":"{filler}"}}}}"#
                )
            })
            .collect();
        (ids, format!("[{}]", events.join(",")))
    }

    /// Sends events that must be accepted.
    fn send(&mut self, ingest: &Ingest, count: usize) {
        let (ids, body) = self.body(count, 10);
        let reply = post(&ingest.address, &body).unwrap();
        assert_eq!((reply.status, reply.json()["accepted"].as_u64()), (202, Some(count as u64)), "{reply:?}");
        self.accepted.extend(ids);
    }
}

fn wait_drained(ingest: &Ingest) {
    ingest.wait_metric("touchstream_ingest_spool_active", |active| active == 0.0);
    ingest.wait_metric("touchstream_ingest_spool_records", |records| records == 0.0);
}

/// Long enough that a slow machine is not taken for an outage.
const PATIENT: &str = "spool_after_ms = 3_000";

/// Sends until Kafka acknowledges at once. A broker that stood still may be slow at first, and then the spool rightly
/// takes over again.
fn wait_direct(ingest: &Ingest, session: &mut Session) {
    wait_for("events to go directly again", || {
        wait_drained(ingest);
        let spooled = || ingest.metric("touchstream_ingest_spooled_events_total");
        let before = spooled();
        session.send(ingest, 10);
        spooled() == before
    });
}

#[test]
fn the_spool_takes_over_outlives_its_process_and_tells_damage() {
    let directory = tempfile::tempdir().unwrap();
    let kafka = Kafka::start(directory.path());
    let mut ingest = Ingest::start(directory.path(), &kafka.bootstrap(), PATIENT);
    ingest.wait_ready();
    let mut session = Session::default();
    session.send(&ingest, 10);
    assert_eq!(ingest.metric("touchstream_ingest_spooled_events_total"), Some(0.0), "Kafka is there");
    assert!(ingest.segments().is_empty(), "no disk is touched");

    kafka.pause();
    session.send(&ingest, 10);
    session.send(&ingest, 10);
    ingest.wait_metric("touchstream_ingest_spool_records", |records| records == 20.0);
    assert_eq!(ingest.metric("touchstream_ingest_spool_active"), Some(1.0));
    // What is known to be durable is a duplicate, wherever it is.
    let again = post(
        &ingest.address,
        r#"{"id":"e-15","type":"app.screen_viewed","context":{"session_id":"s","seq":15},"data":{"name":"home"}}"#,
    );
    assert_eq!(again.unwrap().json()["duplicates"], 1);
    ingest.wait_ready();
    let mut other = ingest.spawn();
    wait_for("a second process to give up", || other.try_wait().unwrap().is_some());
    assert!(ingest.log().contains("another process uses it"), "{}", ingest.log());

    // Killed, and the last write is torn.
    ingest.kill();
    let last = ingest.segments().pop().unwrap();
    let whole = std::fs::metadata(&last).unwrap().len();
    let mut file = std::fs::OpenOptions::new().append(true).open(&last).unwrap();
    file.write_all(&[0xFF, 0xC0, 0xFE, 0xC1, 90, 0, 0, 0, 1, 2, 3]).unwrap();
    ingest.start_again();
    ingest.wait_live();
    assert_eq!(ingest.metric("touchstream_ingest_spool_damaged_total{reason=\"torn\"}"), Some(1.0));
    assert_eq!(std::fs::metadata(&last).unwrap().len(), whole);
    assert_eq!(ingest.metric("touchstream_ingest_spool_recovered_events_total"), Some(21.0));
    // Kafka is still away: at once behind what is there.
    session.send(&ingest, 10);

    // Stopped as an operator does, and started again; a bit of an event that was accepted has changed on the disk.
    ingest.stop();
    assert!(ingest.log().contains("events stay in the spool"), "{}", ingest.log());
    let first = ingest.segments().remove(0);
    let mut bytes = std::fs::read(&first).unwrap();
    let place = bytes.windows(4).position(|window| window == b"e-12").unwrap();
    bytes[place + 2] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    session.accepted.remove("e-12");
    ingest.start_again();
    ingest.wait_live();
    kafka.resume();
    wait_drained(&ingest);
    assert_eq!(ingest.metric("touchstream_ingest_spool_damaged_total{reason=\"corrupt\"}"), Some(1.0));
    assert!(ingest.segments().is_empty(), "what Kafka has is deleted");
    ingest.wait_ready();
    wait_direct(&ingest, &mut session);
    ingest.stop();

    let stored = read_app(&kafka.bootstrap());
    check(&stored, &session.sent, &session.accepted);
}

#[test]
fn a_full_spool_is_told_and_empties_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut kafka = Kafka::start(directory.path());
    let lines =
        "spool_after_ms = 300\nspool_bytes = 400_000\nspool_segment_bytes = 65_536\nack_timeout_ms = 5_000";
    let mut ingest = Ingest::start(directory.path(), &kafka.bootstrap(), lines);
    ingest.wait_ready();
    let mut session = Session::default();
    session.send(&ingest, 10);

    kafka.kill();
    let (body, refused) = loop {
        let (ids, body) = session.body(20, 1_000);
        let reply = post(&ingest.address, &body).unwrap();
        if reply.status != 202 {
            break (body, reply);
        }
        session.accepted.extend(ids);
        assert!(session.sent.len() < 2_000, "the spool is never full");
    };
    assert!(session.accepted.len() > 200, "{} events fit", session.accepted.len());
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.head.to_ascii_lowercase().contains("retry-after:"), "{refused:?}");
    assert_eq!(refused.json()["retry"].as_array().unwrap().len(), 20, "{refused:?}");
    assert!(ingest.metric("touchstream_ingest_spool_bytes").unwrap() <= 400_000.0);
    assert!(ingest.metric("touchstream_ingest_spool_refused_total{reason=\"full\"}").unwrap() >= 20.0);
    wait_for("ingest to be not ready", || {
        ingest
            .readiness()
            .is_some_and(|reply| reply.status == 503 && reply.body.contains("the spool is full"))
    });

    kafka.start_again();
    wait_for("what was refused to be taken", || {
        post(&ingest.address, &body).is_ok_and(|reply| reply.status == 202)
    });
    session.accepted.extend(session.sent.keys().cloned());
    ingest.wait_ready();
    wait_drained(&ingest);
    assert!(ingest.segments().is_empty());
    session.send(&ingest, 10);
    ingest.stop();
    let stored = read_app(&kafka.bootstrap());
    check(&stored, &session.sent, &session.accepted);
}

/// Bytes that no compression makes smaller, as text.
fn noise(length: usize) -> String {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + u8::try_from(state % 26).unwrap())
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn an_event_that_kafka_refuses_holds_nobody_up_and_is_kept_or_told() {
    let directory = tempfile::tempdir().unwrap();
    let kafka = Kafka::start(directory.path());
    kafka.set_app_topic("max.message.bytes", "12000");
    let mut ingest = Ingest::start(directory.path(), &kafka.bootstrap(), PATIENT);
    ingest.wait_ready();
    let mut session = Session::default();
    session.send(&ingest, 10);
    let noise = noise(24_000);
    let large = |id: &str| {
        let (a, b, c) = (&noise[..8_000], &noise[8_000..16_000], &noise[16_000..]);
        format!(
            r#"{{"id":"{id}","type":"app.screen_viewed","context":{{"session_id":"s","seq":-1}},"data":{{"name":"home","a":"{a}","b":"{b}","c":"{c}"}}}}"#
        )
    };
    // It was promised while nobody could know that Kafka would refuse it.
    kafka.pause();
    session.send(&ingest, 10);
    let reply = post(&ingest.address, &large("too-large")).unwrap();
    assert_eq!(reply.status, 202, "{reply:?}");
    session.send(&ingest, 40);
    ingest.wait_metric("touchstream_ingest_spool_records", |records| records == 51.0);
    kafka.resume();
    wait_drained(&ingest);
    assert_eq!(ingest.metric("touchstream_ingest_spool_quarantined_total{reason=\"too_large\"}"), Some(1.0));
    let quarantine = std::fs::read(ingest.spool_file("quarantine")).unwrap();
    assert!(quarantine.windows(9).any(|window| window == b"too-large"), "it is kept");
    assert!(quarantine.len() < 40_000 && ingest.segments().is_empty());
    assert!(ingest.log().contains("it was put into quarantine") && !ingest.log().contains(&noise[..20]));

    wait_direct(&ingest, &mut session);
    let takeovers = ingest.metric("touchstream_ingest_spool_takeovers_total");

    // Now it is known: who sends such an event is told, and only about that event.
    let (ids, body) = session.body(2, 10);
    let mixed = format!("{},{}]", body.trim_end_matches(']'), large("known-now"));
    let reply = post(&ingest.address, &mixed).unwrap();
    let answer = reply.json();
    assert_eq!((reply.status, &answer["accepted"]), (202, &2.into()), "{answer}");
    assert_eq!(answer["rejected"][0]["index"], 2, "{answer}");
    assert_eq!(answer["rejected"][0]["code"], "refused_by_kafka", "{answer}");
    session.accepted.extend(ids);
    let reply = post(&ingest.address, &large("known-now")).unwrap();
    assert_eq!(reply.status, 422, "{reply:?}");
    let rejected = "touchstream_ingest_rejected_total{code=\"refused_by_kafka\"}";
    assert_eq!(ingest.metric(rejected), Some(2.0));
    assert_eq!(ingest.metric("touchstream_ingest_spool_takeovers_total"), takeovers, "not by way of the spool");

    // The next process knows of what is kept; and nothing else was lost.
    ingest.stop();
    ingest.start_again();
    ingest.wait_ready();
    assert_eq!(ingest.metric("touchstream_ingest_spool_quarantine_bytes"), Some(quarantine.len() as f64));
    session.send(&ingest, 10);
    ingest.stop();
    let stored = read_app(&kafka.bootstrap());
    check(&stored, &session.sent, &session.accepted);
}

/// Makes a key as `touchstream key create` does.
fn make_key(bootstrap: &str, source: &str) -> String {
    let mut settings = load(None).unwrap().settings;
    bootstrap.clone_into(&mut settings.kafka.brokers);
    PREFIX.clone_into(&mut settings.kafka.topic_prefix);
    let new = NewKey { tenant: "shop".to_owned(), source: source.to_owned(), ..NewKey::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(create_key(&settings, new)).unwrap()
}

fn revoke_key(bootstrap: &str, key: &str) {
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let hash: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    let topic = Topics::new(PREFIX).keys();
    producer.send(BaseRecord::<str, [u8]>::to(&topic).key(&hash)).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

#[test]
fn an_ingest_that_starts_without_kafka_knows_the_keys_of_its_last_run() {
    let directory = tempfile::tempdir().unwrap();
    let kafka = Kafka::start(directory.path());
    let (kept, revoked) = (make_key(&kafka.bootstrap(), "till"), make_key(&kafka.bootstrap(), "lost"));
    let mut ingest = Ingest::start(directory.path(), &kafka.bootstrap(), "spool_after_ms = 500");
    ingest.wait_ready();
    let event = |id: &str| {
        format!(r#"{{"id":"{id}","type":"app.change","context":{{"seq":1}},"data":{{"name":"x"}}}}"#)
    };
    let status = |ingest: &Ingest, key: &str, id: &str| {
        post_as(key, &ingest.address, &event(id)).map_or(0, |reply| reply.status)
    };
    assert_eq!((status(&ingest, &kept, "a"), status(&ingest, &revoked, "b")), (202, 202));
    assert_eq!(status(&ingest, "unknown", "c"), 401);

    ingest.kill();
    revoke_key(&kafka.bootstrap(), &revoked);
    kafka.pause();
    ingest.start_again();
    ingest.wait_ready();
    assert_eq!(status(&ingest, &kept, "d"), 202, "into the spool");
    // It may have been made since: a 401 would make its sender give up.
    let unknown = post_as("unknown", &ingest.address, &event("e")).unwrap();
    assert_eq!(unknown.status, 503, "{unknown:?}");
    assert!(unknown.head.to_ascii_lowercase().contains("retry-after:"), "{unknown:?}");
    kafka.resume();
    wait_for("Kafka to tell what was revoked", || status(&ingest, &revoked, "f") == 401);
    assert_eq!((status(&ingest, "unknown", "g"), status(&ingest, &kept, "h")), (401, 202));
    wait_drained(&ingest);
    ingest.stop();
    let stored: HashSet<String> = read_app(&kafka.bootstrap()).into_iter().map(|event| event.id).collect();
    assert!(["a", "d", "h"].iter().all(|id| stored.contains(*id)), "{stored:?}");
}
