//! Exactly once under everything at once: two sinks and ClickHouse are killed at random, ClickHouse is away for a while, proxies swallow
//! answers of inserts that were applied, and more in the long run: stopped processes, too many parts, forgotten tokens, damaged records.
//! `make chaos-sink` is the long run, `docs/results/2026-11-23-sink-exactness.md` its result.

#[expect(dead_code, reason = "other tests use the rest")]
mod harness;
#[path = "harness/proxy.rs"]
mod proxy;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::{Machine, Process, wait_for};
use proxy::Proxy;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use touchstream_runtime::kafka;
use touchstream_runtime::settings::Settings;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Encoder, Framing};
use touchstream_schemas::event::FeedbackEvent;
use touchstream_schemas::time::EventTime;
use touchstream_schemas::windows::Window;

/// How much of everything.
#[derive(Clone, Copy, Debug)]
struct Scale {
    events: usize,
    kills: usize,
    outage: Duration,
    /// Longest time between two kills.
    pause: Duration,
    /// Whether there are further faults between the kills.
    is_long: bool,
}

/// Events sent at a time.
const PACE: usize = 100;
impl Scale {
    /// Events that are sent until so many parts of the run have begun; the outage is several.
    fn quota(&self, parts: usize) -> usize {
        self.events * parts / (self.kills + IN_OUTAGE)
    }
}

/// So many times the events that come between two kills come while ClickHouse is away.
const IN_OUTAGE: usize = 5;
/// Longer than Kafka waits for a silent member of a group.
const SILENT: Duration = Duration::from_secs(15);
/// One of so many events has a damaged record behind it.
const DAMAGED: usize = 5_000;
/// Series of a derived topic that are written again and again.
const SERIES: usize = 200;

