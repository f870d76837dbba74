//! Bytes → events as they were sent: an object, an array of objects, or one object a line.
//!
//! Read body → **parse** → validate. Each document is scanned once: the envelope, `context` and `data` become lists of
//! borrowed names and raw values, and only values that somebody asks for are decoded. Raw values keep a number's text, so that
//! money never passes through a float. A broken document is refused with line and column; a broken NDJSON line is one
//! rejected entry and its neighbours go on.

pub(crate) mod document;
mod visit;

use std::borrow::Cow;

use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

use self::visit::{DocumentSeed, EventSeed, Scan};
use crate::problem::{Fault, code};

/// How a body holds its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One event or an array of events.
    Json,
    /// One event a line.
    Ndjson,
}

/// Limits that hold while parsing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParseLimits {
    pub(crate) events: usize,
    pub(crate) depth: usize,
}

/// Names and raw values of an object, in the order they came.
pub(crate) type Fields<'b> = Vec<(Cow<'b, str>, &'b RawValue)>;

/// `context` or `data` of an event.
#[derive(Debug, Default)]
pub(crate) enum Part<'b> {
    /// Not sent, or null.
    #[default]
    Missing,
    /// Something that is no object.
    NotAnObject,
    /// Its fields.
    Fields(Fields<'b>),
}

/// One event as it was sent.
#[derive(Debug, Default)]
pub(crate) struct SentEvent<'b> {
    pub(crate) id: Option<&'b RawValue>,
    pub(crate) event_type: Option<&'b RawValue>,
    pub(crate) time: Option<&'b RawValue>,
    pub(crate) sent_at: Option<&'b RawValue>,
    pub(crate) context: Part<'b>,
    pub(crate) data: Part<'b>,
    /// Names beside the six that an event has.
    pub(crate) unknown: Vec<Cow<'b, str>>,
    /// A name of the envelope that came twice.
    pub(crate) twice: Option<&'static str>,
    /// Bytes of names and values, without white space between them.
    pub(crate) bytes: usize,
    /// Where another dialect has other names: a path of ours, or its beginning up to a point, and the sender's.
    pub(crate) renamed: Vec<(Cow<'b, str>, Cow<'b, str>)>,
}

/// One entry of the body.
#[derive(Debug)]
pub(crate) enum Entry<'b> {
    /// An object.
    Event(Box<SentEvent<'b>>),
    /// Something else; the rest of the body goes on.
    Broken(Fault),
    /// Nothing that is stored, and why.
    Unstored(&'static str),
}

/// Why nothing of a body can be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ParseError {
    /// Not JSON.
    Syntax {
        /// Bounded code.
        code: &'static str,
        /// What is wrong.
        message: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// More events than the limit.
    TooManyEvents,
}

/// Reads the events of a body.
pub(crate) fn parse(body: &[u8], format: Format, limits: ParseLimits) -> Result<Vec<Entry<'_>>, ParseError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    match format {
        Format::Json => parse_document(body, limits),
        Format::Ndjson => parse_lines(body, limits),
    }
}

fn parse_document(body: &[u8], limits: ParseLimits) -> Result<Vec<Entry<'_>>, ParseError> {
    let text = utf8(body)?;
    let scan = Scan::new(limits);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let entries = DocumentSeed { scan: &scan }
        .deserialize(&mut deserializer)
        .map_err(|error| syntax_error(&scan, text, &error))?;
    deserializer.end().map_err(|error| match syntax_error(&scan, text, &error) {
        ParseError::Syntax { code, message, line, column } => ParseError::Syntax {
            code,
            message: format!(
                "{message} after the first value; several events need an array, or one event a line with Content-Type: \
                 application/x-ndjson"
            ),
            line,
            column,
        },
        ParseError::TooManyEvents => ParseError::TooManyEvents,
    })?;
    Ok(entries)
}

fn parse_lines(body: &[u8], limits: ParseLimits) -> Result<Vec<Entry<'_>>, ParseError> {
    let mut entries = Vec::new();
    let mut first_error = None;
    let mut usable = false;
    for (number, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if entries.len() == limits.events {
            return Err(ParseError::TooManyEvents);
        }
        match parse_line(line, limits) {
            Ok(entry) => {
                usable = true;
                entries.push(entry);
            }
            Err(ParseError::TooManyEvents) => return Err(ParseError::TooManyEvents),
            Err(ParseError::Syntax { code, message, column, .. }) => {
                let line = number + 1;
                let shown = format!("{message} (line {line}, column {column})");
                entries.push(Entry::Broken(Fault::new(code, shown)));
                first_error.get_or_insert(ParseError::Syntax { code, message, line, column });
            }
        }
    }
    match first_error {
        Some(error) if !usable => Err(error),
        None if entries.is_empty() => Err(empty_body()),
        _ => Ok(entries),
    }
}

fn parse_line(line: &[u8], limits: ParseLimits) -> Result<Entry<'_>, ParseError> {
    let text = utf8(line)?;
    let scan = Scan::new(limits);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let entry = EventSeed { scan: &scan }
        .deserialize(&mut deserializer)
        .map_err(|error| syntax_error(&scan, text, &error))?;
    deserializer.end().map_err(|error| syntax_error(&scan, text, &error))?;
    Ok(entry)
}

fn empty_body() -> ParseError {
    ParseError::Syntax {
        code: code::INVALID_JSON,
        message: "the body is empty".to_owned(),
        line: 1,
        column: 1,
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, ParseError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let message = match bytes {
            [0x1f, 0x8b, ..] => "this is gzip: add the header Content-Encoding: gzip",
            _ => "expected UTF-8",
        };
        ParseError::Syntax {
            code: code::INVALID_JSON,
            message: message.to_owned(),
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: before.len() - line_start + 1,
        }
    })
}

fn syntax_error(scan: &Scan, sent: &str, error: &serde_json::Error) -> ParseError {
    if scan.too_many_events.get() {
        return ParseError::TooManyEvents;
    }
    let (line, column) = (error.line().max(1), error.column().max(1));
    if scan.too_deep.get() {
        let message = format!("nested deeper than {} levels", scan.limits.depth);
        return ParseError::Syntax { code: code::TOO_DEEP, message, line, column };
    }
    if error.is_eof() && column == 1 && line == 1 {
        return empty_body();
    }
    // serde_json's own syntax messages name what was expected and never quote the input; ours are constants.
    let text = error.to_string();
    let mut message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
    let hint = hint(sent, line, column, message == "trailing characters");
    message.push_str(hint);
    ParseError::Syntax { code: code::INVALID_JSON, message, line, column }
}

/// What a sender probably did at the place where JSON ends to be JSON.
fn hint(sent: &str, line: usize, column: usize, is_behind_the_end: bool) -> &'static str {
    let Some(line) = sent.lines().nth(line - 1) else { return "" };
    // The column is that of the last byte that was looked at.
    match line.as_bytes().get(column - 1) {
        Some(b'\'') => "; JSON has double quotes, not single ones (in a Windows shell escape them as \\\")",
        Some(b',') if is_behind_the_end => {
            "; several events go into an array, [{…},{…}], or, as application/x-ndjson, one a line without a comma behind it"
        }
        Some(b'}' | b']') if line.as_bytes()[..column - 1].trim_ascii_end().ends_with(b",") => {
            "; remove the comma before it"
        }
        Some(b'N' | b'I' | b'u') => {
            "; NaN, Infinity and undefined are not JSON: send null or leave the field out"
        }
        _ => "",
    }
}
