//! An event as it was sent → an event that can be stored, or everything that is wrong with it at once.
//!
//! Parse → **validate** → encode. The steps: envelope (type, id, times), context, data by the catalogue, rules between fields, privacy. The
//! result borrows from the body and the request's arena.

pub(crate) mod context;
mod data;
mod identity;
mod nested;
mod rules;
#[cfg(test)]
mod tests;
mod unknown;

use bumpalo::Bump;
use touchstream_runtime::touchpoints::Tenant;
use touchstream_schemas::event::{Family, StringMap};
use touchstream_schemas::time::{EventTime, Millis};
use uuid::Uuid;

use crate::catalogue::{self, EventType};
use crate::keys::WriteKey;
use crate::parse::{Part, SentEvent};
use crate::problem::{Fault, Findings, code};
use crate::pseudonym::Pseudonyms;
use crate::read_value::{EARLIEST, read_name, read_time, too_old};
use crate::record::{self, Record};
use crate::suggest::nearest;

pub(crate) use context::Context;
pub(crate) use data::Values;

/// Longest id.
const ID_BYTES: usize = 128;

/// Limits and tolerances of validation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) max_event_bytes: usize,
    pub(crate) skew_tolerance: Millis,
    pub(crate) future_tolerance: Millis,
    pub(crate) keep_agent_ids: bool,
}

/// What an event is validated against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) rules: Rules,
    pub(crate) key: &'a WriteKey,
    pub(crate) pseudonyms: &'a Pseudonyms,
    pub(crate) received_at: EventTime,
    /// The customer's browser objects to being followed, and that is honoured.
    pub(crate) opted_out: bool,
    /// What is configured for the tenant's touchpoints, if anything is.
    pub(crate) touchpoints: Option<&'a Tenant>,
    pub(crate) arena: &'a Bump,
}

/// The part of an event that all families share.
#[derive(Clone, Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) source: &'a str,
    pub(crate) id: &'a str,
    pub(crate) event_type: &'static str,
    pub(crate) time: EventTime,
    pub(crate) original_time: Option<EventTime>,
    pub(crate) sent_at: Option<EventTime>,
    pub(crate) received_at: EventTime,
    pub(crate) context: Context<'a>,
    pub(crate) extra: StringMap<'a>,
}

/// The outcome for one event.
#[derive(Debug)]
pub(crate) struct Verdict<'a> {
    /// Known even for some events that are refused.
    pub(crate) family: Option<Family>,
    /// None: refused, and the findings say why.
    pub(crate) event: Option<Record<'a>>,
}

/// Validates the event at `index`.
pub(crate) fn validate<'a>(
    sent: &SentEvent<'a>,
    index: usize,
    setting: Setting<'a>,
    findings: &mut Findings,
) -> Verdict<'a> {
    let before = (findings.problems.len(), findings.warnings.len());
    let verdict = judge(sent, index, setting, findings);
    findings.rename(before, &sent.renamed);
    verdict
}

fn judge<'a>(
    sent: &SentEvent<'a>,
    index: usize,
    setting: Setting<'a>,
    findings: &mut Findings,
) -> Verdict<'a> {
    let problems_before = findings.problems.len();
    if sent.bytes > setting.rules.max_event_bytes {
        let message = format!("larger than {} bytes", setting.rules.max_event_bytes);
        findings.reject(index, "", Fault::new(code::EVENT_TOO_LARGE, message));
        return Verdict { family: None, event: None };
    }
    if let Some(name) = sent.twice {
        findings.reject(index, name, Fault::new(code::DUPLICATE_FIELD, "stands twice in the event"));
    }
    for name in &sent.unknown {
        findings.warn(index, name, code::FIELD_IGNORED, unknown::beside_the_envelope(name));
    }

    let found = read_type(sent, index, setting, findings);
    let id = read_id(sent, index, setting, findings);
    let times = read_times(sent, index, setting, findings);
    let mut extra = Vec::new();
    let context = context::read_context(&sent.context, index, setting, findings, &mut extra);
    let family = found.map(|(family, _)| family);
    let Some((family, event_type)) = found else {
        findings.name_event(problems_before, id);
        return Verdict { family, event: None };
    };
    if !setting.key.allows(family) {
        let message = format!("this write key may not send {} events", family.name());
        findings.reject(index, "type", Fault::new(code::FAMILY_NOT_ALLOWED, message));
    }
    let mut values = data::read_data(&sent.data, event_type, index, setting, findings, &mut extra);
    rules::apply(&mut values, event_type, index, findings);
    if findings.problems.len() > problems_before {
        findings.name_event(problems_before, id);
        return Verdict { family: Some(family), event: None };
    }

    let envelope = Envelope {
        tenant: &setting.key.tenant,
        source: &setting.key.source,
        id: id.unwrap_or_else(|| new_id(index, setting.arena, findings)),
        event_type: event_type.name,
        time: times.time,
        original_time: times.original,
        sent_at: times.sent_at,
        received_at: setting.received_at,
        context,
        extra: StringMap(extra),
    };
    Verdict { family: Some(family), event: Some(record::build(family, envelope, &values, setting)) }
}

