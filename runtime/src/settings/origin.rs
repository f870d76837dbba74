//! Where each setting in force comes from: environment, file and line, or default.

use toml_edit::{Document, Item};

use super::load::{DEFAULTS, ENVIRONMENT, Loaded};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `deploy/config/default.toml`.
    Default,
    /// The file, at this line.
    File {
        /// Path as given.
        path: String,
        /// Line, from 1.
        line: usize,
    },
    /// This environment variable.
    Environment(String),
}

/// One setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingLine {
    /// Dotted key.
    pub key: String,
    /// Value as TOML; `***` for secrets.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Every setting in force in the order of the defaults, secrets masked.
#[must_use]
pub fn explain(loaded: &Loaded) -> Vec<SettingLine> {
    let values = toml::Table::try_from(&loaded.settings).unwrap_or_default();
    let mut lines = Vec::new();
    let defaults: Document<&str> = Document::parse(DEFAULTS).expect("the defaults are valid");
    for (section, items) in defaults.as_table() {
        let Some(items) = items.as_table_like() else { continue };
        for (name, _) in items.iter() {
            let key = format!("{section}.{name}");
            let value = values.get(section).and_then(|section| section.get(name));
            lines.push(SettingLine {
                value: value.map(ToString::to_string).unwrap_or_default(),
                origin: origin_of(&key, loaded.file.as_ref()),
                key,
            });
        }
    }
    lines
}

fn origin_of(key: &str, file: Option<&(String, String)>) -> Origin {
    if let Some(variable) = environment_variable(key) {
        return Origin::Environment(variable);
    }
    match file.and_then(|(path, text)| Some((path, line_of(text, key)?))) {
        Some((path, line)) => Origin::File { path: path.clone(), line },
        None => Origin::Default,
    }
}

/// The environment variable that sets `key`, when there is one.
pub(super) fn environment_variable(key: &str) -> Option<String> {
    let (prefix, separator) = ENVIRONMENT;
    let variable = format!("{prefix}{separator}{}", key.replace('.', separator)).to_uppercase();
    std::env::var_os(&variable).map(|_| variable)
}

/// The line of the dotted `key` in a TOML text, from 1; that of its nearest parent when it is not there itself.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let document: Document<&str> = Document::parse(text).ok()?;
    let mut item: &Item = document.as_item();
    let mut span = None;
    for part in key.split('.') {
        let table = item.as_table_like()?;
        let (name, next) = table.get_key_value(part)?;
        span = name.span().or_else(|| next.span()).or(span);
        item = next;
    }
    let start = span?.start;
    Some(text[..start].matches('\n').count() + 1)
}
