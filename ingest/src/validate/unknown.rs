//! Fields that the catalogue does not know: kept as extra fields, with a word to whoever may have misspelt one.
//!
//! Promise: what is named like an identity is never kept in clear, wherever it stands.

use crate::problem::{Findings, code};
use crate::suggest::{nearest, normal};

/// Names under which tools send who a customer is, without separators and in lower case, and the field that is meant.
const IDENTITIES: [(&str, &str); 17] = [
    ("customerid", "customer_id"),
    ("userid", "customer_id"),
    ("clientid", "customer_id"),
    ("memberid", "customer_id"),
    ("contactid", "customer_id"),
    ("email", "customer_id"),
    ("emailaddress", "customer_id"),
    ("anonymousid", "anonymous_id"),
    ("visitorid", "anonymous_id"),
    ("deviceid", "anonymous_id"),
    ("advertisingid", "anonymous_id"),
    ("sessionid", "session_id"),
    ("accountid", "account_id"),
    ("companyid", "account_id"),
    ("groupid", "account_id"),
    ("phone", "customer_id"),
    ("ip", ""),
];

/// Whether an unknown field of this part is kept; warns about what was probably meant.
pub(super) fn keep<'n>(
    part: &'static str,
    name: &str,
    known: impl Iterator<Item = &'n str>,
    index: usize,
    findings: &mut Findings,
) -> bool {
    let normal = normal(name);
    if let Some((_, meant)) = IDENTITIES.iter().find(|(identity, _)| identity.as_bytes() == normal) {
        let message = match *meant {
            "" => "not stored: addresses of customers are never kept".to_owned(),
            meant => {
                format!("not stored: who a customer is goes into context.{meant}, which becomes a pseudonym")
            }
        };
        findings.warn(index, &format!("{part}.{name}"), code::FIELD_IGNORED, message);
        return false;
    }
    if let Some(meant) = nearest(name, known) {
        let message = format!("kept as an extra field; did you mean {meant}?");
        findings.warn(index, &format!("{part}.{name}"), code::MISSPELT_FIELD, message);
    }
    findings.extra_fields += 1;
    true
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
        _ => "not a field of an event: facts go into data, circumstances into context",
    }
}
