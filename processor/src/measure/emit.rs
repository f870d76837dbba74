//! Sends what measuring found: facts, segments of the changelog, panes and watermarks, each encoded once.

use std::fmt;

use touchstream_schemas::avro;
use touchstream_schemas::batch::AnswerBatch;
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::facts::{AnswerView, CheckoutFact};
use touchstream_schemas::keys;
use touchstream_schemas::panes::Watermark;
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

use super::checkout::CheckoutRules;
use super::conversation::{ConversationRules, Finding};
use super::deltas::Deltas;
use super::feedback::{Feedback, FeedbackRules};
use super::journeys::{Outcome, Rules, SegmentRecord};
use crate::stage::{InputPartition, Outgoing, Output, StageError};

/// Encoders and the deltas of the transaction at hand.
pub(super) struct Emitter {
    pub(super) deltas: Deltas,
    pane: Encoder,
    watermark: Encoder,
    checkout_fact: Encoder,
    conversation_fact: Encoder,
    contact_fact: Encoder,
    buffer: Vec<u8>,
    topics: Topics,
    pane_partitions: i32,
}

impl fmt::Debug for Emitter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Emitter").finish_non_exhaustive()
    }
}

impl Emitter {
    pub(super) fn new(topics: Topics, pane_partitions: i32) -> Emitter {
        let encoder = |schema| Encoder::new(schema, Framing::SingleObject);
        Emitter {
            deltas: Deltas::default(),
            pane: encoder(&avro::PANE),
            watermark: encoder(&avro::WATERMARK),
            checkout_fact: encoder(&avro::CHECKOUT_FACT),
            conversation_fact: encoder(&avro::CONVERSATION_FACT),
            contact_fact: encoder(&avro::CONTACT_FACT),
            buffer: Vec::new(),
            topics,
            pane_partitions,
        }
    }

    /// Sends the gathered deltas.
    pub(super) fn send_panes(&mut self, output: &mut dyn Output) -> Result<(), StageError> {
        let topic = self.topics.panes();
        let (encoder, buffer) = (&mut self.pane, &mut self.buffer);
        self.deltas.drain(|series, pane| {
            encoder.encode_into(pane, buffer)?;
            let key = series.partition_key();
            output.send(Outgoing { topic: &topic, partition: None, key: key.as_bytes(), value: Some(buffer) })
        })
    }

    /// Tells every partition of the panes how far a raw partition was read.
    pub(super) fn send_watermark(
        &mut self,
        partition: &InputPartition,
        watermark: EventTime,
        output: &mut dyn Output,
    ) -> Result<(), StageError> {
        let value = Watermark { topic: &partition.topic, partition: partition.partition, watermark };
        self.watermark.encode_into(&value, &mut self.buffer)?;
        let (topic, key) = (self.topics.panes(), partition.to_string());
        for pane_partition in 0..self.pane_partitions {
            let value = Some(self.buffer.as_slice());
            output.send(Outgoing {
                topic: &topic,
                partition: Some(pane_partition),
                key: key.as_bytes(),
                value,
            })?;
        }
        Ok(())
    }
}

/// Answers of one raw partition on their way: many share a record, as each is small and there are as many as events.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    batch: AnswerBatch,
    full: Vec<Vec<u8>>,
    spare: Vec<Vec<u8>>,
}

/// A record of answers ends when it has grown beyond this.
const ANSWERS_BYTES: usize = 64 << 10;
/// Buffers that are kept for later records.
const SPARE_BUFFERS: usize = 64;

impl Answers {
    /// Adds one.
    pub(super) fn add(&mut self, answer: &AnswerView<'_>) {
        if self.batch.add(answer) >= ANSWERS_BYTES {
            self.end();
        }
    }

    fn end(&mut self) {
        let buffer = self.spare.pop().unwrap_or_default();
        self.full.extend(self.batch.exchange(buffer));
    }

    /// Sends all of them.
    pub(super) fn send_all(
        &mut self,
        topics: &Topics,
        partition: i32,
        output: &mut dyn Output,
    ) -> Result<(), StageError> {
        self.end();
        self.send_full(topics, partition, output)
    }

    /// Sends full records, those of each raw partition to the partition of the same number: readers go by revision, not by order.
    pub(super) fn send_full(
        &mut self,
        topics: &Topics,
        partition: i32,
        output: &mut dyn Output,
    ) -> Result<(), StageError> {
        if self.full.is_empty() {
            return Ok(());
        }
        let topic = topics.answers();
        for record in self.full.drain(..) {
            let (partition, value) = (Some(partition), Some(record.as_slice()));
            output.send(Outgoing { topic: &topic, partition, key: b"", value })?;
            if self.spare.len() < SPARE_BUFFERS {
                self.spare.push(record);
            }
        }
        Ok(())
    }
}

