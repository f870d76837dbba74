//! A simulated day, out of order, partly late, partly sent twice: every window of every metric equals the oracle, with and without
//! processes being killed on the way.

use std::collections::{BTreeMap, HashSet};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_simulator::{Destination, SimulateOptions, SimulateReport, generate, run};

use crate::harness::clickhouse::ClickHouse;
use crate::harness::machine::{KEY, Machine, TENANT};
use crate::harness::oracle::{Comparison, Event, HOUR};
use crate::harness::wait::until;

const SETTLED_WITHIN: Duration = Duration::from_secs(240);
const FAMILIES: [&str; 4] = ["checkout", "chat", "feedback", "app"];

#[test]
fn a_simulated_day_equals_the_recomputation() {
    let machine = Machine::start();
    let day = Day::new(&machine, 20);
    let sender = day.send();
    let report = sender.join().expect("the sender ends");
    assert_eq!(report.accepted + report.duplicates, report.sent);
    assert_eq!(report.rejected, 0);
    day.check(&machine);
}

#[test]
fn a_simulated_day_with_kills_equals_the_recomputation() {
    let mut machine = Machine::start();
    let seed = rand::rng().random();
    eprintln!("seed of the kills: {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let day = Day::new(&machine, 21);
    let sender = day.send();
    let begun = Instant::now();
    let mut kills = 0;
    while kills < 12 || !sender.is_finished() {
        std::thread::sleep(Duration::from_millis(random.random_range(500..4_000)));
        let victim = ["processor", "sink", "clickhouse"][kills % 3];
        eprintln!("{:6.1} s: kill -9 {victim}", begun.elapsed().as_secs_f64());
        machine.kill_and_restart(victim);
        kills += 1;
    }
    sender.join().expect("the sender ends");
    machine.wait_ready();
    day.check(&machine);
}

/// A day that ended two hours ago, so that everything in it has its outcome.
struct Day {
    options: SimulateOptions,
    lines: Vec<String>,
    end: i64,
}

impl Day {
    fn new(machine: &Machine, seed: u64) -> Day {
        let now = now();
        let end = now.div_euclid(HOUR) * HOUR - 2 * HOUR;
        let to = Destination::Http { url: machine.ingest().to_owned(), key: KEY.to_owned() };
        let mut options = SimulateOptions::new(to);
        options.seed = seed;
        options.days = Some(1);
        options.start = Some(end - 24 * HOUR);
        options.disorder_s = 10;
        options.late_share = 0.01;
        options.duplicate_share = 0.05;
        options.progress = false;
        let plan = options.plan(now).expect("the options are valid");
        let lines: Vec<String> = generate(&plan).map(|event| event.json).collect();
        assert!(lines.len() > 200_000, "only {} events", lines.len());
        Day { options, lines, end }
    }

    fn send(&self) -> JoinHandle<SimulateReport> {
        let options = self.options.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
            runtime.block_on(run(options, Shutdown::new())).expect("the simulated day is sent")
        })
    }

    fn check(&self, machine: &Machine) {
        let clickhouse = &machine.clickhouse();
        let events: Vec<Event> = self.lines.iter().map(|line| Event::parse(line)).collect();
        until("every event is a row once", SETTLED_WITHIN, || {
            machine.assert_running();
            raw_rows_are_the_events(clickhouse, &events)
        });
        let as_of = self.end + HOUR;
        until("the watermark has passed the day", SETTLED_WITHIN, || {
            machine.assert_running();
            windows_are_final(clickhouse, as_of)
        });
        let comparison = Comparison { clickhouse, tenant: TENANT, events: &events, as_of };
        // What the last events changed may still be on its way.
        let (compared, took) =
            until("every number equals the oracle's", Duration::from_secs(90), || comparison.run());
        eprintln!("{compared} rows and facts equal the oracle's after {took:?}");
        assert!(compared > 100_000, "only {compared} rows were compared");
    }
}

/// `count()` and the distinct ids of each raw table are those that were sent.
fn raw_rows_are_the_events(clickhouse: &ClickHouse, events: &[Event]) -> Result<(), String> {
    let mut ids: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for event in events {
        let family = event.kind.split_once('.').expect("a type has a family").0;
        ids.entry(family).or_default().insert(&event.id);
    }
    for family in FAMILIES {
        let sql = format!("SELECT count(), uniqExact(id) FROM cx.events_{family} WHERE tenant = '{TENANT}'");
        let (found, sent) = (clickhouse.query(&sql)?, ids[family].len());
        if found != format!("{sent}\t{sent}") {
            return Err(format!(
                "events_{family} has (rows, ids) {found}, {sent} different events were sent"
            ));
        }
    }
    Ok(())
}

fn windows_are_final(clickhouse: &ClickHouse, as_of: i64) -> Result<(), String> {
    let mut open = Vec::new();
    for table in ["nps", "checkout_funnel", "response_times"] {
        let sql = format!(
            "SELECT countIf(NOT is_final), max(window_end) FROM cx.{table} WHERE toUnixTimestamp(window_end) <= {}",
            as_of / 1_000
        );
        let found = clickhouse.query(&sql)?;
        if !found.starts_with("0\t") {
            open.push(format!("{table}: {found}"));
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("windows are not final: {}", open.join(", "))) }
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970");
    i64::try_from(since.as_millis()).expect("milliseconds fit")
}
