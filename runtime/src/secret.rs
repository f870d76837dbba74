//! A text that is never printed: passwords and keys from configuration, environment or a file.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

/// A secret; shown as `***` in every output.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// A secret's file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the secret file {path}: {source}")]
pub struct SecretFileError {
    path: String,
    source: std::io::Error,
}

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that uses it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing was configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The content of `file` without the line end, or this secret when no file is named.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn or_file(&self, file: &str) -> Result<Secret, SecretFileError> {
        if file.is_empty() {
            return Ok(self.clone());
        }
        let text = std::fs::read_to_string(Path::new(file))
            .map_err(|source| SecretFileError { path: file.to_owned(), source })?;
        Ok(Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "\"\"" } else { "***" })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { "***" })
    }
}
