//! The shape of a statement: where an INSERT's data begins, where a result's format is named, how often `;` parts it.
//!
//! Promise kept: data behind a statement is found exactly where ClickHouse's parser finds it, and never read as SQL.

use super::lexer::{Kind, Lexer, Token, unquote};

/// An INSERT whose data follows in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Insert {
    /// `INSERT INTO t (columns)`.
    pub(crate) head: Vec<u8>,
    /// `SETTINGS …`, or nothing.
    pub(crate) settings: Vec<u8>,
    /// The data's format.
    pub(crate) format: String,
    /// Where the data begins.
    pub(crate) data_start: usize,
}

impl Insert {
    /// The same INSERT with its data in a file, which no blank line can cut short.
    pub(crate) fn with_data_in(&self, path: &str) -> Vec<u8> {
        let mut text = self.head.clone();
        text.extend_from_slice(format!(" FROM INFILE '{path}' COMPRESSION 'none' ").as_bytes());
        text.extend_from_slice(&self.settings);
        text.extend_from_slice(format!(" FORMAT {}", self.format).as_bytes());
        text
    }
}

/// Finds an INSERT with data. `None`: it is another statement (INSERT … SELECT too), or its end is not in `text` yet.
pub(crate) fn find_insert(text: &[u8]) -> Option<Insert> {
    let mut tokens = Lexer::new(text).peekable();
    let head_start = skip_to_insert(&mut tokens)?;
    tokens.next_if(|token| token.is_word("INTO"));
    tokens.next_if(|token| token.is_word("TABLE"));
    let mut head_end = skip_table_name(&mut tokens)?;
    let mut settings_start = None;
    let mut depth = 0_usize;
    while let Some(token) = tokens.next() {
        let insert = |format: String, data_start: usize| Insert {
            head: text[head_start..settings_start.unwrap_or(head_end)].trim_ascii_end().to_vec(),
            settings: settings_start
                .map(|start: usize| text[start..token.start].trim_ascii_end().to_vec())
                .unwrap_or_default(),
            format,
            data_start,
        };
        match token.kind {
            Kind::Sign(b'(' | b'[' | b'{') => {
                if tokens.peek().is_some_and(|next| next.is_word("SELECT") || next.is_word("WITH")) {
                    return None;
                }
                depth += 1;
            }
            Kind::Sign(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            Kind::Broken => return None,
            _ if depth > 0 => {}
            Kind::Word if token.is_word("VALUES") => return Some(insert("Values".to_owned(), token.end())),
            Kind::Word if token.is_word("FORMAT") => {
                let format = tokens.next().filter(|next| next.kind == Kind::Word)?;
                return Some(insert(
                    String::from_utf8_lossy(format.text).into_owned(),
                    data_behind_format(text, format.end()),
                ));
            }
            Kind::Word if token.is_word("SETTINGS") => settings_start = Some(token.start),
            Kind::Word if ["SELECT", "WITH", "FROM", "WATCH"].iter().any(|word| token.is_word(word)) => {
                return None;
            }
            _ => {}
        }
        if settings_start.is_none() {
            head_end = token.end();
        }
    }
    // ClickHouse takes the Values format where none is named.
    Some(Insert {
        head: text[head_start..settings_start.unwrap_or(head_end)].trim_ascii_end().to_vec(),
        settings: settings_start.map(|start| text[start..].to_vec()).unwrap_or_default(),
        format: "Values".to_owned(),
        data_start: text.len(),
    })
}

/// Whether the text begins like an INSERT, so that a statement cut short can be told from another one.
pub(crate) fn begins_as_insert(text: &[u8]) -> bool {
    skip_to_insert(&mut Lexer::new(text).peekable()).is_some()
}

/// Moves behind the word INSERT; gives its beginning. What `WITH` names before it cannot be used in data, and is left out.
fn skip_to_insert<'a>(tokens: &mut std::iter::Peekable<Lexer<'a>>) -> Option<usize> {
    let first = tokens.next()?;
    if first.is_word("INSERT") {
        return Some(first.start);
    }
    if !first.is_word("WITH") {
        return None;
    }
    let mut depth = 0_usize;
    while let Some(token) = tokens.next() {
        match token.kind {
            Kind::Sign(b'(' | b'[' | b'{') => depth += 1,
            Kind::Sign(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            Kind::Sign(b';') | Kind::Broken => return None,
            // Any `insert` without INTO is a name here.
            Kind::Word
                if depth == 0
                    && token.is_word("INSERT")
                    && tokens.peek().is_some_and(|next| next.is_word("INTO")) =>
            {
                return Some(token.start);
            }
            _ => {}
        }
    }
    None
}

/// Moves behind `db.table` or `{name:Identifier}`, which may read like any keyword; gives its end.
fn skip_table_name<'a>(tokens: &mut std::iter::Peekable<Lexer<'a>>) -> Option<usize> {
    loop {
        let token = tokens.next()?;
        let mut end = token.end();
        match token.kind {
            Kind::Sign(b'{') => {
                end = tokens.find(|token| token.is_sign(b'}'))?.end();
            }
            Kind::Word | Kind::QuotedName if !token.is_word("FUNCTION") => {}
            Kind::Word if tokens.peek().is_none_or(|next| next.kind == Kind::Sign(b'(')) => {}
            _ => return None,
        }
        if tokens.next_if(|token| token.is_sign(b'.')).is_none() {
            return Some(end);
        }
    }
}

