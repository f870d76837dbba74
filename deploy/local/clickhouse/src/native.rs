//! The Native format as clients of a protocol version expect it: what `client_protocol_version` changes in a response.
//!
//! The engine writes Native for files, as of no version. A client that names version 54454 or later (clickhouse-go does, and cannot do without)
//! expects a few bytes more: in each block its info (no overflow, no bucket), in each column a flag that says whether it is packed in a way of
//! its own (never). The data themselves are the same. Between the engine and the client stands this file, which follows a block's columns by
//! their types to know where the next one begins. Promise kept: a type that it does not know is an error that names it, never a shifted column.
//! Clients of earlier versions (clickhouse-connect) try first whether the server knows about versions, and read every type without.

use bytes::{Buf, Bytes, BytesMut};

/// From here on clients are served: their columns carry the flag of custom serialization.
pub(crate) const FIRST_VERSION: u64 = 54_454;
/// Fields of a block's info: 1, no overflow; 2, bucket -1; 0, the end.
const BLOCK_INFO: [u8; 8] = [1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0];
/// Longest block that is waited for.
const LONGEST_BLOCK: usize = 1 << 30;
/// Deepest type that is followed.
const DEEPEST: usize = 32;

/// Why a block cannot be followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NativeError {
    /// More bytes are to come.
    #[error("failed to read a block of Native: it is cut off")]
    Short,
    /// No client of a named version can have this type from here.
    #[error(
        "failed to send the type {0} in Native to a client of this protocol version: select it with toString()"
    )]
    Type(String),
    /// The engine wrote something else.
    #[error("failed to read a block of Native: {0}")]
    Broken(&'static str),
}

/// Rewrites a response block by block.
#[derive(Debug)]
pub(crate) struct Rewriter {
    waiting: BytesMut,
    /// Length below which the waiting bytes are known to be no whole block.
    wanted: usize,
}

impl Rewriter {
    pub(crate) fn new() -> Self {
        Self { waiting: BytesMut::new(), wanted: 0 }
    }

    /// Takes bytes in and gives the whole blocks as the client expects them.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Bytes, NativeError> {
        self.waiting.extend_from_slice(bytes);
        let mut out = BytesMut::new();
        while !self.waiting.is_empty() && self.waiting.len() >= self.wanted {
            let kept = out.len();
            match block(&self.waiting, &mut out) {
                Ok(length) => {
                    self.waiting.advance(length);
                    self.wanted = 0;
                }
                Err(NativeError::Short) if self.waiting.len() < LONGEST_BLOCK => {
                    out.truncate(kept);
                    // A block is read again only when it may have grown by half, so that the work stays linear.
                    self.wanted = self.waiting.len() + self.waiting.len() / 2;
                    if bytes.is_empty() {
                        self.wanted = 0;
                    }
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(out.freeze())
    }

    /// What is left at the end: blocks that were not looked at yet, then whatever is no block, as the engine wrote it (the text of an error).
    pub(crate) fn finish(&mut self) -> Result<Bytes, NativeError> {
        self.wanted = 0;
        let blocks = match self.push(&[]) {
            Err(NativeError::Broken(_)) => Bytes::new(),
            other => other?,
        };
        let rest = self.waiting.split();
        if rest.is_empty() { Ok(blocks) } else { Ok([blocks, rest.freeze()].concat().into()) }
    }
}

/// Copies one block, and tells its length in `bytes`.
fn block(bytes: &[u8], out: &mut BytesMut) -> Result<usize, NativeError> {
    let mut reader = Reader { bytes, at: 0 };
    let columns = reader.number()?;
    let rows = usize::try_from(reader.number()?).map_err(|_| NativeError::Broken("too many rows"))?;
    out.extend_from_slice(&BLOCK_INFO);
    let mut copied = 0;
    for _ in 0..columns {
        reader.text()?;
        let kind = reader.text()?;
        let kind =
            Kind::parse(std::str::from_utf8(kind).map_err(|_| NativeError::Broken("a type is no text"))?, 0)?;
        out.extend_from_slice(&bytes[copied..reader.at]);
        out.extend_from_slice(&[0]);
        copied = reader.at;
        if rows > 0 {
            kind.skip_prefix(&mut reader)?;
            kind.skip(&mut reader, rows)?;
        }
    }
    out.extend_from_slice(&bytes[copied..reader.at]);
    Ok(reader.at)
}

struct Reader<'bytes> {
    bytes: &'bytes [u8],
    at: usize,
}

impl<'bytes> Reader<'bytes> {
    fn take(&mut self, length: usize) -> Result<&'bytes [u8], NativeError> {
        let end = self.at.checked_add(length).ok_or(NativeError::Broken("a length overflows"))?;
        let taken = self.bytes.get(self.at..end).ok_or(NativeError::Short)?;
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, NativeError> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(NativeError::Broken("a number is too long"))
    }

