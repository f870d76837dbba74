//! The way to ClickHouse as the writer, and which of its errors pass by themselves.

use std::time::Duration;

use clickhouse::Client;
use touchstream_runtime::clickhouse::client as clickhouse_client;
use touchstream_runtime::settings::ClickHouseSettings;

use crate::error::SinkError;

/// Longest wait for the answer to a question (not to an insert).
const QUERY_DEADLINE: Duration = Duration::from_secs(60);

/// A client as the settings say.
pub(crate) fn client(settings: &ClickHouseSettings) -> Result<Client, SinkError> {
    let password = settings.password.or_file(&settings.password_file)?;
    Ok(clickhouse_client(settings, &settings.user, &password)?)
}

/// Runs a statement without a result.
pub(crate) async fn execute(client: &Client, sql: &str) -> Result<(), clickhouse::error::Error> {
    execute_within(client, sql, QUERY_DEADLINE).await
}

/// Runs a statement without a result that may take longer.
pub(crate) async fn execute_within(
    client: &Client,
    sql: &str,
    deadline: Duration,
) -> Result<(), clickhouse::error::Error> {
    match tokio::time::timeout(deadline, client.query_raw(sql).execute()).await {
        Ok(result) => result,
        Err(_) => Err(clickhouse::error::Error::TimedOut),
    }
}

/// Asks a question; the answer's rows as tab-separated fields. For short answers without tabs or line ends in the fields.
pub(crate) async fn ask(client: &Client, sql: &str) -> Result<Vec<Vec<String>>, clickhouse::error::Error> {
    ask_within(client, sql, QUERY_DEADLINE).await
}

/// Asks a question that may take longer.
pub(crate) async fn ask_within(
    client: &Client,
    sql: &str,
    deadline: Duration,
) -> Result<Vec<Vec<String>>, clickhouse::error::Error> {
    let answer = async { client.query_raw(sql).fetch_bytes("TabSeparated")?.collect().await };
    let bytes = match tokio::time::timeout(deadline, answer).await {
        Ok(result) => result?,
        Err(_) => return Err(clickhouse::error::Error::TimedOut),
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

/// What to do about an error of ClickHouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It may pass: try the same bytes again.
    Retry,
    /// A value does not fit: a row may be to blame, or a table that was altered.
    Refused,
    /// It will not pass by itself: a person is needed.
    Stop,
}

/// Errors of a value: text, number, date or type that cannot be taken, a constraint of the table that a row violates.
const REFUSED: &[u32] = &[6, 27, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 395, 407, 469, 691];

/// Errors that no repetition cures: the statement, the table or the user is wrong.
const PERMANENT: &[u32] =
    &[10, 16, 20, 26, 36, 43, 44, 46, 47, 50, 57, 60, 62, 73, 80, 81, 115, 192, 193, 194, 497, 516];

/// What ClickHouse says when its disk is full: before it begins to write, or while it does.
const FULL: &[&str] = &["Code: 243.", "No space left on device"];

/// The words of an error, with what to do about it where ClickHouse's own do not say so.
pub(crate) fn told(error: &clickhouse::error::Error) -> String {
    if is_full(error) {
        return format!("ClickHouse's disk is full, free some space: {error}");
    }
    error.to_string()
}

fn is_full(error: &clickhouse::error::Error) -> bool {
    matches!(error, clickhouse::error::Error::BadResponse(text) if FULL.iter().any(|words| text.contains(words)))
}

/// Sorts an error.
pub(crate) fn classify(error: &clickhouse::error::Error) -> Class {
    match error {
        // It may pass by itself, when merges or retention free some; but a person should hear of it.
        full if is_full(full) => Class::Stop,
        clickhouse::error::Error::BadResponse(text) => match code_of(text) {
            Some(code) if REFUSED.contains(&code) => Class::Refused,
            Some(code) if PERMANENT.contains(&code) => Class::Stop,
            _ => Class::Retry,
        },
        clickhouse::error::Error::InvalidParams(_)
        | clickhouse::error::Error::Unsupported(_)
        | clickhouse::error::Error::SchemaMismatch(_) => Class::Stop,
        _ => Class::Retry,
    }
}

/// The number in `Code: 60. DB::Exception: …`.
fn code_of(text: &str) -> Option<u32> {
    let after = text.split_once("Code: ")?.1;
    let digits = after.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clickhouse::error::Error;

    #[test]
    fn errors_are_sorted_by_code() {
        for (text, class) in [
            ("Code: 60. DB::Exception: Table cx.x does not exist", Class::Stop),
            ("Code: 516. DB::Exception: Authentication failed", Class::Stop),
            ("Code: 469. DB::Exception: Constraint `c` is violated at row 1", Class::Refused),
            ("Code: 252. DB::Exception: Too many parts", Class::Retry),
            ("Code: 241. DB::Exception: Memory limit exceeded", Class::Retry),
            ("Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space", Class::Stop),
            (
                "Code: 75. DB::ErrnoException: Cannot write, errno: 28, strerror: No space left on device",
                Class::Stop,
            ),
            ("Code: 24", Class::Retry),
            ("502 Bad Gateway", Class::Retry),
        ] {
            assert_eq!(classify(&Error::BadResponse(text.to_owned())), class, "{text}");
        }
        assert_eq!(classify(&Error::TimedOut), Class::Retry);
    }
}
