//! Whatever the schedule — events shuffled, delayed, sent twice, owners that die before or after any commit, clocks that run on —
//! both stages end with the same facts and windows as a plain recomputation from the set of events.
//!
//! `make schedules` runs 20,000 of them; `SCHEDULE_SEED=n` repeats one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use touchstream_processor::cells::Counts;
use touchstream_processor::contacts::RETURN_WITHIN;
use touchstream_processor::measure::checkout::{CheckoutPoint, CheckoutRules};
use touchstream_processor::measure::conversation::{ConversationPoint, ConversationRules, Finding};
use touchstream_processor::measure::deltas::{Deltas, Sign};
use touchstream_processor::measure::feedback::{AnswerRules, answer_of};
use touchstream_processor::measure::journeys::Rules;
use touchstream_processor::series::SeriesKey;
use touchstream_runtime::settings::Settings;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::event::Family;
use touchstream_schemas::facts::{AnswerFact, ContactFact, ConversationFact};
use touchstream_schemas::keys;
use touchstream_schemas::log_buckets;
use touchstream_schemas::money::Money;
use touchstream_schemas::panes::{Bucket, Pane, ServiceCounts, metric};
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;
use touchstream_schemas::windows::{Percentiles, Window};

use crate::log::{Log, Owner};

const START: EventTime = EventTime(1_767_600_000_000);
const SPAN: i64 = 5 * 3_600_000;

/// Numbers of a window by name; zeros are left out.
type Numbers = BTreeMap<String, i64>;

/// Everything that a journey's rules need of the raw events, by key.
#[derive(Default)]
struct Everything {
    checkouts: BTreeMap<String, Vec<CheckoutPoint>>,
    conversations: BTreeMap<String, Vec<ConversationPoint>>,
    answers: BTreeMap<String, Vec<AnswerFact>>,
}

/// Encodes an event of any family as ingest does.
fn encode<T: serde::Serialize>(family: Family, event: &T) -> Vec<u8> {
    Encoder::new(avro::of_family(family), Framing::SingleObject).encode(event).unwrap()
}

struct Raw {
    id: String,
    family: Family,
    key: String,
    value: Vec<u8>,
    /// What counts of it; nothing of machines' traffic and of types that no metric is made of.
    point: Option<Point>,
}

enum Point {
    Checkout(String, CheckoutPoint),
    Conversation(String, ConversationPoint),
    Answer(String, AnswerFact),
}

impl Everything {
    fn add(&mut self, point: Point) {
        match point {
            Point::Checkout(key, point) => self.checkouts.entry(key).or_default().push(point),
            Point::Conversation(key, point) => self.conversations.entry(key).or_default().push(point),
            Point::Answer(key, answer) => self.answers.entry(key).or_default().push(answer),
        }
    }
}

fn pick<'a>(random: &mut ChaCha8Rng, options: &[&'a str]) -> &'a str {
    options.choose(random).unwrap()
}