    fn text(&mut self) -> Result<&'bytes [u8], NativeError> {
        let length = self.size()?;
        self.take(length)
    }

    fn size(&mut self) -> Result<usize, NativeError> {
        usize::try_from(self.number()?).map_err(|_| NativeError::Broken("a length overflows"))
    }

    fn long(&mut self) -> Result<u64, NativeError> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| NativeError::Short)?))
    }
}

/// How values of a type lie in a column.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Fixed(usize),
    Text,
    Nullable(Box<Kind>),
    Array(Box<Kind>),
    Tuple(Vec<Kind>),
    LowCardinality(Box<Kind>),
}

impl Kind {
    fn parse(text: &str, depth: usize) -> Result<Kind, NativeError> {
        let unknown = || NativeError::Type(text.to_owned());
        if depth > DEEPEST {
            return Err(unknown());
        }
        let inner = |text: &str| Kind::parse(text, depth + 1);
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')').ok_or_else(unknown)?),
            None => (text, ""),
        };
        let fixed = |size| Ok(Kind::Fixed(size));
        match name {
            "Int8" | "UInt8" | "Bool" | "Enum8" | "Nothing" => fixed(1),
            "Int16" | "UInt16" | "Enum16" | "Date" | "BFloat16" => fixed(2),
            "Int32" | "UInt32" | "Float32" | "Date32" | "DateTime" | "IPv4" | "Time" | "Decimal32" => {
                fixed(4)
            }
            "Int64" | "UInt64" | "Float64" | "DateTime64" | "Time64" | "Decimal64" => fixed(8),
            "Int128" | "UInt128" | "UUID" | "IPv6" | "Decimal128" => fixed(16),
            "Int256" | "UInt256" | "Decimal256" => fixed(32),
            "FixedString" => fixed(arguments.parse().map_err(|_| unknown())?),
            "Decimal" => {
                let precision = arguments.split(',').next().unwrap_or_default().trim();
                match precision.parse().map_err(|_| unknown())? {
                    0..=9_u32 => fixed(4),
                    10..=18 => fixed(8),
                    19..=38 => fixed(16),
                    _ => fixed(32),
                }
            }
            "String" => Ok(Kind::Text),
            "Nullable" => Ok(Kind::Nullable(Box::new(inner(arguments)?))),
            "Array" => Ok(Kind::Array(Box::new(inner(arguments)?))),
            "LowCardinality" => {
                // Null is one of the dictionary's keys.
                let plain = arguments.strip_prefix("Nullable(").and_then(|rest| rest.strip_suffix(')'));
                Ok(Kind::LowCardinality(Box::new(inner(plain.unwrap_or(arguments))?)))
            }
            "Map" | "Tuple" | "Nested" => {
                let parts = split(arguments);
                let kinds = parts.iter().map(|part| {
                    let part = part.trim();
                    // The elements of a tuple may have names.
                    inner(if name == "Map" { part } else { without_name(part) })
                });
                let tuple = Kind::Tuple(kinds.collect::<Result<_, _>>()?);
                Ok(if name == "Tuple" { tuple } else { Kind::Array(Box::new(tuple)) })
            }
            "SimpleAggregateFunction" => {
                let (_, kind) = arguments.split_once(',').ok_or_else(unknown)?;
                inner(kind.trim())
            }
            "Point" => inner("Tuple(Float64, Float64)"),
            "Ring" | "LineString" => inner("Array(Point)"),
            "Polygon" | "MultiLineString" => inner("Array(Ring)"),
            "MultiPolygon" => inner("Array(Polygon)"),
            interval if interval.starts_with("Interval") && arguments.is_empty() => fixed(8),
            _ => Err(unknown()),
        }
    }

    /// Versions of dictionaries, which come before a column's data.
    fn skip_prefix(&self, reader: &mut Reader<'_>) -> Result<(), NativeError> {
        match self {
            Kind::Fixed(_) | Kind::Text => Ok(()),
            Kind::Nullable(inner) | Kind::Array(inner) => inner.skip_prefix(reader),
            Kind::Tuple(kinds) => kinds.iter().try_for_each(|kind| kind.skip_prefix(reader)),
            Kind::LowCardinality(_) => match reader.long()? {
                1 => Ok(()),
                _ => Err(NativeError::Broken("a dictionary of another version")),
            },
        }
    }

    fn skip(&self, reader: &mut Reader<'_>, rows: usize) -> Result<(), NativeError> {
        match self {
            Kind::Fixed(size) => {
                let length = rows.checked_mul(*size).ok_or(NativeError::Broken("a length overflows"))?;
                reader.take(length).map(drop)
            }
            Kind::Text => (0..rows).try_for_each(|_| reader.text().map(drop)),
            Kind::Nullable(inner) => {
                reader.take(rows)?;
                inner.skip(reader, rows)
            }
            Kind::Array(inner) => {
                let length = rows.checked_mul(8).ok_or(NativeError::Broken("a length overflows"))?;
                let ends = reader.take(length)?;
                let Some(last) = ends.last_chunk::<8>() else { return Ok(()) };
                let elements = usize::try_from(u64::from_le_bytes(*last))
                    .map_err(|_| NativeError::Broken("a length overflows"))?;
                inner.skip(reader, elements)
            }
            Kind::Tuple(kinds) if kinds.is_empty() => reader.take(rows).map(drop),
            Kind::Tuple(kinds) => kinds.iter().try_for_each(|kind| kind.skip(reader, rows)),
            Kind::LowCardinality(inner) => {
                if rows == 0 {
                    return Ok(());
                }
                let head = reader.long()?;
                if head & 0x100 != 0 {
                    return Err(NativeError::Broken("a dictionary shared by blocks"));
                }
                let keys = if head & 0x200 == 0 { 0 } else { reader.long()? };
                let keys = usize::try_from(keys).map_err(|_| NativeError::Broken("a length overflows"))?;
                inner.skip(reader, keys)?;
                if reader.long()? != rows as u64 {
                    return Err(NativeError::Broken("a dictionary's rows are not the column's"));
                }
                let width = match head & 0xff {
                    width @ 0..=3 => 1_usize << width,
                    _ => return Err(NativeError::Broken("a dictionary's index of unknown width")),
                };
                Kind::Fixed(width).skip(reader, rows)
            }
        }
    }
}

