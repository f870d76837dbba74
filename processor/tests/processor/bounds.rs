//! What one key or one value can do to the processor is bounded, and its neighbours are counted all the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use touchstream_runtime::kafka::MAX_MESSAGE_BYTES;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::event::{Family, FeedbackEvent};
use touchstream_schemas::facts::AnswerFacts;
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
        let text = format!("{number}{text}");
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
    let decoder = Decoder::new(&[&avro::ANSWER_FACTS]);
    let batches = log.values(&Topics::new("cx").answers());
    let counted = |value: &[u8]| decoder.decode::<AnswerFacts>(value).unwrap().facts.len();
    assert_eq!(batches.iter().map(|(_, value)| counted(value)).sum::<usize>(), 500);
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

/// Whoever owns the partition: the first names stay, the others are one, and nothing is lost of what they count together.
#[test]
fn names_beyond_the_limit_count_as_other_across_restarts() {
    let mut settings = crate::events::default_settings();
    (settings.processor.max_touchpoints, settings.processor.max_names) = (2, 1);
    let topics = Topics::new("cx");
    let mut answers = Encoder::new(&avro::FEEDBACK_EVENT, Framing::SingleObject);
    let mut checkouts = Encoder::new(&avro::CHECKOUT_EVENT, Framing::SingleObject);
    let mut log = Log::default();
    for (number, touchpoint) in (0..).zip(["a", "b", "c", "a", "d", "c"]) {
        let (id, now) = (format!("e{number}"), START + Millis(number));
        let mut event = crate::events::empty_feedback();
        (event.id, event.event_type, event.time, event.received_at) = (&id, "feedback.answered", now, now);
        (event.metric, event.score, event.touchpoint) = (Some("nps"), Some(9), touchpoint);
        log.append(&topics.raw(Family::Feedback), 0, "key", answers.encode(&event).unwrap(), now);
        let mut event = crate::events::empty_checkout();
        (event.id, event.event_type, event.time, event.received_at) = (&id, "checkout.step", now, now);
        (event.checkout_id, event.step, event.step_index) = (Some(id.as_str()), Some(touchpoint), Some(3));
        log.append(&topics.raw(Family::Checkout), 0, "key", checkouts.encode(&event).unwrap(), now);
        for stage in [crate::log::measure, crate::log::roll_up] {
            Owner::take_over(stage(&settings, &Arc::default()), &log, now).step(&mut log, 100, now, false);
        }
    }
    let mut measure = Owner::take_over(crate::log::measure(&settings, &Arc::default()), &log, START);
    let mut roll_up = Owner::take_over(crate::log::roll_up(&settings, &Arc::default()), &log, START);
    for round in 0..4 {
        let now = START + Millis::HOUR + Millis(round * 40_000);
        measure.step(&mut log, 10_000, now, false);
        roll_up.step(&mut log, 10_000, now, false);
    }
    let decoder = Decoder::new(&[&avro::WINDOW]);
    let values = log.values(&topics.windows());
    let (mut scores, mut steps) = (BTreeMap::new(), BTreeMap::new());
    for (_, value) in &values {
        let window: Window<'_> = decoder.decode(value).unwrap();
        if window.channel != "all" || window.device != "all" || window.window != "24h" {
            continue;
        }
        if let Some(counts) = window.scores {
            scores.insert(window.touchpoint, counts.answers);
        } else if let Some(checkout) = window.checkout.filter(|_| window.touchpoint == "all") {
            let own =
                checkout.steps.into_iter().filter(|step| step.step_index.is_none_or(|index| index == 3));
            steps.extend(own.map(|step| (step.step, (step.reached, step.open))));
        }
    }
    assert_eq!(scores, BTreeMap::from([("a", 2), ("b", 1), ("other", 3), ("all", 6)]));
    let expected = [("a", (2, Some(0))), ("other", (4, Some(0)))];
    assert_eq!(steps, BTreeMap::from(expected), "what was open as other was closed as other");
}

