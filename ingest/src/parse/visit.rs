//! The visitors that take a document apart in one scan: document → entries → envelope → fields.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Entry, Fields, ParseLimits, Part, SentEvent};
use crate::problem::{Fault, code};

/// Names beside the envelope's that are remembered for warnings; further ones are passed over.
const MOST_UNKNOWN: usize = 32;

/// Fields that `context` or `data` usually have at most; more only cost a move.
const USUAL_FIELDS: usize = 20;

/// Limits, and which of them stopped the scan.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) limits: ParseLimits,
    pub(super) too_deep: Cell<bool>,
    pub(super) too_many_events: Cell<bool>,
}

impl Scan {
    pub(super) fn new(limits: ParseLimits) -> Scan {
        Scan { limits, too_deep: Cell::new(false), too_many_events: Cell::new(false) }
    }

    /// Refuses a value at `level` that reaches deeper than the limit.
    fn check_depth<E: Error>(&self, value: &RawValue, level: usize) -> Result<(), E> {
        let text = value.get();
        if text.starts_with(['{', '[']) && level + nesting(text) > self.limits.depth {
            self.too_deep.set(true);
            return Err(E::custom("too deep"));
        }
        Ok(())
    }
}

/// Levels of objects and arrays in a valid JSON text.
pub(super) fn nesting(text: &str) -> usize {
    let (mut level, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                level += 1;
                deepest = deepest.max(level);
            }
            b'}' | b']' if !in_string => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Implements the visits of everything that is neither object nor array.
macro_rules! scalars {
    ($value:ty, $other:expr) => {
        fn visit_bool<E: Error>(self, _: bool) -> Result<$value, E> {
            $other
        }
        fn visit_i64<E: Error>(self, _: i64) -> Result<$value, E> {
            $other
        }
        fn visit_u64<E: Error>(self, _: u64) -> Result<$value, E> {
            $other
        }
        fn visit_f64<E: Error>(self, _: f64) -> Result<$value, E> {
            $other
        }
        fn visit_str<E: Error>(self, _: &str) -> Result<$value, E> {
            $other
        }
    };
}

/// Reads a whole document: one event or an array of them.
pub(super) struct DocumentSeed<'s> {
    pub(super) scan: &'s Scan,
}

const DOCUMENT: &str = "expected an event object or an array of them";

impl<'de> DeserializeSeed<'de> for DocumentSeed<'_> {
    type Value = Vec<Entry<'de>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DocumentSeed<'_> {
    type Value = Vec<Entry<'de>>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(DOCUMENT)
    }
    scalars!(Self::Value, Err(E::custom(DOCUMENT)));
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Err(E::custom(DOCUMENT))
    }
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Self::Value, A::Error> {
        Ok(vec![EventSeed { scan: self.scan }.visit_map(access)?])
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_element_seed(EventSeed { scan: self.scan })? {
            if entries.len() == self.scan.limits.events {
                self.scan.too_many_events.set(true);
                return Err(A::Error::custom("too many events"));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// Reads one entry.
pub(super) struct EventSeed<'s> {
    pub(super) scan: &'s Scan,
}

fn no_object<'b>() -> Entry<'b> {
    Entry::Broken(Fault::new(code::NOT_AN_OBJECT, "expected an object such as {\"type\":…,\"data\":{…}}"))
}

impl<'de> DeserializeSeed<'de> for EventSeed<'_> {
    type Value = Entry<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EventSeed<'_> {
    type Value = Entry<'de>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event object")
    }
    scalars!(Self::Value, Ok(no_object()));
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(no_object())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        while let Some(value) = access.next_element::<&'de RawValue>()? {
            self.scan.check_depth(value, 2)?;
        }
        Ok(no_object())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut event = Box::<SentEvent<'de>>::default();
        while let Some(name) = access.next_key_seed(NameSeed)? {
            event.bytes += name.len();
            let (place, known) = match &*name {
                "id" => (&mut event.id, "id"),
                "type" => (&mut event.event_type, "type"),
                "time" => (&mut event.time, "time"),
                "sent_at" => (&mut event.sent_at, "sent_at"),
                part @ ("context" | "data") => {
                    let (part, known) = match part {
                        "context" => (&mut event.context, "context"),
                        _ => (&mut event.data, "data"),
                    };
                    let seed = PartSeed { scan: self.scan, bytes: &mut event.bytes };
                    let before = std::mem::replace(part, access.next_value_seed(seed)?);
                    if !matches!(before, Part::Missing) {
                        event.twice = Some(known);
                    }
                    continue;
                }
                _ => {
                    let value: &'de RawValue = access.next_value()?;
                    self.scan.check_depth(value, 1)?;
                    event.bytes += value.get().len();
                    if event.unknown.len() < MOST_UNKNOWN {
                        event.unknown.push(name);
                    }
                    continue;
                }
            };
            let value: &'de RawValue = access.next_value()?;
            self.scan.check_depth(value, 1)?;
            if place.replace(value).is_some() {
                event.twice = Some(known);
            }
            event.bytes += value.get().len();
        }
        Ok(Entry::Event(event))
    }
}

/// Reads `context` or `data`.
pub(super) struct PartSeed<'s> {
    pub(super) scan: &'s Scan,
    pub(super) bytes: &'s mut usize,
}

impl<'de> DeserializeSeed<'de> for PartSeed<'_> {
    type Value = Part<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PartSeed<'_> {
    type Value = Part<'de>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }
    scalars!(Self::Value, Ok(Part::NotAnObject));
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Part::Missing)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        while let Some(value) = access.next_element::<&'de RawValue>()? {
            self.scan.check_depth(value, 3)?;
        }
        Ok(Part::NotAnObject)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut fields: Fields<'de> = Vec::with_capacity(USUAL_FIELDS);
        while let Some(name) = access.next_key_seed(NameSeed)? {
            let value: &'de RawValue = access.next_value()?;
            self.scan.check_depth(value, 2)?;
            *self.bytes += name.len() + value.get().len();
            fields.push((name, value));
        }
        Ok(Part::Fields(fields))
    }
}

/// Reads a name, borrowed unless it was written with escapes.
struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name in quotes")
    }
    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }
    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
