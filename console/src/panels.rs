//! The questions of the page, each in a file of its own in `console/sql`, and how often they are asked.
//!
//! Every question has the parameters `tenant`, `touchpoint`, `channel`, `device`, `window`, `chart_window`, `span_s`, `step_s`, `score_span_s`,
//! `score_step_s`, `newest_s`; rows reach the page as JSON objects, times as seconds since 1970.

use std::time::Duration;

/// What somebody looks at while it changes.
const LIVE: Duration = Duration::from_secs(1);
/// What changes by the minute.
const STEADY: Duration = Duration::from_secs(10);

/// One question.
#[derive(Debug)]
pub(crate) struct Panel {
    /// Name of the server-sent event.
    pub(crate) name: &'static str,
    /// The question; `{database}` stands for the configured one.
    pub(crate) sql: &'static str,
    /// How often it is asked.
    pub(crate) every: Duration,
}

macro_rules! panel {
    ($name:literal, $every:ident) => {
        Panel { name: $name, sql: include_str!(concat!("../sql/", $name, ".sql")), every: $every }
    };
}

/// All questions, the first seen first.
pub(crate) const PANELS: [Panel; 16] = [
    panel!("nps", LIVE),
    panel!("funnel", LIVE),
    panel!("response", LIVE),
    panel!("regressions", LIVE),
    panel!("verbatims", LIVE),
    panel!("freshness", LIVE),
    panel!("events", LIVE),
    panel!("rejections", LIVE),
    panel!("refused", LIVE),
    panel!("nps_chart", STEADY),
    panel!("funnel_chart", STEADY),
    panel!("response_chart", STEADY),
    panel!("trust", STEADY),
    panel!("matrix", STEADY),
    panel!("choices", STEADY),
    panel!("changes", STEADY),
];

/// The tenants that have data.
pub(crate) const TENANTS: &str = include_str!("../sql/tenants.sql");
