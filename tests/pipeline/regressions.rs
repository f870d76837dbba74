//! From customers who give up to the people who are woken: real events, the real processor, Prometheus and Alertmanager on the files of
//! `deploy/prometheus`. Told once, with everything that somebody who was asleep needs; its end once; whatever restarts in between.
//!
//! The events lie in the past, and event time follows them: nine days pass in seconds.

#[path = "../deploy/alerting/people.rs"]
#[expect(dead_code, reason = "nobody writes mails here, and services speak for themselves")]
mod people;
#[path = "../deploy/alerting/servers.rs"]
mod servers;

use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use touchstream_runtime::compacted::Writer;
use touchstream_schemas::marks::{AliveMark, Mark};
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

use self::people::People;
use self::servers::{Servers, has_deployed_times};
use crate::harness::machine::{KEY, Machine, TENANT};
use crate::harness::wait::{equal, until};
use crate::one_event::send;

/// For whatever waits; the machine may be slow.
const PATIENCE: Duration = Duration::from_secs(240);
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// Events a request.
const BATCH: usize = 600;

/// Events of the past leave the watermark behind, which is no illness here.
const IN_THE_PAST: (&str, &str) = (
    "touchstream_processor_watermark_lag_seconds) > 300",
    "touchstream_processor_watermark_lag_seconds) > 1e9",
);

const TOUCHPOINTS: &str = r#"
[tenants.shop.touchpoints.checkout]
owner = "team-checkout"
runbook = "https://wiki.example.com/checkout"

[tenants.shop.touchpoints.cart]
"#;

/// Who sends: in order, as many at a time as a request takes.
struct Sender<'m> {
    machine: &'m Machine,
    waiting: Vec<Value>,
    number: u64,
}

impl Sender<'_> {
    fn add(&mut self, at: i64, kind: &str, context: &Value, data: &Value) {
        let time = jiff::Timestamp::from_millisecond(at).expect("a time").to_string();
        self.number += 1;
        // What is sent again after a refusal counts once.
        let id = format!("{at}-{}", self.number);
        self.waiting.push(json!({"id": id, "type": kind, "time": time, "context": context, "data": data}));
        if self.waiting.len() >= BATCH {
            self.send();
        }
    }

    fn send(&mut self) {
        let body = Value::Array(std::mem::take(&mut self.waiting)).to_string();
        until("ingest takes events", PATIENCE, || {
            let (status, answer) = send(self.machine, &body);
            assert_eq!(answer["rejected"].as_array().map_or(0, Vec::len), 0, "{answer}");
            equal(&status, &202)
        });
    }

    /// An attempt a minute at the checkout. One of ten gives up at the payment; when it is broken, four of five of those on phones.
    fn shop(&mut self, from: i64, to: i64, is_broken: bool) {
        for minute in from / MINUTE..to / MINUTE {
            let (at, id) = (minute * MINUTE, format!("k-{minute}"));
            let is_mobile = minute % 2 == 0;
            let device = if is_mobile { "mobile" } else { "desktop" };
            let context = json!({"touchpoint": "checkout", "channel": "web", "device": device});
            let gives_up = if is_broken && is_mobile { minute % 10 != 8 } else { minute % 10 == 3 };
            self.add(at, "checkout.started", &context, &json!({"checkout_id": id}));
            let step = json!({"checkout_id": id, "step": "payment", "action": "viewed"});
            self.add(at + 20_000, "checkout.step", &context, &step);
            if !gives_up {
                self.add(at + 40_000, "checkout.completed", &context, &json!({"checkout_id": id}));
            }
        }
        self.everywhere(to);
    }

    /// Something in every partition of every topic, so that event time has come this far.
    fn everywhere(&mut self, at: i64) {
        for number in 0..24 {
            let id = format!("{at}-{number}");
            let context = json!({"session_id": id});
            self.add(at, "app.screen_viewed", &context, &json!({"name": "home"}));
            self.add(at, "checkout.started", &json!({}), &json!({"checkout_id": id}));
            let message = json!({"conversation_id": id, "sender": "agent"});
            self.add(at, "chat.message", &json!({}), &message);
            let shown = json!({"survey_id": "s", "submission_id": id});
            self.add(at, "feedback.shown", &json!({}), &shown);
        }
        self.send();
    }
}

