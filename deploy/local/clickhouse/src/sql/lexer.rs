//! A small SQL lexer by ClickHouse's rules: words, quoted names, strings, numbers and punctuation; comments vanish.
//!
//! Promise kept: it never reads past the end, never fails (what it cannot read is one `Broken` token to the end), and is
//! lazy, so that binary INSERT data behind a statement is never looked at.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bare word: keyword, name or function.
    Word,
    /// A name in backticks or double quotes.
    QuotedName,
    /// A string in single quotes or a heredoc.
    Text,
    /// A number.
    Number,
    /// One byte of punctuation.
    Sign(u8),
    /// An unfinished string, name or comment.
    Broken,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a [u8],
    pub(crate) start: usize,
}

impl Token<'_> {
    /// Where the token ends.
    pub(crate) const fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether this is the given keyword, in any case.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    /// Whether this is the given punctuation.
    pub(crate) fn is_sign(&self, sign: u8) -> bool {
        self.kind == Kind::Sign(sign)
    }

    /// The name that a word or quoted name means, without its quotes and escapes.
    pub(crate) fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(String::from_utf8_lossy(self.text).into_owned()),
            Kind::QuotedName => Some(unquote(self.text)),
            Kind::Text | Kind::Number | Kind::Sign(_) | Kind::Broken => None,
        }
    }
}

/// Takes quotes, doubled quotes and backslash escapes off a string or quoted name.
pub(crate) fn unquote(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut characters = text.chars();
    let Some(open) = characters.next() else { return String::new() };
    let close = match open {
        '\u{2018}' => '\u{2019}',
        '\u{201c}' => '\u{201d}',
        other => other,
    };
    let mut name = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        if character == '\\' && open == close {
            match characters.next() {
                Some('n') => name.push('\n'),
                Some('t') => name.push('\t'),
                Some('r') => name.push('\r'),
                Some('0') => name.push('\0'),
                Some(other) => name.push(other),
                None => break,
            }
        } else if character == close {
            match characters.next() {
                Some(next) if next == close => name.push(next),
                _ => break,
            }
        } else {
            name.push(character);
        }
    }
    name
}

