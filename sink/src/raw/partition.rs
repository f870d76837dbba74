//! One assigned partition: where it stands, the ids that a copy would be a copy of, the records that wait, the range that is being
//! prepared and the one that is being stored. Preparing goes on beside storing; one intent at a time stands in Kafka.

use std::sync::Arc;
use std::time::{Duration, Instant};

use touchstream_schemas::codec::DecodeError;
use touchstream_schemas::duplicates::{DuplicateLimits, DuplicateWindow};
use touchstream_schemas::time::EventTime;

use super::decode::EventDecoder;
use super::range::{Oldest, Records};
use super::store::{Before, Chunk};
use crate::error::SinkError;
use crate::follow::Position;
use crate::ledger::{Intent, Mark};
use crate::reject::Refused;

/// Memory that a range takes while it is prepared, in bytes of its records: these, and the encoded rows with room to grow.
const WORK: usize = 3;

/// What preparing a range needs and changes: it goes to the thread that prepares, and comes back.
pub(crate) struct Preparer {
    /// Reads the events.
    pub(crate) decoder: EventDecoder,
    /// Ids that a copy would be a copy of.
    pub(crate) window: DuplicateWindow,
}

/// A range that is prepared.
pub(crate) struct Work {
    /// Where it stands.
    pub(crate) sealed: Sealed,
    /// What is to be stored.
    pub(crate) chunks: Arc<Vec<Chunk>>,
    /// Records that are to be filed as rejected.
    pub(crate) refused: Vec<Refused>,
    /// Copies dropped.
    pub(crate) duplicates: u64,
    /// Oldest receipt by tenant and minute.
    pub(crate) oldest: Oldest,
    /// When storing began.
    pub(crate) began: Instant,
    /// Whether everything is stored.
    pub(crate) is_stored: bool,
}

impl Work {
    /// What is known of it before it is stored.
    pub(crate) fn before(&self) -> Before {
        Before { is_replay: self.sealed.is_replay, is_split: self.sealed.intent.is_split }
    }

    fn held(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.insert.bytes()).sum::<usize>()
    }
}

/// The range after the one that is being stored.
pub(crate) enum Next {
    /// None yet.
    Nothing,
    /// It is being prepared; bytes that this takes.
    Preparing(usize),
    /// It can be stored.
    Ready(Box<Work>),
}

/// When records are sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Most records of a range.
    pub(crate) rows: usize,
    /// Bytes of records that make a range full.
    pub(crate) bytes: usize,
    /// Age that makes a range due though it is not full.
    pub(crate) age: Duration,
    /// Whether everything is due.
    pub(crate) is_draining: bool,
    /// Whether so much waits that the partition that holds the most is due, however full.
    pub(crate) is_short: bool,
}

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
    /// Where the range after the one being stored stands.
    pub(crate) next: Next,
    /// The range that is being stored.
    pub(crate) storing: Option<Box<Work>>,
    /// Before this no range is sealed by its age.
    pub(crate) earliest: Instant,
    /// Since when a record waits.
    pub(crate) waiting_since: Option<Instant>,
    /// Away while a range is being prepared.
    preparer: Option<Box<Preparer>>,
    /// Bytes that the ids took when it was last here.
    ids: usize,
    /// Records before it only teach their ids.
    start: i64,
    replay: Option<Intent>,
    limits: DuplicateLimits,
    records: Records,
}

