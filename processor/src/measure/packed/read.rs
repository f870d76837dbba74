//! Unpacking.

use serde::de::{self, DeserializeOwned, DeserializeSeed, SeqAccess, Visitor};

use super::{EARLIER, INLINE, MOST_EARLIER, PackError, REMEMBERED_FROM, UUID, WORD, WORDS, parts_of};

/// Reads back what a [`super::Packer`] packed, in the same order.
#[derive(Debug)]
pub struct Unpacker<'b> {
    bytes: &'b [u8],
    at: usize,
    texts: Vec<&'b str>,
}

impl<'b> Unpacker<'b> {
    /// Begins with the first value of a journey under `key`.
    #[must_use]
    pub fn new(key: &'b str, bytes: &'b [u8]) -> Unpacker<'b> {
        let texts = parts_of(key).map(|(at, length)| &key[at..at + length]).collect();
        Unpacker { bytes, at: 0, texts }
    }

    /// Passes over bytes that are no values.
    pub fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Bytes that are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Whether another value follows.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.left() > 0
    }

    /// The next value.
    ///
    /// # Panics
    /// When a value of another type was packed here: a fault of this program.
    pub fn take<T: DeserializeOwned>(&mut self) -> T {
        T::deserialize(&mut *self).expect("what is read is what was packed")
    }

    fn byte(&mut self) -> u8 {
        let byte = self.bytes[self.at];
        self.at += 1;
        byte
    }

    fn number(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }

    fn signed(&mut self) -> i64 {
        let value = self.number();
        (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
    }

    fn length(&mut self) -> usize {
        usize::try_from(self.number()).unwrap_or(usize::MAX)
    }

    fn slice(&mut self) -> Result<&'b str, PackError> {
        let length = self.length();
        let bytes = self.bytes.get(self.at..self.at.saturating_add(length));
        self.at += length;
        let bytes = bytes.ok_or_else(|| PackError("a text ends early".to_owned()))?;
        std::str::from_utf8(bytes).map_err(|error| PackError(error.to_string()))
    }

    fn visit_text<V: Visitor<'b>>(&mut self, visitor: V) -> Result<V::Value, PackError> {
        match self.byte() {
            INLINE => {
                let text = self.slice()?;
                if text.len() >= REMEMBERED_FROM && self.texts.len() < MOST_EARLIER {
                    self.texts.push(text);
                }
                visitor.visit_borrowed_str(text)
            }
            UUID => {
                let (digits, _) = self.bytes[self.at..].split_first_chunk::<16>().expect("16 bytes follow");
                self.at += 16;
                visitor.visit_string(spell_uuid(*digits))
            }
            tag if tag >= EARLIER => visitor.visit_borrowed_str(self.texts[usize::from(tag - EARLIER)]),
            tag => visitor.visit_borrowed_str(WORDS[usize::from(tag - WORD)]),
        }
    }
}

fn spell_uuid(bytes: [u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 0xF)]));
    }
    text
}

macro_rules! unpack_numbers {
    ($($method:ident => $visit:ident: $kind:ty;)*) => {
        $(fn $method<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, PackError> {
            let value = self.signed();
            visitor.$visit(<$kind>::try_from(value).map_err(|error| PackError(error.to_string()))?)
        })*
    };
}

macro_rules! refuse {
    ($($method:ident($($kind:ty),*);)*) => {
        $(fn $method<V: Visitor<'b>>(self, $(_: $kind,)* _: V) -> Result<V::Value, PackError> {
            Err(PackError(concat!("no point needs ", stringify!($method)).to_owned()))
        })*
    };
}

impl<'b> de::Deserializer<'b> for &mut Unpacker<'b> {
    type Error = PackError;

    unpack_numbers! {
        deserialize_i8 => visit_i8: i8; deserialize_i16 => visit_i16: i16; deserialize_i32 => visit_i32: i32;
        deserialize_i64 => visit_i64: i64; deserialize_u8 => visit_u8: u8; deserialize_u16 => visit_u16: u16;
        deserialize_u32 => visit_u32: u32;
    }
    refuse! {
        deserialize_any(); deserialize_u64(); deserialize_f32(); deserialize_char(); deserialize_bytes();
        deserialize_byte_buf(); deserialize_map(); deserialize_ignored_any(); deserialize_identifier(); deserialize_unit();
        deserialize_unit_struct(&'static str); deserialize_tuple(usize); deserialize_tuple_struct(&'static str, usize);
        deserialize_enum(&'static str, &'static [&'static str]);
    }

    fn deserialize_bool<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, PackError> {
        visitor.visit_bool(self.byte() != 0)
    }
    fn deserialize_f64<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, PackError> {
        let (bits, _) = self.bytes[self.at..].split_first_chunk::<8>().expect("8 bytes follow");
        self.at += 8;
        visitor.visit_f64(f64::from_bits(u64::from_le_bytes(*bits)))
    }
    fn deserialize_str<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, PackError> {
        self.visit_text(visitor)
    }
    fn deserialize_string<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, PackError> {
        self.visit_text(visitor)
    }
    fn deserialize_option<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, PackError> {
        if self.byte() == 0 { visitor.visit_none() } else { visitor.visit_some(self) }
    }
    fn deserialize_newtype_struct<V: Visitor<'b>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PackError> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_seq<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, PackError> {
        let left = self.length();
        visitor.visit_seq(Sequence { unpacker: self, left })
    }
    fn deserialize_struct<V: Visitor<'b>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PackError> {
        visitor.visit_seq(Sequence { unpacker: self, left: fields.len() })
    }
}

struct Sequence<'u, 'b> {
    unpacker: &'u mut Unpacker<'b>,
    left: usize,
}

impl<'b> SeqAccess<'b> for Sequence<'_, 'b> {
    type Error = PackError;
    fn next_element_seed<S: DeserializeSeed<'b>>(&mut self, seed: S) -> Result<Option<S::Value>, PackError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.unpacker).map(Some)
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}
