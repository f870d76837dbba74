//! One body from bytes to Kafka's queue: parse → validate → encode → publish, without waiting in between.
//!
//! Everything here is synchronous, so that events borrow from the body and from one arena until they are encoded. Promise: nothing
//! is queued before the whole body was parsed, and a bad event never blocks a good one.

#[cfg(test)]
mod cost;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use bumpalo::Bump;
use serde_json::value::RawValue;
use touchstream_schemas::codec::Encoder;
use touchstream_schemas::duplicates::EventKey;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::EventTime;

use crate::dialect::{self, Form, Reading};
use crate::error::Refusal;
use crate::keys::WriteKey;
use crate::metrics::outcome;
use crate::parse::Entry;
use crate::problem::{Fault, Findings, Problem, code};
use crate::publish::Receipt;
use crate::quality::UNKNOWN_FAMILY;
use crate::refused::Refused;
use crate::serve::Ingest;
use crate::spool::Outlet;
use crate::validate::{Setting, validate};

/// An event that was queued.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) index: usize,
    pub(crate) family: Family,
    pub(crate) key: EventKey,
    /// The same id was acknowledged lately, or stands earlier in this body.
    pub(crate) duplicate: bool,
}

/// What became of a body so far.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) receipt: Option<Arc<Receipt>>,
    pub(crate) queued: Vec<Queued>,
    /// Valid events for which the queue had no room.
    pub(crate) not_queued: Vec<usize>,
    /// Valid events that have to wait for more important ones, by index and family.
    pub(crate) shed: Vec<(usize, Family)>,
    pub(crate) findings: Findings,
    /// As JSON, when only this was asked for.
    pub(crate) dry_run: Option<Vec<Box<RawValue>>>,
}

/// How a body came in.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) key: Arc<WriteKey>,
    pub(crate) form: Form,
    pub(crate) received_at: EventTime,
    pub(crate) dry_run: bool,
    /// The customer's browser objects to being followed, and that is honoured.
    pub(crate) opted_out: bool,
}

/// What one body needs while it is worked on; used again for the next.
#[derive(Debug)]
pub(crate) struct Workspace {
    arena: Bump,
    encoders: [Encoder; 4],
    buffer: Vec<u8>,
}

/// Workspaces that nobody uses at the moment.
#[derive(Debug)]
pub(crate) struct Workspaces {
    idle: Mutex<Vec<Workspace>>,
    framings: [touchstream_schemas::codec::Framing; 4],
}

/// An arena that grew beyond this is given back.
const KEPT_ARENA_BYTES: usize = 256 * 1024;
/// Idle workspaces kept.
const KEPT_WORKSPACES: usize = 16;

impl Workspaces {
    pub(crate) fn new(framings: [touchstream_schemas::codec::Framing; 4]) -> Workspaces {
        Workspaces { idle: Mutex::default(), framings }
    }

    fn take(&self) -> Workspace {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| Workspace {
            arena: Bump::new(),
            encoders: Family::ALL.map(|family| {
                Encoder::new(touchstream_schemas::avro::of_family(family), self.framings[family as usize])
            }),
            buffer: Vec::with_capacity(1_024),
        })
    }

    fn give_back(&self, mut workspace: Workspace) {
        if workspace.arena.allocated_bytes() > KEPT_ARENA_BYTES {
            workspace.arena = Bump::new();
        } else {
            workspace.arena.reset();
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT_WORKSPACES {
            idle.push(workspace);
        }
    }
}

/// Takes a body up to the producer's queue.
pub(crate) fn accept(ingest: &Ingest, arrival: &Arrival, body: &[u8]) -> Result<Batch, Refusal> {
    let mut workspace = ingest.workspaces.take();
    let batch = accept_in(&mut workspace, ingest, arrival, body);
    ingest.workspaces.give_back(workspace);
    batch
}

