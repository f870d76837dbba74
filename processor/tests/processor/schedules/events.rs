//! Random events as ingest would write them, and what the rules need of each.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use touchstream_processor::cells::Counts;
use touchstream_processor::measure::app;
use touchstream_processor::measure::checkout::CheckoutPoint;
use touchstream_processor::measure::conversation::ConversationPoint;
use touchstream_processor::measure::feedback::Feedback;
use touchstream_processor::measure::further::FurtherContext as _;
use touchstream_processor::series::SeriesKey;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::event::Family;
use touchstream_schemas::facts::FurtherValue;
use touchstream_schemas::keys;
use touchstream_schemas::money::Money;
use touchstream_schemas::time::{EventTime, Millis};

use super::{SPAN, START};

/// Where and when the events of a schedule happen. A small world makes no other schedules than a large one, only quicker ones.
pub(crate) struct World {
    pub(crate) events: usize,
    families: Vec<Family>,
    touchpoints: &'static [&'static str],
    channels: &'static [&'static str],
    devices: &'static [&'static str],
    /// Stretches of time after the start in which something happens.
    bursts: Vec<std::ops::Range<i64>>,
    /// How late some are: one here and there, and of these a few by days. Few different ones, as each stretch of time has its windows.
    late_hours: i64,
    late_days: Option<i64>,
    /// Keys of each family.
    keys: u32,
}

impl World {
    /// Five hours of everything.
    pub(crate) fn large() -> World {
        World {
            events: 150,
            families: Family::ALL.to_vec(),
            touchpoints: &["checkout", "support"],
            channels: &["web", "app"],
            devices: &["mobile", "desktop"],
            bursts: std::iter::once(0..SPAN).collect(),
            late_hours: 2,
            late_days: Some(3),
            keys: 6,
        }
    }

    /// One or two families, some minutes now and then.
    pub(crate) fn small(random: &mut ChaCha8Rng) -> World {
        let families = Family::ALL.choose_multiple(random, 2).copied();
        let most = |random: &mut ChaCha8Rng, options: &'static [&'static str]| {
            if random.random_bool(0.3) { options } else { &options[..1] }
        };
        let minutes =
            |random: &mut ChaCha8Rng, between: std::ops::Range<i64>| 60_000 * random.random_range(between);
        let mut bursts = Vec::new();
        for _ in 0..random.random_range(1..3) {
            let begin = minutes(random, 0..300);
            bursts.push(begin..begin + minutes(random, 1..15));
        }
        World {
            events: random.random_range(8..48),
            families: families.take(if random.random_bool(0.6) { 1 } else { 2 }).collect(),
            touchpoints: most(random, &["checkout", "support"]),
            channels: most(random, &["web", "app"]),
            devices: most(random, &["mobile", "desktop"]),
            bursts,
            late_hours: random.random_range(1..10),
            late_days: random.random_bool(0.3).then(|| random.random_range(1..10)),
            keys: random.random_range(1..4),
        }
    }
}

/// What the rules need of the raw events: journeys by key, and what counts by itself.
#[derive(Default)]
pub(crate) struct Everything {
    pub(crate) checkouts: BTreeMap<String, Vec<CheckoutPoint>>,
    pub(crate) conversations: BTreeMap<String, Vec<ConversationPoint>>,
    pub(crate) submissions: BTreeMap<String, Vec<Feedback>>,
    pub(crate) counted: Vec<Counted>,
}

/// Numbers that one event counts by itself.
pub(crate) struct Counted {
    pub(crate) series: SeriesKey,
    pub(crate) further: Vec<FurtherValue>,
    pub(crate) time: EventTime,
    pub(crate) counts: Counts,
}

/// A raw event.
pub(crate) struct Raw {
    pub(crate) id: String,
    pub(crate) family: Family,
    pub(crate) time: EventTime,
    pub(crate) received_at: EventTime,
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
    /// What counts of it; nothing of machines' traffic and of types that no metric is made of.
    pub(crate) point: Option<Point>,
}

/// What counts of an event.
pub(crate) enum Point {
    Checkout(String, CheckoutPoint),
    Conversation(String, ConversationPoint),
    Feedback(String, Feedback),
    Counted(Counted),
}

