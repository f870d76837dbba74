//! Types of Native columns: read as the engine writes them in binary, written as ClickHouse names them.

use super::{NativeError, Reader};
use std::fmt::{self, Display, Formatter};

/// Deepest type that is followed.
const DEEPEST: usize = 32;
/// Most elements of a type that are read.
const MOST: usize = 1 << 16;
const INTERVALS: [&str; 11] = [
    "Nanosecond",
    "Microsecond",
    "Millisecond",
    "Second",
    "Minute",
    "Hour",
    "Day",
    "Week",
    "Month",
    "Quarter",
    "Year",
];
/// `Dynamic` and `JSON` without arguments.
const DYNAMIC_TYPES: u8 = 32;
const DYNAMIC_PATHS: usize = 1024;

/// A type.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its name, arguments and all, and its bytes.
    Fixed(String, usize),
    Text,
    /// Another type under a name of its own.
    Named(String, Box<Kind>),
    Nullable(Box<Kind>),
    Array(Box<Kind>),
    Map(Box<Kind>, Box<Kind>),
    /// Elements may have names.
    Tuple(Vec<(Option<String>, Kind)>),
    Nested(Vec<(Option<String>, Kind)>),
    LowCardinality(Box<Kind>),
    Variant(Vec<Kind>),
    Dynamic(u8),
    Json(Json),
}

/// What a `JSON` type says of its paths.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Json {
    pub(super) paths: usize,
    pub(super) types: u8,
    /// In the order of their names.
    pub(super) typed: Vec<(String, Kind)>,
    pub(super) skipped: Vec<String>,
    pub(super) skipped_patterns: Vec<String>,
}

impl Kind {
    pub(super) fn read(reader: &mut Reader<'_, '_>, depth: usize) -> Result<Self, NativeError> {
        if depth > DEEPEST {
            return Err(NativeError::Broken("a type is nested too deep"));
        }
        let fixed = |name: &str, size| Ok(Self::Fixed(name.to_owned(), size));
        let inner = |reader: &mut Reader<'_, '_>| Self::read(reader, depth + 1).map(Box::new);
        match reader.byte()? {
            0x00 => fixed("Nothing", 1),
            0x01 => fixed("UInt8", 1),
            0x02 => fixed("UInt16", 2),
            0x03 => fixed("UInt32", 4),
            0x04 => fixed("UInt64", 8),
            0x05 => fixed("UInt128", 16),
            0x06 => fixed("UInt256", 32),
            0x07 => fixed("Int8", 1),
            0x08 => fixed("Int16", 2),
            0x09 => fixed("Int32", 4),
            0x0a => fixed("Int64", 8),
            0x0b => fixed("Int128", 16),
            0x0c => fixed("Int256", 32),
            0x0d => fixed("Float32", 4),
            0x0e => fixed("Float64", 8),
            0x0f => fixed("Date", 2),
            0x10 => fixed("Date32", 4),
            0x11 => fixed("DateTime", 4),
            0x12 => fixed(&format!("DateTime({})", Quoted(&reader.name()?, '\'')), 4),
            0x13 => fixed(&format!("DateTime64({})", reader.byte()?), 8),
            0x14 => {
                let scale = reader.byte()?;
                fixed(&format!("DateTime64({scale}, {})", Quoted(&reader.name()?, '\'')), 8)
            }
            0x15 => Ok(Self::Text),
            0x16 => {
                let length = reader.size()?;
                fixed(&format!("FixedString({length})"), length)
            }
            0x17 => Ok(Self::Fixed(enumeration(reader, "Enum8", 1)?, 1)),
            0x18 => Ok(Self::Fixed(enumeration(reader, "Enum16", 2)?, 2)),
            code @ 0x19..=0x1c => {
                let (precision, scale) = (reader.byte()?, reader.byte()?);
                fixed(&format!("Decimal({precision}, {scale})"), 4 << (code - 0x19))
            }
            0x1d => fixed("UUID", 16),
            0x1e => Ok(Self::Array(inner(reader)?)),
            0x1f => {
                let elements = (0..count(reader)?).map(|_| Ok((None, Self::read(reader, depth + 1)?)));
                Ok(Self::Tuple(elements.collect::<Result<_, NativeError>>()?))
            }
            0x20 => Ok(Self::Tuple(elements(reader, depth)?)),
            0x22 => match INTERVALS.get(usize::from(reader.byte()?)) {
                Some(unit) => fixed(&format!("Interval{unit}"), 8),
                None => Err(NativeError::Broken("an interval of unknown unit")),
            },
            0x23 => Ok(Self::Nullable(inner(reader)?)),
            0x26 => Ok(Self::LowCardinality(inner(reader)?)),
            0x27 => {
                let key = inner(reader)?;
                Ok(Self::Map(key, inner(reader)?))
            }
            0x28 => fixed("IPv4", 4),
            0x29 => fixed("IPv6", 16),
            0x2a => {
                let kinds = (0..count(reader)?).map(|_| Self::read(reader, depth + 1));
                Ok(Self::Variant(kinds.collect::<Result<_, _>>()?))
            }
            0x2b => Ok(Self::Dynamic(reader.byte()?)),
            0x2c => geometry(reader.name()?),
            0x2d => fixed("Bool", 1),
            0x2e => aggregate(reader, depth),
            0x2f => Ok(Self::Nested(elements(reader, depth)?)),
            0x30 => json(reader, depth),
            0x31 => fixed("BFloat16", 2),
            0x32 => fixed("Time", 4),
            0x34 => fixed(&format!("Time64({})", reader.byte()?), 8),
            0x21 => Err(NativeError::Type("Set".to_owned())),
            0x24 => Err(NativeError::Type("Function".to_owned())),
            0x25 => Err(NativeError::Type("AggregateFunction".to_owned())),
            0x36 => {
                let (kind, dimension) = (inner(reader)?, reader.size()?);
                let Self::Fixed(name, size) = kind.as_ref() else {
                    return Err(NativeError::Type(format!("QBit({kind}, {dimension})")));
                };
                // A tuple of one string of bits for each bit of the element.
                fixed(&format!("QBit({name}, {dimension})"), size * 8 * dimension.div_ceil(8))
            }
            code => Err(NativeError::Type(format!("of code {code:#04x}"))),
        }
    }
}

