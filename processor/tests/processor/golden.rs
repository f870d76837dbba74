//! The hand-written cases of `tests/golden`: what the definitions demand of a few events, in every order of arrival that is tried.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use touchstream_processor::measure::checkout::{CheckoutPoint, CheckoutRules};
use touchstream_processor::measure::conversation::{ConversationPoint, ConversationRules};
use touchstream_processor::measure::feedback::{Feedback, FeedbackRules};
use touchstream_processor::measure::journeys::Rules;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, FeedbackEvent};
use touchstream_schemas::keys;
use touchstream_schemas::money::Money;
use touchstream_schemas::time::EventTime;

/// Milliseconds of an RFC 3339 time in UTC with up to three decimals.
pub(crate) fn time_of(value: &Value) -> EventTime {
    let time: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
    EventTime(time.as_millisecond())
}

fn json_or(time: &Value, otherwise: EventTime) -> EventTime {
    if time.is_null() { otherwise } else { time_of(time) }
}

/// Sets the fields of an event that the JSON names, borrowed from it.
macro_rules! fill {
    ($event:ident from $json:ident: texts $($text:ident)*; numbers $($number:ident)*; flags $($flag:ident)*) => {
        $($event.$text = $json["data"][stringify!($text)].as_str();)*
        $($event.$number = $json["data"][stringify!($number)].as_i64().map(|number| i32::try_from(number).unwrap());)*
        $($event.$flag = $json["data"][stringify!($flag)].as_bool();)*
        ($event.id, $event.event_type) = ($json["id"].as_str().unwrap(), $json["type"].as_str().unwrap());
        $event.time = time_of(&$json["time"]);
        $event.received_at = json_or(&$json["received_at"], $event.time);
        // Ingest stores the reserved word as unknown.
        let sent = |name: &str| $json["context"][name].as_str().filter(|value| !value.eq_ignore_ascii_case("all"));
        let dimension = |name: &str| sent(name).unwrap_or("unknown");
        ($event.touchpoint, $event.channel) = (dimension("touchpoint"), dimension("channel"));
        $event.device = dimension("device");
        $event.traffic = $json["context"]["traffic"].as_str().unwrap_or("human");
        $event.session_id = $json["context"]["session_id"].as_str();
        $event.anonymous_id = $json["context"]["anonymous_id"].as_str();
        $event.customer_id = $json["context"]["customer_id"].as_str();
    };
}

pub(crate) fn checkout_event(json: &Value) -> CheckoutEvent<'_> {
    let mut event = crate::events::empty_checkout();
    fill!(event from json: texts checkout_id cart_id order_id step action error reason transaction_id currency;
          numbers items; flags);
    let data = &json["data"];
    event.step_index = data["index"].as_i64().map(|index| i32::try_from(index).unwrap());
    event.friction_kind = data["kind"].as_str();
    event.value = match &data["value"] {
        Value::Null => None,
        Value::String(text) => Some(text.parse().unwrap()),
        number => Some(number.to_string().parse::<Money>().unwrap()),
    };
    event
}

pub(crate) fn chat_event(json: &Value) -> ChatEvent<'_> {
    let mut event = crate::events::empty_chat();
    fill!(event from json: texts case_id topic initiator message_id sender requested_by state answer_id reasked_field; numbers;
          flags public fallback);
    event.conversation_id = json["data"]["conversation_id"].as_str().unwrap();
    event
}

pub(crate) fn feedback_event(json: &Value) -> FeedbackEvent<'_> {
    let mut event = crate::events::empty_feedback();
    fill!(event from json: texts survey_id submission_id question_id metric choice driver respondent text;
          numbers score scale_min scale_max scene; flags);
    event
}

pub(crate) fn app_event(json: &Value) -> AppEvent<'_> {
    let mut event = crate::events::empty_app();
    fill!(event from json: texts name result code; numbers status; flags fatal);
    event.duration_ms = json["data"]["duration_ms"].as_i64();
    event
}

/// The facts of a case in order of key and time, as JSON with the names and forms of the cases.
fn facts<R: Rules>(rules: &R, journeys: BTreeMap<String, Vec<R::Point>>, as_of: EventTime) -> Vec<Value>
where
    R::Fact: serde::Serialize,
{
    let mut facts = Vec::new();
    for (key, mut points) in journeys {
        points.sort_by(|one, other| R::position(one).cmp(&R::position(other)));
        points.dedup_by(|one, other| R::position(one) == R::position(other));
        for fact in rules.evaluate("t", &key, &points, as_of).facts {
            facts.push(serde_json::to_value(fact).unwrap());
        }
    }
    facts
}

/// Times as RFC 3339 and reached steps by name, as the cases write them.
fn as_in_cases(mut fact: Value, names: &Map<String, Value>) -> Value {
    for (name, value) in fact.as_object_mut().unwrap() {
        let is_time = name.ends_with("_at") || name == "time" || name == "waiting_since";
        if is_time && let Some(milliseconds) = value.as_i64() {
            *value = json!(milliseconds);
        }
        if name == "reached" {
            *value = value.as_array().unwrap().iter().map(|step| step["step"].clone()).collect();
        }
    }
    fact.as_object_mut().unwrap().retain(|name, _| names.contains_key(name));
    fact
}

