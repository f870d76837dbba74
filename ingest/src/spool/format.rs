//! The bytes of a segment: a header, then records one after the other, each under a checksum.
//!
//! Pure. The checksum covers the segment's random id and the record's place as well: bytes that a client sent can never pass for a
//! record, nor can a record of another file or place. Promise: whatever the bytes are, every whole record is found and
//! everything else is reported, byte for byte.

use touchstream_schemas::event::Family;
use touchstream_schemas::time::EventTime;

const SEGMENT_MAGIC: [u8; 8] = *b"TSSPOOL1";
/// Bytes that never stand in UTF-8, so that text in a payload is not even tried as a record.
const RECORD_MAGIC: [u8; 4] = [0xFF, 0xC0, 0xFE, 0xC1];
/// Length of a segment's header.
pub(crate) const HEADER_BYTES: usize = 28;
/// Magic, length and checksum of a record.
pub(crate) const FRAME_BYTES: usize = 12;
/// Time, family and length of the key.
const FIXED_BYTES: usize = 13;
/// No record is longer; a length beyond this is damage.
const MAX_BODY_BYTES: usize = 16 << 20;

/// Which segment this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Rises from file to file.
    pub(crate) number: u64,
    /// Random: tells two files of the same number apart.
    pub(crate) id: u64,
}

impl SegmentHeader {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.id.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..24]);
        bytes[24..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The header, when it is whole.
    pub(crate) fn parse(bytes: &[u8]) -> Option<SegmentHeader> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let is_whole =
            bytes[..8] == SEGMENT_MAGIC && crc32fast::hash(&bytes[..24]) == number_32(&bytes[24..]);
        is_whole.then(|| SegmentHeader { number: number_64(&bytes[8..]), id: number_64(&bytes[16..]) })
    }
}

/// An event as the spool holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'b> {
    pub(crate) spooled_at: EventTime,
    pub(crate) family: Family,
    /// The Kafka key.
    pub(crate) key: &'b [u8],
    /// Avro, framed as it goes to Kafka.
    pub(crate) payload: &'b [u8],
}

impl<'b> Record<'b> {
    /// Appends the record without its frame.
    pub(crate) fn write_body(&self, buffer: &mut Vec<u8>) {
        buffer.reserve(FIXED_BYTES + self.key.len() + self.payload.len());
        buffer.extend_from_slice(&self.spooled_at.0.to_le_bytes());
        buffer.push(self.family as u8);
        let length = u32::try_from(self.key.len()).expect("a key is part of an event, which is far smaller");
        buffer.extend_from_slice(&length.to_le_bytes());
        buffer.extend_from_slice(self.key);
        buffer.extend_from_slice(self.payload);
    }

    /// Reads what [`Record::write_body`] wrote.
    pub(crate) fn parse_body(body: &'b [u8]) -> Option<Record<'b>> {
        let (fixed, rest) = body.split_at_checked(FIXED_BYTES)?;
        let (key, payload) = rest.split_at_checked(usize::try_from(number_32(&fixed[9..])).ok()?)?;
        Some(Record {
            spooled_at: EventTime(i64::from_le_bytes(fixed[..8].try_into().ok()?)),
            family: *Family::ALL.get(usize::from(fixed[8]))?,
            key,
            payload,
        })
    }
}

/// Appends a body in its frame, as the record at `offset` of segment `id`.
pub(crate) fn write_record(buffer: &mut Vec<u8>, id: u64, offset: u64, body: &[u8]) {
    let length = u32::try_from(body.len()).expect("bodies are far smaller");
    buffer.extend_from_slice(&RECORD_MAGIC);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&checksum(id, offset, body).to_le_bytes());
    buffer.extend_from_slice(body);
}

/// What stands at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'b> {
    /// A whole record, and where the next begins.
    Record { record: Record<'b>, end: usize },
    /// No record; the next whole one begins at `end`.
    Damage { end: usize },
    /// No record, and none follows.
    DamagedTail,
    /// Nothing is left.
    End,
}

/// Looks at `at` in `bytes`, which begin at `start` in segment `id`.
pub(crate) fn step(bytes: &[u8], at: usize, id: u64, start: u64) -> Step<'_> {
    if at >= bytes.len() {
        return Step::End;
    }
    if let Some((record, end)) = record_at(bytes, at, id, start) {
        return Step::Record { record, end };
    }
    let next = (at + 1..bytes.len()).find(|next| record_at(bytes, *next, id, start).is_some());
    next.map_or(Step::DamagedTail, |end| Step::Damage { end })
}

