//! The golden cases of tests/golden against the oracle: each is a handful of events and the facts that the definitions demand.

use serde_json::{Value, json};

use super::outcomes::outcomes;
use super::windows::{Names, Row, RowKey, Table, WINDOWS, window_rows};
use super::{Answer, Attempt, Contact, Cycle, Event, Touchpoints, Truth, rfc3339, time_of};

const CASES: [(&str, &str); 3] = [
    ("checkouts", include_str!("../../golden/checkouts.json")),
    ("conversations", include_str!("../../golden/conversations.json")),
    ("answers", include_str!("../../golden/answers.json")),
];

#[test]
fn the_oracle_follows_the_definitions() {
    let mut wrong = Vec::new();
    for (file, cases) in CASES {
        let cases: Vec<Value> = serde_json::from_str(cases).unwrap_or_else(|error| panic!("{file}: {error}"));
        for case in cases {
            let events: Vec<Event> = list(&case["events"]).iter().map(Event::from_value).collect();
            let as_of = time_of(case["as_of"].as_str().expect("as_of is a time"));
            let truth = Truth::of(&events, as_of, &Touchpoints(case["touchpoints"].clone()));
            let found = json!({
                "checkouts": truth.attempts.iter().map(attempt).collect::<Vec<_>>(),
                "conversations": truth.cycles.iter().map(cycle).collect::<Vec<_>>(),
                "contacts": truth.contacts.iter().map(contact).collect::<Vec<_>>(),
                "answers": truth.answers.iter().map(answer).collect::<Vec<_>>(),
            });
            for kind in ["checkouts", "conversations", "contacts", "answers"] {
                // A case about cycles need not speak of contacts, nor the other way round.
                if case["expect"][kind].is_null() && file == "conversations" {
                    continue;
                }
                compare(
                    &format!("{file}: {} / {kind}", case["name"]),
                    &case["expect"][kind],
                    &found[kind],
                    &mut wrong,
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The rows that the cases of windows.json expect; whether they are final is the processor's matter.
#[test]
fn the_oracle_shows_the_rows_of_the_cases() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../golden/windows.json")).expect("the cases are JSON");
    let mut wrong = Vec::new();
    for case in cases {
        let events: Vec<Event> = list(&case["events"]).iter().map(Event::from_value).collect();
        let now = time_of(case["now"].as_str().expect("now is a time"));
        let truth = Truth::of(&events, now, &Touchpoints::default());
        let outcomes = outcomes(&truth);
        for expected in list(&case["expect"]["windows"]) {
            let text = |field: &str| expected[field].as_str().unwrap_or("all").to_owned();
            let table = Table::ALL.into_iter().find(|table| expected["object"] == table.name());
            let table = table.expect("the object exists");
            let mut names = Names::default();
            let newest = now + 24 * super::HOUR;
            let rows = window_rows(table, &outcomes, newest, &mut names);
            let key = RowKey {
                window: WINDOWS.iter().find(|window| expected["window"] == window.name).expect("a size").name,
                minute: time_of(&text("window_end")) / super::MINUTE,
                series: names.number(&[text("touchpoint"), text("channel"), text("device")].join("\t")),
                detail: names.number(
                    &table.details().iter().map(|column| text(column)).collect::<Vec<_>>().join("\t"),
                ),
            };
            for (name, place) in table.counts().iter().zip(0..) {
                let Some(count) = expected.get(name) else { continue };
                // Windows that end more than one advance after now have no row yet.
                let is_too_new = count.is_null() && key.minute * super::MINUTE > now;
                let found = rows.get(&key).map(|row: &Row| row.counts[place]);
                if json!(found) != *count && !is_too_new {
                    wrong.push(format!("{}: {name} is {found:?} in {expected}", case["name"]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Every expected fact must be there, in order, with at least the fields that the case names; an absent list expects none.
fn compare(place: &str, expected: &Value, found: &Value, wrong: &mut Vec<String>) {
    let (expected, found) = (list(expected), list(found));
    if expected.len() != found.len() {
        wrong.push(format!("{place}: expected {} facts, found {found:#?}", expected.len()));
        return;
    }
    for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
        for (field, value) in expected.as_object().expect("a fact is an object") {
            if found.get(field) != Some(value) {
                wrong.push(format!("{place} {number}: {field} should be {value}, is {:?}", found.get(field)));
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn time(time: Option<i64>) -> Value {
    time.map_or(Value::Null, |time| rfc3339(time).into())
}

fn attempt(attempt: &Attempt) -> Value {
    let (reason, source) =
        attempt.reason.clone().map_or((None, None), |(reason, source)| (Some(reason), Some(source)));
    json!({
        "attempt_id": attempt.id,
        "touchpoint": attempt.dimensions.0[0], "channel": attempt.dimensions.0[1], "device": attempt.dimensions.0[2],
        "state": attempt.state,
        "started_at": time(Some(attempt.started_at)),
        "ended_at": time(attempt.ended_at),
        "last_event_at": time(Some(attempt.last_event_at)),
        "transaction_id": attempt.transaction_id,
        "furthest_step": attempt.furthest_step,
        "furthest_step_index": attempt.furthest_step_index,
        "reached": attempt.reached.iter().map(|(step, _)| step).collect::<Vec<_>>(),
        "reason": reason, "reason_source": source,
        "value": attempt.value.map(|value| format!("{}.{:04}", value / 10_000, value % 10_000)),
        "currency": attempt.currency, "items": attempt.items, "duration_ms": attempt.duration_ms,
    })
}

fn cycle(cycle: &Cycle) -> Value {
    let replies =
        cycle.replies.iter().map(|(at, waited)| json!({"at": time(Some(*at)), "waited_ms": waited}));
    json!({
        "conversation_id": cycle.conversation_id, "cycle": cycle.cycle, "cycle_id": cycle.cycle_id,
        "touchpoint": cycle.dimensions.0[0], "channel": cycle.dimensions.0[1], "device": cycle.dimensions.0[2],
        "state": cycle.state,
        "started_at": time(Some(cycle.started_at)),
        "ended_at": time(cycle.ended_at),
        "first_customer_at": time(cycle.first_customer_at),
        "first_response_at": time(cycle.first_response_at),
        "first_response_customer_ms": cycle.first_response_customer_ms,
        "first_response_team_ms": cycle.first_response_team_ms,
        "breached_at": time(cycle.breached_at),
        "replies": replies.collect::<Vec<_>>(),
        "waiting_since": time(cycle.waiting_since),
        "resolution_ms": cycle.resolution_ms,
        "handoffs": cycle.handoffs,
    })
}

fn contact(contact: &Contact) -> Value {
    let handoffs = contact.handoffs.iter().map(|handoff| {
        json!({"at": time(Some(handoff.at)), "is_requested": handoff.is_requested,
            "decided_at": time(handoff.decided_at), "is_reached": handoff.is_reached})
    });
    let times = |times: &[i64]| times.iter().map(|at| time(Some(*at))).collect::<Vec<_>>();
    json!({
        "conversation_id": contact.conversation_id,
        "started_at": time(Some(contact.started_at)),
        "last_event_at": time(Some(contact.last_event_at)),
        "outcome_at": time(contact.outcome_at),
        "is_bot": contact.is_bot, "is_contained": contact.is_contained,
        "handoffs": handoffs.collect::<Vec<_>>(),
        "bot_loops": times(&contact.bot_loops),
        "reasked_at": time(contact.reasked_at),
        "reopened": times(&contact.reopened),
    })
}

fn answer(answer: &Answer) -> Value {
    json!({
        "id": answer.id, "submission_id": answer.submission_id, "metric": answer.metric, "score": answer.score,
        "touchpoint": answer.dimensions.0[0], "channel": answer.dimensions.0[1], "device": answer.dimensions.0[2],
        "time": time(Some(answer.time)), "is_counted": answer.is_counted,
    })
}
