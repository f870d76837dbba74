//! A quick hash for maps whose keys are our own: short texts that were bounded before they came here.
//!
//! It begins with a number drawn at the start of the process, so that nobody outside can choose keys that collide.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0_u64));
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// The last eight bytes, or all of fewer; short texts are read in one or two steps, without a call to copy them.
#[inline]
fn last_word(bytes: &[u8]) -> u64 {
    if let Some((_, last)) = bytes.split_last_chunk::<8>() {
        return u64::from_le_bytes(*last);
    }
    if let (Some((first, _)), Some((_, last))) =
        (bytes.split_first_chunk::<4>(), bytes.split_last_chunk::<4>())
    {
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
    }
    bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Whether two texts are the same, quickly for short ones.
#[inline]
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() || last_word(one) != last_word(other) {
        return false;
    }
    match (one.split_first_chunk::<8>(), other.split_first_chunk::<8>()) {
        (Some((first, _)), Some((others_first, _))) if one.len() <= 16 => first == others_first,
        (Some(_), Some(_)) => one == other,
        _ => true,
    }
}

/// Makes [`QuickHasher`]s.
#[derive(Clone, Debug)]
pub(crate) struct Quick(u64);

impl Default for Quick {
    fn default() -> Quick {
        Quick(*SEED)
    }
}

impl BuildHasher for Quick {
    type Hasher = QuickHasher;
    fn build_hasher(&self) -> QuickHasher {
        QuickHasher(self.0)
    }
}

/// Mixes eight bytes at a time.
#[derive(Debug)]
pub(crate) struct QuickHasher(u64);

impl QuickHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word).wrapping_mul(u128::from(FACTOR));
        let (high, low) = ((product >> 64) as u64, product as u64);
        self.0 = high ^ low.rotate_left(23);
    }
}

impl Hasher for QuickHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        self.mix(last_word(bytes) ^ (bytes.len() as u64) << 56);
    }

    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).rotate_left(9);
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_when_every_byte_is() {
        let text = "abcdefghijklmnopqrstuvwxyz";
        for length in 0..=text.len() {
            let one = &text[..length];
            let copy = String::from(one);
            assert!(is_same(one, &copy), "{one}");
            assert!(!is_same(one, &format!("{one}x")), "{one}");
            for place in 0..length {
                let other = format!("{}-{}", &one[..place], &one[place + 1..]);
                assert!(!is_same(one, &other), "{one} {other}");
            }
        }
    }
}
