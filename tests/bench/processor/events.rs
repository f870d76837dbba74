//! What is prepared in Kafka: events as ingest writes them, all families, in the order of a busy half hour.

use std::time::Duration;

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use touchstream_runtime::kafka;
use touchstream_runtime::settings::KafkaSettings;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, Family, FeedbackEvent, StringMap};
use touchstream_schemas::keys;
use touchstream_schemas::money::Money;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;

/// Event time that the prepared events cover.
const SPAN: Millis = Millis::MINUTE.times(30);
const DEVICES: [&str; 2] = ["mobile", "desktop"];
const CHANNELS: [&str; 2] = ["web", "app"];
/// Series that feedback falls into when nothing else is asked for.
pub(crate) const FEW_SERIES: usize = 10;

/// Which events.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// NPS answers in so many series.
    Feedback { series: usize },
    /// A quarter of each family.
    Mix,
    /// Checkouts that begin and are neither completed nor abandoned, two events each.
    OpenCheckouts,
    /// Checkouts of some seven events each.
    Checkouts,
    /// Events that belong to no attempt.
    Refunds,
}

struct Writer {
    /// None: what was encoded stays in the buffer.
    producer: Option<ThreadedProducer<DefaultProducerContext>>,
    random: ChaCha8Rng,
    topics: Topics,
    encoders: [Encoder; 4],
    buffer: Vec<u8>,
    serial: u64,
    start: EventTime,
    step: f64,
    written: u64,
}

/// Events one by one, as they happen.
pub(crate) struct Live(Writer);

/// Fills the raw topics under `prefix` with `count` events that end a minute ago.
pub(crate) fn prepare(settings: &KafkaSettings, prefix: &str, content: Content, count: u64, seed: u64) {
    prepare_framed(settings, prefix, content, count, seed, |_| Framing::SingleObject);
}

/// The same, in the given framing.
pub(crate) fn prepare_framed(
    settings: &KafkaSettings,
    prefix: &str,
    content: Content,
    count: u64,
    seed: u64,
    framing: fn(Family) -> Framing,
) {
    let producer = kafka::producer(settings, "touchstream-bench")
        .expect("no secrets are configured")
        .set("linger.ms", "20")
        .set("batch.size", "400000")
        .create()
        .expect("a producer can be made");
    let mut writer = Writer::new(prefix, count, seed);
    writer.encoders = Family::ALL.map(|family| Encoder::new(avro::of_family(family), framing(family)));
    writer.producer = Some(producer);
    // Journeys run side by side, as many as a busy shop has at a time.
    let mut running: Vec<Journey> = Vec::new();
    let side_by_side = usize::try_from(count / 300).unwrap_or(1).clamp(1, 4_000);
    while writer.written < count {
        if let Content::Feedback { series } = content {
            let journey = writer.journey(Family::Feedback, series);
            writer.feedback(&journey);
            continue;
        }
        if running.len() < side_by_side {
            let family = match content {
                Content::Mix => pick(&mut writer.random, &MIX),
                _ => Family::Checkout,
            };
            let series = if matches!(content, Content::Mix) { 8 } else { FEW_SERIES };
            let journey = writer.journey(family, series);
            running.push(journey);
            if running.len() < side_by_side {
                continue;
            }
        }
        let place = writer.random.random_range(0..running.len());
        let mut journey = running.swap_remove(place);
        let goes_on = match (content, journey.family) {
            (Content::OpenCheckouts, _) => writer.open_checkout(&journey),
            (Content::Refunds, _) => {
                writer.write_checkout(&journey, "checkout.refunded", None);
                false
            }
            (_, Family::Checkout) => writer.checkout(&journey),
            (_, Family::Chat) => writer.chat(&journey),
            (_, Family::Feedback) => writer.feedback(&journey),
            (_, Family::App) => writer.app(&journey),
        };
        journey.place += 1;
        if goes_on {
            running.push(journey);
        }
    }
    let producer = writer.producer.expect("it was given one");
    producer.flush(Duration::from_secs(60)).expect("Kafka takes what was prepared");
}

/// Journeys begin in proportion to what makes each family a quarter of the events.
const MIX: [Family; 22] = [
    Family::Checkout,
    Family::Checkout,
    Family::Chat,
    Family::Chat,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::Feedback,
    Family::App,
    Family::App,
    Family::App,
    Family::App,
];

/// Who does what, and how far they came.
struct Journey {
    family: Family,
    key: String,
    customer: String,
    session: String,
    touchpoint: String,
    channel: &'static str,
    device: &'static str,
    place: usize,
}

