//! From a range of offsets to inserts: copies and undecodable records fall out, rows part by month of event time, and each month is
//! one insert with its token. Events that this release wrote are read in one pass, all others by way of Arrow. A function of the range and of the duplicate window alone, so that a replay gives the same.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Decimal128Type, TimestampMillisecondType};
use arrow_array::{Array as _, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::take::take_record_batch;
use touchstream_schemas::codec::DecodeError;
use touchstream_schemas::duplicates::{DuplicateWindow, EventKey};
use touchstream_schemas::time::EventTime;

use super::decode::{EventDecoder, RowsError};
use super::fields::{Fields, Value};
use super::month::month_of;
use super::native::Block;
use super::store::Chunk;
use crate::error::SinkError;
use crate::insert::Insert;
use crate::ledger::Intent;
use crate::reject::Refused;

/// Ids by which stored rows of a range are told from rows of a topic that is no more.
const SOME_IDS: usize = 16;

/// Milliseconds since 1970 that a `DateTime64(3)` holds: the years 1900 to 2299.
const TIMES: std::ops::Range<i64> = -2_208_988_800_000..10_413_792_000_000;

/// One record of a raw topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// Offset.
    pub(crate) offset: i64,
    /// Append time.
    pub(crate) appended_at: i64,
    /// Where its bytes are: in which piece, from where, how many.
    piece: u32,
    start: u32,
    /// [`NO_VALUE`]: a record without one.
    length: u32,
}

/// No record has so many bytes.
const NO_VALUE: u32 = u32::MAX;
/// Bytes of a piece; a longer record has one of its own.
const PIECE: usize = 256 * 1024;

/// Records of one partition in rising order of offset. Their bytes lie in pieces of one size: one that grew would be copied again and
/// again, and leave room behind that fits nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    /// The records.
    pub(crate) list: Vec<Record>,
    pieces: Vec<Vec<u8>>,
    bytes: usize,
}

impl Records {
    /// Adds the next record.
    pub(crate) fn push(&mut self, offset: i64, appended_at: i64, payload: Option<&[u8]>) {
        let Some(payload) = payload else {
            self.list.push(Record { offset, appended_at, piece: 0, start: 0, length: NO_VALUE });
            return;
        };
        let room = self.pieces.last().map_or(0, |piece| piece.capacity() - piece.len());
        if room < payload.len() || self.pieces.is_empty() {
            self.pieces.push(Vec::with_capacity(PIECE.max(payload.len())));
        }
        let number = self.pieces.len() - 1;
        let piece = &mut self.pieces[number];
        let (start, length) = (piece.len(), payload.len());
        piece.extend_from_slice(payload);
        self.bytes += length;
        let [piece, start, length] = [number, start, length].map(place);
        self.list.push(Record { offset, appended_at, piece, start, length });
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        self.bytes + self.list.len() * size_of::<Record>()
    }

    /// Takes the first `count` records out.
    pub(crate) fn take(&mut self, count: usize) -> Records {
        if count >= self.list.len() {
            return std::mem::take(self);
        }
        let mut later = Records::default();
        for index in count..self.list.len() {
            let record = self.list[index];
            later.push(record.offset, record.appended_at, self.payload(record));
        }
        self.list.truncate(count);
        std::mem::replace(self, later)
    }

    fn payload(&self, record: Record) -> Option<&[u8]> {
        (record.length != NO_VALUE).then(|| {
            let bytes = &self.pieces[record.piece as usize][record.start as usize..];
            &bytes[..record.length as usize]
        })
    }
}

/// Memory and Kafka's records are bounded far below what does not fit.
fn place(length: usize) -> u32 {
    u32::try_from(length).expect("a record has less than 4 GiB")
}

/// Where a range stands and goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Topic.
    pub(crate) topic: &'a str,
    /// Partition.
    pub(crate) partition: i32,
    /// Table of the family.
    pub(crate) table: &'static str,
    /// The range as it stands in the ledger.
    pub(crate) intent: Intent,
}

/// Tenant and minute of receipt, and the oldest event of it.
pub(crate) type Oldest = HashMap<(String, EventTime), EventTime>;

/// A range, ready to be stored.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// One chunk a month, in rising order.
    pub(crate) chunks: Vec<Chunk>,
    /// Records that cannot be decoded.
    pub(crate) refused: Vec<Refused>,
    /// Copies dropped.
    pub(crate) duplicates: u64,
    /// Oldest receipt by tenant and minute.
    pub(crate) oldest: Oldest,
}

