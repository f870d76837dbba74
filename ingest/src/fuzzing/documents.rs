//! Parse, validate, encode. The first byte chooses the format and the limits; the rest is the body.
//!
//! Promises: what parses re-parses equal, also when the other format holds it; what serde_json takes and the limits allow is
//! taken; an error's place lies inside the body; limits hold; no answer grows with what was sent or repeats it; what is stored can
//! be read again and holds no identity in clear.

use std::fmt::Write;
use std::sync::LazyLock;

use bumpalo::Bump;
use serde_json::Value;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, Family, FeedbackEvent};
use touchstream_schemas::time::{EventTime, Millis};

use crate::keys::{StoredKey, WriteKey};
use crate::parse::{self, Entry, Format, ParseError, ParseLimits, Part, SentEvent};
use crate::problem::{Findings, Problem};
use crate::record::Record;
use crate::validate::{Rules, Setting, validate};

/// Received when this was written, so that times in the corpus stay what they are.
const RECEIVED_AT: EventTime = EventTime(1_795_341_600_000);
/// Values that hold this are never repeated by an answer.
const CANARY: &str = "canary";
/// Longest message: a list of all types of a family.
const MESSAGE_BYTES: usize = 400;
/// Longest field that an answer names, with its path.
const FIELD_BYTES: usize = 104;
/// Length of a pseudonym.
const PSEUDONYM_CHARACTERS: usize = 22;

static KEY: LazyLock<WriteKey> = LazyLock::new(|| {
    let stored = r#"{"tenant":"shop","source":"web","legal_basis":"consent","created_at":""}"#;
    let stored: StoredKey = serde_json::from_str(stored).expect("it is a key");
    WriteKey::new(stored, "a secret of the fuzzer")
});
static DECODER: LazyLock<Decoder> = LazyLock::new(|| Decoder::new(&Family::ALL.map(avro::of_family)));

/// The identities of an event.
macro_rules! ids {
    ($event:expr) => {
        [$event.customer_id, $event.anonymous_id, $event.session_id, $event.account_id]
    };
}

/// Takes a body as far as Kafka's queue.
pub fn parse(input: &[u8]) {
    let Some((choice, body)) = input.split_first() else { return };
    let format = if choice & 1 == 0 { Format::Json } else { Format::Ndjson };
    let limits = ParseLimits {
        events: if choice & 2 == 0 { 1_000 } else { 3 },
        depth: if choice & 4 == 0 { 16 } else { 4 },
    };
    let entries = match parse::parse(body, format, limits) {
        Ok(entries) => entries,
        Err(error) => {
            check_error(&error, body);
            assert!(format == Format::Ndjson || !must_be_taken(body, limits), "refused: {error:?}");
            return;
        }
    };
    assert!(entries.len() <= limits.events, "{} entries", entries.len());
    check_again(&entries, limits);
    check_validation(&entries);
}

pub(super) fn check_error(error: &ParseError, body: &[u8]) {
    let ParseError::Syntax { message, line, column, .. } = error else { return };
    assert!(!message.is_empty() && message.len() <= MESSAGE_BYTES, "{message}");
    assert!(!message.contains(CANARY), "{message}");
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
    assert!((1..=lines.len()).contains(line), "line {line} of {}", lines.len());
    let length = lines[line - 1].len();
    assert!((1..=length + 1).contains(column), "column {column} of {length}");
}

