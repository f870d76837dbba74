//! One raw value → a typed one, or a fault that says what was expected.
//!
//! Used by validate for every field. Strings without escapes stay borrowed from the body; others are decoded into the request's
//! arena. Promise: no value is rounded or guessed, except that a duration's fraction of a millisecond is.

use bumpalo::Bump;
use serde_json::value::RawValue;
use touchstream_schemas::money::Money;
use touchstream_schemas::time::EventTime;

use crate::catalogue::Kind;
use crate::mask;
use crate::problem::{Fault, code};

/// A value of one of the catalogue's kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Integer(i64),
    Number(f64),
    Money(Money),
    Boolean(bool),
    Time(EventTime),
}

/// Earliest time that is taken: 2000-01-01.
pub(crate) const EARLIEST: EventTime = EventTime(946_684_800_000);
/// Numbers below this cannot be milliseconds of this century, but may well be seconds.
const LOOKS_LIKE_SECONDS: i64 = 100_000_000_000;
/// Latest time that can be stored: 2200-01-01.
const LATEST: EventTime = EventTime(7_258_118_400_000);

/// Largest amount either way, 10^12 units: a hundredth of what is stored at most, so that sums downstream have room.
const LARGEST_MONEY: Money = Money(10_000_000_000_000_000);

/// Reads a value of the given kind; null and "" are none.
pub(crate) fn read<'a>(kind: Kind, value: &'a RawValue, arena: &'a Bump) -> Result<Option<Value<'a>>, Fault> {
    let text = value.get();
    if text == "null" || text == "\"\"" {
        return Ok(None);
    }
    let read = match kind {
        Kind::Name(limit) => Value::Text(read_name(value, limit, arena)?),
        Kind::Words(limit) => Value::Text(read_words(value, limit, arena)?),
        Kind::OneOf(words) => Value::Text(read_word(value, words, arena)?),
        Kind::Integer => Value::Integer(i64::from(read_integer_32(text)?)),
        Kind::Number => Value::Number(read_number(text)?),
        Kind::Duration => Value::Integer(read_duration(text)?),
        Kind::Money => Value::Money(read_money(value)?),
        Kind::Currency => Value::Text(read_currency(value, arena)?),
        Kind::Boolean => Value::Boolean(read_boolean(text)?),
        Kind::Time => Value::Time(read_time(value)?),
    };
    Ok(Some(read))
}

/// The text of a JSON string.
pub(crate) fn decode_text<'a>(value: &'a RawValue, arena: &'a Bump) -> Result<&'a str, Fault> {
    let text = value.get();
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(Fault::new(code::WRONG_TYPE, "expected text in quotes"));
    };
    if !inner.as_bytes().contains(&b'\\') {
        return Ok(inner);
    }
    let decoded: String = serde_json::from_str(text).map_err(|_| {
        Fault::new(code::INVALID_TEXT, "the text holds an escape that stands for no character")
    })?;
    Ok(arena.alloc_str(&decoded))
}

fn check_length(text: &str, limit: usize) -> Result<(), Fault> {
    if text.len() > limit {
        return Err(Fault::new(code::TOO_LONG, format!("longer than {limit} bytes")));
    }
    Ok(())
}

/// A name or an id: no control characters, which keys and logs could not bear.
pub(crate) fn read_name<'a>(value: &'a RawValue, limit: usize, arena: &'a Bump) -> Result<&'a str, Fault> {
    let text = decode_text(value, arena)?;
    check_length(text, limit)?;
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7F) {
        return Err(Fault::new(code::INVALID_TEXT, "control characters are not possible here"));
    }
    Ok(text)
}

/// A person's words: control characters become spaces, personal data is masked.
fn read_words<'a>(value: &'a RawValue, limit: usize, arena: &'a Bump) -> Result<&'a str, Fault> {
    let text = decode_text(value, arena)?;
    check_length(text, limit)?;
    Ok(mask::clean(text, arena))
}

fn read_word<'a>(
    value: &'a RawValue,
    words: &'static [&'static str],
    arena: &'a Bump,
) -> Result<&'a str, Fault> {
    let text = decode_text(value, arena)?;
    words
        .iter()
        .copied()
        .find(|word| *word == text)
        .ok_or_else(|| Fault::new(code::INVALID_VALUE, format!("expected {}", words.join(", "))))
}

fn read_integer_32(text: &str) -> Result<i32, Fault> {
    i32::try_from(read_integer(text)?)
        .map_err(|_| Fault::new(code::OUT_OF_RANGE, "expected an integer of at most 32 bits"))
}

