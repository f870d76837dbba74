//! Replay on the real binary: results that miss late events and were damaged in ClickHouse are rebuilt, while a reader who never stops asking
//! sees the old answer or the new one and nothing else; killed in the middle it changes nothing, and can be run again.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::Rng;
use serde_json::Value;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_simulator::{Destination, SimulateOptions, generate, run};

use crate::harness::clickhouse::ClickHouse;
use crate::harness::machine::{KEY, Machine, TENANT};
use crate::harness::oracle::{Comparison, DAY, Event, HOUR};
use crate::harness::wait::until;

const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// A hold of a killed replay lapses after 10 s.
const RUN_AGAIN_WITHIN: Duration = Duration::from_secs(60);
/// Few: an hour of windows around every minute of every series makes a lot of rows of them.
const EVENTS_A_DAY: u64 = 1_500;
const WINDOWS: [&str; 10] = [
    "nps",
    "csat",
    "ces",
    "response_rates",
    "checkout_funnel",
    "checkout_abandonment",
    "checkout_duration",
    "response_times",
    "service_quality",
    "app_response",
];

#[test]
fn a_damaged_period_is_rebuilt_and_no_reader_sees_a_mixture() {
    let machine = Machine::start();
    let clickhouse = machine.clickhouse();
    let end = now().div_euclid(HOUR) * HOUR - 2 * HOUR;
    // Nine days late is beyond the limit: these events are rows, and count nowhere until a replay.
    let late = day(&machine, 30, end - 10 * DAY);
    let day = day(&machine, 31, end - DAY);
    let events: Vec<Event> = late.iter().chain(&day).map(|line| Event::parse(line)).collect();
    let as_of = end + HOUR;
    until("every event is a row and every window is final", SETTLED_WITHIN, || {
        machine.assert_running();
        settled(&clickhouse, &events, as_of)
    });
    let from = at(end - 11 * DAY);
    let asked = at(now() - 100 * DAY);
    for (arguments, status) in [(vec!["--from", "yesterday"], 2), (vec!["--from", asked.as_str()], 2)] {
        let output = replay(&machine, &arguments).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
    }

    let begun = Instant::now();
    let at_step = |words: &str| eprintln!("{:6.1} s: {words}", begun.elapsed().as_secs_f64());
    damage(&clickhouse, end - 8 * HOUR);
    let question = fingerprint(as_of);
    let old = steady(&machine, &question);
    at_step("a dry run");
    let dry = told(&machine, &["--from", &from, "--dry-run"]);
    assert_differences(&dry);
    assert_eq!(machine.reader().query(&question), Ok(old.clone()), "a dry run changes nothing");

    at_step("a replay that is killed, and another");
    let reader = Reader::start(machine.reader(), question.clone());
    kill_at(replay(&machine, &["--from", &from]), "making the results", Duration::ZERO);
    let done =
        until("the replay can be run again", RUN_AGAIN_WITHIN, || try_told(&machine, &["--from", &from])).0;
    assert_differences(&done);
    assert_eq!(done["epoch"], 2, "the one that was killed made none: {done}");
    eprintln!("held {} s, exchanged in {} s", done["held_s"], done["exchanged_in_s"]);
    at_step("replayed");
    let new = steady(&machine, &question);
    assert_ne!(old, new);
    reader.assert_saw(&old, &new);
    let comparison = Comparison { clickhouse: &clickhouse, tenant: TENANT, events: &events, as_of };
    let (compared, took) = until("every number equals the oracle's", SETTLED_WITHIN, || comparison.run());
    eprintln!("{compared} rows and facts equal the oracle's after {took:?}");

    // Killed in the exchange itself, with other damage; whatever it had come to, running it again is all that is needed.
    at_step("damage again");
    damage(&clickhouse, end - 2 * HOUR);
    let pause = Duration::from_millis(rand::rng().random_range(0..800));
    eprintln!("killed {pause:?} into the exchange");
    kill_at(replay(&machine, &["--from", &from]), "exchanging the results", pause);
    until("the replay can be run again", RUN_AGAIN_WITHIN, || try_told(&machine, &["--from", &from]));
    until("every number equals the oracle's again", SETTLED_WITHIN, || comparison.run());

    at_step("late events");
    // The processor goes on from what the replay made: events that come late, but not too late, amend it.
    let more = self::day(&machine, 32, end - DAY);
    let all: Vec<Event> = late.iter().chain(&day).chain(&more).map(|line| Event::parse(line)).collect();
    let comparison = Comparison { clickhouse: &clickhouse, tenant: TENANT, events: &all, as_of };
    until("late events amend what was replayed", SETTLED_WITHIN, || comparison.run());
    at_step("the examples of docs/replay.md");
    run_examples(&machine, [&from, &at(end)]);
    let again = told(&machine, &["--from", &from, "--dry-run"]);
    for table in again["tables"].as_array().expect("tables are told") {
        let unchanged = ["changed", "added", "vanished"].iter().all(|what| table[*what] == 0);
        assert!(unchanged, "nothing is left to be done: {again}");
    }
    at_step("done");
}