/// Parts a list at its own commas.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '`') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            (None, _) => {}
        }
    }
    if !text.trim().is_empty() {
        parts.push(&text[begin..]);
    }
    parts
}

/// The type of a tuple's element, whose name may be in backticks.
fn without_name(part: &str) -> &str {
    if let Some(rest) = part.strip_prefix('`') {
        let mut escaped = false;
        for (at, character) in rest.char_indices() {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '`' => return rest[at + 1..].trim_start(),
                _ => {}
            }
        }
        return part;
    }
    match part.find([' ', '(']) {
        Some(at) if part.as_bytes()[at] == b' ' => part[at + 1..].trim_start(),
        _ => part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One column `c` of a type with its data.
    fn plain(kind: &str, rows: u8, data: &[u8]) -> Vec<u8> {
        let length = u8::try_from(kind.len()).expect("short");
        [&[1, rows, 1, b'c', length], kind.as_bytes(), data].concat()
    }

    #[test]
    fn blocks_get_what_the_version_expects_and_end_where_they_end() {
        let long = |value: u64| value.to_le_bytes().to_vec();
        let cases: Vec<(&str, u8, Vec<u8>)> = vec![
            ("Nullable(Decimal(18, 4))", 2, vec![7; 18]),
            ("String", 2, vec![2, b'a', b'b', 0]),
            ("Enum8('a,\\') (' = 1, 'b' = 2)", 3, vec![1, 2, 1]),
            (
                "Array(LowCardinality(Nullable(String)))",
                2,
                [long(1), long(1), long(3), long(0x600), long(2), vec![0, 1, b'x'], long(3), vec![0, 1, 1]]
                    .concat(),
            ),
            (
                "Map(LowCardinality(String), Array(UInt64))",
                1,
                [
                    long(1),
                    long(1),
                    long(0x600),
                    long(1),
                    vec![1, b'k'],
                    long(1),
                    vec![0],
                    long(2),
                    vec![9; 16],
                ]
                .concat(),
            ),
            ("Tuple(a UInt8, `b c` DateTime64(3, 'UTC'))", 1, vec![3; 9]),
            ("Array(LowCardinality(String))", 1, [long(1), long(0)].concat()),
        ];
        for (kind, rows, data) in cases {
            let block = plain(kind, rows, &data);
            let twice = [block.clone(), block.clone()].concat();
            let name_and_type = 2 + 2 + 1 + kind.len();
            let flagged = [&BLOCK_INFO[..], &block[..name_and_type], &[0], &data].concat();
            for cut in 0..twice.len() {
                let mut rewriter = Rewriter::new();
                let mut out = rewriter.push(&twice[..cut]).expect("a part can wait").to_vec();
                out.extend(rewriter.push(&twice[cut..]).expect("whole blocks"));
                out.extend(rewriter.finish().expect("nothing is left"));
                assert_eq!(out, [flagged.clone(), flagged.clone()].concat(), "{kind} cut at {cut}");
            }
        }
    }

    #[test]
    fn unknown_types_are_named_and_hostile_bytes_are_errors() {
        let mut rewriter = Rewriter::new();
        let refused = rewriter.push(&plain("Dynamic", 1, &[0]));
        assert_eq!(refused, Err(NativeError::Type("Dynamic".to_owned())));
        for seed in 0..20_000_u64 {
            let bytes: Vec<u8> =
                (0..40).map(|at| (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (at % 57)) as u8).collect();
            let mut rewriter = Rewriter::new();
            let pushed = rewriter.push(&plain("Array(Map(String, LowCardinality(String)))", 3, &bytes));
            if pushed.is_ok() {
                // Cut off or by chance whole: either way it ends.
                let _rest = rewriter.finish();
            }
        }
        let deep = "Array(".repeat(40) + "UInt8" + &")".repeat(40);
        assert!(matches!(Kind::parse(&deep, 0), Err(NativeError::Type(_))));
    }
}
