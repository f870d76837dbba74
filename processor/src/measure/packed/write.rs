//! Packing.

use serde::ser::{self, Serialize, SerializeSeq, SerializeStruct};

use super::signature::{Signature, tag_of_word};
use super::{EARLIER, INLINE, MOST_EARLIER, PackError, REMEMBERED_FROM, UUID, parts_of};

/// Packs values one after another.
#[derive(Debug, Default)]
pub struct Packer {
    /// The key, then what was packed.
    bytes: Vec<u8>,
    key_length: usize,
    /// Where the texts lie that were written in full.
    texts: Vec<(usize, usize)>,
    /// One number for each of the texts, the same for the same text.
    signatures: Vec<u64>,
}

impl Packer {
    /// Begins anew, for a journey under `key`, whose parts count as written.
    pub fn begin(&mut self, key: &str) {
        self.bytes.clear();
        self.bytes.extend_from_slice(key.as_bytes());
        self.key_length = key.len();
        self.texts.clear();
        self.signatures.clear();
        for (at, length) in parts_of(key) {
            self.texts.push((at, length));
            self.signatures.push(Signature::of(&key.as_bytes()[at..at + length]).fold());
        }
    }

    /// Adds a value.
    ///
    /// # Panics
    /// When the value is of a type that cannot be packed: a fault of this program.
    pub fn put<T: Serialize + ?Sized>(&mut self, value: &T) {
        value.serialize(&mut *self).expect("points are structs of numbers, texts, options and lists");
    }

    /// What was packed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.key_length..]
    }

    /// The key, then what was packed.
    pub(crate) fn key_and_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn number(&mut self, value: u64) {
        let mut rest = value;
        while rest >= 0x80 {
            self.bytes.push((rest & 0x7F) as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push((rest & 0x7F) as u8);
    }

    fn signed(&mut self, value: i64) {
        self.number((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
    }

    fn text(&mut self, text: &str) {
        let signature = Signature::of(text.as_bytes());
        if let Some(tag) = tag_of_word(&signature) {
            self.bytes.push(tag);
            return;
        }
        let folded = signature.fold();
        if text.len() >= REMEMBERED_FROM
            && let Some(place) = self.place_of(text, folded)
        {
            self.bytes.push(EARLIER + u8::try_from(place).unwrap_or_default());
            return;
        }
        if let Some(uuid) = uuid_of(text) {
            self.bytes.push(UUID);
            self.bytes.extend_from_slice(&uuid);
            return;
        }
        self.bytes.push(INLINE);
        self.number(text.len() as u64);
        if text.len() >= REMEMBERED_FROM && self.texts.len() < MOST_EARLIER {
            self.texts.push((self.bytes.len(), text.len()));
            self.signatures.push(folded);
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// The first of the texts written in full that is this one. Nearly all differ by signature, so hardly any is looked at.
    fn place_of(&self, text: &str, folded: u64) -> Option<usize> {
        let may_be = |(place, signature): (usize, &u64)| (*signature == folded).then_some(place);
        self.signatures.iter().enumerate().filter_map(may_be).find(|place| {
            let (at, length) = self.texts[*place];
            self.bytes[at..at + length] == *text.as_bytes()
        })
    }
}

/// What is no digit of a UUID.
const NO_DIGIT: u8 = 0xFF;

/// The digit that a byte spells, in lowercase.
const DIGIT_OF: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// The number in a UUID of lowercase digits, which is spelled the same when it is read back.
fn uuid_of(text: &str) -> Option<[u8; 16]> {
    /// Where the two digits of each byte begin.
    const PAIRS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let spelled: &[u8; 36] = text.as_bytes().try_into().ok()?;
    if [8, 13, 18, 23].map(|place| spelled[place]) != [b'-'; 4] {
        return None;
    }
    // Every digit is below 16, so a higher bit anywhere tells that one was none.
    let mut seen = 0;
    let bytes = PAIRS.map(|place| {
        let high = DIGIT_OF[usize::from(spelled[place])];
        let low = DIGIT_OF[usize::from(spelled[place + 1])];
        seen |= high | low;
        high << 4 | low & 0xF
    });
    (seen < 16).then_some(bytes)
}

type Never = ser::Impossible<(), PackError>;

macro_rules! refuse {
    ($($method:ident($($kind:ty),*) -> $result:ty;)*) => {
        $(fn $method(self, $(_: $kind),*) -> Result<$result, PackError> {
            Err(PackError(concat!("no point needs ", stringify!($method)).to_owned()))
        })*
    };
}

macro_rules! pack_numbers {
    ($($method:ident: $kind:ty;)*) => {
        $(fn $method(self, value: $kind) -> Result<(), PackError> {
            self.signed(i64::from(value));
            Ok(())
        })*
    };
}

impl ser::Serializer for &mut Packer {
    type Ok = ();
    type Error = PackError;
    type SerializeSeq = Self;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Self;
    type SerializeStructVariant = Never;

    pack_numbers! {
        serialize_i8: i8; serialize_i16: i16; serialize_i32: i32; serialize_i64: i64;
        serialize_u8: u8; serialize_u16: u16; serialize_u32: u32;
    }
    refuse! {
        serialize_u64(u64) -> (); serialize_f32(f32) -> (); serialize_char(char) -> (); serialize_bytes(&[u8]) -> ();
        serialize_unit() -> (); serialize_unit_struct(&'static str) -> (); serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never; serialize_map(Option<usize>) -> Never;
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }

    fn serialize_bool(self, value: bool) -> Result<(), PackError> {
        self.bytes.push(u8::from(value));
        Ok(())
    }
    fn serialize_f64(self, value: f64) -> Result<(), PackError> {
        self.bytes.extend_from_slice(&value.to_bits().to_le_bytes());
        Ok(())
    }
    fn serialize_str(self, value: &str) -> Result<(), PackError> {
        self.text(value);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), PackError> {
        self.bytes.push(0);
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), PackError> {
        self.bytes.push(1);
        value.serialize(self)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), PackError> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: &T,
    ) -> Result<(), PackError> {
        Err(PackError(format!("no point needs the variant {variant}")))
    }
    fn serialize_seq(self, length: Option<usize>) -> Result<Self, PackError> {
        let length = length.ok_or_else(|| PackError("a list of unknown length".to_owned()))?;
        self.number(length as u64);
        Ok(self)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, PackError> {
        Ok(self)
    }
}

impl SerializeSeq for &mut Packer {
    type Ok = ();
    type Error = PackError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PackError> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), PackError> {
        Ok(())
    }
}

impl SerializeStruct for &mut Packer {
    type Ok = ();
    type Error = PackError;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), PackError> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), PackError> {
        Ok(())
    }
}
