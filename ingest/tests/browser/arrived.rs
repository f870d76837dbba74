//! What is in Kafka, compared with what the pages did: each expected event under exactly one id, sessions without gaps and in order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::Message;
use serde_json::Value;
use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, FeedbackEvent};

use crate::harness::{PATIENCE, read_topic};

/// How often a label is expected, by variant.
type Expected = BTreeMap<String, BTreeMap<String, usize>>;

/// Compares.
pub(crate) fn check(brokers: &str, prefix: &str, expected: &Expected) {
    let total: usize = expected.values().flat_map(BTreeMap::values).sum();
    // A beacon may still be on its way.
    let begun = Instant::now();
    let (events, copies) = loop {
        let (events, copies) = distinct(read(brokers, prefix));
        println!("{:?}: {} of {total} events", begun.elapsed(), events.len());
        if events.len() >= total || begun.elapsed() > PATIENCE {
            break (events, copies);
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let mut found = Expected::new();
    for event in &events {
        let variant = event["variant"].as_str().unwrap_or("none").to_owned();
        *found.entry(variant).or_default().entry(label(event)).or_default() += 1;
    }
    for (variant, labels) in expected.iter().filter(|(_, labels)| !labels.is_empty()) {
        assert_eq!(
            found.get(variant),
            Some(labels),
            "events of {variant}, found on the left, expected on the right"
        );
    }
    let mut unexpected = found.clone();
    unexpected.retain(|variant, _| !expected.contains_key(variant));
    assert!(unexpected.is_empty(), "{unexpected:?}");
    check_sessions(&events);
    println!("{} events in Kafka, {copies} further copies with the same ids", events.len());
}

fn read(brokers: &str, prefix: &str) -> Vec<Value> {
    let mut events = Vec::new();
    macro_rules! read {
        ($family:literal, $schema:ident, $kind:ident) => {
            let decoder = Decoder::new(&[&avro::$schema]);
            for record in read_topic(brokers, &format!("{prefix}.{}", $family)) {
                let event: $kind<'_> = decoder.decode(record.payload().unwrap()).unwrap();
                events.push(serde_json::to_value(event).unwrap());
            }
        };
    }
    read!("checkout", CHECKOUT_EVENT, CheckoutEvent);
    read!("chat", CHAT_EVENT, ChatEvent);
    read!("feedback", FEEDBACK_EVENT, FeedbackEvent);
    read!("app", APP_EVENT, AppEvent);
    events
}

/// First copies, and the number of others.
fn distinct(events: Vec<Value>) -> (Vec<Value>, usize) {
    let all = events.len();
    let mut seen = BTreeSet::new();
    let first: Vec<Value> =
        events.into_iter().filter(|event| seen.insert(event["id"].as_str().unwrap().to_owned())).collect();
    let copies = all - first.len();
    (first, copies)
}

/// The type and what tells events of a type apart.
fn label(event: &Value) -> String {
    let mut label = event["type"].as_str().unwrap().to_owned();
    // Without consent ingest replaces ids that other systems know by others.
    let is_followed = !event["anonymous_id"].is_null();
    for field in ["step", "action", "name", "transaction_id", "metric", "score", "code"] {
        match &event[field] {
            _ if field == "transaction_id" && !is_followed => {}
            Value::String(text) => label.push_str(&format!(" {text}")),
            Value::Number(number) => label.push_str(&format!(" {number}")),
            _ => {}
        }
    }
    label
}

/// Within a session the numbers are 1, 2, 3 … and their order is that of the device's clock. Where that clock is wrong, corrected times hold
/// the transit of their request, so their order says nothing.
fn check_sessions(events: &[Value]) {
    let mut sessions: BTreeMap<&str, BTreeMap<i64, &Value>> = BTreeMap::new();
    for event in events {
        let (Some(session), Some(seq)) = (event["session_id"].as_str(), event["seq"].as_i64()) else {
            continue;
        };
        let other = sessions.entry(session).or_default().insert(seq, event);
        assert!(other.is_none(), "two events have number {seq}: {event} {other:?}");
    }
    assert!(!sessions.is_empty(), "no event has a session");
    for numbered in sessions.values() {
        let variant = numbered.values().next().unwrap()["variant"].clone();
        let numbers: Vec<i64> = numbered.keys().copied().collect();
        let whole: Vec<i64> = (1..).take(numbers.len()).collect();
        assert_eq!(numbers, whole, "session of {variant}");
        let times: Vec<i64> =
            numbered.values().map(|event| event["original_time"].as_i64().unwrap()).collect();
        assert!(times.is_sorted(), "session of {variant}: {times:?}");
    }
}
