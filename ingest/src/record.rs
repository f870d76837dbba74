//! The validated event as the Avro record that is stored, protected as [`crate::privacy`] says.
//!
//! Validate → **record** → encode. Promise: no identity leaves this file in clear.

use serde::Serialize;
use touchstream_schemas::codec::{EncodeError, Encoder};
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, Family, FeedbackEvent};
use touchstream_schemas::keys;

use crate::catalogue::Slot;
use crate::privacy::Protection;
use crate::validate::{Envelope, Setting, Values};

/// An event of any family, ready to be stored.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Record<'a> {
    Checkout(CheckoutEvent<'a>),
    Chat(ChatEvent<'a>),
    Feedback(FeedbackEvent<'a>),
    App(AppEvent<'a>),
}

impl Record<'_> {
    /// The Kafka key: what must meet in one partition.
    pub(crate) fn key(&self) -> String {
        match self {
            Record::Checkout(event) => keys::join(&[event.tenant, keys::checkout(event)]),
            Record::Chat(event) => keys::join(&[event.tenant, keys::chat(event)]),
            Record::Feedback(event) => keys::join(&[event.tenant, keys::feedback(event)]),
            Record::App(event) => keys::join(&[event.tenant, keys::app(event)]),
        }
    }

    /// The event's id.
    pub(crate) fn id(&self) -> &str {
        match self {
            Record::Checkout(event) => event.id,
            Record::Chat(event) => event.id,
            Record::Feedback(event) => event.id,
            Record::App(event) => event.id,
        }
    }

    /// Encodes with the encoder of its family.
    pub(crate) fn encode_into(&self, encoder: &mut Encoder, buffer: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Record::Checkout(event) => encoder.encode_into(event, buffer),
            Record::Chat(event) => encoder.encode_into(event, buffer),
            Record::Feedback(event) => encoder.encode_into(event, buffer),
            Record::App(event) => encoder.encode_into(event, buffer),
        }
    }
}

/// Declares the record of a family: the shared fields from the envelope, then its own from the values.
macro_rules! record {
    ($kind:ident, $envelope:ident, { $($field:ident : $value:expr),* $(,)? }) => {{
        let context = $envelope.context;
        $kind {
            tenant: $envelope.tenant,
            source: $envelope.source,
            id: $envelope.id,
            event_type: $envelope.event_type,
            time: $envelope.time,
            original_time: $envelope.original_time,
            sent_at: $envelope.sent_at,
            received_at: $envelope.received_at,
            customer_id: context.customer_id,
            anonymous_id: context.anonymous_id,
            session_id: context.session_id,
            account_id: context.account_id,
            seq: context.seq,
            touchpoint: context.touchpoint,
            channel: context.channel,
            device: context.device,
            mode: context.mode,
            persona: context.persona,
            member: context.member,
            locale: context.locale,
            app_version: context.app_version,
            variant: context.variant,
            campaign: context.campaign,
            referrer: context.referrer,
            preferred_channel: context.preferred_channel,
            stage: context.stage,
            consent: context.consent.unwrap_or_default(),
            traffic: context.traffic,
            extra: $envelope.extra,
            $($field: $value,)*
        }
    }};
}

/// Makes the record of a validated event.
pub(crate) fn build<'a>(
    family: Family,
    mut envelope: Envelope<'a>,
    values: &Values<'a>,
    setting: Setting<'a>,
) -> Record<'a> {
    let protection = Protection::of(&envelope.context, values, setting);
    protection.apply(&mut envelope, setting);
    let text = |slot| protection.text(slot, values.text(slot), setting);
    match family {
        Family::Checkout => Record::Checkout(record!(CheckoutEvent, envelope, {
            checkout_id: text(Slot::CheckoutId), cart_id: text(Slot::CartId), order_id: text(Slot::OrderId),
            step: text(Slot::Step), step_index: values.integer_32(Slot::StepIndex), action: text(Slot::Action),
            error: text(Slot::Error), extra_cost: values.money(Slot::ExtraCost),
            shipping_tier: text(Slot::ShippingTier), payment_type: text(Slot::PaymentType),
            account_type: text(Slot::AccountType), friction_kind: text(Slot::FrictionKind),
            reason: text(Slot::Reason), transaction_id: text(Slot::TransactionId),
            value: values.money(Slot::Value), currency: text(Slot::Currency),
            items: values.integer_32(Slot::Items),
        })),
        Family::Chat => Record::Chat(record!(ChatEvent, envelope, {
            conversation_id: text(Slot::ConversationId).expect("the catalogue requires it of every chat event"),
            case_id: text(Slot::CaseId), topic: text(Slot::Topic), initiator: text(Slot::Initiator),
            message_id: text(Slot::MessageId), sender: text(Slot::Sender), public: values.boolean(Slot::Public),
            fallback: values.boolean(Slot::Fallback), answer_id: text(Slot::AnswerId),
            reasked_field: text(Slot::ReaskedField), agent_id: agent_id(values, protection, setting),
            requested_by: text(Slot::RequestedBy), context_passed: values.boolean(Slot::ContextPassed),
            state: text(Slot::State), by: text(Slot::By), queue_s: values.number(Slot::QueueS),
            talk_s: values.number(Slot::TalkS), answered: values.boolean(Slot::Answered),
        })),
        Family::Feedback => Record::Feedback(record!(FeedbackEvent, envelope, {
            survey_id: text(Slot::SurveyId), submission_id: text(Slot::SubmissionId),
            story_id: text(Slot::StoryId), scene: values.integer_32(Slot::Scene), metric: text(Slot::Metric),
            score: values.integer_32(Slot::Score), scale_min: values.integer_32(Slot::ScaleMin),
            scale_max: values.integer_32(Slot::ScaleMax), choice: text(Slot::Choice),
            question_id: text(Slot::QuestionId), driver: text(Slot::Driver), respondent: text(Slot::Respondent),
            subject_id: text(Slot::SubjectId), subject_type: text(Slot::SubjectType), text: text(Slot::Text),
            rating: values.number(Slot::Rating), review_source: text(Slot::ReviewSource),
            product: text(Slot::Product), review_id: text(Slot::ReviewId), state: text(Slot::State),
        })),
        Family::App => Record::App(record!(AppEvent, envelope, {
            name: text(Slot::Name), duration_ms: values.integer(Slot::DurationMs),
            status: values.integer_32(Slot::Status), result: text(Slot::Result), code: text(Slot::Code),
            fatal: values.boolean(Slot::Fatal), action: text(Slot::Action), order_id: text(Slot::OrderId),
            state: text(Slot::State), due_at: values.time(Slot::DueAt), kind: text(Slot::Kind),
            notice_status: text(Slot::NoticeStatus), compensation: text(Slot::Compensation),
        })),
    }
}

fn agent_id<'a>(values: &Values<'a>, protection: Protection, setting: Setting<'a>) -> Option<&'a str> {
    let kept = setting.rules.keep_agent_ids && protection == Protection::Pseudonyms;
    let id = values.text(Slot::AgentId).filter(|_| kept)?;
    Some(setting.pseudonyms.of(id, setting.arena))
}
