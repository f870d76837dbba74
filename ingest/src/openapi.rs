//! `/openapi.json`: the description of the public paths, made from the code that serves them.
//!
//! Beside the flow of events: the catalogue gives the schemas ([`schemas`]), the refusals give the statuses ([`statuses`]), the settings
//! give the limits. Promise: it cannot say what the server does not do, because nothing in it is written twice.

mod schemas;
mod statuses;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::dialect::segment::{Call, PATHS};
use crate::parse::ParseLimits;

/// Limits that the description names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DescribedLimits {
    pub(crate) body_bytes: usize,
    pub(crate) event_bytes: usize,
    pub(crate) parse: ParseLimits,
}

/// The description as it is served.
pub(crate) fn document(limits: DescribedLimits) -> Bytes {
    Bytes::from(build(limits).to_string())
}

fn build(limits: DescribedLimits) -> Value {
    let mut paths = Map::new();
    paths.insert("/v1/events".to_owned(), json!({ "post": events(limits) }));
    for (path, call) in PATHS {
        paths.insert(path.to_owned(), json!({ "post": segment(path, call, limits) }));
    }
    for (path, about, kind) in [
        ("/livez", "Whether the process lives.", "text/plain"),
        ("/readyz", "Whether it can take events.", "text/plain"),
        ("/openapi.json", "This description.", "application/json"),
        ("/touchstream.js", "The snippet for pages.", "text/javascript"),
        ("/touchstream-widget.js", "The survey widget for pages.", "text/javascript"),
    ] {
        paths.insert(path.to_owned(), json!({ "get": file(path, about, kind) }));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "touchstream ingest",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Touchpoint events in. 202 means that every valid event is durable. A bad event never blocks its neighbours: \
                            each problem is told with the event's index, a code, the field and what to change.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"writeKey": []}, {"basic": []}, {"keyInUrl": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The write key."},
                "writeKey": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
                "basic": {"type": "http", "scheme": "basic", "description": "The write key as user name, no password."},
                "keyInUrl": {"type": "apiKey", "in": "query", "name": "key",
                    "description": "For keys of browsers and webhooks only."},
            },
            "parameters": {
                "dryRun": {"name": "dry_run", "in": "query",
                    "description": "1: answer with the events as they would be stored, and store nothing.",
                    "schema": {"type": "string", "enum": ["0", "1", "true", "false"]}},
                "contentEncoding": {"name": "Content-Encoding", "in": "header",
                    "description": "How the body is compressed; limits hold for what it decompresses to.",
                    "schema": {"type": "string", "enum": ["identity", "gzip", "deflate", "br", "zstd"]}},
            },
            "schemas": schemas::all(limits),
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn body(content: &Value, limits: DescribedLimits) -> Value {
    let description = format!(
        "At most {} bytes and {} events; an event has at most {} bytes and {} levels of JSON.",
        limits.body_bytes, limits.parse.events, limits.event_bytes, limits.parse.depth
    );
    json!({ "required": true, "description": description, "content": content })
}

fn parameters() -> Value {
    json!([{"$ref": "#/components/parameters/dryRun"}, {"$ref": "#/components/parameters/contentEncoding"}])
}

fn events(limits: DescribedLimits) -> Value {
    let many = |of: &str| json!({"type": "array", "items": reference(of), "maxItems": limits.parse.events});
    let text = |about: &str| json!({"schema": {"type": "string", "description": about}});
    let content = json!({
        "application/json": {"schema": {"anyOf": [reference("Event"), many("Event")]},
            "example": {"id": "018f", "type": "feedback.answered", "data": {"survey_id": "nps", "metric": "nps", "score": 9}}},
        "application/x-ndjson": text("One Event a line."),
        "text/plain": text("As application/json; a page may send it without a preflight."),
        "application/cloudevents+json": {"schema": reference("CloudEvent")},
        "application/cloudevents-batch+json": {"schema": many("CloudEvent")},
    });
    json!({
        "operationId": "sendEvents",
        "summary": "Takes events",
        "description": "One event, an array, one a line, or CloudEvents 1.0; with ce- headers the body is the data of one CloudEvent.",
        "parameters": parameters(),
        "requestBody": body(&content, limits),
        "responses": statuses::responses(limits),
    })
}

fn segment(path: &str, call: Call, limits: DescribedLimits) -> Value {
    let schema = match call {
        Call::Track => "SegmentTrack",
        Call::Batch => "SegmentBatch",
        _ => "SegmentCall",
    };
    let content = json!({
        "application/json": {"schema": reference(schema)},
        "text/plain": {"schema": {"type": "string", "description": "As application/json."}},
    });
    let mut security = json!([{"bearer": []}, {"writeKey": []}, {"basic": []}, {"keyInUrl": []}]);
    // The key may stand in the body as writeKey.
    security.as_array_mut().expect("it is an array").push(json!({}));
    json!({
        "operationId": format!("segment{}", path.replace("/v1/", "_")),
        "summary": format!("Takes Segment's {call}"),
        "description": "The write key may also stand in the body, as writeKey.",
        "security": security,
        "parameters": parameters(),
        "requestBody": body(&content, limits),
        "responses": statuses::responses(limits),
    })
}

fn file(path: &str, about: &str, kind: &str) -> Value {
    let id: String = path.chars().filter(char::is_ascii_alphanumeric).collect();
    let schema =
        if kind == "application/json" { json!({"type": "object"}) } else { json!({"type": "string"}) };
    let mut responses = json!({"200": {"description": about, "content": {kind: {"schema": schema}}}});
    if path == "/readyz" {
        let content = json!({"text/plain": {"schema": {"type": "string"}}});
        responses["503"] = json!({"description": "Not yet, or not at the moment.", "content": content});
    }
    json!({"operationId": format!("get_{id}"), "summary": about, "security": [], "responses": responses})
}
