//! Rows as ClickHouse's own format `Native` has them: column by column, as its tables hold them, so that the engine takes them over instead of
//! converting them. Beside an Arrow stream they cost the engine a quarter less CPU, and take some three fifths of the bytes.
//!
//! A [`Block`] grows by rows, or by batches of them from the general decoder, and is sent as one block, which becomes one part of a table. What is
//! sent is a function of the rows alone. The format: <https://clickhouse.com/docs/interfaces/formats/Native>; dictionaries as in its `SerializationLowCardinality`.

mod dictionary;
mod texts;

use std::borrow::Cow;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef, TimeUnit};

use super::fields::{Fields, Value};
use dictionary::Dictionary;
use texts::{push_length, push_text, push_texts, some_texts};

/// Columns of texts that hardly repeat: their tables hold them as they are, all other texts by dictionary (`LowCardinality`).
const PLAIN: [&str; 20] = [
    "id",
    "customer_id",
    "anonymous_id",
    "session_id",
    "account_id",
    "referrer",
    "checkout_id",
    "cart_id",
    "order_id",
    "transaction_id",
    "conversation_id",
    "case_id",
    "message_id",
    "answer_id",
    "agent_id",
    "submission_id",
    "story_id",
    "subject_id",
    "review_id",
    "text",
];
/// Version of the format of dictionaries.
const DICTIONARY: u64 = 1;

/// Rows of one table.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
}

#[derive(Clone, Debug)]
struct Column {
    name: String,
    kind: String,
    /// Rows that it has so far: those at the end that have no value of their own are added when the next comes that has one.
    rows: usize,
    /// For each row whether its value is missing, where any may be.
    missing: Option<Vec<u8>>,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    /// Numbers of so many bytes, and the one of rows that have none of their own.
    Numbers { width: usize, bytes: Vec<u8>, rest: [u8; 8] },
    /// Texts, each behind its length.
    Texts(Vec<u8>),
    /// Texts by dictionary.
    Repeating(Dictionary),
    /// Where the texts of each row end, and all texts.
    List { ends: Vec<u64>, items: Dictionary },
    /// Where the pairs of each row end, and all names and values.
    Pairs { ends: Vec<u64>, names: Dictionary, values: Vec<u8> },
}

impl Block {
    /// No rows yet of these columns.
    pub(crate) fn new(schema: SchemaRef) -> Result<Block, ArrowError> {
        let columns = schema.fields().iter().map(|field| Column::new(field)).collect::<Result<_, _>>()?;
        Ok(Block { schema, columns, rows: 0 })
    }

    /// The same, with the value for those rows of a column that have none of their own. To be said before the first row.
    pub(crate) fn with_rest(mut self, name: &str, value: Value<'_>) -> Block {
        self.columns
            .iter_mut()
            .filter(|column| column.name == name)
            .for_each(|column| column.set_rest(value));
        self
    }

    /// Adds a row: its fields, and the number in the last column.
    pub(crate) fn push(&mut self, fields: &Fields<'_>, last: i64) {
        for (column, value) in fields.present() {
            self.columns[*column].push(self.rows, *value, fields);
        }
        if let Some(column) = self.columns.last_mut() {
            column.push(self.rows, Value::Long(last), fields);
        }
        self.rows += 1;
    }

    /// Adds rows.
    pub(crate) fn append(&mut self, rows: &RecordBatch) {
        for (column, array) in self.columns.iter_mut().zip(rows.columns()) {
            column.append(self.rows, array);
        }
        self.rows += rows.num_rows();
    }

    /// Completes all columns, and gives back memory that no row took. No row can follow.
    pub(crate) fn finish(&mut self) {
        for column in &mut self.columns {
            column.fill(self.rows);
            column.shrink();
        }
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Columns as they are written.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Bytes that it takes, here and on its way.
    pub(crate) fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }

