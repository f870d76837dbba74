//! From framed Avro to values: an event that this release wrote field by field, all others by way of Arrow, with who they are for the duplicate
//! rule. Both framings are read; a schema that only the registry knows is fetched once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_avro::codec::Tz;
use arrow_avro::reader::{Decoder as ArrowDecoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, SchemaStore};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat_batches;
use serde::Deserialize;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{CONFLUENT, DecodeError, Decoder, SINGLE_OBJECT, body_of};
use touchstream_schemas::duplicates::EventKey;
use touchstream_schemas::event::Family;
use touchstream_schemas::registry::{RegistryError, SchemaRegistry};

use super::fields::{FieldReader, Fields, Known};

/// Rows that one Arrow batch may have; more than any range of offsets.
const MOST_ROWS: usize = 1 << 24;
/// Tries to fetch a schema from the registry before its records are refused.
const REGISTRY_TRIES: u32 = 5;

/// The fields that make two events copies of each other.
#[derive(Debug, Deserialize)]
struct Identity<'a> {
    tenant: &'a str,
    source: &'a str,
    id: &'a str,
}

/// Why no rows come of records.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowsError {
    /// A schema cannot be fetched now.
    #[error(transparent)]
    Registry(RegistryError),
    /// What was decoded does not go together.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// Reads the events of one family.
pub(crate) struct EventDecoder {
    reader_schema: &'static str,
    fingerprint: [u8; 8],
    fields: FieldReader,
    known: Decoder,
    writers: HashMap<[u8; 8], String>,
    arrow: ArrowDecoder,
    registry: Option<SchemaRegistry>,
    by_id: HashMap<u32, [u8; 8]>,
    unknown_ids: HashSet<u32>,
    reframed: Vec<u8>,
}

impl EventDecoder {
    /// A reader of the family's events; `registry` resolves Confluent framing.
    pub(crate) fn new(family: Family, registry: Option<SchemaRegistry>) -> Result<EventDecoder, ArrowError> {
        let schema = avro::of_family(family);
        let mut writers = HashMap::from([(schema.fingerprint(), schema.json.to_owned())]);
        if let Ok(previous) = schema.previous_json.parse::<serde_avro_fast::Schema>() {
            writers.entry(*previous.rabin_fingerprint()).or_insert_with(|| schema.previous_json.to_owned());
        }
        let arrow = arrow_decoder(schema.json, &writers)?;
        let unknown = || ArrowError::SchemaError(format!("failed to read {} field by field", schema.name));
        Ok(EventDecoder {
            reader_schema: schema.json,
            fingerprint: schema.fingerprint(),
            fields: FieldReader::new(&arrow.schema()).ok_or_else(unknown)?,
            known: Decoder::new(&[schema]),
            writers,
            arrow,
            registry,
            by_id: HashMap::new(),
            unknown_ids: HashSet::new(),
            reframed: Vec::new(),
        })
    }

