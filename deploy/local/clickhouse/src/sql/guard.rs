//! What no client may run, whoever it is: statements that reach files, other hosts or programs, or end the engine.
//!
//! The engine thinks it runs as a command-line tool and lets `file('/etc/passwd')` through even in read-only mode, so the
//! names are looked for in the tokens. Reading too much as forbidden is acceptable here; too little is not.

use super::lexer::{Kind, Token};
use crate::error::Exception;
use crate::settings::OUTSIDE_SETTINGS;

/// Functions that reach outside; compared in lower case.
const OUTSIDE_FUNCTIONS: &[&str] = &[
    "file",
    "filecluster",
    "filesystem",
    "url",
    "urlcluster",
    "s3",
    "s3cluster",
    "gcs",
    "oss",
    "cosn",
    "hdfs",
    "hdfscluster",
    "azureblobstorage",
    "azureblobstoragecluster",
    "executable",
    "remote",
    "remotesecure",
    "cluster",
    "clusterallreplicas",
    "mysql",
    "postgresql",
    "mongodb",
    "redis",
    "sqlite",
    "odbc",
    "jdbc",
    "ytsaurus",
    "arrowstream",
    "python",
    "hudi",
    "hudicluster",
    "eval",
    "catboostevaluate",
    "disk",
    "prometheusquery",
    "prometheusqueryrange",
    "aiclassify",
    "aigenerate",
    "aiextract",
    "aitranslate",
    "aiembed",
];

/// Families of functions that reach outside, by how their names begin.
const OUTSIDE_FAMILIES: &[&str] = &["iceberg", "paimon", "deltalake", "aigenerate"];

/// Pure functions that only look like such a family.
const PURE_FUNCTIONS: &[&str] = &[
    "icebergbucket",
    "icebergtruncate",
    "iceberghash",
    "icebergbuckettransform",
    "icebergtruncatetransform",
];

/// Table and database engines that keep everything in the data directory or nowhere.
const INSIDE_ENGINES: &[&str] = &[
    "memory",
    "null",
    "log",
    "tinylog",
    "stripelog",
    "view",
    "materializedview",
    "buffer",
    "set",
    "join",
    "dictionary",
    "generaterandom",
    "merge",
    "atomic",
    "ordinary",
    "lazy",
    "embeddedrocksdb",
    "alias",
];

/// What SYSTEM may do: housekeeping that a migration or a test asks for.
const SYSTEM_COMMANDS: &[&[&str]] = &[
    &["FLUSH"],
    &["STOP", "MERGES"],
    &["START", "MERGES"],
    &["STOP", "TTL"],
    &["START", "TTL"],
    &["STOP", "VIEW"],
    &["START", "VIEW"],
    &["STOP", "VIEWS"],
    &["START", "VIEWS"],
    &["REFRESH", "VIEW"],
    &["WAIT", "VIEW"],
    &["CANCEL", "VIEW"],
    &["DROP", "MARK"],
    &["DROP", "UNCOMPRESSED"],
    &["CLEAR", "MARK"],
    &["SYNC", "MUTATIONS"],
    &["RELOAD", "DICTIONARY"],
    &["RELOAD", "DICTIONARIES"],
];

/// Statements a managed engine takes from nobody.
const REFUSED_STATEMENTS: &[&str] =
    &["ATTACH", "DETACH", "COPY", "SNAPSHOT", "BACKUP", "RESTORE", "EXECUTE", "BEGIN", "COMMIT", "ROLLBACK"];

/// Refuses what reaches outside the data directory or could end the engine.
pub(crate) fn check(tokens: &[Token<'_>]) -> Result<(), Exception> {
    check_first_words(tokens)?;
    let mut defines = false;
    let of_dictionary = tokens.iter().take(6).any(|token| token.is_word("DICTIONARY"));
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1);
        let follows = |word: &str| next.is_some_and(|next| next.is_word(word));
        if (token.is_word("INTO") && follows("OUTFILE")) || (token.is_word("FROM") && follows("INFILE")) {
            return Err(Exception::access_denied("INTO OUTFILE and FROM INFILE are not allowed here."));
        }
        if token.is_word("INTO")
            && follows("FUNCTION")
            && tokens.get(index + 2).is_some_and(|name| name.kind == Kind::Word)
        {
            return Err(Exception::access_denied("INSERT INTO FUNCTION is not allowed here."));
        }
        if token.is_word("PARALLEL") && follows("WITH") {
            return Err(Exception::access_denied("PARALLEL WITH is not allowed here."));
        }
        defines |= ["CREATE", "REPLACE", "ALTER"].iter().any(|word| token.is_word(word));
        if defines && token.is_word("ENGINE") {
            check_engine(&tokens[index + 1..])?;
        }
        if of_dictionary && token.is_word("SOURCE") && next.is_some_and(|next| next.is_sign(b'(')) {
            check_dictionary_source(tokens.get(index + 2))?;
        }
        if token.is_word("FROM")
            && follows("input")
            && tokens.get(index + 2).is_some_and(|sign| sign.is_sign(b'('))
        {
            // The engine would read the data from the server's own standard input, and find none.
            return Err(Exception::no_input_function());
        }
        let set = next.is_some_and(|next| next.is_sign(b'='));
        if set && token.name().is_some_and(|name| OUTSIDE_SETTINGS.contains(&name.as_str())) {
            return Err(Exception::access_denied("a setting that names a file or host is not allowed here."));
        }
        check_function(tokens, index)?;
    }
    Ok(())
}

