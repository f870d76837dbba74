//! The fields of an event that this release wrote, read in one pass and in place: from here they go straight into columns. Whatever is not read
//! at once (another release's schema, a damaged record) is left to the general decoder, which says the same of it or why it is none.

use arrow_schema::{DataType, Schema, TimeUnit};
use touchstream_schemas::money::Money;
use touchstream_schemas::positional::Reader;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'p> {
    /// A text.
    Text(&'p str),
    /// Yes or no.
    Flag(bool),
    /// A number of four bytes.
    Int(i32),
    /// A number of eight bytes, a time in milliseconds, an amount in ten-thousandths.
    Long(i64),
    /// A float.
    Float(f64),
    /// Texts, or names each before its value: from where to where among the event's items.
    Items(usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Flag,
    Int,
    Long,
    Float,
    Amount,
    Texts,
    Pairs,
}

/// The fields of one event that are there, by the number of their column, in rising order.
#[derive(Debug, Default)]
pub(crate) struct Fields<'p> {
    present: Vec<(usize, Value<'p>)>,
    items: Vec<&'p str>,
}

impl<'p> Fields<'p> {
    /// All of them.
    pub(crate) fn present(&self) -> &[(usize, Value<'p>)] {
        &self.present
    }

    /// Some of the texts of arrays and maps.
    pub(crate) fn items(&self, first: usize, end: usize) -> &[&'p str] {
        &self.items[first..end]
    }

    /// The text of a column; empty where it has none.
    pub(crate) fn text(&self, column: usize) -> &'p str {
        match self.at(column) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// The number of a column; 0 where it has none.
    pub(crate) fn long(&self, column: usize) -> i64 {
        match self.at(column) {
            Some(Value::Long(number)) => number,
            _ => 0,
        }
    }

    fn at(&self, column: usize) -> Option<Value<'p>> {
        let (_, value) = self.present.iter().find(|(number, _)| *number == column)?;
        Some(*value)
    }
}

/// Columns of whose event it is and when it happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) tenant: usize,
    pub(crate) source: usize,
    pub(crate) id: usize,
    pub(crate) time: usize,
    pub(crate) received_at: usize,
}

/// Reads records of one schema.
#[derive(Debug)]
pub(crate) struct FieldReader {
    /// Kind of each field, and whether it may be missing.
    steps: Vec<(Kind, bool)>,
    known: Known,
}

impl FieldReader {
    /// A reader of records whose columns are these; `None` when it does not know a type.
    pub(crate) fn new(columns: &Schema) -> Option<FieldReader> {
        let at = |name: &str| columns.index_of(name).ok();
        let known = Known {
            tenant: at("tenant")?,
            source: at("source")?,
            id: at("id")?,
            time: at("time")?,
            received_at: at("received_at")?,
        };
        let kind = |data_type: &DataType| {
            Some(match data_type {
                DataType::Utf8 => Kind::Text,
                DataType::Boolean => Kind::Flag,
                DataType::Int32 => Kind::Int,
                DataType::Int64 | DataType::Timestamp(TimeUnit::Millisecond, _) => Kind::Long,
                DataType::Float64 => Kind::Float,
                DataType::Decimal128(18, 4) => Kind::Amount,
                DataType::List(item) if *item.data_type() == DataType::Utf8 => Kind::Texts,
                DataType::Map(..) => Kind::Pairs,
                _ => return None,
            })
        };
        let steps =
            columns.fields().iter().map(|field| Some((kind(field.data_type())?, field.is_nullable())));
        Some(FieldReader { steps: steps.collect::<Option<_>>()?, known })
    }

    /// Columns that every event has.
    pub(crate) fn known(&self) -> Known {
        self.known
    }

