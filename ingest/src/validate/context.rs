//! `context`: who, where and how; unknown fields go into the `extra` map as `context.NAME`.

use serde_json::value::RawValue;
use touchstream_schemas::event::{ALL, HUMAN, UNKNOWN};

use super::data::{check_field_count, extra_name, extra_value};
use super::nested::Place;
use super::unknown::keep;
use super::{Setting, fields_of};
use crate::catalogue::{self, Kind, NAME, PHRASE};
use crate::parse::Part;
use crate::problem::{Fault, Findings, code};
use crate::read_value::{Value, decode_text, read, read_boolean, read_integer, read_name};
use crate::suggest::nearest;

/// What `context` says. Identities are raw here and replaced by pseudonyms when the event is built.
#[derive(Clone, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) customer_id: Option<&'a str>,
    pub(crate) anonymous_id: Option<&'a str>,
    pub(crate) session_id: Option<&'a str>,
    pub(crate) account_id: Option<&'a str>,
    pub(crate) seq: Option<i64>,
    pub(crate) touchpoint: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) device: &'a str,
    pub(crate) mode: Option<&'a str>,
    pub(crate) persona: Option<&'a str>,
    pub(crate) member: Option<bool>,
    pub(crate) locale: Option<&'a str>,
    pub(crate) app_version: Option<&'a str>,
    pub(crate) variant: Option<&'a str>,
    pub(crate) campaign: Option<&'a str>,
    pub(crate) referrer: Option<&'a str>,
    pub(crate) preferred_channel: Option<&'a str>,
    pub(crate) stage: Option<&'a str>,
    pub(crate) consent: Option<Vec<&'a str>>,
    pub(crate) traffic: &'a str,
}

/// Every field of `context`, with what it holds.
pub(crate) const FIELDS: [&str; 20] = [
    "customer_id",
    "anonymous_id",
    "session_id",
    "account_id",
    "seq",
    "touchpoint",
    "channel",
    "device",
    "mode",
    "persona",
    "member",
    "locale",
    "app_version",
    "variant",
    "campaign",
    "referrer",
    "preferred_channel",
    "stage",
    "consent",
    "traffic",
];
pub(crate) const MODES: Kind = Kind::OneOf(&["self", "bot", "assisted"]);
pub(crate) const TRAFFIC: Kind = Kind::OneOf(&[HUMAN, "bot", "internal"]);
/// Most consents that one event lists.
const MAX_CONSENTS: usize = 32;

impl Default for Context<'_> {
    fn default() -> Self {
        Context {
            customer_id: None,
            anonymous_id: None,
            session_id: None,
            account_id: None,
            seq: None,
            touchpoint: UNKNOWN,
            channel: UNKNOWN,
            device: UNKNOWN,
            mode: None,
            persona: None,
            member: None,
            locale: None,
            app_version: None,
            variant: None,
            campaign: None,
            referrer: None,
            preferred_channel: None,
            stage: None,
            consent: None,
            traffic: HUMAN,
        }
    }
}

/// Reads `context`.
pub(super) fn read_context<'a>(
    part: &Part<'a>,
    index: usize,
    setting: Setting<'a>,
    findings: &mut Findings,
    extra: &mut Vec<(&'a str, &'a str)>,
) -> Context<'a> {
    let mut context = Context::default();
    let fields = fields_of(part, "context", index, findings);
    if !check_field_count(fields, "context", index, findings) {
        return context;
    }
    for (name, raw) in fields {
        if let Err(fault) = read_field(&mut context, name, raw, index, setting, findings, extra) {
            findings.reject(index, &format!("context.{name}"), fault);
        }
    }
    context
}

