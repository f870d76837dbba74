//! The changelog of a partition's journeys: states that changed together share a record, a *segment*, under a number of its own.
//!
//! A record for every state would cost more than all the rest of measuring. So a state is not superseded by a record of the same key, as
//! in other changelogs, but by a later segment that holds the journey as well; memory knows which segment holds the newest state of each
//! journey. A segment that holds no newest state any more is deleted. When more than half of all states are superseded, the newest states in
//! the oldest segments are written once more, into a new one, so that what a restore reads is at most twice what is held.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::LazyLock;

use touchstream_schemas::avro::JOURNEYS;
use touchstream_schemas::batch::{self, Bytes};
use touchstream_schemas::codec::{DecodeError, Decoder};

use super::Rules;
use super::shelf::Place;
use crate::measure::packed::{self, Unpacker};

/// A segment ends when it has grown beyond this: large enough that what Kafka's client does for a record counts for nothing, small enough
/// that its memory is used again instead of asked for anew.
const SEGMENT_BYTES: usize = 64 << 10;
/// Buffers that are kept for later segments.
const SPARE_BUFFERS: usize = 64;
/// Superseded states that are always borne.
const SLACK: usize = 20_000;

/// A segment that is held in mind; one more than its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(NonZeroU32);

impl Slot {
    fn at(index: usize) -> Slot {
        let next = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Slot(next.expect("there are far fewer segments than states"))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[derive(Debug, Default)]
struct Segment {
    number: u64,
    /// Journeys whose newest state is here.
    live: usize,
    /// Journeys whose state is or was here.
    places: Vec<Place>,
}

/// A journey's state as it stands in a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct State<'a> {
    pub(super) key: &'a str,
    pub(super) revision: i64,
    /// Packed events.
    pub(super) points: &'a [u8],
    /// Packed facts.
    pub(super) facts: &'a [u8],
}

/// A segment to be sent; without a value it is deleted.
pub type SegmentRecord<'r> = (u64, Option<&'r [u8]>);

/// All segments of a partition.
#[derive(Debug, Default)]
pub(super) struct Segments {
    slots: Vec<Segment>,
    free: Vec<Slot>,
    by_number: BTreeMap<u64, Slot>,
    open: Option<Slot>,
    states: Vec<u8>,
    next_number: u64,
    /// States in all segments, superseded ones included.
    entries: usize,
    live: usize,
    /// Segments that may hold no newest state any more.
    emptied: Vec<Slot>,
    /// Numbers and states of segments that ended and were not sent yet.
    ready: Vec<(u64, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
    record: Vec<u8>,
}

impl Segments {
    /// Writes the newest state of the journey at `place` and returns where it is; `before` is where it was.
    pub(super) fn append(&mut self, place: Place, before: Option<Slot>, state: State<'_>) -> Slot {
        self.supersede(before);
        let slot = match self.open {
            Some(slot) => slot,
            None => {
                let slot = self.insert(self.next_number);
                self.open = Some(slot);
                slot
            }
        };
        self.enter(slot, place);
        let State { key, revision, points, facts } = state;
        let states = &mut self.states;
        number(key.len() as u64, states);
        states.extend_from_slice(key.as_bytes());
        number(revision.cast_unsigned(), states);
        let points_length = points.len() as u64;
        number(length_of_number(points_length) + points_length + facts.len() as u64, states);
        number(points_length, states);
        states.extend_from_slice(points);
        states.extend_from_slice(facts);
        if states.len() >= SEGMENT_BYTES {
            self.close();
        }
        slot
    }

    /// The newest state in `slot` is none any more.
    pub(super) fn supersede(&mut self, slot: Option<Slot>) {
        let Some(slot) = slot else { return };
        let segment = &mut self.slots[slot.index()];
        segment.live -= 1;
        self.live -= 1;
        if segment.live == 0 {
            self.emptied.push(slot);
            // What is about to be deleted is no burden any more.
            self.entries -= std::mem::take(&mut segment.places).len();
        }
    }

