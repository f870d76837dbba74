//! CloudEvents 1.0 over HTTP: structured, batch and binary mode.
//!
//! `type`, `id` and `time` are ours; `data` is `{"context":…,"data":…}` or the bare data. Other attributes are noted as not stored.
//! Promise: what is said in an attribute we do not know is never taken for something else.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::HeaderMap;
use serde_json::value::RawValue;

use super::Reading;
use super::coerce::quoted;
use crate::parse::document::{Document, document, entries, fields, wrong_shape};
use crate::parse::{Entry, Fields, ParseError, Part, SentEvent};
use crate::problem::{Fault, code};

/// How the attributes travel.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    /// One event as JSON.
    Structured,
    /// An array of events.
    Batch,
    /// Attributes in headers, and the data as the body.
    Binary(Arc<[Attribute]>),
}

/// Name and value of a header, without `ce-` and decoded.
pub(crate) type Attribute = (String, String);

/// The attributes of a request in binary mode; none when it has no `ce-` header that such a request must have.
pub(crate) fn attributes(headers: &HeaderMap) -> Option<Arc<[Attribute]>> {
    let is_binary = ["ce-specversion", "ce-type", "ce-id"].iter().any(|name| headers.contains_key(*name));
    let read = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        let name = name.as_str().strip_prefix("ce-")?;
        let value = std::str::from_utf8(value.as_bytes()).ok()?;
        // Some senders quote values, as an earlier draft of the HTTP binding asked for.
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        Some((name.to_owned(), value.into_owned()))
    };
    is_binary.then(|| headers.iter().filter_map(read).collect())
}

/// Reads the events of a body.
pub(super) fn read<'a>(
    body: &'a [u8],
    mode: &'a Mode,
    reading: Reading<'a>,
) -> Result<Vec<Entry<'a>>, ParseError> {
    match mode {
        Mode::Structured => match document(body, reading.limits)? {
            Document::One(event) => Ok(vec![structured(event)]),
            Document::Many(_) => Err(wrong_shape(
                "expected one event; an array needs Content-Type: application/cloudevents-batch+json",
            )),
        },
        Mode::Batch => match document(body, reading.limits)? {
            Document::Many(events) => {
                let events = entries(events, reading.limits)?.unwrap_or_default();
                Ok(events.into_iter().map(structured).collect())
            }
            Document::One(_) => Err(wrong_shape(
                "expected an array; one event needs Content-Type: application/cloudevents+json",
            )),
        },
        Mode::Binary(attributes) => binary(body, attributes, reading).map(|entry| vec![entry]),
    }
}

fn structured(event: &RawValue) -> Entry<'_> {
    let Part::Fields(attributes) = fields(event) else {
        let message = "expected an object such as {\"specversion\":\"1.0\",\"type\":…,\"data\":{…}}";
        return Entry::Broken(Fault::new(code::NOT_AN_OBJECT, message));
    };
    let mut sent = SentEvent { bytes: event.get().len(), ..SentEvent::default() };
    let mut version = None;
    let mut data = None;
    for (name, value) in attributes {
        let name_text: &str = &name;
        match name_text {
            "specversion" => version = Some(value.get().trim_matches('"')),
            "id" => sent.id = Some(value),
            "type" => sent.event_type = Some(value),
            "time" => sent.time = Some(value),
            "sentat" => sent.sent_at = Some(value),
            "data" => data = Some(value),
            "data_base64" if value.get() != "null" => return Entry::Broken(base64_fault()),
            "datacontenttype" if !is_json(value.get().trim_matches('"')) => {
                return Entry::Broken(content_type_fault());
            }
            _ if is_passed_over(name_text) => {}
            _ => sent.unknown.push(name),
        }
    }
    if let Err(fault) = check_version(version, "specversion") {
        return Entry::Broken(fault);
    }
    sent.renamed.push((Cow::Borrowed("sent_at"), Cow::Borrowed("sentat")));
    read_data(data, "data", &mut sent);
    Entry::Event(Box::new(sent))
}

