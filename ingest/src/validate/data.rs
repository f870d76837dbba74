//! `data`: the fields of the event's type by the catalogue; everything else goes into the `extra` map as text.

use std::borrow::Cow;

use serde_json::value::RawValue;
use touchstream_schemas::money::Money;
use touchstream_schemas::time::EventTime;

use super::nested::{Place, json_in, without_identities};
use super::unknown::keep;
use super::{Setting, fields_of};
use crate::catalogue::{EventType, Slot};
use crate::mask;
use crate::parse::Part;
use crate::problem::{Fault, Findings, code};
use crate::read_value::{Value, decode_text, read};

/// Most fields in `data` or `context`.
const MAX_FIELDS: usize = 128;
/// Longest name of an extra field.
const EXTRA_NAME_BYTES: usize = 128;
/// Longest value of an extra field.
const EXTRA_VALUE_BYTES: usize = 8_192;

/// The typed fields of one event.
#[derive(Debug, Default)]
pub(crate) struct Values<'a>(Vec<(Slot, Value<'a>)>);

impl<'a> Values<'a> {
    /// The value in a slot.
    pub(crate) fn get(&self, slot: Slot) -> Option<Value<'a>> {
        self.0.iter().find(|(filled, _)| *filled == slot).map(|(_, value)| *value)
    }

    /// Fills an empty slot.
    pub(crate) fn set(&mut self, slot: Slot, value: Value<'a>) {
        self.0.push((slot, value));
    }

    pub(crate) fn text(&self, slot: Slot) -> Option<&'a str> {
        match self.get(slot)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&self, slot: Slot) -> Option<i64> {
        match self.get(slot)? {
            Value::Integer(integer) => Some(integer),
            _ => None,
        }
    }

    /// An integer of the catalogue's 32-bit kind.
    pub(crate) fn integer_32(&self, slot: Slot) -> Option<i32> {
        i32::try_from(self.integer(slot)?).ok()
    }

    pub(crate) fn number(&self, slot: Slot) -> Option<f64> {
        match self.get(slot)? {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn money(&self, slot: Slot) -> Option<Money> {
        match self.get(slot)? {
            Value::Money(money) => Some(money),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self, slot: Slot) -> Option<bool> {
        match self.get(slot)? {
            Value::Boolean(boolean) => Some(boolean),
            _ => None,
        }
    }

    pub(crate) fn time(&self, slot: Slot) -> Option<EventTime> {
        match self.get(slot)? {
            Value::Time(time) => Some(time),
            _ => None,
        }
    }
}

/// Reads `data`.
pub(super) fn read_data<'a>(
    part: &Part<'a>,
    event_type: &'static EventType,
    index: usize,
    setting: Setting<'a>,
    findings: &mut Findings,
    extra: &mut Vec<(&'a str, &'a str)>,
) -> Values<'a> {
    let mut values = Values(Vec::with_capacity(8));
    let fields = fields_of(part, "data", index, findings);
    if !check_field_count(fields, "data", index, findings) {
        return values;
    }
    for (name, raw) in fields {
        let read = match event_type.field(name) {
            Some(field) => read(field.kind, raw, setting.arena)
                .map(|value| values.0.extend(value.map(|value| (field.slot, value)))),
            None => {
                let place = Place { part: "data", name, index };
                let known = event_type.fields().map(|field| field.name);
                read_unknown(place, raw, known, setting, findings).map(|found| extra.extend(found))
            }
        };
        if let Err(fault) = read {
            findings.reject(index, &format!("data.{name}"), fault);
        }
    }
    let was_sent =
        |name: &str| fields.iter().any(|(sent, raw)| sent == name && !matches!(raw.get(), "null" | "\"\""));
    for field in event_type.fields().filter(|field| field.required) {
        if values.get(field.slot).is_none() && !was_sent(field.name) {
            let message = format!("{} needs it: {}", event_type.name, field.expected());
            findings.reject(index, &format!("data.{}", field.name), Fault::new(code::MISSING_FIELD, message));
        }
    }
    values
}

/// Refuses too many fields, and names that stand twice (which of the two was meant is anyone's guess).
pub(super) fn check_field_count(
    fields: &[(Cow<'_, str>, &RawValue)],
    part: &str,
    index: usize,
    findings: &mut Findings,
) -> bool {
    if fields.len() > MAX_FIELDS {
        let message = format!("more than {MAX_FIELDS} fields");
        findings.reject(index, part, Fault::new(code::TOO_MANY_FIELDS, message));
        return false;
    }
    let mut beginnings = [0_u64; MAX_FIELDS];
    for (position, (name, _)) in fields.iter().enumerate() {
        beginnings[position] = beginning(name);
        let mut earlier = beginnings[..position].iter().zip(fields);
        if earlier.any(|(start, (earlier, _))| *start == beginnings[position] && earlier == name) {
            let fault = Fault::new(code::DUPLICATE_FIELD, "stands twice in the event");
            findings.reject(index, &format!("{part}.{name}"), fault);
        }
    }
    true
}

/// A field that the catalogue does not know, if it is kept: its name and its text.
fn read_unknown<'a, 'n>(
    place: Place<'_>,
    raw: &'a RawValue,
    known: impl Iterator<Item = &'n str>,
    setting: Setting<'a>,
    findings: &mut Findings,
) -> Result<Option<(&'a str, &'a str)>, Fault> {
    if !keep(place, raw, known, findings) {
        return Ok(None);
    }
    let name = extra_name(place.name, setting)?;
    Ok(extra_value(place, raw, setting, findings)?.map(|value| (name, value)))
}

/// A name's first seven bytes and its length: names that differ in it need no comparison of their bytes.
fn beginning(name: &str) -> u64 {
    let mut bytes = [0; 8];
    let length = name.len().min(7);
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    bytes[7] = name.len().to_le_bytes()[0];
    u64::from_le_bytes(bytes)
}

/// The name of an extra field.
pub(super) fn extra_name<'a>(name: &str, setting: Setting<'a>) -> Result<&'a str, Fault> {
    if name.len() > EXTRA_NAME_BYTES {
        let message = format!("the field's name is longer than {EXTRA_NAME_BYTES} bytes");
        return Err(Fault::new(code::TOO_LONG, message));
    }
    Ok(mask::clean_name(setting.arena.alloc_str(name), setting.arena))
}

/// A field that the catalogue does not know, as text: strings as they are, everything else as JSON; none for null.
pub(super) fn extra_value<'a>(
    place: Place<'_>,
    raw: &'a RawValue,
    setting: Setting<'a>,
    findings: &mut Findings,
) -> Result<Option<&'a str>, Fault> {
    let arena = setting.arena;
    let first = raw.get().as_bytes().first();
    let text = match first {
        Some(b'n') => return Ok(None),
        Some(b'"') => decode_text(raw, arena)?,
        _ => raw.get(),
    };
    if text.len() > EXTRA_VALUE_BYTES {
        return Err(Fault::new(code::TOO_LONG, format!("longer than {EXTRA_VALUE_BYTES} bytes")));
    }
    let nested = match first {
        Some(b'{' | b'[') => Some(raw),
        Some(b'"') => json_in(text),
        _ => None,
    };
    if let Some(nested) = nested {
        return Ok(Some(arena.alloc_str(&without_identities(nested, place, arena, findings)?)));
    }
    Ok(Some(match first {
        Some(b'"') => mask::clean(text, arena),
        // A long number may be a card's.
        _ => mask::clean_name(text, arena),
    }))
}