impl Everything {
    pub(crate) fn add(&mut self, point: Point) {
        match point {
            Point::Checkout(key, point) => self.checkouts.entry(key).or_default().push(point),
            Point::Conversation(key, point) => self.conversations.entry(key).or_default().push(point),
            Point::Feedback(key, point) => self.submissions.entry(key).or_default().push(point),
            Point::Counted(counted) => self.counted.push(counted),
        }
    }
}

/// Encodes an event of any family as ingest does.
fn encode<T: serde::Serialize>(family: Family, event: &T) -> Vec<u8> {
    thread_local! {
        static ENCODERS: RefCell<HashMap<Family, Encoder>> = RefCell::default();
    }
    ENCODERS.with_borrow_mut(|encoders| {
        let encoder = encoders
            .entry(family)
            .or_insert_with(|| Encoder::new(avro::of_family(family), Framing::SingleObject));
        encoder.encode(event).unwrap()
    })
}

fn pick<'a>(random: &mut ChaCha8Rng, options: &[&'a str]) -> &'a str {
    options.choose(random).unwrap()
}

/// Where, when and by whom: what events of every family have.
struct Context {
    id: String,
    time: EventTime,
    received_at: EventTime,
    touchpoint: &'static str,
    channel: &'static str,
    device: &'static str,
    traffic: &'static str,
    variant: Option<&'static str>,
    keys: u32,
}

macro_rules! fill {
    ($event:expr, $context:expr) => {
        ($event.id, $event.time, $event.received_at) = (&$context.id, $context.time, $context.received_at);
        ($event.touchpoint, $event.channel, $event.device) =
            ($context.touchpoint, $context.channel, $context.device);
        ($event.traffic, $event.variant) = ($context.traffic, $context.variant);
    };
}

/// A random event, `shift` later than the same random numbers would make it otherwise.
pub(crate) fn random_event(
    random: &mut ChaCha8Rng,
    number: usize,
    shift: Millis,
    world: &World,
    touchpoints: &Touchpoints,
) -> Raw {
    let burst = world.bursts.choose(random).unwrap().clone();
    let received_at = START + Millis(random.random_range(burst)) + shift;
    let a_bit = Millis(random.random_range(0..5_000));
    let late = match (random.random_range(0..40), world.late_days) {
        (0..3, Some(days)) => Millis::DAY.times(days),
        (3..6, _) => Millis::HOUR.times(world.late_hours),
        _ => a_bit,
    };
    let context = Context {
        id: format!("e{number}"),
        time: received_at - late,
        received_at,
        touchpoint: pick(random, world.touchpoints),
        channel: pick(random, world.channels),
        device: pick(random, world.devices),
        traffic: if random.random_bool(0.05) { "bot" } else { "human" },
        variant: [None, Some("A"), Some("B")].choose(random).copied().flatten(),
        keys: world.keys,
    };
    let raw = match world.families.choose(random).unwrap() {
        Family::Checkout => checkout(random, &context, touchpoints),
        Family::Chat => conversation(random, &context, touchpoints),
        Family::Feedback => feedback(random, &context, touchpoints),
        Family::App => app_event(random, &context, touchpoints),
    };
    Raw { point: raw.point.filter(|_| context.traffic == "human"), ..raw }
}

fn checkout(random: &mut ChaCha8Rng, context: &Context, touchpoints: &Touchpoints) -> Raw {
    let mut event = crate::events::empty_checkout();
    fill!(event, context);
    let key = format!("k{}", random.random_range(0..context.keys));
    let transaction = format!("t{}", random.random_range(0..4));
    event.checkout_id = Some(&key);
    let types = [
        "checkout.started",
        "checkout.step",
        "checkout.step",
        "checkout.step",
        "checkout.friction",
        "checkout.abandoned",
        "checkout.completed",
        "checkout.refunded",
    ];
    event.event_type = pick(random, &types);
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
        "checkout.completed" => event.transaction_id = random.random_bool(0.8).then_some(&transaction),
        _ => {}
    }
    event.value = random.random_bool(0.5).then(|| Money(random.random_range(0..1_000_000)));
    event.currency = event.value.map(|_| "EUR");
    let point = CheckoutPoint::of(&event, touchpoints).map(|point| Point::Checkout(key.clone(), point));
    Raw {
        id: context.id.clone(),
        time: context.time,
        received_at: context.received_at,
        family: Family::Checkout,
        key: keys::join(&["t", keys::checkout(&event)]),
        value: encode(Family::Checkout, &event),
        point,
    }
}

