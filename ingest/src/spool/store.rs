//! The ledger on its disk: groups of records in by one sync, records out in order, and what a crash left behind.
//!
//! Promise: a group is confirmed only after a sync that succeeded. A segment whose sync failed is never written again: the kernel
//! may have dropped its pages and report success the next time.

use std::time::{Duration, Instant};

use touchstream_schemas::time::EventTime;

use super::disk::{Disk, Folder, SpoolError};
use super::format::{FRAME_BYTES, HEADER_BYTES, Record, SegmentHeader, Step, step, write_record};
use super::ledger::{Ledger, Limits, NotAdmitted, Place, Segment};

/// How long nothing is written after the disk failed.
const PAUSE: Duration = Duration::from_secs(1);
/// Room that must be left for the spool to count as able to take more.
const LEAST_ROOM: u64 = 64 * 1024;

/// Records that are written together or not at all.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Bodies {
    /// Adds a record.
    pub(crate) fn push(&mut self, record: &Record<'_>) {
        record.write_body(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Adds a record as another one of these holds it.
    pub(crate) fn push_body(&mut self, body: &[u8]) {
        self.bytes.extend_from_slice(body);
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.ends.len()
    }

    /// The bodies one after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    /// Bytes that they take in a segment.
    pub(crate) fn framed_bytes(&self) -> u64 {
        (self.bytes.len() + self.count() * FRAME_BYTES) as u64
    }
}

/// What is damaged, and how it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The end of what was written when the process or machine stopped.
    Torn,
    /// Bytes that changed on the disk.
    Corrupt,
}

impl Damage {
    /// All kinds, for metrics.
    pub(crate) const ALL: [Damage; 2] = [Damage::Torn, Damage::Corrupt];

    /// As a label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Damage::Torn => "torn",
            Damage::Corrupt => "corrupt",
        }
    }
}

/// What one round of sending on did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Forwarded {
    pub(crate) sent: usize,
    /// Stretches of a segment that are no records.
    pub(crate) damaged: usize,
    /// The producer took no more.
    pub(crate) is_queue_full: bool,
}

#[derive(Debug)]
struct Loaded {
    header: SegmentHeader,
    from: u64,
    bytes: Vec<u8>,
}

/// A spool on a disk.
#[derive(Debug)]
pub(crate) struct Store<D> {
    disk: D,
    pub(crate) ledger: Ledger,
    failed_at: Option<Instant>,
    loaded: Option<Loaded>,
    saved: Option<(SegmentHeader, u64)>,
    /// How long nothing is written after a failure.
    pause: Duration,
}

impl Store<Folder> {
    /// Takes over what the last process left; tells each damage through `report`.
    pub(crate) fn recover(
        mut folder: Folder,
        limits: Limits,
        mut report: impl FnMut(Damage),
    ) -> Result<Store<Folder>, SpoolError> {
        let progress = folder.progress();
        let headers = folder.segments()?;
        let (mut segments, mut done, mut records) = (Vec::new(), None, 0);
        for (index, header) in headers.iter().enumerate() {
            let bytes = folder.read_all(*header)?;
            let progress_here = progress.filter(|(found, _)| found == header).map(|(_, offset)| offset);
            let scan = scan(&bytes, *header, progress_here);
            let is_last = index + 1 == headers.len();
            if SegmentHeader::parse(&bytes) != Some(*header) && bytes.len() >= HEADER_BYTES {
                tracing::error!(
                    segment = header.number,
                    "the header of a spool segment is damaged; its name is used instead"
                );
                report(Damage::Corrupt);
            }
            if scan.good < bytes.len() {
                let damage = if is_last { Damage::Torn } else { Damage::Corrupt };
                let cut = bytes.len() - scan.good;
                tracing::warn!(
                    segment = header.number,
                    offset = scan.good,
                    bytes = cut,
                    damage = damage.name(),
                    "the end of a spool segment is no whole record and is cut off"
                );
                report(damage);
                folder.cut(*header, scan.good as u64)?;
            }
            if scan.records == 0 && scan.good <= HEADER_BYTES {
                // Begun and never written; its number may come again.
                folder.delete(*header).map_err(|source| folder.error(source))?;
                continue;
            }
            if let Some(offset) = scan.done {
                done = Some(Place { segment: header.number, offset });
                // What came before has been sent.
                records = 0;
            }
            records += scan.records_after;
            segments.push(Segment {
                header: *header,
                bytes: scan.good.max(HEADER_BYTES) as u64,
                records: scan.records,
                first_at: scan.first_at.unwrap_or(EventTime(0)),
                sealed: true,
            });
        }
        if segments.is_empty() {
            done = progress.map(|(header, offset)| Place { segment: header.number, offset });
        }
        Ok(Store::new(folder, Ledger::new(limits, segments, done, records)))
    }
}

