//! Creates and upgrades the ClickHouse objects: `touchstream setup`.
//!
//! `files` holds the SQL → each numbered file runs once and is recorded with its checksum in `schema_migrations`; retention and
//! views run again whenever their rendered text changes. Promise kept: repeating it changes nothing, every statement can run
//! twice (so a crash in between does no harm), and a numbered file that was changed after it ran is refused by name.

mod files;
mod touchpoints;

use std::collections::HashMap;

use clickhouse::Client;
use sha2::{Digest as _, Sha256};
use touchstream_runtime::settings::Settings;
use touchstream_runtime::touchpoints::{Touchpoints, TouchpointsError};

use crate::client;
use files::{FILES, SqlFile};

/// Why the objects could not be created or upgraded.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database's name cannot stand in SQL as it is.
    #[error("failed to use clickhouse.database = {0:?}: expected letters, digits and underscores")]
    Database(String),
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
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if database.is_empty() || !database.chars().all(is_word) {
        return Err(MigrateError::Database(database.clone()));
    }
    let touchpoints = Touchpoints::load(&settings.processor.touchpoints_file)?;
    let client =
        client::client(&settings.clickhouse).map_err(|error| MigrateError::Client(error.to_string()))?;
    if !dry_run {
        create_record(&client, database).await?;
    }
    let applied = applied(&client, database).await?;
    let mut pending = Vec::new();
    for file in FILES {
        let rendered = files::render(file, settings, &touchpoints);
        let checksum = checksum(if file.once { file.template } else { &rendered });
        match applied.get(file.name) {
            Some(known) if *known == checksum => {}
            Some(known) if file.once => {
                return Err(MigrateError::Changed {
                    name: file.name.to_owned(),
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
            apply(&client, database, file, &rendered, &checksum).await?;
        }
        names.push(file.name.to_owned());
    }
    Ok(names)
}

async fn create_record(client: &Client, database: &str) -> Result<(), MigrateError> {
    run(client, "create the database", &format!("CREATE DATABASE IF NOT EXISTS {database}")).await?;
    let record = format!(
        "CREATE TABLE IF NOT EXISTS {database}.schema_migrations (\
         `name` String COMMENT 'Migration or view.', \
         `checksum` String COMMENT 'SHA-256 of its text when it was applied.', \
         `applied_at` DateTime64(3, 'UTC') COMMENT 'When it was applied.') \
         ENGINE = ReplacingMergeTree(applied_at) ORDER BY name \
         COMMENT 'One row is one applied file of deploy/clickhouse.'"
    );
    run(client, "create schema_migrations", &record).await
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
    database: &str,
    file: &SqlFile,
    rendered: &str,
    checksum: &str,
) -> Result<(), MigrateError> {
    for statement in files::statements(rendered) {
        run(client, &format!("apply {}", file.name), &statement).await?;
    }
    let record = format!(
        "INSERT INTO {database}.schema_migrations VALUES ('{}', '{checksum}', now64(3, 'UTC'))",
        file.name
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
