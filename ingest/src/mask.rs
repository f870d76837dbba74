//! Masks personal data in a person's words: e-mail addresses, IBANs, card and phone numbers.
//!
//! Validate → **mask** → encode. Promise: a text without such data passes unchanged and is not copied. What is masked becomes `[email]`,
//! `[iban]`, `[card]` or `[phone]`. When in doubt the number goes: a lost order number in a comment costs less than a
//! stored telephone number.

mod numbers;

use bumpalo::Bump;
use bumpalo::collections::String as ArenaString;

/// Fewest digits that could be personal data.
const FEWEST_DIGITS: usize = 8;

/// The text with control characters as spaces and personal data masked; the same text when there is neither.
pub(crate) fn clean<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    let text = without_controls(text, arena);
    let (mut digits, mut at) = (0_usize, false);
    for byte in text.bytes() {
        digits += usize::from(byte.is_ascii_digit());
        at |= byte == b'@';
    }
    if digits < FEWEST_DIGITS && !at {
        return text;
    }
    mask(text, arena)
}

fn without_controls<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    let is_control = |byte: u8| (byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t')) || byte == 0x7F;
    if !text.bytes().any(is_control) {
        return text;
    }
    let mut clean = ArenaString::with_capacity_in(text.len(), arena);
    clean.extend(text.chars().map(|char| if char.is_ascii() && is_control(char as u8) { ' ' } else { char }));
    clean.into_bump_str()
}

fn mask<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    let mut masked: Option<ArenaString<'a>> = None;
    let (mut position, mut kept) = (0, 0);
    while position < text.len() {
        match find_at(text, position, kept) {
            Some(found) => {
                let output = masked.get_or_insert_with(|| ArenaString::with_capacity_in(text.len(), arena));
                output.push_str(&text[kept..found.start]);
                output.push_str(found.label);
                (position, kept) = (found.end, found.end);
            }
            None => position = next_position(text, position),
        }
    }
    match masked {
        None => text,
        Some(mut output) => {
            output.push_str(&text[kept..]);
            output.into_bump_str()
        }
    }
}

/// Where personal data stands, and what replaces it.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    start: usize,
    end: usize,
    label: &'static str,
}

fn find_at(text: &str, position: usize, kept: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let starts_word = position == 0 || !text[..position].ends_with(char::is_alphanumeric);
    match bytes[position] {
        b'@' => email(text, position, kept),
        byte if starts_word && byte.is_ascii_alphabetic() => {
            numbers::iban(bytes, position).map(|end| Found { start: position, end, label: "[iban]" })
        }
        byte if starts_word && (byte.is_ascii_digit() || byte == b'+' || byte == b'(') => {
            let found = |label| move |end| Found { start: position, end, label };
            numbers::card(bytes, position)
                .map(found("[card]"))
                .or_else(|| numbers::phone(bytes, position).map(found("[phone]")))
        }
        _ => None,
    }
}

/// The next place where something could start: past the rest of a run of digits, else the next character.
fn next_position(text: &str, position: usize) -> usize {
    let bytes = text.as_bytes();
    let mut next = position + 1;
    if bytes[position].is_ascii_digit() {
        while next < bytes.len() && bytes[next].is_ascii_digit() {
            next += 1;
        }
    }
    while !text.is_char_boundary(next) {
        next += 1;
    }
    next
}

/// The address around the `@` at `position`, not reaching before `kept`.
fn email(text: &str, position: usize, kept: usize) -> Option<Found> {
    let is_local = |char: char| char.is_alphanumeric() || "._%+-'".contains(char);
    let local = text[kept..position].chars().rev().take_while(|char| is_local(*char)).map(char::len_utf8);
    let start = position - local.sum::<usize>();
    let is_domain = |char: char| char.is_alphanumeric() || char == '.' || char == '-';
    let after = &text[position + 1..];
    let domain: usize = after.chars().take_while(|char| is_domain(*char)).map(char::len_utf8).sum();
    let domain = after[..domain].trim_end_matches(['.', '-']);
    let (_, top) = domain.rsplit_once('.')?;
    if start == position || top.chars().count() < 2 || top.chars().all(|char| char.is_ascii_digit()) {
        return None;
    }
    Some(Found { start, end: position + 1 + domain.len(), label: "[email]" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_is_masked_and_the_rest_is_left() {
        let cases = [
            ("write to anna.b+x@shop.example.de please", "write to [email] please"),
            ("jörg@müller.example, thanks", "[email], thanks"),
            ("call +49 176 1234567 or 0176/1234567.", "call [phone] or [phone]."),
            ("call (030) 123456789!", "call [phone]!"),
            ("(555) 123-4567 and 555-123-4567", "[phone] and [phone]"),
            ("my card 4111 1111 1111 1111 was declined", "my card [card] was declined"),
            ("card 4111-1111-1111-1111", "card [card]"),
            ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN [iban]."),
            ("gb82west12345698765432", "[iban]"),
            ("a@b.co c@d.org", "[email] [email]"),
        ];
        let arena = Bump::new();
        for (text, expected) in cases {
            assert_eq!(clean(text, &arena), expected, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_kept_and_not_copied() {
        let arena = Bump::new();
        for text in [
            "ordered on 2026-11-22 at 10:00:00",
            "delivered 01.02.2026",
            "order 123456789012 of 5 items, 12.50 EUR",
            "paid 1234.56 of 9999.99",
            "@home and user@localhost",
            "version 10.20.30.40",
            "über 12345678 Stück",
        ] {
            let kept = clean(text, &arena);
            assert_eq!(kept, text);
            assert!(std::ptr::eq(kept, text), "{text} was copied");
        }
        assert_eq!(clean("a\u{0}b\nc", &arena), "a b\nc");
    }
}
