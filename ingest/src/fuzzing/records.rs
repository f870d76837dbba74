//! Avro records as any reader of a topic meets them. The first byte chooses what they are read as, and whether a right header is put
//! before them (no fuzzer guesses a fingerprint); the rest is the record.
//!
//! Promises: no panic and no large allocation, whatever the bytes; what can be read is the same after it was written and read again;
//! a refusal has a bounded reason.

use std::sync::LazyLock;

use touchstream_schemas::avro::{self, AvroSchema};
use touchstream_schemas::codec::{DecodeError, Decoder, Encoder, Framing, SINGLE_OBJECT};
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, FeedbackEvent};
use touchstream_schemas::facts::{CheckoutFact, ConversationFact};
use touchstream_schemas::panes::{Pane, Watermark};
use touchstream_schemas::quality::Quality;

/// Id of a registry under which the checkout schema is known too.
const REGISTRY_ID: u32 = 7;

static DECODER: LazyLock<Decoder> = LazyLock::new(|| {
    let decoder = Decoder::new(avro::ALL);
    decoder.also_read_id(REGISTRY_ID, avro::CHECKOUT_EVENT.json).expect("the schema is valid");
    decoder
});

/// What a record is read as.
static SCHEMAS: [&AvroSchema; 9] = [
    &avro::CHECKOUT_EVENT,
    &avro::CHAT_EVENT,
    &avro::FEEDBACK_EVENT,
    &avro::APP_EVENT,
    &avro::PANE,
    &avro::WATERMARK,
    &avro::QUALITY,
    &avro::CHECKOUT_FACT,
    &avro::CONVERSATION_FACT,
];

/// Reads a record, and again after it was written.
macro_rules! read {
    ($schema:expr, $kind:ty, $bytes:expr) => {
        match DECODER.decode::<$kind>($bytes) {
            Err(error) => check(&error),
            Ok(value) => {
                let mut encoder = Encoder::new($schema, Framing::SingleObject);
                let (writer, _) = DECODER.split($bytes).expect("it was read");
                match encoder.encode(&value) {
                    Ok(first) => {
                        let again: $kind = DECODER.decode(&first).expect("what was written can be read");
                        assert_eq!(encoder.encode(&again).expect("it was written before"), first);
                    }
                    // Read from another schema's record, it may lack what this schema wants.
                    Err(error) => assert_ne!(writer, $schema.name, "{error}"),
                }
            }
        }
    };
}

/// Reads a record.
pub fn codec(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    let kind = usize::from(choice & 0x7F) % 9;
    let framed =
        (choice & 0x80 == 0).then(|| [&SINGLE_OBJECT[..], &SCHEMAS[kind].fingerprint(), bytes].concat());
    let bytes = framed.as_deref().unwrap_or(bytes);
    match kind {
        0 => read!(SCHEMAS[kind], CheckoutEvent<'_>, bytes),
        1 => read!(SCHEMAS[kind], ChatEvent<'_>, bytes),
        2 => read!(SCHEMAS[kind], FeedbackEvent<'_>, bytes),
        3 => read!(SCHEMAS[kind], AppEvent<'_>, bytes),
        4 => read!(SCHEMAS[kind], Pane<'_>, bytes),
        5 => read!(SCHEMAS[kind], Watermark<'_>, bytes),
        6 => read!(SCHEMAS[kind], Quality<'_>, bytes),
        7 => read!(SCHEMAS[kind], CheckoutFact, bytes),
        _ => read!(SCHEMAS[kind], ConversationFact, bytes),
    }
}

fn check(error: &DecodeError) {
    let reasons = ["framing", "unknown_schema", "body", "trailing_bytes"];
    assert!(reasons.contains(&error.reason()), "{error}");
    assert!(error.to_string().len() < 1_000, "{error}");
}