/// Rows that Arrow decodes at a time: few enough to stay in the processor's cache.
const ROWS_AT_A_TIME: usize = 4_096;

/// Prepares a range of at least one record.
pub(crate) fn prepare(
    place: Place<'_>,
    records: &Records,
    window: &mut DuplicateWindow,
    decoder: &mut EventDecoder,
) -> Result<Prepared, SinkError> {
    let some = records.list.len().div_ceil(SOME_IDS);
    let (prepared, months, receipts) = Default::default();
    let mut range = Range { place, records, window, decoder, some, months, receipts, prepared };
    let mut fields = Fields::default();
    let mut rest = &records.list[..];
    while let [record, later @ ..] = rest {
        if range.decoder.fields(range.payload(*record), &mut fields).is_some() {
            range.take(*record, &fields)?;
            rest = later;
        } else {
            let others = later.iter().take(ROWS_AT_A_TIME - 1).take_while(|record| range.is_other(record));
            let (run, later) = rest.split_at(1 + others.count());
            range.take_run(run)?;
            rest = later;
        }
    }
    let Range { months, receipts, mut prepared, .. } = range;
    prepared.chunks = months.into_iter().map(|(month, rows)| rows.chunk(place, month)).collect();
    prepared.oldest = receipts.done();
    Ok(prepared)
}

/// A range while it is prepared.
struct Range<'r> {
    place: Place<'r>,
    records: &'r Records,
    window: &'r mut DuplicateWindow,
    decoder: &'r mut EventDecoder,
    /// Of every so many rows the id is kept.
    some: usize,
    months: BTreeMap<u32, Month>,
    receipts: Receipts,
    prepared: Prepared,
}

impl<'r> Range<'r> {
    /// Takes in a record that was read field by field.
    fn take(&mut self, record: Record, fields: &Fields<'_>) -> Result<(), SinkError> {
        let columns = self.decoder.columns();
        let tenant = fields.text(columns.tenant);
        let key = EventKey::new(tenant, fields.text(columns.source), fields.text(columns.id));
        if self.window.is_duplicate(key, record.offset, EventTime(record.appended_at)) {
            self.prepared.duplicates += 1;
            return Ok(());
        }
        let time = fields.long(columns.time);
        if !TIMES.contains(&time) {
            self.refuse(record, "time", out_of_time(time));
            return Ok(());
        }
        self.receipts.note(tenant, EventTime(fields.long(columns.received_at)));
        let some = self.some;
        let month = self.month(time)?;
        if month.block.rows().is_multiple_of(some) {
            month.some_ids.push(fields.text(columns.id).to_owned());
        }
        month.block.push(fields, record.offset);
        Ok(())
    }

