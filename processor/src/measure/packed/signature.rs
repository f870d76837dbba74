//! Signatures of texts: words are found and texts told apart by a few numbers instead of byte by byte; most texts are neither a word nor
//! an earlier one, and each of them would otherwise be hashed, looked up and compared.

use super::{WORD, WORDS};

/// A text's length, its first and last eight bytes, and the eight from the ninth on: all of a text of up to 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    length: usize,
    parts: [u64; 3],
}

impl Signature {
    #[inline]
    pub(super) const fn of(text: &[u8]) -> Signature {
        let length = text.len();
        let parts = match length {
            0 => [0; 3],
            1..=3 => {
                [text[0] as u64 | (text[length / 2] as u64) << 8 | (text[length - 1] as u64) << 16, 0, 0]
            }
            4..=7 => [four(text, 0) | four(text, length - 4) << 32, 0, 0],
            8..=16 => [eight(text, 0), eight(text, length - 8), 0],
            _ => [eight(text, 0), eight(text, length - 8), eight(text, 8)],
        };
        Signature { length, parts }
    }

    /// One number of it all; different texts may have the same.
    #[inline]
    pub(super) const fn fold(&self) -> u64 {
        let [first, last, middle] = self.parts;
        let mixed = first ^ last.rotate_left(21) ^ middle.rotate_left(43) ^ (self.length as u64) << 56;
        mixed.wrapping_mul(FACTOR)
    }

    const fn is(&self, other: &Signature) -> bool {
        self.length == other.length
            && self.parts[0] == other.parts[0]
            && self.parts[1] == other.parts[1]
            && self.parts[2] == other.parts[2]
    }
}

#[inline]
const fn four(text: &[u8], at: usize) -> u64 {
    match text.split_at(at).1.first_chunk::<4>() {
        Some(bytes) => u32::from_le_bytes(*bytes) as u64,
        None => 0,
    }
}

#[inline]
const fn eight(text: &[u8], at: usize) -> u64 {
    match text.split_at(at).1.first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => 0,
    }
}

const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
/// Longest text that a signature tells in full.
const TOLD_IN_FULL: usize = 24;
const TABLE: usize = 128;
const TABLE_SHIFT: u32 = u64::BITS - TABLE.trailing_zeros();

/// Words by their signature, tag 0 where none is; open addressing.
static WORD_TABLE: [(Signature, u8); TABLE] = {
    let mut table = [(Signature { length: usize::MAX, parts: [0; 3] }, 0); TABLE];
    let mut index = 0;
    while index < WORDS.len() {
        let signature = Signature::of(WORDS[index].as_bytes());
        assert!(signature.length <= TOLD_IN_FULL, "a word's signature tells the whole word");
        let mut place = (signature.fold() >> TABLE_SHIFT) as usize;
        while table[place].1 != 0 {
            place = (place + 1) % TABLE;
        }
        table[place] = (signature, WORD + index as u8);
        index += 1;
    }
    table
};

/// The tag of a word.
#[inline]
pub(super) fn tag_of_word(signature: &Signature) -> Option<u8> {
    let mut place = (signature.fold() >> TABLE_SHIFT) as usize;
    loop {
        let (word, tag) = &WORD_TABLE[place];
        if *tag == 0 {
            return None;
        }
        if word.is(signature) {
            return Some(*tag);
        }
        place = (place + 1) % TABLE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every word is found, and nothing else is: not a word with a byte more, less, or another.
    #[test]
    fn words_and_nothing_else() {
        for (tag, word) in (WORD..).zip(WORDS) {
            assert_eq!(tag_of_word(&Signature::of(word.as_bytes())), Some(tag), "{word}");
            for place in 0..word.len() {
                let mut other = word.as_bytes().to_vec();
                other[place] ^= 1;
                let expected = (WORD..).zip(WORDS).find(|(_, word)| word.as_bytes() == other);
                assert_eq!(tag_of_word(&Signature::of(&other)), expected.map(|(tag, _)| tag), "{other:?}");
            }
            let longer = format!("{word}x");
            assert_eq!(tag_of_word(&Signature::of(longer.as_bytes())), None, "{longer}");
        }
    }
}