/// What a family sends: its facts under their keys.
pub(crate) trait FamilyOutput: Rules {
    /// Key of a fact.
    fn fact_key(fact: &Self::Fact) -> String;
    /// Where the fact goes; `None` when nobody reads it.
    fn fact_topic(topics: &Topics, fact: &Self::Fact) -> Option<String>;
    /// Sends a fact, or lets it travel with others.
    fn send(sending: &mut Sending<'_>, fact: &Self::Fact) -> Result<(), StageError>;
}

impl FamilyOutput for CheckoutRules {
    fn fact_key(fact: &CheckoutFact) -> String {
        keys::join(&[&fact.tenant, &fact.attempt_id])
    }
    fn fact_topic(topics: &Topics, _fact: &CheckoutFact) -> Option<String> {
        Some(topics.checkouts())
    }
    fn send(sending: &mut Sending<'_>, fact: &CheckoutFact) -> Result<(), StageError> {
        sending.emitter.checkout_fact.encode_into(fact, &mut sending.emitter.buffer)?;
        sending.send::<Self>(fact)
    }
}

impl FamilyOutput for ConversationRules {
    fn fact_key(fact: &Finding) -> String {
        match fact {
            Finding::Cycle(fact) => {
                let cycle = fact.cycle.to_string();
                keys::join(&[&fact.tenant, &fact.conversation_id, &cycle, &fact.cycle_id])
            }
            Finding::Contact(fact) => {
                keys::join(&[&fact.tenant, fact.customer_id.as_deref().unwrap_or_default()])
            }
        }
    }
    fn fact_topic(topics: &Topics, fact: &Finding) -> Option<String> {
        match fact {
            Finding::Cycle(_) => Some(topics.conversations()),
            // Nobody can tell whether an unknown customer came back.
            Finding::Contact(fact) => fact.customer_id.is_some().then(|| topics.contacts()),
        }
    }
    fn send(sending: &mut Sending<'_>, fact: &Finding) -> Result<(), StageError> {
        let Emitter { conversation_fact, contact_fact, buffer, .. } = &mut *sending.emitter;
        match fact {
            Finding::Cycle(fact) => conversation_fact.encode_into(fact, buffer)?,
            Finding::Contact(fact) => contact_fact.encode_into(fact, buffer)?,
        }
        sending.send::<Self>(fact)
    }
}

impl FamilyOutput for FeedbackRules {
    fn fact_key(fact: &Feedback) -> String {
        match fact {
            Feedback::Answer(fact) => {
                let time = fact.time.0.to_string();
                keys::join(&[&fact.tenant, &fact.submission_id, &fact.question, &fact.id, &time])
            }
            Feedback::Shown(fact) => keys::join(&[&fact.tenant, &fact.id]),
        }
    }
    fn fact_topic(topics: &Topics, fact: &Feedback) -> Option<String> {
        matches!(fact, Feedback::Answer(_)).then(|| topics.answers())
    }
    fn send(sending: &mut Sending<'_>, fact: &Feedback) -> Result<(), StageError> {
        if let Feedback::Answer(answer) = fact {
            sending.answers.add(&answer.view());
        }
        Ok(())
    }
}

/// Sends the outcome of one partition's journeys.
pub(crate) struct Sending<'a> {
    pub(super) emitter: &'a mut Emitter,
    pub(super) answers: &'a mut Answers,
    pub(super) output: &'a mut dyn Output,
    pub(super) changelog: String,
    pub(super) partition: i32,
}

impl Sending<'_> {
    /// Sends a fact that was encoded.
    fn send<R: FamilyOutput>(&mut self, fact: &R::Fact) -> Result<(), StageError> {
        let Some(topic) = R::fact_topic(&self.emitter.topics, fact) else { return Ok(()) };
        let (key, value) = (R::fact_key(fact), Some(self.emitter.buffer.as_slice()));
        self.output.send(Outgoing { topic: &topic, partition: None, key: key.as_bytes(), value })
    }
}

impl<R: FamilyOutput> Outcome<R> for Sending<'_> {
    type Error = StageError;

    fn fact(&mut self, fact: &R::Fact) -> Result<(), StageError> {
        R::send(self, fact)
    }

    fn segment(&mut self, (number, value): SegmentRecord<'_>) -> Result<(), StageError> {
        let (topic, partition, key) = (self.changelog.as_str(), Some(self.partition), number.to_string());
        self.output.send(Outgoing { topic, partition, key: key.as_bytes(), value })
    }
}
