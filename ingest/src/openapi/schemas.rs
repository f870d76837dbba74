//! JSON schemas of everything that is sent and answered, made from the catalogue.

use serde_json::{Map, Value, json};
use touchstream_schemas::event::Family;

use super::{DescribedLimits, reference};
use crate::catalogue::{CHANNELS, EventType, Field, Kind, NAME, PHRASE, Slot, types_of};
use crate::problem::code;
use crate::validate::context::FIELDS;

/// Text without control characters.
const NO_CONTROLS: &str = r"^[^\u0000-\u001F\u007F]*$";

/// All schemas by name.
pub(super) fn all(limits: DescribedLimits) -> Value {
    let mut schemas = Map::new();
    let mut add = |name: &str, schema: Value| schemas.insert(name.to_owned(), schema);
    let types: Vec<&EventType> = Family::ALL.into_iter().flat_map(types_of).collect();
    let mapping: Map<String, Value> = types
        .iter()
        .map(|event_type| (event_type.name.to_owned(), reference(event_type.name)["$ref"].clone()))
        .collect();
    let references: Vec<Value> = types.iter().map(|event_type| reference(event_type.name)).collect();
    add("Event", json!({"oneOf": references, "discriminator": {"propertyName": "type", "mapping": mapping}}));
    for event_type in &types {
        add(event_type.name, event(event_type));
    }
    add("Context", context());
    add(
        "Time",
        json!({
            "description": "RFC 3339 with an offset, or milliseconds since 1970 (not seconds).",
            "anyOf": [{"type": "string", "format": "date-time"},
                {"type": "integer", "minimum": 946_684_800_000_i64, "maximum": 7_258_118_400_000_i64}, {"type": "null"}],
        }),
    );
    let names: Vec<&str> = types.iter().map(|event_type| event_type.name).collect();
    add("CloudEvent", cloud_event(&names));
    add("SegmentTrack", segment(&["event"], &json!({"event": {"type": "string", "minLength": 1}})));
    add("SegmentCall", segment(&[], &json!({"name": {"type": ["string", "null"]}})));
    let calls = json!({"type": "array", "maxItems": limits.parse.events, "items": {"allOf": [reference("SegmentCall"),
        {"required": ["type"], "properties": {"type": {"enum": ["track", "page", "screen", "identify", "group", "alias"]}}}]}});
    add(
        "SegmentBatch",
        json!({"type": "object", "required": ["batch"],
        "properties": {"batch": calls, "sentAt": reference("Time"), "writeKey": {"type": "string"}, "context": {"type": "object"}}}),
    );
    add("Problem", problem());
    add("Answer", answer());
    add(
        "Refusal",
        json!({
            "type": "object", "required": ["code", "message"], "additionalProperties": false,
            "properties": {"code": {"type": "string"}, "message": {"type": "string"},
                "limit": {"type": "integer", "description": "The limit that was met."},
                "line": {"type": "integer", "minimum": 1}, "column": {"type": "integer", "minimum": 1}},
        }),
    );
    Value::Object(schemas)
}

/// One event type with its data.
fn event(event_type: &EventType) -> Value {
    let fields: Vec<&Field> = event_type.fields().collect();
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), field_schema(field))).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut data = json!({
        "type": "object", "properties": properties, "maxProperties": 128,
        "description": "Further fields are kept as text.",
    });
    if !required.is_empty() {
        data["required"] = json!(required);
    }
    if event_type.name == "feedback.answered" {
        let metric =
            |names: &[&str]| json!({"properties": {"metric": {"enum": names}}, "required": ["metric"]});
        data["allOf"] = json!([
            {"if": metric(&["nps", "csat", "ces", "rating"]), "then": {"required": ["score"], "properties": {"score": {"type": "integer"}}}},
            {"if": metric(&["nps"]), "then": {"properties": {"score": {"minimum": 0, "maximum": 10}}}},
        ]);
    }
    let mut needed = vec!["type"];
    if !required.is_empty() {
        needed.push("data");
    }
    json!({
        "type": "object", "required": needed,
        "properties": {
            "id": {"type": ["string", "null"], "maxLength": 128, "pattern": NO_CONTROLS,
                "description": "Unique within tenant and source; a retry is recognised by it."},
            "type": {"const": event_type.name},
            "time": reference("Time"), "sent_at": reference("Time"), "context": reference("Context"), "data": data,
        },
    })
}

fn field_schema(field: &Field) -> Value {
    let mut schema = kind_schema(field.kind, !field.required);
    if matches!(field.slot, Slot::QueueS | Slot::TalkS) {
        schema["minimum"] = json!(0);
        schema["maximum"] = json!(31_536_000);
    }
    schema
}