#[test]
fn a_regression_wakes_its_owner_once_and_tells_its_end_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let touchpoints = directory.path().join("touchpoints.toml");
    std::fs::write(&touchpoints, TOUCHPOINTS).expect("the test's directory can be written");
    let mut machine = Machine::start_with(&[
        ("TOUCHSTREAM__PROCESSOR__TOUCHPOINTS_FILE", touchpoints.display().to_string()),
        ("TOUCHSTREAM__PROCESSOR__LATENESS_DAYS", "15".to_owned()),
        // Event time waits for the next events, however slow this machine is.
        ("TOUCHSTREAM__PROCESSOR__IDLE_AFTER_S", "86400".to_owned()),
    ]);
    incidents(&machine, &touchpoints);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let people = runtime.block_on(People::start());
    let mut servers = Servers::start(&people, machine.service("processor").admin(), &[IN_THE_PAST]);

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let broken = i64::try_from(now).expect("milliseconds fit") / HOUR * HOUR - 40 * HOUR;
    let (mended, end) = (broken + 5 * HOUR, broken + 34 * HOUR);
    let mut sender = Sender { machine: &machine, waiting: Vec::new(), number: 0 };
    sender.shop(broken - 9 * 24 * HOUR, broken, false);
    let change = json!({"name": "release 7"});
    sender.add(broken - HOUR / 2, "app.change", &json!({"session_id": "release"}), &change);
    sender.send();
    assert_eq!(people.pages("team-checkout"), Vec::<Value>::new());

    // It breaks. What is told is told once, in words that can be acted on.
    sender.shop(broken, mended, true);
    let begun = Instant::now();
    until("a page", PATIENCE, || equal(&people.pages("team-checkout").len(), &1));
    let took = begun.elapsed();
    eprintln!("the page came {:.1} s after the last event that it rests on", took.as_secs_f64());
    assert!(!has_deployed_times() || took < Duration::from_secs(90), "it took {took:?}");
    let page = people.pages("team-checkout").remove(0);
    assert_eq!(page["status"], "firing");
    let alerts = page["alerts"].as_array().expect("alerts");
    assert_eq!(alerts.len(), 1, "the channel is part of the touchpoint, and told by it: {page}");
    let told = |name: &str| alerts[0]["annotations"][name].as_str().expect(name).to_owned();
    assert_eq!(told("summary"), "Checkout drop-off rose: checkout, tenant shop");
    let words = told("description");
    let numbers: Vec<f64> = words
        .split(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .filter_map(|number| number.trim_end_matches('.').parse().ok())
        .collect();
    let [usual, found, n] = numbers[..] else { panic!("{words}") };
    assert!((8.0..12.0).contains(&usual) && (15.0..60.0).contains(&found) && n >= 200.0, "{words}");
    assert!(words.ends_with("checkouts. Owner: team-checkout."), "{words}");
    assert!(told("runbook_url").ends_with("docs/runbooks/CxDropOffRose.md"));
    let clickhouse = machine.reader();
    let changes = "SELECT state, suspects, runbook FROM cx.regressions WHERE rule = 'drop_off_rose' \
                   AND state IN ('firing', 'resolved') ORDER BY at FORMAT TSV";
    let firing = "firing\t['release 7']\thttps://wiki.example.com/checkout".to_owned();
    until("the regression in ClickHouse", PATIENCE, || equal(&clickhouse.query(changes)?, &firing));

    // Each of the three that stand between dies or is restarted; the alert stays as it is.
    machine.kill_and_restart("processor");
    machine.wait_ready();
    let processor = machine.service("processor");
    until("the gauge after the restart", PATIENCE, || {
        let is_one =
            |line: &&str| line.starts_with("touchstream_cx_regression_active{") && line.ends_with(" 1");
        equal(&processor.metrics()?.lines().filter(is_one).count(), &1)
    });
    runtime.block_on(servers.restart_prometheus());
    runtime.block_on(servers.restart_alertmanager());
    until("the alert to be known again", PATIENCE, || {
        let known = runtime.block_on(servers.alerts());
        let is_known = known.iter().any(|alert| {
            alert["labels"]["alertname"] == "CxDropOffRose" && alert["status"]["state"] == "active"
        });
        equal(&is_known, &true)
    });

    // It is mended: one message.
    let mut sender = Sender { machine: &machine, waiting: Vec::new(), number: 0 };
    sender.shop(mended, end, false);
    until("its end", PATIENCE, || {
        let pages = people.pages("team-checkout");
        assert!(pages.len() <= 2, "one of its beginning, one of its end: {pages:#?}");
        let states: Vec<Value> = pages.iter().map(|page| page["status"].clone()).collect();
        equal(&states, &vec![json!("firing"), json!("resolved")])
    });
    until("its end in ClickHouse", PATIENCE, || {
        let states = clickhouse.query(changes)?;
        let states: Vec<&str> = states.lines().filter_map(|line| line.split('\t').next()).collect();
        equal(&states, &vec!["firing", "resolved"])
    });
    assert_eq!(people.pages("cx"), Vec::<Value>::new(), "nobody else is woken");
    machine.stop();
}

