//! Values of other dialects in the form that the catalogue asks for, and JSON values that are made here.
//!
//! Tag managers send prices and ids as text or numbers as it comes, lists where we count, and floats with the noise of binary
//! fractions. Promise: what has no evident meaning stays as it is, so that validation says what is wrong with it.

use bumpalo::Bump;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::catalogue::Kind;

/// The text, which is valid JSON, as a raw value.
pub(crate) fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).expect("the caller gives valid JSON")
}

/// A text as a JSON string.
pub(crate) fn quoted<'a>(text: &str, arena: &'a Bump) -> &'a RawValue {
    let json = serde_json::to_string(text).expect("a text is always JSON");
    raw(arena.alloc_str(&json))
}

/// The value as it is meant for a field of this kind.
pub(crate) fn coerce<'a>(kind: Kind, value: &'a RawValue, arena: &'a Bump) -> &'a RawValue {
    let text = value.get();
    match (kind, text.as_bytes().first()) {
        (Kind::Name(_) | Kind::Words(_), Some(b'0'..=b'9' | b'-' | b't' | b'f')) => quoted(text, arena),
        (Kind::Integer, Some(b'[')) => raw(arena.alloc_str(&count(text).to_string())),
        (Kind::Integer | Kind::Number | Kind::Duration | Kind::Boolean, Some(b'"')) => unquoted(value, arena),
        (Kind::Money, Some(_)) => money(value, arena),
        _ => value,
    }
}

fn count(array: &str) -> usize {
    serde_json::from_str::<Vec<IgnoredAny>>(array).map_or(0, |entries| entries.len())
}

/// What stands in quotes, if it is a number or a truth value.
fn unquoted<'a>(value: &'a RawValue, arena: &'a Bump) -> &'a RawValue {
    let inner = value.get().trim_matches('"').trim();
    let is_scalar = inner.starts_with(|first: char| first.is_ascii_digit() || "-tf".contains(first));
    match serde_json::from_str::<&RawValue>(arena.alloc_str(inner)) {
        Ok(inner) if is_scalar => inner,
        _ => value,
    }
}

/// Amounts have four decimals at most; a program that adds floats sends seventeen.
fn money<'a>(value: &'a RawValue, arena: &'a Bump) -> &'a RawValue {
    let digits = value.get().trim_matches('"').trim();
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    let is_long = digits.split_once('.').is_some_and(|(_, decimals)| decimals.len() > 4);
    match digits.parse::<f64>() {
        Ok(amount) if is_plain && is_long => quoted(&format!("{amount:.4}"), arena),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::NAME;

    #[test]
    fn what_is_evident_is_put_right_and_the_rest_stays() {
        let arena = Bump::new();
        for (kind, sent, meant) in [
            (NAME, "50314", r#""50314""#),
            (NAME, r#""a""#, r#""a""#),
            (NAME, "[1]", "[1]"),
            (Kind::Integer, r#"[{"a":1},{"b":[2,3]}]"#, "2"),
            (Kind::Integer, r#""7""#, "7"),
            (Kind::Integer, r#""seven""#, r#""seven""#),
            (Kind::Integer, r#""""#, r#""""#),
            (Kind::Boolean, r#""true""#, "true"),
            (Kind::Money, "30.000000000000004", r#""30.0000""#),
            (Kind::Money, r#""12.5""#, r#""12.5""#),
            (Kind::Money, "1e3", "1e3"),
        ] {
            assert_eq!(coerce(kind, raw(sent), &arena).get(), meant, "{sent}");
        }
    }
}
