//! Which known name was probably meant by an unknown one.
//!
//! Used by validate for types and fields. Promise: bounded work, and silence rather than a far-fetched guess.

/// Longest name that is compared.
const LONGEST: usize = 48;

/// The nearest of the known names, if it is near: the same but for case and separators, or few typing mistakes away.
pub(crate) fn nearest<'n>(sent: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if sent.len() > LONGEST || !sent.is_ascii() {
        return None;
    }
    let sent = normal(sent);
    // A mistake in four letters, at most three; one in a word of three.
    let limit = (sent.len() / 4).clamp(usize::from(sent.len() >= 3), 3);
    let distances = known.filter_map(|name| {
        let normal = normal(name);
        let near = normal.len().abs_diff(sent.len()) <= limit;
        Some((if near { distance(&sent, &normal) } else { return None }, name))
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

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, left_byte) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, right_byte) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(left_byte != right_byte);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *left_byte == right[column - 1] && left[row - 1] == *right_byte {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
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
