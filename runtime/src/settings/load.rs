//! Reads the layers: defaults, file, environment. A mistake names its key and, in the file, its line.

use std::path::Path;

use config::{Config, Environment, File, FileFormat};

use super::Settings;
use super::origin::line_of;

/// The default settings, as text.
pub const DEFAULTS: &str = include_str!("../../../deploy/config/default.toml");

/// Prefix and separator of environment variables.
pub(super) const ENVIRONMENT: (&str, &str) = ("TOUCHSTREAM", "__");

/// Settings in force and the file's text, for [`super::explain`].
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Settings in force.
    pub settings: Settings,
    /// Path and text of the file, when one was given.
    pub file: Option<(String, String)>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("failed to read the configuration file {path}: {source}")]
    Read {
        /// Path as given.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// A layer is not valid TOML.
    #[error("failed to parse the configuration{place}: {message}")]
    Parse {
        /// ` in PATH` when a file was given.
        place: String,
        /// What the parser says, with line and column.
        message: String,
    },
    /// A key that does not exist.
    #[error(
        "failed to use the setting {key}{place}: there is no such setting; `touchstream config` lists all"
    )]
    UnknownKey {
        /// Dotted key.
        key: String,
        /// ` (PATH line N)` or ` (environment)`.
        place: String,
    },
    /// A value of the wrong type or out of range.
    #[error("failed to use the setting {key}{place}: {message}")]
    Value {
        /// Dotted key.
        key: String,
        /// ` (PATH line N)` or ` (environment)`.
        place: String,
        /// What is wrong and what is expected.
        message: String,
    },
}

/// Reads defaults, `file` and the environment.
///
/// # Errors
/// When a layer cannot be read, a key does not exist, or a value does not fit; each by key and line.
pub fn load(file: Option<&Path>) -> Result<Loaded, SettingsError> {
    let file = match file {
        None => None,
        Some(path) => {
            let shown = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|source| SettingsError::Read { path: shown.clone(), source })?;
            Some((shown, text))
        }
    };
    let parse_error = |error: config::ConfigError| SettingsError::Parse {
        place: file.as_ref().map(|(path, _)| format!(" in {path}")).unwrap_or_default(),
        message: error.to_string(),
    };
    let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    if let Some((_, text)) = &file {
        builder = builder.add_source(File::from_str(text, FileFormat::Toml));
    }
    let environment = Environment::with_prefix(ENVIRONMENT.0)
        .prefix_separator(ENVIRONMENT.1)
        .separator(ENVIRONMENT.1)
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("ingest.static_keys")
        .with_list_parse_key("ingest.trusted_proxies")
        .with_list_parse_key("metrics.steps");
    let layers = builder.add_source(environment).build().map_err(parse_error)?;

    let mut unknown = Vec::new();
    let parsed: Result<Settings, _> =
        serde_ignored::deserialize(layers.clone(), |path| unknown.push(path.to_string()));
    if let Some(key) = unknown.into_iter().next() {
        let place = place_of(&key, file.as_ref());
        return Err(SettingsError::UnknownKey { key, place });
    }
    let Ok(settings) = parsed else {
        let error = serde_path_to_error::deserialize::<_, Settings>(layers)
            .expect_err("the same layers failed a moment ago");
        let key = error.path().to_string();
        let place = place_of(&key, file.as_ref());
        return Err(SettingsError::Value { key, place, message: error.into_inner().to_string() });
    };
    check(&settings, file.as_ref())?;
    Ok(Loaded { settings, file })
}

fn place_of(key: &str, file: Option<&(String, String)>) -> String {
    if super::origin::environment_variable(key).is_some() {
        return " (environment)".to_owned();
    }
    file.and_then(|(path, text)| Some(format!(" ({path} line {})", line_of(text, key)?))).unwrap_or_default()
}

