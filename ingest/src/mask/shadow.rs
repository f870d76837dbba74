//! A text as the search for personal data sees it: every character one ASCII byte, with the place where it stood.
//!
//! People and their keyboards write the same number with narrow spaces, long dashes, full-width or Arabic digits, and copy invisible
//! characters along; the search knows only the plain form of each.

use std::borrow::Cow;

/// Stands for letters outside ASCII.
pub(super) const LETTER: u8 = 0x80;

/// A text in plain bytes.
#[derive(Debug)]
pub(super) struct Shadow<'t> {
    pub(super) bytes: Cow<'t, [u8]>,
    /// Where each byte's character begins in the text, and the text's end; none when both are alike.
    starts: Option<Vec<usize>>,
}

impl Shadow<'_> {
    pub(super) fn of(text: &str) -> Shadow<'_> {
        if text.is_ascii() {
            return Shadow { bytes: Cow::Borrowed(text.as_bytes()), starts: None };
        }
        let (mut bytes, mut starts) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
        for (start, char) in text.char_indices() {
            if let Some(byte) = plain(char) {
                bytes.push(byte);
                starts.push(start);
            }
        }
        starts.push(text.len());
        Shadow { bytes: Cow::Owned(bytes), starts: Some(starts) }
    }

    /// Where the byte at this position begins in the text.
    pub(super) fn start(&self, position: usize) -> usize {
        self.starts.as_ref().map_or(position, |starts| starts[position])
    }
}

/// Letters and digits, of whatever script.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == LETTER
}

/// The plain form of a character; none for what cannot be seen.
fn plain(char: char) -> Option<u8> {
    let byte = match char {
        _ if char.is_ascii() => char as u8,
        '\u{AD}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}'
        | '\u{FEFF}' => return None,
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => b' ',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' => b'-',
        // Full-width forms of ASCII.
        '\u{FF01}'..='\u{FF5E}' => u8::try_from(char as u32 - 0xFF01 + 0x21).unwrap_or(b'?'),
        '\u{FE6B}' => b'@',
        '\u{660}'..='\u{669}' => digit(char, 0x660),
        '\u{6F0}'..='\u{6F9}' => digit(char, 0x6F0),
        '\u{966}'..='\u{96F}' => digit(char, 0x966),
        _ if char.is_alphanumeric() => LETTER,
        _ => b'?',
    };
    Some(byte)
}

fn digit(char: char, zero: u32) -> u8 {
    b'0' + u8::try_from(char as u32 - zero).unwrap_or(0)
}
