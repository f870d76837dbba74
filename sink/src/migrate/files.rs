//! The SQL of `deploy/clickhouse`, compiled in: numbered migrations that run once, and retention and views that are applied
//! again whenever their rendered text changes.

use std::fmt::Write as _;

use touchstream_runtime::settings::Settings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::log_buckets;

use super::touchpoints;

/// One file.
#[derive(Clone, Copy, Debug)]
pub(super) struct SqlFile {
    /// Name without its ending; the key in `schema_migrations`.
    pub(super) name: &'static str,
    /// Text with placeholders in braces.
    pub(super) template: &'static str,
    /// Whether it runs once and may never change.
    pub(super) once: bool,
    /// Whether the template is filled in as the object that is split by a further dimension.
    pub(super) by: bool,
}

macro_rules! files {
    (once: [$($migration:literal),* $(,)?], again: [$($again:literal),* $(,)?], by: [$($by:literal),* $(,)?]) => {
        /// Every file in the order in which it is applied.
        pub(super) const FILES: &[SqlFile] = &[
            $(SqlFile {
                name: $migration,
                template: include_str!(concat!("../../../deploy/clickhouse/migrations/", $migration, ".sql")),
                once: true,
                by: false,
            },)*
            $(SqlFile {
                name: $again,
                template: include_str!(concat!("../../../deploy/clickhouse/", $again, ".sql")),
                once: false,
                by: false,
            },)*
            $(SqlFile {
                name: concat!($by, "_by"),
                template: include_str!(concat!("../../../deploy/clickhouse/", $by, ".sql")),
                once: false,
                by: true,
            },)*
        ];
    };
}

files! {
    once: [
        "0001_events_checkout",
        "0002_events_chat",
        "0003_events_feedback",
        "0004_events_app",
        "0005_facts",
        "0006_windows",
        "0007_minutes",
        "0008_quality",
        "0009_service",
        "0010_cycles",
        "0011_app",
        "0012_windows_by",
        "0015_sequences",
        "0016_epochs",
        "0017_sequences_since",
    ],
    again: [
        "ttl",
        "views/checkouts",
        "views/conversations",
        "views/feedback",
        "views/nps",
        "views/nps_1m",
        "views/csat",
        "views/csat_1m",
        "views/ces",
        "views/ces_1m",
        "views/response_rates",
        "views/response_rates_1m",
        "views/checkout_funnel",
        "views/checkout_funnel_1m",
        "views/checkout_abandonment",
        "views/checkout_abandonment_1m",
        "views/checkout_duration",
        "views/checkout_duration_1m",
        "views/response_times",
        "views/response_times_1m",
        "views/service_quality",
        "views/service_quality_1m",
        "views/app_response",
        "views/app_response_1m",
        "views/data_quality",
        "views/sequence_gaps",
        "views/touchpoints",
    ],
    by: [
        "views/nps",
        "views/csat",
        "views/ces",
        "views/response_rates",
        "views/checkout_funnel",
        "views/checkout_abandonment",
        "views/checkout_duration",
        "views/response_times",
        "views/service_quality",
        "views/app_response",
    ]
}

/// The further key columns of an object that is split by a further dimension.
const BY_COLUMNS: &str = "
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',";

/// Fills the placeholders in.
pub(super) fn render(file: &SqlFile, settings: &Settings, touchpoints: &Touchpoints) -> String {
    let clickhouse = &settings.clickhouse;
    let (suffix, columns, list) =
        if file.by { ("_by", BY_COLUMNS, ", dimension, dimension_value") } else { ("", "", "") };
    only_visible(file)
        .replace("{_by}", suffix)
        .replace("{by_columns}", columns)
        .replace("{by_list}", list)
        .replace("{database}", &clickhouse.database)
        .replace("{events_retention_days}", &clickhouse.events_retention_days.to_string())
        .replace("{text_retention_days}", &clickhouse.text_retention_days.to_string())
        .replace("{slo_of_touchpoint}", &touchpoints::slo_expression(touchpoints, &settings.metrics))
        .replace("{reopen_gap_days}", &settings.metrics.reopen_gap_days.to_string())
        .replace("{human_reached_min}", &(settings.metrics.human_reached_s / 60).to_string())
        .replace("{bucket_values}", &bucket_values())
        .replace("{touchpoints}", &touchpoints::rows(touchpoints, &settings.metrics))
}

/// Results that a replay has written but not yet made visible; `touchstream_sink::replay` says how they become so. PREWHERE comes before
/// FINAL: what is hidden must not hide what stands.
const VISIBLE: &str =
    "revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM {database}.store_epochs), 48)";

/// Tables that hold results, each row with its epoch.
const RESULTS: [&str; 13] = [
    "store_checkouts",
    "store_conversations",
    "store_answers",
    "store_score_windows{_by}",
    "store_checkout_windows{_by}",
    "store_response_windows{_by}",
    "store_service_windows{_by}",
    "store_app_windows{_by}",
    "store_score_minutes",
    "store_checkout_minutes",
    "store_response_minutes",
    "store_service_minutes",
    "store_app_minutes",
];

/// The text of a file in which results are read as far as they are visible.
fn only_visible(file: &SqlFile) -> String {
    RESULTS.iter().fold(file.template.to_owned(), |text, table| {
        let visible = format!("(SELECT * FROM {{database}}.{table} FINAL PREWHERE {VISIBLE})");
        text.replace(&format!("{{database}}.{table} FINAL"), &visible)
    })
}

/// The value in milliseconds of every log bucket, the zero bucket first.
fn bucket_values() -> String {
    let mut text = String::from("[0");
    let mut last = -1;
    for index in 0.. {
        let value = log_buckets::value_of(index);
        if value == last {
            break;
        }
        write!(text, ", {value}").expect("writing to a string never fails");
        last = value;
    }
    text.push(']');
    text
}

/// The statements of a rendered file: parted at a semicolon that ends a line, comment lines left out.
pub(super) fn statements(rendered: &str) -> impl Iterator<Item = String> + '_ {
    rendered.split(";\n").map(without_comments).filter(|statement| !statement.is_empty())
}

fn without_comments(statement: &str) -> String {
    let lines: Vec<&str> = statement
        .lines()
        .filter(|line| !line.trim_start().starts_with("--") && !line.trim().is_empty())
        .collect();
    lines.join("\n")
}
