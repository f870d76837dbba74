//! Events with nothing in them, for tests to fill, and the default settings.

use touchstream_runtime::settings::{self, Settings};
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, FeedbackEvent, StringMap};
use touchstream_schemas::time::EventTime;

/// The default settings.
pub(crate) fn default_settings() -> Settings {
    settings::load(None).expect("the defaults are valid").settings
}

macro_rules! empty_event {
    ($kind:ident { $($field:ident : $value:expr,)* }) => {
        $kind {
            tenant: "t", source: "s", id: "", event_type: "", time: EventTime(0), original_time: None, sent_at: None,
            received_at: EventTime(0), customer_id: None, anonymous_id: None, session_id: None, account_id: None,
            seq: None, touchpoint: "unknown", channel: "unknown", device: "unknown", mode: None, persona: None,
            member: None, locale: None, app_version: None, variant: None, campaign: None, referrer: None,
            preferred_channel: None, stage: None, consent: Vec::new(), traffic: "human", extra: StringMap::default(),
            $($field: $value,)*
        }
    };
}

/// A checkout event with nothing in it.
pub(crate) fn empty_checkout() -> CheckoutEvent<'static> {
    empty_event!(CheckoutEvent {
        checkout_id: None,
        cart_id: None,
        order_id: None,
        step: None,
        step_index: None,
        action: None,
        error: None,
        extra_cost: None,
        shipping_tier: None,
        payment_type: None,
        account_type: None,
        friction_kind: None,
        reason: None,
        transaction_id: None,
        value: None,
        currency: None,
        items: None,
    })
}

/// A chat event with nothing in it.
pub(crate) fn empty_chat() -> ChatEvent<'static> {
    empty_event!(ChatEvent {
        conversation_id: "",
        case_id: None,
        topic: None,
        initiator: None,
        message_id: None,
        sender: None,
        public: None,
        fallback: None,
        answer_id: None,
        reasked_field: None,
        agent_id: None,
        requested_by: None,
        context_passed: None,
        state: None,
        by: None,
        queue_s: None,
        talk_s: None,
        answered: None,
    })
}

/// A feedback event with nothing in it.
pub(crate) fn empty_feedback() -> FeedbackEvent<'static> {
    empty_event!(FeedbackEvent {
        survey_id: None,
        submission_id: None,
        story_id: None,
        scene: None,
        metric: None,
        score: None,
        scale_min: None,
        scale_max: None,
        choice: None,
        question_id: None,
        driver: None,
        respondent: None,
        subject_id: None,
        subject_type: None,
        text: None,
        rating: None,
        review_source: None,
        product: None,
        review_id: None,
        state: None,
    })
}

/// An app event with nothing in it.
pub(crate) fn empty_app() -> AppEvent<'static> {
    empty_event!(AppEvent {
        name: None,
        duration_ms: None,
        status: None,
        result: None,
        code: None,
        fatal: None,
        action: None,
        order_id: None,
        state: None,
        due_at: None,
        kind: None,
        notice_status: None,
        compensation: None,
    })
}
