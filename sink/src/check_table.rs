//! Startup check: the tables have the columns that this sink writes, by name and type. A table that was altered is reported
//! with its column, instead of every insert being refused later.

use std::collections::HashMap;

use arrow_schema::{DataType, Schema, TimeUnit};
use clickhouse::Client;

use crate::client;

/// A table is not the one that this sink writes.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It does not exist.
    #[error("failed to find the table {0}: run `touchstream setup`")]
    Missing(String),
    /// A column does not exist.
    #[error("failed to use the table {table}: it has no column {column}; run `touchstream setup`")]
    Column {
        /// Table.
        table: String,
        /// Column.
        column: String,
    },
    /// A column has another type.
    #[error("failed to use the table {table}: its column {column} is {found}, expected {expected}")]
    Type {
        /// Table.
        table: String,
        /// Column.
        column: String,
        /// Type in ClickHouse.
        found: String,
        /// Type that the sink writes.
        expected: String,
    },
    /// ClickHouse cannot be asked.
    #[error("failed to read the columns of {table}: {source}")]
    Query {
        /// Table.
        table: String,
        /// What ClickHouse says.
        source: clickhouse::error::Error,
    },
}

/// Compares a table with what is written into it.
pub(crate) async fn check(
    client: &Client,
    database: &str,
    table: &str,
    written: &Schema,
) -> Result<(), TableError> {
    let name = format!("{database}.{table}");
    let question = format!(
        "SELECT name, replaceAll(type, '\\'', '') FROM system.columns WHERE database = '{database}' AND table = '{table}'"
    );
    let rows = client::ask(client, &question)
        .await
        .map_err(|source| TableError::Query { table: name.clone(), source })?;
    let found: HashMap<&str, &str> =
        rows.iter().filter_map(|row| Some((row.first()?.as_str(), row.get(1)?.as_str()))).collect();
    if found.is_empty() {
        return Err(TableError::Missing(name));
    }
    for field in written.fields() {
        let Some(stored) = found.get(field.name().as_str()) else {
            return Err(TableError::Column { table: name, column: field.name().clone() });
        };
        let expected = clickhouse_type(field.data_type());
        if !fits(&plain(stored), &expected) {
            return Err(TableError::Type {
                table: name,
                column: field.name().clone(),
                found: (*stored).to_owned(),
                expected,
            });
        }
    }
    Ok(())
}

/// A type without Nullable, LowCardinality and aggregate wrappers, which do not change what may be written.
fn plain(stored: &str) -> String {
    let mut text = stored.replace("SimpleAggregateFunction(max, ", "LowCardinality(");
    for wrapper in ["LowCardinality(", "Nullable("] {
        while let Some(start) = text.find(wrapper) {
            let inside = start + wrapper.len();
            let mut depth = 1;
            let Some(length) = text[inside..].find(|character| {
                depth += match character {
                    '(' => 1,
                    ')' => -1,
                    _ => 0,
                };
                depth == 0
            }) else {
                return text;
            };
            text = format!(
                "{}{}{}",
                &text[..start],
                &text[inside..inside + length],
                &text[inside + length + 1..]
            );
        }
    }
    text
}

fn fits(stored: &str, expected: &str) -> bool {
    // The sink writes flags as booleans, and whole seconds as DateTime.
    stored == expected || (stored == "UInt8" && expected == "Bool")
}

fn clickhouse_type(written: &DataType) -> String {
    match written {
        DataType::Utf8 => "String".to_owned(),
        DataType::Boolean => "Bool".to_owned(),
        DataType::Timestamp(TimeUnit::Second, _) => "DateTime(UTC)".to_owned(),
        DataType::Timestamp(TimeUnit::Millisecond, _) => "DateTime64(3, UTC)".to_owned(),
        DataType::Decimal128(precision, scale) => format!("Decimal({precision}, {scale})"),
        DataType::List(item) => format!("Array({})", clickhouse_type(item.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => format!(
                "Map({}, {})",
                clickhouse_type(fields[0].data_type()),
                clickhouse_type(fields[1].data_type())
            ),
            other => format!("Map({other})"),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_do_not_change_what_may_be_written() {
        for (stored, expected) in [
            ("LowCardinality(Nullable(String))", "String"),
            ("Nullable(DateTime64(3, UTC))", "DateTime64(3, UTC)"),
            ("Array(LowCardinality(String))", "Array(String)"),
            ("Map(LowCardinality(String), String)", "Map(String, String)"),
            ("Array(Nullable(Int32))", "Array(Int32)"),
            ("Nullable(Decimal(18, 4))", "Decimal(18, 4)"),
            ("SimpleAggregateFunction(max, Int64)", "Int64"),
        ] {
            assert_eq!(plain(stored), expected);
        }
    }
}
