//! Columnar building: a table is declared once, with its columns by name and kind, and becomes an Arrow batch of that shape. A row is a
//! struct of the same names, so no value can land in another column.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder, ListBuilder, MapBuilder,
    MapFieldNames, StringBuilder, TimestampMillisecondBuilder, TimestampSecondBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use touchstream_schemas::money::Money;
use touchstream_schemas::panes::Bucket;
use touchstream_schemas::time::EventTime;

/// A kind of column: how its values are gathered.
pub(crate) trait Column: Default {
    /// One value.
    type Value<'a>;
    /// Whether it may be absent.
    const NULLABLE: bool;
    /// Arrow type.
    fn data_type() -> DataType;
    /// Adds a value.
    fn push(&mut self, value: Self::Value<'_>);
    /// Takes the values out.
    fn finish(&mut self) -> ArrayRef;
}

/// A table under construction.
pub(crate) trait Table: Default {
    /// Name in ClickHouse.
    const NAME: &'static str;
    /// Name of the table of the same rows split by a further dimension, where there is one.
    const NAME_BY: &'static str;
    /// One row.
    type Row<'a>;
    /// Columns as written.
    fn schema() -> Schema;
    /// Adds a row.
    fn push(&mut self, row: Self::Row<'_>);
    /// Rows gathered.
    fn rows(&self) -> usize;
    /// Takes the rows out.
    fn finish(&mut self) -> Result<RecordBatch, ArrowError>;
}

macro_rules! scalar {
    ($($(#[$doc:meta])* $name:ident = $builder:ty, $value:ty, $nullable:literal, $data_type:expr, |$b:ident, $v:ident| $push:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(crate) struct $name($builder);
            impl Default for $name {
                fn default() -> Self {
                    $name(<$builder>::default().with_data_type_of_column())
                }
            }
            impl Column for $name {
                type Value<'a> = $value;
                const NULLABLE: bool = $nullable;
                fn data_type() -> DataType {
                    $data_type
                }
                fn push(&mut self, $v: Self::Value<'_>) {
                    let $b = &mut self.0;
                    $push
                }
                fn finish(&mut self) -> ArrayRef {
                    Arc::new(self.0.finish())
                }
            }
        )*
    };
}

/// Builders whose type has a parameter that `default` does not set.
trait WithDataType: Sized {
    fn with_data_type_of_column(self) -> Self {
        self
    }
}
impl WithDataType for StringBuilder {}
impl WithDataType for Int32Builder {}
impl WithDataType for Int64Builder {}
impl WithDataType for BooleanBuilder {}
impl WithDataType for Float64Builder {}
impl WithDataType for TimestampSecondBuilder {
    fn with_data_type_of_column(self) -> Self {
        self.with_timezone("UTC")
    }
}
impl WithDataType for TimestampMillisecondBuilder {
    fn with_data_type_of_column(self) -> Self {
        self.with_timezone("UTC")
    }
}
impl WithDataType for Decimal128Builder {
    fn with_data_type_of_column(self) -> Self {
        self.with_precision_and_scale(18, 4).expect("18 digits with 4 decimals are valid")
    }
}

fn seconds() -> DataType {
    DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))
}
fn milliseconds() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

scalar! {
    /// Text.
    Text = StringBuilder, &'a str, false, DataType::Utf8, |b, v| b.append_value(v);
    /// Text that may be absent.
    OptText = StringBuilder, Option<&'a str>, true, DataType::Utf8, |b, v| b.append_option(v);
    /// A whole number.
    Int = Int64Builder, i64, false, DataType::Int64, |b, v| b.append_value(v);
    /// A whole number that may be absent.
    OptInt = Int64Builder, Option<i64>, true, DataType::Int64, |b, v| b.append_option(v);
    /// A number that may be absent.
    OptFloat = Float64Builder, Option<f64>, true, DataType::Float64, |b, v| b.append_option(v);
    /// A small whole number.
    Small = Int32Builder, i32, false, DataType::Int32, |b, v| b.append_value(v);
    /// A small whole number that may be absent.
    OptSmall = Int32Builder, Option<i32>, true, DataType::Int32, |b, v| b.append_option(v);
    /// True or false.
    Flag = BooleanBuilder, bool, false, DataType::Boolean, |b, v| b.append_value(v);
    /// A time in whole seconds.
    Seconds = TimestampSecondBuilder, EventTime, false, seconds(), |b, v| b.append_value(v.0.div_euclid(1_000));
    /// A time.
    Time = TimestampMillisecondBuilder, EventTime, false, milliseconds(), |b, v| b.append_value(v.0);
    /// A time that may be absent.
    OptTime = TimestampMillisecondBuilder, Option<EventTime>, true, milliseconds(), |b, v| b.append_option(v.map(|time| time.0));
    /// An amount that may be absent.
    OptAmount = Decimal128Builder, Option<Money>, true, DataType::Decimal128(18, 4), |b, v| b.append_option(v.map(|money| i128::from(money.0)));
}

macro_rules! list {
    ($($(#[$doc:meta])* $name:ident = $builder:ty, $item:ty, $nullable:literal, $data_type:expr, |$b:ident, $v:ident| $push:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(crate) struct $name(ListBuilder<$builder>);
            impl Default for $name {
                fn default() -> Self {
                    let items = <$builder>::default().with_data_type_of_column();
                    $name(ListBuilder::new(items).with_field(Field::new("item", $data_type, $nullable)))
                }
            }
            impl Column for $name {
                type Value<'a> = &'a mut dyn Iterator<Item = $item>;
                const NULLABLE: bool = false;
                fn data_type() -> DataType {
                    DataType::List(Arc::new(Field::new("item", $data_type, $nullable)))
                }
                fn push(&mut self, values: Self::Value<'_>) {
                    let $b = self.0.values();
                    for $v in values {
                        $push;
                    }
                    self.0.append(true);
                }
                fn finish(&mut self) -> ArrayRef {
                    Arc::new(self.0.finish())
                }
            }
        )*
    };
}

list! {
    /// Texts.
    Texts = StringBuilder, &'a str, false, DataType::Utf8, |b, v| b.append_value(v);
    /// Whole numbers.
    Ints = Int64Builder, i64, false, DataType::Int64, |b, v| b.append_value(v);
    /// Whole numbers that may be absent.
    OptInts = Int64Builder, Option<i64>, true, DataType::Int64, |b, v| b.append_option(v);
    /// Small whole numbers that may be absent.
    OptSmalls = Int32Builder, Option<i32>, true, DataType::Int32, |b, v| b.append_option(v);
    /// Times.
    Times = TimestampMillisecondBuilder, EventTime, false, milliseconds(), |b, v| b.append_value(v.0);
    /// Amounts.
    Amounts = Decimal128Builder, Money, false, DataType::Decimal128(18, 4), |b, v| b.append_value(i128::from(v.0));
}

/// Log buckets, in rising order of index.
#[derive(Debug)]
pub(crate) struct Buckets(MapBuilder<Int32Builder, UInt64Builder>);

impl Default for Buckets {
    fn default() -> Self {
        let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
        let builder = MapBuilder::new(Some(names), Int32Builder::new(), UInt64Builder::new());
        Buckets(builder.with_values_field(Field::new("value", DataType::UInt64, false)))
    }
}

impl Column for Buckets {
    type Value<'a> = &'a [Bucket];
    const NULLABLE: bool = false;
    fn data_type() -> DataType {
        let fields =
            vec![Field::new("key", DataType::Int32, false), Field::new("value", DataType::UInt64, false)];
        DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields.into()), false)), false)
    }
    fn push(&mut self, buckets: &[Bucket]) {
        let mut sorted: Vec<Bucket> = buckets.iter().copied().filter(|bucket| bucket.count > 0).collect();
        sorted.sort_unstable_by_key(|bucket| bucket.index);
        for bucket in sorted {
            self.0.keys().append_value(bucket.index);
            self.0.values().append_value(u64::try_from(bucket.count).unwrap_or(0));
        }
        // Keys and values always come in pairs, the only thing that can be wrong here.
        self.0.append(true).expect("as many keys as values");
    }
    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// Rows of a table, split by a further dimension: the same columns, the dimension and its value.
