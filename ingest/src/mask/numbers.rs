//! Numbers that are personal data: IBANs and cards by their check digits, phone numbers by their shape.
//!
//! Each function looks at the place it is given and returns the end of what it recognised.

use super::shadow::is_word;

/// Most separators between two groups of digits.
const MOST_SEPARATORS: usize = 3;

/// The place after separators at `position`, if something of the number follows them.
fn after_separators(
    bytes: &[u8],
    position: usize,
    separators: &[u8],
    follows: fn(&u8) -> bool,
) -> Option<usize> {
    let count = bytes[position..].iter().take_while(|byte| separators.contains(byte)).count();
    let next = position + count;
    ((1..=MOST_SEPARATORS).contains(&count) && bytes.get(next).is_some_and(follows)).then_some(next)
}

/// Countries with the length of their IBANs, as SWIFT's IBAN registry lists them.
const IBANS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 \
    EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 \
    IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 \
    NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 \
    SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

/// An IBAN: two letters, two digits, 11 to 30 letters and digits, separators between groups, remainder 1 modulo 97. With `registered`
/// only of a known country and its length: among machines' ids, every hundredth has the right remainder by chance.
pub(super) fn iban(bytes: &[u8], start: usize, registered: bool) -> Option<usize> {
    let head = bytes.get(start..start + 4)?;
    if !(head[..2].iter().all(u8::is_ascii_alphabetic) && head[2..].iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let mut characters = [0_u8; 34];
    let (mut length, mut position, mut longest) = (0, start, None);
    while position < bytes.len() && length < characters.len() {
        let byte = bytes[position];
        if byte.is_ascii_alphanumeric() {
            characters[length] = byte;
            length += 1;
            position += 1;
            let ends = !bytes.get(position).copied().is_some_and(is_word);
            if ends
                && length >= 15
                && is_iban(&characters[..length])
                && (!registered || is_registered(&characters[..length]))
            {
                longest = Some(position);
            }
        } else if let Some(next) = after_separators(bytes, position, b" -.", u8::is_ascii_alphanumeric) {
            position = next;
        } else {
            break;
        }
    }
    longest
}

fn is_registered(characters: &[u8]) -> bool {
    IBANS.split(' ').any(|entry| {
        let (country, length) = entry.split_at(2);
        characters[..2].eq_ignore_ascii_case(country.as_bytes()) && length.parse() == Ok(characters.len())
    })
}

fn is_iban(characters: &[u8]) -> bool {
    let rotated = characters[4..].iter().chain(&characters[..4]);
    let remainder = rotated.fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    remainder == 1
}

/// A card number: 13 to 19 digits, separators between them, Luhn's check digit.
pub(super) fn card(bytes: &[u8], start: usize) -> Option<usize> {
    if !matches!(bytes[start], b'2'..=b'6') {
        return None;
    }
    let mut digits = [0_u8; 19];
    let (mut count, mut position) = (0, start);
    while position < bytes.len() {
        let byte = bytes[position];
        if byte.is_ascii_digit() {
            *digits.get_mut(count)? = byte - b'0';
            count += 1;
            position += 1;
        } else if let Some(next) = after_separators(bytes, position, b" -./", u8::is_ascii_digit) {
            position = next;
        } else {
            break;
        }
    }
    let separated = bytes[start..position].iter().any(|byte| !byte.is_ascii_digit());
    // Thirteen digits in one run are far more often an article's EAN than one of the few short card numbers.
    let long_enough = if separated { count >= 13 } else { count >= 14 };
    let ends = !bytes.get(position).copied().is_some_and(is_word);
    (long_enough && ends && has_luhn_digit(&digits[..count])).then_some(position)
}

fn has_luhn_digit(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match (index % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit * 2 > 9 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// A phone number: international with `+` or `00`, national with a leading 0, or North American 3-3-4 with separators.
pub(super) fn phone(bytes: &[u8], start: usize) -> Option<usize> {
    let run = Run::read(bytes, start);
    if bytes.get(run.end).copied().is_some_and(is_word) || run.looks_like_date_or_address() {
        return None;
    }
    let first_digits = (run.digits.first().copied(), run.digits.get(1).copied());
    let international = bytes[start] == b'+' || first_digits == (Some(b'0'), Some(b'0'));
    let national = !international && first_digits.0 == Some(b'0');
    let is_phone = match run.count {
        8..=15 if international => true,
        9..=13 if national => true,
        10 => run.groups_are(&[3, 3, 4]),
        _ => false,
    };
    is_phone.then_some(run.end)
}

/// Digits and the separators between them, from one place on.
struct Run {
    /// The first digits.
    digits: [u8; 2],
    count: usize,
    groups: [usize; 8],
    group_count: usize,
    points: usize,
    end: usize,
}

/// Longest stretch that can be a phone number.
const LONGEST_RUN: usize = 28;

impl Run {
    fn read(bytes: &[u8], start: usize) -> Run {
        let mut run = Run { digits: [0; 2], count: 0, groups: [0; 8], group_count: 0, points: 0, end: start };
        let mut in_group = false;
        for (offset, byte) in bytes[start..].iter().take(LONGEST_RUN).enumerate() {
            match byte {
                b'0'..=b'9' => {
                    if !in_group {
                        in_group = true;
                        run.group_count += 1;
                    }
                    if let Some(group) = run.groups.get_mut(run.group_count - 1) {
                        *group += 1;
                    }
                    if let Some(digit) = run.digits.get_mut(run.count) {
                        *digit = *byte;
                    }
                    run.count += 1;
                    run.end = start + offset + 1;
                }
                b'+' if offset == 0 => {}
                b' ' | b'-' | b'/' | b'(' | b')' | b'.' => {
                    run.points += usize::from(*byte == b'.');
                    in_group = false;
                }
                _ => break,
            }
        }
        run
    }

    fn groups_are(&self, lengths: &[usize]) -> bool {
        self.group_count == lengths.len() && self.groups[..lengths.len()] == *lengths
    }

    /// `01.02.2026`, also with a time after it, and dotted version numbers and network addresses.
    fn looks_like_date_or_address(&self) -> bool {
        let [first, second, third, ..] = self.groups;
        let dotted = self.points >= 2;
        dotted && self.group_count >= 3 && first <= 2 && second <= 2 && third == 4
    }
}