/// ClickHouse skips blanks on the line and then one line end.
fn data_behind_format(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | 0x0C)) {
        at += 1;
    }
    if text.get(at) == Some(&b';') {
        at += 1;
        while matches!(text.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
    }
    if text.get(at) == Some(&b'\r') {
        at += 1;
    }
    if text.get(at) == Some(&b'\n') {
        at += 1;
    }
    at
}

/// What the text around a result says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Where the statement ends, without a closing `;` and comments.
    pub(crate) end: usize,
    /// Where `INTO OUTFILE` belongs.
    pub(crate) outfile_at: usize,
    /// The format the statement names.
    pub(crate) format: Option<String>,
}

/// Reads the end of a statement that gives a result.
pub(crate) fn find_output(tokens: &[Token<'_>]) -> Output {
    let count = tokens.iter().rposition(|token| !token.is_sign(b';')).map_or(0, |last| last + 1);
    let tokens = &tokens[..count];
    let end = tokens.last().map_or(0, Token::end);
    for index in (0..count.saturating_sub(1)).rev() {
        let (keyword, name) = (&tokens[index], &tokens[index + 1]);
        let at_the_end = tokens.get(index + 2).is_none_or(|next| next.is_word("SETTINGS"));
        if keyword.is_word("FORMAT") && name.kind == Kind::Word && index > 0 && at_the_end {
            let format = String::from_utf8_lossy(name.text).into_owned();
            return Output { end, outfile_at: keyword.start, format: Some(format) };
        }
    }
    Output { end, outfile_at: end, format: None }
}

impl Output {
    /// The statement with its result going to `path`.
    pub(crate) fn with_result_in(&self, text: &[u8], path: &str) -> Vec<u8> {
        let mut rewritten = text[..self.outfile_at].to_vec();
        // A line end first: a comment may stand before.
        rewritten.extend_from_slice(format!("\nINTO OUTFILE '{path}' TRUNCATE ").as_bytes());
        rewritten.extend_from_slice(&text[self.outfile_at..self.end]);
        rewritten
    }
}

/// Whether anything follows a `;`.
pub(crate) fn has_several_statements(tokens: &[Token<'_>]) -> bool {
    let first = tokens.iter().position(|token| token.is_sign(b';'));
    first.is_some_and(|first| tokens[first..].iter().any(|token| !token.is_sign(b';')))
}

/// `SET a = 1, b = 'x'` as pairs; `None` for any other statement.
pub(crate) fn find_set(tokens: &[Token<'_>]) -> Option<Vec<(String, String)>> {
    let (first, rest) = tokens.split_first()?;
    if !first.is_word("SET") {
        return None;
    }
    let (pairs, used) = super::settings_clause::read_pairs(rest)?;
    rest[used..].iter().all(|token| token.is_sign(b';')).then_some(pairs)
}

/// The database of `USE name`; `None` for any other statement.
pub(crate) fn find_use(tokens: &[Token<'_>]) -> Option<String> {
    let (first, rest) = tokens.split_first()?;
    let rest = rest.strip_prefix_word("DATABASE");
    let (name, rest) = rest.split_first()?;
    let name = if name.kind == Kind::Text { Some(unquote(name.text)) } else { name.name() }?;
    (first.is_word("USE") && rest.iter().all(|token| token.is_sign(b';'))).then_some(name)
}

trait StripPrefixWord {
    fn strip_prefix_word(&self, word: &str) -> &Self;
}

impl StripPrefixWord for [Token<'_>] {
    fn strip_prefix_word(&self, word: &str) -> &Self {
        match self.split_first() {
            Some((first, rest))
                if first.is_word(word) && rest.first().is_some_and(|next| next.name().is_some()) =>
            {
                rest
            }
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(text: &[u8]) -> (String, String, String, Vec<u8>) {
        let insert = find_insert(text).expect("an INSERT with data");
        (
            String::from_utf8_lossy(&insert.head).into_owned(),
            String::from_utf8_lossy(&insert.settings).into_owned(),
            insert.format,
            text[insert.data_start..].to_vec(),
        )
    }

    #[test]
    fn data_begins_behind_the_format_and_is_never_read_as_sql() {
        let text = b"INSERT INTO db.`t x` (a, `b)`) SETTINGS async_insert=0, x='FORMAT' FORMAT RowBinary\n\n\n'\x00(";
        let (head, settings, format, data) = insert(text);
        assert_eq!(head, "INSERT INTO db.`t x` (a, `b)`)");
        assert_eq!(settings, "SETTINGS async_insert=0, x='FORMAT'");
        assert_eq!(format, "RowBinary");
        assert_eq!(data, b"\n\n'\x00(");
    }

    #[test]
    fn values_comments_keywords_as_names_and_parameters() {
        let (head, _, format, data) =
            insert(b"/* FORMAT x */ insert into format (values) -- VALUES\n values (1), ('\n\n')");
        assert!(head.ends_with("insert into format (values)"));
        assert_eq!((format.as_str(), data.as_slice()), ("Values", b" (1), ('\n\n')".as_slice()));
        assert_eq!(insert(b"INSERT INTO {t:Identifier} FORMAT CSV 1,2").3, b"1,2");
        assert_eq!(insert(b"INSERT INTO t (* EXCEPT(a)) FORMAT TSV\r\n1").3, b"1");
        assert_eq!(insert(b"INSERT INTO t").2, "Values");
    }

    #[test]
    fn data_behind_with_is_data_to_its_last_semicolon() {
        let text = b"WITH (SELECT 'INSERT INTO x') AS y, 1 AS insert INSERT INTO t (s) FORMAT TSV\nvalue;\n";
        let (head, _, format, data) = insert(text);
        assert_eq!((head.as_str(), format.as_str()), ("INSERT INTO t (s)", "TSV"));
        assert_eq!(data, b"value;\n");
        assert!(begins_as_insert(text));
        for text in ["WITH 1 AS y INSERT INTO t SELECT y", "WITH 13 AS insert SELECT insert", "WITH 1"] {
            assert_eq!(find_insert(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn inserts_without_data_are_left_to_the_engine() {
        for text in [
            "INSERT INTO t SELECT 1 FORMAT x",
            "INSERT INTO t (a) (SELECT 1)",
            "INSERT INTO t WITH 1 AS x SELECT x",
            "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
            "INSERT INTO FUNCTION file('x') VALUES (1)",
            "SELECT 'INSERT INTO t VALUES'",
            "INSERT INTO t (a FORMAT",
        ] {
            let found = find_insert(text.as_bytes());
            assert!(found.is_none() || text.ends_with("(a FORMAT"), "{text}: {found:?}");
        }
    }

    #[test]
    fn the_result_goes_to_a_file_before_its_format() {
        for (text, expected, format) in [
            ("SELECT 1;", "SELECT 1\nINTO OUTFILE 'p' TRUNCATE ", None),
            ("SELECT 1 FORMAT JSON ; -- x", "SELECT 1 \nINTO OUTFILE 'p' TRUNCATE FORMAT JSON", Some("JSON")),
            ("SELECT format FROM t", "SELECT format FROM t\nINTO OUTFILE 'p' TRUNCATE ", None),
            (
                "SELECT 1 format CSV SETTINGS a=1",
                "SELECT 1 \nINTO OUTFILE 'p' TRUNCATE format CSV SETTINGS a=1",
                Some("CSV"),
            ),
        ] {
            let tokens: Vec<_> = Lexer::new(text.as_bytes()).collect();
            let output = find_output(&tokens);
            assert_eq!(String::from_utf8_lossy(&output.with_result_in(text.as_bytes(), "p")), expected);
            assert_eq!(output.format.as_deref(), format);
        }
    }

    #[test]
    fn set_use_and_several_statements_are_told_apart() {
        let tokens = |text: &'static str| Lexer::new(text.as_bytes()).collect::<Vec<_>>();
        assert!(has_several_statements(&tokens("SELECT 1; SELECT 2")));
        assert!(!has_several_statements(&tokens("SELECT ';'; ; -- x")));
        assert_eq!(
            find_set(&tokens("SET a = 1, b='x;', c = [1, 2];")),
            Some(vec![
                ("a".to_owned(), "1".to_owned()),
                ("b".to_owned(), "x;".to_owned()),
                ("c".to_owned(), "[1, 2]".to_owned())
            ])
        );
        assert_eq!(find_set(&tokens("SET ROLE x")), None);
        assert_eq!(find_use(&tokens("USE `my db`")), Some("my db".to_owned()));
    }
}
