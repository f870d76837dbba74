//! What is wrong with an event, in the words that its sender reads: a bounded code, the field, and what to change.
//!
//! Promise: no text here repeats a value that was sent; it may be personal data.

use std::borrow::Cow;

use serde::Serialize;

/// Codes of rejections and warnings; bounded, because they are labels of metrics too.
pub(crate) mod code {
    macro_rules! codes {
        ($all:ident: $($name:ident = $text:literal),* $(,)?) => {
            $(pub(crate) const $name: &str = $text;)*
            /// All of them.
            pub(crate) const $all: &[&str] = &[$($text),*];
        };
    }
    codes! { REJECTIONS:
        DUPLICATE_FIELD = "duplicate_field",
        EVENT_TOO_LARGE = "event_too_large",
        FAMILY_NOT_ALLOWED = "family_not_allowed",
        INVALID_JSON = "invalid_json",
        INVALID_MONEY = "invalid_money",
        INVALID_TEXT = "invalid_text",
        INVALID_TIME = "invalid_time",
        INVALID_VALUE = "invalid_value",
        MISSING_FIELD = "missing_field",
        NOT_AN_OBJECT = "not_an_object",
        OUT_OF_RANGE = "out_of_range",
        REFUSED_BY_KAFKA = "refused_by_kafka",
        TIME_IN_FUTURE = "time_in_future",
        TIME_TOO_OLD = "time_too_old",
        TOO_DEEP = "too_deep",
        TOO_LONG = "too_long",
        TOO_MANY_FIELDS = "too_many_fields",
        UNKNOWN_TYPE = "unknown_type",
        WRONG_TYPE = "wrong_type",
    }
    codes! { WARNINGS:
        CURRENCY_MISSING = "currency_missing",
        FIELD_IGNORED = "field_ignored",
        ID_MISSING = "id_missing",
        MISSPELT_FIELD = "misspelt_field",
        NOT_STORED = "not_stored",
        RESERVED_VALUE = "reserved_value",
        UNKNOWN_TOUCHPOINT = "unknown_touchpoint",
    }
}

/// Longest field name that an answer repeats.
const SHOWN_FIELD_BYTES: usize = 100;

/// One entry of `rejected` or `warnings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    pub(crate) index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) message: Cow<'static, str>,
}

/// What is wrong with one value; where it stands is added by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
}

impl Fault {
    pub(crate) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Fault {
        Fault { code, message: message.into() }
    }
}

/// Most warnings of one answer.
const MOST_WARNINGS: usize = 2_000;

/// Most problems of one event in an answer, and of all; beyond that each event has its first one. A request of 1 MiB could make an answer
/// of many else.
const MOST_PROBLEMS: (usize, usize) = (50, 2_000);

/// Gathers the problems and warnings of one event.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
    /// Fields that the catalogue does not know, and channels that the contract does not list; both are kept.
    pub(crate) extra_fields: u64,
    pub(crate) unknown_channels: u64,
    /// Touchpoints that are not configured, where some are; kept too.
    pub(crate) unknown_touchpoints: u64,
}

impl Findings {
    /// Notes a problem. The first one of an event, which is what refuses it, is always kept.
    pub(crate) fn reject(&mut self, index: usize, field: &str, fault: Fault) {
        let (of_event, of_all) = MOST_PROBLEMS;
        let is_first = self.problems.last().is_none_or(|last| last.index != index);
        let is_within = || {
            let earlier = self.problems.len().checked_sub(of_event).map(|position| &self.problems[position]);
            self.problems.len() < of_all && earlier.is_none_or(|earlier| earlier.index != index)
        };
        if is_first || is_within() {
            self.problems.push(Problem::new(index, field, fault));
        }
    }

    pub(crate) fn warn(
        &mut self,
        index: usize,
        field: &str,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) {
        // A warning is a hint, and whoever has so many learns nothing from one more.
        if self.warnings.len() < MOST_WARNINGS {
            self.warnings.push(Problem::new(index, field, Fault::new(code, message)));
        }
    }

    /// Whether there is a problem with this field of this event.
    pub(crate) fn names(&self, index: usize, field: &str) -> bool {
        let of_event = self.problems.iter().rev().take_while(|problem| problem.index == index);
        of_event.into_iter().any(|problem| problem.field.as_deref() == Some(field))
    }

    /// Names the fields of one event, whose problems and warnings start here, as its sender does.
    pub(crate) fn rename(
        &mut self,
        (problems, warnings): (usize, usize),
        renamed: &[(Cow<'_, str>, Cow<'_, str>)],
    ) {
        for problem in self.problems[problems..].iter_mut().chain(&mut self.warnings[warnings..]) {
            let Some(field) = &mut problem.field else { continue };
            let matches = |ours: &str| match ours.strip_suffix('.') {
                Some(_) => field.starts_with(ours),
                None => field == ours,
            };
            if let Some((ours, theirs)) = renamed.iter().find(|(ours, _)| matches(ours)) {
                // Their name may be longer than ours.
                *field = shown(&format!("{theirs}{}", &field[ours.len()..]));
            }
        }
    }

    /// Adds the event's id to its problems, which start at `from`.
    pub(crate) fn name_event(&mut self, from: usize, id: Option<&str>) {
        for problem in &mut self.problems[from..] {
            problem.id = id.map(str::to_owned);
        }
    }
}

impl Problem {
    /// A problem with `field` of the event at `index`; an empty field stands for the whole event.
    pub(crate) fn new(index: usize, field: &str, fault: Fault) -> Problem {
        let field = (!field.is_empty()).then(|| shown(field));
        Problem { index, id: None, code: fault.code, field, message: fault.message }
    }
}

/// A field name as an answer repeats it.
fn shown(field: &str) -> String {
    let end = field.floor_char_boundary(SHOWN_FIELD_BYTES);
    if end < field.len() { format!("{}…", &field[..end]) } else { field.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_bounded_and_no_refused_event_is_left_out() {
        let mut findings = Findings::default();
        for index in 0..1_000 {
            for _ in 0..128 {
                findings.reject(index, "data.a", Fault::new(code::WRONG_TYPE, "expected a text"));
                findings.warn(index, "data.b", code::MISSPELT_FIELD, "kept");
            }
        }
        let (of_event, of_all) = MOST_PROBLEMS;
        assert!((of_all..of_all + 1_000).contains(&findings.problems.len()), "{}", findings.problems.len());
        assert_eq!(findings.warnings.len(), MOST_WARNINGS);
        let of = |index| findings.problems.iter().filter(|problem| problem.index == index).count();
        assert_eq!((of(0), of(999)), (of_event, 1));
        assert!((0..1_000).all(|index| of(index) >= 1));
    }
}
