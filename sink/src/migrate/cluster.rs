//! The same statements for a cluster (`clickhouse.cluster`): every table becomes a Replicated one on each shard, `NAME_local`, and a
//! Distributed one under its own name, which is what everybody reads and writes.
//!
//! Promise kept: all revisions of a result lie on one shard, so FINAL finds the newest; a block of events of one Kafka partition goes to one
//! shard whole, so its insert is all or nothing and its token is remembered where it is repeated. A statement of no known kind is refused.

use super::MigrateError;

/// Small tables that every server has whole.
const EVERYWHERE: [&str; 2] = ["store_epochs", "schema_migrations"];

/// The statements for a cluster that one statement for a single server becomes.
pub(super) fn on_cluster(
    statement: &str,
    cluster: &str,
    database: &str,
) -> Result<Vec<String>, MigrateError> {
    let everywhere = format!("ON CLUSTER '{cluster}'");
    let head = |count: usize| statement.split_whitespace().take(count).collect::<Vec<&str>>().join(" ");
    // Behind the name, wherever it stands, everything stays as it is.
    let named = |verb: &str| {
        let rest = statement.strip_prefix(verb)?.trim_start();
        let end = rest.find(|character: char| character.is_whitespace()).unwrap_or(rest.len());
        Some((rest[..end].to_owned(), rest[end..].to_owned()))
    };
    if let Some((name, rest)) = named("CREATE TABLE IF NOT EXISTS") {
        return table(&name, &rest, cluster, database)
            .ok_or_else(|| MigrateError::Cluster { statement: head(6) });
    }
    if let Some((name, rest)) = named("ALTER TABLE") {
        return Ok(vec![format!("ALTER TABLE {name}_local {everywhere}{rest}")]);
    }
    for verb in [
        "CREATE OR REPLACE VIEW",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS",
        "CREATE DATABASE IF NOT EXISTS",
        "CREATE SETTINGS PROFILE IF NOT EXISTS",
        "ALTER SETTINGS PROFILE",
        "CREATE ROLE IF NOT EXISTS",
        "ALTER ROLE",
    ] {
        if let Some((name, rest)) = named(verb) {
            return Ok(vec![format!("{verb} {name} {everywhere}{rest}")]);
        }
    }
    if let Some(rest) = statement.strip_prefix("GRANT ") {
        return Ok(vec![format!("GRANT {everywhere} {rest}")]);
    }
    Err(MigrateError::Cluster { statement: head(6) })
}

/// A Replicated table and, unless every server has all of it, the Distributed one.
fn table(name: &str, rest: &str, cluster: &str, database: &str) -> Option<Vec<String>> {
    let short = name.strip_prefix(database)?.strip_prefix('.')?;
    let (columns, behind) = rest.rsplit_once("ENGINE = ")?;
    let (engine, clauses) = behind.split_once(|character: char| character.is_whitespace())?;
    let shared = EVERYWHERE.contains(&short);
    let (kind, arguments) = match behind.split_once('(') {
        Some((kind, after)) if engine.contains('(') => (kind, after.split_once(')')?.0),
        _ => (engine, ""),
    };
    let clauses = if engine.contains('(') { behind.split_once(')')?.1.trim_start() } else { clauses };
    let shard = if shared { "every" } else { "{shard}" };
    let local = if shared { short.to_owned() } else { format!("{short}_local") };
    let comma = if arguments.is_empty() { "" } else { ", " };
    let clauses = clauses.replace(
        "non_replicated_deduplication_window = 10000",
        "replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800",
    );
    let replicated = format!(
        "CREATE TABLE IF NOT EXISTS {database}.{local} ON CLUSTER '{cluster}'{columns}ENGINE = Replicated{kind}('/clickhouse/tables/{shard}/{database}/{local}', '{{replica}}'{comma}{arguments})\n{clauses}"
    );
    if shared {
        return Some(vec![replicated]);
    }
    let key = if short.starts_with("events_") {
        "_topic, _partition".to_owned()
    } else {
        let (_, after) = clauses.split_once("ORDER BY (")?;
        after.split_once(')')?.0.to_owned()
    };
    let comment = clauses.rsplit_once("COMMENT ")?.1;
    let distributed = format!(
        "CREATE TABLE IF NOT EXISTS {database}.{short} ON CLUSTER '{cluster}' AS {database}.{local}\nENGINE = Distributed('{cluster}', '{database}', '{local}', cityHash64({key}))\nCOMMENT {comment}"
    );
    Some(vec![replicated, distributed])
}