fn new_id<'a>(index: usize, arena: &'a Bump, findings: &mut Findings) -> &'a str {
    findings.warn(
        index,
        "id",
        code::ID_MISSING,
        "made here; a retry cannot be recognised without an id of yours",
    );
    let mut text = Uuid::encode_buffer();
    arena.alloc_str(Uuid::now_v7().hyphenated().encode_lower(&mut text))
}

fn read_type(
    sent: &SentEvent<'_>,
    index: usize,
    setting: Setting<'_>,
    findings: &mut Findings,
) -> Option<(Family, &'static EventType)> {
    let Some(raw) = sent.event_type.filter(|raw| !matches!(raw.get(), "null" | "\"\"")) else {
        findings.reject(
            index,
            "type",
            Fault::new(code::MISSING_FIELD, "every event needs a type such as \"feedback.answered\""),
        );
        return None;
    };
    let arena = setting.arena;
    match read_name(raw, ID_BYTES, arena) {
        Err(fault) => findings.reject(index, "type", fault),
        Ok(name) => match catalogue::find(name) {
            Some(found) => return Some(found),
            None => findings.reject(index, "type", unknown_type(name)),
        },
    }
    None
}

fn unknown_type(name: &str) -> Fault {
    let all = Family::ALL.into_iter().flat_map(catalogue::types_of).map(|event_type| event_type.name);
    if let Some(meant) = nearest(name, all) {
        return Fault::new(code::UNKNOWN_TYPE, format!("there is no such type; did you mean {meant}?"));
    }
    let Some(family) = Family::of_type(name) else {
        return Fault::new(
            code::UNKNOWN_TYPE,
            "expected one of checkout.…, chat.…, feedback.…, app.…: GET /openapi.json lists all; names of GA4 and Segment go to POST /v1/track",
        );
    };
    let known: Vec<&str> = catalogue::types_of(family).iter().map(|event_type| event_type.name).collect();
    Fault::new(code::UNKNOWN_TYPE, format!("expected one of {}", known.join(", ")))
}

fn read_id<'a>(
    sent: &SentEvent<'a>,
    index: usize,
    setting: Setting<'a>,
    findings: &mut Findings,
) -> Option<&'a str> {
    let raw = sent.id.filter(|raw| !matches!(raw.get(), "null" | "\"\""))?;
    match read_name(raw, ID_BYTES, setting.arena) {
        Ok(id) => Some(id),
        Err(fault) => {
            findings.reject(index, "id", fault);
            None
        }
    }
}

/// The times of an event.
#[derive(Clone, Copy, Debug)]
struct Times {
    time: EventTime,
    original: Option<EventTime>,
    sent_at: Option<EventTime>,
}

/// A clock that is off by more than the tolerance is corrected by `received − sent_at`; less is transit, and correcting it
/// would reorder funnels.
fn read_times(sent: &SentEvent<'_>, index: usize, setting: Setting<'_>, findings: &mut Findings) -> Times {
    let mut read = |field, raw: Option<&serde_json::value::RawValue>| {
        let raw = raw.filter(|raw| !matches!(raw.get(), "null" | "\"\""))?;
        read_time(raw).map_err(|fault| findings.reject(index, field, fault)).ok()
    };
    let (original, sent_at) = (read("time", sent.time), read("sent_at", sent.sent_at));
    let received_at = setting.received_at;
    let mut time = original.unwrap_or(received_at);
    if let (Some(_), Some(sent_at)) = (original, sent_at) {
        let offset = received_at - sent_at;
        if offset > setting.rules.skew_tolerance || Millis(-offset.0) > setting.rules.skew_tolerance {
            time = time + offset;
        }
    }
    // As sent it was taken; corrected, it may lie anywhere.
    if time < EARLIEST {
        findings.reject(index, "time", too_old());
    }
    if time - received_at > setting.rules.future_tolerance {
        let message = format!(
            "more than {} s after it was received; send sent_at too if the sender's clock may be wrong",
            setting.rules.future_tolerance.0 / 1_000
        );
        findings.reject(index, "time", Fault::new(code::TIME_IN_FUTURE, message));
    }
    Times { time, original, sent_at }
}

/// The fields of a part, or the fault of not being an object.
fn fields_of<'p, 'a>(
    part: &'p Part<'a>,
    name: &str,
    index: usize,
    findings: &mut Findings,
) -> &'p [(std::borrow::Cow<'a, str>, &'a serde_json::value::RawValue)] {
    match part {
        Part::Missing => &[],
        Part::NotAnObject => {
            findings.reject(index, name, Fault::new(code::NOT_AN_OBJECT, "expected an object"));
            &[]
        }
        Part::Fields(fields) => fields,
    }
}
