//! What measuring takes of an event, whatever its family: its envelope says whether and where it counts, its family what it counts.

use touchstream_schemas::avro;
use touchstream_schemas::codec::body_of;
use touchstream_schemas::duplicates::EventKey;
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, Event, Family, FeedbackEvent};
use touchstream_schemas::positional::Reader;
use touchstream_schemas::time::EventTime;

use super::deltas::Deltas;
use super::partition::{RawPartition, Shared};

/// The part of an event that says whether and where it counts.
pub(super) struct Envelope<'b> {
    pub(super) tenant: &'b str,
    pub(super) source: &'b str,
    pub(super) id: &'b str,
    pub(super) time: EventTime,
    pub(super) received_at: EventTime,
    pub(super) traffic: &'b str,
    pub(super) event_type: &'b str,
}

impl Envelope<'_> {
    /// What a copy of the event has in common with it.
    pub(super) fn key(&self) -> EventKey {
        EventKey::new(self.tenant, self.source, self.id)
    }
}

/// An event that can be measured.
pub(super) trait Measured<'b>: Event<'b> {
    /// Its envelope.
    fn envelope(&self) -> Envelope<'b>;
    /// Adds it to its journey, or to the deltas at once; false when its journey is full.
    fn add_to(&self, partition: &mut RawPartition, shared: &Shared, deltas: &mut Deltas) -> bool;
}

macro_rules! measured {
    ($($event:ident: |$this:ident, $partition:ident, $shared:ident, $deltas:pat_param| $add:expr;)*) => {
        $(impl<'b> Measured<'b> for $event<'b> {
            fn envelope(&self) -> Envelope<'b> {
                Envelope {
                    tenant: self.tenant,
                    source: self.source,
                    id: self.id,
                    time: self.time,
                    received_at: self.received_at,
                    traffic: self.traffic,
                    event_type: self.event_type,
                }
            }

            #[inline]
            fn add_to(&self, $partition: &mut RawPartition, $shared: &Shared, $deltas: &mut Deltas) -> bool {
                let $this = self;
                $add
            }
        })*
    };
}

measured! {
    CheckoutEvent: |event, partition, shared, _| partition.add_checkout(shared, event);
    ChatEvent: |event, partition, shared, _| partition.add_chat(shared, event);
    FeedbackEvent: |event, partition, shared, deltas| partition.add_feedback(shared, event, deltas);
    AppEvent: |event, partition, shared, deltas| partition.add_app(shared, event, deltas);
}

/// By what a copy of an event is known, without decoding it; `None` when another release wrote it.
pub(super) fn identity_of(value: &[u8], family: Family) -> Option<EventKey> {
    let mut reader = Reader::new(body_of(value, avro::of_family(family).fingerprint())?);
    Some(EventKey::of([reader.bytes()?, reader.bytes()?, reader.bytes()?]))
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use touchstream_schemas::codec::{Encoder, Framing};

    use super::*;

    fn is_known_alike<'e, E: Measured<'e> + Serialize>(json: &'e str) {
        let event: E = serde_json::from_str(json).expect("it is an event");
        let encode =
            |framing| Encoder::new(avro::of_family(E::FAMILY), framing).encode(&event).expect("it fits");
        let key = event.envelope().key();
        assert_eq!(identity_of(&encode(Framing::SingleObject), E::FAMILY), Some(key));
        assert_eq!(identity_of(&encode(Framing::Confluent(1)), E::FAMILY), None, "left to the decoder");
    }

    /// A copy that was written in another framing is known by the same key.
    #[test]
    fn an_event_is_known_alike_with_and_without_decoding() {
        let json = r#"{"tenant":"shop","source":"web","id":"e-1","type":"","time":0,"received_at":0,"touchpoint":"","channel":"",
            "device":"","consent":[],"traffic":"human","extra":{},"conversation_id":""}"#;
        is_known_alike::<CheckoutEvent<'_>>(json);
        is_known_alike::<ChatEvent<'_>>(json);
        is_known_alike::<FeedbackEvent<'_>>(json);
        is_known_alike::<AppEvent<'_>>(json);
    }
}
