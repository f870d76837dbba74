//! What an event costs between its bytes and Kafka's queue: time, and allocations, which are few and bounded.
//!
//! `make bench-accept` prints the time; `make test` holds the allocations.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bumpalo::Bump;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::event::Family;
use touchstream_schemas::time::{EventTime, Millis};

use crate::keys::{Keys, WriteKey};
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
    let setting = Setting {
        rules,
        key,
        pseudonyms: &key.pseudonyms,
        received_at,
        opted_out: false,
        touchpoints: None,
        arena,
    };
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

/// What events are taken with.
struct Bench {
    key: Arc<WriteKey>,
    encoders: [Encoder; 4],
    arena: Bump,
    buffer: Vec<u8>,
}

impl Bench {
    fn new() -> Bench {
        let keys =
            Keys::configured(&["key:shop:web".to_owned()], "a secret of the tests").expect("it is valid");
        Bench {
            key: keys.find("key").expect("it is there"),
            encoders: Family::ALL.map(|family| Encoder::new(avro::of_family(family), Framing::SingleObject)),
            arena: Bump::new(),
            buffer: Vec::new(),
        }
    }

    fn take(&mut self, body: &str) -> usize {
        let events = take(body.as_bytes(), &self.key, &self.arena, &mut self.encoders, &mut self.buffer);
        self.arena.reset();
        events
    }
}

/// A body of so many lines.
fn lines(count: usize) -> String {
    EVENTS.iter().cycle().take(count).copied().collect::<Vec<_>>().join("\n")
}

#[test]
fn an_event_is_taken_with_few_allocations() {
    let mut bench = Bench::new();
    let body = lines(100);
    // The first body makes the arena and the buffer large enough.
    bench.take(&body);
    let counted = allocation_counter::measure(|| assert_eq!(bench.take(&body), 100));
    // Eleven an event when this was written: lists of fields, values and extra fields, and the key.
    assert!(counted.count_total <= 100 * 12, "{} allocations for 100 events", counted.count_total);
}

#[test]
#[ignore = "a measurement: make bench-accept"]
#[expect(clippy::print_stdout, reason = "a measurement's output")]
fn microseconds_an_event() {
    let mut bench = Bench::new();
    let rounds: usize = std::env::var("ROUNDS").map_or(300, |rounds| rounds.parse().expect("a number"));
    for count in [1, 100] {
        let bodies = if count == 1 { EVENTS.map(str::to_owned).to_vec() } else { vec![lines(count)] };
        let round = |bench: &mut Bench| {
            let begun = Instant::now();
            let events: usize = (0..10).flat_map(|_| &bodies).map(|body| bench.take(body)).sum();
            #[expect(clippy::cast_precision_loss, reason = "hundreds")]
            let events = events as f64;
            begun.elapsed().as_secs_f64() * 1e6 / events
        };
        let best = (0..rounds).map(|_| round(&mut bench)).fold(f64::INFINITY, f64::min);
        println!("{count} in a body: {best:.2} µs an event");
    }
}
