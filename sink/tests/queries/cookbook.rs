//! `docs/cookbook.md`: every question is asked on the simulated month of `month.sql`, and its answer must be the table that stands below it.
//! `RENEW=1` writes the answers into the page.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::Machine;
use crate::statements;

/// The slowest answer that an analyst has to wait for.
const SLOWEST: Duration = Duration::from_secs(2);

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

#[tokio::test(flavor = "multi_thread")]
async fn the_cookbook_says_what_the_month_says() {
    let mut machine = Machine::start(false, "").await;
    // The month stands still, so its rows must not grow too old.
    machine.settings.clickhouse.events_retention_days = 10_000;
    machine.settings.clickhouse.text_retention_days = 10_000;
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(file.path(), TOUCHPOINTS).expect("it can be written");
    machine.settings.processor.touchpoints_file = file.path().display().to_string();
    touchstream_sink::migrate(&machine.settings, false).await.expect("migrations apply");
    for statement in statements(&month()) {
        assert!(machine.ask(&statement).await.is_some(), "failed to run {statement}");
    }

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cookbook.md");
    let text = std::fs::read_to_string(&page).expect("the cookbook can be read");
    let mut parts = text.split("```sql\n");
    let mut renewed = parts.next().unwrap_or_default().to_owned();
    let (mut questions, mut wrong) = (0, Vec::new());
    for part in parts {
        let (question, after) = part.split_once("```\n").expect("a question ends");
        let shown: String = after
            .trim_start()
            .lines()
            .take_while(|line| line.starts_with('|'))
            .map(|line| format!("{line}\n"))
            .collect();
        let begun = Instant::now();
        let answer = ask(&machine, question).await;
        let took = begun.elapsed();
        assert!(took < SLOWEST, "{took:?}: {question}");
        assert!(answer.lines().count() > 2, "nothing is found: {question}");
        if shown != answer {
            wrong.push(format!("{question}\nshown:\n{shown}\nfound:\n{answer}"));
        }
        let rest = &after.trim_start()[shown.len()..];
        renewed += &format!("```sql\n{question}```\n\n{answer}\n{}", rest.trim_start_matches('\n'));
        questions += 1;
    }
    if std::env::var_os("RENEW").is_some() {
        std::fs::write(&page, renewed).expect("the cookbook can be written");
        return;
    }
    assert_eq!(questions, 25);
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Asks as an analyst does: as `reader`, in the database `cx`.
async fn ask(machine: &Machine, question: &str) -> String {
    let client = clickhouse::Client::default()
        .with_url(&machine.settings.clickhouse.url)
        .with_user("reader")
        .with_password("reader")
        .with_database("cx")
        .with_compression(clickhouse::Compression::None);
    let bytes =
        client.query_raw(question.trim_end()).fetch_bytes("Markdown").expect("a question").collect().await;
    let bytes = bytes.unwrap_or_else(|error| panic!("{error}: {question}"));
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// The month, with the log bucket of every duration that occurs in it.
fn month() -> String {
    let durations: Vec<i64> = (0..2_000).map(|step| step * 500).collect();
    let list = |numbers: Vec<String>| format!("[{}]", numbers.join(", "));
    let buckets = list(
        durations.iter().map(|ms| touchstream_schemas::log_buckets::index_of(*ms).to_string()).collect(),
    );
    include_str!("month.sql").replace("{buckets}", &buckets)
}
