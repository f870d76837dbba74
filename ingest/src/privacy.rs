//! How much of an event may be kept: what becomes a pseudonym, what is left out, what is made coarse.
//!
//! Validate → **privacy** (called by record) → encode. Promise: no identity is stored in clear; an event without consent holds nothing that
//! leads to a person or to records of the shop; a story's events hold nothing that leads to anything else.

#[cfg(test)]
mod tests;

use axum::http::HeaderMap;
use touchstream_schemas::event::StringMap;
use touchstream_schemas::time::EventTime;

use crate::catalogue::Slot;
use crate::keys::LegalBasis;
use crate::mask::{clean_name, names_a_person};
use crate::validate::{Context, Envelope, Setting, Values};

/// The consent that storing identities needs.
const ANALYTICS: &str = "analytics";

/// Which objections of browsers are honoured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Objections {
    /// Global Privacy Control.
    pub(crate) sec_gpc: bool,
    /// Do Not Track.
    pub(crate) dnt: bool,
}

impl Objections {
    /// Whether a request with these headers objects to its sender being followed.
    pub(crate) fn object(self, headers: &HeaderMap) -> bool {
        let says_one = |name| headers.get(name).is_some_and(|value| value.as_bytes().trim_ascii() == b"1");
        (self.sec_gpc && says_one("sec-gpc")) || (self.dnt && says_one("dnt"))
    }
}

/// What an event is kept with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Identities are pseudonyms.
    Pseudonyms,
    /// No identities, and ids that nobody can look up elsewhere: no consent where it is needed, or an objection.
    IdentityFree,
    /// As identity-free, and nothing by which it could be recognised among other events: an anonymous story.
    Story,
}

/// Ids that other systems know: with them an event could be joined to an order, and so to a person.
const IDS: [Slot; 11] = [
    Slot::CheckoutId,
    Slot::CartId,
    Slot::OrderId,
    Slot::TransactionId,
    Slot::ConversationId,
    Slot::CaseId,
    Slot::MessageId,
    Slot::SubmissionId,
    Slot::StoryId,
    Slot::ReviewId,
    Slot::SubjectId,
];

impl Protection {
    /// What this event needs.
    pub(crate) fn of(context: &Context<'_>, values: &Values<'_>, setting: Setting<'_>) -> Protection {
        if values.text(Slot::StoryId).is_some() {
            return Protection::Story;
        }
        let refused = context.consent.as_ref().is_some_and(|consent| !consent.contains(&ANALYTICS));
        let without_consent = setting.key.legal_basis == LegalBasis::Consent && refused;
        if without_consent || setting.opted_out { Protection::IdentityFree } else { Protection::Pseudonyms }
    }

    /// Protects what all families share.
    pub(crate) fn apply<'a>(self, envelope: &mut Envelope<'a>, setting: Setting<'a>) {
        let context = &mut envelope.context;
        clean_names(context, setting);
        if self == Protection::Pseudonyms {
            for id in identities(context) {
                *id = id.map(|id| setting.pseudonyms.of(id, setting.arena));
            }
            if names_a_person(envelope.id) {
                envelope.id = setting.pseudonyms.of(envelope.id, setting.arena);
            }
            return;
        }
        identities(context).into_iter().for_each(|id| *id = None);
        context.seq = None;
        context.referrer = None;
        // Nobody can tell whether unknown fields identify someone.
        envelope.extra = StringMap::default();
        // An id such as `s-1-17` would tell the session whose other events are `s-1-16` and `s-1-18`.
        envelope.id = setting.pseudonyms.unlinked(envelope.id, setting.arena);
        if self == Protection::Story {
            make_common(envelope);
        }
    }

    /// A text of `data` as it may be kept.
    pub(crate) fn text<'a>(self, slot: Slot, text: Option<&'a str>, setting: Setting<'a>) -> Option<&'a str> {
        let text = text?;
        let is_id = IDS.contains(&slot);
        Some(if is_id && self != Protection::Pseudonyms {
            setting.pseudonyms.unlinked(text, setting.arena)
        } else if is_id {
            // Whoever uses an e-mail address as an id gets a pseudonym: still one id, no longer an address.
            if names_a_person(text) { setting.pseudonyms.of(text, setting.arena) } else { text }
        } else {
            clean_name(text, setting.arena)
        })
    }
}

fn identities<'c, 'a>(context: &'c mut Context<'a>) -> [&'c mut Option<&'a str>; 4] {
    [&mut context.customer_id, &mut context.anonymous_id, &mut context.session_id, &mut context.account_id]
}

/// Addresses of people do not belong into names, yet they get there: campaigns of newsletters, versions, personas.
fn clean_names<'a>(context: &mut Context<'a>, setting: Setting<'a>) {
    for name in [&mut context.touchpoint, &mut context.channel, &mut context.device] {
        *name = clean_name(name, setting.arena);
    }
    let optional = [
        &mut context.persona,
        &mut context.locale,
        &mut context.app_version,
        &mut context.variant,
        &mut context.campaign,
        &mut context.preferred_channel,
        &mut context.stage,
    ];
    for name in optional {
        *name = name.map(|name| clean_name(name, setting.arena));
    }
    for name in context.consent.iter_mut().flatten() {
        *name = clean_name(name, setting.arena);
    }
}

/// Leaves out what is rare, and makes times coarse: a story must not be told from the visit that it was written in.
///
/// The minute stays, as windows need it. `received_at` keeps its second: the order in Kafka and the time of the insert tell as much.
fn make_common(envelope: &mut Envelope<'_>) {
    let context = &mut envelope.context;
    context.member = None;
    context.app_version = None;
    context.variant = None;
    context.campaign = None;
    context.preferred_channel = None;
    context.consent = None;
    envelope.time = envelope.time.minute();
    envelope.original_time = envelope.original_time.map(EventTime::minute);
    envelope.sent_at = None;
    envelope.received_at = EventTime(envelope.received_at.0 - envelope.received_at.0.rem_euclid(1_000));
}
