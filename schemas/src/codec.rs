//! Framing: Avro single-object encoding (0xC3 0x01 and the fingerprint) without a schema registry, Confluent framing (0x00 and the
//! 4-byte id) with one. Readers accept both, and every writer schema they were given.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_avro_fast::ser::SerializerConfig;

use crate::avro::AvroSchema;
use crate::event::Event;
use crate::positional::Reader;
use crate::registry::{RegistryError, SchemaRegistry};

/// First bytes of single-object encoding.
pub const SINGLE_OBJECT: [u8; 2] = [0xC3, 0x01];
/// First byte of Confluent framing.
pub const CONFLUENT: u8 = 0x00;

/// The body of a record in single-object encoding, if the schema with this fingerprint wrote it.
#[inline]
#[must_use]
pub fn body_of(bytes: &[u8], fingerprint: [u8; 8]) -> Option<&[u8]> {
    let (header, body) = bytes.split_first_chunk::<10>()?;
    (header[..2] == SINGLE_OBJECT && header[2..] == fingerprint).then_some(body)
}

/// How a writer frames its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// 0xC3 0x01 and the schema's fingerprint.
    SingleObject,
    /// 0x00 and the id under which the registry knows the schema.
    Confluent(u32),
}

/// Writes values of one schema.
pub struct Encoder {
    header: Vec<u8>,
    config: SerializerConfig<'static>,
    name: &'static str,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Encoder").field(&self.name).finish()
    }
}

/// Why a value could not be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to encode a {schema} record: {source}")]
pub struct EncodeError {
    schema: &'static str,
    source: serde_avro_fast::ser::SerError,
}

impl Encoder {
    /// A writer of `schema` in the given framing.
    #[must_use]
    pub fn new(schema: &'static AvroSchema, framing: Framing) -> Encoder {
        let header = match framing {
            Framing::SingleObject => [&SINGLE_OBJECT[..], &schema.fingerprint()[..]].concat(),
            Framing::Confluent(id) => [&[CONFLUENT][..], &id.to_be_bytes()[..]].concat(),
        };
        Encoder { header, config: SerializerConfig::new(schema.parsed()), name: schema.name }
    }

    /// Replaces the content of `buffer` with the framed value.
    ///
    /// # Errors
    /// When the value does not fit the schema.
    pub fn encode_into<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        buffer: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        buffer.clear();
        buffer.extend_from_slice(&self.header);
        serde_avro_fast::to_datum(value, &mut *buffer, &mut self.config)
            .map_err(|source| EncodeError { schema: self.name, source })?;
        Ok(())
    }

    /// The framed value in a buffer of its own.
    ///
    /// # Errors
    /// When the value does not fit the schema.
    pub fn encode<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<Vec<u8>, EncodeError> {
        let mut buffer = Vec::new();
        self.encode_into(value, &mut buffer)?;
        Ok(buffer)
    }
}

/// Why bytes could not be read; [`DecodeError::reason`] is the bounded code that is counted.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Neither framing.
    #[error("failed to decode a record of {length} bytes: it starts with neither C3 01 nor 00")]
    Framing {
        /// Length of the record.
        length: usize,
    },
    /// A schema that this reader was not given.
    #[error("failed to decode a record: its schema {id} is not known here")]
    UnknownSchema {
        /// Fingerprint or registry id.
        id: String,
    },
    /// The registry did not answer: the record may well be readable later.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The body does not fit the schema.
    #[error("failed to decode a {schema} record: {source}")]
    Body {
        /// Name of the writer schema.
        schema: String,
        /// What the decoder says.
        source: serde_avro_fast::de::DeError,
    },
    /// The body is packed in a way that this release does not know.
    #[error("failed to decode a {schema} record: its states are of format {format}, which is not known here")]
    Format {
        /// Name of the writer schema.
        schema: &'static str,
        /// The format.
        format: i32,
    },
    /// Bytes remain after the record.
    #[error("failed to decode a {schema} record: bytes follow it")]
    TrailingBytes {
        /// Name of the writer schema.
        schema: String,
    },
}

impl DecodeError {
    /// Bounded reason code.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            DecodeError::Framing { .. } => "framing",
            DecodeError::UnknownSchema { .. } => "unknown_schema",
            DecodeError::Registry(_) => "registry",
            DecodeError::Body { .. } => "body",
            DecodeError::Format { .. } => "format",
            DecodeError::TrailingBytes { .. } => "trailing_bytes",
        }
    }
}