fn pick<T: Copy>(random: &mut ChaCha8Rng, options: &[T]) -> T {
    *options.choose(random).expect("there are options")
}

macro_rules! event {
    ($kind:ident, $writer:expr, $journey:expr, $id:expr, $type:expr, { $($field:ident : $value:expr,)* }) => {{
        let time = $writer.time();
        $kind {
            tenant: "shop", source: "web-1", id: $id, event_type: $type, time, original_time: None,
            sent_at: Some(time + Millis(40)), received_at: time + Millis(65),
            customer_id: Some(&$journey.customer), anonymous_id: None, session_id: Some(&$journey.session),
            account_id: None, seq: Some(i64::try_from($journey.place).unwrap_or_default()),
            touchpoint: &$journey.touchpoint, channel: $journey.channel, device: $journey.device, mode: None,
            persona: Some("returning"), member: Some(true), locale: Some("de-DE"), app_version: Some("5.2.1"),
            variant: None, campaign: None, referrer: None, preferred_channel: None, stage: None,
            consent: vec!["analytics"], traffic: "human", extra: StringMap::default(),
            $($field: $value,)*
        }
    }};
}

impl Live {
    pub(crate) fn new() -> Live {
        Live(Writer::new("live", 1, 6))
    }

    /// Sends one answer of now; a probe is the only one of its touchpoint.
    pub(crate) fn send<C>(&mut self, producer: &ThreadedProducer<C>, topic: &str, probe: &str)
    where
        C: ProducerContext<DeliveryOpaque = Box<String>> + 'static,
    {
        let writer = &mut self.0;
        writer.start = EventTime::now() - Millis(2_200);
        writer.written = 0;
        let mut journey = writer.journey(Family::Feedback, FEW_SERIES);
        if !probe.is_empty() {
            probe.clone_into(&mut journey.touchpoint);
        }
        writer.feedback(&journey);
        let key = keys::join(&["shop", &journey.key]);
        let record = BaseRecord::with_opaque_to(topic, Box::new(probe.to_owned()));
        let sent = producer.send(record.key(key.as_bytes()).payload(writer.buffer.as_slice()));
        assert!(sent.is_ok(), "the queue has room for what is sent at this rate");
    }
}

impl Writer {
    fn new(prefix: &str, count: u64, seed: u64) -> Writer {
        Writer {
            producer: None,
            random: ChaCha8Rng::seed_from_u64(seed),
            topics: Topics::new(prefix),
            encoders: Family::ALL.map(|family| Encoder::new(avro::of_family(family), Framing::SingleObject)),
            buffer: Vec::new(),
            serial: seed << 32,
            start: EventTime::now() - SPAN - Millis::MINUTE,
            #[expect(clippy::cast_precision_loss, reason = "a span of time over a number of events")]
            step: SPAN.0 as f64 / count as f64,
            written: 0,
        }
    }

    fn id(&mut self) -> String {
        let random: u128 = self.random.random();
        format!(
            "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
            random >> 96,
            random >> 80 & 0xffff,
            random >> 68 & 0xfff,
            random >> 48 & 0xffff,
            random & 0xffff_ffff_ffff
        )
    }

