//! What a page shows: tenant, touchpoint, channel, device, period. It comes from outside, so it is short texts and known words, and
//! reaches ClickHouse as parameters only.

use serde::Deserialize;

/// Longest text of a choice, in bytes; what ingest takes is not longer.
const LONGEST: usize = 256;

/// The window that numbers are read from, and the finer ones of its charts.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Period {
    /// The last 24 hours, charts of one-hour windows.
    #[default]
    Day,
    /// The last 7 days, charts of 24-hour windows.
    Week,
}

impl Period {
    /// Window of the headline numbers.
    pub(crate) fn window(self) -> &'static str {
        match self {
            Period::Day => "24h",
            Period::Week => "7d",
        }
    }

    /// Window of a point in a chart.
    pub(crate) fn chart_window(self) -> &'static str {
        match self {
            Period::Day => "1h",
            Period::Week => "24h",
        }
    }

    /// Seconds that a chart spans.
    pub(crate) fn span_s(self) -> u32 {
        match self {
            Period::Day => 86_400,
            Period::Week => 7 * 86_400,
        }
    }

    /// Seconds between two points of a chart.
    pub(crate) fn step_s(self) -> u32 {
        match self {
            Period::Day => 900,
            Period::Week => 7_200,
        }
    }

    /// Seconds that a chart of scores spans: windows of the period itself, as answers are few.
    pub(crate) fn score_span_s(self) -> u32 {
        match self {
            Period::Day => 7 * 86_400,
            Period::Week => 28 * 86_400,
        }
    }

    /// Seconds between two points of a chart of scores.
    pub(crate) fn score_step_s(self) -> u32 {
        match self {
            Period::Day => 7_200,
            Period::Week => 21_600,
        }
    }

    /// Seconds by which the newest window may have ended: twice its advance. An older one is no answer to "now".
    pub(crate) fn newest_s(self) -> u32 {
        match self {
            Period::Day => 1_800,
            Period::Week => 7_200,
        }
    }
}

fn all() -> String {
    "all".to_owned()
}

/// One choice of everything.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Hash)]
pub(crate) struct Selection {
    pub(crate) tenant: String,
    #[serde(default = "all")]
    pub(crate) touchpoint: String,
    #[serde(default = "all")]
    pub(crate) channel: String,
    #[serde(default = "all")]
    pub(crate) device: String,
    #[serde(default)]
    pub(crate) period: Period,
}

impl Selection {
    /// The name and length of a text that is too long.
    pub(crate) fn too_long(&self) -> Option<&'static str> {
        [
            ("tenant", &self.tenant),
            ("touchpoint", &self.touchpoint),
            ("channel", &self.channel),
            ("device", &self.device),
        ]
        .into_iter()
        .find_map(|(name, text)| (text.len() > LONGEST).then_some(name))
    }
}