/// Yields the tokens of a text one by one.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    position: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { text, position: 0 }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.position + ahead).copied().unwrap_or(0)
    }

    /// Moves behind blanks and comments; false when a comment never ends.
    fn skip_blanks(&mut self) -> bool {
        loop {
            let rest = &self.text[self.position..];
            match rest {
                [b'-', b'-', ..] | [b'#', b' ' | b'!', ..] => {
                    let line = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                    self.position += line;
                }
                [b'/', b'*', ..] => {
                    let Some(end) = rest[2..].windows(2).position(|pair| pair == b"*/") else { return false };
                    self.position += end + 4;
                }
                [0xE2, 0x80, 0x98 | 0x9C, ..] => return true,
                // Any other byte outside ASCII is no part of a bare name; read as blank it can only make us see a
                // function call where the engine sees an error, never the other way round.
                [byte, ..] if byte.is_ascii_whitespace() || *byte == 0x0B || *byte >= 0x80 || *byte == 0 => {
                    self.position += 1;
                }
                _ => return true,
            }
        }
    }

    /// The length of a quoted token that starts here, if it ends.
    fn quoted(&self, quote: u8) -> Option<usize> {
        let rest = &self.text[self.position..];
        let mut at = 1;
        while at < rest.len() {
            match rest[at] {
                b'\\' => at += 2,
                byte if byte == quote && rest.get(at + 1) == Some(&quote) => at += 2,
                byte if byte == quote => return Some(at + 1),
                _ => at += 1,
            }
        }
        None
    }

    /// The length of `$tag$ … $tag$`, if it is one and ends.
    fn heredoc(&self) -> Option<usize> {
        let rest = &self.text[self.position..];
        let tag_end =
            1 + rest[1..].iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))?;
        if rest[tag_end] != b'$' {
            return None;
        }
        let tag = &rest[..=tag_end];
        let body = &rest[tag.len()..];
        let end = body.windows(tag.len()).position(|window| window == tag)?;
        Some(tag.len() + end + tag.len())
    }

    fn unicode_quoted(&self, last: u8) -> Option<usize> {
        let rest = &self.text[self.position..];
        rest[3..].windows(3).position(|window| window == [0xE2, 0x80, last]).map(|end| end + 6)
    }

    fn word_length(&self) -> usize {
        let rest = &self.text[self.position..];
        rest.iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')))
            .unwrap_or(rest.len())
    }

    fn number_length(&self) -> usize {
        let rest = &self.text[self.position..];
        let mut at = 1;
        while let Some(byte) = rest.get(at) {
            let sign_of_exponent = matches!(byte, b'+' | b'-')
                && matches!(rest[at - 1], b'e' | b'E')
                && !rest.starts_with(b"0x");
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || sign_of_exponent) {
                break;
            }
            at += 1;
        }
        at
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let complete = self.skip_blanks();
        let start = self.position;
        if start >= self.text.len() {
            return None;
        }
        let rest = self.text.len() - start;
        let first = self.byte(0);
        let (kind, length) = match first {
            _ if !complete => (Kind::Broken, rest),
            b'\'' => self.quoted(first).map_or((Kind::Broken, rest), |length| (Kind::Text, length)),
            b'"' | b'`' => {
                self.quoted(first).map_or((Kind::Broken, rest), |length| (Kind::QuotedName, length))
            }
            0xE2 if self.byte(2) == 0x98 => {
                self.unicode_quoted(0x99).map_or((Kind::Broken, rest), |length| (Kind::Text, length))
            }
            0xE2 => {
                self.unicode_quoted(0x9D).map_or((Kind::Broken, rest), |length| (Kind::QuotedName, length))
            }
            b'$' => match self.heredoc() {
                Some(length) => (Kind::Text, length),
                None => (Kind::Word, self.word_length()),
            },
            byte if byte.is_ascii_alphabetic() || byte == b'_' => (Kind::Word, self.word_length()),
            byte if byte.is_ascii_digit() => (Kind::Number, self.number_length()),
            byte => (Kind::Sign(byte), 1),
        };
        let length = length.min(rest);
        self.position += length;
        Some(Token { kind, text: &self.text[start..start + length], start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, String)> {
        Lexer::new(text.as_bytes())
            .map(|token| (token.kind, String::from_utf8_lossy(token.text).into_owned()))
            .collect()
    }

    #[test]
    fn quotes_comments_and_heredocs_hide_their_content() {
        let text = "SELECT /* ; ' */ 'a\\'b''c' -- x ' \n, \"d\"\"e\", `f\\`g`, $t$ it's; $t$ # end\n;";
        let words: Vec<String> = kinds(text).into_iter().map(|(_, word)| word).collect();
        assert_eq!(
            words,
            ["SELECT", "'a\\'b''c'", ",", "\"d\"\"e\"", ",", "`f\\`g`", ",", "$t$ it's; $t$", ";"]
        );
    }

    #[test]
    fn names_lose_quotes_and_escapes() {
        let names: Vec<String> =
            Lexer::new("plain \"dou\"\"ble\" `ba\\`ck` \u{201c}curly\u{201d}".as_bytes())
                .filter_map(|token| token.name())
                .collect();
        assert_eq!(names, ["plain", "dou\"ble", "ba`ck", "curly"]);
    }

    #[test]
    fn unfinished_text_is_one_broken_token() {
        for text in ["SELECT 'abc", "SELECT `abc\\`", "SELECT /* abc", "SELECT \u{2018}abc"] {
            let tokens = kinds(text);
            assert_eq!(tokens.len(), 2, "{text}");
            assert_eq!(tokens[1].0, Kind::Broken, "{text}");
        }
    }

    #[test]
    fn numbers_with_exponents_stay_whole_and_any_bytes_end() {
        assert_eq!(kinds("1e-5+0x1F-2").len(), 5);
        for seed in 0..2000_u32 {
            let bytes: Vec<u8> = (0..64_u32)
                .map(|index| {
                    u8::try_from(seed.wrapping_mul(2_654_435_761).wrapping_add(index * 97) >> 11 & 0xFF)
                        .unwrap_or(0)
                })
                .collect();
            assert!(Lexer::new(&bytes).count() <= 64);
        }
    }
}
