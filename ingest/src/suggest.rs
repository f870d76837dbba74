//! Which known name was probably meant by an unknown one.
//!
//! Used by validate for types and fields. Promise: bounded work, and silence rather than a far-fetched guess.

/// Longest name that is compared.
const LONGEST: usize = 48;

/// The nearest of the known names, if it is near: the same but for case and separators, or few typing mistakes away.
///
/// Every unknown field of every event comes this way, so nothing is allocated, and what cannot be near is seen from its letters.
pub(crate) fn nearest<'n>(sent: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if sent.len() > LONGEST || !sent.is_ascii() {
        return None;
    }
    let sent = Normal::of(sent);
    // A mistake in four letters, at most three; one in a word of three.
    let limit = (sent.length / 4).clamp(usize::from(sent.length >= 3), 3);
    let distances = known.filter_map(|name| {
        let normal = Normal::of(name);
        // A mistake changes the length by one at most, and two entries of the set: a letter goes, another comes.
        let is_far = normal.length.abs_diff(sent.length) > limit
            || (normal.letters ^ sent.letters).count_ones() as usize > 2 * limit;
        (!is_far).then(|| (distance(sent.bytes(), normal.bytes()), name))
    });
    distances
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Letters and digits in lower case: `customerId` is `customer_id`.
pub(crate) fn normal(name: &str) -> Vec<u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect()
}

/// A name's letters and digits in lower case, cut to what is compared.
struct Normal {
    text: [u8; LONGEST],
    length: usize,
    /// Which letters and digits it has, a bit each.
    letters: u64,
}

impl Normal {
    fn of(name: &str) -> Normal {
        let mut normal = Normal { text: [0; LONGEST], length: 0, letters: 0 };
        for byte in name.bytes().filter(u8::is_ascii_alphanumeric).take(LONGEST) {
            let byte = byte.to_ascii_lowercase();
            normal.text[normal.length] = byte;
            normal.length += 1;
            // Digits and lower case letters differ in their last six bits.
            normal.letters |= 1 << (byte & 63);
        }
        normal
    }

    fn bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut before_last = [0_usize; LONGEST + 1];
    let mut last: [usize; LONGEST + 1] = std::array::from_fn(|column| column);
    for (row, left_byte) in left.iter().enumerate() {
        let mut current = [0_usize; LONGEST + 1];
        current[0] = row + 1;
        for (column, right_byte) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(left_byte != right_byte);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *left_byte == right[column - 1] && left[row - 1] == *right_byte {
                best = best.min(before_last[column - 1] + 1);
            }
            current[column + 1] = best;
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known =
            ["feedback.answered", "feedback.shown", "survey_id", "score", "scene", "customer_id", "step"];
        for (sent, meant) in [
            ("feedback.answer", Some("feedback.answered")),
            ("Feedback.Answered", Some("feedback.answered")),
            ("surveyId", Some("survey_id")),
            ("socre", Some("score")),
            ("scor", Some("score")),
            ("customerID", Some("customer_id")),
            ("color", None),
            ("state", None),
            ("nam", None),
            ("scen", Some("scene")),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(sent, known.into_iter()), meant, "{sent}");
        }
    }
}
