//! State of one assigned partition: where it stands, the ids that a copy would be a copy of, and the records that wait.

use touchstream_schemas::codec::DecodeError;
use touchstream_schemas::duplicates::{DuplicateLimits, DuplicateWindow, EventKey};
use touchstream_schemas::time::EventTime;

use super::range::Records;
use crate::error::SinkError;
use crate::follow::Position;
use crate::ledger::{Intent, Mark};

/// One assigned partition.
pub(crate) struct Partition {
    /// Index of its family.
    pub(crate) family: usize,
    /// Topic.
    pub(crate) topic: String,
    /// Partition.
    pub(crate) number: i32,
    /// The committed position: everything before it is stored.
    pub(crate) committed: i64,
    /// Ids that a copy would be a copy of.
    pub(crate) window: DuplicateWindow,
    replay: Option<Intent>,
    limits: DuplicateLimits,
    records: Records,
}

/// A range that was taken out to be stored.
pub(crate) struct Sealed {
    /// Index of the partition.
    pub(crate) partition: usize,
    /// The range.
    pub(crate) intent: Intent,
    /// Whether the intent stands in Kafka already, from an earlier life.
    pub(crate) is_replay: bool,
    /// Append time of its last record.
    pub(crate) appended_at: i64,
    /// Its records.
    pub(crate) records: Records,
}

impl Sealed {
    /// What is committed before the insert.
    pub(crate) fn intent_mark(&self) -> Mark {
        Mark { appended_at: Some(self.intent.first_appended_at), intent: Some(self.intent) }
    }

    /// What is committed after it.
    pub(crate) fn done_mark(&self) -> Mark {
        Mark { appended_at: Some(self.appended_at), intent: None }
    }
}

impl Partition {
    /// A partition as assigned.
    pub(crate) fn new(family: usize, position: Position, limits: DuplicateLimits) -> Partition {
        // A replay must drop the same copies, so it keeps the limits under which it was sealed until the next assignment.
        let limits = position.replay.map_or(limits, |intent| intent.limits);
        Partition {
            family,
            topic: position.topic,
            number: position.partition,
            committed: position.next,
            window: DuplicateWindow::new(limits),
            replay: position.replay,
            limits,
            records: Records::default(),
        }
    }

    /// Takes a record in: one before the position only teaches its id. One that cannot be decoded has no id to teach; one whose
    /// schema cannot be fetched now has an id, and going on without it would let a later copy become a second row.
    pub(crate) fn accept(
        &mut self,
        offset: i64,
        appended_at: i64,
        payload: Option<&[u8]>,
        key: impl FnOnce(&[u8]) -> Result<EventKey, DecodeError>,
    ) -> Result<(), SinkError> {
        if offset >= self.committed {
            self.records.push(offset, appended_at, payload);
            return Ok(());
        }
        match key(payload.unwrap_or_default()) {
            Ok(key) => {
                self.window.is_duplicate(key, offset, EventTime(appended_at));
            }
            Err(DecodeError::Registry(error)) => return Err(SinkError::Registry(error)),
            Err(_) => {}
        }
        Ok(())
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        self.records.held()
    }

    /// Records that can be sealed now.
    pub(crate) fn ready(&self) -> usize {
        match self.replay {
            None => self.records.list.len(),
            Some(intent) => match self.records.list.last() {
                Some(last) if last.offset >= intent.max => {
                    self.records.list.partition_point(|record| record.offset <= intent.max)
                }
                _ => 0,
            },
        }
    }

    /// Whether the range to replay is held in part only.
    pub(crate) fn is_replay_unfinished(&self) -> bool {
        self.replay.is_some() && self.ready() == 0
    }

    /// Takes a range out: the one to replay, else at most `most` records.
    pub(crate) fn seal(&mut self, index: usize, most: usize) -> Option<Sealed> {
        let replay = self.replay;
        let count = if replay.is_some() { self.ready() } else { self.ready().min(most) };
        if count == 0 {
            return None;
        }
        self.replay = None;
        let records = self.records.take(count);
        let (first, last) = (*records.list.first()?, *records.list.last()?);
        let fresh = Intent {
            min: first.offset,
            max: last.offset,
            first_appended_at: first.appended_at,
            limits: self.limits,
        };
        Some(Sealed {
            partition: index,
            intent: replay.unwrap_or(fresh),
            is_replay: replay.is_some(),
            appended_at: last.appended_at,
            records,
        })
    }
}

#[cfg(test)]
mod tests {
    use touchstream_schemas::registry::SchemaRegistry;
    use touchstream_schemas::time::Millis;

    use super::*;

    const LIMITS: DuplicateLimits = DuplicateLimits { age: Millis(60_000), records: 1_000 };

    fn partition(next: i64, replay: Option<(i64, i64)>) -> Partition {
        let replay = replay.map(|(min, max)| Intent { min, max, first_appended_at: 0, limits: LIMITS });
        let position = Position { topic: "cx.app".to_owned(), partition: 0, next, replay, appended_at: None };
        Partition::new(0, position, LIMITS)
    }

    fn no_key(_: &[u8]) -> Result<EventKey, DecodeError> {
        Err(DecodeError::Framing { length: 0 })
    }

    #[test]
    fn a_replay_goes_on_reading_until_its_whole_range_is_held() {
        let mut replayed = partition(5, Some((5, 7)));
        for (offset, unfinished) in [(3, true), (5, true), (6, true), (7, false), (8, false)] {
            replayed.accept(offset, 0, Some(b"x"), no_key).expect("no registry is asked");
            assert_eq!(replayed.is_replay_unfinished(), unfinished, "after offset {offset}");
        }
        let sealed = replayed.seal(0, 1).expect("the range is complete");
        assert_eq!((sealed.intent.min, sealed.intent.max, sealed.records.list.len()), (5, 7, 3));
        assert!(!replayed.is_replay_unfinished());
        assert!(!partition(5, None).is_replay_unfinished(), "fresh records can be sealed at any time");
    }

    #[test]
    fn an_id_that_only_the_registry_can_reveal_is_not_skipped() {
        let mut rebuilt = partition(5, None);
        // Undecodable records have no id and were rejected long ago.
        rebuilt.accept(3, 0, Some(b"x"), no_key).expect("no registry is asked");
        // Nobody listens at port 0.
        let away = |_: &[u8]| match SchemaRegistry::new("http://127.0.0.1:0").fetch(1) {
            Err(error) => Err(DecodeError::Registry(error)),
            Ok(schema) => panic!("nothing has answered {schema}"),
        };
        let outcome = rebuilt.accept(4, 0, Some(b"x"), away);
        assert!(matches!(outcome, Err(SinkError::Registry(_))), "{outcome:?}");
    }
}
