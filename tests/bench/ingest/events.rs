//! The requests: events as sites send them, not the smallest possible, and files of them that wrk's script and the loader read.
//!
//! A file holds records: a line with the length of the request and the place of its id (0: none), then the request. The id has
//! [`ID_BYTES`] and is overwritten for every request that is sent, so that no two events of a run are the same.

use std::io::Write;
use std::path::Path;

use async_compression::tokio::write::GzipEncoder;
use tokio::io::AsyncWriteExt;

/// Length of an event's id.
pub(crate) const ID_BYTES: usize = 20;
/// The write key.
pub(crate) const KEY: &str = "key-of-the-benchmark";
/// Events in one batch.
pub(crate) const BATCH: usize = 100;

/// A request, complete with its head.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) bytes: Vec<u8>,
    /// Where the id stands; none in a compressed body.
    pub(crate) id_at: Option<usize>,
}

/// One event; `number` makes its ids and values.
fn event(id: &str, number: usize, now: &str) -> String {
    let devices = ["mobile", "desktop", "tablet"];
    let personas = ["returning", "first_time", "bargain_hunter", "business"];
    let context = format!(
        "{{\"customer_id\":\"c-{customer}\",\"anonymous_id\":\"a-{session}\",\"session_id\":\"s-{session}\",\"account_id\":null,\
         \"seq\":{seq},\"touchpoint\":\"{touchpoint}\",\"channel\":\"web\",\"device\":\"{device}\",\"mode\":\"self\",\
         \"persona\":\"{persona}\",\"member\":{member},\"locale\":\"de-DE\",\"app_version\":\"5.2.{version}\",\"variant\":\"{variant}\",\
         \"campaign\":\"nl-{campaign}\",\"referrer\":\"https://shop.example/c/shoes?page={page}\",\"consent\":[\"analytics\"],\
         \"traffic\":\"human\"}}",
        customer = number * 7919 % 50_000,
        session = number * 104_729 % 90_000,
        seq = number % 40 + 1,
        touchpoint = if number.is_multiple_of(2) { "checkout" } else { "order_confirmation" },
        device = devices[number % devices.len()],
        persona = personas[number / 3 % personas.len()],
        member = number.is_multiple_of(3),
        version = number % 9,
        variant = if number % 4 < 2 { "A" } else { "B" },
        campaign = number % 12,
        page = number % 30,
    );
    let (event_type, data) = if number.is_multiple_of(2) {
        let steps = ["cart", "address", "shipping", "payment", "review"];
        let step = number / 2 % steps.len();
        let (action, error) =
            if number % 14 == 6 { ("failed", "\"card_declined\"") } else { ("completed", "null") };
        let data = format!(
            "{{\"checkout_id\":\"k-{checkout}\",\"cart_id\":\"b-{checkout}\",\"step\":\"{step_name}\",\"index\":{index},\
             \"action\":\"{action}\",\"error\":{error},\"extra_cost\":4.90,\"currency\":\"EUR\",\"shipping_tier\":\"standard\",\
             \"payment_type\":\"card\",\"account_type\":\"guest\",\"items_in_cart\":{items}}}",
            checkout = number * 31 % 40_000,
            step_name = steps[step],
            index = step + 1,
            items = number % 6 + 1,
        );
        ("checkout.step", data)
    } else {
        let texts = [
            "Lieferung kam schneller als gedacht, gerne wieder!",
            "The payment page asked me twice for my address, please fix that.",
            "",
            "Ich musste 3 Mal anrufen (030 1234567), bis jemand meine Bestellung gefunden hat.",
        ];
        let data = format!(
            "{{\"survey_id\":\"nps-after-order\",\"submission_id\":\"f-{submission}\",\"metric\":\"nps\",\"score\":{score},\
             \"question_id\":\"recommend\",\"driver\":\"delivery\",\"text\":{text}}}",
            submission = number * 17 % 400_000,
            score = number * 7 % 11,
            text = serde_json::Value::from(texts[number / 2 % texts.len()]),
        );
        ("feedback.answered", data)
    };
    format!(
        "{{\"id\":\"{id}\",\"type\":\"{event_type}\",\"time\":\"{now}\",\"sent_at\":\"{now}\",\"context\":{context},\
         \"data\":{data}}}"
    )
}

fn head(content_type: &str, more: &str, length: usize) -> String {
    format!(
        "POST /v1/events HTTP/1.1\r\nHost: ingest.shop.example\r\nUser-Agent: shop-backend/5.2\r\nAccept: */*\r\n\
         Authorization: Bearer {KEY}\r\nContent-Type: {content_type}\r\n{more}Content-Length: {length}\r\n\r\n"
    )
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Requests with one event each.
pub(crate) fn single(count: usize) -> Vec<Request> {
    let (now, placeholder) = (now(), "#".repeat(ID_BYTES));
    let request = |number| {
        let body = event(&placeholder, number, &now);
        let mut bytes = head("application/json", "", body.len()).into_bytes();
        let id_at = bytes.len() + body.find(&placeholder).expect("it is there");
        bytes.extend_from_slice(body.as_bytes());
        Request { bytes, id_at: Some(id_at) }
    };
    (0..count).map(request).collect()
}

/// Requests with [`BATCH`] events each, as gzip NDJSON; every event of the run has its own id.
pub(crate) async fn batches(count: usize) -> Vec<Request> {
    let now = now();
    let mut requests = Vec::with_capacity(count);
    for batch in 0..count {
        let mut lines = String::new();
        for number in batch * BATCH..(batch + 1) * BATCH {
            lines.push_str(&event(&format!("b-{number:0width$}", width = ID_BYTES - 2), number, &now));
            lines.push('\n');
        }
        let mut encoder = GzipEncoder::with_quality(Vec::new(), async_compression::Level::Precise(4));
        encoder.write_all(lines.as_bytes()).await.expect("memory takes everything");
        encoder.shutdown().await.expect("memory takes everything");
        let body = encoder.into_inner();
        let mut bytes = head("application/x-ndjson", "Content-Encoding: gzip\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(&body);
        requests.push(Request { bytes, id_at: None });
    }
    requests
}

/// Writes requests for wrk's script.
pub(crate) fn write_file(path: &Path, requests: &[Request]) {
    let file = std::fs::File::create(path).expect("the directory is ours");
    let mut file = std::io::BufWriter::new(file);
    for request in requests {
        writeln!(file, "{} {}", request.bytes.len(), request.id_at.unwrap_or(0)).expect("the disk has room");
        file.write_all(&request.bytes).expect("the disk has room");
    }
    file.flush().expect("the disk has room");
}
