//! Panes: what one transaction of the measuring stage changes in one series within one minute, and how far event time has come.

use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::time::EventTime;

/// Metric names as they stand in panes, minutes and windows.
pub mod metric {
    /// Net promoter score.
    pub const NPS: &str = "nps";
    /// Satisfaction; the detail is the scale.
    pub const CSAT: &str = "csat";
    /// Effort; the detail is the scale.
    pub const CES: &str = "ces";
    /// Submissions shown, and answered.
    pub const RESPONSE_RATE: &str = "response_rate";
    /// Responses and tasks of an app; the detail names which.
    pub const APP: &str = "app";
    /// Funnel, reasons and durations of checkout attempts.
    pub const CHECKOUT: &str = "checkout";
    /// Response times; the detail names which.
    pub const RESPONSE_TIMES: &str = "response_times";
    /// Bots, handoffs, containment, reopens.
    pub const SERVICE_QUALITY: &str = "service_quality";
    /// Data quality; the detail names the family.
    pub const QUALITY: &str = "quality";
}

/// Details of [`metric::RESPONSE_TIMES`].
pub mod response {
    /// First customer message to the first public agent message.
    pub const FIRST_RESPONSE_CUSTOMER: &str = "first_response_customer";
    /// The same on the team's clock.
    pub const FIRST_RESPONSE_TEAM: &str = "first_response_team";
    /// Oldest unanswered customer message to the next public agent message.
    pub const REPLY: &str = "reply";
    /// First customer message to solved.
    pub const RESOLUTION: &str = "resolution";
    /// All of them.
    pub const ALL: [&str; 4] = [FIRST_RESPONSE_CUSTOMER, FIRST_RESPONSE_TEAM, REPLY, RESOLUTION];
}

/// Answers by class: for NPS promoters, passives and detractors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct Scores {
    pub answers: i64,
    pub top: i64,
    pub middle: i64,
    pub bottom: i64,
}

/// Count of one log bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct Bucket {
    pub index: i32,
    pub count: i64,
}

/// Attempts with an outcome, at one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct StepCounts<'a> {
    pub step: &'a str,
    pub step_index: Option<i32>,
    pub reached: i64,
    pub dropped: i64,
}

/// Abandonments of one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct ReasonCounts<'a> {
    pub reason: &'a str,
    pub reason_source: &'a str,
    pub currency: &'a str,
    pub attempts: i64,
    pub value: Money,
}

/// Outcomes of checkout attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct CheckoutCounts<'a> {
    #[serde(borrow)]
    pub steps: Vec<StepCounts<'a>>,
    #[serde(borrow)]
    pub reasons: Vec<ReasonCounts<'a>>,
    pub within_3min: i64,
    pub within_15min: i64,
    pub durations: Vec<Bucket>,
}

/// Answered waits of one response metric.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct ResponseCounts {
    pub breached: i64,
    pub durations: Vec<Bucket>,
}

/// What the processor saw of a family's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct QualityCounts {
    pub accepted: i64,
    pub late: i64,
    pub duplicates: i64,
    pub non_human: i64,
    pub repeated_transactions: i64,
    pub without_attempt: i64,
}

/// What became of service conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct ServiceCounts {
    pub conversations: i64,
    pub bot: i64,
    pub contained: i64,
    pub returned: i64,
    pub handoffs: i64,
    pub human_requests: i64,
    pub human_reached: i64,
    pub bot_loops: i64,
    pub reasked: i64,
    pub reopened: i64,
}

/// Responses and tasks of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct AppCounts {
    pub errors: i64,
    pub tasks: i64,
    pub successes: i64,
    pub durations: Vec<Bucket>,
}

/// What is open now: a change in a pane, the state in a minute record of span `now`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct NowCount<'a> {
    pub name: &'a str,
    pub step_index: Option<i32>,
    pub count: i64,
}

/// A change of one series within one minute (`schemas/avro/pane.avsc`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/pane.avsc")]
pub struct Pane<'a> {
    pub tenant: &'a str,
    pub metric: &'a str,
    pub detail: &'a str,
    pub touchpoint: &'a str,
    pub channel: &'a str,
    pub device: &'a str,
    #[serde(default)]
    pub dimension: &'a str,
    #[serde(default)]
    pub dimension_value: &'a str,
    pub minute: Option<EventTime>,
    pub scores: Option<Scores>,
    #[serde(borrow)]
    pub checkout: Option<CheckoutCounts<'a>>,
    pub response: Option<ResponseCounts>,
    pub quality: Option<QualityCounts>,
    pub service: Option<ServiceCounts>,
    pub app: Option<AppCounts>,
    #[serde(borrow)]
    pub now: Vec<NowCount<'a>>,
}

/// How far in event time a raw partition was read (`schemas/avro/watermark.avsc`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark<'a> {
    /// Raw topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// No event before this time is expected any more.
    pub watermark: EventTime,
}