    /// Numbers of a column of type `Int64`.
    pub(crate) fn numbers(&self, name: &str) -> Vec<i64> {
        match self.columns.iter().find(|column| column.name == name).map(|column| &column.values) {
            Some(Values::Numbers { width: 8, bytes, .. }) => {
                let (numbers, _) = bytes.as_chunks();
                numbers.iter().map(|number| i64::from_le_bytes(*number)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Some of its rows, from `start` to before `end`.
    pub(crate) fn part(&self, start: usize, end: usize) -> Block {
        let columns = self.columns.iter().map(|column| column.part(start, end)).collect();
        Block { schema: self.schema.clone(), columns, rows: end - start }
    }

    /// What is sent, in order.
    pub(crate) fn written(&self) -> Vec<Cow<'_, [u8]>> {
        let mut runs = Vec::with_capacity(1 + 4 * self.columns.len());
        let mut head = Vec::new();
        push_length(&mut head, self.columns.len());
        push_length(&mut head, self.rows);
        runs.push(Cow::Owned(head));
        for column in &self.columns {
            column.write(&mut runs);
        }
        runs
    }
}

impl Column {
    fn new(field: &Field) -> Result<Column, ArrowError> {
        let name = field.name().clone();
        let is_plain = PLAIN.contains(&name.as_str());
        let numbers = |width| Values::Numbers { width, bytes: Vec::new(), rest: [0; 8] };
        let (kind, values) = match field.data_type() {
            DataType::Utf8 if is_plain => ("String".to_owned(), Values::Texts(Vec::new())),
            DataType::Utf8 => ("String".to_owned(), Values::Repeating(Dictionary::new(field.is_nullable()))),
            DataType::Boolean => ("Bool".to_owned(), numbers(1)),
            DataType::Int32 => ("Int32".to_owned(), numbers(4)),
            DataType::Int64 => ("Int64".to_owned(), numbers(8)),
            DataType::Float64 => ("Float64".to_owned(), numbers(8)),
            DataType::Timestamp(TimeUnit::Millisecond, _) => ("DateTime64(3, 'UTC')".to_owned(), numbers(8)),
            // Of more than 18 digits they take 16 bytes.
            DataType::Decimal128(precision @ 10..=18, scale) => {
                (format!("Decimal({precision}, {scale})"), numbers(8))
            }
            DataType::List(item) if *item.data_type() == DataType::Utf8 => {
                let values = Values::List { ends: Vec::new(), items: Dictionary::default() };
                ("Array(LowCardinality(String))".to_owned(), values)
            }
            DataType::Map(entries, _) if is_of_texts(entries) => {
                let values =
                    Values::Pairs { ends: Vec::new(), names: Dictionary::default(), values: Vec::new() };
                ("Map(LowCardinality(String), String)".to_owned(), values)
            }
            other => {
                let text =
                    format!("failed to write the column {name}: nobody has said how {other} is written");
                return Err(ArrowError::NotYetImplemented(text));
            }
        };
        let can_miss = matches!(values, Values::Numbers { .. } | Values::Texts(_) | Values::Repeating(_));
        let kind = if field.is_nullable() && can_miss { format!("Nullable({kind})") } else { kind };
        let (kind, missing) = match values {
            // Its dictionary has a key for what is missing.
            Values::Repeating(_) => (format!("LowCardinality({kind})"), None),
            _ => (kind, (field.is_nullable() && can_miss).then(Vec::new)),
        };
        Ok(Column { name, kind, rows: 0, missing, values })
    }

    fn set_rest(&mut self, value: Value<'_>) {
        match (&mut self.values, value) {
            (Values::Numbers { rest, .. }, Value::Int(number)) => {
                rest[..4].copy_from_slice(&number.to_le_bytes());
            }
            (Values::Repeating(dictionary), Value::Text(text)) => dictionary.set_rest(text),
            // Nothing else is the same in all rows.
            _ => {}
        }
    }

    /// Adds what rows have that have no value of their own, up to so many rows.
    fn fill(&mut self, rows: usize) {
        let more = rows - self.rows;
        if more == 0 {
            return;
        }
        self.rows = rows;
        if let Some(missing) = &mut self.missing {
            missing.resize(rows, 1);
        }
        match &mut self.values {
            Values::Numbers { width, bytes, rest: [0, 0, 0, 0, 0, 0, 0, 0] } => {
                bytes.resize(rows * *width, 0);
            }
            Values::Numbers { width, bytes, rest } => {
                (0..more).for_each(|_| bytes.extend_from_slice(&rest[..*width]));
            }
            Values::Texts(bytes) => bytes.resize(bytes.len() + more, 0),
            Values::Repeating(dictionary) => dictionary.fill(more),
            Values::List { ends, .. } | Values::Pairs { ends, .. } => {
                ends.resize(rows, ends.last().copied().unwrap_or(0));
            }
        }
    }

    /// Adds the value of a row.
    fn push(&mut self, row: usize, value: Value<'_>, fields: &Fields<'_>) {
        self.fill(row);
        match (&mut self.values, value) {
            (Values::Numbers { bytes, .. }, Value::Long(number)) => {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            (Values::Numbers { bytes, .. }, Value::Float(number)) => {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            (Values::Numbers { bytes, .. }, Value::Int(number)) => {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            (Values::Numbers { bytes, .. }, Value::Flag(is_set)) => bytes.push(u8::from(is_set)),
            (Values::Texts(bytes), Value::Text(text)) => push_text(bytes, text.as_bytes()),
            (Values::Repeating(dictionary), Value::Text(text)) => dictionary.push(text),
            (Values::List { ends, items }, Value::Items(first, end)) => {
                fields.items(first, end).iter().for_each(|item| items.push(item));
                push_end(ends, end - first);
            }
            (Values::Pairs { ends, names, values }, Value::Items(first, end)) => {
                for pair in fields.items(first, end).chunks_exact(2) {
                    names.push(pair[0]);
                    push_text(values, pair[1].as_bytes());
                }
                push_end(ends, (end - first) / 2);
            }
            _ => unreachable!("fields are read as the columns of their schema are made"),
        }
        self.rows = row + 1;
        if let Some(missing) = &mut self.missing {
            missing.push(0);
        }
    }

    /// Adds an array behind so many rows.
    fn append(&mut self, rows: usize, array: &dyn Array) {
        self.fill(rows);
        self.rows += array.len();
        if let Some(missing) = &mut self.missing {
            match array.nulls() {
                Some(nulls) => missing.extend(nulls.iter().map(|is_there| u8::from(!is_there))),
                None => missing.resize(missing.len() + array.len(), 0),
            }
        }
        match &mut self.values {
            Values::Numbers { width, bytes, .. } => push_numbers(bytes, *width, array),
            Values::Texts(bytes) => push_texts(bytes, array.as_string()),
            Values::Repeating(dictionary) => dictionary.extend(array.as_string()),
            Values::List { ends, items } => {
                let lists = array.as_list::<i32>();
                push_ends(ends, lists.value_offsets());
                items.extend(within(lists.values(), lists.value_offsets()).as_string());
            }
            Values::Pairs { ends, names, values } => {
                let pairs = array.as_map();
                push_ends(ends, pairs.value_offsets());
                names.extend(within(pairs.keys(), pairs.value_offsets()).as_string());
                push_texts(values, within(pairs.values(), pairs.value_offsets()).as_string());
            }
        }
    }

    fn shrink(&mut self) {
        if let Some(missing) = &mut self.missing {
            missing.shrink_to_fit();
        }
        match &mut self.values {
            Values::Numbers { bytes, .. } | Values::Texts(bytes) => bytes.shrink_to_fit(),
            Values::Repeating(dictionary) => dictionary.shrink(),
            Values::List { ends, items } => {
                ends.shrink_to_fit();
                items.shrink();
            }
            Values::Pairs { ends, names, values } => {
                ends.shrink_to_fit();
                names.shrink();
                values.shrink_to_fit();
            }
        }
    }

    fn bytes(&self) -> usize {
        let missing = self.missing.as_ref().map_or(0, Vec::len);
        missing
            + match &self.values {
                Values::Numbers { bytes, .. } | Values::Texts(bytes) => bytes.len(),
                Values::Repeating(dictionary) => dictionary.bytes(),
                Values::List { ends, items } => size_of_val(ends.as_slice()) + items.bytes(),
                Values::Pairs { ends, names, values } => {
                    size_of_val(ends.as_slice()) + names.bytes() + values.len()
                }
            }
    }

    fn part(&self, start: usize, end: usize) -> Column {
        let values = match &self.values {
            Values::Numbers { width, bytes, rest } => {
                let bytes = bytes[width * start..width * end].to_vec();
                Values::Numbers { width: *width, bytes, rest: *rest }
            }
            Values::Texts(bytes) => Values::Texts(some_texts(bytes, start, end).to_vec()),
            Values::Repeating(dictionary) => Values::Repeating(dictionary.part(start, end)),
            Values::List { ends, items } => {
                let (ends, first, last) = ends_of(ends, start, end);
                Values::List { ends, items: items.part(first, last) }
            }
            Values::Pairs { ends, names, values } => {
                let (ends, first, last) = ends_of(ends, start, end);
                let values = some_texts(values, first, last).to_vec();
                Values::Pairs { ends, names: names.part(first, last), values }
            }
        };
        let missing = self.missing.as_ref().map(|missing| missing[start..end].to_vec());
        Column { name: self.name.clone(), kind: self.kind.clone(), rows: end - start, missing, values }
    }

    fn write<'b>(&'b self, runs: &mut Vec<Cow<'b, [u8]>>) {
        let mut head = Vec::new();
        push_text(&mut head, self.name.as_bytes());
        push_text(&mut head, self.kind.as_bytes());
        if !matches!(self.values, Values::Numbers { .. } | Values::Texts(_)) {
            head.extend_from_slice(&DICTIONARY.to_le_bytes());
        }
        runs.push(Cow::Owned(head));
        runs.extend(self.missing.as_deref().map(Cow::Borrowed));
        let ends_run =
            |ends: &[u64]| Cow::Owned(ends.iter().flat_map(|end| end.to_le_bytes()).collect::<Vec<u8>>());
        match &self.values {
            Values::Numbers { bytes, .. } | Values::Texts(bytes) => runs.push(Cow::Borrowed(bytes)),
            Values::Repeating(dictionary) => dictionary.write(runs),
            Values::List { ends, items } => {
                runs.push(ends_run(ends));
                items.write(runs);
            }
            Values::Pairs { ends, names, values } => {
                runs.push(ends_run(ends));
                names.write(runs);
                runs.push(Cow::Borrowed(values));
            }
        }
    }
}

fn is_of_texts(entries: &Field) -> bool {
    match entries.data_type() {
        DataType::Struct(fields) => fields.iter().all(|field| *field.data_type() == DataType::Utf8),
        _ => false,
    }
}

/// Whole numbers and floats are little-endian in ClickHouse; so they are in memory on every machine that this is built for.
fn push_numbers(bytes: &mut Vec<u8>, width: usize, array: &dyn Array) {
    fn raw<T: ArrowPrimitiveType>(array: &dyn Array) -> &[u8] {
        array.as_primitive::<T>().values().inner().as_slice()
    }
    match array.data_type() {
        DataType::Boolean => bytes.extend(array.as_boolean().values().iter().map(u8::from)),
        DataType::Int32 => bytes.extend_from_slice(raw::<Int32Type>(array)),
        DataType::Int64 => bytes.extend_from_slice(raw::<Int64Type>(array)),
        DataType::Float64 => bytes.extend_from_slice(raw::<Float64Type>(array)),
        DataType::Timestamp(..) => bytes.extend_from_slice(raw::<TimestampMillisecondType>(array)),
        DataType::Decimal128(..) => {
            let short = |number: &i128| i64::try_from(*number).expect("18 digits fit").to_le_bytes();
            bytes.extend(array.as_primitive::<Decimal128Type>().values().iter().flat_map(short));
        }
        // Columns are made of no other type.
        _ => bytes.resize(bytes.len() + width * array.len(), 0),
    }
}

fn push_end(ends: &mut Vec<u64>, more: usize) {
    ends.push(ends.last().copied().unwrap_or(0) + more as u64);
}

/// From offsets of Arrow, which need not begin at 0, to ends that go on from those before.
fn push_ends(ends: &mut Vec<u64>, offsets: &[i32]) {
    let before = ends.last().copied().unwrap_or(0);
    let end = |offset: &i32| before + u64::from(offset.abs_diff(offsets[0]));
    ends.extend(offsets[1..].iter().map(end));
}

/// The items that offsets of Arrow are about.
fn within(items: &dyn Array, offsets: &[i32]) -> arrow_array::ArrayRef {
    let at = |offset: i32| usize::try_from(offset).unwrap_or_default();
    let (first, last) = (at(offsets[0]), at(offsets[offsets.len() - 1]));
    items.slice(first, last - first)
}

/// Ends of some rows as if there were no others, and the first and the end of their items.
fn ends_of(ends: &[u64], start: usize, end: usize) -> (Vec<u64>, usize, usize) {
    let at = |row: usize| if row == 0 { 0 } else { ends[row - 1] };
    let place = |end: u64| usize::try_from(end).expect("a block has less than 4 GiB");
    let some = ends[start..end].iter().map(|end| end - at(start)).collect();
    (some, place(at(start)), place(at(end)))
}

#[cfg(test)]
mod tests;
