//! Writes what is written often field after field, without asking for names. A test holds it against the general decoder.

use crate::facts::AnswerView;

/// A number.
#[inline]
pub fn long(value: i64, record: &mut Vec<u8>) {
    let mut rest = (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned();
    while rest >= 0x80 {
        record.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    record.push((rest & 0x7F) as u8);
}

/// Bytes after their length.
#[inline]
pub fn bytes(value: &[u8], record: &mut Vec<u8>) {
    long(value.len().try_into().unwrap_or(i64::MAX), record);
    record.extend_from_slice(value);
}

#[inline]
fn text(value: &str, record: &mut Vec<u8>) {
    bytes(value.as_bytes(), record);
}

#[inline]
fn optional<T>(value: Option<T>, record: &mut Vec<u8>, some: impl FnOnce(T, &mut Vec<u8>)) {
    match value {
        None => record.push(0),
        Some(value) => {
            record.push(2);
            some(value, record);
        }
    }
}

#[inline]
fn flag(value: bool, record: &mut Vec<u8>) {
    record.push(u8::from(value));
}

/// One answer, in the order of `answer_facts.avsc`.
pub fn answer(answer: &AnswerView<'_>, record: &mut Vec<u8>) {
    let number = |value: i32, record: &mut Vec<u8>| long(value.into(), record);
    text(answer.tenant, record);
    text(answer.submission_id, record);
    text(answer.question, record);
    text(answer.source, record);
    text(answer.id, record);
    text(answer.touchpoint, record);
    text(answer.channel, record);
    text(answer.device, record);
    long(answer.time.0, record);
    optional(answer.survey_id, record, text);
    text(answer.metric, record);
    optional(answer.score, record, number);
    optional(answer.scale_min, record, number);
    optional(answer.scale_max, record, number);
    optional(answer.choice, record, text);
    optional(answer.driver, record, text);
    text(answer.respondent, record);
    optional(answer.text, record, text);
    optional(answer.customer_id, record, text);
    flag(answer.is_counted, record);
    if !answer.further.is_empty() {
        long(answer.further.len().try_into().unwrap_or(i64::MAX), record);
        for further in answer.further {
            text(&further.dimension, record);
            text(&further.value, record);
        }
    }
    long(0, record);
    flag(answer.is_deleted, record);
    long(answer.revision, record);
}
