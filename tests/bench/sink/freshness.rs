//! The whole pipeline at 5,000 events/s: how soon an accepted event is visible to a reader who asks again and again.
//!
//! A probe is a tenant's only answer and only attempt at a touchpoint of its own, so that its effect is told from all others.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::machine::Machine;
use crate::report::Report;

const RATE: u64 = 5_000;
/// Events of a request.
const TOGETHER: u64 = 50;
/// Each waits for its answer before it sends again.
const SENDERS: u64 = 16;
const WARM_UP: Duration = Duration::from_secs(10);
const LASTS: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_millis(330);
/// How often raw events are asked for, and how often results.
const ASK_EVERY: [Duration; 2] = [Duration::from_millis(40), Duration::from_millis(250)];

/// What a probe must reach, and how a reader sees it there.
const PLACES: [(&str, &str); 3] = [
    (
        "events_feedback",
        "SELECT touchpoint FROM cx.events_feedback WHERE tenant = 'probe' AND received_at > now64(3) - 20",
    ),
    (
        "nps",
        "SELECT DISTINCT touchpoint FROM cx.nps WHERE tenant = 'probe' AND window = '5m' AND channel = 'all' AND device = 'all' \
         AND window_end > now() - 60",
    ),
    (
        "checkout_funnel",
        "SELECT DISTINCT touchpoint FROM cx.checkout_funnel WHERE tenant = 'probe' AND window = '5m' AND channel = 'all' \
         AND device = 'all' AND window_end > now() - 60",
    ),
];

pub(crate) fn freshness(machine: &mut Machine, report: &mut Report) {
    let machine = &*machine;
    let services = ["ingest", "processor", "sink"].map(|name| machine.service(name, ""));
    let is_over = AtomicBool::new(false);
    let began = Instant::now();
    let (accepted, seen) = std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let is_over = &is_over;
            scope.spawn(move || load(machine, sender, is_over));
        }
        let readers = PLACES.map(|(place, sql)| {
            let is_over = &is_over;
            let pause = ASK_EVERY[usize::from(place != PLACES[0].0)];
            scope.spawn(move || read(machine, sql, pause, is_over))
        });
        let accepted = probe(machine, began);
        is_over.store(true, Ordering::Relaxed);
        (accepted, readers.map(|reader| reader.join().expect("readers do not fail")))
    });
    let total = machine.rows();
    report.note(format!(
        "Freshness: {} probes among {total} events in {:.0} s; readers ask for raw events and for results every {ASK_EVERY:?}; most memory: ingest, processor, sink {:?} MiB.",
        accepted.len(),
        began.elapsed().as_secs_f64(),
        services.each_ref().map(|service| service.memory("VmHWM") >> 20),
    ));
    for ((place, _), seen) in PLACES.iter().zip(seen) {
        let mut seconds: Vec<f64> = accepted
            .iter()
            .map(|(probe, at)| seen.get(probe).map_or(f64::INFINITY, |seen| (*seen - *at).as_secs_f64()))
            .collect();
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| seconds[((seconds.len() - 1) as f64 * share).round() as usize];
        if *place == "events_feedback" {
            report.limit("p50 of seconds from 202 to events_*", at(0.5), 0.4);
            report.limit("p99 of seconds from 202 to events_*", at(0.99), 1.0);
        } else {
            report.limit(&format!("p99 of seconds from 202 to {place}"), at(0.99), 3.5);
            report.note(format!("p50 of seconds from 202 to {place}: {:.2}.", at(0.5)));
        }
    }
}

/// Sends probes; tells when each was accepted.
fn probe(machine: &Machine, began: Instant) -> HashMap<String, Instant> {
    let mut accepted = HashMap::new();
    std::thread::sleep(WARM_UP);
    while began.elapsed() < LASTS {
        let name = format!("probe-{}", accepted.len());
        let context = format!(r#""context":{{"touchpoint":"{name}","channel":"web","device":"mobile"}}"#);
        let events = format!(
            r#"[{{"id":"a-{name}","type":"feedback.answered",{context},"data":{{"survey_id":"nps","metric":"nps","score":9}}}},
                {{"id":"b-{name}","type":"checkout.started",{context},"data":{{"checkout_id":"{name}"}}}},
                {{"id":"c-{name}","type":"checkout.completed",{context},"data":{{"checkout_id":"{name}","transaction_id":"{name}"}}}}]"#
        );
        machine.send("probe", &events);
        accepted.insert(name, Instant::now());
        std::thread::sleep(PROBE_EVERY);
    }
    // What was accepted last may still be on its way.
    std::thread::sleep(Duration::from_secs(6));
    accepted
}

/// Asks again and again; tells when each probe was first seen.
fn read(machine: &Machine, sql: &str, pause: Duration, is_over: &AtomicBool) -> HashMap<String, Instant> {
    let mut seen: HashMap<String, Instant> = HashMap::new();
    while !is_over.load(Ordering::Relaxed) {
        let answer = machine.ask(sql);
        let now = Instant::now();
        for probe in answer.lines() {
            if !seen.contains_key(probe) {
                seen.insert(probe.to_owned(), now);
            }
        }
        std::thread::sleep(pause);
    }
    seen
}

/// A busy shop: all families, many customers.
fn load(machine: &Machine, sender: u64, is_over: &AtomicBool) {
    let began = Instant::now();
    let (mut sent, mut body) = (0, String::new());
    while !is_over.load(Ordering::Relaxed) {
        let due = began.elapsed().as_micros() as u64 * RATE / SENDERS / 1_000_000;
        if sent + TOGETHER > due {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        }
        body.clear();
        for number in sent..sent + TOGETHER {
            let separator = if body.is_empty() { '[' } else { ',' };
            let id = format!("{sender}-{number}");
            let journey = number / 8;
            let context = format!(
                r#""context":{{"session_id":"s-{sender}-{journey}","customer_id":"c-{}","touchpoint":"t-{}","channel":"web","device":"{}","locale":"de-DE"}}"#,
                journey % 50_000,
                journey % 5,
                if journey % 2 == 0 { "mobile" } else { "desktop" },
            );
            let event = match number % 4 {
                0 => format!(
                    r#""type":"checkout.step",{context},"data":{{"checkout_id":"k-{sender}-{journey}","step":"payment","action":"completed"}}"#
                ),
                1 => format!(
                    r#""type":"chat.message",{context},"data":{{"conversation_id":"v-{sender}-{journey}","sender":"customer","message_id":"m-{id}"}}"#
                ),
                2 => format!(
                    r#""type":"feedback.answered",{context},"data":{{"survey_id":"nps","submission_id":"f-{id}","metric":"nps","score":{}}}"#,
                    number % 11
                ),
                _ => format!(
                    r#""type":"app.response",{context},"data":{{"name":"search","duration_ms":{},"status":200}}"#,
                    20 + number % 900
                ),
            };
            write!(body, r#"{separator}{{"id":"{id}",{event}}}"#).expect("text grows");
        }
        body.push(']');
        machine.send("shop", &body);
        sent += TOGETHER;
    }
}
