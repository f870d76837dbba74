//! Whatever the schedule — events shuffled, delayed, sent twice, owners that die before or after any commit, clocks that run on —
//! both stages end with the same facts and windows as a plain recomputation from the set of events.
//!
//! `make schedules` runs 20,000 of them; `SCHEDULE_SEED=n` repeats one.

mod events;
mod recomputation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use touchstream_processor::measure::conversation::Finding;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::facts::{AnswerFact, AnswerFacts, CheckoutFact, ContactFact, ConversationFact};
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;
use touchstream_schemas::windows::Window;

use crate::log::{Log, Owner};

use events::{Everything, random_event};
use recomputation::{Numbers, expected_windows, numbers_of_window, recompute, window_key};

const START: EventTime = EventTime(1_767_600_000_000);
const SPAN: i64 = 5 * 3_600_000;

/// A tenant that is split by one further dimension.
const TOUCHPOINTS: &str = "[tenants.t]\ndimensions = [\"variant\"]\n";

fn run(seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let settings = crate::events::default_settings();
    // Every fourth: more series make no other schedules, only slower ones.
    let split = if seed.is_multiple_of(4) { TOUCHPOINTS } else { "" };
    let touchpoints = Arc::new(Touchpoints::parse("test", split).unwrap());
    let topics = Topics::new("cx");
    let mut everything = Everything::default();
    let count = random.random_range(20..150);
    let mut raw = Vec::new();
    for number in 0..count {
        // Some come again with another time: the copy that Kafka has first counts, and only it.
        let mut twin = random.clone();
        raw.push(random_event(&mut random, number, Millis(0), &touchpoints));
        if random.random_bool(0.15) {
            raw.push(random_event(&mut twin, number, Millis(1_000), &touchpoints));
        }
    }
    raw.shuffle(&mut random);

    let mut log = Log::default();
    let mut now = START + Millis(SPAN / 2);
    let stages = [crate::log::measure, crate::log::roll_up, crate::log::contacts];
    let mut owners = stages.map(|stage| Owner::take_over(stage(&settings, &touchpoints), &log, now));
    let mut raw = raw.into_iter().peekable();
    let mut restarts = 0;
    let mut last_seen: BTreeMap<String, EventTime> = BTreeMap::new();
    while raw.peek().is_some() {
        for event in raw.by_ref().take(random.random_range(0..20)) {
            let partition = crate::log::partition_of(event.key.as_bytes());
            log.append(&topics.raw(event.family), partition, &event.key, event.value, now);
            let is_duplicate = last_seen.insert(event.id, now).is_some_and(|last| now - last <= Millis::HOUR);
            if let Some(point) = event.point.filter(|_| !is_duplicate) {
                everything.add(point);
            }
        }
        let pause = if random.random_bool(0.5) { 900 } else { 120_000 };
        now = now + Millis(random.random_range(0..pause));
        for (owner, stage) in owners.iter_mut().zip(stages) {
            if random.random_bool(0.7) {
                let dies = random.random_bool(0.15);
                owner.step(&mut log, random.random_range(1..30), now, dies);
                if dies || random.random_bool(0.05) {
                    restarts += 1;
                    *owner = Owner::take_over(stage(&settings, &touchpoints), &log, now);
                }
            }
        }
    }
    // Everything is read, partitions fall silent, and all timers run out. Some are looked at before a silent conversation counts as one
    // that has ended, some after.
    let later = if random.random_bool(0.9) { Millis::HOUR } else { Millis::HOUR.times(30) };
    now = now.max(START + Millis(SPAN)) + later;
    let mut rounds = 0;
    // Long stretches are caught up with six hours at a time.
    while rounds < 12 || owners.iter().any(|owner| !owner.is_at_end(&log)) {
        for owner in &mut owners {
            owner.step(&mut log, 1_000, now, false);
        }
        now = now + Millis(40_000);
        rounds += 1;
        assert!(rounds < 50, "seed {seed}: the stages do not come to rest");
    }
    let looked_at = now - Millis(40_000);
    let watermark = looked_at - Millis(settings.processor.disorder_s * 1_000);
    let (facts, deltas) = recompute(&mut everything, &settings, &touchpoints, watermark);
    let found = newest_facts(&log, &topics, seed);
    let differences: Vec<&String> = found.symmetric_difference(&facts).take(4).collect();
    assert!(differences.is_empty(), "seed {seed}, {restarts} restarts: only one side has {differences:#?}");
    let expected = expected_windows(deltas, looked_at);
    let found = newest_windows(&log, &topics, seed, watermark);
    for key in expected.keys().chain(found.keys()) {
        assert_eq!(found.get(key), expected.get(key), "seed {seed}, {restarts} restarts: window {key}");
    }
}

