//! The catalogue of the contract's section 3: every event type with its data fields, as one table.
//!
//! Parse → **validate** (by this table) → privacy → encode. What is not in the table is kept as text in the `extra` map; only what the
//! table marks as required can be missing.

use touchstream_schemas::event::Family;

/// Where a data field ends up: the column of the family's Avro record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    AccountType,
    Action,
    AgentId,
    Answered,
    AnswerId,
    By,
    CartId,
    CaseId,
    CheckoutId,
    Choice,
    Code,
    Compensation,
    ContextPassed,
    ConversationId,
    Currency,
    Driver,
    DueAt,
    DurationMs,
    Error,
    ExtraCost,
    Fallback,
    Fatal,
    FrictionKind,
    Initiator,
    Items,
    Kind,
    MessageId,
    Metric,
    Name,
    NoticeStatus,
    OrderId,
    PaymentType,
    Product,
    Public,
    QuestionId,
    QueueS,
    Rating,
    ReaskedField,
    Reason,
    RequestedBy,
    Respondent,
    Result,
    ReviewId,
    ReviewSource,
    ScaleMax,
    ScaleMin,
    Scene,
    Score,
    Sender,
    ShippingTier,
    State,
    Status,
    Step,
    StepIndex,
    StoryId,
    SubjectId,
    SubjectType,
    SubmissionId,
    SurveyId,
    TalkS,
    Text,
    Topic,
    TransactionId,
    Value,
}

/// What a field holds, and its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or id of at most this many bytes.
    Name(usize),
    /// Words of a person, of at most this many bytes; personal data is masked.
    Words(usize),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A 32-bit integer.
    Integer,
    /// A finite number.
    Number,
    /// A length of time, not negative; fractions are rounded.
    Duration,
    /// An amount, exact to four decimals.
    Money,
    /// Three letters.
    Currency,
    /// true or false.
    Boolean,
    /// RFC 3339 with offset, or milliseconds since 1970.
    Time,
}

/// Bytes of names and ids.
pub(crate) const NAME: Kind = Kind::Name(256);
/// Bytes of short texts by people or machines.
pub(crate) const PHRASE: Kind = Kind::Words(1_024);
/// Bytes of free text.
pub(crate) const TEXT: Kind = Kind::Words(8_192);

/// One data field of one event type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) slot: Slot,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// One event type.
#[derive(Debug)]
pub(crate) struct EventType {
    pub(crate) name: &'static str,
    /// Two lists, so that types can share one.
    fields: [&'static [Field]; 2],
}

impl EventType {
    /// All data fields of this type.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.fields[0].iter().chain(self.fields[1])
    }

    /// The data field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }
}

impl Field {
    /// What the field is to hold, in the words of an answer.
    pub(crate) fn expected(&self) -> String {
        let example = match self.slot {
            Slot::Step => "the step's name, such as \"payment\"",
            Slot::SurveyId => "the survey's name, such as \"nps\"",
            Slot::ConversationId => "the conversation's own id, the same in all its events",
            Slot::DurationMs => "milliseconds, such as 350",
            _ => match self.kind {
                Kind::OneOf(words) => return format!("one of {}", words.join(", ")),
                Kind::Name(_) | Kind::Words(_) => "text in quotes",
                Kind::Integer => "an integer, without quotes",
                Kind::Number => "a number, without quotes",
                Kind::Duration => "milliseconds",
                Kind::Money => "an amount such as 12.50 or \"12.50\"",
                Kind::Currency => "an ISO 4217 code such as \"EUR\"",
                Kind::Boolean => "true or false",
                Kind::Time => "a time such as \"2026-11-22T10:00:00Z\"",
            },
        };
        example.to_owned()
    }
}

/// Channels that the contract lists, and what stands for none; others are kept and counted.
pub(crate) const CHANNELS: [&str; 16] = [
    "web", "app", "chat", "bot", "email", "phone", "sms", "whatsapp", "social", "video", "forum", "form",
    "store", "print", "machine", "unknown",
];

const fn must(name: &'static str, slot: Slot, kind: Kind) -> Field {
    Field { name, slot, kind, required: true }
}

const fn may(name: &'static str, slot: Slot, kind: Kind) -> Field {
    Field { name, slot, kind, required: false }
}