#[test]
#[ignore = "started by the other tests as a process of its own"]
fn role() {
    harness::play_role();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_one_row_though_two_sinks_and_clickhouse_are_killed_and_answers_are_swallowed() {
    let (outage, pause) = (Duration::from_secs(3), Duration::from_millis(1_500));
    run(Scale { events: 30_000, kills: 6, outage, pause, is_long: false }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make chaos-sink"]
async fn two_million_events() {
    let number = |variable: &str, usual: u64| {
        std::env::var(variable).map_or(usual, |text| text.parse().expect("a whole number"))
    };
    let events = usize::try_from(number("CHAOS_EVENTS", 2_000_000)).expect("it fits");
    let kills = usize::try_from(number("CHAOS_KILLS", 30)).expect("it fits");
    let outage = Duration::from_secs(number("CHAOS_OUTAGE_SECONDS", 600));
    run(Scale { events, kills, outage, pause: Duration::from_secs(6), is_long: true }).await;
}

/// Machine, sinks and the way of each to ClickHouse.
struct Run {
    machine: Machine,
    proxies: [Proxy; 2],
    sinks: [Option<Process>; 2],
    random: StdRng,
    seed: u64,
    most_memory: u64,
}

impl Run {
    async fn start(seed: u64) -> Run {
        let machine = Machine::start(true, "").await;
        touchstream_sink::migrate(&machine.settings, false).await.expect("migrations apply");
        let proxies = [Proxy::start(machine.engine_port()).await, Proxy::start(machine.engine_port()).await];
        proxies.iter().for_each(|proxy| proxy.swallow(300));
        let random = StdRng::seed_from_u64(seed);
        Run { machine, proxies, sinks: [None, None], random, seed, most_memory: 0 }
    }

    fn start_sinks(&mut self) {
        for number in 0..2 {
            if self.sinks[number].is_some() {
                continue;
            }
            let (old, new) = (self.machine.engine_port(), self.proxies[number].port);
            self.machine.change_sinks(|text| {
                text.replace(&format!(":{old}\""), &format!(":{new}\""))
                    .replace("\"one\"", ["\"one\"", "\"two\""][number])
            });
            self.sinks[number] = Some(self.machine.start_sink());
        }
    }

    fn kill_sink(&mut self, number: usize) {
        let Some(mut sink) = self.sinks[number].take() else { return };
        let (seed, logs) = (self.seed, || self.machine.sink_logs());
        assert!(sink.is_running(), "seed {seed}: a sink ended by itself: {}", logs());
        self.most_memory = self.most_memory.max(sink.most_memory());
        sink.kill();
    }

    /// Kills a sink that has not heard yet that ClickHouse applied its insert: its range must be replayed.
    async fn kill_unanswered(&mut self) {
        let mut found = None;
        let proxies = &self.proxies;
        wait_for("an insert", Duration::from_secs(60), async || {
            found = (0..2).find(|number| proxies[*number].held() > 0);
            found.is_some()
        })
        .await;
        self.kill_sink(found.expect("waited for"));
        self.hold(false);
    }

    fn hold(&self, holds: bool) {
        self.proxies.iter().for_each(|proxy| proxy.hold(holds));
    }

    async fn setting(&self, change: &str) {
        let statement = format!("ALTER TABLE cx.events_feedback {change}");
        assert!(self.machine.ask(&statement).await.is_some(), "{statement}");
    }

    /// Faults that kill nobody. A sink that stands still longer than its group waits meets another one at its partitions.
    async fn trouble(&mut self, kill: usize) {
        match kill {
            3 => self.setting("MODIFY SETTING non_replicated_deduplication_window = 1").await,
            8 => self.setting("MODIFY SETTING non_replicated_deduplication_window = 1000").await,
            10 => {
                self.setting("MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1").await;
                tokio::time::sleep(SILENT).await;
                self.setting("RESET SETTING parts_to_throw_insert, parts_to_delay_insert").await;
            }
            12 | 18 | 24 => {
                let sink = &self.sinks[self.random.random_range(0..2)];
                sink.iter().for_each(|sink| sink.pause(true));
                tokio::time::sleep(SILENT).await;
                sink.iter().for_each(|sink| sink.pause(false));
            }
            21 => {
                self.machine.pause_engine(true);
                tokio::time::sleep(SILENT * 3).await;
                self.machine.pause_engine(false);
            }
            _ => {}
        }
    }
}

async fn run(scale: Scale) {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("seed {seed}");
    let began = Instant::now();
    let mut run = Run::start(seed).await;
    let settings = run.machine.settings.clone();
    let quota = Arc::new(AtomicUsize::new(0));
    let producing = tokio::task::spawn_blocking({
        let (settings, quota) = (settings.clone(), quota.clone());
        move || produce(&settings, scale, &quota, seed)
    });
    let (mut engine_kills, mut unanswered) = (0, 0);
    for kill in 0..scale.kills {
        run.start_sinks();
        let is_outage = kill == scale.kills / 2;
        // Not during the outage: nobody would let go again what is held.
        let is_unanswered = kill % 5 == 4 && !is_outage;
        if is_unanswered {
            // Before anything comes, so that something is held.
            run.hold(true);
        }
        let after_outage = if kill > scale.kills / 2 { IN_OUTAGE } else { 0 };
        quota.store(scale.quota(kill + 1 + after_outage), Ordering::Relaxed);
        let pause = run.random.random_range(scale.pause / 4..scale.pause);
        tokio::time::sleep(pause).await;
        if scale.is_long {
            run.trouble(kill).await;
        }
        if is_outage {
            run.machine.kill_engine();
            // What comes meanwhile waits.
            quota.store(scale.quota(kill + 1 + IN_OUTAGE), Ordering::Relaxed);
            tokio::time::sleep(scale.outage).await;
            run.machine.start_engine().await;
        } else if kill % 5 == 2 {
            engine_kills += 1;
            run.machine.kill_engine();
            run.machine.start_engine().await;
        } else if is_unanswered {
            unanswered += 1;
            run.kill_unanswered().await;
        } else {
            let victim = run.random.random_range(0..2);
            run.kill_sink(victim);
        }
        eprintln!("{:?}: fault {kill} of {}", began.elapsed(), scale.kills);
    }
    quota.store(scale.events, Ordering::Relaxed);
    let sent = producing.await.expect("all events were sent");
    run.start_sinks();
    check(&mut run, scale, &sent).await;
    let logs = run.machine.sink_logs();
    let replays =
        logs.lines().filter(|line| line.contains("replays=") && !line.contains("replays=0")).count();
    let swallowed: usize = run.proxies.iter().map(Proxy::swallowed).sum();
    eprintln!(
        "{} events, {} copies, {} damaged records in {:?}: {} kills of sinks ({unanswered} before the answer to an insert), {} of ClickHouse, \
         away for {:?}, {swallowed} answers swallowed, {replays} assignments with replays; most memory of a sink {} MiB",
        scale.events,
        sent.copies,
        sent.damaged,
        began.elapsed(),
        scale.kills - engine_kills - 1,
        engine_kills + 1,
        scale.outage,
        run.most_memory,
    );
    assert!(replays > 0 && swallowed > 0, "seed {seed}: the run proves something only with replays");
}

/// Every event is one row, every damaged record is filed, every series has its last revision.
async fn check(run: &mut Run, scale: Scale, sent: &Sent) {
    let (machine, seed, events) = (&run.machine, run.seed, scale.events);
    wait_for("every event", Duration::from_secs(300), async || {
        machine.number("SELECT count() FROM cx.events_feedback").await >= Some(events as u64)
    })
    .await;
    let of_series = "SELECT count() FROM cx.nps WHERE window = '5m' AND n = 1000";
    wait_for("every series", Duration::from_secs(120), async || {
        machine.number(of_series).await == Some(SERIES as u64)
    })
    .await;
    let rows = machine
        .ask("SELECT count(), uniqExact(id), uniqExact(_topic, _partition, _offset) FROM cx.events_feedback")
        .await
        .expect("an answer");
    assert_eq!(rows, format!("{events}\t{events}\t{events}\n"), "seed {seed}");
    let series = machine
        .ask("SELECT count(), uniqExact(touchpoint), min(n), max(n) FROM cx.nps WHERE window = '5m'")
        .await;
    assert_eq!(series.as_deref(), Some(format!("{SERIES}\t{SERIES}\t1000\t1000\n").as_str()), "seed {seed}");
    assert_eq!(
        harness::rejected(&machine.settings).len(),
        sent.damaged,
        "seed {seed}: every damaged record is filed"
    );
    let last = run.sinks.iter().flatten().map(Process::most_memory);
    run.most_memory = run.most_memory.max(last.max().unwrap_or_default());
}

fn producer(settings: &Settings) -> ThreadedProducer<DefaultProducerContext> {
    kafka::producer(&settings.kafka, "test").expect("no secret file").create().expect("a producer")
}

/// What was sent beside the events.
struct Sent {
    copies: usize,
    damaged: usize,
}

/// Sends as many events as the quota says, one of twenty twice, and a thousand revisions of every series.
fn produce(settings: &Settings, scale: Scale, quota: &Arc<AtomicUsize>, seed: u64) -> Sent {
    let events = scale.events;
    let producer = producer(settings);
    let mut random = StdRng::seed_from_u64(seed);
    let mut encoder = Encoder::new(&avro::FEEDBACK_EVENT, Framing::SingleObject);
    let mut windows = Encoder::new(&avro::WINDOW, Framing::SingleObject);
    let (mut sent, mut last) = (Sent { copies: 0, damaged: 0 }, Vec::new());
    // So many at a time that a part is sent in about half of the longest pause.
    let pace = scale.pause.mul_f64(0.5 * PACE as f64 / scale.quota(1) as f64);
    let send = |topic: &str, key: &str, payload: &[u8]| {
        let mut record = BaseRecord::to(topic).key(key).payload(payload);
        while let Err((_, unsent)) = producer.send(record) {
            record = unsent;
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let end = EventTime::now().minute();
    for number in 0..events {
        let id = format!("event-{number}");
        let time = EventTime::now().0 - random.random_range(0..10_000);
        let json = format!(
            r#"{{"tenant":"shop","source":"web","id":"{id}","type":"feedback.answered","time":{time},"received_at":{},
                "touchpoint":"checkout","channel":"web","device":"mobile","traffic":"human","consent":["analytics"],
                "extra":{{"page":"thanks"}},"survey_id":"s","submission_id":"{id}","metric":"nps","score":9}}"#,
            EventTime::now().0,
        );
        let event: FeedbackEvent<'_> = serde_json::from_str(&json).expect("valid JSON of an event");
        let payload = encoder.encode(&event).expect("an event fits its schema");
        send("cx.feedback", &id, &payload);
        if random.random_bool(0.05) {
            sent.copies += 1;
            send("cx.feedback", &id, &payload);
        }
        if number % DAMAGED == DAMAGED / 2 {
            sent.damaged += 1;
            send("cx.feedback", &id, &payload[..random.random_range(0..payload.len())]);
        }
        // Every so often a round of revisions, in order by series, the last of which says 1,000.
        let round = (number + 1) * 1_000 / events;
        if last.last() != Some(&round) && round > 0 && round.is_multiple_of(20) {
            last.push(round);
            for series in 0..SERIES {
                let touchpoint = format!("touchpoint-{series}");
                let json = format!(
                    r#"{{"tenant":"t","metric":"nps","detail":"","touchpoint":"{touchpoint}","channel":"all","device":"all","window":"5m",
                        "window_end":{},"is_final":false,"scores":{{"answers":{round},"top":{round},"middle":0,"bottom":0}},"revision":{round}}}"#,
                    end.0
                );
                let window: Window<'_> = serde_json::from_str(&json).expect("valid JSON");
                send("cx.windows", &touchpoint, &windows.encode(&window).expect("a window fits its schema"));
            }
        }
        if number % PACE == 0 {
            std::thread::sleep(pace);
        }
        // Alone, it would wait for ever: the run has failed.
        while number >= quota.load(Ordering::Relaxed) && Arc::strong_count(quota) > 1 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    producer.flush(Duration::from_secs(60)).expect("Kafka takes the events");
    sent
}