struct Scan {
    /// Length up to the end of the last whole record.
    good: usize,
    records: u64,
    records_after: u64,
    /// The progress, when it lies between two records of this segment.
    done: Option<u64>,
    first_at: Option<EventTime>,
}

fn scan(bytes: &[u8], header: SegmentHeader, progress: Option<u64>) -> Scan {
    let mut at = HEADER_BYTES.min(bytes.len());
    let mut scan = Scan { good: at, records: 0, records_after: 0, done: None, first_at: None };
    loop {
        if progress == Some(at as u64) {
            scan.done = progress;
            scan.records_after = 0;
        }
        match step(bytes, at, header.id, 0) {
            Step::Record { record, end } => {
                scan.records += 1;
                scan.records_after += 1;
                scan.first_at.get_or_insert(record.spooled_at);
                scan.good = end;
                at = end;
            }
            // Counted when it is read for sending.
            Step::Damage { end } => at = end,
            Step::DamagedTail | Step::End => return scan,
        }
    }
}

impl<D: Disk> Store<D> {
    pub(crate) fn new(disk: D, ledger: Ledger) -> Store<D> {
        Store { disk, ledger, failed_at: None, loaded: None, saved: None, pause: PAUSE }
    }

    /// Whether more is admitted.
    pub(crate) fn is_accepting(&self, now: EventTime) -> Result<(), NotAdmitted> {
        if self.failed_at.is_some() {
            return Err(NotAdmitted::Disk);
        }
        self.ledger.admit(LEAST_ROOM, now)
    }

    /// After a failure: tries from time to time whether the disk takes something again.
    pub(crate) fn probe(&mut self, now: EventTime) {
        if self.failed_at.is_some_and(|failed| failed.elapsed() >= self.pause) {
            self.try_write(&[], 0, now);
        }
    }

    fn try_write(&mut self, groups: &[&Bodies], bytes: u64, now: EventTime) -> bool {
        match self.write(groups, bytes, now) {
            Ok(()) => {
                if self.failed_at.take().is_some() {
                    tracing::info!("the spool can be written again");
                }
                true
            }
            Err(error) => {
                tracing::error!(%error, "the spool cannot be written; nothing of it is confirmed");
                self.failed_at = Some(Instant::now());
                false
            }
        }
    }

    /// Writes groups by one sync; an answer for each, in order. After a first refusal the rest is refused too: nothing overtakes.
    pub(crate) fn commit(&mut self, groups: &[&Bodies], now: EventTime) -> Vec<Result<(), NotAdmitted>> {
        let (mut bytes, mut admitted, mut refusal) = (HEADER_BYTES as u64, 0, None);
        if self.failed_at.is_some_and(|failed| failed.elapsed() < self.pause) {
            refusal = Some(NotAdmitted::Disk);
        }
        for group in groups {
            if refusal.is_none() {
                refusal = self.ledger.admit(bytes + group.framed_bytes(), now).err();
            }
            if refusal.is_some() {
                break;
            }
            bytes += group.framed_bytes();
            admitted += 1;
        }
        let mut answers = vec![Ok(()); admitted];
        if admitted > 0 && !self.try_write(&groups[..admitted], bytes - HEADER_BYTES as u64, now) {
            refusal = Some(NotAdmitted::Disk);
            answers.fill(Err(NotAdmitted::Disk));
        }
        answers.resize(groups.len(), refusal.map_or(Ok(()), Err));
        answers
    }

