//! Texts one after the other, each behind its length.

use arrow_array::{Array as _, StringArray};

/// Adds the texts of a column; those that are missing are empty.
pub(super) fn push_texts(bytes: &mut Vec<u8>, texts: &StringArray) {
    if texts.null_count() == texts.len() {
        return bytes.resize(bytes.len() + texts.len(), 0);
    }
    bytes.reserve(texts.len() + within_bytes(texts));
    for text in texts {
        push_text(bytes, text.unwrap_or_default().as_bytes());
    }
}

fn within_bytes(texts: &StringArray) -> usize {
    let offsets = texts.value_offsets();
    usize::try_from(offsets[offsets.len() - 1] - offsets[0]).unwrap_or_default()
}

/// Adds a text behind its length.
pub(super) fn push_text(bytes: &mut Vec<u8>, text: &[u8]) {
    push_length(bytes, text.len());
    bytes.extend_from_slice(text);
}

/// Seven bits a byte, the lowest first.
#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
pub(super) fn push_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

/// Some of many texts, each behind its length.
pub(super) fn some_texts(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    let (mut at, mut first) = (0, 0);
    for number in 0..end {
        if number == start {
            first = at;
        }
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = bytes[at];
            at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        at += length;
    }
    if start == end { &[] } else { &bytes[first..at] }
}
