//! The alias table: what the event names of Segment and GA4 mean in the catalogue, as data that users extend.
//!
//! Used by [`super::segment`]. The table of this repository is compiled in; the file of `ingest.alias_file` adds to it and overrides it
//! by name. Promise: a mistake in a table stops the start, with file and line.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use toml::Spanned;

use crate::catalogue::{self, EventType, Field};

/// The table that is compiled in.
pub(crate) const BUILT_IN: &str = include_str!("../../aliases/ecommerce.toml");

/// What one name means.
#[derive(Debug)]
pub(crate) struct Alias {
    /// None: such events are not stored.
    pub(crate) event_type: Option<&'static EventType>,
    /// The touchpoint, as JSON, unless the event names one.
    pub(crate) touchpoint: Option<Box<RawValue>>,
    /// Fields that are always the same, as JSON.
    pub(crate) set: Vec<(&'static str, Box<RawValue>)>,
    /// Fields and the properties they come from; the first that was sent counts.
    pub(crate) fields: Vec<(&'static Field, Vec<String>)>,
    /// Properties that are not kept.
    pub(crate) drop: Vec<String>,
}

/// All names.
#[derive(Debug, Default)]
pub(crate) struct Aliases(HashMap<String, Arc<Alias>>);

/// A table that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AliasError {
    /// The file cannot be read.
    #[error("failed to read {file} (ingest.alias_file): {source}")]
    File {
        /// As configured.
        file: String,
        /// Cause.
        source: std::io::Error,
    },
    /// A mistake in it.
    #[error("failed to use {file} (ingest.alias_file): line {line}: {reason}")]
    Line {
        /// As configured.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    event: Vec<Spanned<Row>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    names: Vec<Spanned<String>>,
    #[serde(rename = "type")]
    event_type: Option<Spanned<String>>,
    #[serde(default)]
    ignore: bool,
    touchpoint: Option<String>,
    #[serde(default)]
    set: BTreeMap<Spanned<String>, toml::Value>,
    #[serde(default)]
    fields: BTreeMap<Spanned<String>, OneOrMore>,
    #[serde(default)]
    drop: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// Where in a file something is wrong: the byte, and what.
type Mistake = (usize, String);

impl Aliases {
    /// The built-in names and those of the configured file, if one is.
    ///
    /// # Errors
    /// When the file cannot be read or understood.
    pub(crate) fn load(file: &str) -> Result<Aliases, AliasError> {
        let mut aliases = Aliases::default();
        aliases.add("the built-in table", BUILT_IN)?;
        if !file.is_empty() {
            let text = std::fs::read_to_string(file)
                .map_err(|source| AliasError::File { file: file.to_owned(), source })?;
            aliases.add(file, &text)?;
        }
        Ok(aliases)
    }

    /// What an event of this name means.
    pub(crate) fn find(&self, name: &str) -> Option<&Alias> {
        self.0.get(&*normal(name)).map(|alias| &**alias)
    }

    /// Adds a table; its names override earlier ones.
    pub(crate) fn add(&mut self, file: &str, text: &str) -> Result<(), AliasError> {
        let at = |(byte, reason): Mistake| {
            let before = text.as_bytes().get(..byte).unwrap_or(text.as_bytes());
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            AliasError::Line { file: file.to_owned(), line, reason }
        };
        let table: Table = toml::from_str(text)
            .map_err(|error| at((error.span().map_or(0, |span| span.start), error.message().to_owned())))?;
        let mut added: HashMap<String, Arc<Alias>> = HashMap::new();
        for row in table.event {
            let alias = Arc::new(read_row(&row).map_err(at)?);
            for name in &row.get_ref().names {
                if added.insert(normal(name.get_ref()).into_owned(), Arc::clone(&alias)).is_some() {
                    return Err(at((name.span().start, format!("\"{}\" stands here twice", name.get_ref()))));
                }
            }
        }
        self.0.extend(added);
        Ok(())
    }
}

/// Names are the same whatever their case, spaces and underscores: `Checkout Started` is `checkout_started`.
fn normal(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect())
}

fn read_row(row: &Spanned<Row>) -> Result<Alias, Mistake> {
    let (start, row) = (row.span().start, row.get_ref());
    if row.names.is_empty() {
        return Err((start, "names is empty".to_owned()));
    }
    let event_type = match (&row.event_type, row.ignore) {
        (None, true) => None,
        (Some(name), false) => {
            let known = catalogue::find(name.get_ref()).map(|(_, event_type)| event_type);
            let reason = || format!("there is no event type \"{}\"", name.get_ref());
            Some(known.ok_or_else(|| (name.span().start, reason()))?)
        }
        _ => return Err((start, "expected either a type or ignore = true".to_owned())),
    };
    let field = |name: &Spanned<String>| {
        let known = event_type.and_then(|event_type| event_type.field(name.get_ref()));
        known.ok_or_else(|| {
            let of = event_type.map_or("an ignored event", |event_type| event_type.name);
            (name.span().start, format!("{of} has no field \"{}\"", name.get_ref()))
        })
    };
    let mut set = Vec::new();
    for (name, value) in &row.set {
        let json =
            serde_json::value::to_raw_value(value).map_err(|error| (name.span().start, error.to_string()))?;
        set.push((field(name)?.name, json));
    }
    let mut fields = Vec::new();
    for (name, properties) in &row.fields {
        let properties = match properties {
            OneOrMore::One(property) => vec![property.clone()],
            OneOrMore::More(properties) => properties.clone(),
        };
        fields.push((field(name)?, properties));
    }
    let is_filled = |name: &str| {
        set.iter().any(|(set, _)| *set == name) || fields.iter().any(|(field, _)| field.name == name)
    };
    if let Some(event_type) = event_type
        && let Some(missing) = event_type.fields().find(|field| field.required && !is_filled(field.name))
    {
        return Err((start, format!("{} needs {}: name it in fields or set", event_type.name, missing.name)));
    }
    let touchpoint = row.touchpoint.as_ref().map(serde_json::value::to_raw_value).transpose();
    Ok(Alias {
        event_type,
        touchpoint: touchpoint.map_err(|error| (start, error.to_string()))?,
        set,
        fields,
        drop: row.drop.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_valid_and_names_are_found_in_any_spelling() {
        let aliases = Aliases::load("").expect("it is valid");
        for name in ["Order Completed", "order_completed", "ORDER COMPLETED", "purchase"] {
            let alias = aliases.find(name).and_then(|alias| alias.event_type).expect("it is known");
            assert_eq!(alias.name, "checkout.completed", "{name}");
        }
        assert!(aliases.find("Something Else").is_none());
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_a_users_table_overrides() {
        for (text, line, reason) in [
            ("[[event]]\nnames = [\"a\"]\ntype = \"checkout.paid\"", 3, "no event type \"checkout.paid\""),
            ("[[event]]\nnames = [\"a\"]\ntype = \"checkout.step\"", 1, "checkout.step needs step"),
            (
                "\n[[event]]\nnames = [\"a\"]\ntype = \"app.change\"\nfields.name = \"x\"\nfields.nam = \"y\"",
                6,
                "no field \"nam\"",
            ),
            ("[[event]]\nnames = [\"a\", \"A\"]\nignore = true", 2, "twice"),
            ("[[event]]\nname = [\"a\"]", 2, "name"),
            ("[[event]]\nnames = [\"a\"", 2, ""),
        ] {
            let error = Aliases::default().add("mine.toml", text).expect_err(text).to_string();
            assert!(error.contains(&format!("mine.toml (ingest.alias_file): line {line}:")), "{error}");
            assert!(error.contains(reason), "{error}");
        }
        let mut aliases = Aliases::load("").expect("it is valid");
        aliases.add("mine.toml", "[[event]]\nnames = [\"Purchase\"]\nignore = true").expect("it is valid");
        assert!(aliases.find("purchase").expect("it is known").event_type.is_none());
        assert!(aliases.find("Order Completed").expect("the other name stays").event_type.is_some());
    }

    #[test]
    fn the_documentation_shows_the_built_in_table() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ingest.md");
        let page = std::fs::read_to_string(page).expect("it can be read");
        let table: Table = toml::from_str(BUILT_IN).expect("it is valid");
        for row in table.event {
            let row = row.into_inner();
            let names: Vec<String> = row.names.iter().map(|name| format!("`{}`", name.get_ref())).collect();
            let set: Vec<String> = row
                .set
                .iter()
                .map(|(name, value)| format!("{} {}", name.get_ref(), value.to_string().trim_matches('"')))
                .collect();
            let fields: Vec<String> = row
                .fields
                .iter()
                .map(|(name, from)| match from {
                    OneOrMore::One(property) => format!("{}: {property}", name.get_ref()),
                    OneOrMore::More(properties) => format!("{}: {}", name.get_ref(), properties.join(", ")),
                })
                .collect();
            let with = if set.is_empty() { String::new() } else { format!(" with {}", set.join(", ")) };
            let event_type = row.event_type.map(Spanned::into_inner).unwrap_or_default();
            let line = format!("| {} | `{event_type}`{with} | {} |", names.join(", "), fields.join("; "));
            assert!(page.contains(&line), "docs/ingest.md lacks\n{line}");
        }
    }
}
