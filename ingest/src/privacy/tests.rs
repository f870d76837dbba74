//! Nothing of a person comes through, whatever field it was put into; and what belongs together stays together.

use bumpalo::Bump;
use serde_json::{Value, json};
use touchstream_schemas::event::Family;
use touchstream_schemas::time::{EventTime, Millis};

use super::Objections;
use crate::catalogue::{Kind, types_of};
use crate::keys::{LegalBasis, StoredKey, WriteKey};
use crate::parse::{Entry, Format, ParseLimits, parse};
use crate::problem::Findings;
use crate::validate::{Rules, Setting, validate};

const NOW: EventTime = EventTime(1_800_000_012_345);

fn key(tenant: &str, legal_basis: LegalBasis) -> WriteKey {
    let stored = json!({"tenant": tenant, "source": "web", "legal_basis": legal_basis, "created_at": ""});
    let stored: StoredKey =
        serde_json::from_value(stored).expect("older keys have no more fields than these");
    WriteKey::new(stored, "a secret of the tests")
}

/// The record of an event, as JSON, and its Kafka key.
fn record(event: &Value, key: &WriteKey, opted_out: bool) -> (Value, String) {
    record_of(&event.to_string(), key, opted_out)
}

/// The same of an event as it is written.
fn record_of(body: &str, key: &WriteKey, opted_out: bool) -> (Value, String) {
    let arena = Bump::new();
    let rules = Rules {
        max_event_bytes: 65_536,
        skew_tolerance: Millis(60_000),
        future_tolerance: Millis(600_000),
        keep_agent_ids: true,
    };
    let setting = Setting {
        rules,
        key,
        pseudonyms: &key.pseudonyms,
        received_at: NOW,
        opted_out,
        touchpoints: None,
        arena: &arena,
    };
    let limits = ParseLimits { events: 1, depth: 16 };
    let entries = parse(body.as_bytes(), Format::Json, limits).expect("it is JSON");
    let [Entry::Event(sent)] = &entries[..] else { panic!("one event") };
    let mut findings = Findings::default();
    let verdict = validate(sent, 0, setting, &mut findings);
    let record = verdict.event.unwrap_or_else(|| panic!("{body}: {:?}", findings.problems));
    (serde_json::to_value(&record).expect("it is JSON"), record.key())
}

/// A value that the field takes.
fn value(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Name(_) | Kind::Words(_) => json!(text),
        Kind::OneOf(words) => json!(words[0]),
        Kind::Integer | Kind::Number | Kind::Duration => json!(3),
        Kind::Money => json!("1.50"),
        Kind::Currency => json!("EUR"),
        Kind::Boolean => json!(true),
        Kind::Time => json!("2026-11-22T10:00:00Z"),
    }
}

/// An event of each type with this text in every field that takes a text.
fn events_with(text: &str, context: &Value) -> Vec<Value> {
    let types = Family::ALL.into_iter().flat_map(types_of);
    let events = types.map(|event_type| {
        let mut data = json!({"extra": text, "nested": {"a": [text]}, text: 1});
        for field in event_type.fields() {
            // The scale is that of the first metric.
            if !field.name.starts_with("scale_") {
                data[field.name] = value(field.kind, text);
            }
        }
        json!({"id": text, "type": event_type.name, "context": context, "data": data})
    });
    events.collect()
}

fn context_with(text: &str) -> Value {
    json!({"touchpoint": text, "channel": text, "device": text, "persona": text, "locale": text, "app_version": text,
        "variant": text, "campaign": text, "referrer": text, "preferred_channel": text, "stage": text, "other": text,
        "consent": ["analytics", text]})
}

#[test]
fn an_address_comes_through_in_no_field_of_any_type() {
    let key = key("shop", LegalBasis::Contract);
    for (written, canary) in [
        ("anna.canary@example.org", "canary"),
        ("see https://x.example/p?mail=anna.canary#canary", "canary"),
        ("canary%40example.org", "canary"),
        ("DE89 3704 0044 0532 0130 00", "0532"),
    ] {
        for event in events_with(written, &context_with(written)) {
            let (record, kafka_key) = record(&event, &key, false);
            let stored = format!("{record}{kafka_key}");
            // An id that is a page's address is nobody's address.
            let is_page = written.starts_with("see");
            let found =
                if is_page { record["extra"].to_string().contains(canary) } else { stored.contains(canary) };
            assert!(!found, "{written} in {}: {stored}", event["type"]);
        }
    }
}

