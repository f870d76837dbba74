//! Records that nobody can count, among good ones and across a `kill -9`: each is filed once with its bytes, and its neighbours count.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::event::AppEvent;
use touchstream_schemas::rejected::Rejected;
use touchstream_schemas::time::EventTime;

use super::cluster::Cluster;
use super::committed::Committed;
use super::input::Input;
use crate::harness::oracle::HOUR;
use crate::harness::wait::{equal, until};

const PATIENCE: Duration = Duration::from_secs(120);
const RAW: [&str; 4] = ["cx.checkout", "cx.chat", "cx.feedback", "cx.app"];

/// Where a record stands.
type Place = (String, i32, i64);

#[test]
fn records_that_nobody_can_count_are_filed_once_and_stop_nothing() {
    let mut cluster = Cluster::start(&["one", ""]);
    let mut input = Input::start(cluster.ingest(), 3_000, Duration::from_secs(12), 7);
    let bootstrap = cluster.kafka.bootstrap();
    let (samples, _) = until("each raw topic has a record", PATIENCE, || {
        let samples = RAW.map(|topic| first_value(&bootstrap, topic));
        if samples.iter().all(Option::is_some) {
            Ok(samples.map(Option::unwrap_or_default))
        } else {
            Err(format!("{samples:?}"))
        }
    });
    let mut sent = HashMap::new();
    for round in 0..3 {
        sent.extend(send(&bootstrap, &poison(&samples)));
        if round == 1 {
            cluster.kill_and_restart(0);
            cluster.kill_and_restart(1);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    input.wait_sent();
    assert!(sent.len() > 3 * 4 * 8, "only {} bad records", sent.len());
    let (filed, _) = until("every bad record is filed", PATIENCE, || {
        cluster.assert_running();
        let filed = filed(&bootstrap);
        equal(&filed.len(), &sent.len()).map(|()| filed)
    });
    for (place, (bytes, headers, reason)) in &filed {
        let (expected, reasons) = sent.get(place).unwrap_or_else(|| panic!("{place:?} was good"));
        assert_eq!(bytes, expected, "the bytes of {place:?}");
        assert!(reasons.contains(&reason.as_str()), "{place:?} is {reason}, expected one of {reasons:?}");
        let (topic, partition, offset) = place;
        let told = [topic.clone(), partition.to_string(), offset.to_string(), reason.clone()];
        assert_eq!(*headers, told, "headers of {place:?}");
    }
    a_person_finds_them(&bootstrap, &filed);
    let mut committed = Committed::new(&bootstrap);
    until("the good ones count as if there were no others", PATIENCE, || {
        committed.read()?;
        let results = committed.results();
        equal(&results.not_final(input.end() + HOUR), &0)?;
        results.compare(input.events(), input.end() + HOUR)
    });
    let counted: f64 =
        (0..2).map(|place| cluster.sum_of(place, "touchstream_processor_left_out_records_total")).sum();
    // What was counted before the kill is gone with the process.
    assert!(counted >= sent.len() as f64 / 3.0, "only {counted} were counted");
    what_is_tried_again_is_judged_anew(&bootstrap, &filed);
}

/// Runs `touchstream rejected`; what it says, and its notes.
fn rejected(bootstrap: &str, arguments: &[&str]) -> (Vec<u8>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_touchstream"));
    command.arg("rejected").args(arguments).env("TOUCHSTREAM__KAFKA__BROKERS", bootstrap);
    let output = command.output().expect("the command runs");
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {notes}");
    (output.stdout, notes)
}

fn listed(bootstrap: &str) -> Vec<serde_json::Value> {
    let (lines, _) = rejected(bootstrap, &["list", "--last", "100000", "--json"]);
    let lines = String::from_utf8(lines).expect("JSON is text");
    lines.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn name((topic, partition, offset): &Place) -> String {
    format!("{topic}/{partition}/{offset}")
}

/// Still unknown, so it is refused again, at its new place and with the same bytes; asked for once more it is left alone.
fn what_is_tried_again_is_judged_anew(bootstrap: &str, filed: &HashMap<Place, Filed>) {
    let unknown: Vec<&Place> =
        filed.iter().filter(|(_, filing)| filing.2 == "unknown_schema").map(|(place, _)| place).collect();
    let asked = rejected(bootstrap, &["retry", "--reason", "unknown_schema", "--dry-run"]).1;
    assert!(asked.contains(&format!("{} records would be tried again", unknown.len())), "{asked}");
    let place = name(unknown[0]);
    let (said, _) = rejected(bootstrap, &["retry", &place]);
    let said = String::from_utf8(said).expect("text");
    let again = said.trim().rsplit(' ').next().expect("a place").to_owned();
    until("it is refused again", PATIENCE, || {
        let listed = listed(bootstrap);
        let reason = |place: &str| {
            listed.iter().find(|entry| entry["place"] == place).map(|entry| entry["reason"].clone())
        };
        equal(&listed.len(), &(filed.len() + 1))?;
        equal(&reason(&again), &Some("unknown_schema".into()))
    });
    let bytes = filed[unknown[0]].0.clone().expect("it has some");
    assert_eq!(rejected(bootstrap, &["show", &again, "--raw"]).0, bytes);
    let twice = String::from_utf8(rejected(bootstrap, &["retry", &place]).0).expect("text");
    assert_eq!(twice.trim(), format!("{place}  left alone: it was tried again as {again}"));
}

/// `touchstream rejected` lists each once and gives its bytes back.
fn a_person_finds_them(bootstrap: &str, filed: &HashMap<Place, Filed>) {
    let place_of = |entry: &serde_json::Value| entry["place"].as_str().expect("it has a place").to_owned();
    let mut places: Vec<String> = listed(bootstrap).iter().map(place_of).collect();
    let mut expected: Vec<String> = filed.keys().map(name).collect();
    places.sort();
    expected.sort();
    assert_eq!(places, expected, "each once");
    let (place, (bytes, ..)) =
        filed.iter().find(|(_, (bytes, ..))| bytes.is_some()).expect("most have a value");
    assert_eq!(
        Some(rejected(bootstrap, &["show", &name(place), "--raw"]).0),
        *bytes,
        "the bytes of {place:?}"
    );
}

/// A topic, a value, and the reasons that may be given for refusing it.
type Bad = (&'static str, Option<Vec<u8>>, &'static [&'static str]);
/// What was sent to a place, and the reasons that may be given.
type SentTo = (Place, (Option<Vec<u8>>, &'static [&'static str]));
/// What stands in the rejected topic: bytes, headers, reason.
type Filed = (Option<Vec<u8>>, [String; 4], String);

/// Bad records for each raw topic.
fn poison(samples: &[Vec<u8>; 4]) -> Vec<Bad> {
    let mut poison: Vec<Bad> = Vec::new();
    for (place, topic) in RAW.into_iter().enumerate() {
        let good = &samples[place];
        let other = &samples[(place + 1) % 4];
        let mut unknown = good.clone();
        unknown[2..10].copy_from_slice(b"no-such!");
        // A text whose length is told as two to the sixty-second.
        let bomb = [&good[..10], &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]].concat();
        poison.extend([
            (topic, None, ["no_value"].as_slice()),
            (topic, Some(Vec::new()), &["framing"]),
            (topic, Some(br#"{"type":"checkout.started"}"#.to_vec()), &["framing"]),
            (topic, Some(vec![0xff; 70_000]), &["framing"]),
            (topic, Some(unknown), &["unknown_schema"]),
            (topic, Some(good[..good.len() / 2].to_vec()), &["body"]),
            (topic, Some([good.as_slice(), b"more"].concat()), &["trailing_bytes"]),
            (topic, Some(other.clone()), &["body", "wrong_family"]),
            (topic, Some(bomb), &["body"]),
            // Without a registry there is no schema by number.
            (topic, Some(vec![0, 0, 0, 0, 9, 1, 2]), &["framing", "unknown_schema"]),
        ]);
    }
    let decoder = Decoder::new(&[&avro::APP_EVENT]);
    let mut encoder = Encoder::new(&avro::APP_EVENT, Framing::SingleObject);
    for (time, received_at) in [(0, i64::MAX), (i64::MAX, i64::MAX), (0, i64::MIN), (0, 0)] {
        let mut event: AppEvent<'_> = decoder.decode_event(&samples[3]).expect("it is an event of an app");
        (event.time, event.received_at) = (EventTime(time), EventTime(received_at));
        let bytes = encoder.encode(&event).expect("it is an event");
        poison.push(("cx.app", Some(bytes), &["time_out_of_range"]));
    }
    poison
}

fn send(bootstrap: &str, records: &[Bad]) -> Vec<SentTo> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("message.timeout.ms", "30000")
        .create()
        .expect("a producer can be made");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let sent = records.iter().map(|(topic, value, reasons)| {
        let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic);
        record.payload = value.as_deref();
        let delivery = runtime.block_on(producer.send(record, PATIENCE)).expect("Kafka takes it");
        let place = ((*topic).to_owned(), delivery.partition, delivery.offset);
        (place, (value.clone(), *reasons))
    });
    sent.collect()
}

fn reader(bootstrap: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "poison-judge")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .create()
        .expect("a client can be made")
}

fn assign(reader: &BaseConsumer, topic: &str, partitions: i32) {
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("it is new");
    }
    reader.assign(&list).expect("partitions can be read");
}

/// The first value in a topic that is one of a good event.
fn first_value(bootstrap: &str, topic: &str) -> Option<Vec<u8>> {
    let reader = reader(bootstrap);
    assign(&reader, topic, 3);
    let message = reader.poll(Duration::from_secs(2))?.ok()?;
    message.payload().map(<[u8]>::to_vec)
}

/// Everything in the rejected topic by where it stood: its bytes, its headers, its reason. Each place once.
fn filed(bootstrap: &str) -> HashMap<Place, Filed> {
    let reader = reader(bootstrap);
    assign(&reader, "cx.rejected", 1);
    let decoder = Decoder::new(&[&avro::REJECTED]);
    let mut filed = HashMap::new();
    while let Some(message) = reader.poll(Duration::from_secs(2)) {
        let message = message.expect("the topic can be read");
        let why: Rejected<'_> = decoder.decode(message.key().expect("a key")).expect("the key says why");
        assert_eq!(why.stage, "processor");
        let headers = message.headers().expect("headers");
        let header = |name: &str| {
            let found = headers.iter().find(|header| header.key == name).and_then(|header| header.value);
            String::from_utf8_lossy(found.unwrap_or_default()).into_owned()
        };
        let told = ["topic", "partition", "offset", "reason"].map(header);
        let place = (why.topic.to_owned(), why.partition, why.offset);
        let value = (message.payload().map(<[u8]>::to_vec), told, why.reason.to_owned());
        assert!(filed.insert(place.clone(), value).is_none(), "{place:?} is filed twice");
    }
    filed
}
