//! Records that hold many of the same: facts that travel together, and segments of changelogs. A record of Kafka costs far more than the
//! few hundred bytes of one fact; here each fact is written once, straight into the record that it travels in.

use serde::de::{Deserialize, Deserializer, Visitor};

use crate::avro::{ANSWER_FACTS, AvroSchema, JOURNEYS};
use crate::codec::SINGLE_OBJECT;
use crate::facts::AnswerView;
use crate::positional::write;

/// The begin of a record in single-object framing.
fn begin(schema: &AvroSchema, record: &mut Vec<u8>) {
    record.clear();
    record.extend_from_slice(&SINGLE_OBJECT);
    record.extend_from_slice(&schema.fingerprint());
}

/// Answers on their way into one record.
#[derive(Debug, Default)]
pub struct AnswerBatch(Vec<u8>);

impl AnswerBatch {
    /// Adds an answer and returns the bytes that the record has by now.
    pub fn add(&mut self, answer: &AnswerView<'_>) -> usize {
        if self.0.is_empty() {
            begin(&ANSWER_FACTS, &mut self.0);
        }
        // A block of one: nobody has to know how many will follow.
        write::long(1, &mut self.0);
        write::answer(answer, &mut self.0);
        self.0.len()
    }

    /// The record, if it holds any answer; a new one begins.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        self.exchange(Vec::new())
    }

    /// The same; the new one uses `buffer`.
    pub fn exchange(&mut self, mut buffer: Vec<u8>) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        write::long(0, &mut self.0);
        buffer.clear();
        Some(std::mem::replace(&mut self.0, buffer))
    }
}

/// A record of a changelog of journeys (`schemas/avro/journeys.avsc`).
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub struct Journeys<'a> {
    /// Version of the states.
    pub format: i32,
    /// The packed states.
    #[serde(borrow)]
    pub states: Bytes<'a>,
}

impl Journeys<'_> {
    /// Replaces the content of `record` with the record as it travels.
    pub fn encode_into(&self, record: &mut Vec<u8>) {
        begin(&JOURNEYS, record);
        write::long(self.format.into(), record);
        write::bytes(self.states.0, record);
    }
}

/// Bytes that lie elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes<'a>, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Bytes<'de>;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("bytes")
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Bytes<'de>, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_bytes(Borrow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Decoder, Encoder, Framing};
    use crate::facts::{AnswerFact, AnswerFacts, FurtherValue};
    use crate::time::EventTime;

    fn answer(number: i64) -> AnswerFact {
        let text = |name: &str| format!("{name}-{number}");
        AnswerFact {
            tenant: text("tenant"),
            submission_id: text("submission"),
            question: text("question"),
            source: text("source"),
            id: text("id"),
            touchpoint: text("touchpoint"),
            channel: text("channel"),
            device: String::new(),
            time: EventTime(1_767_600_000_000 + number),
            survey_id: Some(text("survey")),
            metric: "nps".to_owned(),
            score: Some(-3),
            scale_min: None,
            scale_max: Some(70_000),
            choice: None,
            driver: Some(text("driver")),
            respondent: "customer".to_owned(),
            text: Some("ü".repeat(300)),
            customer_id: None,
            is_counted: number % 2 == 0,
            further: vec![
                FurtherValue { dimension: "variant".to_owned(), value: "B".to_owned() };
                usize::try_from(number).unwrap_or(0)
            ],
            is_deleted: number % 2 == 1,
            revision: (3 << 48) + number,
        }
    }

    /// What is written by position is what the general decoder reads, whichever way a list is cut into blocks.
    #[test]
    fn a_batch_is_a_record_like_any_other() {
        let facts: Vec<AnswerFact> = (0..3).map(answer).collect();
        let mut batch = AnswerBatch::default();
        assert_eq!(batch.take(), None);
        for fact in &facts {
            batch.add(&fact.view());
            assert_eq!(fact.view().to_fact(), *fact);
        }
        let record = batch.take().expect("three were added");
        let decoder = Decoder::new(&[&ANSWER_FACTS]);
        assert_eq!(decoder.decode::<AnswerFacts>(&record).expect("readable").facts, facts);
        let whole = Encoder::new(&ANSWER_FACTS, Framing::SingleObject).encode(&AnswerFacts { facts });
        assert!(whole.expect("it fits").len() <= record.len());
    }

    #[test]
    fn a_segment_is_a_record_like_any_other() {
        let states = [7; 500];
        let mut record = vec![1];
        Journeys { format: 3, states: Bytes(&states) }.encode_into(&mut record);
        let read: Journeys<'_> = Decoder::new(&[&JOURNEYS]).decode(&record).expect("readable");
        assert_eq!((read.format, read.states), (3, Bytes(&states[..])));
    }
}
