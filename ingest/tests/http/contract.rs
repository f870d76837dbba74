//! The HTTP contract of ingest against the real server and a real Kafka: what is answered, and what is in the topics then.

use rdkafka::Message;
use serde_json::{Value, json};
use touchstream_ingest::{NewKey, create_key};
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::event::{CheckoutEvent, FeedbackEvent};
use touchstream_schemas::quality::Quality;
use touchstream_schemas::{avro, money::Money};

use crate::harness::{
    KEY, PATIENCE, Server, block_on, brokers, create_topics, exchange, get, post, post_with, read_topic,
    wait_for,
};

fn server(prefix: &str) -> Server {
    let brokers = brokers();
    block_on(create_topics(&brokers, prefix));
    Server::start(&brokers, prefix, |_| {})
}

const NPS: &str =
    r#"{"id":"f-1","type":"feedback.answered","data":{"survey_id":"nps","metric":"nps","score":9}}"#;

fn codes(list: &Value) -> Vec<(u64, &str, &str)> {
    let text = |entry: &'_ Value, name| entry[name].as_str().unwrap_or("").to_owned().leak() as &str;
    let entries = list.as_array().unwrap();
    entries
        .iter()
        .map(|entry| (entry["index"].as_u64().unwrap(), text(entry, "code"), text(entry, "field")))
        .collect()
}

