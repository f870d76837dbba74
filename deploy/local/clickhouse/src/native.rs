//! The Native format as clients of a protocol version expect it: what `client_protocol_version` changes in a response.
//!
//! The engine writes Native for files, as of no version: time zones are missing from its types. A client that names version 54337 or later
//! (clickhouse-connect, clickhouse-go) expects types with their zones and a few bytes more: in each block its info (no overflow, no bucket),
//! and from 54454 on in each column a flag that says whether it is packed in a way of its own (never). So the engine is asked for types in
//! binary, which are whole, and between it and the client stands this file: it writes the types' names, and follows a block's columns to
//! know where the next one begins. Promise kept: a type that it does not know is an error, never a shifted column.

mod column;
mod kind;

use bytes::{Buf, Bytes, BytesMut};
use column::Column;
use kind::Kind;

/// From here on clients are served: they read time zones in types.
pub(crate) const FIRST_VERSION: u64 = 54_337;
/// From here on a column carries the flag of custom serialization.
const FLAG_VERSION: u64 = 54_454;
/// What the engine is asked for, so that its types are whole.
pub(crate) const WHOLE_TYPES: &str = "output_format_native_encode_types_in_binary_format";
/// Fields of a block's info: 1, no overflow; 2, bucket -1; 0, the end.
const BLOCK_INFO: [u8; 8] = [1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0];
/// Longest block that is waited for.
const LONGEST_BLOCK: usize = 1 << 30;

/// Why a block cannot be followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NativeError {
    /// More bytes are to come.
    #[error("failed to read a block of Native: it is cut off")]
    Short,
    /// No client of this version can have this type from here.
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
    /// Whether the client expects the flag of custom serialization.
    flags: bool,
    waiting: BytesMut,
    /// Length below which the waiting bytes are known to be no whole block.
    wanted: usize,
}

impl Rewriter {
    pub(crate) fn new(version: u64) -> Self {
        Self { flags: version >= FLAG_VERSION, waiting: BytesMut::new(), wanted: 0 }
    }