/// Whether serde_json takes it and no limit of ours speaks against it.
fn must_be_taken(body: &[u8], limits: ParseLimits) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return false };
    match value {
        Value::Array(events) => {
            events.len() <= limits.events && events.iter().all(|event| depth(event) <= limits.depth)
        }
        Value::Object(_) => depth(&value) <= limits.depth,
        _ => false,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Written down as an array, they parse to the same.
fn check_again(entries: &[Entry<'_>], limits: ParseLimits) {
    let written = write(entries);
    let again = parse::parse(written.as_bytes(), Format::Json, limits)
        .unwrap_or_else(|error| panic!("{error:?} when parsed again: {written}"));
    assert_eq!(write(&again), written);
    for (entry, again) in entries.iter().zip(&again) {
        if let (Entry::Event(event), Entry::Event(again)) = (entry, again)
            && event.unknown.is_empty()
            && event.twice.is_none()
        {
            assert_eq!(event.bytes, again.bytes, "{written}");
        }
    }
}

fn write(entries: &[Entry<'_>]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|entry| match entry {
            Entry::Event(event) => write_event(event),
            _ => "0".to_owned(),
        })
        .collect();
    format!("[{}]", entries.join(","))
}

fn write_event(event: &SentEvent<'_>) -> String {
    let mut fields = Vec::new();
    let plain =
        [("id", event.id), ("type", event.event_type), ("time", event.time), ("sent_at", event.sent_at)];
    fields.extend(plain.iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", value.as_ref()?))));
    for (name, part) in [("context", &event.context), ("data", &event.data)] {
        match part {
            Part::Missing => {}
            Part::NotAnObject => fields.push(format!("\"{name}\":0")),
            Part::Fields(values) => {
                let mut object = String::new();
                for (name, value) in values {
                    let comma = if object.is_empty() { "" } else { "," };
                    write!(object, "{comma}{}:{value}", Value::from(&**name))
                        .expect("strings take everything");
                }
                fields.push(format!("\"{name}\":{{{object}}}"));
            }
        }
    }
    fields.extend(event.unknown.iter().map(|name| format!("{}:null", Value::from(&**name))));
    format!("{{{}}}", fields.join(","))
}

/// Validates what was parsed, by the rules of the default settings.
pub(super) fn check_validation(entries: &[Entry<'_>]) {
    let arena = Bump::new();
    let rules = Rules {
        max_event_bytes: 65_536,
        skew_tolerance: Millis(60_000),
        future_tolerance: Millis(600_000),
        keep_agent_ids: true,
    };
    let setting = Setting {
        rules,
        key: &KEY,
        pseudonyms: &KEY.pseudonyms,
        received_at: RECEIVED_AT,
        opted_out: false,
        touchpoints: None,
        arena: &arena,
    };
    let mut findings = Findings::default();
    for (index, entry) in entries.iter().enumerate() {
        let Entry::Event(event) = entry else { continue };
        let problems = findings.problems.len();
        let verdict = validate(event, index, setting, &mut findings);
        match verdict.event {
            Some(record) => check_record(&record),
            None => assert!(findings.problems.len() > problems, "refused without a reason: {event:?}"),
        }
    }
    for problem in findings.problems.iter().chain(&findings.warnings) {
        check_answer(problem);
    }
}

fn check_answer(problem: &Problem) {
    assert!(problem.message.len() <= MESSAGE_BYTES, "{problem:?}");
    assert!(!problem.message.contains(CANARY), "{problem:?}");
    assert!(problem.field.as_ref().is_none_or(|field| field.len() <= FIELD_BYTES), "{problem:?}");
}

/// It fits its schema, is the same when it is read, and its key is never empty.
fn check_record(record: &Record<'_>) {
    let (family, ids) = match record {
        Record::Checkout(event) => (Family::Checkout, ids!(event)),
        Record::Chat(event) => (Family::Chat, ids!(event)),
        Record::Feedback(event) => (Family::Feedback, ids!(event)),
        Record::App(event) => (Family::App, ids!(event)),
    };
    for id in ids.into_iter().flatten() {
        assert_eq!(id.len(), PSEUDONYM_CHARACTERS, "{id} is stored in clear");
    }
    let key = record.key();
    assert!(key.len() > "shop".len(), "{key}");
    let bytes = Encoder::new(avro::of_family(family), Framing::SingleObject)
        .encode(record)
        .unwrap_or_else(|error| panic!("{error}: {record:?}"));
    macro_rules! same {
        ($event:expr, $kind:ty) => {
            assert_eq!($event, &DECODER.decode::<$kind>(&bytes).expect("what was written can be read"))
        };
    }
    match record {
        Record::Checkout(event) => same!(event, CheckoutEvent<'_>),
        Record::Chat(event) => same!(event, ChatEvent<'_>),
        Record::Feedback(event) => same!(event, FeedbackEvent<'_>),
        Record::App(event) => same!(event, AppEvent<'_>),
    }
}
