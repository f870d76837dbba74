//! One release apart, everything can be read both ways: against the frozen schemas of `schemas/history`, and by a table of changes
//! that says which are allowed.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::compatibility::{CompatibilityError, check_both_ways};
use touchstream_schemas::panes::Watermark;
use touchstream_schemas::time::EventTime;

#[test]
fn this_release_and_the_frozen_one_read_each_other() {
    let history = Path::new(env!("CARGO_MANIFEST_DIR")).join("history");
    let mut compared = 0;
    for schema in avro::ALL {
        let frozen = fs::read_to_string(history.join(format!("{}.avsc", schema.name)))
            .unwrap_or_else(|error| panic!("schemas/history lacks {}: {error}", schema.name));
        check_both_ways(&frozen, schema.json).unwrap_or_else(|error| panic!("{}: {error}", schema.name));
        compared += 1;
    }
    assert_eq!(compared, avro::ALL.len());
}

enum Verdict {
    Fine,
    BreaksBackward,
    BreaksForward,
    ChangesMeaning,
}

#[test]
fn allowed_and_forbidden_changes() {
    let field = |field: Value| move |fields: &mut Vec<Value>| fields.push(field.clone());
    type Change = Box<dyn Fn(&mut Vec<Value>)>;
    let table: Vec<(&str, Change, Verdict)> = vec![
        (
            "add an optional field",
            Box::new(field(json!({"name": "note", "type": ["null", "string"], "default": null}))),
            Verdict::Fine,
        ),
        (
            "add a field with a default",
            Box::new(field(json!({"name": "n", "type": "long", "default": 0}))),
            Verdict::Fine,
        ),
        (
            "add a field without default",
            Box::new(field(json!({"name": "n", "type": "long"}))),
            Verdict::BreaksBackward,
        ),
        (
            "remove a field with a default",
            Box::new(|fields| fields.retain(|f| f["name"] != "session_id")),
            Verdict::Fine,
        ),
        (
            "remove a field without default",
            Box::new(|fields| fields.retain(|f| f["name"] != "tenant")),
            Verdict::BreaksForward,
        ),
        (
            "turn a text into a number",
            Box::new(|fields| fields[0]["type"] = json!("long")),
            Verdict::BreaksBackward,
        ),
        (
            "read milliseconds as microseconds",
            Box::new(|fields| {
                let time = fields.iter_mut().find(|field| field["name"] == "time").expect("it has a time");
                time["type"]["logicalType"] = json!("timestamp-micros");
            }),
            Verdict::ChangesMeaning,
        ),
        ("reorder", Box::new(|fields| fields.reverse()), Verdict::Fine),
    ];
    for (change_name, change, verdict) in table {
        let mut schema: Value = serde_json::from_str(avro::CHECKOUT_EVENT.json).expect("it is JSON");
        change(schema["fields"].as_array_mut().expect("a record has fields"));
        let result = check_both_ways(avro::CHECKOUT_EVENT.json, &schema.to_string());
        let as_expected = match verdict {
            Verdict::Fine => result.is_ok(),
            Verdict::BreaksBackward => matches!(result, Err(CompatibilityError::Backward(_))),
            Verdict::ChangesMeaning => matches!(result, Err(CompatibilityError::LogicalType { .. })),
            Verdict::BreaksForward => matches!(result, Err(CompatibilityError::Forward(_))),
        };
        assert!(as_expected, "{change_name}: {result:?}");
    }
}

/// The codec itself, not only the checker: a record of a next release is read by this one, its new field skipped.
#[test]
fn a_record_of_the_next_release_is_read() {
    #[derive(serde::Serialize)]
    struct Next {
        topic: &'static str,
        partition: i32,
        watermark: i64,
        reason: Option<&'static str>,
    }
    let mut schema: Value = serde_json::from_str(avro::WATERMARK.json).expect("it is JSON");
    let fields = schema["fields"].as_array_mut().expect("a record has fields");
    fields.push(json!({"name": "reason", "type": ["null", "string"], "default": null}));
    let next: serde_avro_fast::Schema = schema.to_string().parse().expect("still a schema");
    let mut config = serde_avro_fast::ser::SerializerConfig::new(&next);
    let value = Next { topic: "cx.app", partition: 1, watermark: 5, reason: Some("idle") };
    let bytes = serde_avro_fast::to_single_object_vec(&value, &mut config).expect("it fits");

    let mut decoder = Decoder::new(&[&avro::WATERMARK]);
    assert!(decoder.decode::<Watermark<'_>>(&bytes).is_err(), "an unknown writer schema is not guessed");
    decoder.also_read("watermark of the next release", &schema.to_string()).expect("it is a schema");
    let expected = Watermark { topic: "cx.app", partition: 1, watermark: EventTime(5) };
    assert_eq!(decoder.decode::<Watermark<'_>>(&bytes).expect("it can be read"), expected);
    let own = Encoder::new(&avro::WATERMARK, Framing::SingleObject).encode(&expected).expect("it fits");
    assert_eq!(decoder.decode::<Watermark<'_>>(&own).expect("it can be read"), expected);
}