fn read_field<'a>(
    context: &mut Context<'a>,
    name: &str,
    raw: &'a RawValue,
    index: usize,
    setting: Setting<'a>,
    findings: &mut Findings,
    extra: &mut Vec<(&'a str, &'a str)>,
) -> Result<(), Fault> {
    let text = |kind| -> Result<Option<&'a str>, Fault> {
        Ok(read(kind, raw, setting.arena)?.and_then(|value| match value {
            Value::Text(text) => Some(text),
            _ => None,
        }))
    };
    let is_null = raw.get() == "null";
    match name {
        "customer_id" => context.customer_id = text(NAME)?,
        "anonymous_id" => context.anonymous_id = text(NAME)?,
        "session_id" => context.session_id = text(NAME)?,
        "account_id" => context.account_id = text(NAME)?,
        "seq" => context.seq = if is_null { None } else { Some(read_integer(raw.get())?) },
        "touchpoint" => {
            context.touchpoint = dimension(name, text(NAME)?, index, findings);
            check_touchpoint(context.touchpoint, index, setting, findings);
        }
        "channel" => {
            context.channel = dimension(name, text(NAME)?, index, findings);
            findings.unknown_channels += u64::from(!catalogue::CHANNELS.contains(&context.channel));
        }
        "device" => context.device = dimension(name, text(NAME)?, index, findings),
        "mode" => context.mode = text(MODES)?,
        "persona" => context.persona = text(NAME)?,
        "member" => context.member = if is_null { None } else { Some(read_boolean(raw.get())?) },
        "locale" => context.locale = text(NAME)?,
        "app_version" => context.app_version = text(NAME)?,
        "variant" => context.variant = text(NAME)?,
        "campaign" => context.campaign = text(NAME)?,
        "referrer" => context.referrer = text(PHRASE)?,
        "preferred_channel" => context.preferred_channel = text(NAME)?,
        "stage" => context.stage = text(NAME)?,
        "consent" => context.consent = read_consent(raw, setting)?,
        "traffic" => context.traffic = text(TRAFFIC)?.unwrap_or(HUMAN),
        _ => {
            let place = Place { part: "context", name, index };
            if keep(place, raw, FIELDS.into_iter(), findings)
                && let Some(value) = extra_value(place, raw, setting, findings)?
            {
                extra.push((extra_name(&format!("context.{name}"), setting)?, value));
            }
        }
    }
    Ok(())
}

/// A dimension; the word that stands for all of them is reserved.
fn dimension<'a>(name: &str, value: Option<&'a str>, index: usize, findings: &mut Findings) -> &'a str {
    match value {
        None => UNKNOWN,
        Some(value) if value.eq_ignore_ascii_case(ALL) => {
            let message = "the word all is reserved for sums; stored as unknown";
            findings.warn(index, &format!("context.{name}"), code::RESERVED_VALUE, message);
            UNKNOWN
        }
        Some(value) => value,
    }
}

/// A touchpoint that is not configured is kept; where others are, its sender may have misspelt it, or somebody forgot to list it.
fn check_touchpoint(name: &str, index: usize, setting: Setting<'_>, findings: &mut Findings) {
    let Some(listed) = setting.touchpoints.map(|tenant| &tenant.touchpoints) else { return };
    if listed.is_empty() || name == UNKNOWN || listed.contains_key(name) {
        return;
    }
    let message = match nearest(name, listed.keys().map(String::as_str)) {
        Some(meant) => format!("kept; not in the touchpoints file: did you mean {meant}?"),
        None => "kept; not in the touchpoints file".to_owned(),
    };
    findings.unknown_touchpoints += 1;
    findings.warn(index, "context.touchpoint", code::UNKNOWN_TOUCHPOINT, message);
}

fn read_consent<'a>(raw: &'a RawValue, setting: Setting<'a>) -> Result<Option<Vec<&'a str>>, Fault> {
    if raw.get() == "null" {
        return Ok(None);
    }
    let fault = || Fault::new(code::WRONG_TYPE, "expected an array of texts such as [\"analytics\"]");
    let entries: Vec<&'a RawValue> = serde_json::from_str(raw.get()).map_err(|_| fault())?;
    if entries.len() > MAX_CONSENTS {
        return Err(Fault::new(code::TOO_LONG, format!("more than {MAX_CONSENTS} consents")));
    }
    let read = |entry: &'a RawValue| {
        decode_text(entry, setting.arena).map_err(|_| fault())?;
        read_name(entry, 64, setting.arena)
    };
    entries.into_iter().map(read).collect::<Result<_, _>>().map(Some)
}
