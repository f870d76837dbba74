//! Minutes: the absolute state of a series within one minute, one hour, or now. The changelog of the rolling-up stage, and what
//! the `_1m` tables are made of.

use serde::{Deserialize, Serialize};

use crate::panes::{
    AppCounts, CheckoutCounts, NowCount, QualityCounts, ResponseCounts, Scores, ServiceCounts,
};
use crate::time::EventTime;

/// Values of [`Minute::span`].
pub mod span {
    /// One minute.
    pub const MINUTE: &str = "minute";
    /// One hour, written when its minutes expire.
    pub const HOUR: &str = "hour";
    /// What is open now.
    pub const NOW: &str = "now";
    /// A name that counts as itself from `start` on; `detail` says of what kind, `touchpoint` is the name, or empty for the end of what was
    /// refused. The processor's own.
    pub const NAME: &str = "name";
    /// What is remembered of a rule; `metric` is the rule. The processor's own.
    pub const WATCH: &str = "watch";
}

/// Time of an earlier regression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/minute.avsc")]
pub struct Episode {
    pub from: EventTime,
    pub to: EventTime,
}

/// What the processor remembers of one rule at one segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/minute.avsc")]
pub struct WatchRecord<'a> {
    pub phase: &'a str,
    pub since: EventTime,
    pub fired_at: EventTime,
    pub checks: i32,
    pub sight: &'a str,
    pub is_page: bool,
    pub value: f64,
    pub baseline: f64,
    pub samples: i64,
    pub episodes: Vec<Episode>,
}

/// All that one series counted within one minute or hour, or has open now (`schemas/avro/minute.avsc`); an upsert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/minute.avsc")]
pub struct Minute<'a> {
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
    pub span: &'a str,
    pub start: EventTime,
    pub scores: Option<Scores>,
    #[serde(borrow)]
    pub checkout: Option<CheckoutCounts<'a>>,
    pub response: Option<ResponseCounts>,
    pub quality: Option<QualityCounts>,
    pub service: Option<ServiceCounts>,
    pub app: Option<AppCounts>,
    #[serde(borrow)]
    pub now: Vec<NowCount<'a>>,
    #[serde(borrow, default)]
    pub watch: Option<WatchRecord<'a>>,
    pub revision: i64,
}