const fn event_type(name: &'static str, shared: &'static [Field], own: &'static [Field]) -> EventType {
    EventType { name, fields: [own, shared] }
}

/// The types of a family.
pub(crate) const fn types_of(family: Family) -> &'static [EventType] {
    match family {
        Family::Checkout => CHECKOUT,
        Family::Chat => CHAT,
        Family::Feedback => FEEDBACK,
        Family::App => APP,
    }
}

/// The type of this name.
pub(crate) fn find(name: &str) -> Option<(Family, &'static EventType)> {
    let family = Family::of_type(name)?;
    Some((family, types_of(family).iter().find(|event_type| event_type.name == name)?))
}

/// Ids that hold an attempt together, and the cart as it stands: the latest event with a value counts.
const ATTEMPT: &[Field] = &[
    may("checkout_id", Slot::CheckoutId, NAME),
    may("cart_id", Slot::CartId, NAME),
    may("order_id", Slot::OrderId, NAME),
    may("value", Slot::Value, Kind::Money),
    may("currency", Slot::Currency, Kind::Currency),
    may("items", Slot::Items, Kind::Integer),
];

static CHECKOUT: &[EventType] = &[
    event_type("checkout.started", ATTEMPT, &[]),
    event_type(
        "checkout.step",
        ATTEMPT,
        &[
            must("step", Slot::Step, NAME),
            may("index", Slot::StepIndex, Kind::Integer),
            may("action", Slot::Action, Kind::OneOf(&["viewed", "completed", "failed"])),
            may("error", Slot::Error, PHRASE),
            may("extra_cost", Slot::ExtraCost, Kind::Money),
            may("shipping_tier", Slot::ShippingTier, NAME),
            may("payment_type", Slot::PaymentType, NAME),
            may("account_type", Slot::AccountType, NAME),
        ],
    ),
    event_type("checkout.friction", ATTEMPT, &[must("kind", Slot::FrictionKind, NAME)]),
    event_type("checkout.abandoned", ATTEMPT, &[may("reason", Slot::Reason, PHRASE)]),
    event_type("checkout.completed", ATTEMPT, &[may("transaction_id", Slot::TransactionId, NAME)]),
    event_type("checkout.refunded", ATTEMPT, &[may("transaction_id", Slot::TransactionId, NAME)]),
];

const CONVERSATION: &[Field] = &[must("conversation_id", Slot::ConversationId, NAME)];

static CHAT: &[EventType] = &[
    event_type(
        "chat.started",
        CONVERSATION,
        &[
            may("case_id", Slot::CaseId, NAME),
            may("topic", Slot::Topic, PHRASE),
            may("initiator", Slot::Initiator, Kind::OneOf(&["customer", "agent", "bot"])),
        ],
    ),
    event_type(
        "chat.message",
        CONVERSATION,
        &[
            may("message_id", Slot::MessageId, NAME),
            must("sender", Slot::Sender, Kind::OneOf(&["customer", "agent", "bot", "system"])),
            may("public", Slot::Public, Kind::Boolean),
            may("fallback", Slot::Fallback, Kind::Boolean),
            may("answer_id", Slot::AnswerId, NAME),
            may("reasked_field", Slot::ReaskedField, NAME),
            may("agent_id", Slot::AgentId, NAME),
        ],
    ),
    event_type(
        "chat.handoff",
        CONVERSATION,
        &[
            may("requested_by", Slot::RequestedBy, Kind::OneOf(&["customer", "bot", "agent"])),
            may("context_passed", Slot::ContextPassed, Kind::Boolean),
        ],
    ),
    event_type(
        "chat.status",
        CONVERSATION,
        &[
            must("state", Slot::State, Kind::OneOf(&["solved", "closed", "reopened"])),
            may("by", Slot::By, NAME),
            may("case_id", Slot::CaseId, NAME),
            may("topic", Slot::Topic, PHRASE),
        ],
    ),
    event_type(
        "chat.call",
        CONVERSATION,
        &[
            may("queue_s", Slot::QueueS, Kind::Number),
            may("talk_s", Slot::TalkS, Kind::Number),
            may("answered", Slot::Answered, Kind::Boolean),
        ],
    ),
];