    fn write(&mut self, groups: &[&Bodies], bytes: u64, now: EventTime) -> std::io::Result<()> {
        let segment = match self.ledger.open_segment(bytes) {
            Some(segment) => segment,
            None => {
                self.ledger.seal();
                let header = SegmentHeader {
                    number: self.ledger.next_number(),
                    id: uuid::Uuid::new_v4().as_u64_pair().0,
                };
                self.disk.create(header)?;
                self.ledger.begin_segment(header, now);
                self.ledger.open_segment(bytes).expect("a fresh segment takes any group")
            }
        };
        let mut buffer = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
        let mut records = 0;
        for body in groups.iter().flat_map(|group| group.iter()) {
            let offset = segment.bytes + buffer.len() as u64;
            write_record(&mut buffer, segment.header.id, offset, body);
            records += 1;
        }
        if let Err(error) = self.disk.append(&buffer).and_then(|()| self.disk.sync()) {
            self.disk.abandon(segment.header, segment.bytes);
            self.ledger.seal();
            return Err(error);
        }
        self.ledger.wrote(buffer.len() as u64, records);
        Ok(())
    }

    /// Hands at most `budget` records to `send` in order, until it takes no more.
    pub(crate) fn forward(
        &mut self,
        budget: usize,
        mut send: impl FnMut(&Record<'_>, u64) -> bool,
    ) -> std::io::Result<Forwarded> {
        let mut forwarded = Forwarded::default();
        while forwarded.sent < budget {
            let Some(unread) = self.ledger.unread() else { break };
            let is_loaded = self.loaded.as_ref().is_some_and(|loaded| {
                let end = loaded.from + loaded.bytes.len() as u64;
                loaded.header == unread.header && loaded.from <= unread.from && unread.from < end
            });
            if !is_loaded {
                let bytes = self.disk.read(unread.header, unread.from, unread.to)?;
                self.loaded = Some(Loaded { header: unread.header, from: unread.from, bytes });
            }
            let Some(loaded) = &self.loaded else { break };
            let at = usize::try_from(unread.from - loaded.from).expect("it lies in memory");
            let place =
                |end: usize| Place { segment: unread.header.number, offset: loaded.from + end as u64 };
            match step(&loaded.bytes, at, unread.header.id, loaded.from) {
                Step::Record { record, end } => {
                    if !send(&record, self.ledger.next_sent()) {
                        forwarded.is_queue_full = true;
                        break;
                    }
                    let (end, at) = (place(end), record.spooled_at);
                    self.ledger.sent(end, at);
                    forwarded.sent += 1;
                }
                other => {
                    let end = match other {
                        Step::Damage { end } => end,
                        _ => loaded.bytes.len(),
                    };
                    tracing::error!(
                        segment = unread.header.number,
                        offset = unread.from,
                        bytes = end - at,
                        "a stretch of the spool is damaged; what stood there is lost"
                    );
                    let end = place(end);
                    self.ledger.skipped(end);
                    forwarded.damaged += 1;
                }
            }
        }
        if self.ledger.unread().is_none() {
            self.loaded = None;
        }
        Ok(forwarded)
    }

    /// Reads the record again that was handed to the producer under this number and not acknowledged since.
    pub(crate) fn read_sent<T>(
        &self,
        number: u64,
        take: impl FnOnce(&Record<'_>) -> T,
    ) -> std::io::Result<Option<T>> {
        let Some(place) = self.ledger.place_of(number) else { return Ok(None) };
        let bytes = self.disk.read(place.header, place.from, place.to)?;
        match step(&bytes, 0, place.header.id, place.from) {
            Step::Record { record, .. } => Ok(Some(take(&record))),
            _ => Err(std::io::ErrorKind::InvalidData.into()),
        }
    }

    /// Deletes what is not needed any more and notes the progress.
    pub(crate) fn tidy(&mut self) -> std::io::Result<()> {
        if self.ledger.is_drained() {
            self.ledger.seal();
        }
        // Noted before anything is deleted: the numbers of segments must never begin again.
        if let Some(done) = self.ledger.done()
            && self.saved != Some(done)
        {
            self.disk.save_progress(done.0, done.1)?;
            self.saved = Some(done);
        }
        while let Some(header) = self.ledger.take_finished() {
            self.disk.delete(header)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
