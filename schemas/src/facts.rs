//! Facts: the newest state of a checkout attempt, a conversation cycle, an answer. Each is an upsert under its key.

use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::time::EventTime;

/// A step that an attempt reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachedStep {
    /// Name of the step.
    pub step: String,
    /// Position in the order of steps; `None` when it has none.
    pub step_index: Option<i32>,
}

/// One checkout attempt, newest state (`schemas/avro/checkout_fact.avsc`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "every field's doc stands in its .avsc, which a test compares with this struct"
)]
pub struct CheckoutFact {
    pub tenant: String,
    pub attempt_id: String,
    pub touchpoint: String,
    pub channel: String,
    pub device: String,
    pub state: String,
    pub started_at: EventTime,
    pub ended_at: Option<EventTime>,
    pub last_event_at: EventTime,
    pub customer_id: Option<String>,
    pub anonymous_id: Option<String>,
    pub session_id: Option<String>,
    pub checkout_id: Option<String>,
    pub cart_id: Option<String>,
    pub order_id: Option<String>,
    pub transaction_id: Option<String>,
    pub furthest_step: String,
    pub furthest_step_index: i32,
    pub reached: Vec<ReachedStep>,
    pub reason: Option<String>,
    pub reason_source: Option<String>,
    pub value: Option<Money>,
    pub currency: Option<String>,
    pub items: Option<i32>,
    pub duration_ms: Option<i64>,
    #[serde(default)]
    pub further: Vec<FurtherValue>,
    pub is_deleted: bool,
    pub revision: i64,
}

/// A reply to a waiting customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Time of the agent's message.
    pub at: EventTime,
    /// Milliseconds that the customer had waited.
    pub waited_ms: i64,
}

/// One cycle of a conversation, newest state (`schemas/avro/conversation_fact.avsc`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "every field's doc stands in its .avsc, which a test compares with this struct"
)]
pub struct ConversationFact {
    pub tenant: String,
    pub conversation_id: String,
    pub cycle: i32,
    pub touchpoint: String,
    pub channel: String,
    pub device: String,
    pub state: String,
    pub started_at: EventTime,
    pub ended_at: Option<EventTime>,
    pub last_event_at: EventTime,
    pub initiator: String,
    pub customer_id: Option<String>,
    pub session_id: Option<String>,
    pub case_id: Option<String>,
    pub topic: Option<String>,
    pub first_customer_at: Option<EventTime>,
    pub first_response_at: Option<EventTime>,
    pub first_response_customer_ms: Option<i64>,
    pub first_response_team_ms: Option<i64>,
    pub breached_at: Option<EventTime>,
    pub replies: Vec<Reply>,
    pub waiting_since: Option<EventTime>,
    pub resolution_ms: Option<i64>,
    pub handoffs: i32,
    #[serde(default)]
    pub cycle_id: String,
    #[serde(default)]
    pub further: Vec<FurtherValue>,
    pub is_deleted: bool,
    pub revision: i64,
}

/// A handoff from a bot to people, or among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/contact_fact.avsc")]
pub struct ContactHandoff {
    pub at: EventTime,
    pub is_requested: bool,
    pub decided_at: Option<EventTime>,
    pub is_reached: bool,
}

/// A contact: a stretch of one conversation without 7 days of silence (`schemas/avro/contact_fact.avsc`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "every field's doc stands in its .avsc, which a test compares with this struct"
)]
pub struct ContactFact {
    pub tenant: String,
    pub conversation_id: String,
    pub customer_id: Option<String>,
    pub touchpoint: String,
    pub channel: String,
    pub device: String,
    pub started_at: EventTime,
    pub last_event_at: EventTime,
    pub outcome_at: Option<EventTime>,
    pub is_bot: bool,
    pub is_contained: bool,
    pub handoffs: Vec<ContactHandoff>,
    pub bot_loops: Vec<EventTime>,
    pub reasked_at: Option<EventTime>,
    pub reopened: Vec<EventTime>,
    #[serde(default)]
    pub further: Vec<FurtherValue>,
    pub is_deleted: bool,
    pub revision: i64,
}

/// A further dimension and the value that an event has in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/answer_facts.avsc")]
pub struct FurtherValue {
    pub dimension: String,
    pub value: String,
}