/// Answers of nobody in particular to NPS, and the newest windows of a day by series.
fn newest_scores(
    settings: &touchstream_runtime::settings::Settings,
    touchpoints: &Arc<Touchpoints>,
    fill: &[&dyn Fn(&mut FeedbackEvent<'_>)],
) -> BTreeMap<String, i64> {
    let topics = Topics::new("cx");
    let mut encoder = Encoder::new(&avro::FEEDBACK_EVENT, Framing::SingleObject);
    let mut log = Log::default();
    let mut measure = Owner::take_over(crate::log::measure(settings, touchpoints), &log, START);
    let mut roll_up = Owner::take_over(crate::log::roll_up(settings, touchpoints), &log, START);
    for (number, fill) in (0..).zip(fill) {
        let (id, now) = (format!("e{number}"), START + Millis(number));
        let mut event = crate::events::empty_feedback();
        (event.id, event.event_type, event.time, event.received_at) = (&id, "feedback.answered", now, now);
        (event.metric, event.score) = (Some("nps"), Some(9));
        fill(&mut event);
        log.append(&topics.raw(Family::Feedback), 0, "key", encoder.encode(&event).unwrap(), now);
        measure.step(&mut log, 100, now, false);
        roll_up.step(&mut log, 100, now, false);
    }
    roll_up.step(&mut log, 100, START + Millis(2_000), false);
    let decoder = Decoder::new(&[&avro::WINDOW]);
    let values = log.values(&topics.windows());
    let windows = values.iter().map(|(_, value)| decoder.decode::<Window<'_>>(value).unwrap());
    let of_day = windows.filter(|window| window.window == "24h");
    of_day
        .map(|window| {
            let Window { touchpoint, channel, device, dimension, dimension_value, .. } = window;
            let parts = [touchpoint, channel, device, dimension, dimension_value];
            (parts.join(" ").trim().to_owned(), window.scores.unwrap().answers)
        })
        .collect()
}

/// Where there is no room for a series its device gives way first, then its channel, then its touchpoint; the rows in which
/// these are `all` stay exact.
#[test]
fn a_series_without_room_gives_way_step_by_step() {
    let mut settings = crate::events::default_settings();
    settings.processor.max_series = 4;
    let series = [
        ["a", "web", "mobile"],
        ["a", "web", "desktop"],
        ["a", "app", "mobile"],
        ["b", "web", "mobile"],
        // Now there is room for one without device, and for one without channel.
        ["a", "app", "desktop"],
        ["b", "app", "desktop"],
        ["c", "app", "tablet"],
        ["a", "app", "tablet"],
    ];
    let fill = series.map(|[touchpoint, channel, device]| {
        move |event: &mut FeedbackEvent<'_>| {
            (event.touchpoint, event.channel, event.device) = (touchpoint, channel, device);
        }
    });
    let fill: Vec<&dyn Fn(&mut FeedbackEvent<'_>)> = fill.iter().map(|fill| fill as _).collect();
    let found = newest_scores(&settings, &Arc::default(), &fill);
    let expected = [
        ("all all all", 8),
        ("a all all", 5),
        ("b all all", 2),
        ("other all all", 1),
        ("a app all", 3),
        ("a app mobile", 1),
        ("a app other", 2),
        ("b other other", 1),
        ("all web all", 3),
    ];
    for (series, answers) in expected {
        assert_eq!(found.get(series), Some(&answers), "{series} of {found:#?}");
    }
}

/// Values of one further dimension take no room from another's, and what every tenant has needs none.
#[test]
fn each_further_dimension_has_room_of_its_own() {
    let mut settings = crate::events::default_settings();
    settings.processor.max_values = 1;
    let dimensions = "[tenants.t]\ndimensions = [\"variant\", \"persona\", \"member\", \"service_hours\"]\n";
    let touchpoints = Arc::new(Touchpoints::parse("test", dimensions).unwrap());
    let fill: [&dyn Fn(&mut FeedbackEvent<'_>); 3] = [
        &|event| (event.variant, event.persona, event.member) = (Some("A"), Some("new"), Some(true)),
        &|event| (event.variant, event.persona, event.member) = (Some("B"), Some("new"), Some(false)),
        &|event| (event.variant, event.persona, event.member) = (Some("A"), Some("old"), Some(true)),
    ];
    let found = newest_scores(&settings, &touchpoints, &fill);
    let expected = [
        ("variant A", 2),
        ("variant other", 1),
        ("persona new", 2),
        ("persona other", 1),
        ("member true", 2),
        ("member false", 1),
        ("service_hours in", 3),
    ];
    for (value, answers) in expected {
        assert_eq!(found.get(&format!("all all all {value}")), Some(&answers), "{value} of {found:#?}");
    }
}
