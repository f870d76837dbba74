//! A schema registry (Confluent's REST interface), where one is configured: registers the writers' schemas under
//! TopicNameStrategy, and fetches schemas by the ids that readers meet.

use std::time::Duration;

use serde::Deserialize;

use crate::avro::AvroSchema;

/// Longest wait for an answer of the registry.
const DEADLINE: Duration = Duration::from_secs(10);

/// A registry by its address.
#[derive(Clone, Debug)]
pub struct SchemaRegistry {
    agent: ureq::Agent,
    url: String,
}

/// Why the registry could not help.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} at the schema registry {url}: {source}")]
pub struct RegistryError {
    action: String,
    url: String,
    source: Box<ureq::Error>,
}

impl RegistryError {
    /// Whether the registry answered that it does not know what was asked for.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(*self.source, ureq::Error::StatusCode(404))
    }
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

#[derive(Deserialize)]
struct Fetched {
    schema: String,
}

impl SchemaRegistry {
    /// The configured registry; `None` when `url` is empty.
    #[must_use]
    pub fn configured(url: &str) -> Option<SchemaRegistry> {
        (!url.is_empty()).then(|| SchemaRegistry::new(url))
    }

    /// A registry at `url`, for instance `https://registry.example:8081`.
    #[must_use]
    pub fn new(url: &str) -> SchemaRegistry {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(DEADLINE))
            .tls_config(ureq::tls::TlsConfig::builder().provider(ureq::tls::TlsProvider::NativeTls).build())
            .build();
        SchemaRegistry { agent: config.into(), url: url.trim_end_matches('/').to_owned() }
    }

    /// Registers `schema` for the values of `topic` and returns its id; repeating it returns the same id.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses the schema, for instance as incompatible.
    pub fn register(&self, topic: &str, schema: &AvroSchema) -> Result<u32, RegistryError> {
        let path = format!("{}/subjects/{topic}-value/versions", self.url);
        let error = |source| self.error(format!("register {} for {topic}", schema.name), source);
        let mut response =
            self.agent.post(&path).send_json(serde_json::json!({ "schema": schema.json })).map_err(error)?;
        let registered: Registered = response.body_mut().read_json().map_err(error)?;
        Ok(registered.id)
    }

    /// The JSON text of the schema with this id.
    ///
    /// # Errors
    /// When the registry cannot be reached or does not know the id.
    pub fn fetch(&self, id: u32) -> Result<String, RegistryError> {
        let error = |source| self.error(format!("fetch schema {id}"), source);
        let mut response = self.agent.get(format!("{}/schemas/ids/{id}", self.url)).call().map_err(error)?;
        let fetched: Fetched = response.body_mut().read_json().map_err(error)?;
        Ok(fetched.schema)
    }

    fn error(&self, action: String, source: ureq::Error) -> RegistryError {
        RegistryError { action, url: self.url.clone(), source: Box::new(source) }
    }
}