#[test]
fn an_event_is_in_kafka_as_it_was_sent_and_without_its_identities() {
    let server = server("one");
    let body = r#"{"id":"e-1","type":"checkout.step","time":"2026-01-02T03:04:05.678+01:00","context":{"customer_id":"c-81",
        "session_id":"s-1","touchpoint":"checkout","channel":"web","device":"ALL","member":true,"consent":["analytics"]},
        "data":{"checkout_id":"k-9","step":"payment","index":4,"action":"failed","extra_cost":123456789012.4567,
        "currency":"eur","error":"mail anna@example.org failed","color":"r\u00f6d","nested":{"a":[1,2]}},"wrong":1}"#;
    let reply = post(server.address(), body);
    assert_eq!(reply.status, 202, "{}", reply.text());
    let answer = reply.json();
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(1), &json!(0)));
    assert_eq!(
        codes(&answer["warnings"]),
        [(0, "field_ignored", "wrong"), (0, "reserved_value", "context.device")]
    );

    let records = read_topic(&brokers(), "one.checkout");
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].key().unwrap(), b"shop\x1fk-9");
    let decoder = Decoder::new(&[&avro::CHECKOUT_EVENT]);
    let event: CheckoutEvent<'_> = decoder.decode(records[0].payload().unwrap()).unwrap();
    assert_eq!(
        (event.tenant, event.source, event.id, event.event_type),
        ("shop", "web", "e-1", "checkout.step")
    );
    assert_eq!(event.time.0, 1_767_319_445_678);
    assert_eq!(event.extra_cost, Some(Money(1_234_567_890_124_567)));
    assert_eq!((event.step_index, event.currency, event.device), (Some(4), Some("EUR"), "unknown"));
    assert_eq!(event.error, Some("mail [email] failed"));
    let mut extra = event.extra.0.clone();
    extra.sort_unstable();
    assert_eq!(extra, [("color", "röd"), ("nested", r#"{"a":[1,2]}"#)]);
    let (customer, session) = (event.customer_id.unwrap(), event.session_id.unwrap());
    assert!(customer.len() == 22 && session.len() == 22 && customer != session, "{customer} {session}");

    // Else whoever has a key could look up which customer a pseudonym in the tables is.
    let authorization = format!("Authorization: Bearer {KEY}");
    let dry = post_with(server.address(), "/v1/events?dry_run=1", &[&authorization], body.as_bytes());
    let trial = dry.json()["events"][0]["customer_id"].clone();
    assert!(trial.as_str().is_some_and(|trial| trial.len() == 22 && trial != customer), "{trial}");
}

#[test]
fn every_form_and_encoding_of_a_body_is_taken() {
    let server = server("forms");
    let key = format!("X-Write-Key: {KEY}");
    let two = format!("[{NPS},{}]", NPS.replace("f-1", "f-2"));
    let reply = post(server.address(), &two);
    assert_eq!((reply.status, &reply.json()["accepted"]), (202, &json!(2)));

    let lines = format!("{}\n{{\"type\":\n\n{}\r\n", NPS.replace("f-1", "f-3"), NPS.replace("f-1", "f-4"));
    let reply = post_with(
        server.address(),
        "/v1/events",
        &[&key, "Content-Type: application/x-ndjson"],
        lines.as_bytes(),
    );
    let answer = reply.json();
    assert_eq!((reply.status, &answer["accepted"]), (202, &json!(2)), "{answer}");
    assert_eq!(codes(&answer["rejected"]), [(1, "invalid_json", "")]);
    assert!(answer["rejected"][0]["message"].as_str().unwrap().contains("line 2"), "{answer}");

    // Some clients send RFC 1951 under the name of RFC 1950.
    for (number, encoding) in ["gzip", "deflate", "br", "zstd", "raw deflate"].into_iter().enumerate() {
        let body = NPS.replace("f-1", &format!("g-{number}"));
        let name = encoding.trim_start_matches("raw ");
        let headers = [&key, "Content-Type: text/plain;charset=UTF-8", &format!("Content-Encoding: {name}")];
        let reply = post_with(
            server.address(),
            "/v1/events",
            &headers,
            &block_on(compress(encoding, body.as_bytes())),
        );
        assert_eq!(reply.status, 202, "{encoding}: {}", reply.text());
    }
    let basic = "Authorization: Basic dGVzdC1rZXk6";
    let reply = post_with(server.address(), "/v1/events", &[basic], NPS.replace("f-1", "f-5").as_bytes());
    assert_eq!(reply.status, 202, "{}", reply.text());

    let records = read_topic(&brokers(), "forms.feedback");
    let decoder = Decoder::new(&[&avro::FEEDBACK_EVENT]);
    let mut ids: Vec<String> = records
        .iter()
        .map(|record| decoder.decode::<FeedbackEvent<'_>>(record.payload().unwrap()).unwrap().id.to_owned())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["f-1", "f-2", "f-3", "f-4", "f-5", "g-0", "g-1", "g-2", "g-3", "g-4"]);
}

async fn compress(encoding: &str, bytes: &[u8]) -> Vec<u8> {
    use async_compression::tokio::bufread::{
        BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
    };
    use tokio::io::AsyncReadExt;
    let mut output = Vec::new();
    match encoding {
        "raw deflate" => DeflateEncoder::new(bytes).read_to_end(&mut output).await,
        "gzip" => GzipEncoder::new(bytes).read_to_end(&mut output).await,
        "deflate" => ZlibEncoder::new(bytes).read_to_end(&mut output).await,
        "br" => BrotliEncoder::new(bytes).read_to_end(&mut output).await,
        _ => ZstdEncoder::new(bytes).read_to_end(&mut output).await,
    }
    .unwrap();
    output
}

#[test]
fn what_cannot_be_taken_is_refused_with_status_code_and_place() {
    let server = server("refused");
    let bearer = format!("Authorization: Bearer {KEY}");
    let json = "Content-Type: application/json";
    let large = format!("[{NPS}{}]", " ".repeat(1_048_576));
    let many = format!("[{}1]", "1,".repeat(1_000));
    let deep = format!(
        r#"{{"type":"app.change","data":{{"name":"x","deep":{}1{}}}}}"#,
        "[".repeat(20),
        "]".repeat(20)
    );
    let bomb = block_on(compress("gzip", &vec![b' '; 50_000_000]));
    let future = r#"{"type":"app.change","time":4102444800000,"data":{"name":"x"}}"#;
    type Case<'a> = (&'a str, Vec<&'a str>, Vec<u8>, u16, Value);
    let cases: Vec<Case<'_>> = vec![
        ("no key", vec![json], NPS.into(), 401, json!({"code":"unauthorized"})),
        (
            "wrong key",
            vec!["Authorization: Bearer nope", json],
            NPS.into(),
            401,
            json!({"code":"unauthorized"}),
        ),
        (
            "form",
            vec![&bearer, "Content-Type: application/x-www-form-urlencoded"],
            NPS.into(),
            415,
            json!({"code":"unsupported_media_type"}),
        ),
        (
            "charset",
            vec![&bearer, "Content-Type: application/json; charset=latin1"],
            NPS.into(),
            415,
            json!({"code":"unsupported_media_type"}),
        ),
        (
            "encoding",
            vec![&bearer, json, "Content-Encoding: lzma"],
            NPS.into(),
            415,
            json!({"code":"unsupported_encoding"}),
        ),
        (
            "not gzip",
            vec![&bearer, json, "Content-Encoding: gzip"],
            NPS.into(),
            400,
            json!({"code":"broken_encoding"}),
        ),
        (
            "bomb",
            vec![&bearer, json, "Content-Encoding: gzip"],
            bomb,
            413,
            json!({"code":"body_too_large","limit":1_048_576}),
        ),
        ("large", vec![&bearer, json], large.into(), 413, json!({"code":"body_too_large","limit":1_048_576})),
        ("many", vec![&bearer, json], many.into(), 413, json!({"code":"too_many_events","limit":1_000})),
        ("empty", vec![&bearer, json], vec![], 400, json!({"code":"invalid_json","line":1,"column":1})),
        (
            "comma",
            vec![&bearer, json],
            b"{\"type\":\"app.change\",\n}".into(),
            400,
            json!({"code":"invalid_json","line":2,"column":1}),
        ),
        (
            "latin1",
            vec![&bearer, json],
            b"{\"type\":\"\xFF\"}".into(),
            400,
            json!({"code":"invalid_json","line":1,"column":10}),
        ),
        ("number", vec![&bearer, json], b"7".into(), 400, json!({"code":"invalid_json"})),
        ("deep", vec![&bearer, json], deep.into(), 400, json!({"code":"too_deep"})),
        (
            "lines as json",
            vec![&bearer, json],
            format!("{NPS}\n{NPS}").into(),
            400,
            json!({"code":"invalid_json","line":2}),
        ),
        ("all invalid", vec![&bearer, json], future.into(), 422, json!({"accepted":0,"duplicates":0})),
    ];
    for (name, headers, body, status, expected) in cases {
        let reply = post_with(server.address(), "/v1/events", &headers, &body);
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        let answer = reply.json();
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&answer[field], value, "{name}: {answer}");
        }
    }
    assert_eq!(get(server.address(), "/v1/events").status, 405);
    assert_eq!(get(server.address(), "/metrics").status, 404, "metrics are for the admin port only");
    assert_eq!(get(server.address(), "/livez").status, 200);
    let reply = post_with(server.address(), &format!("/v1/events?key={KEY}"), &[json], NPS.as_bytes());
    assert_eq!((reply.status, &reply.json()["code"]), (403, &json!("key_not_for_url")));
    assert!(read_topic(&brokers(), "refused.feedback").is_empty());
    assert!(server.metric("touchstream_ingest_requests_total{code=\"401\"}") >= 2.0);
}

