//! Objects and lists in fields that the catalogue does not know: kept as JSON, without what is somebody's.
//!
//! Used by [`super::data::extra_value`]. Promise: a field inside is treated as one outside, however deep it stands and however its text
//! is written: identities go, texts are masked as they read (not as JSON escapes them), numbers keep their digits. JSON inside a
//! text is looked into too.

use bumpalo::Bump;
use serde_json::value::RawValue;

use super::identity::meant_by;
use super::unknown::warn_of_identity;
use crate::mask;
use crate::parse::document::{entries, fields};
use crate::parse::{ParseLimits, Part};
use crate::problem::{Fault, Findings, code};
use crate::read_value::decode_text;

/// Levels that are looked into, those of JSON inside texts included; what lies deeper is not kept.
const DEPTH: usize = 20;
const ALL: ParseLimits = ParseLimits { events: usize::MAX, depth: usize::MAX };

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'n> {
    pub(super) part: &'static str,
    pub(super) name: &'n str,
    pub(super) index: usize,
}

/// A valid object or list without what is somebody's, as JSON.
pub(super) fn without_identities(
    raw: &RawValue,
    place: Place<'_>,
    arena: &Bump,
    findings: &mut Findings,
) -> Result<String, Fault> {
    let path = format!("{}.{}", place.part, place.name);
    let mut writer = Writer { index: place.index, path, output: String::new(), arena, findings };
    writer.value(raw, place.name, 0)?;
    Ok(writer.output)
}

/// The JSON that a text is, if it is an object or a list.
pub(super) fn json_in(text: &str) -> Option<&RawValue> {
    let text = text.trim_ascii();
    let is_likely =
        matches!((text.as_bytes().first()?, text.as_bytes().last()?), (b'{', b'}') | (b'[', b']'));
    if is_likely { serde_json::from_str(text).ok() } else { None }
}

struct Writer<'w> {
    index: usize,
    /// For warnings.
    path: String,
    output: String,
    arena: &'w Bump,
    findings: &'w mut Findings,
}

impl Writer<'_> {
    /// Writes a value that stands under `name`, directly or in a list.
    fn value(&mut self, raw: &RawValue, name: &str, depth: usize) -> Result<(), Fault> {
        match raw.get().as_bytes().first() {
            Some(b'{' | b'[') if depth >= DEPTH => self.output.push_str("null"),
            Some(b'{') => self.object(raw, name, depth + 1)?,
            Some(b'[') => {
                let list = entries(raw, ALL).ok().flatten().unwrap_or_default();
                self.output.push('[');
                for (position, entry) in list.into_iter().enumerate() {
                    if position > 0 {
                        self.output.push(',');
                    }
                    self.value(entry, name, depth + 1)?;
                }
                self.output.push(']');
            }
            Some(b'"') => {
                let text = decode_text(raw, self.arena)?;
                match json_in(text).filter(|_| depth < DEPTH) {
                    None => self.text(mask::clean(text, self.arena)),
                    Some(inner) => {
                        let outside = std::mem::take(&mut self.output);
                        self.value(inner, name, depth + 1)?;
                        let inside = std::mem::replace(&mut self.output, outside);
                        self.text(&inside);
                    }
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                let digits = raw.get();
                // A long number may be a card's.
                let kept = mask::clean_name(digits, self.arena);
                if kept == digits { self.output.push_str(digits) } else { self.text(kept) }
            }
            _ => self.output.push_str(raw.get()),
        }
        Ok(())
    }

    fn object(&mut self, raw: &RawValue, parent: &str, depth: usize) -> Result<(), Fault> {
        let Part::Fields(fields) = fields(raw) else {
            return Err(Fault::new(
                code::INVALID_TEXT,
                "a name in it holds an escape that stands for no character",
            ));
        };
        self.output.push('{');
        let begun = self.output.len();
        for (name, value) in &fields {
            let outside = self.path.len();
            self.path.push('.');
            self.path.push_str(name);
            if let Some(meant) = meant_by(parent, name, value.get()) {
                warn_of_identity(meant, self.index, &self.path, self.findings);
            } else {
                if self.output.len() > begun {
                    self.output.push(',');
                }
                self.text(mask::clean_name(self.arena.alloc_str(name), self.arena));
                self.output.push(':');
                self.value(value, name, depth)?;
            }
            self.path.truncate(outside);
        }
        self.output.push('}');
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.output.push_str(&serde_json::to_string(text).expect("texts are always JSON"));
    }
}