    fn payload(&self, record: Record) -> &'r [u8] {
        self.records.payload(record).unwrap_or_default()
    }

    /// Whether another release wrote a record, or nobody of ours.
    fn is_other(&self, record: &Record) -> bool {
        !self.decoder.is_of_this_release(self.payload(*record))
    }

    /// Takes in records that another release wrote, or that are none.
    fn take_run(&mut self, run: &[Record]) -> Result<(), SinkError> {
        let table = self.place.table;
        let arrow = |source| SinkError::Arrow { table: table.to_owned(), source };
        let payloads: Vec<&[u8]> = run.iter().map(|record| self.payload(*record)).collect();
        let (rows, refused) = self.decoder.rows(&payloads).map_err(|error| match error {
            RowsError::Registry(error) => SinkError::Registry(error),
            RowsError::Arrow(source) => arrow(source),
        })?;
        let mut refused = refused.into_iter().peekable();
        let mut chosen = Chosen::default();
        let times = times(&rows, "time");
        let mut rows_before = 0;
        for (index, record) in run.iter().enumerate() {
            let row = match refused.next_if(|(refused, _)| *refused == index) {
                Some((_, detail)) => Err(detail),
                None => {
                    rows_before += 1;
                    Ok(rows_before - 1)
                }
            };
            // The processor, and whoever rebuilds the window, know an event by this decoder: what it refuses is none.
            let key = match self.decoder.key(payloads[index]) {
                Ok(key) => key,
                Err(DecodeError::Registry(error)) => return Err(SinkError::Registry(error)),
                Err(error) => {
                    self.refuse(*record, error.reason(), error.to_string());
                    continue;
                }
            };
            let is_duplicate = self.window.is_duplicate(key, record.offset, EventTime(record.appended_at));
            let row = match row {
                Ok(row) => row,
                Err(detail) => {
                    self.refuse(*record, "body", detail);
                    continue;
                }
            };
            if is_duplicate {
                self.prepared.duplicates += 1;
            } else if !TIMES.contains(&times[row]) {
                self.refuse(*record, "time", out_of_time(times[row]));
            } else if let Some(detail) = too_long_an_amount(&rows, row) {
                self.refuse(*record, "body", detail);
            } else {
                chosen.rows.push(u32::try_from(row).expect("few rows"));
                chosen.offsets.push(record.offset);
            }
        }
        let rows = chosen.of(&rows).map_err(arrow)?;
        let received = self::times(&rows, "received_at");
        for (tenant, received_at) in texts(&rows, "tenant").iter().zip(received) {
            self.receipts.note(tenant.unwrap_or_default(), EventTime(*received_at));
        }
        let rows = with_place(self.place, &rows, chosen.offsets).map_err(arrow)?;
        for rows in by_month(&rows).map_err(arrow)? {
            let some = self.some;
            self.month(self::times(&rows, "time")[0])?.append(&rows, some);
        }
        Ok(())
    }

    fn refuse(&mut self, record: Record, reason: &'static str, detail: String) {
        let payload = self.records.payload(record).map(<[u8]>::to_vec);
        self.prepared.refused.push(Refused { offset: record.offset, reason, detail, payload });
    }

    /// The rows of the month of a time.
    fn month(&mut self, time: i64) -> Result<&mut Month, SinkError> {
        Ok(match self.months.entry(month_of(time)) {
            Entry::Occupied(month) => month.into_mut(),
            Entry::Vacant(entry) => {
                let month = Month::new(self.place, &self.decoder.schema());
                let arrow = |source| SinkError::Arrow { table: self.place.table.to_owned(), source };
                entry.insert(month.map_err(arrow)?)
            }
        })
    }
}

/// ClickHouse would store another time.
fn out_of_time(time: i64) -> String {
    format!("{time} ms since 1970 is not between the years 1900 and 2299")
}

/// ClickHouse would store another amount.
fn too_long_an_amount(rows: &RecordBatch, row: usize) -> Option<String> {
    let schema = rows.schema();
    let mut amounts = schema.fields().iter().zip(rows.columns());
    amounts.find_map(|(field, column)| {
        let DataType::Decimal128(digits, _) = field.data_type() else { return None };
        let amount = column.as_primitive::<Decimal128Type>().value(row);
        let is_long = column.is_valid(row) && amount.unsigned_abs() >= 10_u128.pow(u32::from(*digits));
        is_long.then(|| format!("{} has more than {digits} digits", field.name()))
    })
}

/// When the oldest events of each tenant and minute were received. Neighbours are mostly of one.
#[derive(Default)]
struct Receipts {
    oldest: Oldest,
    last: Option<(String, EventTime, EventTime)>,
}

impl Receipts {
    fn note(&mut self, tenant: &str, received_at: EventTime) {
        let minute = received_at.minute();
        match &mut self.last {
            Some((known, same, first)) if known == tenant && *same == minute => {
                *first = received_at.min(*first);
            }
            last => {
                let before = last.replace((tenant.to_owned(), minute, received_at));
                self.keep(before);
            }
        }
    }

    fn keep(&mut self, last: Option<(String, EventTime, EventTime)>) {
        if let Some((tenant, minute, first)) = last {
            let entry = self.oldest.entry((tenant, minute)).or_insert(first);
            *entry = first.min(*entry);
        }
    }

    fn done(mut self) -> Oldest {
        let last = self.last.take();
        self.keep(last);
        self.oldest
    }
}

/// Rows that are stored, by their number among those decoded, and their offsets.
#[derive(Default)]
struct Chosen {
    rows: Vec<u32>,
    offsets: Vec<i64>,
}

impl Chosen {
    fn of(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        if self.rows.len() == rows.num_rows() {
            return Ok(rows.clone());
        }
        take_record_batch(rows, &UInt32Array::from(self.rows.clone()))
    }
}

