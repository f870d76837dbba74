//! The benchmark of queries: `fill.sql` makes the days, `panels.sql` says what is asked, by the user `reader`, over HTTP, one after the other.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::harness::Machine;
use crate::statements;

/// Most milliseconds of a panel, warm.
const TARGET_MS: f64 = 300.0;
const ROUNDS: usize = 9;
const BEGIN: &str = "<!-- written by make bench-queries: begin -->";
const END: &str = "<!-- written by make bench-queries: end -->";
/// What a view says of epochs; its cost is what is compared.
const EPOCHS: &str =
    "PREWHERE revision < bitShiftLeft(1 + (SELECT greatest(max(epoch), 1) FROM cx.store_epochs), 48)";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and gigabytes: make bench-queries"]
async fn every_panel_is_fast() {
    let machine = Machine::start(false, "").await;
    touchstream_sink::migrate(&machine.settings, false).await.expect("migrations apply");
    for statement in statements(include_str!("fill.sql")) {
        let begun = Instant::now();
        execute(&machine, &statement).await;
        let head: String = statement.chars().take(40).collect();
        eprintln!("{:6.1} s  {head}", begun.elapsed().as_secs_f64());
    }
    settle(&machine).await;
    let mut table = String::from(
        "| panel | rows | median ms | slowest ms | median ms without epochs |\n|---|---|---|---|---|\n",
    );
    let mut slow = Vec::new();
    for (name, question) in panels() {
        let with = measure(&machine, question).await;
        let without = measure(&machine, &without_epochs(&machine, question).await).await;
        writeln!(
            table,
            "| {name} | {} | {:.0} | {:.0} | {:.0} |",
            with.rows, with.median, with.slowest, without.median
        )
        .expect("a string can be written");
        if with.median > TARGET_MS && name.contains('[') {
            slow.push(format!("{name}: {:.0} ms", with.median));
        }
        assert!(with.rows > 0, "{name} finds nothing");
    }
    let sizes = machine
        .ask("SELECT table, sum(rows), formatReadableSize(sum(bytes_on_disk)) FROM system.parts WHERE active AND database = 'cx' AND rows > 1000 GROUP BY table ORDER BY table")
        .await
        .expect("sizes");
    let sizes =
        sizes.replace('\t', " | ").lines().fold(String::new(), |all, line| all + "| " + line + " |\n");
    write(&format!("{table}\n| table | rows | on disk |\n|---|---|---|\n{sizes}"));
    assert!(slow.is_empty(), "slower than {TARGET_MS} ms: {slow:?}");
}

fn panels() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut name = "";
    include_str!("panels.sql").lines().filter_map(move |line| match line.strip_prefix("-- ") {
        Some(text) => {
            name = text;
            None
        }
        None => (!line.is_empty()).then_some((name, line)),
    })
}

struct Measured {
    rows: usize,
    median: f64,
    slowest: f64,
}

async fn measure(machine: &Machine, question: &str) -> Measured {
    let client = reader(machine);
    let mut times = Vec::new();
    let mut rows = 0;
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        let answer =
            client.query_raw(question).fetch_bytes("TabSeparated").expect("a question").collect().await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}: {question}"));
        // The first round warms the caches.
        if round > 0 {
            times.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
        rows = answer.iter().filter(|byte| **byte == b'\n').count();
    }
    times.sort_unstable_by(f64::total_cmp);
    Measured { rows, median: times[times.len() / 2], slowest: times[times.len() - 1] }
}

/// The question over copies of its views that read every epoch.
async fn without_epochs(machine: &Machine, question: &str) -> String {
    let views = machine
        .ask("SELECT name FROM system.tables WHERE database = 'cx' AND engine = 'View' AND as_select LIKE '%store_epochs%'")
        .await
        .expect("views");
    let mut changed = question.to_owned();
    for view in views.lines() {
        let mention = format!("cx.{view} ");
        if !question.contains(&mention) {
            continue;
        }
        let text = format!(
            "SELECT as_select FROM system.tables WHERE database = 'cx' AND name = '{view}' FORMAT TSVRaw"
        );
        let select = machine.ask(&text).await.expect("a view");
        assert!(select.contains(EPOCHS), "{select}");
        let plain = select.replace(EPOCHS, "");
        execute(machine, &format!("CREATE OR REPLACE VIEW cx.plain_{view} AS {plain}")).await;
        changed = changed.replace(&mention, &format!("cx.plain_{view} "));
    }
    changed
}

fn reader(machine: &Machine) -> clickhouse::Client {
    clickhouse::Client::default()
        .with_url(&machine.settings.clickhouse.url)
        .with_user("reader")
        .with_password("reader")
        .with_compression(clickhouse::Compression::None)
}

async fn execute(machine: &Machine, statement: &str) {
    let clickhouse = &machine.settings.clickhouse;
    let client = clickhouse::Client::default()
        .with_url(&clickhouse.url)
        .with_user(&clickhouse.user)
        .with_password(clickhouse.password.expose());
    let done = client.query_raw(statement).execute().await;
    done.unwrap_or_else(|error| panic!("{error}: {statement}"));
}

/// Waits until no merge runs: they would be measured too.
async fn settle(machine: &Machine) {
    crate::harness::wait_for("the end of merges", Duration::from_secs(120), async || {
        machine.number("SELECT count() FROM system.merges").await == Some(0)
    })
    .await;
}

/// Prints the figures and puts them between two marks of the page.
fn write(table: &str) {
    eprintln!("{table}");
    let Some(page) = std::env::var_os("BENCH_PAGE") else { return };
    let before = std::fs::read_to_string(&page).expect("the page can be read");
    let (head, rest) = before.split_once(BEGIN).expect("the page has a mark");
    let (_, tail) = rest.split_once(END).expect("the page has a second mark");
    std::fs::write(&page, format!("{head}{BEGIN}\n{table}{END}{tail}")).expect("the page can be written");
}
