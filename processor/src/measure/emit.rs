//! Sends what measuring found: facts, changelog records, panes and watermarks, each encoded once.

use std::fmt;

use touchstream_schemas::avro;
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::facts::{AnswerFact, CheckoutFact, ContactFact, ConversationFact, ShownFact};
use touchstream_schemas::keys;
use touchstream_schemas::panes::Watermark;
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

use super::checkout::CheckoutRules;
use super::conversation::{ConversationPoint, ConversationRules, Finding};
use super::deltas::Deltas;
use super::feedback::{Feedback, FeedbackRules};
use super::journeys::{Journey, Outcome, Rules};
use crate::stage::{InputPartition, Outgoing, Output, StageError};

/// Encoders and the deltas of the transaction at hand.
pub(super) struct Emitter {
    pub(super) deltas: Deltas,
    pane: Encoder,
    watermark: Encoder,
    checkout_fact: Encoder,
    checkout_state: Encoder,
    conversation_fact: Encoder,
    contact_fact: Encoder,
    conversation_state: Encoder,
    answer_fact: Encoder,
    answer_state: Encoder,
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
            checkout_state: encoder(&avro::CHECKOUT_STATE),
            conversation_fact: encoder(&avro::CONVERSATION_FACT),
            contact_fact: encoder(&avro::CONTACT_FACT),
            conversation_state: encoder(&avro::CONVERSATION_STATE),
            answer_fact: encoder(&avro::ANSWER_FACT),
            answer_state: encoder(&avro::ANSWER_STATE),
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

/// What a family sends: its facts under their keys, its journeys to its changelog.
pub(super) trait FamilyOutput: Rules {
    fn fact_key(fact: &Self::Fact) -> String;
    /// Where the fact goes; `None` when nobody reads it.
    fn fact_topic(topics: &Topics, fact: &Self::Fact) -> Option<String>;
    /// Encoders of facts and of states.
    fn encode_fact(emitter: &mut Emitter, fact: &Self::Fact) -> Result<(), StageError>;
    fn encode_state(
        emitter: &mut Emitter,
        journey: &Journey<Self::Point, Self::Fact>,
    ) -> Result<(), StageError>;
}

impl FamilyOutput for CheckoutRules {
    fn fact_key(fact: &CheckoutFact) -> String {
        keys::join(&[&fact.tenant, &fact.attempt_id])
    }
    fn fact_topic(topics: &Topics, _fact: &CheckoutFact) -> Option<String> {
        Some(topics.checkouts())
    }
    fn encode_fact(emitter: &mut Emitter, fact: &CheckoutFact) -> Result<(), StageError> {
        Ok(emitter.checkout_fact.encode_into(fact, &mut emitter.buffer)?)
    }
    fn encode_state(
        emitter: &mut Emitter,
        journey: &Journey<Self::Point, CheckoutFact>,
    ) -> Result<(), StageError> {
        Ok(emitter.checkout_state.encode_into(journey, &mut emitter.buffer)?)
    }
}

/// The changelog keeps cycles and contacts apart.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct ConversationState<Points, Cycle, Contact> {
    points: Points,
    facts: Vec<Cycle>,
    contacts: Vec<Contact>,
    revision: i64,
}

impl ConversationState<Vec<ConversationPoint>, ConversationFact, ContactFact> {
    pub(super) fn into_journey(self) -> Journey<ConversationPoint, Finding> {
        let cycles = self.facts.into_iter().map(Finding::Cycle);
        let facts = cycles.chain(self.contacts.into_iter().map(Finding::Contact)).collect();
        Journey { points: self.points, facts, revision: self.revision }
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
    fn encode_fact(emitter: &mut Emitter, fact: &Finding) -> Result<(), StageError> {
        match fact {
            Finding::Cycle(fact) => emitter.conversation_fact.encode_into(fact, &mut emitter.buffer)?,
            Finding::Contact(fact) => emitter.contact_fact.encode_into(fact, &mut emitter.buffer)?,
        }
        Ok(())
    }
    fn encode_state(
        emitter: &mut Emitter,
        journey: &Journey<ConversationPoint, Finding>,
    ) -> Result<(), StageError> {
        let mut state = ConversationState {
            points: &journey.points,
            facts: Vec::new(),
            contacts: Vec::new(),
            revision: journey.revision,
        };
        for fact in &journey.facts {
            match fact {
                Finding::Cycle(fact) => state.facts.push(fact),
                Finding::Contact(fact) => state.contacts.push(fact),
            }
        }
        Ok(emitter.conversation_state.encode_into(&state, &mut emitter.buffer)?)
    }
}

/// The event of a submission is its fact, so its state holds the facts alone, answers and showings apart.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct AnswerState<Answer, Shown> {
    facts: Vec<Answer>,
    #[serde(default = "Vec::new")]
    shown: Vec<Shown>,
    revision: i64,
}

impl AnswerState<AnswerFact, ShownFact> {
    pub(super) fn into_journey(self) -> Journey<Feedback, Feedback> {
        let answers = self.facts.into_iter().map(Feedback::Answer);
        let mut facts: Vec<Feedback> = answers.chain(self.shown.into_iter().map(Feedback::Shown)).collect();
        facts.sort_by(|one, other| FeedbackRules::position(one).cmp(&FeedbackRules::position(other)));
        Journey { points: facts.clone(), facts, revision: self.revision }
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
    fn encode_fact(emitter: &mut Emitter, fact: &Feedback) -> Result<(), StageError> {
        if let Feedback::Answer(answer) = fact {
            emitter.answer_fact.encode_into(answer, &mut emitter.buffer)?;
        }
        Ok(())
    }
    fn encode_state(emitter: &mut Emitter, journey: &Journey<Feedback, Feedback>) -> Result<(), StageError> {
        let mut state = AnswerState { facts: Vec::new(), shown: Vec::new(), revision: journey.revision };
        for fact in &journey.facts {
            match fact {
                Feedback::Answer(answer) => state.facts.push(answer),
                Feedback::Shown(shown) => state.shown.push(shown),
            }
        }
        Ok(emitter.answer_state.encode_into(&state, &mut emitter.buffer)?)
    }
}

/// Sends the outcome of one partition's journeys.
pub(super) struct Sending<'a> {
    pub(super) emitter: &'a mut Emitter,
    pub(super) output: &'a mut dyn Output,
    pub(super) changelog: String,
    pub(super) partition: i32,
}

impl<R: FamilyOutput> Outcome<R> for Sending<'_> {
    type Error = StageError;

    fn fact(&mut self, fact: &R::Fact) -> Result<(), StageError> {
        let Some(topic) = R::fact_topic(&self.emitter.topics, fact) else { return Ok(()) };
        R::encode_fact(self.emitter, fact)?;
        let key = R::fact_key(fact);
        let value = Some(self.emitter.buffer.as_slice());
        self.output.send(Outgoing { topic: &topic, partition: None, key: key.as_bytes(), value })
    }

    fn state(&mut self, key: &str, journey: Option<&Journey<R::Point, R::Fact>>) -> Result<(), StageError> {
        if let Some(journey) = journey {
            R::encode_state(self.emitter, journey)?;
        }
        let value = journey.map(|_| self.emitter.buffer.as_slice());
        let (topic, partition) = (self.changelog.as_str(), Some(self.partition));
        self.output.send(Outgoing { topic, partition, key: key.as_bytes(), value })
    }
}
