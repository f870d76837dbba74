//! From a range of offsets to inserts: copies and undecodable records fall out, rows part by month of event time, and each month is
//! one insert with its token. A function of the range and of the duplicate window alone, so that a replay gives the same.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array as _, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::take::take_record_batch;
use touchstream_schemas::codec::DecodeError;
use touchstream_schemas::duplicates::DuplicateWindow;
use touchstream_schemas::time::EventTime;

use super::decode::EventDecoder;
use super::month::month_of;
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

    /// The bytes of the record at an offset.
    pub(crate) fn at(&self, offset: i64) -> Option<&[u8]> {
        let place = self.list.binary_search_by_key(&offset, |record| record.offset).ok()?;
        self.payload(self.list[place])
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
#[derive(Debug)]
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

/// Prepares a range of at least one record.
pub(crate) fn prepare(
    place: Place<'_>,
    records: &Records,
    window: &mut DuplicateWindow,
    decoder: &mut EventDecoder,
) -> Result<Prepared, SinkError> {
    let mut refused = Vec::new();
    let mut duplicates = 0;
    let mut kept = Vec::with_capacity(records.list.len());
    let mut payloads = Vec::with_capacity(records.list.len());
    for record in &records.list {
        let payload = records.payload(*record);
        match decoder.key(payload.unwrap_or_default()) {
            Err(DecodeError::Registry(error)) => return Err(SinkError::Registry(error)),
            Err(error) => refused.push(Refused {
                offset: record.offset,
                reason: error.reason(),
                detail: error.to_string(),
                payload: payload.map(<[u8]>::to_vec),
            }),
            Ok(key) if window.is_duplicate(key, record.offset, EventTime(record.appended_at)) => {
                duplicates += 1;
            }
            Ok(_) => {
                kept.push(record.offset);
                payloads.push(payload.unwrap_or_default());
            }
        }
    }
    let arrow = |source| SinkError::Arrow { table: place.table.to_owned(), source };
    let mut prepared = Prepared { chunks: Vec::new(), refused, duplicates, oldest: Oldest::new() };
    let mut bad = Vec::new();
    let rows = decoder.rows(&payloads, |index, detail| bad.push((index, detail))).map_err(arrow)?;
    for (index, detail) in bad.iter().rev() {
        let (offset, payload) = (kept.remove(*index), payloads.remove(*index).to_vec());
        let detail = detail.clone();
        prepared.refused.push(Refused { offset, reason: "body", detail, payload: Some(payload) });
    }
    let rows = storable(rows, &mut kept, &payloads, &mut prepared.refused).map_err(arrow)?;
    if rows.num_rows() == 0 {
        return Ok(prepared);
    }
    prepared.oldest = oldest(&rows);
    let rows = with_place(place, &rows, kept).map_err(arrow)?;
    for (month, batch) in by_month(&rows).map_err(arrow)? {
        let Place { topic, partition, table, intent } = place;
        let Intent { min, max, first_appended_at, .. } = intent;
        let token = format!("{topic}:{partition}:{min}-{max}@{first_appended_at}:{table}:{month}");
        let insert = Insert::new(table, &batch, Some(token))?;
        prepared.chunks.push(Chunk {
            insert,
            topic: topic.to_owned(),
            partition,
            offsets: (min, max),
            appended_at: first_appended_at,
            month,
            some_ids: some_ids(&batch),
        });
    }
    Ok(prepared)
}

/// Leaves out rows whose time ClickHouse cannot hold: it would store another one.
fn storable(
    rows: RecordBatch,
    offsets: &mut Vec<i64>,
    payloads: &[&[u8]],
    refused: &mut Vec<Refused>,
) -> Result<RecordBatch, ArrowError> {
    let is_bad = |time: &i64| !TIMES.contains(time);
    let times = times(&rows, "time");
    if !times.iter().any(is_bad) {
        return Ok(rows);
    }
    let (bad, good): (Vec<usize>, Vec<usize>) = (0..times.len()).partition(|index| is_bad(&times[*index]));
    refused.extend(bad.into_iter().map(|index| Refused {
        offset: offsets[index],
        reason: "time",
        detail: format!("{} ms since 1970 is not between the years 1900 and 2299", times[index]),
        payload: Some(payloads[index].to_vec()),
    }));
    *offsets = good.iter().map(|index| offsets[*index]).collect();
    let good = UInt32Array::from_iter_values(good.into_iter().filter_map(|index| u32::try_from(index).ok()));
    take_record_batch(&rows, &good)
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

fn by_month(rows: &RecordBatch) -> Result<Vec<(u32, RecordBatch)>, ArrowError> {
    let mut months: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (index, time) in (0_u32..).zip(times(rows, "time")) {
        months.entry(month_of(*time)).or_default().push(index);
    }
    if months.len() == 1 {
        return Ok(months.into_keys().map(|month| (month, rows.clone())).collect());
    }
    let of_month = |(month, indices)| Ok((month, take_record_batch(rows, &UInt32Array::from(indices))?));
    months.into_iter().map(of_month).collect()
}

/// Ids spread over the rows: a row at an offset of the range is one of this range only if it has its id.
fn some_ids(rows: &RecordBatch) -> Vec<String> {
    let ids = rows.column_by_name("id").expect("every event schema has it").as_string::<i32>();
    let step = ids.len().div_ceil(SOME_IDS).max(1);
    ids.iter().flatten().step_by(step).map(str::to_owned).collect()
}

fn oldest(rows: &RecordBatch) -> Oldest {
    let tenants = rows.column_by_name("tenant").expect("every event schema has it").as_string::<i32>();
    let mut oldest = Oldest::new();
    let mut group: Option<(&str, EventTime, EventTime)> = None;
    for (tenant, received_at) in tenants.iter().zip(times(rows, "received_at")) {
        let (tenant, received_at) = (tenant.unwrap_or_default(), EventTime(*received_at));
        let minute = received_at.minute();
        group = match group {
            Some((known, same, first)) if known == tenant && same == minute => {
                Some((known, same, first.min(received_at)))
            }
            other => {
                note(&mut oldest, other);
                Some((tenant, minute, received_at))
            }
        };
    }
    note(&mut oldest, group);
    oldest
}

fn note(oldest: &mut Oldest, group: Option<(&str, EventTime, EventTime)>) {
    if let Some((tenant, minute, first)) = group {
        let entry = oldest.entry((tenant.to_owned(), minute)).or_insert(first);
        *entry = first.min(*entry);
    }
}