fn accept_in(
    workspace: &mut Workspace,
    ingest: &Ingest,
    arrival: &Arrival,
    body: &[u8],
) -> Result<Batch, Refusal> {
    let Workspace { arena, encoders, buffer } = workspace;
    let reading = Reading { limits: ingest.parse_limits, aliases: &ingest.aliases, arena };
    let entries = dialect::read(body, &arrival.form, reading)
        .map_err(|error| Refusal::of_parsing(error, ingest.parse_limits.events))?;
    ingest.limits.take(&arrival.key, entries.len(), body.len())?;
    let shed = ingest.limits.admission.shed(&arrival.key, entries.iter().filter_map(type_of));
    let setting = Setting {
        rules: ingest.rules,
        key: &arrival.key,
        pseudonyms: if arrival.dry_run { &ingest.trial_pseudonyms } else { &arrival.key.pseudonyms },
        received_at: arrival.received_at,
        opted_out: arrival.opted_out,
        touchpoints: ingest.touchpoints.tenant(&arrival.key.tenant),
        arena,
    };
    let mut batch = Batch {
        receipt: (!arrival.dry_run).then(|| Receipt::new(entries.len())),
        queued: Vec::with_capacity(entries.len()),
        not_queued: Vec::new(),
        shed: Vec::new(),
        findings: Findings::default(),
        dry_run: arrival.dry_run.then(Vec::new),
    };
    let mut outlet = batch
        .receipt
        .as_ref()
        .map(|receipt| Outlet::new(&ingest.publisher, ingest.spool.as_ref(), receipt, arrival.received_at));
    let mut keys_of_body = HashSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let before = batch.findings.problems.len();
        let (family, record) = match entry {
            Entry::Broken(fault) => {
                batch.findings.reject(index, "", fault.clone());
                (None, None)
            }
            Entry::Unstored(why) => {
                batch.findings.warn(index, "", code::NOT_STORED, *why);
                let count = u64::from(!arrival.dry_run);
                ingest.metrics.count_events(UNKNOWN_FAMILY, outcome::NOT_STORED, count);
                continue;
            }
            Entry::Event(sent) => {
                let verdict = validate(sent, index, setting, &mut batch.findings);
                (verdict.family, verdict.event)
            }
        };
        let (Some(family), Some(record)) = (family, record) else {
            count_rejected(ingest, arrival, family, entry, &batch.findings.problems[before..]);
            continue;
        };
        if let Some(events) = &mut batch.dry_run {
            events.extend(serde_json::value::to_raw_value(&record).ok());
            continue;
        }
        if shed[family as usize] {
            batch.shed.push((index, family));
            ingest.metrics.shed.with_label_values(&[family.name()]).inc();
            continue;
        }
        let encoder = &mut encoders[family as usize];
        if let Err(error) = record.encode_into(encoder, buffer) {
            tracing::error!(%error, "a valid event does not fit its schema");
            let fault = Fault::new(code::INVALID_VALUE, "cannot be stored");
            batch.findings.reject(index, "", fault);
            count_rejected(ingest, arrival, Some(family), entry, &batch.findings.problems[before..]);
            continue;
        }
        let key = EventKey::new(&arrival.key.tenant, &arrival.key.source, record.id());
        let repeated = entries.len() > 1 && !keys_of_body.insert(key);
        let sent =
            outlet.as_mut().is_some_and(|outlet| outlet.send(family, &record.key(), buffer, index).is_ok());
        if !sent {
            batch.not_queued.push(index);
        }
        let duplicate = repeated || ingest.recent.contains(key);
        batch.queued.push(Queued { index, family, key, duplicate });
    }
    if !arrival.dry_run {
        ingest.metrics.count_unknown(&batch.findings);
    }
    batch.not_queued.extend(outlet.map(Outlet::finish).unwrap_or_default());
    if let Some(receipt) = &batch.receipt {
        receipt.close();
    }
    Ok(batch)
}

/// The type that an entry claims, without reading it whole.
fn type_of<'b>(entry: &Entry<'b>) -> Option<&'b str> {
    match entry {
        Entry::Event(sent) => Some(sent.event_type?.get().trim_matches('"')),
        _ => None,
    }
}

fn count_rejected(
    ingest: &Ingest,
    arrival: &Arrival,
    family: Option<Family>,
    entry: &Entry<'_>,
    problems: &[Problem],
) {
    let Some(first) = problems.first() else { return };
    if arrival.dry_run {
        return;
    }
    let family = family.map_or(UNKNOWN_FAMILY, Family::name);
    ingest.metrics.count_events(family, outcome::REJECTED, 1);
    ingest.metrics.rejected.with_label_values(&[first.code]).inc();
    let refused = Refused::new(arrival.received_at, &arrival.key.source, type_of(entry), first);
    ingest.quality.add_refused(&arrival.key.tenant, family, first.code, refused, &ingest.metrics);
}
