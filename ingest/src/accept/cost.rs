//! What an event costs between its bytes and Kafka's queue: time, and allocations, which are few and bounded.
//!
//! `make bench-accept` prints the time; `make test` holds the allocations.

use std::hint::black_box;
use std::time::Instant;

use bumpalo::Bump;
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::event::Family;
use touchstream_schemas::time::{EventTime, Millis};

use crate::keys::WriteKey;
use crate::parse::{Entry, Format, ParseLimits, parse};
use crate::problem::Findings;
use crate::validate::{Rules, Setting, validate};

const LIMITS: ParseLimits = ParseLimits { events: 2_000, depth: 16 };

/// Two events with everything that a site usually knows.
const EVENTS: [&str; 2] = [
    r#"{"id":"b-000000000000000017","type":"checkout.step","time":"2026-11-22T10:00:00.123Z","sent_at":"2026-11-22T10:00:00.123Z","context":{"customer_id":"c-31676","anonymous_id":"a-44123","session_id":"s-44123","account_id":null,"seq":5,"touchpoint":"checkout","channel":"web","device":"mobile","mode":"self","persona":"returning","member":false,"locale":"de-DE","app_version":"5.2.4","variant":"A","campaign":"nl-4","referrer":"https://shop.example/c/shoes?page=4","consent":["analytics"],"traffic":"human"},"data":{"checkout_id":"k-124","cart_id":"b-124","step":"shipping","index":3,"action":"completed","error":null,"extra_cost":4.90,"currency":"EUR","shipping_tier":"standard","payment_type":"card","account_type":"guest","items_in_cart":5}}"#,
    r#"{"id":"b-000000000000000018","type":"feedback.answered","time":"2026-11-22T10:00:00.123Z","sent_at":"2026-11-22T10:00:00.123Z","context":{"customer_id":"c-31677","anonymous_id":"a-44127","session_id":"s-44127","account_id":null,"seq":5,"touchpoint":"order_confirmation","channel":"web","device":"mobile","mode":"self","persona":"returning","member":false,"locale":"de-DE","app_version":"5.2.4","variant":"A","campaign":"nl-4","referrer":"https://shop.example/c/shoes?page=4","consent":["analytics"],"traffic":"human"},"data":{"survey_id":"nps-after-order","submission_id":"f-119","metric":"nps","score":9,"question_id":"recommend","driver":"delivery","text":"Ich musste 3 Mal anrufen (030 1234567), bis jemand meine Bestellung gefunden hat."}}"#,
];

/// Takes a body of lines up to encoded records; their number.
fn take(body: &[u8], key: &WriteKey, arena: &Bump, encoders: &mut [Encoder], buffer: &mut Vec<u8>) -> usize {
    let rules = Rules {
        max_event_bytes: 20_000,
        skew_tolerance: Millis(60_000),
        future_tolerance: Millis(600_000),
        keep_agent_ids: false,
    };
    let received_at = EventTime(1_795_341_600_500);
    let setting = Setting { rules, key, pseudonyms: &key.pseudonyms, received_at, opted_out: false, arena };
    let mut findings = Findings::default();
    let entries = parse(body, Format::Ndjson, LIMITS).expect("they are lines of JSON");
    let mut taken = 0;
    for (index, entry) in entries.iter().enumerate() {
        let Entry::Event(sent) = entry else { continue };
        let verdict = validate(sent, index, setting, &mut findings);
        let Some((family, record)) = verdict.family.zip(verdict.event) else { continue };
        record.encode_into(&mut encoders[family as usize], buffer).expect("it fits its schema");
        black_box((&*buffer, record.key()));
        taken += 1;
    }
    assert!(findings.problems.is_empty(), "{:?}", findings.problems);
    taken
}

#[test]
#[ignore = "a measurement: make bench-accept"]
fn microseconds_an_event() {
    let keys = crate::keys::Keys::configured(&["key:shop:web".to_owned()], "a secret of the tests").expect("valid");
    let key = keys.find("key").expect("it is there");
    let mut encoders =
        Family::ALL.map(|family| Encoder::new(touchstream_schemas::avro::of_family(family), Framing::SingleObject));
    let (mut arena, mut buffer) = (Bump::new(), Vec::new());
    let rounds: usize = std::env::var("ROUNDS").map_or(300, |rounds| rounds.parse().expect("a number"));
    for (name, lines) in [("one", 1), ("a hundred", 100)] {
        let body = EVENTS.iter().cycle().take(lines.max(2)).copied().collect::<Vec<_>>().join("\n");
        let bodies: Vec<&str> = if lines == 1 { body.lines().collect() } else { vec![&body] };
        let mut best = f64::MAX;
        for _ in 0..rounds {
            let begun = Instant::now();
            let mut events = 0;
            for _ in 0..200 / lines.max(2) {
                for body in &bodies {
                    events += take(body.as_bytes(), &key, &arena, &mut encoders, &mut buffer);
                    arena.reset();
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "hundreds")]
            let micros = begun.elapsed().as_secs_f64() * 1e6 / events as f64;
            best = best.min(micros);
        }
        println!("{name} in a body: {best:.2} µs an event");
    }
}