/// What tools and tag managers send: whole objects, under names of their own, with everything escaped, or as JSON in a text.
#[test]
fn nothing_of_a_person_comes_through_inside_unknown_fields() {
    let person = json!({"user": {"user_id": "canary-1", "id": "canary-2", "Email": "canary-3", "visits": 17.50, "segment": "gold"},
        "items": [{"customerEmail": "canary-4", "sku": "s-1"}, {"owner": [{"clientIp": "canary-5", "IPAddress": "canary-6"}]}],
        "hashed_email": "canary-7", "note": "mail canary@example.org or 0176 5550199", "canary@example.org": true,
        "card": 4111111111111111_u64, "session": {"session-id": "canary-8", "pages": [1, 2]}, "has_email": true});
    let deep = (0..6).fold(person.clone(), |inner, _| json!({"level": inner}));
    let mut data = json!({"name": "home", "payload": person, "deep": deep, "text": person.to_string(),
        "inside": {"twice": json!({"again": person.to_string()}).to_string()}, "ip_address": "canary-9", "customer_email": "canary",
        "userEmail": "canary", "user.id": "canary", "user_ids": ["canary"]});
    data["dataLayer"] = json!([person, [person]]);
    let event = json!({"id": "1", "type": "app.screen_viewed", "data": data, "context": {"traits": person, "user": "canary"}});
    let plain = event.to_string();
    let key = key("shop", LegalBasis::Contract);
    for body in [
        plain.replace('@', "\\u0040"),
        plain.replace("5550", "5\\u0035\\u00350"),
        plain.replace("user_id", "us\\u0065r_id"),
        plain,
    ] {
        let (stored, _) = record_of(&body, &key, false);
        for told in ["canary", "5550199", "4111111111111111"] {
            assert!(!stored.to_string().contains(told), "{told} in {stored}");
        }
        let extra = &stored["extra"];
        let kept = |name: &str| {
            let text = extra[name].as_str().unwrap_or_else(|| panic!("{name} is lost: {extra}"));
            serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"))
        };
        let payload = json!({"user": {"visits": 17.5, "segment": "gold"}, "items": [{"sku": "s-1"}, {"owner": [{}]}],
            "note": "mail [email] or [phone]", "[email]": true, "card": "[card]", "session": {"pages": [1, 2]}, "has_email": true});
        for name in ["payload", "text", "context.traits"] {
            assert_eq!(kept(name), payload, "{name}");
        }
        assert_eq!(kept("dataLayer"), json!([payload, [payload]]));
        assert!(
            extra["payload"].as_str().is_some_and(|text| text.contains("17.5")),
            "numbers keep their digits"
        );
        assert_eq!(extra.as_object().map(serde_json::Map::len), Some(6), "{extra}");
    }
}

#[test]
fn without_consent_nothing_leads_to_a_person_or_an_order_but_attempts_hold_together() {
    let sent = |step: &str, consent: Value| {
        json!({"id": format!("id-{step}"), "type": "checkout.step", "time": NOW.0 - 1_234,
            "context": {"customer_id": "c-81", "session_id": "s-1", "account_id": "b-2", "anonymous_id": "a-3", "seq": 4,
                "referrer": "https://r.example", "consent": consent, "touchpoint": "checkout", "campaign": "nl-11"},
            "data": {"step": step, "checkout_id": "k-9", "order_id": "o-7", "cart_id": "w-5", "note": "x"}})
    };
    let (consent, contract) = (key("shop", LegalBasis::Consent), key("shop", LegalBasis::Contract));
    let (refused, refused_key) = record(&sent("cart", json!(["ads"])), &consent, false);
    let (again, again_key) = record(&sent("payment", json!([])), &consent, false);
    let (objected, objected_key) = record(&sent("cart", json!(["analytics"])), &contract, true);
    for stored in [&refused, &again, &objected] {
        for identity in ["customer_id", "anonymous_id", "session_id", "account_id", "seq", "referrer"] {
            assert_eq!(stored[identity], Value::Null, "{identity}: {stored}");
        }
        for told in ["k-9", "o-7", "w-5", "id-cart", "id-payment", "note"] {
            assert!(!stored.to_string().contains(&format!("\"{told}\"")), "{told}: {stored}");
        }
        assert_eq!((&stored["touchpoint"], &stored["time"]), (&json!("checkout"), &json!(NOW.0 - 1_234)));
    }
    assert_eq!((&refused_key, &refused["checkout_id"]), (&again_key, &again["checkout_id"]), "one attempt");
    assert_eq!(refused_key, objected_key);
    let (kept, kept_key) = record(&sent("cart", json!(["analytics"])), &consent, false);
    assert_eq!((&kept["checkout_id"], &kept["seq"], &*kept_key), (&json!("k-9"), &json!(4), "shop\u{1f}k-9"));
    // Where no consent was asked for, as the key's own basis says; an absent list refuses nothing.
    for (basis, consent) in [(&contract, json!(["ads"])), (&consent, Value::Null)] {
        assert!(record(&sent("cart", consent), basis, false).0["customer_id"].is_string());
    }
}