/// A range that was taken out to be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealed {
    /// The range.
    pub(crate) intent: Intent,
    /// Whether the intent stands in Kafka already, from an earlier life.
    pub(crate) is_replay: bool,
    /// Append time of its last record.
    pub(crate) appended_at: i64,
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
    pub(crate) fn new(
        family: usize,
        position: Position,
        limits: DuplicateLimits,
        decoder: EventDecoder,
    ) -> Partition {
        // A replay must drop the same copies, so it keeps the limits under which it was sealed until the next assignment.
        let limits = position.replay.map_or(limits, |intent| intent.limits);
        Partition {
            family,
            topic: position.topic,
            number: position.partition,
            committed: position.next,
            next: Next::Nothing,
            storing: None,
            earliest: Instant::now(),
            waiting_since: None,
            preparer: Some(Box::new(Preparer { decoder, window: DuplicateWindow::new(limits) })),
            ids: 0,
            start: position.next,
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
    ) -> Result<(), SinkError> {
        if offset >= self.start {
            self.records.push(offset, appended_at, payload);
            if self.waiting_since.is_none() && self.ready() > 0 {
                self.waiting_since = Some(Instant::now());
            }
            return Ok(());
        }
        // Nothing is prepared before the position is reached.
        let Some(preparer) = &mut self.preparer else { return Ok(()) };
        match preparer.decoder.key(payload.unwrap_or_default()) {
            Ok(key) => {
                preparer.window.is_duplicate(key, offset, EventTime(appended_at));
                self.ids = preparer.window.bytes();
            }
            Err(DecodeError::Registry(error)) => return Err(SinkError::Registry(error)),
            Err(_) => {}
        }
        Ok(())
    }

    /// Bytes that wait.
    pub(crate) fn held(&self) -> usize {
        self.records.held()
    }

    /// Bytes of the ids that a copy would be a copy of.
    pub(crate) fn ids(&self) -> usize {
        self.ids
    }

    /// Bytes of what is being prepared and stored.
    pub(crate) fn at_work(&self) -> usize {
        let next = match &self.next {
            Next::Nothing => 0,
            Next::Preparing(bytes) => *bytes,
            Next::Ready(work) => work.held(),
        };
        next + self.storing.as_ref().map_or(0, |work| work.held())
    }

    /// Whether nothing of it waits or is under way.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.next, Next::Nothing) && self.storing.is_none() && self.ready() == 0
    }

    /// Whether a range is to be sealed now.
    pub(crate) fn is_due(&self, rules: Rules, now: Instant) -> bool {
        if !self.can_be_sealed() {
            return false;
        }
        let is_old =
            || self.waiting_since.is_some_and(|since| now - since >= rules.age) && now >= self.earliest;
        let is_full = self.ready() >= rules.rows || self.records.held() >= rules.bytes;
        is_full || rules.is_draining || self.replay.is_some() || is_old()
    }

    /// Whether there is a range to be sealed, and nobody at work on the one before it.
    pub(crate) fn can_be_sealed(&self) -> bool {
        self.ready() > 0 && self.preparer.is_some() && matches!(self.next, Next::Nothing)
    }

    /// Takes the preparer back.
    pub(crate) fn give_back(&mut self, preparer: Box<Preparer>) {
        self.ids = preparer.window.bytes();
        self.preparer = Some(preparer);
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

    /// Takes a range out to be prepared: the one to replay, else at most `most` records.
    pub(crate) fn seal(&mut self, most: usize) -> Option<(Sealed, Records, Box<Preparer>)> {
        let (sealed, records) = self.take(most)?;
        let preparer = self.preparer.take()?;
        self.next = Next::Preparing(records.held() * WORK);
        self.waiting_since = (self.ready() > 0).then(Instant::now);
        Some((sealed, records, preparer))
    }

    fn take(&mut self, most: usize) -> Option<(Sealed, Records)> {
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
            is_split: false,
        };
        let sealed = Sealed {
            intent: replay.unwrap_or(fresh),
            is_replay: replay.is_some(),
            appended_at: last.appended_at,
        };
        Some((sealed, records))
    }
}

#[cfg(test)]
mod tests {
    use touchstream_schemas::event::Family;
    use touchstream_schemas::registry::SchemaRegistry;
    use touchstream_schemas::time::Millis;

    use super::*;

    const LIMITS: DuplicateLimits = DuplicateLimits { age: Millis(60_000), records: 1_000 };

    fn partition(next: i64, replay: Option<(i64, i64)>, registry: Option<SchemaRegistry>) -> Partition {
        let intent = |(min, max)| Intent { min, max, first_appended_at: 0, limits: LIMITS, is_split: false };
        let replay = replay.map(intent);
        let position = Position { topic: "cx.app".to_owned(), partition: 0, next, replay, appended_at: None };
        let decoder = EventDecoder::new(Family::App, registry).expect("a known schema");
        Partition::new(0, position, LIMITS, decoder)
    }

    #[test]
    fn a_replay_goes_on_reading_until_its_whole_range_is_held() {
        let mut replayed = partition(5, Some((5, 7)), None);
        for (offset, unfinished) in [(3, true), (5, true), (6, true), (7, false), (8, false)] {
            replayed.accept(offset, 0, Some(b"x")).expect("no registry is asked");
            assert_eq!(replayed.is_replay_unfinished(), unfinished, "after offset {offset}");
        }
        let (sealed, records, _) = replayed.seal(1).expect("the range is complete");
        assert_eq!((sealed.intent.min, sealed.intent.max, records.list.len()), (5, 7, 3));
        assert!(!replayed.is_replay_unfinished());
        assert!(!partition(5, None, None).is_replay_unfinished(), "fresh records can be sealed at any time");
    }

    #[test]
    fn one_range_is_prepared_at_a_time() {
        let mut busy = partition(0, None, None);
        let rules = Rules { rows: 1, bytes: 1, age: Duration::ZERO, is_draining: true, is_short: false };
        for offset in 0..4 {
            busy.accept(offset, 0, Some(b"x")).expect("no registry is asked");
        }
        assert!(busy.is_due(rules, Instant::now()));
        let (.., preparer) = busy.seal(2).expect("two records");
        assert!(
            !busy.is_due(rules, Instant::now()),
            "its ids are known only when the first range is through"
        );
        assert!(busy.at_work() > 0 && !busy.is_idle());
        busy.give_back(preparer);
        busy.next = Next::Nothing;
        assert!(busy.is_due(rules, Instant::now()));
    }

    #[test]
    fn an_id_that_only_the_registry_can_reveal_is_not_skipped() {
        // Nobody listens at port 0.
        let mut rebuilt = partition(5, None, Some(SchemaRegistry::new("http://127.0.0.1:0")));
        rebuilt.accept(3, 0, Some(b"x")).expect("undecodable records have no id and were rejected long ago");
        let outcome = rebuilt.accept(4, 0, Some(&[0, 0, 0, 0, 7, 1, 2]));
        assert!(matches!(outcome, Err(SinkError::Registry(_))), "{outcome:?}");
    }
}
