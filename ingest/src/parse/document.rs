//! A body of another dialect: its top level as raw values, and the fields of such a value.
//!
//! Used by [`crate::dialect`], which turns them into events. Promise: the same limits and the same errors as for native events.

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::visit::{PartSeed, Scan, nesting};
use super::{ParseError, ParseLimits, Part, syntax_error, utf8};
use crate::problem::code;

/// The top level of a body.
#[derive(Debug)]
pub(crate) enum Document<'b> {
    /// An object.
    One(&'b RawValue),
    /// An array.
    Many(&'b RawValue),
}

/// Reads a whole body, refusing what nests too deeply.
pub(crate) fn document(body: &[u8], limits: ParseLimits) -> Result<Document<'_>, ParseError> {
    let text = utf8(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body))?;
    let scan = Scan::new(limits);
    let value: &RawValue = serde_json::from_str(text).map_err(|error| syntax_error(&scan, text, &error))?;
    // An array around the events is no level of theirs.
    let (wrapper, is_object) = (usize::from(value.get().starts_with('[')), value.get().starts_with('{'));
    if nesting(value.get()) > limits.depth + wrapper {
        let message = format!("nested deeper than {} levels", limits.depth);
        return Err(ParseError::Syntax { code: code::TOO_DEEP, message, line: 1, column: 1 });
    }
    match (is_object, wrapper) {
        (true, _) => Ok(Document::One(value)),
        (false, 1) => Ok(Document::Many(value)),
        _ => Err(wrong_shape("expected an object or an array of objects")),
    }
}

/// A body whose top level is not what its path or Content-Type promises.
pub(crate) fn wrong_shape(message: &'static str) -> ParseError {
    ParseError::Syntax { code: code::NOT_AN_OBJECT, message: message.to_owned(), line: 1, column: 1 }
}

/// The entries of a valid array, at most as many as the limit; none when it is no array.
pub(crate) fn entries(array: &RawValue, limits: ParseLimits) -> Result<Option<Vec<&RawValue>>, ParseError> {
    struct Entries(usize);
    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<&'de RawValue>;
        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an array")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = access.next_element()? {
                if entries.len() == self.0 {
                    return Err(A::Error::custom("too many"));
                }
                entries.push(entry);
            }
            Ok(entries)
        }
    }
    if !array.get().starts_with('[') {
        return Ok(None);
    }
    let mut deserializer = serde_json::Deserializer::from_str(array.get());
    // A valid array can only have too many entries.
    deserializer.deserialize_seq(Entries(limits.events)).map(Some).map_err(|_| ParseError::TooManyEvents)
}

/// The fields of a valid value whose depth was checked.
pub(crate) fn fields(value: &RawValue) -> Part<'_> {
    use serde::de::DeserializeSeed;
    let scan = Scan::new(ParseLimits { events: usize::MAX, depth: usize::MAX });
    let mut deserializer = serde_json::Deserializer::from_str(value.get());
    let mut bytes = 0;
    // A name with a lone surrogate is all that can still be wrong.
    PartSeed { scan: &scan, bytes: &mut bytes }.deserialize(&mut deserializer).unwrap_or(Part::NotAnObject)
}