    /// Reads a record without its framing; `None` where the general decoder must look.
    pub(crate) fn read<'p>(&self, body: &'p [u8], fields: &mut Fields<'p>) -> Option<()> {
        fields.present.clear();
        fields.items.clear();
        let mut reader = Reader::new(body);
        for (column, (kind, can_miss)) in self.steps.iter().enumerate() {
            if *can_miss && !reader.is_there()? {
                continue;
            }
            let first = fields.items.len();
            let value = match kind {
                Kind::Text => Value::Text(reader.field()?),
                Kind::Flag => Value::Flag(reader.field()?),
                Kind::Int => Value::Int(reader.field()?),
                Kind::Long => Value::Long(reader.field()?),
                Kind::Float => Value::Float(reader.field()?),
                Kind::Amount => Value::Long(reader.field::<Money>()?.0),
                Kind::Texts => {
                    reader.texts(&mut fields.items)?;
                    Value::Items(first, fields.items.len())
                }
                Kind::Pairs => {
                    reader.pairs(&mut fields.items)?;
                    Value::Items(first, fields.items.len())
                }
            };
            fields.present.push((column, value));
        }
        reader.is_at_end().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::RecordBatch;
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};
    use serde_json::Value as Json;
    use touchstream_schemas::avro;
    use touchstream_schemas::codec::SINGLE_OBJECT;
    use touchstream_schemas::event::Family;
    use touchstream_schemas::positional::write;

    use super::super::decode::EventDecoder;
    use super::super::native::Block;
    use super::*;

    const EVENTS: usize = 2_000;

    fn text(bytes: &mut Vec<u8>, random: &mut StdRng) {
        let text = match random.random_range(0..10) {
            0 => String::new(),
            1 => "ä\0'".repeat(random.random_range(1..60)),
            _ => format!("text {}", random.random_range(0..400)),
        };
        write::bytes(text.as_bytes(), bytes);
    }

    /// Any value of a type, as Avro has it.
    fn value(bytes: &mut Vec<u8>, kind: &Json, random: &mut StdRng) {
        let several = |bytes: &mut Vec<u8>, random: &mut StdRng, texts: usize| {
            let count = random.random_range(0..4);
            if count > 0 {
                write::long(count, bytes);
                (0..usize::try_from(count).expect("few") * texts).for_each(|_| text(bytes, random));
            }
            bytes.push(0);
        };
        match kind {
            Json::Array(branches) => {
                let branch = random.random_range(0..branches.len());
                write::long(branch.try_into().expect("few branches"), bytes);
                value(bytes, &branches[branch], random);
            }
            Json::Object(kind) if kind.get("logicalType") == Some(&Json::from("decimal")) => {
                let amount: i64 = random.random_range(-999_999_999_999_999_999..=999_999_999_999_999_999);
                let amount = (amount >> random.random_range(0..64)).to_be_bytes();
                write::bytes(&amount, bytes);
            }
            Json::Object(kind) => match kind["type"].as_str() {
                Some("array") => several(bytes, random, 1),
                Some("map") => several(bytes, random, 2),
                _ => value(bytes, &kind["type"], random),
            },
            _ => match kind.as_str() {
                Some("null") => {}
                Some("boolean") => bytes.push(random.random_range(0..2)),
                Some("int") => write::long(random.random::<i32>().into(), bytes),
                Some("long") => write::long(random.random_range(-(1 << 55)..1 << 55), bytes),
                Some("double") => bytes.extend_from_slice(&random.random::<f64>().to_le_bytes()),
                Some("string") => text(bytes, random),
                _ => panic!("no values of {kind}"),
            },
        }
    }

    fn written(block: &mut Block) -> Vec<u8> {
        block.finish();
        block.written().concat()
    }

    /// Columns of the family, and the number that every row brings.
    fn columns(decoder: &EventDecoder) -> Schema {
        let mut fields: Vec<_> = decoder.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(arrow_schema::Field::new("_offset", DataType::Int64, false)));
        Schema::new(fields)
    }

    fn numbered(rows: &RecordBatch, schema: &Arc<Schema>, numbers: Vec<i64>) -> RecordBatch {
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(arrow_array::Int64Array::from(numbers)));
        RecordBatch::try_new(schema.clone(), columns).expect("one column more")
    }

    #[test]
    fn field_by_field_is_what_arrow_reads_and_what_is_damaged_is_left_to_it() {
        let random = &mut StdRng::seed_from_u64(20_261_124);
        for family in Family::ALL {
            let schema = avro::of_family(family);
            let json: Json = serde_json::from_str(schema.json).expect("JSON");
            let mut decoder = EventDecoder::new(family, None).expect("a known schema");
            let columns = Arc::new(columns(&decoder));
            let record = |random: &mut StdRng| {
                let mut bytes = [&SINGLE_OBJECT[..], &schema.fingerprint()[..]].concat();
                for field in json["fields"].as_array().expect("fields") {
                    value(&mut bytes, &field["type"], random);
                }
                bytes
            };
            let records: Vec<Vec<u8>> = (0..EVENTS).map(|_| record(random)).collect();
            let payloads: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
            let (rows, refused) = decoder.rows(&payloads).expect("no registry is asked");
            assert!(refused.is_empty(), "{family:?}: {refused:?}");

            let mut quick = Block::new(columns.clone()).expect("known types");
            let mut fields = Fields::default();
            for (number, payload) in (0..).zip(&payloads) {
                decoder.fields(payload, &mut fields).expect("written by this release");
                quick.push(&fields, number);
            }
            let mut general = Block::new(columns.clone()).expect("known types");
            general.append(&numbered(&rows, &columns, (0..).take(EVENTS).collect()));
            assert!(written(&mut quick) == written(&mut general), "{family:?}");

            let mut read = 0;
            for bytes in records.iter().cycle().take(4 * EVENTS) {
                let mut damaged = bytes.clone();
                let place = random.random_range(10..damaged.len());
                damaged[place] = random.random();
                if random.random_bool(0.1) {
                    damaged.truncate(random.random_range(10..=damaged.len()));
                }
                let mut fields = Fields::default();
                if decoder.fields(&damaged, &mut fields).is_none() {
                    continue;
                }
                read += 1;
                let mut quick = Block::new(columns.clone()).expect("known types");
                quick.push(&fields, 7);
                let (rows, refused) = decoder.rows(&[&damaged]).expect("no registry is asked");
                assert!(refused.is_empty(), "{family:?}: {refused:?} {damaged:?}");
                let mut general = Block::new(columns.clone()).expect("known types");
                general.append(&numbered(&rows, &columns, vec![7]));
                assert!(written(&mut quick) == written(&mut general), "{family:?}: {damaged:?}");
            }
            assert!(read > EVENTS, "{family:?}: most damage makes another value: {read}");
        }
    }
}
