//! Exactly once under everything at once: two sinks and ClickHouse are killed at random, ClickHouse is away for a while, and a proxy swallows
//! answers of inserts that were applied. `make chaos-sink` is the long run, `docs/results/2026-11-22-sink-exactness.md` its result.

#[expect(dead_code, reason = "other tests use the rest")]
mod harness;
#[path = "harness/proxy.rs"]
mod proxy;

use std::time::{Duration, Instant};

use harness::{Machine, Process, wait_for};
use proxy::Proxy;
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
}

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
    run(Scale { events: 30_000, kills: 6, outage, pause }).await;
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
    run(Scale { events, kills, outage, pause: Duration::from_secs(6) }).await;
}

async fn run(scale: Scale) {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("seed {seed}");
    let began = Instant::now();
    let mut machine = Machine::start(true, "").await;
    touchstream_sink::migrate(&machine.settings, false).await.expect("migrations apply");
    let proxy = Proxy::start(machine.engine_port()).await;
    let (old, new) = (format!(":{}\"", machine.engine_port()), format!(":{}\"", proxy.port));
    proxy.swallow(300);
    let settings = machine.settings.clone();
    let producing = tokio::task::spawn_blocking(move || produce(&settings, scale.events, seed));

    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut sinks: [Option<Process>; 2] = [None, None];
    let mut engine_kills = 0;
    for kill in 0..scale.kills {
        for (number, sink) in sinks.iter_mut().enumerate() {
            if sink.is_none() {
                let name = ["one", "two"][number];
                machine
                    .change_sinks(|text| text.replace(&old, &new).replace("\"one\"", &format!("\"{name}\"")));
                *sink = Some(machine.start_sink());
            }
        }
        let pause = random.random_range(scale.pause / 4..scale.pause);
        tokio::time::sleep(pause).await;
        if kill == scale.kills / 2 {
            machine.kill_engine();
            tokio::time::sleep(scale.outage).await;
            machine.start_engine().await;
        } else if kill % 4 == 3 {
            engine_kills += 1;
            machine.kill_engine();
            machine.start_engine().await;
        } else {
            let victim = random.random_range(0..2);
            if let Some(mut sink) = sinks[victim].take() {
                assert!(sink.is_running(), "seed {seed}: a sink ended by itself: {}", machine.sink_logs());
                sink.kill();
            }
        }
    }
    let copies = producing.await.expect("all events were sent");
    for (number, sink) in sinks.iter_mut().enumerate() {
        if sink.is_none() {
            machine.change_sinks(|text| {
                text.replace(&old, &new).replace("\"one\"", ["\"one\"", "\"two\""][number])
            });
            *sink = Some(machine.start_sink());
        }
    }
    wait_for("every event", Duration::from_secs(300), async || {
        machine.number("SELECT count() FROM cx.events_feedback").await >= Some(scale.events as u64)
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
    let events = scale.events;
    assert_eq!(rows, format!("{events}\t{events}\t{events}\n"), "seed {seed}");
    let series = machine
        .ask("SELECT count(), uniqExact(touchpoint), min(n), max(n) FROM cx.nps WHERE window = '5m'")
        .await;
    assert_eq!(series.as_deref(), Some(format!("{SERIES}\t{SERIES}\t1000\t1000\n").as_str()), "seed {seed}");
    let logs = machine.sink_logs();
    let replays =
        logs.lines().filter(|line| line.contains("replays=") && !line.contains("replays=0")).count();
    eprintln!(
        "{events} events and {copies} copies in {:?}: {} kills of sinks, {engine_kills} of ClickHouse, away for {:?}, {} answers swallowed, \
         {replays} assignments with replays",
        began.elapsed(),
        scale.kills - engine_kills - 1,
        scale.outage,
        proxy.swallowed(),
    );
    assert!(replays > 0 && proxy.swallowed() > 0, "seed {seed}: the run proves something only with replays");
}

fn producer(settings: &Settings) -> ThreadedProducer<DefaultProducerContext> {
    kafka::producer(&settings.kafka, "test").expect("no secret file").create().expect("a producer")
}

/// Sends events over as long as the faults last, one of twenty twice, and a thousand revisions of every series; tells the copies.
fn produce(settings: &Settings, events: usize, seed: u64) -> usize {
    let producer = producer(settings);
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut encoder = Encoder::new(&avro::FEEDBACK_EVENT, Framing::SingleObject);
    let mut windows = Encoder::new(&avro::WINDOW, Framing::SingleObject);
    let (mut copies, mut last) = (0, Vec::new());
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
            copies += 1;
            send("cx.feedback", &id, &payload);
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
        // The rate: the whole takes about as long as the faults without the outage.
        if number % 10_000 == 9_999 {
            std::thread::sleep(Duration::from_millis(300));
        }
    }
    producer.flush(Duration::from_secs(60)).expect("Kafka takes the events");
    copies
}