fn record_at(bytes: &[u8], at: usize, id: u64, start: u64) -> Option<(Record<'_>, usize)> {
    let rest = &bytes[at..];
    if !rest.starts_with(&RECORD_MAGIC) || rest.len() < FRAME_BYTES {
        return None;
    }
    let length = usize::try_from(number_32(&rest[4..])).ok().filter(|length| *length <= MAX_BODY_BYTES)?;
    let body = rest.get(FRAME_BYTES..FRAME_BYTES + length)?;
    if number_32(&rest[8..]) != checksum(id, start + at as u64, body) {
        return None;
    }
    Some((Record::parse_body(body)?, at + FRAME_BYTES + length))
}

fn checksum(id: u64, offset: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&id.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(&(body.len() as u64).to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// The little-endian number in the first four bytes, which the caller has checked to be there.
pub(crate) fn number_32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"))
}

/// The little-endian number in the first eight bytes, which the caller has checked to be there.
pub(crate) fn number_64(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: u64 = 77;

    fn record(number: usize, payload: &[u8]) -> Record<'_> {
        let family = Family::ALL[number % 4];
        Record { spooled_at: EventTime(number as i64), family, key: b"shop|k-1", payload }
    }

    /// Records after a header, and where each ends.
    fn segment(payloads: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = SegmentHeader { number: 1, id: ID }.to_bytes().to_vec();
        let mut ends = Vec::new();
        for (number, payload) in payloads.iter().enumerate() {
            let mut body = Vec::new();
            record(number, payload).write_body(&mut body);
            let offset = bytes.len() as u64;
            write_record(&mut bytes, ID, offset, &body);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    /// Numbers of the records found, and how many stretches are damaged.
    fn walk(bytes: &[u8]) -> (Vec<usize>, usize) {
        let (mut found, mut damaged, mut at) = (Vec::new(), 0, HEADER_BYTES);
        loop {
            match step(bytes, at, ID, 0) {
                Step::Record { record, end } => {
                    found.push(usize::try_from(record.spooled_at.0).expect("it was a number"));
                    at = end;
                }
                Step::Damage { end } => {
                    damaged += 1;
                    at = end;
                }
                Step::DamagedTail => return (found, damaged + 1),
                Step::End => return (found, damaged),
            }
        }
    }

    #[test]
    fn a_segment_torn_at_any_byte_keeps_every_whole_record() {
        let payloads: Vec<Vec<u8>> = (0..5_u8).map(|number| vec![number; usize::from(number) * 7]).collect();
        let (bytes, ends) = segment(&payloads);
        for length in HEADER_BYTES..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= length).count();
            let torn = usize::from(length != HEADER_BYTES && !ends.contains(&length));
            assert_eq!(walk(&bytes[..length]), ((0..whole).collect(), torn), "cut at {length}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_costs_its_own_record_only() {
        let payloads = vec![b"one".to_vec(), b"two".to_vec(), b"three".to_vec()];
        let (bytes, ends) = segment(&payloads);
        for bit in HEADER_BYTES * 8..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let hit = ends.iter().position(|end| bit / 8 < *end).expect("the bit is in a record");
            let expected: Vec<usize> = (0..3).filter(|number| *number != hit).collect();
            assert_eq!(walk(&flipped), (expected, 1), "bit {bit}");
        }
    }

    #[test]
    fn bytes_from_outside_never_pass_for_a_record() {
        // A client sends, inside its event, a record that it copied from another segment; then the event around it is damaged.
        let mut forged = Vec::new();
        let mut body = Vec::new();
        record(9, b"forged").write_body(&mut body);
        write_record(&mut forged, ID + 1, 0, &body);
        let (mut bytes, _) = segment(&[forged, b"after".to_vec()]);
        bytes[HEADER_BYTES + 8] ^= 1;
        assert_eq!(walk(&bytes), (vec![1], 1));
    }

    #[test]
    fn a_header_is_read_only_when_it_is_whole() {
        let header = SegmentHeader { number: 12, id: u64::MAX };
        let bytes = header.to_bytes();
        assert_eq!(SegmentHeader::parse(&bytes), Some(header));
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::parse(&flipped), None, "bit {bit}");
        }
        assert_eq!(SegmentHeader::parse(&bytes[..HEADER_BYTES - 1]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let (found, _) = walk(&[&[0; HEADER_BYTES][..], &bytes].concat());
            prop_assert!(found.is_empty());
        }

        #[test]
        fn records_come_back_as_they_were(payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20)) {
            let (bytes, _) = segment(&payloads);
            let mut at = HEADER_BYTES;
            for (number, payload) in payloads.iter().enumerate() {
                let Step::Record { record: found, end } = step(&bytes, at, ID, 0) else {
                    panic!("record {number} is not found");
                };
                prop_assert_eq!(found, record(number, payload));
                at = end;
            }
            prop_assert_eq!(step(&bytes, at, ID, 0), Step::End);
        }
    }
}
