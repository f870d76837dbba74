//! Regressions: what the processor tells of a rule when its state changes.

use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// Something that was changed shortly before a regression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/regression.avsc")]
pub struct Suspect<'a> {
    pub at: EventTime,
    pub name: &'a str,
}

/// One change of state of one rule at one segment (`schemas/avro/regression.avsc`); an upsert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/regression.avsc")]
pub struct Regression<'a> {
    pub tenant: &'a str,
    pub rule: &'a str,
    pub touchpoint: &'a str,
    pub channel: &'a str,
    pub detail: &'a str,
    pub at: EventTime,
    pub state: &'a str,
    pub severity: &'a str,
    pub since: Option<EventTime>,
    pub value: Option<f64>,
    pub baseline: Option<f64>,
    pub ci_low: Option<f64>,
    pub ci_high: Option<f64>,
    pub probability: Option<f64>,
    pub samples: i64,
    pub samples_needed: i64,
    pub baseline_samples: i64,
    pub baseline_kind: &'a str,
    pub window_start: Option<EventTime>,
    pub window_end: Option<EventTime>,
    pub contributor: Option<&'a str>,
    #[serde(borrow)]
    pub suspects: Vec<Suspect<'a>>,
    pub owner: &'a str,
    pub runbook: Option<&'a str>,
    pub revision: i64,
}