fn conversation(random: &mut ChaCha8Rng, context: &Context, touchpoints: &Touchpoints) -> Raw {
    let mut event = crate::events::empty_chat();
    fill!(event, context);
    let conversation = format!("c{}", random.random_range(0..context.keys));
    let message = format!("m{}", random.random_range(0..40));
    let customer = format!("u{}", random.random_range(0..3));
    event.conversation_id = &conversation;
    event.customer_id = random.random_bool(0.5).then_some(&customer);
    event.reasked_field = random.random_bool(0.05).then_some("order_number");
    let types =
        ["chat.started", "chat.message", "chat.message", "chat.message", "chat.handoff", "chat.status"];
    event.event_type = pick(random, &types);
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
    Raw {
        id: context.id.clone(),
        time: context.time,
        received_at: context.received_at,
        family: Family::Chat,
        key: keys::join(&["t", keys::chat(&event)]),
        value: encode(Family::Chat, &event),
        point: Some(Point::Conversation(conversation.clone(), ConversationPoint::of(&event, touchpoints))),
    }
}

fn feedback(random: &mut ChaCha8Rng, context: &Context, touchpoints: &Touchpoints) -> Raw {
    let mut event = crate::events::empty_feedback();
    fill!(event, context);
    let submission = format!("f{}", random.random_range(0..context.keys + 2));
    event.event_type = pick(
        random,
        &[
            "feedback.answered",
            "feedback.answered",
            "feedback.answered",
            "feedback.shown",
            "feedback.dismissed",
        ],
    );
    event.submission_id = random.random_bool(0.7).then_some(&submission);
    if event.event_type == "feedback.answered" {
        let (metric, scale, score) = match random.random_range(0..5) {
            0 => ("csat", None, random.random_range(1..=5)),
            1 => ("csat", Some((0, 10)), random.random_range(0..=10)),
            2 => ("ces", None, random.random_range(1..=7)),
            _ => ("nps", None, random.random_range(0..=10)),
        };
        (event.metric, event.score) = (Some(metric), Some(score));
        (event.scale_min, event.scale_max) = (scale.map(|scale| scale.0), scale.map(|scale| scale.1));
        event.respondent = random.random_bool(0.1).then_some("employee");
    }
    let point = Feedback::of(&event, touchpoints)
        .map(|point| Point::Feedback(keys::feedback(&event).to_owned(), point));
    Raw {
        id: context.id.clone(),
        time: context.time,
        received_at: context.received_at,
        family: Family::Feedback,
        key: keys::join(&["t", keys::feedback(&event)]),
        value: encode(Family::Feedback, &event),
        point,
    }
}

fn app_event(random: &mut ChaCha8Rng, context: &Context, touchpoints: &Touchpoints) -> Raw {
    let mut event = crate::events::empty_app();
    fill!(event, context);
    event.event_type = pick(random, &["app.response", "app.response", "app.task", "app.error"]);
    event.name = Some(pick(random, &["search", "login"]));
    match event.event_type {
        "app.response" => {
            event.duration_ms = Some(random.random_range(0..3_000));
            event.status =
                [None, Some(200), Some(404), Some(500), Some(503)].choose(random).copied().flatten();
        }
        "app.task" => event.result = Some(pick(random, &["success", "failure", "abandoned"])),
        _ => (event.name, event.code) = (None, Some("E1")),
    }
    let counted = app::counted(&event).map(|(series, counts)| Counted {
        series: series.to_key(),
        further: event.further(touchpoints),
        time: event.time,
        counts,
    });
    Raw {
        id: context.id.clone(),
        time: context.time,
        received_at: context.received_at,
        family: Family::App,
        key: keys::join(&["t", keys::app(&event)]),
        value: encode(Family::App, &event),
        point: counted.map(Point::Counted),
    }
}
