//! What one key or one value can do to the processor is bounded, and its neighbours are counted all the same.

use std::sync::Arc;

use touchstream_runtime::kafka::MAX_MESSAGE_BYTES;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::event::Family;
use touchstream_schemas::money::Money;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;
use touchstream_schemas::windows::Window;

use crate::log::{Log, Owner};

const START: EventTime = EventTime(1_767_600_000_000);

/// Appends events of one family, lets both stages come to rest an hour later, and returns the log.
fn settled(family: Family, values: Vec<Vec<u8>>) -> Log {
    let settings = crate::events::default_settings();
    let mut log = Log::default();
    for value in values {
        log.append(&Topics::new("cx").raw(family), 0, "key", value, START);
    }
    let mut measure = Owner::take_over(crate::log::measure(&settings, &Arc::default()), &log, START);
    let mut roll_up = Owner::take_over(crate::log::roll_up(&settings, &Arc::default()), &log, START);
    for round in 0..4 {
        let now = START + Millis::HOUR + Millis(round * 40_000);
        measure.step(&mut log, 10_000, now, false);
        roll_up.step(&mut log, 10_000, now, false);
    }
    // A new owner can read what was written.
    Owner::take_over(crate::log::measure(&settings, &Arc::default()), &log, START);
    Owner::take_over(crate::log::roll_up(&settings, &Arc::default()), &log, START);
    log
}

#[test]
fn a_submission_without_end_is_cut_and_its_state_stays_a_record_that_kafka_takes() {
    let text = "x".repeat(8 * 1024);
    let mut encoder = Encoder::new(&avro::FEEDBACK_EVENT, Framing::SingleObject);
    let answers = (0..700).map(|number| {
        let (id, question) = (format!("e{number}"), format!("q{number}"));
        let mut event = crate::events::empty_feedback();
        (event.id, event.event_type, event.time, event.received_at) =
            (&id, "feedback.answered", START, START);
        event.submission_id = Some("f");
        event.question_id = Some(&question);
        event.text = Some(&text);
        (event.metric, event.score) = (Some("nps"), Some(9));
        encoder.encode(&event).unwrap()
    });
    let log = settled(Family::Feedback, answers.collect());
    let states = log.values(&Topics::new("cx").measure_changelog(Family::Feedback));
    let largest = states.iter().map(|(_, state)| state.len()).max().unwrap();
    assert!(largest > 1_000_000 && largest < usize::try_from(MAX_MESSAGE_BYTES).unwrap(), "{largest} bytes");
    assert_eq!(log.values(&Topics::new("cx").answers()).len(), 500);
}

#[test]
fn sums_of_the_largest_amounts_stop_at_the_largest_amount() {
    let mut encoder = Encoder::new(&avro::CHECKOUT_EVENT, Framing::SingleObject);
    let abandoned = (0..40).map(|number| {
        let (id, key) = (format!("e{number}"), format!("k{number}"));
        let mut event = crate::events::empty_checkout();
        (event.id, event.event_type, event.time, event.received_at) =
            (&id, "checkout.abandoned", START, START);
        event.checkout_id = Some(&key);
        event.currency = Some("EUR");
        event.value = Some(Money::clamped(i128::MAX));
        encoder.encode(&event).unwrap()
    });
    let log = settled(Family::Checkout, abandoned.collect());
    let decoder = Decoder::new(&[&avro::WINDOW]);
    let windows = log.values(&Topics::new("cx").windows());
    assert!(!windows.is_empty());
    for (_, value) in &windows {
        let window: Window<'_> = decoder.decode(value).unwrap();
        let reason = &window.checkout.unwrap().reasons[0];
        assert_eq!((reason.attempts, reason.value), (40, Money::clamped(i128::MAX)));
    }
}