/// Sends a simulated day and hands out its events.
fn day(machine: &Machine, seed: u64, start: i64) -> Vec<String> {
    let to = Destination::Http { url: machine.ingest().to_owned(), key: KEY.to_owned() };
    let mut options = SimulateOptions::new(to);
    options.seed = seed;
    options.days = Some(1);
    options.start = Some(start);
    options.events_per_day = Some(EVENTS_A_DAY);
    options.duplicate_share = 0.05;
    options.disorder_s = 10;
    options.progress = false;
    let plan = options.plan(now()).expect("the options are valid");
    let lines = generate(&plan).map(|event| event.json).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let report = runtime.block_on(run(options, Shutdown::new())).expect("the day is sent");
    assert_eq!(report.rejected, 0);
    lines
}

/// Every event is a row, and the windows up to `as_of` are final.
fn settled(clickhouse: &ClickHouse, events: &[Event], as_of: i64) -> Result<(), String> {
    let mut ids: BTreeMap<&str, std::collections::HashSet<&str>> = BTreeMap::new();
    for event in events {
        let family = event.kind.split_once('.').expect("a type has a family").0;
        ids.entry(family).or_default().insert(&event.id);
    }
    for (family, ids) in ids {
        let found = clickhouse.query(&format!("SELECT count() FROM cx.events_{family}"))?;
        if found != ids.len().to_string() {
            return Err(format!("{found} of {} events of {family}", ids.len()));
        }
    }
    for table in ["nps", "checkout_funnel", "response_times", "app_response"] {
        let sql = format!(
            "SELECT count(), countIf(NOT is_final) FROM cx.{table} WHERE toUnixTimestamp(window_end) <= {}",
            as_of / 1_000
        );
        let found = clickhouse.query(&sql)?;
        if found.starts_with("0\t") || !found.ends_with("\t0") {
            return Err(format!("{table} has (windows, open windows) {found}"));
        }
    }
    Ok(())
}

/// Spoils results in every way: numbers changed, rows lost, rows that never were.
fn damage(clickhouse: &ClickHouse, at: i64) {
    let seconds = at / 1_000;
    for sql in [
        format!(
            "ALTER TABLE cx.store_checkout_windows UPDATE within_3min = within_3min + 7, step_dropped = arrayMap(n -> n + 1, step_dropped) \
             WHERE toUnixTimestamp(window_end) BETWEEN {seconds} - 21600 AND {seconds} SETTINGS mutations_sync = 1"
        ),
        format!(
            "ALTER TABLE cx.store_score_minutes DELETE WHERE toUnixTimestamp(minute) BETWEEN {seconds} - 21600 AND {seconds} SETTINGS mutations_sync = 1"
        ),
        format!(
            "ALTER TABLE cx.store_conversations DELETE WHERE toUnixTimestamp(started_at) BETWEEN {seconds} - 21600 AND {seconds} SETTINGS mutations_sync = 1"
        ),
        format!(
            "INSERT INTO cx.store_response_minutes SELECT * REPLACE('never-was' AS touchpoint, toDateTime({seconds}, 'UTC') AS minute) \
             FROM cx.store_response_minutes LIMIT 3"
        ),
        format!(
            "INSERT INTO cx.store_service_windows SELECT * REPLACE('never-was' AS touchpoint, '5m' AS window, \
             toDateTime(intDiv({seconds}, 60) * 60, 'UTC') AS window_end) FROM cx.store_service_windows WHERE bot > 0 LIMIT 1"
        ),
        format!(
            "INSERT INTO cx.store_checkouts SELECT * REPLACE('never-was' AS attempt_id, toDateTime64({seconds}, 3, 'UTC') AS started_at) \
             FROM cx.store_checkouts LIMIT 1"
        ),
    ] {
        clickhouse.query(&sql).expect("the damage can be done");
    }
}

/// One question about everything that readers see of the period; the answer is a single line.
fn fingerprint(as_of: i64) -> String {
    let seconds = as_of / 1_000;
    let part_without = |columns: &str, object: String, condition: String| {
        format!(
            "SELECT '{object}' AS object, count() AS n, sum(cityHash64(toString(tuple(* EXCEPT ({columns}))))) AS hash FROM cx.{object}{condition}"
        )
    };
    let part = |object: String, condition: String| part_without("revision", object, condition);
    let windows = WINDOWS
        .iter()
        .map(|name| part((*name).to_owned(), format!(" WHERE toUnixTimestamp(window_end) <= {seconds}")));
    // Minutes become final while time passes, whatever a replay does.
    let minutes =
        WINDOWS.iter().map(|name| part_without("revision, is_final", format!("{name}_1m"), String::new()));
    let facts = ["checkouts", "conversations", "feedback"].map(|name| part(name.to_owned(), String::new()));
    let parts: Vec<String> = windows.chain(minutes).chain(facts).collect();
    format!("SELECT arraySort(groupArray((object, n, hash))) FROM ({})", parts.join(" UNION ALL "))
}