/// The newest version of every fact that is not deleted; revisions must rise.
fn newest_facts(log: &Log, topics: &Topics, seed: u64) -> BTreeSet<String> {
    let decoder = Decoder::new(&[&avro::CHECKOUT_FACT, &avro::ANSWER_FACTS]);
    let mut facts = BTreeSet::new();
    macro_rules! newest {
        ($versions:expr, $fact:ty) => {
            let mut newest: BTreeMap<_, $fact> = BTreeMap::new();
            for (key, fact) in $versions {
                let before = newest.get(&key).map_or(0, |before| before.revision);
                assert!(fact.revision > before, "seed {seed}: revision of {fact:?} after {before}");
                newest.insert(key, fact);
            }
            for mut fact in newest.into_values().filter(|fact| !fact.is_deleted) {
                fact.revision = 0;
                facts.insert(format!("{fact:?}"));
            }
        };
    }
    let attempts = log.values(&topics.checkouts());
    newest!(attempts.iter().map(|(key, value)| (key, decoder.decode(value).unwrap())), CheckoutFact);
    let batches = log.values(&topics.answers());
    let answers = batches.iter().flat_map(|(_, value)| decoder.decode::<AnswerFacts>(value).unwrap().facts);
    let key = |fact: &AnswerFact| (fact.submission_id.clone(), fact.question.clone(), fact.id.clone(), fact.time);
    newest!(answers.map(|fact| (key(&fact), fact)), AnswerFact);
    for fact in newest_of_conversations::<ConversationFact>(log, &topics.conversations(), seed) {
        facts.insert(format!("{:?}", Finding::Cycle(fact)));
    }
    for fact in newest_of_conversations::<ContactFact>(log, &topics.contacts(), seed) {
        facts.insert(format!("{:?}", Finding::Contact(fact)));
    }
    facts
}

/// What the topics of cycles and of contacts have in common.
trait OfConversation: serde::de::DeserializeOwned + std::fmt::Debug {
    fn identity(&self) -> (String, EventTime);
    fn stamp(&mut self) -> (i64, bool);
}

impl OfConversation for ConversationFact {
    fn identity(&self) -> (String, EventTime) {
        (self.cycle_id.clone(), EventTime(0))
    }
    fn stamp(&mut self) -> (i64, bool) {
        (std::mem::take(&mut self.revision), self.is_deleted)
    }
}

impl OfConversation for ContactFact {
    fn identity(&self) -> (String, EventTime) {
        (self.conversation_id.clone(), self.started_at)
    }
    fn stamp(&mut self) -> (i64, bool) {
        (std::mem::take(&mut self.revision), self.is_deleted)
    }
}

fn newest_of_conversations<F: OfConversation>(log: &Log, topic: &str, seed: u64) -> Vec<F> {
    let decoder = Decoder::new(&[&avro::CONVERSATION_FACT, &avro::CONTACT_FACT]);
    let mut newest: BTreeMap<_, (i64, bool, F)> = BTreeMap::new();
    for (key, value) in log.values(topic) {
        let mut fact: F = decoder.decode(&value).unwrap();
        let (revision, is_deleted) = fact.stamp();
        let place = (key, fact.identity());
        let before = newest.get(&place).map_or(0, |(revision, ..)| *revision);
        assert!(revision > before, "seed {seed}: revision of {fact:?} after {before}");
        newest.insert(place, (revision, is_deleted, fact));
    }
    newest.into_values().filter(|(_, is_deleted, _)| !is_deleted).map(|(.., fact)| fact).collect()
}

/// The newest version of every window with numbers in it; revisions must rise whenever something differs.
fn newest_windows(log: &Log, topics: &Topics, seed: u64, watermark: EventTime) -> BTreeMap<String, Numbers> {
    let decoder = Decoder::new(&[&avro::WINDOW]);
    let values = log.values(&topics.windows());
    let mut newest: BTreeMap<&[u8], Window<'_>> = BTreeMap::new();
    for (key, value) in &values {
        let window: Window<'_> = decoder.decode(value).unwrap();
        if let Some(before) = newest.get(key.as_slice()) {
            let is_risen = window.revision > before.revision || window == *before;
            assert!(is_risen, "seed {seed}: {window:?} after {before:?}");
        }
        newest.insert(key, window);
    }
    let mut windows = BTreeMap::new();
    for window in newest.into_values() {
        assert_eq!(
            window.is_final,
            window.window_end <= watermark,
            "seed {seed}: {window:?} at {watermark:?}"
        );
        let numbers = numbers_of_window(&window);
        if !numbers.is_empty() {
            let Window { metric, detail, touchpoint, channel, device, .. } = window;
            let Window { dimension, dimension_value, window: size, window_end, .. } = window;
            let series = [metric, detail, touchpoint, channel, device, dimension, dimension_value];
            windows.insert(window_key(series, size, window_end.0), numbers);
        }
    }
    windows
}

#[test]
fn every_schedule_ends_with_the_same_numbers() {
    if let Ok(seed) = std::env::var("SCHEDULE_SEED") {
        return run(seed.parse().unwrap());
    }
    let schedules: u64 = std::env::var("SCHEDULES").map_or(200, |count| count.parse().unwrap());
    for seed in 0..schedules {
        run(seed);
    }
}
