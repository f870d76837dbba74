//! What a conversation needs of an event, and what the event means for the cycle it falls into.

use serde::{Deserialize, Serialize};
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::event::ChatEvent;
use touchstream_schemas::facts::FurtherValue;
use touchstream_schemas::time::EventTime;

use crate::measure::further::FurtherContext as _;

/// What a conversation needs of an event (`ConversationPoint` in `schemas/avro/conversation_state.avsc`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/conversation_state.avsc")]
pub struct ConversationPoint {
    pub time: EventTime,
    pub id: String,
    pub kind: String,
    pub message_id: Option<String>,
    pub actor: Option<String>,
    pub public: bool,
    pub fallback: bool,
    pub state: Option<String>,
    pub case_id: Option<String>,
    pub topic: Option<String>,
    pub touchpoint: String,
    pub channel: String,
    pub device: String,
    pub customer_id: Option<String>,
    pub session_id: Option<String>,
    pub answer_id: Option<String>,
    pub is_reasked: bool,
    #[serde(default)]
    pub further: Vec<FurtherValue>,
}

/// What an event means for the cycle it falls into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Started,
    CustomerMessage,
    PublicAgentMessage,
    PublicBotAnswer,
    OtherMessage,
    Handoff,
    Solved,
    Closed,
    Reopened,
    Other,
}

impl ConversationPoint {
    /// The event's part in a conversation.
    #[must_use]
    pub fn of(event: &ChatEvent<'_>, touchpoints: &Touchpoints) -> ConversationPoint {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        ConversationPoint {
            time: event.time,
            id: event.id.to_owned(),
            kind: event.event_type.to_owned(),
            message_id: owned(event.message_id),
            actor: owned(event.sender.or(event.initiator).or(event.requested_by)),
            public: event.public.unwrap_or(true),
            fallback: event.fallback.unwrap_or(false),
            state: owned(event.state),
            case_id: owned(event.case_id),
            topic: owned(event.topic),
            touchpoint: event.touchpoint.to_owned(),
            channel: event.channel.to_owned(),
            device: event.device.to_owned(),
            customer_id: owned(event.customer_id),
            session_id: owned(event.session_id),
            answer_id: owned(event.answer_id),
            is_reasked: event.reasked_field.is_some(),
            further: event.further(touchpoints),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match (self.kind.as_str(), self.actor.as_deref(), self.state.as_deref()) {
            ("chat.started", ..) => Kind::Started,
            ("chat.message", Some("customer"), _) => Kind::CustomerMessage,
            ("chat.message", Some("agent"), _) if self.public => Kind::PublicAgentMessage,
            ("chat.message", Some("bot"), _) if self.public && !self.fallback => Kind::PublicBotAnswer,
            ("chat.message", ..) => Kind::OtherMessage,
            ("chat.handoff", ..) => Kind::Handoff,
            ("chat.status", _, Some("solved")) => Kind::Solved,
            ("chat.status", _, Some("closed")) => Kind::Closed,
            ("chat.status", _, Some("reopened")) => Kind::Reopened,
            _ => Kind::Other,
        }
    }

    /// Whether it is a message of that sender, seen by the customer or not.
    pub(super) fn is_message_of(&self, sender: &str) -> bool {
        self.kind == "chat.message" && self.actor.as_deref() == Some(sender)
    }
}