enum Writer {
    Current(&'static AvroSchema),
    Other { name: String, parsed: Box<serde_avro_fast::Schema> },
}

impl Writer {
    fn parsed(&self) -> &serde_avro_fast::Schema {
        match self {
            Writer::Current(schema) => schema.parsed(),
            Writer::Other { parsed, .. } => parsed,
        }
    }
    fn name(&self) -> &str {
        match self {
            Writer::Current(schema) => schema.name,
            Writer::Other { name, .. } => name,
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Reads records of the writer schemas that it was given, of those one release ago, and of those that its registry knows.
#[derive(Debug, Default)]
pub struct Decoder {
    writers: Vec<Writer>,
    by_fingerprint: HashMap<[u8; 8], usize>,
    registry: Option<SchemaRegistry>,
    by_id: Mutex<HashMap<u32, &'static Writer>>,
}

impl Decoder {
    /// A reader of the given schemas, as they are in this release and as they were one release ago.
    ///
    /// # Panics
    /// When a frozen schema of `schemas/history` is none.
    #[must_use]
    pub fn new(schemas: &[&'static AvroSchema]) -> Decoder {
        let mut decoder = Decoder::default();
        for schema in schemas {
            decoder.by_fingerprint.insert(schema.fingerprint(), decoder.writers.len());
            decoder.writers.push(Writer::Current(schema));
            if schema.previous_json != schema.json {
                let name = format!("{} of the previous release", schema.name);
                decoder.also_read(&name, schema.previous_json).expect("frozen schemas are valid");
            }
        }
        decoder
    }

    /// Also reads Confluent framing: ids are looked up in `registry`, each once.
    #[must_use]
    pub fn with_registry(mut self, registry: Option<SchemaRegistry>) -> Decoder {
        self.registry = registry;
        self
    }

    /// Also reads records of a writer schema of another release.
    ///
    /// # Errors
    /// When `json` is no schema.
    pub fn also_read(&mut self, name: &str, json: &str) -> Result<(), serde_avro_fast::schema::SchemaError> {
        let parsed: serde_avro_fast::Schema = json.parse()?;
        self.by_fingerprint.insert(*parsed.rabin_fingerprint(), self.writers.len());
        self.writers.push(Writer::Other { name: name.to_owned(), parsed: Box::new(parsed) });
        Ok(())
    }

    /// Also reads Confluent framing with the id under which a registry knows a schema.
    ///
    /// # Errors
    /// When `json` is no schema.
    pub fn also_read_id(&self, id: u32, json: &str) -> Result<(), serde_avro_fast::schema::SchemaError> {
        self.remember(id, json)?;
        Ok(())
    }

    /// A schema that was met by its id stays until the process ends: there are as many as releases, and reading borrows it.
    fn remember(&self, id: u32, json: &str) -> Result<&'static Writer, serde_avro_fast::schema::SchemaError> {
        let parsed = Box::new(json.parse::<serde_avro_fast::Schema>()?);
        let writer: &'static Writer =
            Box::leak(Box::new(Writer::Other { name: format!("registry id {id}"), parsed }));
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).insert(id, writer);
        Ok(writer)
    }

    fn writer_by_id(&self, id: u32) -> Result<&Writer, DecodeError> {
        if let Some(known) = self.by_id.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(known);
        }
        let unknown = || DecodeError::UnknownSchema { id: format!("registry id {id}") };
        let json = match &self.registry {
            None => return Err(unknown()),
            Some(registry) => registry.fetch(id).map_err(|error| match error.is_not_found() {
                true => unknown(),
                false => DecodeError::Registry(error),
            })?,
        };
        self.remember(id, &json).map_err(|_| unknown())
    }

    /// Splits a record into its writer schema's name and its body.
    ///
    /// # Errors
    /// When the framing or the schema is unknown.
    pub fn split<'b>(&self, bytes: &'b [u8]) -> Result<(&str, &'b [u8]), DecodeError> {
        let (writer, body) = self.writer_of(bytes)?;
        Ok((writer.name(), body))
    }

    /// Reads one record; strings are borrowed from `bytes`.
    ///
    /// # Errors
    /// When the framing or the schema is unknown, or the body does not fit the schema exactly.
    pub fn decode<'b, T: Deserialize<'b>>(&self, bytes: &'b [u8]) -> Result<T, DecodeError> {
        let (writer, body) = self.writer_of(bytes)?;
        let body_error = |source| DecodeError::Body { schema: writer.name().to_owned(), source };
        let mut state = serde_avro_fast::de::DeserializerState::from_slice(body, writer.parsed());
        let value = T::deserialize(state.deserializer()).map_err(body_error)?;
        let mut rest = state.into_reader();
        if std::io::Read::read(&mut rest, &mut [0_u8]).unwrap_or(0) > 0 {
            return Err(DecodeError::TrailingBytes { schema: writer.name().to_owned() });
        }
        Ok(value)
    }

    /// Reads one event, quickly where it was written by this release.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn decode_event<'b, T: Event<'b>>(&self, bytes: &'b [u8]) -> Result<T, DecodeError> {
        if let Some(body) = body_of(bytes, crate::avro::of_family(T::FAMILY).fingerprint()) {
            let mut reader = Reader::new(body);
            if let Some(event) = T::read(&mut reader)
                && reader.is_at_end()
            {
                return Ok(event);
            }
        }
        self.decode(bytes)
    }

    fn writer_of<'b>(&self, bytes: &'b [u8]) -> Result<(&Writer, &'b [u8]), DecodeError> {
        if let Some((header, body)) = bytes.split_first_chunk::<10>()
            && header[..2] == SINGLE_OBJECT
        {
            let fingerprint: [u8; 8] = header[2..].try_into().expect("eight of ten bytes");
            let unknown =
                || DecodeError::UnknownSchema { id: format!("{:016x}", u64::from_le_bytes(fingerprint)) };
            let index = self.by_fingerprint.get(&fingerprint).ok_or_else(unknown)?;
            return Ok((&self.writers[*index], body));
        }
        if let Some((header, body)) = bytes.split_first_chunk::<5>()
            && header[0] == CONFLUENT
        {
            let id = u32::from_be_bytes(header[1..].try_into().expect("four of five bytes"));
            return Ok((self.writer_by_id(id)?, body));
        }
        Err(DecodeError::Framing { length: bytes.len() })
    }
}
