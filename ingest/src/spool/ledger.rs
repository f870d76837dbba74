//! What the spool holds, what of it was sent, and what Kafka has: the decisions, without disk or Kafka.
//!
//! Pure. Promise: a segment is given up only when every record in it is acknowledged or known to be damaged; nothing is admitted beyond
//! the bounds.
//!
//! **Age bounds what is admitted, not what is kept.** A 202 was given for every record here, so none is ever dropped for its age. When
//! the oldest record that Kafka does not have is older than the limit, somebody has to look at Kafka, and clients, whose own
//! queues may hold more, are told 503 instead of adding to what is stuck.

use std::collections::VecDeque;

use touchstream_schemas::time::{EventTime, Millis};

use super::format::{HEADER_BYTES, SegmentHeader};

/// Bounds of the spool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of all segments together.
    pub(crate) bytes: u64,
    /// Age of the oldest record that Kafka does not have.
    pub(crate) age: Millis,
    /// A segment is ended at this size.
    pub(crate) segment_bytes: u64,
}

/// Why nothing more is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// All bytes are used.
    Full,
    /// The oldest record is too old.
    Age,
    /// The disk fails.
    Disk,
    /// More waits to be written than may.
    Busy,
}

impl NotAdmitted {
    /// All reasons, for metrics.
    pub(crate) const ALL: [NotAdmitted; 4] =
        [NotAdmitted::Full, NotAdmitted::Age, NotAdmitted::Disk, NotAdmitted::Busy];

    /// As a label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            NotAdmitted::Full => "full",
            NotAdmitted::Age => "age",
            NotAdmitted::Disk => "disk",
            NotAdmitted::Busy => "busy",
        }
    }
}

/// A place in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

/// A file of the spool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) header: SegmentHeader,
    /// Bytes that were synced.
    pub(crate) bytes: u64,
    pub(crate) records: u64,
    pub(crate) first_at: EventTime,
    /// Nothing more is written to it.
    pub(crate) sealed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    end: Place,
    at: EventTime,
    bytes: u64,
    is_record: bool,
    done: bool,
}

/// A stretch of a segment that was not read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) header: SegmentHeader,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// The state of the spool.
#[derive(Debug)]
pub(crate) struct Ledger {
    limits: Limits,
    segments: VecDeque<Segment>,
    /// Everything before it is acknowledged.
    done: Place,
    /// What is read next.
    cursor: Place,
    /// What was sent and stands between `done` and `cursor`.
    sent: VecDeque<Sent>,
    /// Number of the first of `sent`.
    first_sent: u64,
    sent_bytes: u64,
    records: u64,
    last_done_at: EventTime,
}

impl Ledger {
    /// A spool that holds `segments`, of which everything before `done` is acknowledged, `records` are not.
    pub(crate) fn new(limits: Limits, segments: Vec<Segment>, done: Option<Place>, records: u64) -> Ledger {
        let start = segments.first().map(|segment| begin(segment.header.number));
        let done = done.or(start).unwrap_or(begin(0));
        Ledger {
            limits,
            segments: segments.into(),
            done,
            cursor: done,
            sent: VecDeque::new(),
            first_sent: 0,
            sent_bytes: 0,
            records,
            last_done_at: EventTime(i64::MIN),
        }
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Records that are not acknowledged.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// When the oldest record that is not acknowledged came in.
    pub(crate) fn oldest(&self) -> Option<EventTime> {
        let waiting = self.sent.iter().find(|sent| sent.is_record).map(|sent| sent.at);
        waiting.or_else(|| {
            let unread = self.unread()?;
            let segment = self.segments.iter().find(|segment| segment.header == unread.header)?;
            Some(segment.first_at.max(self.last_done_at))
        })
    }

    /// Whether `bytes` more may be written.
    pub(crate) fn admit(&self, bytes: u64, now: EventTime) -> Result<(), NotAdmitted> {
        if self.bytes() + bytes > self.limits.bytes {
            return Err(NotAdmitted::Full);
        }
        match self.oldest() {
            Some(oldest) if now - oldest > self.limits.age => Err(NotAdmitted::Age),
            _ => Ok(()),
        }
    }

    /// Whether the segment that is written has room for `bytes`; without one, a new one is needed.
    pub(crate) fn open_segment(&self, bytes: u64) -> Option<Segment> {
        let last = self.segments.back().filter(|segment| !segment.sealed)?;
        let is_fresh = last.bytes == HEADER_BYTES as u64;
        (is_fresh || last.bytes + bytes <= self.limits.segment_bytes).then_some(*last)
    }

    /// A new segment is written from now on.
    pub(crate) fn begin_segment(&mut self, header: SegmentHeader, now: EventTime) {
        self.seal();
        if self.segments.is_empty() {
            self.done = begin(header.number);
            self.cursor = self.done;
        }
        let bytes = HEADER_BYTES as u64;
        self.segments.push_back(Segment { header, bytes, records: 0, first_at: now, sealed: false });
    }

    /// `bytes` with `records` were written to the open segment and synced.
    pub(crate) fn wrote(&mut self, bytes: u64, records: u64) {
        let last = self.segments.back_mut().expect("something is written to a segment that was begun");
        last.bytes += bytes;
        last.records += records;
        self.records += records;
    }

    /// Nothing more is written to the open segment.
    pub(crate) fn seal(&mut self) {
        if let Some(last) = self.segments.back_mut() {
            last.sealed = true;
        }
    }

    /// The number that a new segment gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.segments.back().map_or(self.done.segment, |last| last.header.number) + 1
    }