/// A random event as ingest would write it, `shift` later than the same random numbers would make it otherwise.
fn random_event(random: &mut ChaCha8Rng, number: usize, shift: Millis) -> Raw {
    let id = format!("e{number}");
    let time = START + Millis(random.random_range(0..SPAN)) + shift;
    let received_at =
        time + Millis(if random.random_bool(0.1) { 7_200_000 } else { random.random_range(0..5_000) });
    let touchpoint = pick(random, &["checkout", "support"]);
    let channel = pick(random, &["web", "app"]);
    let device = pick(random, &["mobile", "desktop"]);
    let traffic = if random.random_bool(0.05) { "bot" } else { "human" };
    macro_rules! common {
        ($event:expr) => {
            ($event.id, $event.time, $event.received_at) = (&id, time, received_at);
            ($event.touchpoint, $event.channel, $event.device, $event.traffic) =
                (touchpoint, channel, device, traffic);
        };
    }
    let (family, key, value, point) = match random.random_range(0..3) {
        0 => {
            let mut event = crate::events::empty_checkout();
            common!(event);
            let key = format!("k{}", random.random_range(0..6));
            let transaction = format!("t{}", random.random_range(0..4));
            event.checkout_id = Some(&key);
            event.event_type = pick(
                random,
                &[
                    "checkout.started",
                    "checkout.step",
                    "checkout.step",
                    "checkout.step",
                    "checkout.friction",
                    "checkout.abandoned",
                    "checkout.completed",
                    "checkout.refunded",
                ],
            );
            match event.event_type {
                "checkout.step" => {
                    event.step = Some(pick(random, &["cart", "account", "payment", "gift", "wrapping"]));
                    event.step_index = (event.step == Some("gift")).then_some(4);
                    event.action = Some(pick(random, &["viewed", "completed", "failed"]));
                    event.error = (event.action == Some("failed")).then_some("card_declined");
                }
                "checkout.friction" => {
                    event.friction_kind = Some(pick(random, &["extra_cost", "trust", "strange"]));
                }
                "checkout.abandoned" => event.reason = random.random_bool(0.5).then_some("too_long"),
                "checkout.completed" => {
                    event.transaction_id = random.random_bool(0.8).then_some(&transaction);
                }
                _ => {}
            }
            event.value = random.random_bool(0.5).then(|| Money(random.random_range(0..1_000_000)));
            event.currency = event.value.map(|_| "EUR");
            let point = CheckoutPoint::of(&event).map(|point| Point::Checkout(key.clone(), point));
            let key = keys::join(&["t", keys::checkout(&event)]);
            let value = encode(Family::Checkout, &event);
            (Family::Checkout, key, value, point)
        }
        1 => {
            let mut event = crate::events::empty_chat();
            common!(event);
            let conversation = format!("c{}", random.random_range(0..5));
            let message = format!("m{}", random.random_range(0..40));
            event.conversation_id = &conversation;
            let customer = format!("u{}", random.random_range(0..3));
            event.customer_id = random.random_bool(0.5).then_some(&customer);
            event.reasked_field = random.random_bool(0.05).then_some("order_number");
            event.event_type = pick(
                random,
                &[
                    "chat.started",
                    "chat.message",
                    "chat.message",
                    "chat.message",
                    "chat.handoff",
                    "chat.status",
                ],
            );
            match event.event_type {
                "chat.started" => event.initiator = Some(pick(random, &["customer", "agent", "bot"])),
                "chat.message" => {
                    event.sender = Some(pick(random, &["customer", "customer", "agent", "bot", "system"]));
                    event.public = random.random_bool(0.2).then_some(false);
                    event.fallback = random.random_bool(0.2).then_some(true);
                    event.message_id = random.random_bool(0.5).then_some(&message);
                    if event.sender == Some("bot") {
                        event.answer_id = Some(pick(random, &["welcome", "where is it", "sorry"]));
                    }
                }
                "chat.status" => event.state = Some(pick(random, &["solved", "closed", "reopened"])),
                _ => event.requested_by = Some(pick(random, &["customer", "bot"])),
            }
            let point = Some(Point::Conversation(conversation.clone(), ConversationPoint::of(&event)));
            let key = keys::join(&["t", keys::chat(&event)]);
            let value = encode(Family::Chat, &event);
            (Family::Chat, key, value, point)
        }
        _ => {
            let mut event = crate::events::empty_feedback();
            common!(event);
            let submission = format!("f{}", random.random_range(0..8));
            event.event_type = "feedback.answered";
            event.metric = Some("nps");
            event.score = Some(random.random_range(0..=10));
            event.submission_id = random.random_bool(0.7).then_some(&submission);
            event.respondent = random.random_bool(0.1).then_some("employee");
            let point =
                answer_of(&event).map(|answer| Point::Answer(keys::feedback(&event).to_owned(), answer));
            let key = keys::join(&["t", keys::feedback(&event)]);
            let value = encode(Family::Feedback, &event);
            (Family::Feedback, key, value, point)
        }
    };
    let point = point.filter(|_| traffic == "human");
    Raw { id, family, key, value, point }
}

