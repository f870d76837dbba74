//! Points and facts of journeys, in few bytes that are quickly made: a serde format for memory and for the changelog.
//!
//! Most of what a journey holds are texts that come again: its own ids in every event, and a handful of words in every journey. A
//! text that came before in the same journey or its key, or that is one of [`WORDS`], is one byte; a UUID is 17.
//!
//! Fields stand without names: whoever changes a type that is packed, or the words, raises [`FORMAT`].

mod read;
mod signature;
mod write;

pub use read::Unpacker;
pub use write::Packer;

/// Version of what is packed; the changelog tells it.
pub const FORMAT: i32 = 1;

/// Words that most journeys hold.
const WORDS: [&str; 40] = [
    "",
    "checkout.started",
    "checkout.step",
    "checkout.friction",
    "checkout.abandoned",
    "checkout.completed",
    "chat.started",
    "chat.message",
    "chat.handoff",
    "chat.status",
    "chat.call",
    "customer",
    "agent",
    "bot",
    "system",
    "solved",
    "closed",
    "reopened",
    "nps",
    "csat",
    "ces",
    "employee",
    "web",
    "app",
    "mobile",
    "desktop",
    "tablet",
    "unknown",
    "checkout",
    "support",
    "cart",
    "account",
    "address",
    "shipping",
    "payment",
    "review",
    "EUR",
    "USD",
    "GBP",
    "delivery",
];
/// Tag of a text in full, and of a UUID as a number.
const INLINE: u8 = 0;
const UUID: u8 = 1;
/// The first of the tags that stand for a word, and the first that stand for an earlier text.
const WORD: u8 = 2;
const EARLIER: u8 = WORD + 40;
/// Texts that later ones can refer to, at most.
const MOST_EARLIER: usize = 200;
/// Shorter texts are not worth remembering.
const REMEMBERED_FROM: usize = 4;

/// Where the parts of a key lie that are worth remembering: the tenant, and the rest.
fn parts_of(key: &str) -> impl Iterator<Item = (usize, usize)> {
    let separator = |byte: u8| char::from(byte) == touchstream_schemas::keys::SEPARATOR;
    let tenant = key.bytes().position(separator).unwrap_or(0);
    let rest = if tenant == 0 { 0 } else { tenant + 1 };
    [(0, tenant), (rest, key.len() - rest)].into_iter().filter(|(_, length)| *length >= REMEMBERED_FROM)
}

/// What cannot be packed; a type that packs once always packs.
#[derive(Debug, thiserror::Error)]
#[error("failed to pack or unpack a point: {0}")]
pub struct PackError(String);

impl serde::ser::Error for PackError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        PackError(message.to_string())
    }
}

impl serde::de::Error for PackError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        PackError(message.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Point {
        number: i64,
        small: Option<i32>,
        text: Option<String>,
        words: Vec<String>,
        is_public: bool,
        seconds: f64,
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(&WORDS[..]).prop_map(str::to_owned),
            ".{0,12}",
            "[ab]{4,5}",
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[0-9A-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[0-9a-f-]{36}",
        ]
    }

    proptest! {
        /// Whatever is packed comes back, however often texts repeat.
        #[test]
        fn unpacking_gives_back_what_was_packed(
            parts in prop::collection::vec(
                (any::<i64>(), any::<Option<i32>>(), prop::option::of(text()), prop::collection::vec(text(), 0..90), any::<bool>()),
                0..8,
            ),
            key in "[ab]{0,5}\u{1f}[ab]{0,5}|[ab]{4,5}",
        ) {
            let point = |(number, small, text, words, is_public)| {
                Point { number, small, text, words, is_public, seconds: 0.5 }
            };
            let points: Vec<Point> = parts.into_iter().map(point).collect();
            let mut packer = Packer::default();
            packer.begin(&key);
            points.iter().for_each(|point| packer.put(point));
            let mut unpacker = Unpacker::new(&key, packer.bytes());
            let mut found: Vec<Point> = Vec::new();
            while unpacker.has_more() {
                found.push(unpacker.take());
            }
            prop_assert_eq!(found, points);
        }
    }

    #[test]
    fn a_text_that_comes_again_is_one_byte() {
        let mut packer = Packer::default();
        packer.begin("shop\u{1f}k-0123456789abcdef");
        packer.put(&"c-0123456789abcdef");
        let first = packer.bytes().len();
        packer.put(&"c-0123456789abcdef");
        packer.put(&"checkout.completed");
        packer.put(&"k-0123456789abcdef");
        assert_eq!(packer.bytes().len(), first + 3);
    }
}