fn binary<'a>(
    body: &'a [u8],
    attributes: &'a [Attribute],
    reading: Reading<'a>,
) -> Result<Entry<'a>, ParseError> {
    let mut sent = SentEvent { bytes: body.len(), ..SentEvent::default() };
    let mut version = None;
    for (name, value) in attributes {
        match &**name {
            "specversion" => version = Some(&**value),
            "id" => sent.id = Some(quoted(value, reading.arena)),
            "type" => sent.event_type = Some(quoted(value, reading.arena)),
            "time" => sent.time = Some(quoted(value, reading.arena)),
            "sentat" => sent.sent_at = Some(quoted(value, reading.arena)),
            name if is_passed_over(name) => {}
            name => sent.unknown.push(Cow::Owned(format!("ce-{name}"))),
        }
    }
    if let Err(fault) = check_version(version, "header ce-specversion") {
        return Ok(Entry::Broken(fault));
    }
    for (ours, theirs) in
        [("id", "ce-id"), ("type", "ce-type"), ("time", "ce-time"), ("sent_at", "ce-sentat")]
    {
        sent.renamed.push((Cow::Borrowed(ours), Cow::Borrowed(theirs)));
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        read_data(None, "", &mut sent);
        return Ok(Entry::Event(Box::new(sent)));
    }
    let Document::One(data) = document(body, reading.limits)? else {
        return Err(wrong_shape("expected the data of one event as an object"));
    };
    read_data(Some(data), "", &mut sent);
    Ok(Entry::Event(Box::new(sent)))
}

/// Attributes that say nothing about the customer's experience.
fn is_passed_over(name: &str) -> bool {
    matches!(
        name,
        "source"
            | "subject"
            | "dataschema"
            | "datacontenttype"
            | "data_base64"
            | "partitionkey"
            | "sequence"
            | "sequencetype"
            | "traceparent"
            | "tracestate"
            | "recordedtime"
            | "expirytime"
            | "severitytext"
            | "severitynumber"
            | "sampledrate"
            | "dataref"
            | "correlationid"
            | "causationid"
    )
}

fn check_version(version: Option<&str>, place: &'static str) -> Result<(), Fault> {
    match version {
        Some("1.0") => Ok(()),
        None => Err(Fault::new(code::MISSING_FIELD, format!("a CloudEvent needs {place} \"1.0\""))),
        Some(_) => Err(Fault::new(
            code::INVALID_VALUE,
            format!("expected {place} \"1.0\", the only version that is read"),
        )),
    }
}

fn base64_fault() -> Fault {
    Fault::new(
        code::INVALID_VALUE,
        "data_base64 is for binary data; an event's data is a JSON object in data",
    )
}

fn content_type_fault() -> Fault {
    Fault::new(
        code::INVALID_VALUE,
        "expected datacontenttype application/json: an event's data is a JSON object",
    )
}

/// Whether a media type is JSON's, or one that is made of it.
pub(crate) fn is_json(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    name.is_empty() || name == "null" || name.ends_with("/json") || name.ends_with("+json")
}

/// `data` as it was sent under this path: with a context beside it, or bare.
fn read_data<'a>(data: Option<&'a RawValue>, path: &'static str, sent: &mut SentEvent<'a>) {
    let mut name = |ours: &'static str, theirs: String| {
        let theirs = if path.is_empty() {
            theirs
        } else {
            format!("{path}{}{theirs}", if theirs.is_empty() { "" } else { "." })
        };
        sent.renamed.push((Cow::Borrowed(ours), Cow::Owned(theirs)));
    };
    let bare = data.map_or(Part::Missing, fields);
    match bare {
        Part::Fields(parts) if is_wrapped(&parts) => {
            for (ours, theirs) in
                [("data.", "data."), ("context.", "context."), ("data", "data"), ("context", "context")]
            {
                name(ours, theirs.to_owned());
            }
            for (part, value) in parts {
                match &*part {
                    "data" => sent.data = fields(value),
                    "context" => sent.context = fields(value),
                    _ => {
                        sent.sent_at = Some(value);
                        let theirs =
                            if path.is_empty() { "sent_at".to_owned() } else { format!("{path}.sent_at") };
                        sent.renamed.insert(0, (Cow::Borrowed("sent_at"), Cow::Owned(theirs)));
                    }
                }
            }
        }
        bare => {
            if path.is_empty() {
                name("data.", String::new());
            }
            sent.data = bare;
        }
    }
}

/// Whether it is `{"context":…,"data":…}`: no type has a data field of these names.
fn is_wrapped(parts: &Fields<'_>) -> bool {
    let known = |name: &str| matches!(name, "context" | "data" | "sent_at");
    parts.iter().all(|(name, _)| known(name))
        && parts.iter().any(|(name, _)| matches!(&**name, "context" | "data"))
}