/// What the simulated shop's touchpoints are, with their owners.
const SIMULATED: &str = include_str!("../../deploy/config/demo-touchpoints.toml");
const DAYS: i64 = 31;
/// Enough that rules can tell: with 15,000 a day there are some 30 checkouts an hour, and nothing is found.
const EVENTS_PER_DAY: &str = "90000";
/// What goes wrong, in hours after the first midnight, until when it is looked for, and which rules must tell it. A month that comes within
/// minutes is checked in rows, and silence in the last check of a row alone (`monitor.rs`): whether it is found here hangs on where rows end.
/// `processor/tests/processor/regressions.rs` looks at it as it comes in life.
const INJECTIONS: [(&str, i64, i64, &[&str]); 5] = [
    ("slow-chat@+16d8h/12h", 16 * 24 + 8, 17 * 24 + 12, &["response_p95_rose", "response_slo_burn"]),
    ("payment-errors@+19d8h/12h", 19 * 24 + 8, 20 * 24 + 12, &["drop_off_rose"]),
    ("silent-touchpoint@+22d6h/18h", 22 * 24 + 6, 23 * 24 + 12, &[]),
    ("ingest-outage@+24d12h/2h", 24 * 24 + 12, 24 * 24 + 22, &[]),
    ("nps-fall@+25d", 25 * 24, DAYS * 24, &["nps_fell"]),
];

/// A month of the simulated shop, in which everything goes wrong that the simulator knows, through real ingest, Kafka and processor.
#[test]
#[ignore = "takes some minutes: make regressions-simulated"]
fn what_the_simulator_breaks_is_found_and_an_outage_of_ingest_is_not_taken_for_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let touchpoints = directory.path().join("touchpoints.toml");
    let text = SIMULATED.replace("tenants.demo", "tenants.shop");
    std::fs::write(&touchpoints, text).expect("the test's directory can be written");
    let machine = Machine::start_with(&[
        ("TOUCHSTREAM__PROCESSOR__TOUCHPOINTS_FILE", touchpoints.display().to_string()),
        ("TOUCHSTREAM__PROCESSOR__LATENESS_DAYS", "40".to_owned()),
        ("TOUCHSTREAM__PROCESSOR__IDLE_AFTER_S", "86400".to_owned()),
    ]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let start = i64::try_from(now).expect("milliseconds fit") / (24 * HOUR) * (24 * HOUR) - DAYS * 24 * HOUR;
    // What ingest would have noted in that month: it was there, but for two hours.
    let kafka =
        touchstream_runtime::settings::load(Some(&machine.config())).expect("settings").settings.kafka;
    let marks = Topics::new(&kafka.topic_prefix).marks();
    let writer = Writer::open(&kafka, &marks, "regressions-test", PATIENCE).expect("a writer");
    let outage = INJECTIONS[3].1;
    for hour in (0..DAYS * 24).filter(|hour| !(outage..outage + 2).contains(hour)) {
        let mark = AliveMark { hour: EventTime(start + hour * HOUR), minutes: (1 << 60) - 1 };
        writer.write(&mark.key("test"), Some(&Mark::Alive(mark).to_json())).expect("Kafka takes a mark");
    }

    let begun = Instant::now();
    let mut simulate = Command::new(env!("CARGO_BIN_EXE_touchstream"));
    simulate.args(["simulate", "--to", machine.ingest(), "--key", KEY, "--json", "--seed", "7"]);
    simulate.args([
        "--days",
        &DAYS.to_string(),
        "--start",
        &start.to_string(),
        "--events-per-day",
        EVENTS_PER_DAY,
    ]);
    for (injection, ..) in INJECTIONS {
        simulate.args(["--regression", injection]);
    }
    let output = simulate.output().expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
    eprintln!(
        "sent in {:.0} s: {}",
        begun.elapsed().as_secs_f64(),
        String::from_utf8_lossy(&output.stdout).trim()
    );
    let clickhouse = machine.reader();
    let newest = "SELECT toInt64(toUnixTimestamp(max(window_end))) * 1000 FROM cx.nps WHERE is_final";
    until("the month to be counted", Duration::from_secs(1_500), || {
        let number = clickhouse.query(newest)?.parse::<i64>().map_err(|error| error.to_string())?;
        if number >= start + (DAYS * 24 - 1) * HOUR { Ok(()) } else { Err(format!("it is {number}")) }
    });
    let query = "SELECT rule, touchpoint, channel, detail, toInt64(toUnixTimestamp64Milli(at)), suspects FROM cx.regressions \
                 WHERE state = 'firing' ORDER BY at FORMAT TSV";
    let told = || -> Result<Vec<(String, i64)>, String> {
        let lines = clickhouse.query(query)?;
        let hour = |line: &str| line.split('\t').nth(4).and_then(|at| at.parse::<i64>().ok());
        Ok(lines.lines().filter_map(|line| Some((line.to_owned(), (hour(line)? - start) / HOUR))).collect())
    };
    until("what went wrong", PATIENCE, || {
        let told = told()?;
        for (injection, from, to, rules) in INJECTIONS {
            let found = |(line, hour): &&(String, i64)| {
                (from..to).contains(hour) && rules.iter().any(|rule| line.starts_with(rule))
            };
            if !rules.is_empty() && !told.iter().any(|one| found(&one)) {
                return Err(format!("{injection} is not among {told:#?}"));
            }
        }
        Ok(())
    });
    let told = told().expect("ClickHouse answers");
    told.iter().for_each(|(line, hour)| eprintln!("day {:.1}: {line}", *hour as f64 / 24.0));
    let (_, from, to, _) = INJECTIONS[3];
    let in_outage: Vec<_> = told.iter().filter(|(_, hour)| (from..to).contains(hour)).collect();
    assert!(in_outage.is_empty(), "an outage of ingest is no regression: {in_outage:#?}");
    let fallen = told
        .iter()
        .find(|(line, hour)| line.starts_with("nps_fell") && *hour >= 25 * 24)
        .expect("it is told");
    assert!(fallen.0.contains("release 5.3.0"), "{fallen:?}");
    machine.stop();
}

