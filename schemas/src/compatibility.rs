//! Whether two releases of a schema can read each other's records: BACKWARD and FORWARD, one release apart.
//!
//! Structure is compared by apache-avro, logical types here: its checker refuses a decimal even against itself (0.21).

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use serde_json::Value;

/// Why two schemas do not go together.
#[derive(Debug, thiserror::Error)]
pub enum CompatibilityError {
    /// One of the texts is no schema.
    #[error("failed to parse the {which} schema: {message}")]
    Parse {
        /// `older` or `newer`.
        which: &'static str,
        /// What the parser says.
        message: String,
    },
    /// The newer release cannot read the older's records.
    #[error("failed to read old records with the new schema (BACKWARD): {0}")]
    Backward(String),
    /// The older release cannot read the newer's records.
    #[error("failed to read new records with the old schema (FORWARD): {0}")]
    Forward(String),
    /// A value would be read with another meaning.
    #[error(
        "failed to keep the meaning of {path}: its logical type is {older} in the older and {newer} in the newer schema"
    )]
    LogicalType {
        /// Field names from the outermost record on.
        path: String,
        /// Logical type before.
        older: String,
        /// Logical type after.
        newer: String,
    },
}

/// Checks that each of two schemas reads what the other writes, with the same meaning.
///
/// # Errors
/// When one cannot, or is no schema.
pub fn check_both_ways(older: &str, newer: &str) -> Result<(), CompatibilityError> {
    let (older, older_meanings) = parse("older", older)?;
    let (newer, newer_meanings) = parse("newer", newer)?;
    SchemaCompatibility::can_read(&older, &newer)
        .map_err(|error| CompatibilityError::Backward(error.to_string()))?;
    SchemaCompatibility::can_read(&newer, &older)
        .map_err(|error| CompatibilityError::Forward(error.to_string()))?;
    for (path, older) in older_meanings {
        if let Some(newer) = newer_meanings.get(&path)
            && *newer != older
        {
            return Err(CompatibilityError::LogicalType { path, older, newer: newer.clone() });
        }
    }
    Ok(())
}

/// The schema without its logical types, and the logical type of every primitive by its path.
fn parse(which: &'static str, json: &str) -> Result<(Schema, BTreeMap<String, String>), CompatibilityError> {
    let error = |message: String| CompatibilityError::Parse { which, message };
    let mut value: Value = serde_json::from_str(json).map_err(|parse| error(parse.to_string()))?;
    let mut meanings = BTreeMap::new();
    take_logical_types(&mut value, "", &mut meanings);
    let schema = Schema::parse(&value).map_err(|parse| error(parse.to_string()))?;
    Ok((schema, meanings))
}

fn take_logical_types(value: &mut Value, path: &str, meanings: &mut BTreeMap<String, String>) {
    match value {
        Value::String(_) => {
            meanings.entry(path.to_owned()).or_insert_with(|| "none".to_owned());
        }
        Value::Array(branches) => {
            for branch in branches.iter_mut().filter(|branch| *branch != "null") {
                take_logical_types(branch, path, meanings);
            }
        }
        Value::Object(schema) => {
            if let Some(logical) = schema.remove("logicalType") {
                let (precision, scale) = (schema.remove("precision"), schema.remove("scale"));
                let describe = |number: Option<Value>| number.map(|n| format!(" {n}")).unwrap_or_default();
                let meaning = format!("{logical}{}{}", describe(precision), describe(scale));
                meanings.insert(path.to_owned(), meaning);
            }
            for inner in ["items", "values"] {
                if let Some(inner) = schema.get_mut(inner) {
                    take_logical_types(inner, &format!("{path}[]"), meanings);
                }
            }
            if let Some(Value::Array(fields)) = schema.get_mut("fields") {
                for field in fields {
                    let name = field.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                    if let Some(kind) = field.get_mut("type") {
                        take_logical_types(kind, &format!("{path}.{name}"), meanings);
                    }
                }
            }
        }
        _ => {}
    }
}
