//! What a processor holds does not grow with the time that it runs, and what it has forgotten it does not rewrite.

use std::sync::Arc;

use prometheus::Registry;
use touchstream_processor::Metrics;
use touchstream_processor::roll_up::RollUp;
use touchstream_runtime::settings::Settings;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::event::Family;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;
use touchstream_schemas::windows::Window;

use crate::log::{Log, Owner, PARTITIONS};

const START: EventTime = EventTime(1_767_571_200_000);

/// The value of a metric with this label value, or the sum over all labels.
fn metric(registry: &Registry, name: &str, label: &str) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name);
    let metrics = family.map_or(&[][..], |family| family.get_metric());
    let has_label = |metric: &&prometheus::proto::Metric| {
        label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label)
    };
    metrics
        .iter()
        .filter(has_label)
        .map(|metric| metric.get_gauge().get_value() + metric.get_counter().get_value())
        .sum()
}

fn roll_up(settings: &Settings, registry: &Registry, log: &Log, now: EventTime) -> Owner {
    let partitions = i32::try_from(Family::ALL.len()).unwrap() * PARTITIONS;
    let metrics = Metrics::register(registry).unwrap();
    Owner::take_over(Box::new(RollUp::new(settings, Arc::default(), partitions, metrics)), log, now)
}

/// One event of each family, with names that no other day has.
fn append_day(log: &mut Log, day: i64) {
    let topics = Topics::new("cx");
    let time = START + Millis::DAY.times(day) + Millis::HOUR;
    let (id, name) = (format!("e{day}"), format!("name {day}"));
    let (id, name) = (id.as_str(), name.as_str());
    let mut append = |family: Family, key: &str, value: Vec<u8>| {
        log.append(&topics.raw(family), crate::log::partition_of(key.as_bytes()), key, value, time);
    };
    macro_rules! fill {
        ($event:ident, $kind:expr) => {
            ($event.id, $event.event_type, $event.time, $event.received_at) = (id, $kind, time, time);
            ($event.touchpoint, $event.device, $event.customer_id) = (name, name, Some(name));
        };
    }
    let encoder = |family| Encoder::new(avro::of_family(family), Framing::SingleObject);
    let mut event = crate::events::empty_checkout();
    fill!(event, "checkout.step");
    (event.checkout_id, event.step, event.step_index) = (Some(id), Some(name), Some(3));
    append(Family::Checkout, id, encoder(Family::Checkout).encode(&event).unwrap());
    let mut event = crate::events::empty_chat();
    fill!(event, "chat.message");
    (event.conversation_id, event.sender) = (id, Some("customer"));
    append(Family::Chat, id, encoder(Family::Chat).encode(&event).unwrap());
    let mut event = crate::events::empty_feedback();
    fill!(event, "feedback.answered");
    (event.submission_id, event.metric, event.score) = (Some(id), Some("nps"), Some(9));
    append(Family::Feedback, id, encoder(Family::Feedback).encode(&event).unwrap());
    let mut event = crate::events::empty_app();
    fill!(event, "app.response");
    (event.name, event.duration_ms) = (Some(name), Some(10));
    append(Family::App, id, encoder(Family::App).encode(&event).unwrap());
}