/// How many parts a type has.
fn count(reader: &mut Reader<'_, '_>) -> Result<usize, NativeError> {
    match reader.size()? {
        count @ 0..=MOST => Ok(count),
        _ => Err(NativeError::Broken("a type of too many parts")),
    }
}

fn named(reader: &mut Reader<'_, '_>, depth: usize) -> Result<Vec<(String, Kind)>, NativeError> {
    (0..count(reader)?).map(|_| Ok((reader.name()?, Kind::read(reader, depth + 1)?))).collect()
}

/// A tuple's elements with their names.
fn elements(reader: &mut Reader<'_, '_>, depth: usize) -> Result<Vec<(Option<String>, Kind)>, NativeError> {
    Ok(named(reader, depth)?.into_iter().map(|(name, kind)| (Some(name), kind)).collect())
}

fn names(reader: &mut Reader<'_, '_>) -> Result<Vec<String>, NativeError> {
    (0..count(reader)?).map(|_| reader.name()).collect()
}

fn enumeration(reader: &mut Reader<'_, '_>, name: &str, size: usize) -> Result<String, NativeError> {
    let values = (0..count(reader)?).map(|_| {
        let text = String::from_utf8_lossy(reader.text()?).into_owned();
        let value = match reader.take(size)? {
            [byte] => i16::from(i8::from_le_bytes([*byte])),
            [low, high] => i16::from_le_bytes([*low, *high]),
            _ => 0,
        };
        Ok(format!("{} = {value}", Quoted(&text, '\'')))
    });
    Ok(format!("{name}({})", values.collect::<Result<Vec<_>, NativeError>>()?.join(", ")))
}

/// Types that are others by a name of their own.
fn geometry(name: String) -> Result<Kind, NativeError> {
    let array = |kind| Kind::Array(Box::new(kind));
    let float = || (None, Kind::Fixed("Float64".to_owned(), 8));
    let point = || Kind::Tuple(vec![float(), float()]);
    let (line, area) = (|| array(point()), || array(array(point())));
    let kind = match name.as_str() {
        "Point" => point(),
        "Ring" | "LineString" => line(),
        "Polygon" | "MultiLineString" => area(),
        "MultiPolygon" => array(area()),
        // LineString, MultiLineString, MultiPolygon, Point, Polygon, Ring.
        "Geometry" => Kind::Variant(vec![line(), area(), array(area()), point(), area(), line()]),
        _ => return Err(NativeError::Type(name)),
    };
    Ok(Kind::Named(name, Box::new(kind)))
}