    /// Journeys whose newest states shall be written once more, if the changelog has grown beyond twice what is held.
    pub(super) fn to_rewrite(&self) -> Option<(Slot, Vec<Place>)> {
        if self.entries <= 2 * self.live + SLACK {
            return None;
        }
        let oldest = self.by_number.values().find(|slot| self.slots[slot.index()].live > 0)?;
        (self.open != Some(*oldest)).then(|| (*oldest, self.slots[oldest.index()].places.clone()))
    }

    /// Hands out the segments that have ended.
    pub(super) fn send_ended<E>(
        &mut self,
        mut send: impl FnMut(SegmentRecord<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (number, mut states) in self.ready.drain(..) {
            batch::Journeys { format: packed::FORMAT, states: Bytes(&states) }.encode_into(&mut self.record);
            if self.spare.len() < SPARE_BUFFERS {
                states.clear();
                self.spare.push(states);
            }
            send((number, Some(&self.record)))?;
        }
        Ok(())
    }

    /// Ends the segment that is being written, and hands out everything that is to be sent.
    pub(super) fn send_all<E>(
        &mut self,
        mut send: impl FnMut(SegmentRecord<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.close();
        self.send_ended(&mut send)?;
        for slot in std::mem::take(&mut self.emptied) {
            let segment = &self.slots[slot.index()];
            if segment.live > 0 || self.by_number.get(&segment.number) != Some(&slot) {
                continue;
            }
            let number = segment.number;
            self.forget(slot);
            send((number, None))?;
        }
        Ok(())
    }

    /// A segment of the changelog, in the order of the changelog. `place_of` finds or makes the place of a state's journey and tells where
    /// its newest state was until now; false when the bytes are no states.
    pub(super) fn restore<'b>(
        &mut self,
        number: u64,
        states: &'b [u8],
        mut place_of: impl FnMut(Slot, Restored<'b>) -> (Place, Option<Slot>),
    ) -> bool {
        let slot = self.insert(number);
        let mut rest = states;
        while !rest.is_empty() {
            let Some(state) = Restored::read(&mut rest) else { return false };
            let (place, before) = place_of(slot, state);
            self.supersede(before);
            self.enter(slot, place);
        }
        if self.slots[slot.index()].live == 0 {
            self.emptied.push(slot);
        }
        true
    }

    /// A segment was deleted: its slot, and the journeys whose state was in it.
    pub(super) fn restore_deleted(&mut self, number: u64) -> Option<(Slot, Vec<Place>)> {
        let slot = *self.by_number.get(&number)?;
        let places = std::mem::take(&mut self.slots[slot.index()].places);
        self.entries -= places.len();
        self.live -= self.slots[slot.index()].live;
        self.forget(slot);
        Some((slot, places))
    }

    fn insert(&mut self, number: u64) -> Slot {
        let segment = Segment { number, ..Segment::default() };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot.index()] = segment;
                slot
            }
            None => {
                self.slots.push(segment);
                Slot::at(self.slots.len() - 1)
            }
        };
        self.by_number.insert(number, slot);
        self.next_number = self.next_number.max(number + 1);
        slot
    }

    fn enter(&mut self, slot: Slot, place: Place) {
        let segment = &mut self.slots[slot.index()];
        segment.live += 1;
        segment.places.push(place);
        self.live += 1;
        self.entries += 1;
    }

    fn forget(&mut self, slot: Slot) {
        let segment = std::mem::take(&mut self.slots[slot.index()]);
        self.entries -= segment.places.len();
        self.by_number.remove(&segment.number);
        self.free.push(slot);
    }

    fn close(&mut self) {
        let Some(slot) = self.open.take() else { return };
        let segment = &mut self.slots[slot.index()];
        segment.places.shrink_to_fit();
        let next = self.spare.pop().unwrap_or_default();
        self.ready.push((segment.number, std::mem::replace(&mut self.states, next)));
    }
}

