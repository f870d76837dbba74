//! Reads events of this release's schemas field after field, without asking for names: about three times as fast as by serde.
//!
//! It only ever says what the general decoder would say: whatever it does not read at once is left to that one, with its errors.

pub mod write;

use crate::event::StringMap;
use crate::money::Money;
use crate::time::EventTime;

/// The rest of a record.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'b>(&'b [u8]);

/// A type that a field of an event has. `None`: the general decoder shall look.
pub trait Field<'b>: Sized {
    /// Takes the field from the front of the rest.
    fn read(reader: &mut Reader<'b>) -> Option<Self>;
}

impl<'b> Reader<'b> {
    /// Begins at the first field.
    #[must_use]
    pub fn new(body: &'b [u8]) -> Reader<'b> {
        Reader(body)
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// The next field.
    #[inline]
    pub fn field<T: Field<'b>>(&mut self) -> Option<T> {
        T::read(self)
    }

    /// Whether the next field, which may be missing, is there.
    #[inline]
    pub fn is_there(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            2 => Some(true),
            _ => None,
        }
    }

    /// Adds the texts of the next field, an array.
    #[inline]
    pub fn texts(&mut self, texts: &mut Vec<&'b str>) -> Option<()> {
        read_blocks(self, |reader| {
            texts.push(reader.field()?);
            Some(())
        })
    }