/// `touchstream incident`, on a Kafka that is there: added once however often, listed, taken back; mistakes are named.
fn incidents(machine: &Machine, touchpoints: &std::path::Path) {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_touchstream"))
            .arg("incident")
            .args(arguments)
            .arg("--config")
            .arg(machine.config())
            .env("TOUCHSTREAM__PROCESSOR__TOUCHPOINTS_FILE", touchpoints)
            .output()
            .expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let add = [
        "add",
        "--tenant",
        TENANT,
        "--touchpoint",
        "checkout",
        "--from",
        "2026-01-01T10:00Z",
        "--to",
        "2026-01-01T12:00Z",
    ];
    let (status, first, complaint) = run(&[&add[..], &["--json", "--note", "the bank was away"]].concat());
    assert_eq!(status, Some(0), "{complaint}");
    let first: Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!((&first["from"], &first["touchpoint"]), (&json!("2026-01-01T10:00:00Z"), &json!("checkout")));
    let (status, again, complaint) = run(&add);
    assert!(status == Some(0) && again.contains(first["id"].as_str().expect("an id")), "{again} {complaint}");
    let list = || serde_json::from_str::<Vec<Value>>(&run(&["list", "--json"]).1).expect("JSON");
    assert_eq!(list().len(), 1, "the same twice is one");
    for (mistake, expected) in [
        (["add", "--touchpoint", "chekout", "--from", "1h ago", "--to", "now"], "cart, checkout"),
        (["add", "--tenant", "shp", "--from", "1h ago", "--to", "now"], "there are shop"),
        (["add", "--tenant", "shop", "--from", "now", "--to", "1h ago"], "is not after"),
        (["add", "--tenant", "shop", "--from", "soon", "--to", "now"], "2h ago"),
    ] {
        let (status, _, complaint) = run(&mistake);
        assert!(status == Some(2) && complaint.contains(expected), "{complaint}");
    }
    let (status, _, complaint) = run(&["remove", "00000000"]);
    assert!(status == Some(2) && complaint.contains(first["id"].as_str().expect("an id")), "{complaint}");
    let (status, _, complaint) = run(&["remove", first["id"].as_str().expect("an id")]);
    assert_eq!((status, list().len()), (Some(0), 0), "{complaint}");
}
