//! A ClickHouse server that holds the simulated month: `sink/tests/queries/month.sql`, and `month_more.sql` for what only dashboards ask.

use std::path::Path;

use crate::server::{PASSWORD, TestServer, WRITER};

const TOUCHPOINTS: &str = r#"
[tenants.shop]
time_zone = "Europe/Berlin"
[tenants.shop.touchpoints.checkout]
stage = "purchase"
owner = "checkout team"
importance = 5
[tenants.shop.touchpoints.support]
stage = "service"
owner = "service desk"
importance = 4
[tenants.shop.touchpoints.delivery]
stage = "receive"
owner = "logistics"
importance = 3
"#;

/// Stands for the object `regressions` until a migration makes it: the columns that dashboards name.
const REGRESSIONS: &str = "CREATE TABLE cx.regressions (tenant String, rule String, touchpoint String, channel String, detail String, at DateTime64(3, 'UTC'), state String, severity String, \
     since Nullable(DateTime64(3, 'UTC')), value Nullable(Float64), baseline Nullable(Float64), ci_low Nullable(Float64), ci_high Nullable(Float64), n Int64, baseline_n Int64, \
     contributor Nullable(String), suspects Array(String), owner String, runbook Nullable(String)) ENGINE = MergeTree ORDER BY (tenant, at)";
const THREE_REGRESSIONS: &str = "INSERT INTO cx.regressions SELECT 'shop', ['drop_off_rose', 'nps_fell', 'response_p95_rose'][1 + number % 3], ['checkout', 'delivery', 'support'][1 + number % 3], 'all', \
     if(number % 3 = 0, 'payment', ''), toDateTime64('2026-10-26 12:00:00', 3, 'UTC') + number * 3600, ['firing', 'resolved', 'too_few_samples', 'firing', 'firing', 'too_few_samples'][1 + number], \
     ['page', 'ticket'][1 + number % 2], toDateTime64('2026-10-26 10:00:00', 3, 'UTC'), 0.42, 0.06, 0.38, 0.46, 300, 2000, 'device=mobile', ['release 5.2'], 'checkout team', \
     'https://wiki.example.com/checkout' FROM numbers(6)";

/// Starts a server on `directory` with the month of tenant `shop` in it.
pub(crate) fn start(directory: &Path) -> TestServer {
    let server = TestServer::start(directory);
    let file = directory.join("touchpoints.toml");
    std::fs::write(&file, TOUCHPOINTS).expect("the test's directory can be written");
    let mut settings = touchstream_runtime::settings::load(None).expect("the defaults are valid").settings;
    settings.clickhouse.url = server.url().trim_end_matches('/').to_owned();
    settings.clickhouse.user = WRITER.to_owned();
    settings.clickhouse.password = touchstream_runtime::secret::Secret::new(PASSWORD);
    // The month stands still, so its rows must not grow too old.
    settings.clickhouse.events_retention_days = 10_000;
    settings.clickhouse.text_retention_days = 10_000;
    settings.processor.touchpoints_file = file.display().to_string();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(touchstream_sink::migrate(&settings, false)).expect("migrations apply");
    for text in [include_str!("../../sink/tests/queries/month.sql"), include_str!("month_more.sql")] {
        for statement in statements(&text.replace("{buckets}", &buckets())) {
            server.write(&statement);
        }
    }
    if server.read("EXISTS TABLE cx.regressions").trim() == "0" {
        server.write(REGRESSIONS);
        server.write(THREE_REGRESSIONS);
    }
    server
}

/// The log bucket of every duration that occurs in the month.
fn buckets() -> String {
    let indexes: Vec<String> =
        (0..2_000).map(|step| touchstream_schemas::log_buckets::index_of(step * 500).to_string()).collect();
    format!("[{}]", indexes.join(", "))
}

/// The statements of a file: parted at a semicolon that ends a line, comment lines left out.
fn statements(text: &str) -> Vec<String> {
    text.split(";\n")
        .map(|statement| {
            let lines: Vec<&str> = statement.lines().filter(|line| !line.starts_with("--")).collect();
            lines.join("\n").trim().to_owned()
        })
        .filter(|statement| !statement.is_empty())
        .collect()
}
