//! `name = value` lists: of SET statements and of the SETTINGS clauses that readers may write anywhere in a query.
//!
//! The engine does not hold settings inside subqueries against `readonly`, so a reader's clauses are taken out of the text
//! and what they ask for goes through the same table as everything else a reader sends.

use super::lexer::{Kind, Token, unquote};

/// Reads `name = value, …` from the front; gives the pairs and how many tokens they took.
pub(crate) fn read_pairs(tokens: &[Token<'_>]) -> Option<(Vec<(String, String)>, usize)> {
    let mut pairs = Vec::new();
    let mut at = 0;
    loop {
        let name = tokens.get(at)?.name()?;
        if !tokens.get(at + 1)?.is_sign(b'=') {
            return None;
        }
        let (value, used) = read_value(&tokens[at + 2..])?;
        pairs.push((name, value));
        at += 2 + used;
        let goes_on = tokens.get(at).is_some_and(|token| token.is_sign(b','))
            && tokens.get(at + 2).is_some_and(|token| token.is_sign(b'='));
        if !goes_on {
            return Some((pairs, at));
        }
        at += 1;
    }
}

/// A literal: a string without its quotes, anything else as written.
fn read_value(tokens: &[Token<'_>]) -> Option<(String, usize)> {
    let first = tokens.first()?;
    let as_written = |count: usize| {
        let words: Vec<_> = tokens[..count].iter().map(|token| String::from_utf8_lossy(token.text)).collect();
        (words.concat().replace(',', ", "), count)
    };
    match first.kind {
        Kind::Text => Some((unquote(first.text), 1)),
        Kind::Number | Kind::Word | Kind::QuotedName => Some(as_written(1)),
        Kind::Sign(b'-' | b'+') if tokens.len() > 1 => Some(as_written(2)),
        Kind::Sign(b'[' | b'(' | b'{') => {
            let mut depth = 0_usize;
            for (index, token) in tokens.iter().enumerate() {
                match token.kind {
                    Kind::Sign(b'[' | b'(' | b'{') => depth += 1,
                    Kind::Sign(b']' | b')' | b'}') => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth == 0 {
                    return Some(as_written(index + 1));
                }
            }
            None
        }
        Kind::Sign(_) | Kind::Broken => None,
    }
}

/// Blanks out every SETTINGS clause. Gives the text, at unchanged positions, and the pairs of the outermost clauses.
pub(crate) fn take_out(text: &[u8], tokens: &[Token<'_>]) -> (Vec<u8>, Vec<(String, String)>) {
    let mut cleaned = text.to_vec();
    let mut outermost = Vec::new();
    let mut depth = 0_usize;
    let mut index = 0;
    while index < tokens.len() {
        let token = &tokens[index];
        match token.kind {
            Kind::Sign(b'(') => depth += 1,
            Kind::Sign(b')') => depth = depth.saturating_sub(1),
            Kind::Word if token.is_word("SETTINGS") => {
                if let Some((pairs, used)) = read_pairs(&tokens[index + 1..]) {
                    let end = tokens[index + used].end();
                    cleaned[token.start..end].fill(b' ');
                    if depth == 0 {
                        outermost.extend(pairs);
                    }
                    index += used;
                }
            }
            _ => {}
        }
        index += 1;
    }
    (cleaned, outermost)
}

#[cfg(test)]
mod tests {
    use super::super::lexer::Lexer;
    use super::*;

    #[test]
    fn clauses_leave_the_text_wherever_they_stand() {
        let text = "SELECT * FROM (SELECT settings FROM system.settings SETTINGS max_execution_time = 0, readonly='0') WHERE x = ' SETTINGS a=1' SETTINGS max_threads=4, b = -1.5 FORMAT JSON";
        let tokens: Vec<_> = Lexer::new(text.as_bytes()).collect();
        let (cleaned, pairs) = take_out(text.as_bytes(), &tokens);
        let cleaned = String::from_utf8(cleaned).expect("still text");
        assert_eq!(cleaned.len(), text.len());
        let words: Vec<_> = cleaned.split_ascii_whitespace().collect();
        assert_eq!(
            words.join(" "),
            "SELECT * FROM (SELECT settings FROM system.settings ) WHERE x = ' SETTINGS a=1' FORMAT JSON"
        );
        assert_eq!(pairs, [("max_threads".to_owned(), "4".to_owned()), ("b".to_owned(), "-1.5".to_owned())]);
    }
}
