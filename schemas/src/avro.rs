//! The Avro schemas of `schemas/avro`, parsed once, by name.

use std::fmt;
use std::sync::LazyLock;

/// A schema of this release.
pub struct AvroSchema {
    /// File name in `schemas/avro` without its ending.
    pub name: &'static str,
    /// Its JSON text.
    pub json: &'static str,
    /// Its JSON text one release ago (`schemas/history`): readers of this release read it as well.
    pub previous_json: &'static str,
    parsed: LazyLock<serde_avro_fast::Schema>,
}

impl AvroSchema {
    /// The parsed schema.
    #[must_use]
    pub fn parsed(&self) -> &serde_avro_fast::Schema {
        &self.parsed
    }

    /// CRC-64-AVRO fingerprint of its canonical form, little-endian as in the single-object header.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 8] {
        *self.parsed.rabin_fingerprint()
    }
}

impl fmt::Debug for AvroSchema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("AvroSchema").field(&self.name).finish()
    }
}

macro_rules! schemas {
    ($($(#[$doc:meta])* $constant:ident = $name:literal;)*) => {
        $(
            $(#[$doc])*
            pub static $constant: AvroSchema = AvroSchema {
                name: $name,
                json: include_str!(concat!("../avro/", $name, ".avsc")),
                previous_json: include_str!(concat!("../history/", $name, ".avsc")),
                parsed: LazyLock::new(|| {
                    include_str!(concat!("../avro/", $name, ".avsc")).parse().expect(concat!($name, ".avsc is valid"))
                }),
            };
        )*
        /// Every schema of this release.
        pub static ALL: &[&AvroSchema] = &[$(&$constant),*];
    };
}

schemas! {
    /// Events of the checkout family.
    CHECKOUT_EVENT = "checkout_event";
    /// Events of service conversations.
    CHAT_EVENT = "chat_event";
    /// Events of the feedback family.
    FEEDBACK_EVENT = "feedback_event";
    /// Events of the app family.
    APP_EVENT = "app_event";
    /// Facts about attempts.
    CHECKOUT_FACT = "checkout_fact";
    /// Facts about conversation cycles.
    CONVERSATION_FACT = "conversation_fact";
    /// Facts about answers.
    ANSWER_FACTS = "answer_facts";
    /// Contacts, for net containment.
    CONTACT_FACT = "contact_fact";
    /// State of a customer.
    CUSTOMER_STATE = "customer_state";
    /// States of journeys: a segment of a changelog.
    JOURNEYS = "journeys";
    /// Deltas.
    PANE = "pane";
    /// Watermarks.
    WATERMARK = "watermark";
    /// Absolute minutes.
    MINUTE = "minute";
    /// Rolling windows.
    WINDOW = "window";
    /// What ingest answered.
    QUALITY = "quality";
    /// Changes of state of rules.
    REGRESSION = "regression";
    /// Why a record was refused.
    REJECTED = "rejected";
}

/// The schema of a family's events.
#[must_use]
pub fn of_family(family: crate::event::Family) -> &'static AvroSchema {
    match family {
        crate::event::Family::Checkout => &CHECKOUT_EVENT,
        crate::event::Family::Chat => &CHAT_EVENT,
        crate::event::Family::Feedback => &FEEDBACK_EVENT,
        crate::event::Family::App => &APP_EVENT,
    }
}