#[test]
fn a_bad_neighbour_blocks_nobody_and_is_told_everything_at_once() {
    let server = server("neighbours");
    let bad = r#"{"id":"bad","type":"feedback.answered","time":1767319445,"context":{"traffic":"robot"},
        "data":{"metric":"nps","score":"9","survey_id":null}}"#;
    let reply = post(server.address(), &format!("[{bad},{NPS},3,{NPS}]"));
    let answer = reply.json();
    assert_eq!(reply.status, 202, "{answer}");
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(1), &json!(1)));
    assert_eq!(
        codes(&answer["rejected"]),
        [
            (0, "invalid_time", "time"),
            (0, "invalid_value", "context.traffic"),
            (0, "wrong_type", "data.score"),
            (0, "missing_field", "data.survey_id"),
            (2, "not_an_object", ""),
        ]
    );
    assert_eq!(answer["rejected"][0]["id"], "bad");
    assert!(!reply.text().contains("robot"), "values are not repeated: {answer}");

    let again = post(server.address(), NPS).json();
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(1)), "the id was acknowledged");

    let dry = post_with(
        server.address(),
        "/v1/events?dry_run=1",
        &[&format!("Authorization: Bearer {KEY}")],
        br#"{"type":"feedback.answered","data":{"survey_id":"s","metric":"csat","score":4,"story_id":"t"},"context":{"customer_id":"c"}}"#,
    );
    let answer = dry.json();
    assert_eq!((dry.status, answer["accepted"].clone()), (200, json!(1)), "{answer}");
    assert_eq!(answer["events"][0]["scale_max"], 5);
    assert_eq!(answer["events"][0]["customer_id"], Value::Null, "stories are anonymous");
    assert_eq!(codes(&answer["warnings"]), [(0, "id_missing", "id")]);
    assert_eq!(
        read_topic(&brokers(), "neighbours.feedback").len(),
        3,
        "copies are left to processor and sink"
    );

    wait_for("counts of data quality", || {
        let decoder = Decoder::new(&[&avro::QUALITY]);
        let mut newest = std::collections::BTreeMap::new();
        for record in read_topic(&brokers(), "neighbours.quality") {
            let quality: Quality<'_> = decoder.decode(record.payload().unwrap()).unwrap();
            assert_eq!(quality.tenant, "shop");
            let series = (quality.family.to_owned(), quality.code.to_owned(), quality.minute);
            let earlier = newest.insert(series, (quality.revision, quality.events));
            assert!(earlier.is_none_or(|(revision, _)| revision < quality.revision));
        }
        let sum = |family: &str, code: &str| -> i64 {
            let of = newest.iter().filter(|((f, c, _), _)| f == family && c == code);
            of.map(|(_, (_, events))| events).sum()
        };
        sum("feedback", "accepted") == 1
            && sum("feedback", "duplicate") == 2
            && sum("feedback", "invalid_time") == 1
            && sum("unknown", "not_an_object") == 1
    });
}

