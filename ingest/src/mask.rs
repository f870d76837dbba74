//! Masks personal data in a person's words: e-mail addresses, IBANs, card and phone numbers; cuts web addresses to their path.
//!
//! Validate → **mask** → encode. Promise: a text without such data passes unchanged and is not copied. What is masked becomes `[email]`,
//! `[iban]`, `[card]` or `[phone]`. When in doubt the number goes: a lost order number in a comment costs less than a
//! stored telephone number. Names (of steps, pages, campaigns) keep what only looks like a phone number.

mod address;
mod numbers;
mod shadow;

use bumpalo::Bump;
use bumpalo::collections::String as ArenaString;

use self::shadow::{LETTER, Shadow, is_word};

/// Longest local part and domain that are looked at, in bytes: RFC 5321 allows 64 and 255. Without an end, a text of nothing but signs
/// would be read again from its start at each of them.
const LONGEST_LOCAL: usize = 128;
const LONGEST_DOMAIN: usize = 255;

/// Fewest digits that could be personal data.
const FEWEST_DIGITS: usize = 8;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// Everything, as people write it.
    Words,
    /// Without phone numbers: names and dates of machines look like them.
    Names,
}

/// A person's words with control characters as spaces and personal data masked; the same text when there is neither.
pub(crate) fn clean<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    search(without_controls(text, arena), Search::Words, arena)
}

/// A name, of a step or a page, say, with the personal data masked that does not belong there.
pub(crate) fn clean_name<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    search(text, Search::Names, arena)
}

/// Whether an id holds an e-mail address or an IBAN: it names a person then, not a thing.
pub(crate) fn names_a_person(id: &str) -> bool {
    // Of a thousand random ids some would pass for an IBAN by chance, and an id that changes cannot be found again.
    if !may_hold_data(id) || uuid::Uuid::try_parse(id).is_ok() {
        return false;
    }
    let shadow = Shadow::of(id);
    let found =
        (0..shadow.bytes.len()).filter_map(|position| find_at(&shadow.bytes, position, 0, Search::Names));
    found.into_iter().any(|found| found.label != "[card]")
}

/// A quick look at every byte: most texts hold nothing at all, neither personal data nor the query of an address.
fn may_hold_data(text: &str) -> bool {
    let seen: usize = text.bytes().map(|byte| usize::from(WEIGHTS[usize::from(byte)])).sum();
    seen >= FEWEST_DIGITS
}

/// What a byte adds to the suspicion: a digit one, a sign of addresses enough by itself.
const WEIGHTS: [u8; 256] = {
    let mut weights = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "there are 256 bytes")]
        let value = byte as u8;
        weights[byte] = match value {
            b'@' | b'%' | b'[' | b'(' | b'?' | b'#' | 0xEF => FEWEST_DIGITS as u8,
            // Digits of other scripts have several bytes, each of which is no ASCII.
            b'0'..=b'9' | 0x80.. => 1,
            _ => 0,
        };
        byte += 1;
    }
    weights
};

