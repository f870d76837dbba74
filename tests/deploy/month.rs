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