/// Rules between values that types do not hold.
fn check(settings: &Settings, file: Option<&(String, String)>) -> Result<(), SettingsError> {
    let kafka = &settings.kafka;
    let rules: [(&str, bool, &str); 14] = [
        ("kafka.partitions", kafka.partitions >= 1, "at least 1 is needed"),
        ("kafka.replication", kafka.replication >= 1, "at least 1 is needed"),
        (
            "kafka.raw_retention_days",
            (1..30).contains(&kafka.raw_retention_days),
            "1 to 29 days are possible",
        ),
        (
            "kafka.security_protocol",
            ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"].contains(&kafka.security_protocol.as_str()),
            "expected plaintext, ssl, sasl_plaintext or sasl_ssl",
        ),
        (
            "kafka.session_timeout_ms",
            (1_000..=300_000).contains(&kafka.session_timeout_ms),
            "expected 1000 to 300000",
        ),
        (
            "processor.transaction_timeout_ms",
            (1_000..=900_000).contains(&settings.processor.transaction_timeout_ms),
            "expected 1000 to 900000, which is as much as Kafka takes",
        ),
        // What an answer or an attempt may still meet is kept for a day longer than this.
        (
            "metrics.attempt_gap_days",
            (1..=7).contains(&settings.metrics.attempt_gap_days),
            "expected 1 to 7 days",
        ),
        (
            "metrics.answer_gap_days",
            (1..=7).contains(&settings.metrics.answer_gap_days),
            "expected 1 to 7 days",
        ),
        (
            "metrics.reopen_gap_days",
            (1..=7).contains(&settings.metrics.reopen_gap_days),
            "expected 1 to 7 days",
        ),
        ("processor.lateness_days", settings.processor.lateness_days >= 1, "at least 1 day is needed"),
        (
            "sink.memory_bytes",
            settings.sink.memory_bytes >= 16 << 20,
            "at least 16 MiB (16_777_216) are needed",
        ),
        ("sink.batch_rows", settings.sink.batch_rows >= 1, "at least 1 row is needed"),
        ("metrics.steps", !settings.metrics.steps.is_empty(), "at least one step is needed"),
        (
            "kafka.topic_prefix",
            !kafka.topic_prefix.is_empty()
                && kafka.topic_prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
            "expected letters, digits, '-', '_' or '.'",
        ),
    ];
    for (key, holds, message) in rules {
        if !holds {
            let place = place_of(key, file);
            return Err(SettingsError::Value { key: key.to_owned(), place, message: message.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn load_text(text: &str) -> Result<Loaded, SettingsError> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("it can be written");
        load(Some(file.path()))
    }

    #[test]
    fn defaults_alone_are_complete_and_valid() {
        let loaded = load(None).expect("the defaults are valid");
        assert_eq!(loaded.settings.kafka.topic_prefix, "cx");
        assert_eq!(loaded.settings.metrics.steps.len(), 6);
    }

    #[test]
    fn a_file_overrides_and_mistakes_name_key_and_line() {
        let loaded = load_text("[kafka]\npartitions = 16\n").expect("it is valid");
        assert_eq!(loaded.settings.kafka.partitions, 16);
        assert_eq!(loaded.settings.kafka.topic_prefix, "cx");
        for (text, expected) in [
            ("[kafka]\n\nbroker = \"x\"\n", "kafka.broker "),
            ("[kafka]\n\npartitions = \"many\"\n", "kafka.partitions "),
            ("[kafka]\n\nreplication = 0\n", "kafka.replication "),
        ] {
            let error = load_text(text).expect_err("it is a mistake").to_string();
            assert!(error.contains(expected) && error.contains("line 3"), "{error}");
        }
        let error = load_text("[kafka\n").expect_err("not TOML").to_string();
        assert!(error.contains("failed to parse"), "{error}");
    }

    #[test]
    fn secrets_are_not_printed() {
        let loaded = load_text("[clickhouse]\npassword = \"hunter2\"\n").expect("it is valid");
        assert!(!format!("{:?}", loaded.settings).contains("hunter2"));
        assert_eq!(loaded.settings.clickhouse.password.expose(), "hunter2");
    }
}
