//! Fills the placeholders of a file of `deploy/clickhouse` in: names, retention, the forms of an object, and formulas that many views share.
//!
//! Promise kept: every view reads results as far as they are visible and no further (`VISIBLE`).

use std::fmt::Write as _;

use touchstream_runtime::settings::Settings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::log_buckets;

use super::files::{Form, SqlFile};
use super::periods::{self, Zones};
use super::touchpoints;

/// The further key columns of an object that is split by a further dimension.
const BY_COLUMNS: &str = "
    `dimension` LowCardinality(String) COMMENT 'Further dimension by which the rows are split, as configured: persona, member, locale, variant, app_version or service_hours (in or out).',
    `dimension_value` LowCardinality(String) COMMENT 'Its value; unknown when none was sent; other beyond the limit. There is no row for all values: that is the object without _by.',";

/// Fills the placeholders in.
pub(super) fn render(file: &SqlFile, settings: &Settings, touchpoints: &Touchpoints) -> String {
    let clickhouse = &settings.clickhouse;
    let mut text = file.template.to_owned();
    if let Some(words) = file.words {
        text = text
            .replace("{score}", words.score)
            .replace("{score_name}", words.score_name)
            .replace("{satisfied}", words.satisfied);
    }
    text = periods::fill(&text, file.form, &Zones::of(touchpoints));
    let (suffix, columns, list) = if file.form == Form::By {
        ("_by", BY_COLUMNS, ", dimension, dimension_value")
    } else {
        ("", "", "")
    };
    text = only_visible(&text)
        .replace("{_by}", suffix)
        .replace("{by_columns}", columns)
        .replace("{by_list}", list)
        .replace("{database}", &clickhouse.database)
        .replace("{reader_role}", &clickhouse.reader_role)
        .replace("{text_retention_days}", &clickhouse.text_retention_days.to_string())
        .replace("{slo_of_touchpoint}", &touchpoints::slo_expression(touchpoints, &settings.metrics))
        .replace("{reopen_gap_days}", &settings.metrics.reopen_gap_days.to_string())
        .replace("{human_reached_min}", &(settings.metrics.human_reached_s / 60).to_string())
        .replace("{bucket_values}", &bucket_values())
        .replace("{touchpoints}", &touchpoints::rows(touchpoints, &settings.metrics));
    text = each(&text, "{days of ", "}", |table| {
        let own = clickhouse.table_retention_days.get(table);
        own.unwrap_or(&clickhouse.events_retention_days).to_string()
    });
    formulas(&text)
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

/// The text with results read as far as they are visible.
fn only_visible(text: &str) -> String {
    RESULTS.iter().fold(text.to_owned(), |text, table| {
        let visible = format!("(SELECT * FROM {{database}}.{table} FINAL PREWHERE {VISIBLE})");
        text.replace(&format!("{{database}}.{table} FINAL"), &visible)
    })
}

/// Spells out `{wilson_low(count, of)}`, `{wilson_high(count, of)}` and `{percentile(50)}`.
fn formulas(text: &str) -> String {
    let text = each(text, "{wilson_low(", ")}", |arguments| wilson(arguments, "greatest(0.", '-'));
    let text = each(&text, "{wilson_high(", ")}", |arguments| wilson(arguments, "least(1.", '+'));
    each(&text, "{percentile(", ")}", |percent| {
        format!(
            "if(n > 0, bucket_values[mapKeys(durations)[arrayFirstIndex(count -> count >= intDiv(n * {percent} + 99, 100), seen)] + 2] / 1000, NULL)"
        )
    })
}

/// One end of the 95 % Wilson interval of `count` among `of`.
fn wilson(arguments: &str, limit: &str, sign: char) -> String {
    let (count, of) = arguments.split_once(", ").unwrap_or((arguments, "n"));
    format!(
        "if({of} > 0, {limit}, ({count} + 1.9208) / ({of} + 3.8416) {sign} 1.96 * sqrt({count} * ({of} - {count}) / nullIf({of}, 0) + 0.9604) / ({of} + 3.8416)), NULL)"
    )
}

/// Replaces everything from `begin` to the next `end` by what `fill` makes of the text between them.
pub(super) fn each(text: &str, begin: &str, end: &str, fill: impl Fn(&str) -> String) -> String {
    let mut rest = text;
    let mut filled = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once(begin) {
        let Some((inside, behind)) = after.split_once(end) else { break };
        filled.push_str(before);
        filled.push_str(&fill(inside));
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

/// The tables whose retention can be set apart.
pub(super) fn tables_with_retention() -> Vec<&'static str> {
    super::files::TTL.1.split("{days of ").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
}

/// The value in milliseconds of every log bucket, the zero bucket first.
pub(super) fn bucket_values() -> String {
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
