//! Errors: why the server could not run, and the exceptions a client sees, with ClickHouse's codes, texts and statuses.

use crate::engine::EngineError;
use hyper::StatusCode;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The engine could not be loaded or opened.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The address is taken or not ours.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data directory cannot be made or written.
    #[error("failed to prepare the ClickHouse data directory {path}: {source}")]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The registry has metrics of these names already.
    #[error("failed to register the ClickHouse server's metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A query cannot be cancelled, or the engine hangs. The process has to end at once, and may do so by a signal.
    #[error(
        "failed to close the ClickHouse engine: a query or the engine itself still runs after it was told to end; nothing stored is lost"
    )]
    StillOpen,
    /// Another process holds the data directory.
    #[error("failed to lock the ClickHouse data directory {path}: another process uses it")]
    Locked {
        /// The directory.
        path: PathBuf,
    },
}

/// Stands before and behind an error in a body.
const IN_BODY: &str = "\r\n__exception__\r\n";
/// Bytes of an error's text in a body.
const LONGEST_IN_BODY: usize = 16 << 10;

/// An error as ClickHouse tells it to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) code: u32,
    /// The whole text, from `Code: ` to the name in brackets.
    pub(crate) text: String,
}

impl Exception {
    fn new(code: u32, name: &str, message: impl AsRef<str>) -> Self {
        Self { code, text: format!("Code: {code}. DB::Exception: {} ({name})", message.as_ref()) }
    }

    /// Reads the code out of the engine's error text.
    pub(crate) fn from_engine(text: &str) -> Self {
        let text = unwrap_repeated(text.trim());
        let code = text
            .strip_prefix("Code: ")
            .and_then(|rest| rest.split(|character: char| !character.is_ascii_digit()).next())
            .and_then(|digits| digits.parse().ok());
        match code {
            Some(code) => Self { code, text },
            None if text.is_empty() => Self::cancelled(),
            None => Self::new(1001, "STD_EXCEPTION", text),
        }
    }

    pub(crate) fn no_input_function() -> Self {
        let message =
            "the function input is not supported here; name the columns and their order in the INSERT.";
        Self::new(48, "NOT_IMPLEMENTED", message)
    }

    pub(crate) fn bad_arguments(message: impl AsRef<str>) -> Self {
        Self::new(36, "BAD_ARGUMENTS", message)
    }

    pub(crate) fn syntax(message: impl AsRef<str>) -> Self {
        Self::new(62, "SYNTAX_ERROR", message)
    }

    pub(crate) fn readonly(user: &str) -> Self {
        Self::new(164, "READONLY", format!("{user}: Cannot execute query in readonly mode."))
    }

    pub(crate) fn readonly_get() -> Self {
        let message = "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries.";
        Self::new(164, "READONLY", message)
    }

    pub(crate) fn access_denied(message: impl AsRef<str>) -> Self {
        Self::new(497, "ACCESS_DENIED", message)
    }

    pub(crate) fn authentication_failed(user: &str) -> Self {
        let message = format!(
            "{user}: Authentication failed: password is incorrect, or there is no user with such name."
        );
        Self::new(516, "AUTHENTICATION_FAILED", message)
    }

    pub(crate) fn too_many_queries(maximum: usize) -> Self {
        let message = format!("Too many simultaneous queries. Maximum: {maximum}.");
        Self::new(202, "TOO_MANY_SIMULTANEOUS_QUERIES", message)
    }

    pub(crate) fn timeout(seconds: u64) -> Self {
        Self::new(159, "TIMEOUT_EXCEEDED", format!("Timeout exceeded: maximum: {seconds} seconds."))
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(394, "QUERY_WAS_CANCELLED", "Query was cancelled.")
    }

    pub(crate) fn query_too_large(maximum: usize) -> Self {
        Self::new(307, "QUERY_IS_TOO_LARGE", format!("Query is too large. Maximum: {maximum} bytes."))
    }

    pub(crate) fn unknown_setting(name: &str) -> Self {
        Self::new(
            115,
            "UNKNOWN_SETTING",
            format!(
                "Setting {name} is neither a builtin setting nor started with the prefix 'custom_' registered for user-defined settings."
            ),
        )
    }

    pub(crate) fn session_not_found() -> Self {
        Self::new(372, "SESSION_NOT_FOUND", "Session not found.")
    }

    pub(crate) fn session_locked() -> Self {
        Self::new(373, "SESSION_IS_LOCKED", "Session is locked by a concurrent client.")
    }

    pub(crate) fn session_timeout(value: &str) -> Self {
        Self::new(374, "INVALID_SESSION_TIMEOUT", format!("Invalid session timeout: '{value}'"))
    }

    pub(crate) fn too_many_sessions(maximum: usize) -> Self {
        Self::new(1, "UNSUPPORTED_METHOD", format!("Too many sessions. Maximum: {maximum}."))
    }

