//! Creates and upgrades the ClickHouse objects: `touchstream setup`.
//!
//! `files` lists the SQL → `render` fills it in (`periods`: the forms that do not overlap; `touchpoints`: what the touchpoints file says) →
//! `cluster` makes it fit for a cluster, where one is configured → each numbered file runs once and is recorded with its checksum in
//! `schema_migrations`; retention, views and access run again whenever their rendered text changes. Promise kept: repeating it changes nothing, every statement can run
//! twice (so a crash in between does no harm), and a numbered file that was changed after it ran is refused by name.

mod cluster;
mod files;
mod periods;
mod render;
#[cfg(test)]
mod tests;
mod touchpoints;

use std::collections::HashMap;

use clickhouse::Client;
use sha2::{Digest as _, Sha256};
use touchstream_runtime::settings::Settings;
use touchstream_runtime::touchpoints::{Touchpoints, TouchpointsError};

use crate::client;
use files::{SqlFile, files};

/// Longest retention: ClickHouse's DateTime ends in 2106, and a sum beyond it would begin again in 1970.
const MOST_DAYS: u32 = 20_000;

/// Why the objects could not be created or upgraded.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A name cannot stand in SQL as it is.
    #[error("failed to use clickhouse.{setting} = {value:?}: expected letters, digits and underscores")]
    Name {
        /// Setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// A retention is set for no table.
    #[error("failed to use clickhouse.table_retention_days.{table}: expected one of {known}")]
    Retention {
        /// What was given.
        table: String,
        /// Tables that can have a retention of their own.
        known: String,
    },
    /// A retention would reach beyond the last time that a table can hold, and what is new would be taken for old.
    #[error("failed to use clickhouse.{setting} = {days}: expected at most {MOST_DAYS} days")]
    Days {
        /// Setting.
        setting: String,
        /// Its value.
        days: u32,
    },
    /// A statement cannot be made fit for a cluster.
    #[error("failed to render for a cluster: {statement} …")]
    Cluster {
        /// How it begins.
        statement: String,
    },
    /// The touchpoints file cannot be used.
    #[error(transparent)]
    Touchpoints(#[from] TouchpointsError),
    /// The client could not be made.
    #[error("{0}")]
    Client(String),
    /// A numbered migration is not the one that ran here.
    #[error(
        "failed to apply the migrations: {name} ran here with checksum {applied} and has {present} now; a numbered migration must never change"
    )]
    Changed {
        /// Its name.
        name: String,
        /// Checksum when it ran.
        applied: String,
        /// Checksum in this release.
        present: String,
    },
    /// ClickHouse refuses or cannot be reached.
    #[error("failed to {action}: {source}")]
    Query {
        /// What was tried.
        action: String,
        /// What ClickHouse says.
        source: clickhouse::error::Error,
    },
}

/// Creates or upgrades database, tables and views; returns the names of the files that it applied, or would apply with `dry_run`.
///
/// # Errors
/// When ClickHouse cannot be reached or refuses, or when a numbered migration was changed after it ran.
pub async fn migrate(settings: &Settings, dry_run: bool) -> Result<Vec<String>, MigrateError> {
    let database = &settings.clickhouse.database;
    check_names(settings)?;
    let touchpoints = Touchpoints::load(&settings.processor.touchpoints_file)?;
    let client =
        client::client(&settings.clickhouse).map_err(|error| MigrateError::Client(error.to_string()))?;
    if !dry_run {
        create_record(&client, settings).await?;
    }
    let applied = applied(&client, database).await?;
    let mut pending = Vec::new();
    for file in files(!settings.clickhouse.reader_role.is_empty()) {
        let rendered = render::render(&file, settings, &touchpoints);
        let checksum = checksum(if file.once { file.template } else { &rendered });
        match applied.get(&file.name) {
            Some(known) if *known == checksum => {}
            Some(known) if file.once => {
                return Err(MigrateError::Changed {
                    name: file.name,
                    applied: known.clone(),
                    present: checksum,
                });
            }
            _ => pending.push((file, rendered, checksum)),
        }
    }
    let mut names = Vec::new();
    for (file, rendered, checksum) in pending {
        if !dry_run {
            apply(&client, settings, &file, &rendered, &checksum).await?;
        }
        names.push(file.name);
    }
    Ok(names)
}