/// The answer, once it does not change any more.
fn steady(machine: &Machine, question: &str) -> String {
    let reader = machine.reader();
    let (mut last, mut since) = (String::new(), Instant::now());
    until("the answer does not change any more", SETTLED_WITHIN, || {
        let answer = reader.query(question)?;
        if answer != last {
            (last, since) = (answer, Instant::now());
        }
        let quiet = since.elapsed();
        if quiet >= Duration::from_secs(3) { Ok(last.clone()) } else { Err(format!("quiet for {quiet:?}")) }
    })
    .0
}

/// Asks without end, and remembers every answer that differs from the one before.
struct Reader {
    is_over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(Vec<String>, u32)>,
}

impl Reader {
    fn start(clickhouse: ClickHouse, question: String) -> Reader {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let thread = std::thread::spawn(move || {
            let (mut answers, mut asked) = (Vec::<String>::new(), 0);
            while !over.load(Ordering::Relaxed) {
                let answer = clickhouse.query(&question).expect("readers are always answered");
                asked += 1;
                if answers.last() != Some(&answer) {
                    answers.push(answer);
                }
            }
            (answers, asked)
        });
        Reader { is_over, thread }
    }

    fn assert_saw(self, old: &str, new: &str) {
        self.is_over.store(true, Ordering::Relaxed);
        let (answers, asked) = self.thread.join().expect("the reader ends");
        eprintln!("the reader asked {asked} times and saw {} answers", answers.len());
        assert!(asked > 5, "asked only {asked} times");
        assert_eq!(answers, [old, new], "the old answer, then the new one");
    }
}

fn replay(machine: &Machine, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_touchstream"));
    command.arg("replay").args(arguments).arg("--config").arg(machine.config());
    command
}

/// Every command of the page works as it stands there, but for its period.
fn run_examples(machine: &Machine, period: [&str; 2]) {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/replay.md");
    let page = std::fs::read_to_string(page).expect("there is the page");
    let examples: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("touchstream replay ")).collect();
    assert_eq!(examples.len(), 2, "{examples:?}");
    for example in examples {
        let mut words: Vec<&str> = example.split(' ').collect();
        for (option, time) in ["--from", "--to"].into_iter().zip(period) {
            let place = words.iter().position(|word| *word == option).expect("it says from when to when");
            words[place + 1] = time;
        }
        let output = replay(machine, &words).output().expect("the binary runs");
        assert!(output.status.success(), "{example}: {}", said(&output));
    }
}

fn told(machine: &Machine, arguments: &[&str]) -> Value {
    try_told(machine, arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

fn try_told(machine: &Machine, arguments: &[&str]) -> Result<Value, String> {
    let output = replay(machine, arguments).arg("--json").output().expect("the binary runs");
    if !output.status.success() {
        return Err(said(&output));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{error}: {}", said(&output)))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs until it says that it has come to `step`, then `kill -9` after a pause.
fn kill_at(mut command: Command, step: &str, pause: Duration) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut said = String::new();
    while !said.contains(step) {
        let read = lines.read_line(&mut said).expect("its words can be read");
        assert!(read > 0, "it ended before {step:?}: {said}");
    }
    std::thread::sleep(pause);
    kill(child);
    drop(lines.read_to_string(&mut said));
}

fn kill(mut child: Child) {
    child.kill().expect("it can be killed");
    child.wait().expect("it is gone");
}

/// All kinds of differences are told, where they are.
fn assert_differences(told: &Value) {
    let tables = told["tables"].as_array().expect("tables are told");
    let of = |name: &str, what: &str| {
        let table = tables.iter().find(|table| table["table"] == name);
        table
            .and_then(|table| table[what].as_u64())
            .unwrap_or_else(|| panic!("no {what} of {name} in {told}"))
    };
    for (table, what) in [
        ("store_checkout_windows", "changed"),
        ("store_score_minutes", "added"),
        ("store_conversations", "added"),
        ("store_response_minutes", "vanished"),
        ("store_service_windows", "vanished"),
        ("store_checkouts", "vanished"),
    ] {
        assert!(of(table, what) > 0, "{table} has nothing {what}: {told}");
    }
}

fn at(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).expect("a time").to_string()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970");
    i64::try_from(since.as_millis()).expect("milliseconds fit")
}