    /// Takes bytes in and gives the whole blocks as the client expects them.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Bytes, NativeError> {
        self.waiting.extend_from_slice(bytes);
        let mut out = BytesMut::new();
        while !self.waiting.is_empty() && self.waiting.len() >= self.wanted {
            let kept = out.len();
            match block(&self.waiting, self.flags, &mut out) {
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

    /// What is left at the end: blocks that were not looked at yet, then whatever is no block, as the engine wrote it.
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
fn block(bytes: &[u8], flags: bool, out: &mut BytesMut) -> Result<usize, NativeError> {
    let mut reader = Reader { bytes, at: 0, out, copied: 0 };
    let columns = reader.number()?;
    let rows = reader.size()?;
    reader.out.extend_from_slice(&BLOCK_INFO);
    for _ in 0..columns {
        reader.text()?;
        let kind = reader.kind()?;
        if flags {
            reader.put(reader.at, &[0]);
        }
        if rows > 0 {
            let mut column = Column::new(&kind, flags)?;
            column.prefix(&mut reader)?;
            column.skip(&mut reader, rows)?;
        }
    }
    reader.put(reader.at, &[]);
    Ok(reader.at)
}

/// Walks over a block, and copies it but for what is put in its place.
struct Reader<'bytes, 'out> {
    bytes: &'bytes [u8],
    at: usize,
    out: &'out mut BytesMut,
    /// What lies before is in `out`, or left out.
    copied: usize,
}

impl<'bytes> Reader<'bytes, '_> {
    fn take(&mut self, length: usize) -> Result<&'bytes [u8], NativeError> {
        let end = self.at.checked_add(length).ok_or(NativeError::Broken("a length overflows"))?;
        let taken = self.bytes.get(self.at..end).ok_or(NativeError::Short)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, NativeError> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u64, NativeError> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
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

    fn name(&mut self) -> Result<String, NativeError> {
        let text = self.text()?;
        let text = std::str::from_utf8(text).map_err(|_| NativeError::Broken("a name is no text"))?;
        Ok(text.to_owned())
    }

    fn size(&mut self) -> Result<usize, NativeError> {
        usize::try_from(self.number()?).map_err(|_| NativeError::Broken("a length overflows"))
    }

    fn long(&mut self) -> Result<u64, NativeError> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| NativeError::Short)?))
    }

    /// Reads a type, and writes its name in its place.
    fn kind(&mut self) -> Result<Kind, NativeError> {
        let start = self.at;
        let kind = Kind::read(self, 0)?;
        let name = kind.to_string();
        let mut length = Vec::new();
        let mut rest = name.len();
        while rest >= 0x80 {
            length.push(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
            rest >>= 7;
        }
        length.push(u8::try_from(rest).unwrap_or_default());
        self.put(start, &[&length, name.as_bytes()].concat());
        Ok(kind)
    }

    /// Copies what lies before `start`, then `instead` of what lies between there and here.
    fn put(&mut self, start: usize, instead: &[u8]) {
        self.out.extend_from_slice(&self.bytes[self.copied..start]);
        self.out.extend_from_slice(instead);
        self.copied = self.at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(value: u64) -> Vec<u8> {
        value.to_le_bytes().to_vec()
    }

    /// One column `c` of a type with its data, as the engine writes it.
    fn plain(kind: &[u8], rows: u8, data: &[u8]) -> Vec<u8> {
        [&[1, rows, 1, b'c'], kind, data].concat()
    }

    /// The same as a client reads it.
    fn expected(name: &str, rows: u8, flag: &[u8], data: &[u8]) -> Vec<u8> {
        let length = u8::try_from(name.len()).expect("short");
        [&BLOCK_INFO[..], &[1, rows, 1, b'c', length], name.as_bytes(), flag, data].concat()
    }

    #[test]
    fn blocks_get_what_the_version_expects_and_end_where_they_end() {
        // A type in binary, its name, rows, data.
        let cases: Vec<(&[u8], &str, u8, Vec<u8>)> = vec![
            (b"\x23\x1a\x12\x04", "Nullable(Decimal(18, 4))", 2, vec![7; 18]),
            (b"\x15", "String", 2, vec![2, b'a', b'b', 0]),
            (b"\x12\x06Asia/X", "DateTime('Asia/X')", 1, vec![1; 4]),
            (b"\x17\x02\x06a,') (\x01\x01b\xff", "Enum8('a,\\') (' = 1, 'b' = -1)", 3, vec![1, 2, 1]),
            (
                b"\x1e\x26\x23\x15",
                "Array(LowCardinality(Nullable(String)))",
                2,
                [long(1), long(1), long(3), long(0x600), long(2), vec![0, 1, b'x'], long(3), vec![0, 1, 1]]
                    .concat(),
            ),
            (
                b"\x27\x26\x15\x1e\x04",
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
            (
                b"\x20\x02\x01a\x01\x03b c\x14\x03\x03UTC",
                "Tuple(a UInt8, `b c` DateTime64(3, 'UTC'))",
                1,
                vec![3; 9],
            ),
            (b"\x1e\x26\x15", "Array(LowCardinality(String))", 1, [long(1), long(0)].concat()),
            (
                b"\x2a\x02\x15\x01",
                "Variant(String, UInt8)",
                3,
                [long(0), vec![1, 0xff, 0, 1, b'x', 7]].concat(),
            ),
        ];
        for (kind, name, rows, data) in cases {
            let block = plain(kind, rows, &data);
            let twice = [block.clone(), block.clone()].concat();
            for (version, flag) in [(FLAG_VERSION, &[0][..]), (FLAG_VERSION - 1, &[])] {
                let wanted = expected(name, rows, flag, &data);
                for cut in 0..twice.len() {
                    let mut rewriter = Rewriter::new(version);
                    let mut out = rewriter.push(&twice[..cut]).expect("a part can wait").to_vec();
                    out.extend(rewriter.push(&twice[cut..]).expect("whole blocks"));
                    out.extend(rewriter.finish().expect("nothing is left"));
                    assert_eq!(out, [wanted.clone(), wanted.clone()].concat(), "{name} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn dynamic_values_name_their_types_in_the_data() {
        // As the engine wrote `{"a":1,"b":"x"}` of type JSON(a UInt8).
        let kind = b"\x30\x00\x80\x08\x20\x01\x01a\x01\x00\x00";
        let before = [long(0), vec![1, 1, 1, b'b'], long(1), vec![1, 1]].concat();
        let behind = [long(0), vec![1, 1, 1, b'x'], long(0)].concat();
        let block = plain(kind, 1, &[before.as_slice(), b"\x15", &behind].concat());
        let wanted = expected("JSON(a UInt8)", 1, &[], &[before.as_slice(), b"\x06String", &behind].concat());
        let mut rewriter = Rewriter::new(FIRST_VERSION);
        let out = rewriter.push(&[block.clone(), block.clone()].concat()).expect("whole blocks");
        assert_eq!(out, [wanted.clone(), wanted].concat());
        let refused = Rewriter::new(FLAG_VERSION).push(&block);
        assert_eq!(refused, Err(NativeError::Type("JSON(a UInt8)".to_owned())));
    }

    #[test]
    fn unknown_types_are_named_and_hostile_bytes_are_errors() {
        let refused = Rewriter::new(FIRST_VERSION).push(&plain(b"\x24", 1, &[0]));
        assert_eq!(refused, Err(NativeError::Type("Function".to_owned())));
        for kind in [&b"\x1e\x27\x15\x26\x15"[..], b"\x2b\x20", b""] {
            for seed in 0..20_000_u64 {
                let bytes: Vec<u8> =
                    (0..40).map(|at| (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (at % 57)) as u8).collect();
                let mut rewriter = Rewriter::new(FIRST_VERSION);
                if rewriter.push(&plain(kind, 3, &bytes)).is_ok() {
                    // Cut off or by chance whole: either way it ends.
                    let _rest = rewriter.finish();
                }
            }
        }
        let deep = Rewriter::new(FIRST_VERSION).push(&plain(&[0x1e; 40], 1, &[0]));
        assert_eq!(deep, Err(NativeError::Broken("a type is nested too deep")));
    }
}