#[test]
fn keys_are_made_followed_and_revoked_while_ingest_runs() {
    let server = server("keys");
    let key = block_on(create_key(
        &server.settings,
        NewKey {
            tenant: "demo".to_owned(),
            source: "pages".to_owned(),
            browser: true,
            origins: vec!["https://shop.example".to_owned()],
            families: vec!["feedback".to_owned()],
            ..NewKey::default()
        },
    ))
    .unwrap();
    assert!(key.starts_with("ts_") && key.len() == 46, "{key}");
    let path = format!("/v1/events?key={key}");
    let page = "Origin: https://shop.example";
    let body = NPS.replace("\"data\"", r#""context":{"customer_id":"c-1","consent":["ads"]},"data""#);
    wait_for("the new key", || post_with(server.address(), &path, &[page], body.as_bytes()).status == 202);
    let reply = post_with(server.address(), &path, &[page], body.as_bytes());
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://shop.example"));
    let decoder = Decoder::new(&[&avro::FEEDBACK_EVENT]);
    for record in read_topic(&brokers(), "keys.feedback") {
        let event: FeedbackEvent<'_> = decoder.decode(record.payload().unwrap()).unwrap();
        assert_eq!((event.tenant, event.customer_id), ("demo", None), "no consent, no identity");
    }

    let refused = |headers: &[&str], body: &str| {
        let reply = post_with(server.address(), &path, headers, body.as_bytes());
        (reply.status, reply.text())
    };
    let (status, text) = refused(&["Origin: https://evil.example"], NPS);
    assert!(status == 403 && text.contains("origin_not_allowed"), "{text}");
    let (status, text) = refused(&[page], r#"{"type":"app.change","data":{"name":"x"}}"#);
    assert!(status == 403 && text.contains("family_not_allowed"), "{text}");
    let preflight = |origin: &str| {
        let head =
            format!("OPTIONS {path} HTTP/1.1\r\nhost: x\r\norigin: {origin}\r\nconnection: close\r\n\r\n");
        let reply = exchange(server.address(), head.as_bytes());
        assert_eq!(reply.status, 204);
        reply.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(preflight("https://shop.example").as_deref(), Some("https://shop.example"));
    assert_eq!(preflight("https://evil.example"), None);

    let stored = read_topic(&brokers(), "keys.keys").remove(0);
    assert!(!String::from_utf8_lossy(stored.payload().unwrap()).contains(&key), "only the hash is stored");
    revoke(&brokers(), "keys.keys", stored.key().unwrap());
    wait_for("the revocation", || post_with(server.address(), &path, &[page], NPS.as_bytes()).status == 401);
}

fn revoke(brokers: &str, topic: &str, hash: &[u8]) {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
    let producer: BaseProducer =
        rdkafka::ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    producer.send(BaseRecord::<[u8], [u8]>::to(topic).key(hash)).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

#[test]
fn a_touchpoint_that_is_not_configured_is_kept_counted_and_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[tenants.shop.touchpoints.checkout]\nowner = \"web\"\n").unwrap();
    block_on(create_topics(&brokers(), "touchpoints"));
    let server = Server::start(&brokers(), "touchpoints", |settings| {
        settings.processor.touchpoints_file = file.path().to_str().unwrap().to_owned();
    });
    let event = |touchpoint: &str| {
        format!(
            r#"{{"id":"{touchpoint}","type":"app.change","context":{{"touchpoint":"{touchpoint}"}},"data":{{"name":"x"}}}}"#
        )
    };
    let none = event("none").replace(r#""context":{"touchpoint":"none"},"#, "");
    let body = format!("[{},{},{},{none}]", event("checkout"), event("chekout"), event("kiosk"));
    let answer = post(server.address(), &body).json();
    assert_eq!(answer["accepted"], 4, "{answer}");
    let told =
        [(1, "unknown_touchpoint", "context.touchpoint"), (2, "unknown_touchpoint", "context.touchpoint")];
    assert_eq!(codes(&answer["warnings"]), told);
    assert!(
        answer["warnings"][0]["message"].as_str().unwrap().contains("did you mean checkout?"),
        "{answer}"
    );
    assert_eq!(server.metric("touchstream_ingest_unknown_total{what=\"touchpoint\"}"), 2.0);
}