/// The rows of a range whose events happened in one month.
struct Month {
    block: Block,
    /// Ids spread over the rows: a row at an offset of the range is one of this range only if it has its id.
    some_ids: Vec<String>,
}

impl Month {
    fn new(place: Place<'_>, decoded: &Schema) -> Result<Month, ArrowError> {
        let block = Block::new(Arc::new(written(decoded)))?
            .with_rest("_topic", Value::Text(place.topic))
            .with_rest("_partition", Value::Int(place.partition));
        Ok(Month { block, some_ids: Vec::new() })
    }

    /// Adds rows, and of every `some`th of them the id.
    fn append(&mut self, rows: &RecordBatch, some: usize) {
        let ids = texts(rows, "id");
        let first = self.block.rows().next_multiple_of(some) - self.block.rows();
        self.some_ids.extend((first..ids.len()).step_by(some).map(|row| ids.value(row).to_owned()));
        self.block.append(rows);
    }

    fn chunk(mut self, place: Place<'_>, month: u32) -> Chunk {
        self.block.finish();
        let Place { topic, partition, table, intent } = place;
        let Intent { min, max, first_appended_at, .. } = intent;
        let token = format!("{topic}:{partition}:{min}-{max}@{first_appended_at}:{table}:{month}");
        Chunk {
            insert: Insert::of_block(table, self.block, token),
            topic: topic.to_owned(),
            partition,
            offsets: (min, max),
            appended_at: first_appended_at,
            month,
            some_ids: self.some_ids,
        }
    }
}

/// Columns of a raw table as this sink writes them.
pub(crate) fn written(decoded: &Schema) -> Schema {
    let mut fields: Vec<Arc<Field>> = decoded.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("_topic", DataType::Utf8, false)));
    fields.push(Arc::new(Field::new("_partition", DataType::Int32, false)));
    fields.push(Arc::new(Field::new("_offset", DataType::Int64, false)));
    Schema::new(fields)
}

fn with_place(place: Place<'_>, rows: &RecordBatch, offsets: Vec<i64>) -> Result<RecordBatch, ArrowError> {
    let count = rows.num_rows();
    let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
    columns.push(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(place.topic, count))));
    columns.push(Arc::new(Int32Array::from_value(place.partition, count)));
    columns.push(Arc::new(Int64Array::from(offsets)));
    RecordBatch::try_new(Arc::new(written(&rows.schema())), columns)
}

fn times<'r>(rows: &'r RecordBatch, column: &str) -> &'r [i64] {
    let column = rows.column_by_name(column).expect("every event schema has it");
    column.as_primitive::<TimestampMillisecondType>().values()
}

fn by_month(rows: &RecordBatch) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut months: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (index, time) in (0_u32..).zip(times(rows, "time")) {
        months.entry(month_of(*time)).or_default().push(index);
    }
    if months.len() == 1 {
        return Ok(vec![rows.clone()]);
    }
    months.into_values().map(|indices| take_record_batch(rows, &UInt32Array::from(indices))).collect()
}

fn texts<'r>(rows: &'r RecordBatch, column: &str) -> &'r StringArray {
    rows.column_by_name(column).expect("every event schema has it").as_string()
}

#[cfg(test)]
mod tests {
    use touchstream_schemas::avro;
    use touchstream_schemas::codec::SINGLE_OBJECT;
    use touchstream_schemas::duplicates::DuplicateLimits;
    use touchstream_schemas::event::Family;
    use touchstream_schemas::positional::write;

    use super::*;

    const DECEMBER: u8 = 2;
    const NOVEMBER: u8 = 1;

    /// A checkout event as bytes, in which nothing is told that may be missing but the value.
    fn event(id: &str, month: u8, value: &[u8], consent: &[u8]) -> Vec<u8> {
        let schema: serde_json::Value = serde_json::from_str(avro::CHECKOUT_EVENT.json).expect("JSON");
        let mut bytes = [&SINGLE_OBJECT[..], &avro::CHECKOUT_EVENT.fingerprint()[..]].concat();
        for field in schema["fields"].as_array().expect("fields") {
            let name = field["name"].as_str().expect("a name");
            match (name, field["type"].is_array(), &field["type"]["type"]) {
                ("id", ..) => write::bytes(id.as_bytes(), &mut bytes),
                ("time", ..) => {
                    let time = if month == DECEMBER { 1_796_083_200_000 } else { 1_796_083_199_999 };
                    write::long(time, &mut bytes);
                }
                ("consent", ..) => bytes.extend_from_slice(consent),
                ("value", ..) => {
                    bytes.push(2);
                    write::bytes(value, &mut bytes);
                }
                // Missing, no items, no milliseconds.
                (_, true, _) | (_, _, serde_json::Value::String(_)) => bytes.push(0),
                _ => write::bytes(name.as_bytes(), &mut bytes),
            }
        }
        bytes
    }

