//! Windows: one rolling window of one series with finished percentiles; an upsert that readers see at once.

use serde::{Deserialize, Serialize};

use crate::panes::{ReasonCounts, Scores, ServiceCounts};
use crate::time::EventTime;

/// Nearest-rank percentiles over log buckets; `None` where there is no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/window.avsc")]
pub struct Percentiles {
    pub n: i64,
    pub p50_ms: Option<i64>,
    pub p75_ms: Option<i64>,
    pub p95_ms: Option<i64>,
    pub p99_ms: Option<i64>,
}

/// A step of the funnel within a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/window.avsc")]
pub struct WindowStep<'a> {
    pub step: &'a str,
    pub step_index: Option<i32>,
    pub reached: i64,
    pub dropped: i64,
    pub open: Option<i64>,
}

/// Checkout outcomes within a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/window.avsc")]
pub struct CheckoutWindow<'a> {
    #[serde(borrow)]
    pub steps: Vec<WindowStep<'a>>,
    #[serde(borrow)]
    pub reasons: Vec<ReasonCounts<'a>>,
    pub within_3min: i64,
    pub within_15min: i64,
    pub durations: Percentiles,
}

/// One response metric within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/window.avsc")]
pub struct ResponseWindow {
    pub durations: Percentiles,
    pub slo_ms: Option<i64>,
    pub breached: Option<i64>,
    pub waiting: Option<i64>,
}

/// Responses and tasks of one name within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/window.avsc")]
pub struct AppWindow {
    pub durations: Percentiles,
    pub errors: i64,
    pub tasks: i64,
    pub successes: i64,
}

/// One rolling window `[window_end - size, window_end)` of one series (`schemas/avro/window.avsc`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/window.avsc")]
pub struct Window<'a> {
    pub tenant: &'a str,
    pub metric: &'a str,
    pub detail: &'a str,
    pub touchpoint: &'a str,
    pub channel: &'a str,
    pub device: &'a str,
    #[serde(default)]
    pub dimension: &'a str,
    #[serde(default)]
    pub dimension_value: &'a str,
    pub window: &'a str,
    pub window_end: EventTime,
    pub is_final: bool,
    pub scores: Option<Scores>,
    #[serde(borrow)]
    pub checkout: Option<CheckoutWindow<'a>>,
    pub response: Option<ResponseWindow>,
    pub service: Option<ServiceCounts>,
    pub app: Option<AppWindow>,
    pub revision: i64,
}