/// That a submission was shown, and whether it was answered. It goes to no topic of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as those of an answer")]
pub struct ShownFact {
    pub tenant: String,
    pub id: String,
    pub time: EventTime,
    pub touchpoint: String,
    pub channel: String,
    pub device: String,
    pub further: Vec<FurtherValue>,
    pub is_counted: bool,
    pub is_answered: bool,
    pub revision: i64,
}

/// One answer to a survey question, newest state (`schemas/avro/answer_facts.avsc`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "every field's doc stands in its .avsc, which a test compares with this struct"
)]
pub struct AnswerFact {
    pub tenant: String,
    pub submission_id: String,
    pub question: String,
    pub source: String,
    pub id: String,
    pub touchpoint: String,
    pub channel: String,
    pub device: String,
    pub time: EventTime,
    pub survey_id: Option<String>,
    pub metric: String,
    pub score: Option<i32>,
    pub scale_min: Option<i32>,
    pub scale_max: Option<i32>,
    pub choice: Option<String>,
    pub driver: Option<String>,
    pub respondent: String,
    pub text: Option<String>,
    pub customer_id: Option<String>,
    pub is_counted: bool,
    #[serde(default)]
    pub further: Vec<FurtherValue>,
    pub is_deleted: bool,
    pub revision: i64,
}

/// Answers that changed together: a record of the answers' topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerFacts {
    /// Newest states.
    pub facts: Vec<AnswerFact>,
}

/// An [`AnswerFact`] whose texts lie elsewhere: field by field the same.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/answer_facts.avsc")]
pub struct AnswerView<'a> {
    pub tenant: &'a str,
    pub submission_id: &'a str,
    pub question: &'a str,
    pub source: &'a str,
    pub id: &'a str,
    pub touchpoint: &'a str,
    pub channel: &'a str,
    pub device: &'a str,
    pub time: EventTime,
    pub survey_id: Option<&'a str>,
    pub metric: &'a str,
    pub score: Option<i32>,
    pub scale_min: Option<i32>,
    pub scale_max: Option<i32>,
    pub choice: Option<&'a str>,
    pub driver: Option<&'a str>,
    pub respondent: &'a str,
    pub text: Option<&'a str>,
    pub customer_id: Option<&'a str>,
    pub is_counted: bool,
    pub further: &'a [FurtherValue],
    pub is_deleted: bool,
    pub revision: i64,
}

impl AnswerFact {
    /// The same, borrowed.
    #[must_use]
    pub fn view(&self) -> AnswerView<'_> {
        AnswerView {
            tenant: &self.tenant,
            submission_id: &self.submission_id,
            question: &self.question,
            source: &self.source,
            id: &self.id,
            touchpoint: &self.touchpoint,
            channel: &self.channel,
            device: &self.device,
            time: self.time,
            survey_id: self.survey_id.as_deref(),
            metric: &self.metric,
            score: self.score,
            scale_min: self.scale_min,
            scale_max: self.scale_max,
            choice: self.choice.as_deref(),
            driver: self.driver.as_deref(),
            respondent: &self.respondent,
            text: self.text.as_deref(),
            customer_id: self.customer_id.as_deref(),
            is_counted: self.is_counted,
            further: &self.further,
            is_deleted: self.is_deleted,
            revision: self.revision,
        }
    }
}

impl AnswerView<'_> {
    /// The same, with texts of its own.
    #[must_use]
    pub fn to_fact(&self) -> AnswerFact {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        AnswerFact {
            tenant: self.tenant.to_owned(),
            submission_id: self.submission_id.to_owned(),
            question: self.question.to_owned(),
            source: self.source.to_owned(),
            id: self.id.to_owned(),
            touchpoint: self.touchpoint.to_owned(),
            channel: self.channel.to_owned(),
            device: self.device.to_owned(),
            time: self.time,
            survey_id: owned(self.survey_id),
            metric: self.metric.to_owned(),
            score: self.score,
            scale_min: self.scale_min,
            scale_max: self.scale_max,
            choice: owned(self.choice),
            driver: owned(self.driver),
            respondent: self.respondent.to_owned(),
            text: owned(self.text),
            customer_id: owned(self.customer_id),
            is_counted: self.is_counted,
            further: self.further.to_vec(),
            is_deleted: self.is_deleted,
            revision: self.revision,
        }
    }
}