fn check_first_words(tokens: &[Token<'_>]) -> Result<(), Exception> {
    let Some(first) = tokens.first() else { return Ok(()) };
    if REFUSED_STATEMENTS.iter().any(|word| first.is_word(word)) {
        let word = String::from_utf8_lossy(first.text).to_uppercase();
        return Err(Exception::access_denied(format!("{word} is not allowed here.")));
    }
    if first.is_word("SYSTEM") {
        let allowed = SYSTEM_COMMANDS.iter().any(|words| {
            words
                .iter()
                .enumerate()
                .all(|(index, word)| tokens.get(index + 1).is_some_and(|token| token.is_word(word)))
        });
        if !allowed {
            return Err(Exception::access_denied("this SYSTEM command is not allowed here."));
        }
    }
    let changes_objects = ["DROP", "TRUNCATE", "RENAME", "EXCHANGE"].iter().any(|word| first.is_word(word));
    let touches_system = tokens.iter().any(|token| {
        token
            .name()
            .is_some_and(|name| matches!(name.to_ascii_lowercase().as_str(), "system" | "information_schema"))
    });
    if changes_objects && touches_system {
        return Err(Exception::access_denied("the system databases cannot be changed."));
    }
    Ok(())
}

fn check_engine(tokens: &[Token<'_>]) -> Result<(), Exception> {
    let name = match tokens {
        [equals, name, ..] if equals.is_sign(b'=') => name,
        [name, ..] => name,
        [] => return Ok(()),
    };
    let Some(name) = name.name() else { return Ok(()) };
    let lower = name.to_ascii_lowercase();
    if lower.ends_with("mergetree") || INSIDE_ENGINES.contains(&lower.as_str()) {
        return Ok(());
    }
    Err(Exception::access_denied(format!("the engine {name} is not allowed here.")))
}

fn check_dictionary_source(source: Option<&Token<'_>>) -> Result<(), Exception> {
    match source {
        Some(source) if source.is_word("CLICKHOUSE") || source.is_word("NULL") => Ok(()),
        Some(_) | None => Err(Exception::access_denied("this dictionary source is not allowed here.")),
    }
}

/// A function is called, applied (`APPLY f`), or handed to a higher-order function (`arrayMap(f, …)`).
fn check_function(tokens: &[Token<'_>], index: usize) -> Result<(), Exception> {
    let Some(name) = tokens[index].name() else { return Ok(()) };
    if !reaches_outside(&name.to_ascii_lowercase()) {
        return Ok(());
    }
    let before = |distance: usize| index.checked_sub(distance).map(|at| &tokens[at]);
    let next_is = |sign: u8| tokens.get(index + 1).is_some_and(|next| next.is_sign(sign));
    let opened = before(1).is_some_and(|token| token.is_sign(b'('));
    let applied = before(1).is_some_and(|token| token.is_word("APPLY"))
        || (opened && before(2).is_some_and(|token| token.is_word("APPLY")));
    let handed = opened
        && next_is(b',')
        && before(2).and_then(Token::name).is_some_and(|function| {
            let function = function.to_ascii_lowercase();
            function.starts_with("array") || function.starts_with("map")
        });
    if next_is(b'(') || applied || handed {
        return Err(Exception::access_denied(format!("the function {name} is not allowed here.")));
    }
    Ok(())
}

fn reaches_outside(name: &str) -> bool {
    OUTSIDE_FUNCTIONS.contains(&name)
        || (OUTSIDE_FAMILIES.iter().any(|family| name.starts_with(family)) && !PURE_FUNCTIONS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::super::lexer::Lexer;
    use super::*;

    fn refused(text: &str) -> bool {
        check(&Lexer::new(text.as_bytes()).collect::<Vec<_>>()).is_err()
    }

    #[test]
    fn what_reaches_outside_is_refused() {
        for text in [
            "SELECT * FROM file('/etc/passwd')",
            "SELECT `file` /* x */ ('/etc/passwd')",
            "SELECT \u{201c}file\u{201d}('/etc/passwd')",
            "SELECT file\u{a0}('/etc/passwd')",
            "SELECT arrayMap(file, ['/etc/passwd'])",
            "SELECT * APPLY file FROM t",
            "SELECT * APPLY(file) FROM t",
            "DESCRIBE url('http://x')",
            "SELECT * FROM icebergLocal('/x')",
            "SELECT 1 INTO OUTFILE '/x'",
            "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV",
            "INSERT INTO FUNCTION file('/x') SELECT 1",
            "CREATE TABLE t (a Int8) ENGINE = File(CSV)",
            "CREATE TABLE t (a Int8) ENGINE URL('http://x', CSV)",
            "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(EXECUTABLE(COMMAND 'x'))",
            "SELECT 1 FORMAT Protobuf SETTINGS format_schema = '/etc/passwd:M'",
            "INSERT INTO t SELECT * FROM input('a Int8') FORMAT CSV",
            "SYSTEM SHUTDOWN",
            "system kill",
            "DETACH DATABASE system",
            "DROP DATABASE IF EXISTS `system`",
            "BACKUP DATABASE x TO File('x')",
            "CREATE TABLE a (x Int8) ENGINE=Memory PARALLEL WITH SYSTEM SHUTDOWN",
        ] {
            assert!(refused(text), "{text}");
        }
    }

    #[test]
    fn ordinary_statements_pass() {
        for text in [
            "SELECT file, url FROM t WHERE url = 'file(1)' AND count(url) > 1",
            "SELECT icebergHash(1), cutQueryString(url)",
            "CREATE TABLE source (source String) ENGINE = Memory",
            "CREATE TABLE t (url String) ENGINE = ReplacingMergeTree(revision) ORDER BY url",
            "CREATE DATABASE cx ENGINE = Atomic",
            "SELECT engine FROM system.tables WHERE engine = name",
            "SYSTEM FLUSH LOGS",
            "INSERT INTO t SELECT 1",
        ] {
            assert!(!refused(text), "{text}");
        }
    }
}
