//! What ClickHouse says of itself, for `touchstream doctor`: nothing is changed.

use touchstream_runtime::settings::Settings;

use crate::client;
use crate::migrate::{MigrateError, migrate};

/// A disk of ClickHouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its name there.
    pub name: String,
    /// Where it is.
    pub path: String,
    /// Bytes free.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

/// The state of ClickHouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Version of the server.
    pub version: String,
    /// Files of `deploy/clickhouse` that `setup` would apply.
    pub pending: Vec<String>,
    /// The table of ours with the most active parts in one partition.
    pub most_parts: Option<(String, u64)>,
    /// Its disks.
    pub disks: Vec<Disk>,
}

/// Asks for everything.
///
/// # Errors
/// When ClickHouse cannot be reached or refuses.
pub async fn inspect(settings: &Settings) -> Result<Inspection, MigrateError> {
    let client =
        client::client(&settings.clickhouse).map_err(|error| MigrateError::Client(error.to_string()))?;
    let ask = async |action: &str, sql: &str| {
        let refused = |source| MigrateError::Query { action: action.to_owned(), source };
        client::ask(&client, sql).await.map_err(refused)
    };
    let version = ask("ask for the version", "SELECT version()").await?;
    let pending = migrate(settings, true).await?;
    let database = &settings.clickhouse.database;
    let parts = format!(
        "SELECT table, count() AS parts FROM system.parts WHERE active AND database = '{database}' \
         GROUP BY table, partition_id ORDER BY parts DESC LIMIT 1"
    );
    let parts = ask("count parts", &parts).await?;
    let disks = ask("ask for disks", "SELECT name, path, free_space, total_space FROM system.disks").await?;
    let number = |text: Option<&String>| text.and_then(|text| text.parse().ok());
    let most_parts = parts.first().and_then(|row| Some((row.first()?.clone(), number(row.get(1))?)));
    let disks = disks.iter().filter_map(|row| {
        let [free, total] = [number(row.get(2))?, number(row.get(3))?];
        Some(Disk { name: row.first()?.clone(), path: row.get(1)?.clone(), free, total })
    });
    Ok(Inspection {
        version: version.first().and_then(|row| row.first().cloned()).unwrap_or_default(),
        pending,
        most_parts,
        disks: disks.collect(),
    })
}
