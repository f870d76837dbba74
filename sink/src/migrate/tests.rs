//! The golden file: what `setup` runs on a cluster, word for word, so that a change of it is seen in review.

use std::path::Path;

use touchstream_runtime::settings::{self, Settings};
use touchstream_runtime::touchpoints::Touchpoints;

use super::{files::files, record, render, statements};

fn all_statements(settings: &Settings) -> Vec<String> {
    let touchpoints = Touchpoints::load("").expect("no file is no touchpoints");
    let mut all = statements(&record("cx"), settings).expect("the record can be rendered");
    for file in files(true) {
        let rendered = render::render(&file, settings, &touchpoints);
        all.extend(statements(&rendered, settings).expect("every statement can be rendered"));
    }
    all
}

/// Compares with a file beside this one; `RENEW=1` writes it.
fn golden(name: &str, statements: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/clickhouse/golden").join(name);
    // Values of more than a thousand log buckets tell a reader nothing.
    let text = statements.join(";\n\n").replace(&render::bucket_values(), "[…]") + ";\n";
    if std::env::var_os("RENEW").is_some() {
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder can be made");
        std::fs::write(&path, &text).expect("the golden file can be written");
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = known.lines().zip(text.lines()).find(|(known, now)| known != now);
    assert!(known == text, "{name} differs, first at {differs:?}; if that is right: RENEW=1 cargo test");
}

#[test]
fn a_cluster_gets_what_the_golden_file_says() {
    let mut settings = settings::load(None).expect("the defaults are valid").settings;
    settings.clickhouse.reader_role = "reader".to_owned();
    golden("single.sql", &all_statements(&settings));
    settings.clickhouse.cluster = "main".to_owned();
    settings.clickhouse.table_retention_days.insert("events_app".to_owned(), 30);
    let all = all_statements(&settings);
    for statement in &all {
        assert!(statement.contains(" ON CLUSTER 'main'"), "{statement}");
        assert!(!statement.contains('{') || statement.contains("'{replica}'"), "{statement}");
    }
    golden("cluster.sql", &all);
}

#[test]
fn names_that_cannot_stand_in_sql_and_retention_of_no_table_are_refused() {
    let settings = settings::load(None).expect("the defaults are valid").settings;
    for (set, names) in [
        ("database", "clickhouse.database"),
        ("cluster", "clickhouse.cluster"),
        ("table", "clickhouse.table_retention_days.events_ap"),
        ("days", "clickhouse.events_retention_days = 36500"),
    ] {
        let mut settings = settings.clone();
        match set {
            "database" => settings.clickhouse.database = "c-x".to_owned(),
            "cluster" => settings.clickhouse.cluster = "a'b".to_owned(),
            "days" => settings.clickhouse.events_retention_days = 36_500,
            _ => drop(settings.clickhouse.table_retention_days.insert("events_ap".to_owned(), 3)),
        }
        let message = super::check_names(&settings).expect_err("it is refused").to_string();
        assert!(message.contains(names), "{message}");
    }
}