    /// What is to be read next.
    pub(crate) fn unread(&self) -> Option<Unread> {
        self.segments.iter().find_map(|segment| {
            let number = segment.header.number;
            let from = match number.cmp(&self.cursor.segment) {
                std::cmp::Ordering::Less => return None,
                std::cmp::Ordering::Equal => self.cursor.offset,
                std::cmp::Ordering::Greater => HEADER_BYTES as u64,
            };
            (from < segment.bytes).then_some(Unread { header: segment.header, from, to: segment.bytes })
        })
    }

    /// The number under which the acknowledgement of the next record comes.
    pub(crate) fn next_sent(&self) -> u64 {
        self.first_sent + self.sent.len() as u64
    }

    /// The record that ends at `end` was handed to the producer under the number of [`Ledger::next_sent`].
    pub(crate) fn sent(&mut self, end: Place, at: EventTime) {
        let bytes = end.offset.saturating_sub(self.cursor_in(end.segment));
        self.cursor = end;
        self.sent.push_back(Sent { end, at, bytes, is_record: true, done: false });
        self.sent_bytes += bytes;
    }

    /// What stands before `end` is no record; nothing is to be sent.
    pub(crate) fn skipped(&mut self, end: Place) {
        self.cursor = end;
        self.sent.push_back(Sent { end, at: self.last_done_at, bytes: 0, is_record: false, done: true });
        self.advance();
    }

    fn cursor_in(&self, segment: u64) -> u64 {
        if self.cursor.segment == segment { self.cursor.offset } else { HEADER_BYTES as u64 }
    }

    /// Kafka has the record.
    pub(crate) fn acknowledge(&mut self, number: u64) {
        let index = number.checked_sub(self.first_sent).and_then(|index| usize::try_from(index).ok());
        if let Some(sent) = index.and_then(|index| self.sent.get_mut(index)) {
            sent.done = true;
            self.advance();
        }
    }

    /// Where the record lies that was handed to the producer under this number.
    pub(crate) fn place_of(&self, number: u64) -> Option<Unread> {
        let index = usize::try_from(number.checked_sub(self.first_sent)?).ok()?;
        let sent = self.sent.get(index).filter(|sent| sent.is_record && !sent.done)?;
        let segment = self.segments.iter().find(|segment| segment.header.number == sent.end.segment)?;
        let (from, to) = (sent.end.offset - sent.bytes, sent.end.offset);
        Some(Unread { header: segment.header, from, to })
    }

    fn advance(&mut self) {
        while let Some(first) = self.sent.front().copied().filter(|first| first.done) {
            self.sent.pop_front();
            self.first_sent += 1;
            self.sent_bytes -= first.bytes;
            self.done = first.end;
            if first.is_record {
                self.records = self.records.saturating_sub(1);
                self.last_done_at = first.at;
            }
        }
    }

    /// Nobody knows what became of what was sent: everything that is not acknowledged is read again.
    pub(crate) fn rewind(&mut self) {
        self.first_sent += self.sent.len() as u64;
        self.sent.clear();
        self.sent_bytes = 0;
        self.cursor = self.done;
    }

    /// Records on their way, and their bytes.
    pub(crate) fn in_flight(&self) -> (usize, u64) {
        (self.sent.len(), self.sent_bytes)
    }

    /// Whether Kafka has everything.
    pub(crate) fn is_drained(&self) -> bool {
        self.sent.is_empty() && self.unread().is_none()
    }

    /// Everything before it is acknowledged.
    pub(crate) fn done(&self) -> Option<(SegmentHeader, u64)> {
        let segment = self.segments.iter().find(|segment| segment.header.number == self.done.segment)?;
        Some((segment.header, self.done.offset))
    }

    /// Takes out the first segment when it is sealed and Kafka has all of it; the caller deletes its file.
    pub(crate) fn take_finished(&mut self) -> Option<SegmentHeader> {
        let first = self.segments.front()?;
        let header = first.header;
        let number = header.number;
        let is_behind = number < self.done.segment
            || (number == self.done.segment && self.done.offset >= first.bytes)
            || first.bytes <= HEADER_BYTES as u64;
        if !(first.sealed && is_behind && self.sent.iter().all(|sent| sent.end.segment > number)) {
            return None;
        }
        self.segments.pop_front();
        if self.done.segment <= number && !self.segments.is_empty() {
            self.done = begin(self.segments[0].header.number);
            if self.cursor < self.done {
                self.cursor = self.done;
            }
        }
        if self.segments.is_empty() {
            // Damaged records were counted in and never acknowledged.
            self.records = 0;
        }
        Some(header)
    }
}

fn begin(segment: u64) -> Place {
    Place { segment, offset: HEADER_BYTES as u64 }
}