/// Facts of all journeys by the rules alone, and what they add up to, by series and minute.
fn recompute(
    everything: &mut Everything,
    settings: &Settings,
    watermark: EventTime,
) -> (BTreeSet<String>, Deltas) {
    fn of<R: Rules>(
        rules: &R,
        journeys: &mut BTreeMap<String, Vec<R::Point>>,
        is_sent: fn(&R::Fact) -> bool,
        watermark: EventTime,
        facts: &mut BTreeSet<String>,
        deltas: &mut Deltas,
    ) {
        for (key, points) in journeys {
            points.sort_by(|one, other| R::position(one).cmp(&R::position(other)));
            for mut fact in rules.evaluate("t", key, points, watermark).facts {
                R::contribute(&fact, Sign::Plus, deltas);
                R::stamp(&mut fact, 0, false);
                if is_sent(&fact) {
                    facts.insert(format!("{fact:?}"));
                }
            }
        }
    }
    let (mut facts, mut deltas) = (BTreeSet::new(), Deltas::default());
    let metrics = &settings.metrics;
    of(&CheckoutRules::new(metrics), &mut everything.checkouts, |_| true, watermark, &mut facts, &mut deltas);
    let conversation = ConversationRules::new(metrics, Arc::default());
    // Nobody asks what became of unknown customers.
    let is_sent = |finding: &Finding| match finding {
        Finding::Cycle(_) => true,
        Finding::Contact(contact) => contact.customer_id.is_some(),
    };
    of(&conversation, &mut everything.conversations, is_sent, watermark, &mut facts, &mut deltas);
    count_returns(&conversation, everything, watermark, &mut deltas);
    of(&AnswerRules::new(metrics), &mut everything.answers, |_| true, watermark, &mut facts, &mut deltas);
    (facts, deltas)
}

/// Contained contacts whose customer began another conversation soon after, by comparing all with all.
fn count_returns(
    rules: &ConversationRules,
    everything: &Everything,
    watermark: EventTime,
    deltas: &mut Deltas,
) {
    let findings = everything
        .conversations
        .iter()
        .flat_map(|(key, points)| rules.evaluate("t", key, points, watermark).facts);
    let contacts: Vec<ContactFact> = findings
        .filter_map(|finding| match finding {
            Finding::Contact(contact) if contact.customer_id.is_some() => Some(contact),
            _ => None,
        })
        .collect();
    for one in contacts.iter().filter(|contact| contact.is_contained) {
        let comes_back = |other: &&ContactFact| {
            other.customer_id == one.customer_id
                && other.conversation_id != one.conversation_id
                && other.started_at > one.last_event_at
                && other.started_at - one.last_event_at <= RETURN_WITHIN
        };
        if contacts.iter().any(|other| comes_back(&other)) {
            let series = [&*one.touchpoint, &*one.channel, &*one.device];
            let series = SeriesKey::new("t", metric::SERVICE_QUALITY, "", series);
            let counts = ServiceCounts { returned: 1, ..ServiceCounts::default() };
            deltas.count(&series, one.outcome_at.unwrap(), Counts::Service(counts), Sign::Plus);
        }
    }
}

fn numbers_of_service(counts: &ServiceCounts) -> Numbers {
    let value = serde_json::to_value(counts).unwrap();
    value.as_object().unwrap().iter().map(|(name, count)| (name.clone(), count.as_i64().unwrap())).collect()
}

fn numbers_of_pane(pane: &Pane<'_>) -> Numbers {
    let mut numbers = Numbers::new();
    let mut add = |name: String, value: i64| *numbers.entry(name).or_insert(0) += value;
    if let Some(scores) = pane.scores {
        add("answers".into(), scores.answers);
        add("top".into(), scores.top);
        add("bottom".into(), scores.bottom);
    }
    if let Some(checkout) = &pane.checkout {
        for step in &checkout.steps {
            add(format!("step {} reached", step.step), step.reached);
            add(format!("step {} dropped", step.step), step.dropped);
        }
        for reason in &checkout.reasons {
            add(
                format!("reason {} {} {}", reason.reason, reason.reason_source, reason.currency),
                reason.attempts,
            );
            add(
                format!("value {} {} {}", reason.reason, reason.reason_source, reason.currency),
                reason.value.0,
            );
        }
        add("within 3".into(), checkout.within_3min);
        add("within 15".into(), checkout.within_15min);
        checkout
            .durations
            .iter()
            .for_each(|bucket| add(format!("bucket {:08}", bucket.index + 1), bucket.count));
    }
    if let Some(response) = &pane.response {
        add("breached".into(), response.breached);
        response
            .durations
            .iter()
            .for_each(|bucket| add(format!("bucket {:08}", bucket.index + 1), bucket.count));
    }
    if let Some(service) = &pane.service {
        for (name, count) in numbers_of_service(service) {
            *numbers.entry(name).or_insert(0) += count;
        }
    }
    numbers
}

