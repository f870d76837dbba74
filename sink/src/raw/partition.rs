//! State of one assigned partition: where it stands, the ids that a copy would be a copy of, and the records that wait.

use touchstream_schemas::codec::DecodeError;
use touchstream_schemas::duplicates::{DuplicateLimits, DuplicateWindow, EventKey};
use touchstream_schemas::time::EventTime;

use super::range::Records;
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

    /// Takes a record in: one before the position only teaches its id.
    pub(crate) fn accept(
        &mut self,
        offset: i64,
        appended_at: i64,
        payload: Option<&[u8]>,
        key: impl FnOnce(&[u8]) -> Result<EventKey, DecodeError>,
    ) {
        if offset >= self.committed {
            self.records.push(offset, appended_at, payload);
        } else if let Ok(key) = key(payload.unwrap_or_default()) {
            self.window.is_duplicate(key, offset, EventTime(appended_at));
        }
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
