//! The handler that ingest is compared with: axum, serde_json into a typed struct, one message, its acknowledgement, 202.
//!
//! No keys, no validation, no privacy, no limits, no Avro: the body goes to Kafka as it came. The producer has ingest's promises
//! (acks=all, idempotence) and its compression.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use serde::Deserialize;
use tokio::sync::oneshot;

/// First argument of the process that serves it.
pub(crate) const ROLE: &str = "bare-handler";

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is what is measured")]
struct Event {
    id: Option<String>,
    #[serde(rename = "type")]
    event_type: String,
    time: Option<String>,
    sent_at: Option<String>,
    context: Context,
    data: Data,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is what is measured")]
struct Context {
    customer_id: Option<String>,
    anonymous_id: Option<String>,
    session_id: Option<String>,
    account_id: Option<String>,
    seq: Option<i64>,
    touchpoint: Option<String>,
    channel: Option<String>,
    device: Option<String>,
    mode: Option<String>,
    persona: Option<String>,
    member: Option<bool>,
    locale: Option<String>,
    app_version: Option<String>,
    variant: Option<String>,
    campaign: Option<String>,
    referrer: Option<String>,
    consent: Option<Vec<String>>,
    traffic: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is what is measured")]
struct Data {
    survey_id: Option<String>,
    submission_id: Option<String>,
    metric: Option<String>,
    score: Option<i32>,
    question_id: Option<String>,
    driver: Option<String>,
    text: Option<String>,
    checkout_id: Option<String>,
    cart_id: Option<String>,
    step: Option<String>,
    index: Option<i32>,
    action: Option<String>,
    error: Option<String>,
    extra_cost: Option<f64>,
    shipping_tier: Option<String>,
    payment_type: Option<String>,
    account_type: Option<String>,
}

struct Acknowledge;

impl ClientContext for Acknowledge {}

impl ProducerContext for Acknowledge {
    type DeliveryOpaque = Box<oneshot::Sender<bool>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        // The handler is gone when its client is.
        let _gone: Result<(), bool> = waiting.send(result.is_ok());
    }
}

struct Bare {
    producer: ThreadedProducer<Acknowledge>,
    topic: String,
}

async fn take(State(bare): State<Arc<Bare>>, body: Bytes) -> StatusCode {
    let Ok(event) = serde_json::from_slice::<Event>(&body) else { return StatusCode::BAD_REQUEST };
    let key = event.data.submission_id.or(event.data.checkout_id).or(event.id).unwrap_or_default();
    let (sender, acknowledged) = oneshot::channel();
    let record = BaseRecord::with_opaque_to(&bare.topic, Box::new(sender)).key(&key).payload(&body[..]);
    if bare.producer.send(record).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    if acknowledged.await == Ok(true) { StatusCode::ACCEPTED } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Serves until it is killed.
pub(crate) fn run(address: &str, brokers: &str, topic: &str, linger_ms: &str) {
    let producer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.messages", "1000000")
        .set("linger.ms", linger_ms)
        .create_with_context(Acknowledge)
        .expect("the producer can be made");
    let bare = Arc::new(Bare { producer, topic: topic.to_owned() });
    let router = Router::new().route("/v1/events", post(take)).with_state(bare);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be made");
    runtime.block_on(async {
        use axum::serve::ListenerExt;
        let listener = tokio::net::TcpListener::bind(address).await.expect("the port is free");
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("it is connected"));
        axum::serve(listener, router).await.expect("it serves");
    });
}