/// An integer; `9.0`, as some languages write it, is one.
pub(crate) fn read_integer(text: &str) -> Result<i64, Fault> {
    if text.starts_with('"') {
        return Err(Fault::new(code::WRONG_TYPE, "expected an integer without quotes"));
    }
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return Err(Fault::new(code::WRONG_TYPE, "expected an integer, without a fraction")),
        None => text,
    };
    whole.parse().map_err(|_| {
        let is_number = whole.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        let digits = whole.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if is_number && digits {
            Fault::new(code::OUT_OF_RANGE, "expected an integer of at most 64 bits")
        } else {
            Fault::new(code::WRONG_TYPE, "expected an integer")
        }
    })
}

fn read_number(text: &str) -> Result<f64, Fault> {
    let number: f64 = if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
        text.parse().map_err(|_| Fault::new(code::WRONG_TYPE, "expected a number"))?
    } else {
        return Err(Fault::new(code::WRONG_TYPE, "expected a number without quotes"));
    };
    if !number.is_finite() {
        return Err(Fault::new(code::OUT_OF_RANGE, "the number is too large"));
    }
    Ok(number)
}

fn read_duration(text: &str) -> Result<i64, Fault> {
    let number = read_number(text)?.round();
    // A year: longer ones are a mistake of units.
    if !(0.0..=31_536_000_000.0).contains(&number) {
        return Err(Fault::new(code::OUT_OF_RANGE, "expected milliseconds from 0 to one year"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    Ok(number as i64)
}

fn read_money(value: &RawValue) -> Result<Money, Fault> {
    let text = value.get();
    let digits = if text.starts_with('"') { text.trim_matches('"') } else { text };
    let money: Option<Money> = digits.parse().ok();
    money.filter(|money| money.0.abs() <= LARGEST_MONEY.0).ok_or_else(|| {
        Fault::new(
            code::INVALID_MONEY,
            "expected an amount such as 12.50 or \"12.50\": digits, a point, at most four decimals, \
             from -1000000000000 to 1000000000000",
        )
    })
}

fn read_currency<'a>(value: &'a RawValue, arena: &'a Bump) -> Result<&'a str, Fault> {
    let text = decode_text(value, arena)?;
    if text.len() != 3 || !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(Fault::new(code::INVALID_VALUE, "expected an ISO 4217 code such as EUR"));
    }
    if text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(text);
    }
    Ok(arena.alloc_str(&text.to_ascii_uppercase()))
}

/// true or false.
pub(crate) fn read_boolean(text: &str) -> Result<bool, Fault> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Fault::new(code::WRONG_TYPE, "expected true or false, without quotes")),
    }
}

/// What to change about a text that is no time.
fn why_no_time(text: &str) -> &'static str {
    if text.len() >= 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return "milliseconds since 1970 go without quotes; seconds are not taken";
    }
    if text.parse::<jiff::civil::DateTime>().is_ok() {
        return "the offset is missing: add Z for UTC, or the zone's as +01:00";
    }
    "expected RFC 3339 with an offset, such as 2026-11-22T10:00:00.123Z, or milliseconds since 1970 as a number"
}

/// What is wrong with a time before [`EARLIEST`].
pub(crate) fn too_old() -> Fault {
    Fault::new(code::TIME_TOO_OLD, "times before the year 2000 are not taken")
}

/// RFC 3339 with an offset, or milliseconds since 1970.
pub(crate) fn read_time(value: &RawValue) -> Result<EventTime, Fault> {
    let text = value.get();
    let time = if text.starts_with('"') {
        let inner = text.trim_matches('"');
        let timestamp: jiff::Timestamp =
            inner.parse().map_err(|_| Fault::new(code::INVALID_TIME, why_no_time(inner)))?;
        EventTime(timestamp.as_millisecond())
    } else {
        let milliseconds = read_integer(text).map_err(|_| {
            Fault::new(
                code::INVALID_TIME,
                "expected milliseconds since 1970 as an integer (seconds times 1000, rounded), or RFC 3339 in quotes",
            )
        })?;
        if (0..LOOKS_LIKE_SECONDS).contains(&milliseconds) {
            return Err(Fault::new(
                code::INVALID_TIME,
                "this looks like seconds; expected milliseconds since 1970, or RFC 3339 in quotes",
            ));
        }
        EventTime(milliseconds)
    };
    if time < EARLIEST {
        return Err(too_old());
    }
    if time > LATEST {
        return Err(Fault::new(code::TIME_IN_FUTURE, "times after the year 2200 are not taken"));
    }
    Ok(time)
}