/// A state that was read back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restored<'b> {
    pub(super) key: &'b str,
    pub(super) revision: i64,
    /// Length of the events, events, facts.
    pub(super) body: &'b [u8],
}

impl<'b> Restored<'b> {
    fn read(rest: &mut &'b [u8]) -> Option<Restored<'b>> {
        let key = std::str::from_utf8(slice(rest)?).ok()?;
        let revision = read_number(rest)?.cast_signed();
        Some(Restored { key, revision, body: slice(rest)? })
    }

    /// Events and facts of a body.
    pub(super) fn split(body: &[u8]) -> Option<(&[u8], &[u8])> {
        let mut rest = body;
        let length = usize::try_from(read_number(&mut rest)?).ok()?;
        rest.split_at_checked(length)
    }
}

/// A journey's key and its packed state.
pub(crate) type KeyedState<'r> = (&'r [u8], &'r [u8]);
/// A journey's events and facts.
pub(crate) type Unpacked<R> = (Vec<<R as Rules>::Point>, Vec<<R as Rules>::Fact>);

/// The states of a segment, each with its journey's key, as [`segment_of`] takes them; `None` when the bytes are no segment.
pub(crate) fn states_of(record: &[u8]) -> Result<Vec<KeyedState<'_>>, DecodeError> {
    let unreadable = || DecodeError::TrailingBytes { schema: JOURNEYS.name.to_owned() };
    let mut rest = read(&DECODER, record)?;
    let mut states = Vec::new();
    while !rest.is_empty() {
        let key = slice(&mut rest).ok_or_else(unreadable)?;
        let from = rest;
        let read = read_number(&mut rest).and_then(|_revision| slice(&mut rest));
        read.ok_or_else(unreadable)?;
        states.push((key, &from[..from.len() - rest.len()]));
    }
    Ok(states)
}

/// A segment of these states.
pub(crate) fn segment_of<'s>(states: impl IntoIterator<Item = (&'s [u8], &'s [u8])>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, state) in states {
        number(key.len() as u64, &mut bytes);
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(state);
    }
    let mut record = Vec::new();
    batch::Journeys { format: packed::FORMAT, states: Bytes(&bytes) }.encode_into(&mut record);
    record
}

/// Events, facts and revision of a state of [`states_of`]; `None` when the bytes are no state.
pub(crate) fn journey_of<R: Rules>(key: &str, state: &[u8]) -> Option<Unpacked<R>> {
    let mut rest = state;
    let revision = read_number(&mut rest)?.cast_signed();
    let body = slice(&mut rest)?;
    let (points, facts) = Restored::split(body)?;
    let mut unpacker = Unpacker::new(key, body);
    unpacker.skip(body.len() - points.len() - facts.len());
    let points = super::unpack_points::<R>(&mut unpacker, facts.len());
    let mut facts = R::unpack_facts(&points, &mut unpacker);
    facts.iter_mut().for_each(|fact| R::stamp(fact, revision, false));
    Some((points, facts))
}

/// The packed states of a record of a changelog.
pub(crate) fn read<'b>(decoder: &Decoder, record: &'b [u8]) -> Result<&'b [u8], DecodeError> {
    let batch::Journeys { format, states } = decoder.decode(record)?;
    if format != packed::FORMAT {
        return Err(DecodeError::Format { schema: JOURNEYS.name, format });
    }
    Ok(states.0)
}

static DECODER: LazyLock<Decoder> = LazyLock::new(|| Decoder::new(&[&JOURNEYS]));

fn slice<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(read_number(rest)?).ok()?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

fn number(value: u64, into: &mut Vec<u8>) {
    let mut rest = value;
    while rest >= 0x80 {
        into.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    into.push((rest & 0x7F) as u8);
}

fn length_of_number(value: u64) -> u64 {
    u64::from((u64::BITS - value.leading_zeros()).div_ceil(7).max(1))
}

fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if *byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
}