/// Replaces buckets by what windows show of them.
fn finish(mut numbers: Numbers) -> Numbers {
    let mut buckets = Vec::new();
    numbers.retain(|name, count| match name.strip_prefix("bucket ") {
        Some(index) => {
            buckets.push(Bucket { index: index.parse::<i32>().unwrap() - 1, count: *count });
            false
        }
        None => true,
    });
    let at = |percent| log_buckets::percentile(&buckets, percent);
    let n = buckets.iter().map(|bucket| bucket.count).sum();
    let percentiles = Percentiles { n, p50_ms: at(50), p75_ms: at(75), p95_ms: at(95), p99_ms: at(99) };
    add_percentiles(&mut numbers, percentiles);
    numbers.retain(|_, value| *value != 0);
    numbers
}

fn add_percentiles(numbers: &mut Numbers, shown: Percentiles) {
    numbers.insert("n".into(), shown.n);
    let values = [("p50", shown.p50_ms), ("p75", shown.p75_ms), ("p95", shown.p95_ms), ("p99", shown.p99_ms)];
    numbers.extend(values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
}

fn numbers_of_window(window: &Window<'_>) -> Numbers {
    let mut numbers = Numbers::new();
    if let Some(scores) = window.scores {
        numbers.extend([
            ("answers".into(), scores.answers),
            ("top".into(), scores.top),
            ("bottom".into(), scores.bottom),
        ]);
    }
    if let Some(checkout) = &window.checkout {
        for step in &checkout.steps {
            *numbers.entry(format!("step {} reached", step.step)).or_insert(0) += step.reached;
            *numbers.entry(format!("step {} dropped", step.step)).or_insert(0) += step.dropped;
        }
        for reason in &checkout.reasons {
            let name = format!("{} {} {}", reason.reason, reason.reason_source, reason.currency);
            numbers.insert(format!("reason {name}"), reason.attempts);
            numbers.insert(format!("value {name}"), reason.value.0);
        }
        numbers.insert("within 3".into(), checkout.within_3min);
        numbers.insert("within 15".into(), checkout.within_15min);
        add_percentiles(&mut numbers, checkout.durations);
    }
    if let Some(response) = &window.response {
        numbers.insert("breached".into(), response.breached.unwrap_or_default());
        add_percentiles(&mut numbers, response.durations);
    }
    if let Some(service) = &window.service {
        numbers.extend(numbers_of_service(service));
    }
    numbers.retain(|_, value| *value != 0);
    numbers
}

/// Every window by the plainest way: each minute's numbers are added to each window that contains it.
fn expected_windows(mut deltas: Deltas, now: EventTime) -> BTreeMap<String, Numbers> {
    const MINUTE: i64 = 60_000;
    let sizes = [
        ("5m", 5, 1),
        ("1h", 60, 1),
        ("24h", 1_440, 15),
        ("7d", 10_080, 60),
        ("28d", 40_320, 1_440),
        ("90d", 129_600, 1_440),
    ];
    let mut windows: BTreeMap<String, Numbers> = BTreeMap::new();
    deltas
        .drain::<()>(|_, pane| {
            let Some(minute) = pane.minute else { return Ok(()) };
            let numbers = numbers_of_pane(pane);
            for combination in 0..8 {
                let part = |bit: i32, value: &str| {
                    if combination & bit == 0 { value.to_owned() } else { "all".to_owned() }
                };
                let (touchpoint, channel, device) =
                    (part(1, pane.touchpoint), part(2, pane.channel), part(4, pane.device));
                for (name, size, advance) in sizes.iter().take(if pane.metric == "nps" { 6 } else { 4 }) {
                    let newest = (now.0 / (advance * MINUTE) + 1) * advance * MINUTE;
                    let mut end = (minute.0 / (advance * MINUTE) + 1) * advance * MINUTE;
                    while end - size * MINUTE <= minute.0 && end <= newest {
                        let key = format!(
                            "{} {} {touchpoint} {channel} {device} {name} {end}",
                            pane.metric, pane.detail
                        );
                        let sum = windows.entry(key).or_default();
                        for (name, value) in &numbers {
                            *sum.entry(name.clone()).or_insert(0) += value;
                        }
                        end += advance * MINUTE;
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    windows
        .into_iter()
        .map(|(key, numbers)| (key, finish(numbers)))
        .filter(|(_, numbers)| !numbers.is_empty())
        .collect()
}

fn run(seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let settings = crate::events::default_settings();
    let topics = Topics::new("cx");
    let mut everything = Everything::default();
    let count = random.random_range(20..150);
    let mut raw = Vec::new();
    for number in 0..count {
        // Some come again with another time: the copy that Kafka has first counts, and only it.
        let mut twin = random.clone();
        raw.push(random_event(&mut random, number, Millis(0)));
        if random.random_bool(0.15) {
            raw.push(random_event(&mut twin, number, Millis(1_000)));
        }
    }
    raw.shuffle(&mut random);

    let mut log = Log::default();
    let mut now = START + Millis(SPAN / 2);
    let stages = [crate::log::measure, crate::log::roll_up, crate::log::contacts];
    let mut owners = stages.map(|stage| Owner::take_over(stage(&settings), &log, now));
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
                    *owner = Owner::take_over(stage(&settings), &log, now);
                }
            }
        }
    }
    // Everything is read, partitions fall silent, and all timers run out.
    // Some are looked at before a silent conversation counts as one that has ended, some after.
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
    let (facts, deltas) = recompute(&mut everything, &settings, watermark);
    assert_eq!(newest_facts(&log, &topics, seed), facts, "seed {seed}, {restarts} restarts: facts");
    let expected = expected_windows(deltas, looked_at);
    let found = newest_windows(&log, &topics, seed, watermark);
    for key in expected.keys().chain(found.keys()) {
        assert_eq!(found.get(key), expected.get(key), "seed {seed}, {restarts} restarts: window {key}");
    }
}

/// The newest version of every fact that is not deleted; revisions must rise.
fn newest_facts(log: &Log, topics: &Topics, seed: u64) -> BTreeSet<String> {
    let decoder = Decoder::new(&[&avro::CHECKOUT_FACT, &avro::CONVERSATION_FACT, &avro::ANSWER_FACT]);
    let mut facts = BTreeSet::new();
    macro_rules! newest {
        ($topic:expr, $rules:ty) => {
            let mut newest: BTreeMap<Vec<u8>, <$rules as Rules>::Fact> = BTreeMap::new();
            for (key, value) in log.values(&$topic) {
                let fact: <$rules as Rules>::Fact = decoder.decode(&value).unwrap();
                let before = newest.get(&key).map_or(0, <$rules>::revision);
                assert!(fact.revision > before, "seed {seed}: revision of {fact:?} after {before}");
                newest.insert(key, fact);
            }
            for mut fact in newest.into_values().filter(|fact| !fact.is_deleted) {
                <$rules>::stamp(&mut fact, 0, false);
                facts.insert(format!("{fact:?}"));
            }
        };
    }
    newest!(topics.checkouts(), CheckoutRules);
    for fact in newest_of_conversations::<ConversationFact>(log, &topics.conversations(), seed) {
        facts.insert(format!("{:?}", Finding::Cycle(fact)));
    }
    for fact in newest_of_conversations::<ContactFact>(log, &topics.contacts(), seed) {
        facts.insert(format!("{:?}", Finding::Contact(fact)));
    }
    newest!(topics.answers(), AnswerRules);
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
    let mut newest: BTreeMap<(Vec<u8>, (String, EventTime)), (i64, bool, F)> = BTreeMap::new();
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
            let Window { metric, detail, touchpoint, channel, device, window: size, window_end, .. } = window;
            windows.insert(
                format!("{metric} {detail} {touchpoint} {channel} {device} {size} {}", window_end.0),
                numbers,
            );
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