/// Eight months in which every fourth day brings touchpoints, steps, devices, names and customers that never come again.
#[test]
fn what_is_held_does_not_grow_with_the_weeks() {
    let mut settings = crate::events::default_settings();
    settings.processor.lateness_days = 1;
    // Names come and go; with room for only so many, the later ones have it only if the earlier ones are forgotten.
    (settings.processor.max_touchpoints, settings.processor.max_names) = (40, 40);
    settings.processor.max_devices = 40;
    let (topics, registry) = (Topics::new("cx"), Registry::new());
    let mut log = Log::default();
    let touchpoints = Arc::default();
    let stages = [crate::log::measure, crate::log::contacts];
    let mut owners = stages.map(|stage| Owner::take_over(stage(&settings, &touchpoints), &log, START));
    let mut last = roll_up(&settings, &registry, &log, START);
    let mut sizes: Vec<Vec<f64>> = Vec::new();
    for day in 0..240 {
        if day % 4 == 0 {
            append_day(&mut log, day);
        }
        // Long stretches are caught up with six hours at a time.
        for quarter in 1..=4 {
            let now = START + Millis::DAY.times(day) + Millis::HOUR.times(quarter * 6);
            for owner in owners.iter_mut().chain([&mut last]) {
                // Two confirmations of its end, thirty seconds apart, let a silent partition follow the clock.
                owner.step(&mut log, 100, now - Millis(31_000), false);
                owner.step(&mut log, 100, now, false);
            }
            [topics.windows(), topics.checkouts(), topics.conversations(), topics.answers()]
                .iter()
                .for_each(|topic| log.discard_values(topic));
        }
        if day % 4 != 3 {
            continue;
        }
        let held =
            ["all", "named", "names"].map(|kind| metric(&registry, "touchstream_processor_series", kind));
        let mut size = held.to_vec();
        let changelogs = Family::ALL.into_iter().map(|family| topics.measure_changelog(family));
        for topic in changelogs.chain([topics.minutes(), topics.contacts_changelog()]) {
            size.push(f64::from(u32::try_from(log.live_keys(&topic)).unwrap()));
        }
        sizes.push(size);
    }
    // Hours of scores live longest: 100 days with this lateness.
    let most = |days: std::ops::Range<usize>| -> Vec<f64> {
        let days = &sizes[days];
        (0..days[0].len()).map(|place| days.iter().map(|size| size[place]).fold(0.0, f64::max)).collect()
    };
    let (middle, end) = (most(33..43), most(50..60));
    // What is forgotten when something new comes may wait for it.
    let is_alike = middle.iter().zip(&end).all(|(middle, end)| (middle - end).abs() <= 2.0);
    assert!(is_alike, "held after five months: {middle:?}, after eight: {end:?}");
    assert!(end[0] > 50.0 && end[2] > 50.0, "the test holds something: {end:?}");
    assert_eq!(metric(&registry, "touchstream_processor_counted_as_other_total", ""), 0.0);
    // Whoever takes over holds the same.
    let now = START + Millis::DAY.times(240);
    let restored = Registry::new();
    roll_up(&settings, &restored, &log, now).step(&mut log, 100, now + Millis(1_000), false);
    for kind in ["all", "named", "names"] {
        let [before, after] =
            [&registry, &restored].map(|registry| metric(registry, "touchstream_processor_series", kind));
        assert_eq!(before, after, "{kind}");
    }
}

/// A journey that goes on for weeks is judged anew by rules that were changed; its first weeks are not held any more.
#[test]
fn changed_rules_leave_what_is_forgotten_alone() {
    let mut settings = crate::events::default_settings();
    let (topics, registry) = (Topics::new("cx"), Registry::new());
    let (mut log, touchpoints) = (Log::default(), Arc::default());
    let run = |settings: &Settings, log: &mut Log, days: std::ops::Range<i64>| {
        let begin = START + Millis::DAY.times(days.start);
        let registry = if days.start == 0 { &Registry::new() } else { &registry };
        let mut measure = Owner::take_over(crate::log::measure(settings, &touchpoints), log, begin);
        let mut last = roll_up(settings, registry, log, begin);
        for hour in days.start * 24..days.end * 24 {
            let time = START + Millis::HOUR.times(hour);
            if [0, 12 * 24, 24 * 24, 26 * 24].contains(&hour) {
                let id = format!("e{hour}");
                let mut event = crate::events::empty_checkout();
                (event.id, event.event_type, event.time, event.received_at) =
                    (&id, "checkout.step", time, time);
                (event.checkout_id, event.step) = (Some("k"), Some("gift"));
                let mut encoder = Encoder::new(&avro::CHECKOUT_EVENT, Framing::SingleObject);
                log.append(&topics.raw(Family::Checkout), 0, "k", encoder.encode(&event).unwrap(), time);
            }
            for owner in [&mut measure, &mut last] {
                owner.step(log, 100, time + Millis(1_000), false);
                owner.step(log, 100, time + Millis(40_000), false);
            }
        }
    };
    run(&settings, &mut log, 0..27);
    let sent = log.values(&topics.windows()).len();
    settings.metrics.steps.insert(0, "gift".to_owned());
    run(&settings, &mut log, 27..28);
    let decoder = Decoder::new(&[&avro::WINDOW]);
    let (values, mut corrected) = (log.values(&topics.windows()), 0);
    // Twenty-four days are kept.
    let forgotten = START + Millis::DAY.times(27 - 24);
    for (_, value) in &values[sent..] {
        let window: Window<'_> = decoder.decode(value).unwrap();
        let size = match window.window {
            "5m" => Millis::MINUTE.times(5),
            "1h" => Millis::HOUR,
            "24h" => Millis::DAY,
            _ => Millis::DAY.times(7),
        };
        assert!(window.window_end - size >= forgotten, "{window:?} was made of less than there was");
        let steps = window.checkout.map(|checkout| checkout.steps).unwrap_or_default();
        corrected += u32::from(steps.iter().any(|step| step.step == "gift" && step.step_index == Some(1)));
    }
    assert!(corrected > 0, "what is held was corrected");
    assert!(metric(&registry, "touchstream_processor_dropped_changes_total", "") > 0.0);
}