fn search<'a>(text: &'a str, search: Search, arena: &'a Bump) -> &'a str {
    if may_hold_data(text) { mask(address::cut(text, arena), search, arena) } else { text }
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

fn mask<'a>(text: &'a str, search: Search, arena: &'a Bump) -> &'a str {
    let shadow = Shadow::of(text);
    let bytes = &*shadow.bytes;
    let mut masked: Option<ArenaString<'a>> = None;
    let (mut position, mut kept) = (0, 0);
    while position < bytes.len() {
        match find_at(bytes, position, kept, search) {
            Some(found) => {
                let output = masked.get_or_insert_with(|| ArenaString::with_capacity_in(text.len(), arena));
                output.push_str(&text[shadow.start(kept)..shadow.start(found.start)]);
                output.push_str(found.label);
                (position, kept) = (found.end, found.end);
            }
            None => position = next_position(bytes, position),
        }
    }
    match masked {
        None => text,
        Some(mut output) => {
            output.push_str(&text[shadow.start(kept)..]);
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

fn find_at(bytes: &[u8], position: usize, kept: usize, search: Search) -> Option<Found> {
    let starts_word = position == 0 || !is_word(bytes[position - 1]);
    let found = |label| move |end| Found { start: position, end, label };
    if let Some(length) = at_sign(bytes, position) {
        return email(bytes, position, length, kept);
    }
    match bytes[position] {
        // An IBAN is recognised by its check digits, so it may also follow a letter, as in `IBANDE89…`.
        byte if byte.is_ascii_alphabetic() => {
            let may_begin = bytes.get(position + 2).is_some_and(u8::is_ascii_digit)
                && (starts_word || follows_iban(bytes, position));
            if !may_begin {
                return None;
            }
            numbers::iban(bytes, position, search == Search::Names).map(found("[iban]"))
        }
        byte if starts_word && (byte.is_ascii_digit() || byte == b'+' || byte == b'(') => {
            let card = numbers::card(bytes, position).map(found("[card]"));
            card.or_else(|| {
                let phone = (search == Search::Words).then(|| numbers::phone(bytes, position))?;
                phone.map(found("[phone]"))
            })
        }
        _ => None,
    }
}

fn follows_iban(bytes: &[u8], position: usize) -> bool {
    position >= 4 && bytes[position - 4..position].eq_ignore_ascii_case(b"iban")
}

/// The length of what stands for `@` here: itself, as in addresses of pages, or as people write it for other people.
fn at_sign(bytes: &[u8], position: usize) -> Option<usize> {
    const SPELLINGS: [&[u8]; 7] = [b"%40", b"(at)", b"[at]", b" (at) ", b" [at] ", b" @ ", b"(@)"];
    // Most of these stand for themselves; their neighbour tells.
    match (bytes[position], bytes.get(position + 1)) {
        (b'@', _) => return Some(1),
        (b'%', Some(b'4')) | (b'(' | b'[', Some(b'a' | b'A' | b'@')) | (b' ', Some(b'(' | b'[' | b'@')) => {}
        _ => return None,
    }
    let spelling = SPELLINGS.iter().find(|spelling| {
        bytes.get(position..position + spelling.len()).is_some_and(|text| text.eq_ignore_ascii_case(spelling))
    });
    spelling.map(|spelling| spelling.len())
}

/// The next place where something could start: past the rest of a run of digits, else the next character.
fn next_position(bytes: &[u8], position: usize) -> usize {
    let mut next = position + 1;
    if bytes[position].is_ascii_digit() {
        while next < bytes.len() && bytes[next].is_ascii_digit() {
            next += 1;
        }
    }
    next
}

/// The address around the sign of this length at `position`, not reaching before `kept`.
fn email(bytes: &[u8], position: usize, sign: usize, kept: usize) -> Option<Found> {
    let is_local = |byte: &u8| is_word(*byte) || b"._%+-'".contains(byte);
    let start = position
        - bytes[kept..position].iter().rev().take(LONGEST_LOCAL).take_while(|byte| is_local(byte)).count();
    let after = &bytes[position + sign..];
    let is_domain = |byte: &u8| is_word(*byte) || matches!(byte, b'.' | b'-');
    let mut domain = &after[..after.iter().take(LONGEST_DOMAIN).take_while(|byte| is_domain(byte)).count()];
    while let [rest @ .., b'.' | b'-'] = domain {
        domain = rest;
    }
    let point = domain.iter().rposition(|byte| *byte == b'.')?;
    let top = &domain[point + 1..];
    if start == position || point == 0 || top.len() < 2 || top.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Spaces around the sign are an address only where nothing else is probable.
    let spaced = bytes[position] == b' ';
    if spaced && !top.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == LETTER) {
        return None;
    }
    Some(Found { start, end: position + sign + domain.len(), label: "[email]" })
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
    fn what_is_written_so_that_machines_do_not_see_it_is_masked_too() {
        let cases = [
            // Separators of every kind, also those that nobody sees.
            ("4111.1111.1111.1111", "[card]"),
            ("4111  1111  1111  1111", "[card]"),
            ("4111\u{a0}1111\u{202f}1111\u{2009}1111", "[card]"),
            ("41\u{200b}11 1111\u{ad} 1111 1111", "[card]"),
            ("4111\u{2013}1111\u{2013}1111\u{2013}1111", "[card]"),
            ("card/4111/1111/1111/1111/", "card/[card]/"),
            ("Amex 3782 822463 10005", "Amex [card]"),
            ("DE89-3704-0044-0532-0130-00", "[iban]"),
            ("DE89.3704.0044.0532.0130.00", "[iban]"),
            ("IBAN:DE89370400440532013000", "IBAN:[iban]"),
            ("IBANDE89370400440532013000", "IBAN[iban]"),
            ("de89\u{a0}3704\u{a0}0044 0532 0130 00", "[iban]"),
            ("NL91 ABNA 0417 1643 00 und FR14 2004 1010 0505 0001 3M02 606", "[iban] und [iban]"),
            ("+49 (0) 176 / 123 45 67", "[phone]"),
            ("0176 - 123 45 67", "[phone]"),
            ("tel:+49-176-1234567", "tel:[phone]"),
            ("0049 176 1234567", "[phone]"),
            ("+1 (555) 123-4567", "[phone]"),
            ("\u{ff0b}\u{ff14}\u{ff19} 176 1234567", "[phone]"),
            ("+٤٩ ١٧٦ ١٢٣٤٥٦٧", "[phone]"),
            ("anna\u{ff20}shop.example", "[email]"),
            ("anna%40shop.example", "[email]"),
            ("anna (at) shop.example", "[email]"),
            ("anna[at]shop.example", "[email]"),
            ("anna @ shop.example", "[email]"),
            ("Ärger: jörg.müller@bücher.example!", "Ärger: [email]!"),
            ("o'neil@shop.example", "[email]"),
            ("<anna@shop.example>", "<[email]>"),
            ("https://shop.example/me/anna%40shop.example?x=1", "https://shop.example/me/[email]"),
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
            "3 @ 5.99",
            "meet (at) noon",
            "größer als überall möglich, wirklich schön für späte Gäste",
        ] {
            let kept = clean(text, &arena);
            assert_eq!(kept, text);
            assert!(std::ptr::eq(kept, text), "{text} was copied");
        }
        assert_eq!(clean("a\u{0}b\nc", &arena), "a b\nc");
    }

    #[test]
    fn names_lose_addresses_but_not_numbers_that_look_like_phones() {
        let arena = Bump::new();
        for (name, expected) in [
            ("/orders/anna@shop.example/edit?token=x", "/orders/[email]/edit"),
            ("release-0176-1234567", "release-0176-1234567"),
            ("payment", "payment"),
        ] {
            assert_eq!(clean_name(name, &arena), expected);
        }
        assert!(names_a_person("cart-anna@shop.example") && names_a_person("DE89370400440532013000"));
        assert!(
            !names_a_person("k-9") && !names_a_person("0176 1234567") && !names_a_person("4111111111111111")
        );
        // A text of nothing but signs is looked at once, not once for each of them.
        assert_eq!(clean(&"%40".repeat(300_000), &arena).len(), 900_000);
        // Check digits that are right by chance, in random ids.
        for id in ["01a1fe46-ef70-7123-b329-d9d62544aedc", "f-ef70-7123-b329-d9d62544aedc"] {
            assert!(!names_a_person(id), "{id}");
            assert_eq!(clean_name(id, &arena), id);
        }
    }
}