    /// One text, as everybody writes it; and behind the size of its block, as Avro allows, but as nobody of ours does: Arrow reads that.
    const CONSENT: [&[u8]; 2] = [&[2, 6, b'a', b'd', b's', 0], &[1, 8, 6, b'a', b'd', b's', 0]];
    const LARGEST: &[u8] = &[0x0d, 0xe0, 0xb6, 0xb3, 0xa7, 0x63, 0xff, 0xff];
    /// More than 18 digits, in as many bytes and in more.
    const TOO_LARGE: [&[u8]; 2] = [&[0x0d, 0xe0, 0xb6, 0xb3, 0xa7, 0x64, 0, 0], &[1, 0, 0, 0, 0, 0, 0, 0, 0]];

    fn prepared(records: &Records) -> Prepared {
        let limits = DuplicateLimits::default();
        let intent = Intent { min: 0, max: 0, first_appended_at: 0, limits, is_split: false };
        let place = Place { topic: "cx.checkout", partition: 3, table: "events_checkout", intent };
        let mut decoder = EventDecoder::new(Family::Checkout, None).expect("a known schema");
        prepare(place, records, &mut DuplicateWindow::new(limits), &mut decoder).expect("rows")
    }

    /// Good ones read either way, copies, and all that is no row, alone and side by side.
    #[test]
    fn rows_keep_their_order_however_they_are_read_and_what_is_none_stops_no_neighbour() {
        let (mut mixed, mut by_arrow) = (Records::default(), Records::default());
        let mut expected: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        let (mut refused, mut copies) = (Vec::new(), 0);
        for offset in 0..1_500 {
            let id = format!("id {offset}");
            let (kind, month) = (offset % 17, if offset % 5 == 0 { DECEMBER } else { NOVEMBER });
            let usual = if matches!(kind, 1 | 5 | 6 | 10) { CONSENT[1] } else { CONSENT[0] };
            for (records, consent) in [(&mut mixed, usual), (&mut by_arrow, CONSENT[1])] {
                let good = |id: &str| event(id, month, LARGEST, consent);
                let payload = match kind {
                    3 => Some(good(&format!("id {}", offset - 1))),
                    7 | 8 => Some(good(&id)[..40].to_vec()),
                    9 => None,
                    12 | 13 => Some(event(&id, month, TOO_LARGE[usize::from(kind == 13)], consent)),
                    _ => Some(good(&id)),
                };
                records.push(offset, 0, payload.as_deref());
            }
            match kind {
                3 => copies += 1,
                7 | 8 | 12 | 13 => refused.push((offset, "body")),
                9 => refused.push((offset, "framing")),
                _ => expected
                    .entry(if month == DECEMBER { 202_612 } else { 202_611 })
                    .or_default()
                    .push(offset),
            }
        }
        let [mixed, by_arrow] = [&mixed, &by_arrow].map(prepared);
        for prepared in [&mixed, &by_arrow] {
            let offsets =
                |chunk: &Chunk| (chunk.month, chunk.insert.block().expect("rows").numbers("_offset"));
            assert_eq!(prepared.chunks.iter().map(offsets).collect::<BTreeMap<_, _>>(), expected);
            let found: Vec<_> = prepared.refused.iter().map(|one| (one.offset, one.reason)).collect();
            assert_eq!((&found, prepared.duplicates), (&refused, copies));
        }
        for (mixed, by_arrow) in mixed.chunks.iter().zip(&by_arrow.chunks) {
            assert_eq!(mixed.some_ids, by_arrow.some_ids);
            let [mixed, by_arrow] =
                [mixed, by_arrow].map(|chunk| chunk.insert.block().expect("rows").written().concat());
            assert!(mixed == by_arrow, "the same rows are the same bytes");
        }
    }
}