    /// Columns that decoded events have.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.arrow.schema()
    }

    /// Columns that every event has.
    pub(crate) fn columns(&self) -> Known {
        self.fields.known()
    }

    /// Whether this release wrote a record.
    pub(crate) fn is_of_this_release(&self, payload: &[u8]) -> bool {
        self.body(payload).is_some()
    }

    /// The fields of a record that this release wrote; `None` where [`Self::rows`] must look.
    pub(crate) fn fields<'p>(&self, payload: &'p [u8], fields: &mut Fields<'p>) -> Option<()> {
        self.fields.read(self.body(payload)?, fields)
    }

    fn body<'p>(&self, payload: &'p [u8]) -> Option<&'p [u8]> {
        let by_registry = || {
            let id = confluent_id(payload)?;
            (self.by_id.get(&id) == Some(&self.fingerprint)).then(|| &payload[5..])
        };
        body_of(payload, self.fingerprint).or_else(by_registry)
    }

    /// Who an event is. Reads the record to its end, so a record that passes fits its schema.
    pub(crate) fn key(&mut self, payload: &[u8]) -> Result<EventKey, DecodeError> {
        self.learn(payload).map_err(DecodeError::Registry)?;
        let identity: Identity<'_> = self.known.decode(payload)?;
        Ok(EventKey::new(identity.tenant, identity.source, identity.id))
    }

    /// All columns of the given records, and, in order, the indexes of those that are none, with Arrow's words.
    pub(crate) fn rows(
        &mut self,
        payloads: &[&[u8]],
    ) -> Result<(RecordBatch, Vec<(usize, String)>), RowsError> {
        for payload in payloads {
            self.learn(payload).map_err(RowsError::Registry)?;
        }
        let (mut batches, mut refused) = (Vec::new(), Vec::new());
        // Halves of what failed, until the bad records stand alone; in order, so that rows keep the order of offsets.
        let mut pending = vec![(0, payloads.len())];
        while let Some((start, end)) = pending.pop() {
            match self.append(&payloads[start..end], &mut batches) {
                Ok(()) => {}
                Err(error) if end - start <= 1 => refused.push((start, error.to_string())),
                Err(_) => {
                    let middle = start.midpoint(end);
                    pending.push((middle, end));
                    pending.push((start, middle));
                }
            }
        }
        let rows = match batches.len() {
            1 => batches.swap_remove(0),
            _ => concat_batches(&self.schema(), &batches)?,
        };
        Ok((rows, refused))
    }

    fn append(&mut self, payloads: &[&[u8]], batches: &mut Vec<RecordBatch>) -> Result<(), ArrowError> {
        let kept = batches.len();
        let result = self.try_append(payloads, batches);
        if result.is_err() {
            // Rows of the failed attempt are in the decoder's columns: a new one starts empty.
            batches.truncate(kept);
            self.arrow = arrow_decoder(self.reader_schema, &self.writers)?;
        }
        result
    }

    fn try_append(&mut self, payloads: &[&[u8]], batches: &mut Vec<RecordBatch>) -> Result<(), ArrowError> {
        for payload in payloads {
            let mut rest = match confluent_id(payload).and_then(|id| self.by_id.get(&id)) {
                Some(fingerprint) => {
                    self.reframed.clear();
                    self.reframed.extend_from_slice(&SINGLE_OBJECT);
                    self.reframed.extend_from_slice(fingerprint);
                    self.reframed.extend_from_slice(&payload[5..]);
                    self.reframed.as_slice()
                }
                None => *payload,
            };
            let mut room = self.arrow.capacity();
            let mut consumed = self.arrow.decode(rest)?;
            if self.arrow.capacity() == 0 && consumed < rest.len() {
                // Another writer schema begins: the rows so far make a batch of their own.
                batches.extend(self.arrow.flush()?);
                rest = &rest[consumed..];
                room = self.arrow.capacity();
                consumed = self.arrow.decode(rest)?;
            }
            if consumed < rest.len() || self.arrow.capacity() + 1 != room {
                return Err(ArrowError::ParseError("it is not exactly one record".to_owned()));
            }
        }
        batches.extend(self.arrow.flush()?);
        Ok(())
    }

    /// Fetches the schema of a Confluent-framed record that is not known yet. A registry that does not answer is no reason to
    /// refuse a record: the sink stops, and its next start comes back to the same range.
    fn learn(&mut self, payload: &[u8]) -> Result<(), RegistryError> {
        let Some(id) = confluent_id(payload) else { return Ok(()) };
        let Some(registry) = &self.registry else { return Ok(()) };
        if self.by_id.contains_key(&id) || self.unknown_ids.contains(&id) {
            return Ok(());
        }
        let mut tries = 1;
        loop {
            match registry.fetch(id) {
                Ok(json) => {
                    self.note(id, &json);
                    return Ok(());
                }
                Err(error) if error.is_not_found() => {
                    self.unknown_ids.insert(id);
                    return Ok(());
                }
                Err(error) if tries == REGISTRY_TRIES => return Err(error),
                Err(error) => tracing::warn!(id, %error, "schema cannot be fetched yet"),
            }
            tries += 1;
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    fn note(&mut self, id: u32, json: &str) {
        let parsed: Result<serde_avro_fast::Schema, _> = json.parse();
        let Ok(parsed) = parsed else {
            self.unknown_ids.insert(id);
            return;
        };
        let fingerprint = *parsed.rabin_fingerprint();
        self.writers.entry(fingerprint).or_insert_with(|| json.to_owned());
        match (self.known.also_read_id(id, json), arrow_decoder(self.reader_schema, &self.writers)) {
            (Ok(()), Ok(arrow)) => {
                self.arrow = arrow;
                self.by_id.insert(id, fingerprint);
            }
            _ => {
                self.writers.remove(&fingerprint);
                self.unknown_ids.insert(id);
            }
        }
    }
}

fn confluent_id(payload: &[u8]) -> Option<u32> {
    let (header, _) = payload.split_first_chunk::<5>()?;
    let id = header[1..].try_into().expect("four of five bytes");
    (header[0] == CONFLUENT).then_some(u32::from_be_bytes(id))
}

fn arrow_decoder(reader: &str, writers: &HashMap<[u8; 8], String>) -> Result<ArrowDecoder, ArrowError> {
    let mut store = SchemaStore::new();
    for (fingerprint, json) in writers {
        store.set(Fingerprint::Rabin(u64::from_le_bytes(*fingerprint)), AvroSchema::new(json.clone()))?;
    }
    ReaderBuilder::new()
        .with_batch_size(MOST_ROWS)
        .with_reader_schema(AvroSchema::new(reader.to_owned()))
        .with_writer_schema_store(store)
        .with_tz(Tz::Utc)
        .build_decoder()
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use touchstream_schemas::codec::{Encoder, Framing};
    use touchstream_schemas::event::FeedbackEvent;

    use super::*;

    fn encoded(id: &str) -> Vec<u8> {
        let json = format!(
            r#"{{"tenant":"shop","source":"web","id":"{id}","type":"feedback.answered","time":1,"received_at":2,"touchpoint":"t",
                "channel":"web","device":"mobile","traffic":"human","consent":[],"extra":{{}},"survey_id":"s","metric":"nps","score":9}}"#
        );
        let event: FeedbackEvent<'_> = serde_json::from_str(&json).expect("valid JSON of an event");
        let mut encoder = Encoder::new(&avro::FEEDBACK_EVENT, Framing::SingleObject);
        encoder.encode(&event).expect("an event fits its schema")
    }

    /// Between records of this release lie some of a later one, whose schema has one field more at its end.
    #[test]
    fn records_of_two_releases_keep_their_order_and_what_is_not_one_record_is_left_out() {
        let mut decoder = EventDecoder::new(Family::Feedback, None).expect("known schemas");
        let mut later: serde_json::Value = serde_json::from_str(avro::FEEDBACK_EVENT.json).expect("JSON");
        let field = serde_json::json!({"name": "later", "type": ["null", "int"], "default": null});
        later["fields"].as_array_mut().expect("fields").push(field);
        let parsed: serde_avro_fast::Schema = later.to_string().parse().expect("a schema");
        let fingerprint = *parsed.rabin_fingerprint();
        decoder.writers.insert(fingerprint, later.to_string());
        decoder.arrow = arrow_decoder(decoder.reader_schema, &decoder.writers).expect("both go together");

        let of_later = |id| [&SINGLE_OBJECT[..], &fingerprint[..], &encoded(id)[10..], &[0][..]].concat();
        let records = [
            encoded("a"),
            of_later("b"),
            encoded("c"),
            [encoded("with"), b"rest".to_vec()].concat(),
            of_later("d"),
            [encoded("two"), encoded("of them")].concat(),
            encoded("cut")[..30].to_vec(),
            Vec::new(),
            encoded("e"),
        ];
        let payloads: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let (rows, refused) = decoder.rows(&payloads).expect("no registry is asked");
        let ids: Vec<&str> =
            rows.column_by_name("id").expect("a column").as_string::<i32>().iter().flatten().collect();
        assert_eq!(ids, ["a", "b", "c", "d", "e"]);
        assert_eq!(refused.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [3, 5, 6, 7], "{refused:?}");
    }
}
