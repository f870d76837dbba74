//! Fields that the catalogue does not know: kept as extra fields, with a word to whoever may have misspelt one.
//!
//! Promise: what is named like an identity is never kept in clear, wherever it stands.

use serde_json::value::RawValue;

use super::identity::{Meant, meant_by};
use super::nested::Place;
use crate::problem::{Findings, code};
use crate::suggest::{nearest, normal};

/// Whether an unknown field of this part is kept; warns about what was probably meant.
pub(super) fn keep<'n>(
    place: Place<'_>,
    raw: &RawValue,
    known: impl Iterator<Item = &'n str>,
    findings: &mut Findings,
) -> bool {
    let Place { part, name, index } = place;
    if let Some(meant) = meant_by("", name, raw.get()) {
        warn_of_identity(meant, index, &format!("{part}.{name}"), findings);
        return false;
    }
    if let Some(meant) = nearest(name, known) {
        let message = format!("kept as an extra field; did you mean {meant}?");
        findings.warn(index, &format!("{part}.{name}"), code::MISSPELT_FIELD, message);
    }
    findings.extra_fields += 1;
    true
}

/// Says why a field was left out, and where it belongs.
pub(super) fn warn_of_identity(meant: Meant, index: usize, field: &str, findings: &mut Findings) {
    let message = match meant {
        None => "not stored: names, addresses and secrets of customers are never kept".to_owned(),
        Some(meant) => {
            format!("not stored: who a customer is goes into context.{meant}, which becomes a pseudonym")
        }
    };
    findings.warn(index, field, code::FIELD_IGNORED, message);
}

/// What a field beside the six of an event was probably meant to be.
pub(super) fn beside_the_envelope(name: &str) -> &'static str {
    match &*normal(name) {
        b"specversion" => {
            "not a field of an event; if this is a CloudEvent, send it with Content-Type: application/cloudevents+json"
        }
        b"timestamp" | b"originaltimestamp" | b"ts" | b"createdat" | b"occurredat" | b"eventtime"
        | b"date" => "not a field of an event: when it happened goes into time",
        b"event" | b"eventtype" | b"eventname" | b"name" => {
            "not a field of an event: what happened goes into type"
        }
        b"messageid" | b"eventid" | b"uuid" => "not a field of an event: its own id goes into id",
        b"properties" | b"payload" | b"attributes" | b"body" => "not a field of an event: facts go into data",
        b"customerid" | b"userid" | b"anonymousid" | b"sessionid" | b"accountid" => {
            "not a field of an event: identities go into context, as customer_id, anonymous_id, session_id or account_id"
        }
        b"events" | b"batch" | b"records" | b"items" => {
            "not a field of an event: send the array of events by itself, as [{…},{…}]"
        }
        _ => "not a field of an event: facts go into data, circumstances into context",
    }
}
