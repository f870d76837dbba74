//! `@segment/analytics-node` and `cloudevents`, from npm, send to ingest; every event is in Kafka, once, with the right fields.

use std::collections::BTreeMap;
use std::process::Command;

use rdkafka::Message;
use serde_json::{Value, json};
use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, Family, FeedbackEvent};

use crate::ingest_server::{IngestServer, KEY};
use crate::install::{once, run};

const MANIFESTS: &[(&str, &str)] = &[
    ("package.json", include_str!("ingest/package.json")),
    ("package-lock.json", include_str!("ingest/package-lock.json")),
    (".npmrc", include_str!("ingest/.npmrc")),
];

#[test]
fn analytics_node_and_cloudevents_of_npm_find_ingest() {
    let installed = once("ingest-clients", MANIFESTS, |directory| {
        run(Command::new("npm").args(["ci", "--ignore-scripts", "--silent"]).current_dir(directory));
    });
    // The script stands beside its packages, where Node looks for them.
    let script = installed.join("send.mjs");
    std::fs::write(&script, include_str!("ingest/send.mjs")).expect("the script can be written");
    let server = IngestServer::start("senders");
    let output = run(Command::new("node").arg(script).args([&*server.url(), KEY]));
    let told: Value = serde_json::from_str(output.trim()).expect("it prints one line of JSON");
    assert_eq!(told["failures"], json!([]), "{told}");
    let mut events = BTreeMap::new();
    let mut copies = 0;
    for family in Family::ALL {
        for event in events_of(&server, family) {
            let id = event["id"].as_str().expect("it has an id").to_owned();
            copies += usize::from(events.insert(id, event).is_some());
        }
    }
    // The batch whose answer was lost came twice, with the same ids.
    assert!(copies >= 1 && told["eventsOfLostAnswer"] == copies, "{copies} copies, {told}");
    let sent: Vec<&str> = told["sent"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(sent.len(), 11);
    assert_eq!(events.len(), 8 + 7, "every event once; identify, group and alias are none");
    let of_call = |number: usize| &events[sent[number]];
    for (event, expected) in [
        (
            of_call(0),
            json!({"type":"checkout.started","checkout_id":"k-1","value":"0.3000","currency":"EUR","items":2,"touchpoint":"checkout",
            "channel":"web","locale":"de-DE","campaign":"nl-11"}),
        ),
        (of_call(1), json!({"type":"checkout.step","step":"2","step_index":2,"action":"viewed"})),
        (of_call(2), json!({"type":"checkout.step","step":"payment","payment_type":"card"})),
        (of_call(3), json!({"type":"checkout.completed","transaction_id":"50314","value":"19.9000"})),
        (of_call(4), json!({"type":"feedback.answered","score":9,"metric":"nps"})),
        (of_call(5), json!({"type":"app.interaction","name":"Store Visited","extra":{"city":"Köln"}})),
        (of_call(6), json!({"type":"app.screen_viewed","name":"Cart","extra":{"path":"/cart"}})),
        (of_call(7), json!({"type":"app.screen_viewed","name":"Main"})),
        (
            &events["ce-binary"],
            json!({"type":"checkout.step","checkout_id":"k-2","step":"payment","channel":"web"}),
        ),
        (
            &events["ce-structured"],
            json!({"type":"checkout.step","checkout_id":"k-2","step":"payment","channel":"web"}),
        ),
        (
            &events["ce-binary-bare"],
            json!({"type":"chat.started","conversation_id":"v-binary","topic":"Lieferung €"}),
        ),
        (
            &events["ce-structured-bare"],
            json!({"type":"chat.started","conversation_id":"v-structured","topic":"Lieferung €"}),
        ),
        (&events["ce-batch-3"], json!({"type":"feedback.answered","score":3})),
    ] {
        for (name, value) in expected.as_object().expect("it is an object") {
            assert_eq!(&event[name], value, "{name} of {event:#}");
        }
    }
    // Who the customer is was replaced alike in all calls, and stands nowhere in clear.
    let people: Vec<&Value> = (0..8).map(|number| &of_call(number)["customer_id"]).collect();
    assert!(
        people.iter().all(|id| *id == people[0] && id.as_str().is_some_and(|id| id.len() == 22)),
        "{people:?}"
    );
    let text = json!(events).to_string();
    for hidden in ["c-81", "anna@shop.example", "ACME", "1700000000", "token=1"] {
        assert!(!text.contains(hidden), "{hidden} is in {text}");
    }
}

/// The events of a family as JSON.
fn events_of(server: &IngestServer, family: Family) -> Vec<Value> {
    let decoder = Decoder::new(&[avro::of_family(family)]);
    let decode = |payload: &[u8]| match family {
        Family::Checkout => json!(decoder.decode::<CheckoutEvent<'_>>(payload).expect("it is an event")),
        Family::Chat => json!(decoder.decode::<ChatEvent<'_>>(payload).expect("it is an event")),
        Family::Feedback => json!(decoder.decode::<FeedbackEvent<'_>>(payload).expect("it is an event")),
        Family::App => json!(decoder.decode::<AppEvent<'_>>(payload).expect("it is an event")),
    };
    let records = server.read_topic(&format!("senders.{}", family.name()));
    records.iter().map(|record| decode(record.payload().expect("it has a body"))).collect()
}
