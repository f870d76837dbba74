//! The validated event of each family, borrowed from the bytes it was decoded from, or from the request it came in.
//!
//! Field names are those of `schemas/avro/*_event.avsc` and, except for `type`, of the ClickHouse columns. A reader that needs
//! fewer fields may declare a smaller struct: fields it does not name are skipped.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::money::Money;
use crate::positional::Reader;
use crate::time::EventTime;

/// The four families, each with a raw topic of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Carts, steps, purchases.
    Checkout,
    /// Service conversations on any channel.
    Chat,
    /// Surveys, reviews, follow-ups.
    Feedback,
    /// Everything else a customer does or meets.
    App,
}

impl Family {
    /// All families, in the order of the contract.
    pub const ALL: [Family; 4] = [Family::Checkout, Family::Chat, Family::Feedback, Family::App];

    /// Name as used in types, topics, tables and labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Family::Checkout => "checkout",
            Family::Chat => "chat",
            Family::Feedback => "feedback",
            Family::App => "app",
        }
    }

    /// The family of an event type such as `checkout.step`; `None` for an unknown prefix.
    #[must_use]
    pub fn of_type(event_type: &str) -> Option<Family> {
        let (prefix, _) = event_type.split_once('.')?;
        Family::ALL.into_iter().find(|family| family.name() == prefix)
    }
}

/// Value of `touchpoint`, `channel` and `device` when none was sent.
pub const UNKNOWN: &str = "unknown";
/// Value of `traffic` that counts in metrics.
pub const HUMAN: &str = "human";
/// Value that stands for every touchpoint, channel or device in windows; reserved.
pub const ALL: &str = "all";

/// Extra fields as text, in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StringMap<'a>(pub Vec<(&'a str, &'a str)>);

impl Serialize for StringMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StringMap<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor;
        impl<'de> Visitor<'de> for MapVisitor {
            type Value = StringMap<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map of strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    entries.push(entry);
                }
                Ok(StringMap(entries))
            }
        }
        deserializer.deserialize_map(MapVisitor)
    }
}

/// An event of one family.
pub trait Event<'a>: Deserialize<'a> {
    /// The family.
    const FAMILY: Family;

