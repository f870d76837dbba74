//! Every Rust struct fits its schema field for field, in both framings, and damaged bytes are an error, never a panic.

use std::io::{BufRead, BufReader, Read, Write};

use serde_json::Value;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{DecodeError, Decoder, Encoder, Framing};
use touchstream_schemas::event::{CheckoutEvent, StringMap};
use touchstream_schemas::money::Money;
use touchstream_schemas::registry::SchemaRegistry;
use touchstream_schemas::time::EventTime;

fn checkout_event() -> CheckoutEvent<'static> {
    CheckoutEvent {
        tenant: "shop",
        source: "web",
        id: "e-1",
        event_type: "checkout.step",
        time: EventTime(1_700_000_000_123),
        original_time: None,
        sent_at: Some(EventTime(1_700_000_000_200)),
        received_at: EventTime(1_700_000_000_300),
        customer_id: None,
        anonymous_id: Some("a"),
        session_id: None,
        account_id: None,
        seq: Some(17),
        touchpoint: "checkout",
        channel: "web",
        device: "mobile",
        mode: None,
        persona: None,
        member: Some(true),
        locale: None,
        app_version: None,
        variant: None,
        campaign: None,
        referrer: None,
        preferred_channel: None,
        stage: None,
        consent: vec!["analytics"],
        traffic: "human",
        extra: StringMap(vec![("colour", "blue")]),
        checkout_id: Some("k-9"),
        cart_id: None,
        order_id: None,
        step: Some("payment"),
        step_index: None,
        action: Some("failed"),
        error: Some("card_declined"),
        extra_cost: Some(Money(-1)),
        shipping_tier: None,
        payment_type: None,
        account_type: None,
        friction_kind: None,
        reason: None,
        transaction_id: None,
        value: Some(Money(1_234_500)),
        currency: Some("EUR"),
        items: Some(3),
    }
}

#[test]
fn both_framings_carry_every_value_unchanged() {
    let event = checkout_event();
    let decoder = Decoder::new(&[&avro::CHECKOUT_EVENT]);
    decoder.also_read_id(7, avro::CHECKOUT_EVENT.json).expect("the schema is valid");
    for framing in [Framing::SingleObject, Framing::Confluent(7)] {
        let bytes = Encoder::new(&avro::CHECKOUT_EVENT, framing).encode(&event).expect("the event fits");
        assert_eq!(decoder.decode::<CheckoutEvent<'_>>(&bytes).expect("it can be read"), event);
    }
}

/// A registry's two answers that matter: registering a schema, and fetching it by its id.
fn serve_registry(requests: usize) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming().take(requests) {
            let mut stream = stream.expect("a client connects");
            let mut reader = BufReader::new(stream.try_clone().expect("the stream can be cloned"));
            let (mut request, mut length) = (String::new(), 0);
            reader.read_line(&mut request).expect("a request line");
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).expect("a header line");
                if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                if header.trim().is_empty() {
                    break;
                }
            }
            reader.read_exact(&mut vec![0; length]).expect("the body");
            let schema = serde_json::json!({ "schema": avro::CHECKOUT_EVENT.json });
            let (status, body) = match request.split(' ').nth(1).expect("a path") {
                "/subjects/cx.checkout-value/versions" => ("200 OK", "{\"id\":42}".to_owned()),
                "/schemas/ids/42" => ("200 OK", schema.to_string()),
                _ => ("404 Not Found", "{}".to_owned()),
            };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .expect("the client reads the answer");
        }
    });
    url
}

#[test]
fn ids_are_registered_by_topic_and_looked_up_once() {
    let registry = SchemaRegistry::new(&serve_registry(3));
    let id = registry.register("cx.checkout", &avro::CHECKOUT_EVENT).expect("the registry answers");
    let event = checkout_event();
    let bytes =
        Encoder::new(&avro::CHECKOUT_EVENT, Framing::Confluent(id)).encode(&event).expect("the event fits");
    assert_eq!(&bytes[..5], [0, 0, 0, 0, 42]);

    let decoder = Decoder::default().with_registry(Some(registry));
    for _ in 0..3 {
        assert_eq!(decoder.decode::<CheckoutEvent<'_>>(&bytes).expect("one fetch, then it is known"), event);
    }
    let unknown = [&[0, 0, 0, 0, 7], &bytes[5..]].concat();
    assert!(matches!(decoder.decode::<CheckoutEvent<'_>>(&unknown), Err(DecodeError::UnknownSchema { .. })));
    // The registry has gone: that is no reason to give a record up.
    assert!(matches!(decoder.decode::<CheckoutEvent<'_>>(&unknown), Err(DecodeError::Registry(_))));
}

#[test]
fn truncated_lengthened_and_foreign_records_are_named_errors() {
    let decoder = Decoder::new(&[&avro::CHECKOUT_EVENT]);
    let mut encoder = Encoder::new(&avro::CHECKOUT_EVENT, Framing::SingleObject);
    let bytes = encoder.encode(&checkout_event()).expect("the event fits");
    for length in 0..bytes.len() {
        assert!(decoder.decode::<CheckoutEvent<'_>>(&bytes[..length]).is_err(), "cut at {length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(decoder.decode::<CheckoutEvent<'_>>(&longer), Err(DecodeError::TrailingBytes { .. })));
    let mut foreign = bytes.clone();
    foreign[3] ^= 0xFF;
    assert!(matches!(decoder.decode::<CheckoutEvent<'_>>(&foreign), Err(DecodeError::UnknownSchema { .. })));
    assert!(matches!(decoder.decode::<CheckoutEvent<'_>>(b"{\"a\":1}"), Err(DecodeError::Framing { .. })));
    for index in 10..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[index] ^= 1 << bit;
            drop(decoder.decode::<CheckoutEvent<'_>>(&flipped));
        }
    }
}

/// The sink reads these records with another implementation: both must see the same schema. (apache-avro 0.21 is no peer
/// here: its canonical form keeps logical types, which the specification strips.)
#[test]
fn the_fingerprint_is_that_of_another_implementation() {
    use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm};
    for schema in avro::ALL {
        let theirs = AvroSchema::new(schema.json.to_owned())
            .fingerprint(FingerprintAlgorithm::Rabin)
            .expect("it has a canonical form");
        assert_eq!(theirs, Fingerprint::Rabin(u64::from_le_bytes(schema.fingerprint())), "{}", schema.name);
    }
}

#[test]
fn every_schema_and_field_has_a_doc() {
    fn visit(value: &Value, path: &str) {
        match value {
            Value::Object(object) => {
                if object.get("type").and_then(Value::as_str) == Some("record") {
                    assert!(object.get("doc").is_some_and(|doc| doc != ""), "{path} has no doc");
                    for field in object["fields"].as_array().expect("a record has fields") {
                        assert!(
                            field.get("doc").is_some_and(|doc| doc != ""),
                            "{path}.{} has no doc",
                            field["name"]
                        );
                    }
                }
                for (name, value) in object {
                    visit(value, &format!("{path}.{name}"));
                }
            }
            Value::Array(values) => values.iter().for_each(|value| visit(value, path)),
            _ => {}
        }
    }
    for schema in avro::ALL {
        visit(&serde_json::from_str(schema.json).expect("it is JSON"), schema.name);
    }
}