/// The schema of a kind; what is optional may also be null.
fn kind_schema(kind: Kind, optional: bool) -> Value {
    let of = |name: &str| if optional { json!([name, "null"]) } else { json!(name) };
    let least = usize::from(!optional);
    match kind {
        Kind::Name(limit) => {
            json!({"type": of("string"), "minLength": least, "maxLength": limit, "pattern": NO_CONTROLS})
        }
        Kind::Words(limit) => json!({"type": of("string"), "minLength": least, "maxLength": limit}),
        Kind::OneOf(words) => {
            let null = optional.then_some(Value::Null);
            json!({"enum": words.iter().map(|word| json!(word)).chain(null).collect::<Vec<_>>()})
        }
        Kind::Integer => json!({"type": of("integer"), "minimum": i32::MIN, "maximum": i32::MAX}),
        Kind::Number => json!({"type": of("number")}),
        Kind::Duration => json!({"type": of("number"), "minimum": 0, "maximum": 31_536_000_000_i64}),
        Kind::Money => json!({
            "description": "Digits, a point, at most four decimals.",
            "anyOf": [{"type": "number", "minimum": -1_000_000_000_000_i64, "maximum": 1_000_000_000_000_i64},
                {"type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,4})?$"}, {"type": "null"}],
        }),
        Kind::Currency => json!({"type": of("string"), "pattern": "^[A-Za-z]{3}$"}),
        Kind::Boolean => json!({"type": of("boolean")}),
        Kind::Time => reference("Time"),
    }
}

fn context() -> Value {
    let properties: Map<String, Value> =
        FIELDS.iter().map(|name| ((*name).to_owned(), context_field(name))).collect();
    json!({
        "type": ["object", "null"], "properties": properties, "maxProperties": 128,
        "description": "Who, where and how. Identities become pseudonyms. Further fields are kept as text.",
    })
}

fn context_field(name: &str) -> Value {
    let mut schema = match name {
        "seq" => json!({"type": ["integer", "null"], "minimum": i64::MIN, "maximum": i64::MAX}),
        "member" => kind_schema(Kind::Boolean, true),
        "referrer" => kind_schema(PHRASE, true),
        "mode" => kind_schema(crate::validate::context::MODES, true),
        "traffic" => kind_schema(crate::validate::context::TRAFFIC, true),
        "consent" => json!({"type": ["array", "null"], "maxItems": 32,
            "items": {"type": "string", "maxLength": 64, "pattern": NO_CONTROLS}}),
        _ => kind_schema(NAME, true),
    };
    if name == "channel" {
        schema["examples"] = json!(CHANNELS);
    }
    schema
}

fn cloud_event(types: &[&str]) -> Value {
    json!({
        "type": "object", "required": ["specversion", "type", "id", "source"],
        "properties": {
            "specversion": {"const": "1.0"}, "type": {"enum": types},
            "id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": NO_CONTROLS},
            "source": {"type": "string"}, "time": reference("Time"),
            "datacontenttype": {"type": "string", "examples": ["application/json"]},
            "data": {"type": "object", "description": "The data of the type, or {\"context\":…,\"data\":…}."},
        },
    })
}

fn segment(required: &[&str], own: &Value) -> Value {
    let mut properties = json!({
        "messageId": {"type": ["string", "null"], "maxLength": 128, "pattern": NO_CONTROLS},
        "timestamp": reference("Time"), "originalTimestamp": reference("Time"), "sentAt": reference("Time"),
        "userId": {"type": ["string", "null"], "maxLength": 256, "pattern": NO_CONTROLS},
        "anonymousId": {"type": ["string", "null"], "maxLength": 256, "pattern": NO_CONTROLS},
        "properties": {"type": ["object", "null"]}, "context": {"type": ["object", "null"]}, "writeKey": {"type": "string"},
    });
    if let (Some(properties), Some(own)) = (properties.as_object_mut(), own.as_object()) {
        properties.extend(own.clone());
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn problem() -> Value {
    let codes: Vec<&str> = code::REJECTIONS.iter().chain(code::WARNINGS).copied().collect();
    json!({
        "type": "object", "required": ["index", "code"], "additionalProperties": false,
        "properties": {
            "index": {"type": "integer", "minimum": 0, "description": "Of the event in the body, from 0."},
            "id": {"type": "string"}, "code": {"enum": codes},
            "field": {"type": "string", "description": "The path as it was sent."},
            "message": {"type": "string", "description": "What to change."},
        },
    })
}

fn answer() -> Value {
    let problems = json!({"type": "array", "items": reference("Problem")});
    json!({
        "type": "object", "required": ["accepted", "duplicates", "rejected", "warnings"], "additionalProperties": false,
        "properties": {
            "code": {"type": "string"}, "message": {"type": "string"},
            "accepted": {"type": "integer", "minimum": 0},
            "duplicates": {"type": "integer", "minimum": 0, "description": "Of events whose ids were acknowledged lately; a hint."},
            "rejected": problems, "warnings": problems,
            "retry": {"type": "array", "items": {"type": "integer", "minimum": 0}, "description": "Indexes to send again."},
            "events": {"type": "array", "items": {"type": "object"}, "description": "In a dry run: as they would be stored."},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::ParseLimits;

    #[test]
    fn every_reference_leads_somewhere() {
        let limits =
            DescribedLimits { body_bytes: 1, event_bytes: 1, parse: ParseLimits { events: 1, depth: 1 } };
        let document = super::super::build(limits);
        let mut open = vec![&document];
        let mut references = 0;
        while let Some(value) = open.pop() {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(target)) = fields.get("$ref") {
                        let pointer = target.strip_prefix('#').expect("it is a local one");
                        assert!(document.pointer(pointer).is_some(), "{target}");
                        references += 1;
                    }
                    open.extend(fields.values());
                }
                Value::Array(entries) => open.extend(entries),
                _ => {}
            }
        }
        assert!(references > 100, "{references}");
    }
}
