//! The hand-written cases of `tests/golden/windows.json`: events through all stages, and the rows that readers see at a time. Partitions
//! that no event of a case falls into are silent all the while.

use serde_json::{Map, Value, json};
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::event::Family;
use touchstream_schemas::keys;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;
use touchstream_schemas::windows::Window;

use crate::golden::{app_event, cases, chat_event, checkout_event, feedback_event, time_of};
use crate::log::{Log, Owner};

/// Family, Kafka key, record and time of receipt.
fn encoded(json: &Value) -> (Family, String, Vec<u8>, EventTime) {
    let family = Family::of_type(json["type"].as_str().unwrap()).unwrap();
    let mut encoder = Encoder::new(avro::of_family(family), Framing::SingleObject);
    let (key, value, received_at) = match family {
        Family::Checkout => {
            let event = checkout_event(json);
            (keys::checkout(&event).to_owned(), encoder.encode(&event).unwrap(), event.received_at)
        }
        Family::Chat => {
            let event = chat_event(json);
            (keys::chat(&event).to_owned(), encoder.encode(&event).unwrap(), event.received_at)
        }
        Family::Feedback => {
            let event = feedback_event(json);
            (keys::feedback(&event).to_owned(), encoder.encode(&event).unwrap(), event.received_at)
        }
        Family::App => {
            let event = app_event(json);
            (keys::app(&event).to_owned(), encoder.encode(&event).unwrap(), event.received_at)
        }
    };
    (family, keys::join(&["t", &key]), value, received_at)
}

/// Both stages, and that of contacts, from the first event to `now`, waking up at every event and a few times at the end.
fn log_of(case: &Value, now: EventTime) -> Log {
    let settings = crate::events::default_settings();
    let topics = Topics::new("cx");
    let mut events: Vec<_> = case["events"].as_array().unwrap().iter().map(encoded).collect();
    events.sort_by_key(|(_, _, _, received_at)| *received_at);
    let mut log = Log::default();
    let begin = events[0].3;
    let touchpoints = std::sync::Arc::default();
    let stages = [crate::log::measure, crate::log::contacts, crate::log::roll_up];
    let mut owners = stages.map(|stage| Owner::take_over(stage(&settings, &touchpoints), &log, begin));
    let mut settle = |log: &mut Log, at: EventTime| {
        for owner in &mut owners {
            owner.step(log, 10_000, at, false);
        }
    };
    for (family, key, value, received_at) in events {
        let partition = crate::log::partition_of(key.as_bytes());
        log.append(&topics.raw(family), partition, &key, value, received_at);
        settle(&mut log, received_at);
    }
    // Long stretches are caught up with six hours at a time.
    for round in (0..60).rev() {
        settle(&mut log, now - Millis(round * 1_000));
    }
    log
}

/// Numbers of a window by the names that readers see.
fn numbers(window: &Window<'_>) -> (&'static str, Map<String, Value>) {
    let (object, numbers) = if let Some(scores) = window.scores {
        let numbers = json!({"n": scores.answers, "promoters_n": scores.top, "passives_n": scores.middle,
            "detractors_n": scores.bottom});
        match window.metric {
            "response_rate" => {
                ("response_rates", json!({"shown_n": scores.answers, "answered_n": scores.top}))
            }
            "csat" => ("csat", json!({"n": scores.answers, "satisfied_n": scores.top})),
            "ces" => ("ces", json!({"n": scores.answers, "satisfied_n": scores.top})),
            _ => ("nps", numbers),
        }
    } else if let Some(app) = window.app {
        let numbers = json!({"n": app.durations.n, "errors_n": app.errors, "tasks_n": app.tasks,
            "successes_n": app.successes});
        ("app_response", numbers)
    } else if let Some(counts) = window.service {
        let numbers = json!({"conversations_n": counts.conversations, "bot_n": counts.bot,
            "contained_n": counts.contained, "contained_net_n": counts.contained - counts.returned,
            "handoffs_n": counts.handoffs, "human_requests_n": counts.human_requests,
            "human_reached_n": counts.human_reached, "bot_loops_n": counts.bot_loops,
            "reasked_n": counts.reasked, "reopened_n": counts.reopened});
        ("service_quality", numbers)
    } else {
        ("another", json!({}))
    };
    let mut numbers = numbers.as_object().unwrap().clone();
    numbers.insert("is_final".to_owned(), window.is_final.into());
    (object, numbers)
}

#[test]
fn windows() {
    let decoder = Decoder::new(&[&avro::WINDOW]);
    let cases = cases("windows.json");
    assert!(cases.len() >= 6);
    for case in &cases {
        let (name, now) = (case["name"].as_str().unwrap(), time_of(&case["now"]));
        let log = log_of(case, now);
        let values = log.values(&Topics::new("cx").windows());
        let windows: Vec<Window<'_>> =
            values.iter().map(|(_, value)| decoder.decode(value).unwrap()).collect();
        for expected in case["expect"]["windows"].as_array().unwrap() {
            let dimension = |field: &str| expected[field].as_str().unwrap_or("all");
            let end = time_of(&expected["window_end"]);
            let newest = windows
                .iter()
                .filter(|window| {
                    numbers(window).0 == expected["object"]
                        && window.window == expected["window"]
                        && window.window_end == end
                        && window.touchpoint == dimension("touchpoint")
                        && window.channel == dimension("channel")
                        && window.device == dimension("device")
                        && ["scale", "name"]
                            .iter()
                            .all(|column| expected[column].as_str().is_none_or(|text| window.detail == text))
                })
                .max_by_key(|window| window.revision);
            if expected["n"].is_null() && expected.get("n").is_some() {
                assert_eq!(newest, None, "{name}: {expected}");
                continue;
            }
            let found = numbers(newest.unwrap_or_else(|| panic!("{name}: {expected} is missing"))).1;
            for (field, value) in expected.as_object().unwrap() {
                if let Some(found) = found.get(field) {
                    assert_eq!(found, value, "{name}: {field} of {expected}");
                } else {
                    let known = [
                        "object",
                        "window",
                        "window_end",
                        "touchpoint",
                        "channel",
                        "device",
                        "scale",
                        "name",
                    ];
                    assert!(known.contains(&field.as_str()), "{name}: {field} is no field of {expected}");
                }
            }
        }
    }
}