    /// Reads the fields in the order of this release's schema; `None` leaves it to the general decoder.
    fn read(reader: &mut Reader<'a>) -> Option<Self>;
}

/// Declares an event struct: the envelope that all families share, then the family's own fields.
macro_rules! event {
    ($(#[$doc:meta])* $name:ident of $family:expr => { $($field:ident : $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "every field's doc stands in its .avsc, which a test compares with this struct")]
        pub struct $name<'a> {
            pub tenant: &'a str,
            pub source: &'a str,
            pub id: &'a str,
            #[serde(rename = "type")]
            pub event_type: &'a str,
            pub time: EventTime,
            pub original_time: Option<EventTime>,
            pub sent_at: Option<EventTime>,
            pub received_at: EventTime,
            pub customer_id: Option<&'a str>,
            pub anonymous_id: Option<&'a str>,
            pub session_id: Option<&'a str>,
            pub account_id: Option<&'a str>,
            pub seq: Option<i64>,
            pub touchpoint: &'a str,
            pub channel: &'a str,
            pub device: &'a str,
            pub mode: Option<&'a str>,
            pub persona: Option<&'a str>,
            pub member: Option<bool>,
            pub locale: Option<&'a str>,
            pub app_version: Option<&'a str>,
            pub variant: Option<&'a str>,
            pub campaign: Option<&'a str>,
            pub referrer: Option<&'a str>,
            pub preferred_channel: Option<&'a str>,
            pub stage: Option<&'a str>,
            #[serde(borrow)]
            pub consent: Vec<&'a str>,
            pub traffic: &'a str,
            #[serde(borrow)]
            pub extra: StringMap<'a>,
            $(pub $field: $kind,)*
        }

        impl<'a> Event<'a> for $name<'a> {
            const FAMILY: Family = $family;

            fn read(reader: &mut Reader<'a>) -> Option<$name<'a>> {
                // Fields are read in the order in which they stand here, which is that of the schema.
                Some($name {
                    tenant: reader.field()?,
                    source: reader.field()?,
                    id: reader.field()?,
                    event_type: reader.field()?,
                    time: reader.field()?,
                    original_time: reader.field()?,
                    sent_at: reader.field()?,
                    received_at: reader.field()?,
                    customer_id: reader.field()?,
                    anonymous_id: reader.field()?,
                    session_id: reader.field()?,
                    account_id: reader.field()?,
                    seq: reader.field()?,
                    touchpoint: reader.field()?,
                    channel: reader.field()?,
                    device: reader.field()?,
                    mode: reader.field()?,
                    persona: reader.field()?,
                    member: reader.field()?,
                    locale: reader.field()?,
                    app_version: reader.field()?,
                    variant: reader.field()?,
                    campaign: reader.field()?,
                    referrer: reader.field()?,
                    preferred_channel: reader.field()?,
                    stage: reader.field()?,
                    consent: reader.field()?,
                    traffic: reader.field()?,
                    extra: reader.field()?,
                    $($field: reader.field()?,)*
                })
            }
        }
    };
}

event! {
    /// An event of the checkout family.
    CheckoutEvent of Family::Checkout => {
        checkout_id: Option<&'a str>, cart_id: Option<&'a str>, order_id: Option<&'a str>,
        step: Option<&'a str>, step_index: Option<i32>, action: Option<&'a str>, error: Option<&'a str>,
        extra_cost: Option<Money>, shipping_tier: Option<&'a str>, payment_type: Option<&'a str>,
        account_type: Option<&'a str>, friction_kind: Option<&'a str>, reason: Option<&'a str>,
        transaction_id: Option<&'a str>, value: Option<Money>, currency: Option<&'a str>, items: Option<i32>,
    }
}

event! {
    /// An event of a service conversation.
    ChatEvent of Family::Chat => {
        conversation_id: &'a str, case_id: Option<&'a str>, topic: Option<&'a str>, initiator: Option<&'a str>,
        message_id: Option<&'a str>, sender: Option<&'a str>, public: Option<bool>, fallback: Option<bool>,
        answer_id: Option<&'a str>, reasked_field: Option<&'a str>, agent_id: Option<&'a str>,
        requested_by: Option<&'a str>, context_passed: Option<bool>, state: Option<&'a str>, by: Option<&'a str>,
        queue_s: Option<f64>, talk_s: Option<f64>, answered: Option<bool>,
    }
}

event! {
    /// An event of the feedback family.
    FeedbackEvent of Family::Feedback => {
        survey_id: Option<&'a str>, submission_id: Option<&'a str>, story_id: Option<&'a str>, scene: Option<i32>,
        metric: Option<&'a str>, score: Option<i32>, scale_min: Option<i32>, scale_max: Option<i32>,
        choice: Option<&'a str>, question_id: Option<&'a str>, driver: Option<&'a str>,
        respondent: Option<&'a str>, subject_id: Option<&'a str>, subject_type: Option<&'a str>,
        text: Option<&'a str>, rating: Option<f64>, review_source: Option<&'a str>, product: Option<&'a str>,
        review_id: Option<&'a str>, state: Option<&'a str>,
    }
}

event! {
    /// An event of the app family.
    AppEvent of Family::App => {
        name: Option<&'a str>, duration_ms: Option<i64>, status: Option<i32>, result: Option<&'a str>,
        code: Option<&'a str>, fatal: Option<bool>, action: Option<&'a str>, order_id: Option<&'a str>,
        state: Option<&'a str>, due_at: Option<EventTime>, kind: Option<&'a str>, notice_status: Option<&'a str>,
        compensation: Option<&'a str>,
    }
}