const SURVEY: &[Field] = &[
    must("survey_id", Slot::SurveyId, NAME),
    may("submission_id", Slot::SubmissionId, NAME),
    may("story_id", Slot::StoryId, NAME),
    may("scene", Slot::Scene, Kind::Integer),
];

static FEEDBACK: &[EventType] = &[
    event_type("feedback.shown", SURVEY, &[]),
    event_type("feedback.dismissed", SURVEY, &[]),
    event_type(
        "feedback.answered",
        SURVEY,
        &[
            must("metric", Slot::Metric, Kind::OneOf(&["nps", "csat", "ces", "rating", "choice", "text"])),
            may("score", Slot::Score, Kind::Integer),
            may("scale_min", Slot::ScaleMin, Kind::Integer),
            may("scale_max", Slot::ScaleMax, Kind::Integer),
            may("choice", Slot::Choice, PHRASE),
            may("question_id", Slot::QuestionId, NAME),
            may("driver", Slot::Driver, NAME),
            may("respondent", Slot::Respondent, Kind::OneOf(&["customer", "employee"])),
            may("subject_id", Slot::SubjectId, NAME),
            may("subject_type", Slot::SubjectType, NAME),
            may("text", Slot::Text, TEXT),
        ],
    ),
    event_type(
        "feedback.review",
        &[],
        &[
            must("rating", Slot::Rating, Kind::Number),
            may("source", Slot::ReviewSource, NAME),
            may("product", Slot::Product, NAME),
            may("text", Slot::Text, TEXT),
            may("review_id", Slot::ReviewId, NAME),
        ],
    ),
    event_type(
        "feedback.follow_up",
        &[],
        &[
            must("submission_id", Slot::SubmissionId, NAME),
            must("state", Slot::State, Kind::OneOf(&["contacted", "resolved"])),
        ],
    ),
];

static APP: &[EventType] = &[
    event_type("app.session_started", &[], &[]),
    event_type("app.screen_viewed", &[], &[must("name", Slot::Name, NAME)]),
    event_type(
        "app.response",
        &[],
        &[
            must("name", Slot::Name, NAME),
            must("duration_ms", Slot::DurationMs, Kind::Duration),
            may("status", Slot::Status, Kind::Integer),
        ],
    ),
    event_type(
        "app.task",
        &[],
        &[
            must("name", Slot::Name, NAME),
            must("result", Slot::Result, Kind::OneOf(&["success", "failure", "abandoned"])),
            may("duration_ms", Slot::DurationMs, Kind::Duration),
        ],
    ),
    event_type("app.error", &[], &[must("code", Slot::Code, NAME), may("fatal", Slot::Fatal, Kind::Boolean)]),
    event_type("app.interaction", &[], &[must("name", Slot::Name, NAME), may("action", Slot::Action, NAME)]),
    event_type(
        "app.order",
        &[],
        &[
            must("order_id", Slot::OrderId, NAME),
            must(
                "state",
                Slot::State,
                Kind::OneOf(&["placed", "paid", "shipped", "delayed", "delivered", "returned", "cancelled"]),
            ),
            may("due_at", Slot::DueAt, Kind::Time),
        ],
    ),
    event_type(
        "app.notice",
        &[],
        &[
            may("order_id", Slot::OrderId, NAME),
            must("kind", Slot::Kind, NAME),
            must("status", Slot::NoticeStatus, Kind::OneOf(&["sent", "delivered", "opened"])),
            may("compensation", Slot::Compensation, PHRASE),
        ],
    ),
    event_type("app.change", &[], &[must("name", Slot::Name, NAME)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_name_and_names_no_field_twice() {
        for family in Family::ALL {
            for event_type in types_of(family) {
                assert!(
                    find(event_type.name).is_some_and(|(found, _)| found == family),
                    "{}",
                    event_type.name
                );
                for field in event_type.fields() {
                    let same = event_type.fields().filter(|other| other.name == field.name);
                    assert_eq!(same.count(), 1, "{} {}", event_type.name, field.name);
                    let same = event_type.fields().filter(|other| other.slot == field.slot);
                    assert_eq!(same.count(), 1, "{} {}", event_type.name, field.name);
                }
            }
        }
        assert!(find("checkout.paid").is_none());
        assert!(find("checkout").is_none());
    }
}
