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
#[expect(missing_docs, reason = "documented in schemas/avro/answer_fact.avsc")]
pub struct FurtherValue {
    pub dimension: String,
    pub value: String,
}

/// That a submission was shown, and whether it was answered (`schemas/avro/answer_state.avsc`). It goes to no topic of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/answer_state.avsc")]
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

/// One answer to a survey question, newest state (`schemas/avro/answer_fact.avsc`).
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
