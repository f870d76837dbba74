//! Raw records that nothing can count: their bytes go unchanged to the rejected topic, with the reason, in the transaction that passes them
//! by. So each is filed exactly once by this stage, whatever dies, and one bad record never stops its neighbours.

use std::fmt;

use touchstream_runtime::kafka::MAX_MESSAGE_BYTES;
use touchstream_schemas::avro;
use touchstream_schemas::codec::Encoder;
use touchstream_schemas::event::Family;
use touchstream_schemas::rejected::{Rejected, fitting, framing};
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;

use crate::stage::{InputPartition, Outgoing, Output, Record, StageError};

/// Bytes that wait for the end of a transaction, after which it ends early.
const FULL: usize = 8 << 20;
/// A receipt later than this after Kafka had the record, or a time later than this after the receipt, is no clock's fault any more:
/// counted, it would move the watermark so far that everything after it is late.
const AHEAD: Millis = Millis::DAY;
/// A receipt before the year 2000 is no receipt.
const EARLIEST: EventTime = EventTime(946_684_800_000);

/// Why a record is not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Bounded reason code.
    pub(super) reason: &'static str,
    /// In words.
    pub(super) detail: String,
}

/// Judges the times of an event that was decoded.
pub(super) fn impossible_time(
    time: EventTime,
    received_at: EventTime,
    appended_at: EventTime,
) -> Option<Refusal> {
    let is_possible =
        received_at >= EARLIEST && received_at - appended_at <= AHEAD && time - received_at <= AHEAD;
    (!is_possible).then(|| Refusal {
        reason: "time_out_of_range",
        detail: format!(
            "failed to count an event of {} ms, received at {} ms and appended at {} ms since 1970: its times cannot be true",
            time.0, received_at.0, appended_at.0
        ),
    })
}

/// Judges an event's type: fields of another family's record have the same names here and there, so it may pass for one of ours.
pub(super) fn wrong_family(event_type: &str, family: Family) -> Option<Refusal> {
    let is_ours = event_type.strip_prefix(family.name()).is_some_and(|rest| rest.starts_with('.'));
    (!is_ours).then(|| Refusal {
        reason: "wrong_family",
        detail: format!("failed to count an event of type {event_type:?} among those of {}", family.name()),
    })
}

struct Waiting {
    partition: InputPartition,
    offset: i64,
    refusal: Refusal,
    value: Option<Vec<u8>>,
}

/// Refused records of the transaction at hand.
pub(super) struct Refusals {
    topic: String,
    registry_url: String,
    /// Made for the first record: with a registry the key's schema has to be registered.
    encoder: Option<Encoder>,
    waiting: Vec<Waiting>,
    bytes: usize,
}

impl fmt::Debug for Refusals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Refusals").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl Refusals {
    pub(super) fn new(topics: &Topics, registry_url: &str) -> Refusals {
        Refusals {
            topic: topics.rejected(),
            registry_url: registry_url.to_owned(),
            encoder: None,
            waiting: Vec::new(),
            bytes: 0,
        }
    }

    /// Keeps a record for the end of the transaction.
    pub(super) fn add(&mut self, partition: &InputPartition, record: Record<'_>, refusal: &Refusal) {
        let (value, detail) = fitting(record.value, &refusal.detail, MAX_MESSAGE_BYTES as usize);
        let (partition, offset, reason) = (partition.clone(), record.offset, refusal.reason);
        tracing::warn!(%partition, offset, reason, detail, "raw record refused");
        self.bytes += value.map_or(0, <[u8]>::len);
        let refusal = Refusal { reason, detail };
        self.waiting.push(Waiting { partition, offset, refusal, value: value.map(<[u8]>::to_vec) });
    }

    /// So much waits that the transaction should end.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= FULL
    }

    pub(super) fn clear(&mut self) {
        (self.waiting, self.bytes) = (Vec::new(), 0);
    }

    /// Sends what waits.
    pub(super) fn send(&mut self, now: EventTime, output: &mut dyn Output) -> Result<(), StageError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::new(&avro::REJECTED, framing(&self.topic, &self.registry_url)?)),
        };
        for Waiting { partition, offset, refusal, value } in &self.waiting {
            let why = Rejected {
                topic: &partition.topic,
                partition: partition.partition,
                offset: *offset,
                stage: "processor",
                reason: refusal.reason,
                detail: &refusal.detail,
                rejected_at: now,
            };
            let key = encoder.encode(&why)?;
            let headers = why.headers();
            let headers = headers.each_ref().map(|(name, text)| (*name, text.as_str()));
            let record = Outgoing { topic: &self.topic, partition: None, key: &key, value: value.as_deref() };
            output.send_with_headers(record, &headers)?;
        }
        self.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_would_spoil_the_watermark_are_refused() {
        let now = EventTime(1_800_000_000_000);
        let day = |days: i64| now + Millis::DAY.times(days);
        for (time, received_at) in
            [(day(0), day(0)), (day(-4_000), day(0)), (day(1), day(0)), (day(-30), day(-30))]
        {
            assert_eq!(impossible_time(time, received_at, now), None, "{time:?} {received_at:?}");
        }
        let extremes = [EventTime::MIN, EventTime::MAX];
        for (time, received_at) in [(day(0), day(2)), (day(2), day(0)), (day(0), EventTime(0))]
            .into_iter()
            .chain(extremes.map(|extreme| (now, extreme)))
            .chain([(EventTime::MAX, now), (EventTime::MAX, EventTime::MAX)])
        {
            assert!(impossible_time(time, received_at, now).is_some(), "{time:?} {received_at:?}");
        }
        assert_eq!(impossible_time(EventTime::MIN, now, now), None, "late, and counted as that");
    }
}
