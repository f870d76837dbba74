//! What an attempt needs of an event, and what kind of event it is to the attempt.

use serde::{Deserialize, Serialize};
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::event::CheckoutEvent;
use touchstream_schemas::facts::FurtherValue;
use touchstream_schemas::money::Money;
use touchstream_schemas::time::EventTime;

use crate::measure::further::FurtherContext as _;

/// What an attempt needs of an event (`CheckoutPoint` in `schemas/avro/checkout_state.avsc`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/checkout_state.avsc")]
pub struct CheckoutPoint {
    pub time: EventTime,
    pub id: String,
    pub kind: String,
    pub step: Option<String>,
    pub step_index: Option<i32>,
    pub failed_error: Option<String>,
    pub reason: Option<String>,
    pub transaction_id: Option<String>,
    pub value: Option<Money>,
    pub currency: Option<String>,
    pub items: Option<i32>,
    pub touchpoint: String,
    pub channel: String,
    pub device: String,
    pub customer_id: Option<String>,
    pub anonymous_id: Option<String>,
    pub session_id: Option<String>,
    pub checkout_id: Option<String>,
    pub cart_id: Option<String>,
    pub order_id: Option<String>,
    #[serde(default)]
    pub further: Vec<FurtherValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Started,
    Step,
    Friction,
    Abandoned,
    Completed,
}

impl Kind {
    fn of(name: &str) -> Option<Kind> {
        match name {
            "checkout.started" => Some(Kind::Started),
            "checkout.step" => Some(Kind::Step),
            "checkout.friction" => Some(Kind::Friction),
            "checkout.abandoned" => Some(Kind::Abandoned),
            "checkout.completed" => Some(Kind::Completed),
            _ => None,
        }
    }

    pub(super) fn is_activity(self) -> bool {
        matches!(self, Kind::Started | Kind::Step | Kind::Friction)
    }
}

impl CheckoutPoint {
    /// The event's part in an attempt; `None` for types that have none (`checkout.refunded`).
    #[must_use]
    pub fn of(event: &CheckoutEvent<'_>, touchpoints: &Touchpoints) -> Option<CheckoutPoint> {
        Kind::of(event.event_type)?;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let failed = event.action == Some("failed");
        Some(CheckoutPoint {
            time: event.time,
            id: event.id.to_owned(),
            kind: event.event_type.to_owned(),
            step: owned(event.step),
            step_index: event.step_index,
            failed_error: failed.then(|| event.error.unwrap_or_default().to_owned()),
            reason: owned(event.friction_kind.or(event.reason)),
            transaction_id: owned(event.transaction_id),
            value: event.value,
            currency: owned(event.currency),
            items: event.items,
            touchpoint: event.touchpoint.to_owned(),
            channel: event.channel.to_owned(),
            device: event.device.to_owned(),
            customer_id: owned(event.customer_id),
            anonymous_id: owned(event.anonymous_id),
            session_id: owned(event.session_id),
            checkout_id: owned(event.checkout_id),
            cart_id: owned(event.cart_id),
            order_id: owned(event.order_id),
            further: event.further(touchpoints),
        })
    }

    pub(super) fn kind(&self) -> Kind {
        Kind::of(&self.kind).expect("only known types become points")
    }
}