    /// Adds names and values of the next field, a map: each name before its value.
    #[inline]
    pub fn pairs(&mut self, texts: &mut Vec<&'b str>) -> Option<()> {
        read_blocks(self, |reader| {
            texts.push(reader.field()?);
            texts.push(reader.field()?);
            Some(())
        })
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next field, a text or bytes, as it stands.
    #[inline]
    pub fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = usize::try_from(self.long()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    #[inline]
    fn long(&mut self) -> Option<i64> {
        let (first, rest) = self.0.split_first()?;
        if *first >= 0x80 {
            return self.long_of_many();
        }
        self.0 = rest;
        Some(unzigzag(u64::from(*first)))
    }

    /// A number of several bytes: times, mostly.
    fn long_of_many(&mut self) -> Option<i64> {
        /// The bit of each byte that tells of a next one.
        const GOES_ON: u64 = 0x8080_8080_8080_8080;
        if let Some(bytes) = self.0.first_chunk::<8>() {
            let word = u64::from_le_bytes(*bytes);
            let bits = (!word & GOES_ON).trailing_zeros() + 1;
            if bits <= u64::BITS {
                // Eight groups of seven bits move together: pairs first, then pairs of pairs.
                let groups = word & !GOES_ON & u64::MAX >> (u64::BITS - bits);
                let pairs = groups & 0x007F_007F_007F_007F | (groups & 0x7F00_7F00_7F00_7F00) >> 1;
                let fours = pairs & 0x0000_3FFF_0000_3FFF | (pairs & 0x3FFF_0000_3FFF_0000) >> 2;
                let value = fours & 0x0FFF_FFFF | (fours & 0x0FFF_FFFF_0000_0000) >> 4;
                self.0 = self.0.get(bits as usize / 8..)?;
                return Some(unzigzag(value));
            }
        }
        let (mut value, mut shift) = (0, 0);
        loop {
            let next = self.byte()?;
            // Nine groups of seven bits are all that any time or number of ours needs.
            if shift > 56 {
                return None;
            }
            value |= u64::from(next & 0x7F) << shift;
            if next < 0x80 {
                return Some(unzigzag(value));
            }
            shift += 7;
        }
    }
}

#[inline]
fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Bytes as a text, if they are one. Most texts are short and plain, which a look at eight bytes at a time tells; the general check
/// goes byte by byte there and took a seventh of all that measuring does.
fn text(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() {
        #[expect(unsafe_code, reason = "the general check is what this spares")]
        // SAFETY: ASCII is UTF-8.
        return Some(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).ok()
}

impl<'b> Field<'b> for i64 {
    #[inline]
    fn read(reader: &mut Reader<'b>) -> Option<i64> {
        reader.long()
    }
}

impl<'b> Field<'b> for i32 {
    #[inline]
    fn read(reader: &mut Reader<'b>) -> Option<i32> {
        i32::try_from(reader.long()?).ok()
    }
}

impl<'b> Field<'b> for EventTime {
    #[inline]
    fn read(reader: &mut Reader<'b>) -> Option<EventTime> {
        reader.long().map(EventTime)
    }
}

impl<'b> Field<'b> for bool {
    #[inline]
    fn read(reader: &mut Reader<'b>) -> Option<bool> {
        match reader.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl<'b> Field<'b> for f64 {
    #[inline]
    fn read(reader: &mut Reader<'b>) -> Option<f64> {
        let (bits, rest) = reader.0.split_first_chunk::<8>()?;
        reader.0 = rest;
        Some(f64::from_le_bytes(*bits))
    }
}

impl<'b> Field<'b> for &'b str {
    #[inline]
    fn read(reader: &mut Reader<'b>) -> Option<&'b str> {
        text(reader.bytes()?)
    }
}

impl<'b> Field<'b> for Money {
    fn read(reader: &mut Reader<'b>) -> Option<Money> {
        let bytes = reader.bytes()?;
        let first = *bytes.first()?;
        if bytes.len() > 8 {
            return None;
        }
        let sign = if first >= 0x80 { -1 } else { 0 };
        let amount = bytes.iter().fold(sign, |amount: i64, byte| amount << 8 | i64::from(*byte));
        (Money::clamped(amount.into()) == Money(amount)).then_some(Money(amount))
    }
}

impl<'b, T: Field<'b>> Field<'b> for Option<T> {
    #[inline]
    fn read(reader: &mut Reader<'b>) -> Option<Option<T>> {
        if reader.is_there()? { T::read(reader).map(Some) } else { Some(None) }
    }
}

impl<'b> Field<'b> for Vec<&'b str> {
    fn read(reader: &mut Reader<'b>) -> Option<Vec<&'b str>> {
        let mut texts = Vec::new();
        reader.texts(&mut texts)?;
        Some(texts)
    }
}

impl<'b> Field<'b> for StringMap<'b> {
    fn read(reader: &mut Reader<'b>) -> Option<StringMap<'b>> {
        let mut entries = Vec::new();
        read_blocks(reader, |reader| {
            entries.push((reader.field()?, reader.field()?));
            Some(())
        })?;
        Some(StringMap(entries))
    }
}

fn read_blocks<'b>(
    reader: &mut Reader<'b>,
    mut read_one: impl FnMut(&mut Reader<'b>) -> Option<()>,
) -> Option<()> {
    loop {
        match reader.long()? {
            0 => return Some(()),
            // A block that tells its size: nobody of ours writes it.
            ..0 => return None,
            count => {
                for _ in 0..count {
                    read_one(reader)?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Numbers of every length come back, whatever follows them; what is cut off is no number.
        #[test]
        fn numbers_come_back(value in any::<i64>(), shift in 0_u32..64, rest in prop::collection::vec(any::<u8>(), 0..12)) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            write::long(value, &mut bytes);
            let length = bytes.len();
            prop_assert_eq!(Reader::new(&bytes[..length - 1]).long(), None);
            bytes.extend_from_slice(&rest);
            let mut reader = Reader::new(&bytes);
            // Ten bytes are left to the general decoder.
            prop_assert_eq!(reader.long(), (length < 10).then_some(value));
            prop_assert!(length == 10 || reader.0 == rest);
        }

        /// Bytes are a text exactly when the general check says so.
        #[test]
        fn texts_are_checked(plain in "[a-z]{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..4), at in 0_usize..40) {
            let mut given = plain.into_bytes();
            let at = at.min(given.len());
            given.splice(at..at, bytes);
            prop_assert_eq!(text(&given), std::str::from_utf8(&given).ok());
        }
    }
}