#[derive(Debug, Default)]
pub(crate) struct By<T> {
    rows: T,
    dimension: Text,
    dimension_value: Text,
}

impl<T: Table> Table for By<T> {
    const NAME: &'static str = T::NAME_BY;
    const NAME_BY: &'static str = T::NAME_BY;
    type Row<'a> = (&'a str, &'a str, T::Row<'a>);
    fn schema() -> Schema {
        let mut fields = T::schema().fields.to_vec();
        for name in ["dimension", "dimension_value"] {
            fields.push(Arc::new(Field::new(name, Text::data_type(), Text::NULLABLE)));
        }
        Schema::new(fields)
    }
    fn push(&mut self, (dimension, value, row): Self::Row<'_>) {
        self.rows.push(row);
        self.dimension.push(dimension);
        self.dimension_value.push(value);
    }
    fn rows(&self) -> usize {
        self.rows.rows()
    }
    fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut columns = self.rows.finish()?.columns().to_vec();
        columns.extend([self.dimension.finish(), self.dimension_value.finish()]);
        RecordBatch::try_new(Arc::new(Self::schema()), columns)
    }
}

/// Declares tables: struct, row and columns.
macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident, $row:ident = $name:literal { $($column:ident : $kind:ident,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            pub(crate) struct $table {
                rows: usize,
                $($column: $kind,)*
            }
            /// One row.
            pub(crate) struct $row<'a> {
                $(pub(crate) $column: <$kind as Column>::Value<'a>,)*
            }
            impl Table for $table {
                const NAME: &'static str = $name;
                const NAME_BY: &'static str = concat!($name, "_by");
                type Row<'a> = $row<'a>;
                fn schema() -> Schema {
                    Schema::new(vec![$(Field::new(stringify!($column), <$kind as Column>::data_type(), <$kind as Column>::NULLABLE),)*])
                }
                fn push(&mut self, row: $row<'_>) {
                    self.rows += 1;
                    $(self.$column.push(row.$column);)*
                }
                fn rows(&self) -> usize {
                    self.rows
                }
                fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
                    self.rows = 0;
                    RecordBatch::try_new(Arc::new(Self::schema()), vec![$(self.$column.finish(),)*])
                }
            }
        )*
    };
}
pub(crate) use tables;