/// An expected fact with its times in milliseconds.
fn expected_fact(fact: &Value) -> Value {
    fn convert(value: &Value) -> Value {
        match value {
            Value::String(text) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => json!(time.as_millisecond()),
                Err(_) => value.clone(),
            },
            Value::Array(values) => values.iter().map(convert).collect(),
            Value::Object(object) => {
                Value::Object(object.iter().map(|(name, value)| (name.clone(), convert(value))).collect())
            }
            other => other.clone(),
        }
    }
    convert(fact)
}

/// The kinds of facts and a field that only they have.
const KINDS: [(&str, &str); 5] = [
    ("checkouts", "attempt_id"),
    ("conversations", "cycle"),
    ("contacts", "is_contained"),
    ("answers", "question"),
    ("shown", "is_answered"),
];

/// The cases of a file.
pub(crate) fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What the case says of the touchpoints of its tenant: lists and texts in JSON are such in TOML, too.
fn touchpoints(case: &Value) -> Touchpoints {
    let mut text = String::new();
    for (name, fields) in case["touchpoints"].as_object().into_iter().flatten() {
        writeln!(text, "[tenants.t.touchpoints.{name}]").unwrap();
        for (field, value) in fields.as_object().unwrap() {
            writeln!(text, "{field} = {value}").unwrap();
        }
    }
    Touchpoints::parse("the case", &text).unwrap()
}

/// Compares the facts of every kind that a case names.
fn check(file: &str, facts_of: impl Fn(&Value, &[Value]) -> Vec<Value>) {
    let cases = cases(file);
    assert!(cases.len() >= 10, "{file} holds the cases");
    for case in &cases {
        let mut events = case["events"].as_array().unwrap().clone();
        for order in ["as written", "reversed"] {
            let found = facts_of(case, &events);
            let name = case["name"].as_str().unwrap();
            let kinds: Vec<_> = KINDS.iter().filter(|(kind, _)| case["expect"][kind].is_array()).collect();
            assert!(!kinds.is_empty(), "{name} expects something");
            for (kind, field) in kinds {
                let expected = case["expect"][kind].as_array().unwrap();
                let found: Vec<&Value> = found.iter().filter(|fact| fact.get(field).is_some()).collect();
                assert_eq!(found.len(), expected.len(), "{name} ({order}), {kind}: {found:#?}");
                for (found, expected) in found.into_iter().zip(expected) {
                    let expected = expected_fact(expected);
                    let found = as_in_cases(found.clone(), expected.as_object().unwrap());
                    assert_eq!(found, expected, "{name} ({order}), {kind}");
                }
            }
            events.reverse();
        }
    }
}

#[test]
fn checkouts() {
    let rules = CheckoutRules::new(&crate::events::default_settings().metrics, Arc::default());
    check("checkouts.json", |case, events| {
        let mut journeys: BTreeMap<String, Vec<CheckoutPoint>> = BTreeMap::new();
        for event in events.iter().map(checkout_event).filter(|event| event.traffic == "human") {
            if let (Some(key), Some(point)) =
                (keys::attempt(&event), CheckoutPoint::of(&event, &Touchpoints::default()))
            {
                journeys.entry(key.to_owned()).or_default().push(point);
            }
        }
        facts(&rules, journeys, time_of(&case["as_of"]))
    });
}

#[test]
fn conversations() {
    let settings = crate::events::default_settings();
    check("conversations.json", |case, events| {
        let rules = ConversationRules::new(&settings.metrics, Arc::new(touchpoints(case)));
        let mut journeys: BTreeMap<String, Vec<ConversationPoint>> = BTreeMap::new();
        for event in events.iter().map(chat_event).filter(|event| event.traffic == "human") {
            let point = ConversationPoint::of(&event, &Touchpoints::default());
            journeys.entry(event.conversation_id.to_owned()).or_default().push(point);
        }
        facts(&rules, journeys, time_of(&case["as_of"]))
    });
}

#[test]
fn answers() {
    let rules = FeedbackRules::new(&crate::events::default_settings().metrics);
    check("answers.json", |case, events| {
        let mut journeys: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for event in events.iter().map(feedback_event).filter(|event| event.traffic == "human") {
            if let Some(point) = Feedback::of(&event, &Touchpoints::default()) {
                journeys.entry(keys::feedback(&event).to_owned()).or_default().push(point);
            }
        }
        facts(&rules, journeys, time_of(&case["as_of"]))
    });
}

/// The README of the cases says where each known answer stands.
#[test]
fn every_known_answer_has_a_case() {
    let readme = include_str!("../../../tests/golden/README.md");
    let (_, table) = readme.split_once("## Known answers").unwrap();
    let mut found = 0;
    for line in table.lines().filter(|line| line.contains(".json")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, answer, file, name, _] = cells[..] else { panic!("{line} has no three columns") };
        let is_there = cases(file.trim_matches('`')).iter().any(|case| case["name"] == name);
        assert!(is_there, "{answer}: no case of {file} has this name");
        found += 1;
    }
    assert_eq!(found, 20);
}