/// Names stand in SQL as they are; a retention that is set for no table would be kept by nobody.
fn check_names(settings: &Settings) -> Result<(), MigrateError> {
    let clickhouse = &settings.clickhouse;
    let is_word =
        |text: &str| text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    for (setting, value, may_be_empty) in [
        ("database", &clickhouse.database, false),
        ("cluster", &clickhouse.cluster, true),
        ("reader_role", &clickhouse.reader_role, true),
    ] {
        if !is_word(value) || (value.is_empty() && !may_be_empty) {
            return Err(MigrateError::Name { setting, value: value.clone() });
        }
    }
    let days = [
        ("events_retention_days", clickhouse.events_retention_days),
        ("text_retention_days", clickhouse.text_retention_days),
    ];
    let of_tables = clickhouse.table_retention_days.iter();
    let days = days
        .iter()
        .map(|(setting, days)| ((*setting).to_owned(), *days))
        .chain(of_tables.map(|(table, days)| (format!("table_retention_days.{table}"), *days)));
    for (setting, days) in days {
        if days > MOST_DAYS {
            return Err(MigrateError::Days { setting, days });
        }
    }
    let known = render::tables_with_retention();
    match clickhouse.table_retention_days.keys().find(|table| !known.contains(&table.as_str())) {
        None => Ok(()),
        Some(table) => Err(MigrateError::Retention { table: table.clone(), known: known.join(", ") }),
    }
}

/// The statements of a rendered file, for one server or for a cluster.
fn statements(rendered: &str, settings: &Settings) -> Result<Vec<String>, MigrateError> {
    let clickhouse = &settings.clickhouse;
    if clickhouse.cluster.is_empty() {
        return Ok(render::statements(rendered).collect());
    }
    let mut all = Vec::new();
    for statement in render::statements(rendered) {
        all.extend(cluster::on_cluster(&statement, &clickhouse.cluster, &clickhouse.database)?);
    }
    Ok(all)
}

async fn create_record(client: &Client, settings: &Settings) -> Result<(), MigrateError> {
    for statement in statements(&record(&settings.clickhouse.database), settings)? {
        run(client, "create the database and schema_migrations", &statement).await?;
    }
    Ok(())
}

/// The database, and the table that says what was applied.
fn record(database: &str) -> String {
    format!(
        "CREATE DATABASE IF NOT EXISTS {database};
CREATE TABLE IF NOT EXISTS {database}.schema_migrations
(
    `name` String COMMENT 'Migration or view.',
    `checksum` String COMMENT 'SHA-256 of its text when it was applied.',
    `applied_at` DateTime64(3, 'UTC') COMMENT 'When it was applied.'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY name
COMMENT 'One row is one applied file of deploy/clickhouse.';
"
    )
}

async fn applied(client: &Client, database: &str) -> Result<HashMap<String, String>, MigrateError> {
    let known = |source| MigrateError::Query { action: "read schema_migrations".to_owned(), source };
    let exists = format!(
        "SELECT count() FROM system.tables WHERE database = '{database}' AND name = 'schema_migrations'"
    );
    if client::ask(client, &exists).await.map_err(known)? != [["1"]] {
        return Ok(HashMap::new());
    }
    let rows = client::ask(client, &format!("SELECT name, checksum FROM {database}.schema_migrations FINAL"))
        .await
        .map_err(known)?;
    Ok(rows.into_iter().filter_map(|row| Some((row.first()?.clone(), row.get(1)?.clone()))).collect())
}

async fn apply(
    client: &Client,
    settings: &Settings,
    file: &SqlFile,
    rendered: &str,
    checksum: &str,
) -> Result<(), MigrateError> {
    for statement in statements(rendered, settings)? {
        run(client, &format!("apply {}", file.name), &statement).await?;
    }
    let record = format!(
        "INSERT INTO {}.schema_migrations VALUES ('{}', '{checksum}', now64(3, 'UTC'))",
        settings.clickhouse.database, file.name
    );
    run(client, &format!("record {}", file.name), &record).await
}

async fn run(client: &Client, action: &str, statement: &str) -> Result<(), MigrateError> {
    client::execute(client, statement)
        .await
        .map_err(|source| MigrateError::Query { action: action.to_owned(), source })
}

fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