    pub(crate) fn cannot_decompress(message: impl AsRef<str>) -> Self {
        Self::new(271, "CANNOT_DECOMPRESS", message)
    }

    pub(crate) fn checksum() -> Self {
        Self::new(40, "CHECKSUM_DOESNT_MATCH", "Checksum doesn't match: corrupted data.")
    }

    pub(crate) fn unknown_encoding(name: &str) -> Self {
        Self::new(48, "NOT_IMPLEMENTED", format!("Unsupported Content-Encoding: {name}"))
    }

    pub(crate) fn not_implemented(message: impl AsRef<str>) -> Self {
        Self::new(48, "NOT_IMPLEMENTED", message)
    }

    pub(crate) fn incomplete_body(error: impl std::fmt::Display) -> Self {
        Self::new(23, "CANNOT_READ_FROM_ISTREAM", format!("Cannot read the request's body: {error}"))
    }

    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        Self::new(1001, "STD_EXCEPTION", error.to_string())
    }

    /// The error as the end of a body that had begun as a result: ClickHouse's clients look there for the tag that the response's
    /// headers name.
    pub(crate) fn in_body(&self, tag: &str) -> String {
        let end = self.text.floor_char_boundary(LONGEST_IN_BODY);
        let message = &self.text[..end];
        let length = message.len() + 1;
        format!("{IN_BODY}{tag}\r\n{message}\n{length} {tag}{IN_BODY}")
    }

    /// Whether a chunk of a body is such an error.
    pub(crate) fn is_in_body(chunk: &[u8], tag: &str) -> bool {
        chunk.strip_prefix(IN_BODY.as_bytes()).is_some_and(|rest| rest.starts_with(tag.as_bytes()))
    }

    /// The status ClickHouse's HTTP handler gives this code.
    pub(crate) const fn status(&self) -> StatusCode {
        match self.code {
            194 => StatusCode::UNAUTHORIZED,
            192 | 193 | 516 | 497 | 513 => StatusCode::FORBIDDEN,
            36 | 427 | 6 | 25 | 26 | 38 | 41 | 72 | 376 | 27 | 428 | 429 | 430 | 441 | 15 | 44 | 8 | 16
            | 7 | 148 | 167 | 168 | 254 | 62 | 117 | 53 | 321 => StatusCode::BAD_REQUEST,
            60 | 46 | 47 | 50 | 56 | 81 | 115 | 79 | 63 | 73 | 336 | 78 | 511 => StatusCode::NOT_FOUND,
            307 => StatusCode::PAYLOAD_TOO_LARGE,
            48 => StatusCode::NOT_IMPLEMENTED,
            209 | 76 | 439 => StatusCode::SERVICE_UNAVAILABLE,
            159 => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The engine wraps some errors in themselves, once for its client and once for its server, and tells where the server put
/// an INSERT's data; a client sees such an error once and by itself.
fn unwrap_repeated(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(prefix_end) = text.find("DB::Exception: ").map(|at| at + "DB::Exception: ".len())
        && text[prefix_end..].starts_with(&text[..prefix_end])
        && let Some(version) = text.rfind(" (version ")
    {
        text = text[prefix_end..version].to_owned();
    }
    if let Some(start) = text.find(": (in file/uri /proc/self/fd/")
        && let Some(length) = text[start..].find(')')
    {
        text.replace_range(start..=start + length, "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_texts_keep_their_code_and_get_clickhouse_statuses() {
        let unknown =
            Exception::from_engine("Code: 60. DB::Exception: Table x.y does not exist. (UNKNOWN_TABLE)");
        assert_eq!((unknown.code, unknown.status()), (60, StatusCode::NOT_FOUND));
        assert_eq!(Exception::from_engine("Code: 62. DB::Exception: x").status(), StatusCode::BAD_REQUEST);
        assert_eq!(Exception::from_engine("something else").code, 1001);
        let wrapped = "Code: 73. DB::Exception: Code: 73. DB::Exception: Unknown format Nosuch. (UNKNOWN_FORMAT) (version 26.7.2.1). (UNKNOWN_FORMAT)";
        let wrapped = Exception::from_engine(wrapped);
        assert_eq!(wrapped.text, "Code: 73. DB::Exception: Unknown format Nosuch. (UNKNOWN_FORMAT)");
        let in_file = "Code: 27. DB::Exception: Cannot parse: (at row 1)\n: (in file/uri /proc/self/fd/52): While reading. (X)";
        assert_eq!(
            Exception::from_engine(in_file).text,
            "Code: 27. DB::Exception: Cannot parse: (at row 1)\n: While reading. (X)"
        );
        assert_eq!(Exception::authentication_failed("x").status(), StatusCode::FORBIDDEN);
        let boom = Exception { code: 1, text: "boom".to_owned() };
        assert_eq!(
            boom.in_body("FOOBAR"),
            "\r\n__exception__\r\nFOOBAR\r\nboom\n5 FOOBAR\r\n__exception__\r\n"
        );
    }
}