#[test]
fn a_story_shares_nothing_with_the_visit_that_it_was_written_in() {
    let context = json!({"customer_id": "c-81", "session_id": "s-1", "account_id": "b-2", "anonymous_id": "a-3", "seq": 4,
        "consent": ["analytics"], "touchpoint": "shop", "persona": "returning", "member": true, "campaign": "nl-11",
        "variant": "B", "app_version": "5.2", "referrer": "https://r.example", "x": "y"});
    let sent = |id: &str, time: i64, story: Option<&str>| {
        let mut data = json!({"survey_id": "story", "metric": "nps", "score": 9, "submission_id": "s-1-17", "text": "fine",
            "subject_type": "order", "subject_id": "50314"});
        if let Some(story) = story {
            data["story_id"] = json!(story);
        }
        json!({"id": id, "type": "feedback.answered", "time": time, "sent_at": NOW.0, "context": context, "data": data})
    };
    let key = key("shop", LegalBasis::Contract);
    let (visit, _) = record(&sent("s-1-16", NOW.0 - 500, None), &key, false);
    let (story, story_key) = record(&sent("s-1-17", NOW.0 - 400, Some("t-1")), &key, false);
    let shared: Vec<&String> = (story.as_object().expect("an object").iter())
        .filter(|(name, value)| !value.is_null() && visit[name.as_str()] == **value)
        .map(|(name, _)| name)
        .collect();
    let common = [
        "channel",
        "device",
        "event_type",
        "extra",
        "metric",
        "persona",
        "scale_max",
        "scale_min",
        "score",
        "source",
        "subject_type",
        "survey_id",
        "tenant",
        "text",
        "touchpoint",
        "traffic",
    ];
    assert!(shared.iter().all(|name| common.contains(&name.as_str()) || *name == "type"), "{shared:?}");
    assert_eq!(story["time"].as_i64().map(|time| time % 60_000), Some(0), "times are whole minutes");
    assert_eq!(story["received_at"].as_i64().map(|time| time % 1_000), Some(0));
    assert_eq!(story["sent_at"], Value::Null);
    assert!(!format!("{story}{story_key}").contains("s-1-17") && !story.to_string().contains("t-1"));
    // A retry is the same event, and the scenes of one story belong together.
    let (again, again_key) = record(&sent("s-1-17", NOW.0 - 400, Some("t-1")), &key, false);
    assert_eq!((&again["id"], again_key), (&story["id"], story_key));
    let (next, _) = record(&sent("s-1-18", NOW.0 - 300, Some("t-1")), &key, false);
    assert_eq!(next["story_id"], story["story_id"]);
    assert_ne!(next["id"], story["id"]);
}

#[test]
fn objections_count_where_they_are_honoured() {
    let headers = |name: &'static str, value: &str| {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert(name, value.parse().expect("a header"));
        headers
    };
    let (both, none) = (Objections { sec_gpc: true, dnt: true }, Objections { sec_gpc: false, dnt: false });
    assert!(both.object(&headers("sec-gpc", "1")) && both.object(&headers("dnt", "1")));
    assert!(!both.object(&headers("dnt", "0")) && !both.object(&headers("sec-gpc", "true")));
    assert!(!none.object(&headers("sec-gpc", "1")) && !none.object(&headers("dnt", "1")));
    assert!(!Objections { sec_gpc: true, dnt: false }.object(&headers("dnt", "1")));
}

/// Another write key of the same tenant, made to replace a lost one, gives the same pseudonyms.
#[test]
fn identity_outlives_the_write_key() {
    let event = json!({"id": "1", "type": "app.session_started", "context": {"customer_id": "c-81"}});
    let customer = |key: &WriteKey| record(&event, key, false).0["customer_id"].clone();
    assert_eq!(customer(&key("shop", LegalBasis::Contract)), customer(&key("shop", LegalBasis::Consent)));
    assert_ne!(customer(&key("shop", LegalBasis::Contract)), customer(&key("other", LegalBasis::Contract)));
}
