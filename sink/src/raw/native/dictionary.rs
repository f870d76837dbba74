//! Texts that repeat: each different one once, and for each row its number. What ClickHouse holds as `LowCardinality`.

use std::borrow::Cow;

use arrow_array::{Array as _, StringArray};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::texts::push_text;

/// The block brings the keys of its dictionaries, and needs no others.
const OWN_KEYS: u64 = 1 << 9 | 1 << 10;

/// Texts by their number among the different ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Dictionary {
    /// Each different text behind its length, and where it lies without that.
    keys: Vec<u8>,
    places: Vec<(u32, u32)>,
    by_text: HashTable<u32>,
    /// Of one byte each, or of four when there are many keys.
    indexes: Vec<u8>,
    is_wide: bool,
    length: usize,
    last: Option<u32>,
    /// Number of the text that rows have that have none of their own.
    rest: u32,
}

impl Dictionary {
    /// Empty; where texts may be missing, its first key stands for that.
    pub(super) fn new(can_miss: bool) -> Dictionary {
        let mut dictionary = Dictionary::default();
        if can_miss {
            dictionary.keys.push(0);
            dictionary.places.push((1, 1));
        }
        dictionary
    }

    pub(super) fn extend(&mut self, texts: &StringArray) {
        self.indexes.reserve(texts.len());
        if texts.null_count() == 0 {
            (0..texts.len()).for_each(|row| self.push(texts.value(row)));
            return;
        }
        for text in texts {
            match text {
                Some(text) => self.push(text),
                None => self.push_index(0),
            }
        }
    }

    /// Rows without a text of their own have this one. To be said before the first row.
    pub(super) fn set_rest(&mut self, text: &str) {
        self.rest = self.add(text.as_bytes(), xxh3_64(text.as_bytes()));
    }

    /// Adds rows without a text of their own.
    pub(super) fn fill(&mut self, rows: usize) {
        match u8::try_from(self.rest) {
            Ok(rest) if !self.is_wide => {
                self.indexes.resize(self.indexes.len() + rows, rest);
                self.length += rows;
            }
            _ => (0..rows).for_each(|_| self.push_index(self.rest)),
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, text: &str) {
        let text = text.as_bytes();
        let is_it = |index: u32| key(&self.keys, &self.places, index) == text;
        // Neighbours are often alike.
        if let Some(last) = self.last.filter(|last| is_it(*last)) {
            return self.push_index(last);
        }
        let hash = xxh3_64(text);
        let index = match self.by_text.find(hash, |index| is_it(*index)) {
            Some(index) => *index,
            None => self.add(text, hash),
        };
        self.last = Some(index);
        self.push_index(index);
    }

    /// Takes a new text in.
    fn add(&mut self, text: &[u8], hash: u64) -> u32 {
        let index = position(self.places.len());
        push_text(&mut self.keys, text);
        self.places.push((position(self.keys.len() - text.len()), position(self.keys.len())));
        let (keys, places) = (&self.keys, &self.places);
        self.by_text.insert_unique(hash, index, |index| xxh3_64(key(keys, places, *index)));
        if index == 256 {
            self.indexes = self.indexes.iter().flat_map(|index| u32::from(*index).to_le_bytes()).collect();
            self.is_wide = true;
        }
        index
    }

    #[expect(clippy::cast_possible_truncation, reason = "indexes below 256 fit")]
    fn push_index(&mut self, index: u32) {
        self.length += 1;
        if self.is_wide {
            self.indexes.extend_from_slice(&index.to_le_bytes());
        } else {
            self.indexes.push(index as u8);
        }
    }

    pub(super) fn shrink(&mut self) {
        self.indexes.shrink_to_fit();
        self.by_text = HashTable::new();
    }

    pub(super) fn bytes(&self) -> usize {
        self.keys.len() + size_of_val(self.places.as_slice()) + self.indexes.len()
    }

    pub(super) fn part(&self, start: usize, end: usize) -> Dictionary {
        let width = if self.is_wide { 4 } else { 1 };
        let indexes = self.indexes[width * start..width * end].to_vec();
        Dictionary { indexes, length: end - start, ..self.clone() }
    }

    pub(super) fn write<'b>(&'b self, runs: &mut Vec<Cow<'b, [u8]>>) {
        // Of no texts ClickHouse reads nothing.
        if self.length == 0 {
            return;
        }
        let width = if self.is_wide { 2 } else { 0 };
        let head: Vec<u8> = [OWN_KEYS | width, self.places.len() as u64]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        runs.push(Cow::Owned(head));
        runs.push(Cow::Borrowed(&self.keys));
        runs.push(Cow::Owned((self.length as u64).to_le_bytes().to_vec()));
        runs.push(Cow::Borrowed(&self.indexes));
    }
}

fn key<'k>(keys: &'k [u8], places: &[(u32, u32)], index: u32) -> &'k [u8] {
    let (start, end) = places[index as usize];
    &keys[start as usize..end as usize]
}

/// Blocks are far below 4 GiB.
fn position(length: usize) -> u32 {
    u32::try_from(length).expect("a block has less than 4 GiB")
}