/// `SimpleAggregateFunction(function, type)`: lies as its type. Functions with parameters or several arguments are in no table here.
fn aggregate(reader: &mut Reader<'_, '_>, depth: usize) -> Result<Kind, NativeError> {
    let function = reader.name()?;
    let parameters = reader.number()?;
    let arguments = if parameters == 0 { reader.number()? } else { 0 };
    if arguments != 1 {
        return Err(NativeError::Type(format!("SimpleAggregateFunction({function}(…))")));
    }
    let kind = Kind::read(reader, depth + 1)?;
    Ok(Kind::Named(format!("SimpleAggregateFunction({function}, {kind})"), Box::new(kind)))
}

fn json(reader: &mut Reader<'_, '_>, depth: usize) -> Result<Kind, NativeError> {
    if reader.byte()? != 0 {
        return Err(NativeError::Type("JSON of another version".to_owned()));
    }
    let paths = reader.size()?;
    let types = reader.byte()?;
    let mut typed = named(reader, depth)?;
    typed.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut skipped = names(reader)?;
    skipped.sort();
    let skipped_patterns = names(reader)?;
    Ok(Kind::Json(Json { paths, types, typed, skipped, skipped_patterns }))
}

impl Display for Kind {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(name, _) | Self::Named(name, _) => formatter.write_str(name),
            Self::Text => formatter.write_str("String"),
            Self::Nullable(inner) => write!(formatter, "Nullable({inner})"),
            Self::Array(inner) => write!(formatter, "Array({inner})"),
            Self::Map(key, value) => write!(formatter, "Map({key}, {value})"),
            Self::LowCardinality(inner) => write!(formatter, "LowCardinality({inner})"),
            Self::Tuple(elements) => write!(formatter, "Tuple({})", list(elements.iter().map(element))),
            Self::Nested(elements) => write!(formatter, "Nested({})", list(elements.iter().map(element))),
            Self::Variant(kinds) => write!(formatter, "Variant({})", list(kinds.iter().map(Kind::to_string))),
            Self::Dynamic(DYNAMIC_TYPES) => formatter.write_str("Dynamic"),
            Self::Dynamic(types) => write!(formatter, "Dynamic(max_types={types})"),
            Self::Json(json) => json.fmt(formatter),
        }
    }
}

impl Display for Json {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let limits = [
            (self.types != DYNAMIC_TYPES).then(|| format!("max_dynamic_types={}", self.types)),
            (self.paths != DYNAMIC_PATHS).then(|| format!("max_dynamic_paths={}", self.paths)),
        ];
        let arguments = (limits.into_iter().flatten())
            .chain(self.typed.iter().map(|(path, kind)| format!("{} {kind}", Name(path))))
            .chain(self.skipped.iter().map(|path| format!("SKIP {}", Name(path))))
            .chain(
                self.skipped_patterns.iter().map(|pattern| format!("SKIP REGEXP {}", Quoted(pattern, '\''))),
            );
        match list(arguments).as_str() {
            "" => formatter.write_str("JSON"),
            arguments => write!(formatter, "JSON({arguments})"),
        }
    }
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn element((name, kind): &(Option<String>, Kind)) -> String {
    name.as_ref().map_or_else(|| kind.to_string(), |name| format!("{} {kind}", Name(name)))
}

/// A name, in backticks where it must be.
struct Name<'text>(&'text str);

impl Display for Name<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        const RESERVED: [&str; 6] = ["all", "distinct", "from", "null", "select", "table"];
        let plain = !self.0.starts_with(|first: char| first.is_ascii_digit())
            && !self.0.is_empty()
            && self.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !RESERVED.iter().any(|word| self.0.eq_ignore_ascii_case(word));
        if plain { formatter.write_str(self.0) } else { Quoted(self.0, '`').fmt(formatter) }
    }
}

/// A text in quotes, escaped as ClickHouse does.
struct Quoted<'text>(&'text str, char);

impl Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        formatter.write_char(self.1)?;
        for character in self.0.chars() {
            match character {
                '\\' => formatter.write_str("\\\\")?,
                '\n' => formatter.write_str("\\n")?,
                '\r' => formatter.write_str("\\r")?,
                '\t' => formatter.write_str("\\t")?,
                '\0' => formatter.write_str("\\0")?,
                '\u{8}' => formatter.write_str("\\b")?,
                '\u{c}' => formatter.write_str("\\f")?,
                quote if quote == self.1 => write!(formatter, "\\{quote}")?,
                other => formatter.write_char(other)?,
            }
        }
        formatter.write_char(self.1)
    }
}