    fn time(&mut self) -> EventTime {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "times within half an hour"
        )]
        let elapsed = (self.written as f64 * self.step) as i64;
        self.start + Millis(elapsed + self.random.random_range(0..2_000))
    }

    fn journey(&mut self, family: Family, series: usize) -> Journey {
        self.serial += 1;
        let number = self.random.random_range(0..series);
        let touchpoint = match (family, number / 4) {
            (Family::Checkout, _) => "checkout".to_owned(),
            (Family::Chat, _) => "support".to_owned(),
            (_, 0) => "product".to_owned(),
            (_, other) => format!("touchpoint-{other}"),
        };
        let random: u64 = self.random.random();
        Journey {
            family,
            key: format!("{:010x}{random:012x}", self.serial),
            customer: format!("c-{:016x}", random % 2_000_003),
            session: format!("s-{:016x}", random.rotate_left(17)),
            touchpoint,
            channel: CHANNELS[number / 2 % 2],
            device: DEVICES[number % 2],
            place: 0,
        }
    }

    fn send<T: serde::Serialize>(&mut self, family: Family, event: &T, key: &str) {
        let index = Family::ALL.iter().position(|other| *other == family).expect("one of four");
        self.encoders[index].encode_into(event, &mut self.buffer).expect("events fit their schema");
        self.written += 1;
        let Some(producer) = &self.producer else { return };
        let topic = self.topics.raw(family);
        let key = keys::join(&["shop", key]);
        let mut record = BaseRecord::to(&topic).key(key.as_bytes()).payload(self.buffer.as_slice());
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err((error, _)) => panic!("failed to prepare events: {error}"),
            }
        }
    }

    fn feedback(&mut self, journey: &Journey) -> bool {
        let id = self.id();
        let score = pick(&mut self.random, &[10, 10, 9, 9, 9, 8, 8, 7, 6, 3, 0]);
        let event = event!(FeedbackEvent, self, journey, &id, "feedback.answered", {
            survey_id: Some("nps"), submission_id: Some(&journey.key), story_id: None, scene: None, metric: Some("nps"),
            score: Some(score), scale_min: None, scale_max: None, choice: None, question_id: None, driver: None,
            respondent: Some("customer"), subject_id: None, subject_type: None, text: None, rating: None,
            review_source: None, product: None, review_id: None, state: None,
        });
        self.send(Family::Feedback, &event, &journey.key);
        false
    }

    fn app(&mut self, journey: &Journey) -> bool {
        let id = self.id();
        let kind = pick(&mut self.random, &["app.screen_viewed", "app.response", "app.response", "app.task"]);
        let name = pick(&mut self.random, &["search", "basket", "product", "login"]);
        let is_response = kind == "app.response";
        let event = event!(AppEvent, self, journey, &id, kind, {
            name: Some(name), duration_ms: (kind != "app.screen_viewed").then(|| self.random.random_range(20..3_000)),
            status: is_response.then_some(if self.random.random_bool(0.02) { 503 } else { 200 }),
            result: (kind == "app.task").then_some("success"), code: None, fatal: None, action: None, order_id: None,
            state: None, due_at: None, kind: None, notice_status: None, compensation: None,
        });
        self.send(Family::App, &event, &journey.session);
        journey.place < 4
    }

    fn checkout(&mut self, journey: &Journey) -> bool {
        const STEPS: [&str; 5] = ["cart", "account", "address", "shipping", "payment"];
        let gives_up = self.random.random_bool(0.06);
        let (kind, step) = match journey.place {
            0 => ("checkout.started", None),
            _ if gives_up => return false,
            place @ 1..=5 => ("checkout.step", Some(STEPS[place - 1])),
            _ => ("checkout.completed", None),
        };
        self.write_checkout(journey, kind, step);
        kind != "checkout.completed"
    }

    fn open_checkout(&mut self, journey: &Journey) -> bool {
        let is_first = journey.place == 0;
        self.write_checkout(
            journey,
            if is_first { "checkout.started" } else { "checkout.step" },
            (!is_first).then_some("cart"),
        );
        is_first
    }

    fn write_checkout(&mut self, journey: &Journey, kind: &str, step: Option<&str>) {
        let id = self.id();
        let transaction = format!("t-{}", journey.key);
        let is_completed = kind == "checkout.completed";
        let has_value = journey.place == 0 || is_completed;
        let event = event!(CheckoutEvent, self, journey, &id, kind, {
            checkout_id: Some(&journey.key), cart_id: None, order_id: None, step: step, step_index: None,
            action: step.map(|_| "completed"), error: None, extra_cost: None, shipping_tier: None, payment_type: None,
            account_type: None, friction_kind: None, reason: None,
            transaction_id: is_completed.then_some(&transaction), value: has_value.then_some(Money(799_000)),
            currency: has_value.then_some("EUR"), items: has_value.then_some(3),
        });
        self.send(Family::Checkout, &event, &journey.key);
    }

    fn chat(&mut self, journey: &Journey) -> bool {
        let id = self.id();
        let message = format!("m-{}", journey.place);
        let (kind, sender) = match journey.place {
            0 => ("chat.started", None),
            7 => ("chat.status", None),
            place if place % 2 == 1 => ("chat.message", Some("customer")),
            _ => ("chat.message", Some("agent")),
        };
        let event = event!(ChatEvent, self, journey, &id, kind, {
            conversation_id: &journey.key, case_id: None, topic: (journey.place == 0).then_some("delivery"),
            initiator: (journey.place == 0).then_some("customer"), message_id: sender.map(|_| message.as_str()), sender: sender,
            public: sender.map(|_| true), fallback: None, answer_id: None, reasked_field: None,
            agent_id: None, requested_by: None, context_passed: None,
            state: (journey.place == 7).then_some("solved"), by: None, queue_s: None, talk_s: None, answered: None,
        });
        self.send(Family::Chat, &event, &journey.key);
        journey.place < 7
    }
}
